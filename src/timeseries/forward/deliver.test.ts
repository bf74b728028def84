import assert from "node:assert/strict";
import { test } from "node:test";
import type { WriteOutcome } from "./answers.ts";
import { deliver, REFUSAL_REQUESTS_MAX } from "./deliver.ts";

const lines = (count: number): string[] => Array.from({ length: count }, (_, i) => `m v=${i} ${i}`);
const REFUSED = {
  kind: "refused",
  reason: "conflict",
  message: "conflict",
  numbered: new Map(),
  dropped: null,
} as const;

/** A server that cannot take some lines, and keeps the others of a batch or none of it. */
function server(isBad: (line: string) => boolean, { keeps, told }: { keeps: boolean; told?: boolean }) {
  const stored = new Set<string>();
  let requests = 0;
  return {
    stored,
    requests: () => requests,
    async send(part: readonly string[]): Promise<WriteOutcome> {
      requests++;
      const bad = part.filter(isBad);
      if (bad.length === 0 || keeps) for (const line of part) if (!isBad(line)) stored.add(line);
      if (bad.length === 0) return { kind: "taken" };
      const message = told ? bad.map((line) => `unable to parse '${line}': bad`).join("\n") : "conflict";
      return { ...REFUSED, message, dropped: keeps ? bad.length : null };
    },
  };
}

for (const keeps of [true, false]) {
  for (const told of [true, false]) {
    test(`deliver() brings every good line in, where the server ${keeps ? "keeps" : "drops"} them and ${told ? "names" : "hides"} the bad`, async () => {
      const all = lines(5000);
      const bad = new Set([all[0]!, all[17]!, all[2500]!, all[4999]!]);
      const target = server((line) => bad.has(line), { keeps, told });
      const delivery = await deliver(all, target.send);
      assert.equal(delivery.kind, "delivered");
      const refused = delivery.kind === "delivered" ? delivery.refused.map(({ line }) => line) : [];
      assert.deepEqual(new Set(refused), bad);
      assert.equal(refused.length, 4);
      assert.deepEqual(target.stored, new Set(all.filter((line) => !bad.has(line))));
      if (told) assert.equal(target.requests(), 2);
    });
  }
}

test("deliver() finds all lines that are too old with few requests, wherever they stand", async () => {
  const all = Array.from({ length: 2_000 }, (_, i) => `m v=${i} ${i % 10 === 0 ? i : 1_000_000 + i}`);
  const target = server((line) => Number(line.split(" ")[2]) < 1_000_000, { keeps: true });
  const delivery = await deliver(all, target.send);
  assert.equal(delivery.kind === "delivered" && delivery.refused.length, 200);
  assert.equal(target.stored.size, 1_800);
  assert.ok(target.requests() < 30, `${target.requests()}`);
});

test("deliver() sets a field of another type apart, and finds what is too old among the others", async () => {
  const all = Array.from({ length: 3_000 }, (_, i) => {
    const field = i % 3 === 0 ? "the\\ value=" : "state=";
    return `a\\ b,entity_id=x${i} ${field}${i} ${i % 7 === 0 ? i : 1_000_000 + i}`;
  });
  const isTooOld = (line: string): boolean => Number(line.split(" ").at(-1)) < 1_000_000;
  const isConflict = (line: string): boolean => line.includes(" the\\ value=");
  const conflict =
    'failure writing points to database: partial write: field type conflict: input field "the value" on measurement "a b" is type float, already exists as type string dropped=';
  const stored = new Set<string>();
  let requests = 0;
  // As InfluxDB answers: one kind is told, and how many it dropped for that.
  const delivery = await deliver(all, async (part) => {
    requests++;
    for (const line of part) if (!isTooOld(line) && !isConflict(line)) stored.add(line);
    const old = part.filter(isTooOld).length;
    const conflicting = part.filter((line) => isConflict(line) && !isTooOld(line)).length;
    if (old + conflicting === 0) return { kind: "taken" };
    if (conflicting === 0) return { ...REFUSED, dropped: old };
    return { ...REFUSED, message: `${conflict}${conflicting}`, dropped: conflicting };
  });
  const good = all.filter((line) => !isTooOld(line) && !isConflict(line));
  assert.deepEqual([...stored], good);
  assert.equal(delivery.kind === "delivered" && delivery.refused.length, all.length - good.length);
  assert.ok(requests < 100, `${requests}`);
});

test("deliver() asks once where the server drops all, and not without end where it drops many", async () => {
  const all = lines(5000);
  const none = server(() => true, { keeps: true });
  const delivery = await deliver(all, none.send);
  assert.equal(delivery.kind === "delivered" && delivery.refused.length, 5000);
  assert.equal(none.requests(), 1);
  const many = server((line) => line.endsWith("7"), { keeps: false });
  const second = await deliver(all, many.send);
  const refused = new Set(second.kind === "delivered" ? second.refused.map(({ line }) => line) : []);
  // Nothing is lost: what is not stored is among the refused.
  assert.ok(all.every((line) => many.stored.has(line) || refused.has(line)));
  assert.ok(many.requests() <= 2 * REFUSAL_REQUESTS_MAX + 2);
});

test("deliver() sends less where the server takes no more, and buries a line that is too large by itself", async () => {
  const all = [...lines(8), "x".repeat(100)];
  const sizes: number[] = [];
  const delivery = await deliver(all, async (part) => {
    const size = part.join("\n").length;
    sizes.push(part.length);
    return size > 30 ? { kind: "too large", reason: "413" } : { kind: "taken" };
  });
  assert.deepEqual(delivery, { kind: "delivered", refused: [{ reason: "413", line: "x".repeat(100) }] });
  assert.ok(sizes.includes(1));
});

test("deliver() is interrupted by a server that is away or refuses us, also in the middle", async () => {
  let requests = 0;
  const interruption = { kind: "later", reason: "503", afterMs: null } as const;
  const delivery = await deliver(lines(4), async () => (++requests === 1 ? REFUSED : interruption));
  assert.deepEqual(delivery, interruption);
});
