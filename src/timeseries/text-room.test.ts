import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../domain/sample.ts";
import { silentLog } from "../lib/log.ts";
import { openStore, type Store } from "./store.ts";

const DAY = 86_400_000_000;
const T0 = Date.UTC(2026, 10, 1) * 1000;
const NOW = T0 + 20 * DAY;
const ALL = { start: T0 - DAY, end: NOW, limit: 10_000 };

/** Tiers, the oldest first; a sample of any tier may be of any day. */
const TIERS = ["archive", "late in the archive", "day tables", "log"] as const;

/** Samples are brought to a tier each, so that all of them have some of the same days. */
const homes = fc.array(
  fc.record({
    tier: fc.constantFrom(...TIERS),
    hour: fc.integer({ min: 0, max: 300 }),
    value: fc.oneof(
      fc.integer({ min: 0, max: 9 }),
      fc.constant(null),
      fc.integer({ min: 0, max: 40 }).map((length) => "ä".repeat(length)),
    ),
  }),
  { minLength: 1, maxLength: 60 },
);

/** More characters than are read at once, whatever chance brings. */
const CUT = TIERS.map((tier, i) => ({ tier, hour: 10 * i, value: "ä".repeat(40) }));

async function fill(store: Store, samples: readonly { tier: string; hour: number; value: Value }[]): Promise<number> {
  const series = store.series({ measurement: "state", subject: "a", field: "state" }, "sensor.a", T0);
  for (const tier of TIERS) {
    for (const sample of samples) {
      if (sample.tier === tier) store.append(series, T0 + (sample.hour * DAY) / 24, sample.value);
    }
    await (tier === "log" ? store.flush() : store.fold());
    if (tier.includes("archive")) await store.seal();
  }
  return series;
}

function charactersOf(values: readonly Value[]): number {
  return values.reduce((sum: number, value) => sum + (typeof value === "string" ? value.length : 0), 0);
}

test("read() in parts of so many characters gives what it gives at once, from whatever tiers", async () => {
  let parts = 0;
  await fc.assert(
    fc.asyncProperty(
      homes,
      fc.integer({ min: 0, max: 120 }),
      fc.integer({ min: 1, max: 70 }),
      fc.integer({ min: -10, max: 310 }),
      async (samples, charactersMax, limit, startHour) => {
        const directory = mkdtempSync(join(tmpdir(), "text-room-"));
        const store = await openStore({
          directory,
          commitSeconds: 1000,
          settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
          log: silentLog(),
          now: () => NOW,
          archive: { hotDays: 12, firstMs: 100_000_000 },
        });
        try {
          const series = await fill(store, samples);
          const start = T0 + (startHour * DAY) / 24;
          const question = { ...ALL, series, start, includeStart: true };
          const [whole] = await store.read([question]);
          const found: { ts: Micros[]; values: Value[] } = { ts: [], values: [] };
          for (let from = start, isFirst = true; ; isFirst = false) {
            const [part] = await store.read([
              { ...question, start: from, includeStart: isFirst, charactersMax, limit },
            ]);
            const within = part!.values.filter((_, i) => part!.ts[i]! >= from);
            assert.ok(within.length <= 1 || charactersOf(within) <= charactersMax);
            found.ts.push(...part!.ts);
            found.values.push(...part!.values);
            parts++;
            if (within.length < limit && part!.cutAt === undefined) break;
            assert.ok(within.length > 0, "it goes on");
            from = part!.ts[part!.ts.length - 1]! + 1;
          }
          assert.deepEqual(found, { ts: whole!.ts, values: whole!.values });
        } finally {
          await store.close();
          rmSync(directory, { recursive: true, force: true });
        }
      },
    ),
    { numRuns: 12, examples: [[CUT, 45, 70, -10]] },
  );
  assert.ok(parts > 12, "some were cut");
});
