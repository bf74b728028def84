import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { LAGGING_MICROS, type TargetStatus } from "../../domain/forwarding.ts";
import type { Value } from "../../domain/sample.ts";
import { silentLog } from "../../lib/log.ts";
import { type InfluxDouble, RECORDED, startInfluxDouble } from "../../testing/influx-double.ts";
import { createMirrorWatch } from "../../webhooks/mirror-events.ts";
import { openStore, type Store, type StoreOptions } from "../store.ts";
import type { TargetSettings } from "./target-settings.ts";

const T0 = Date.UTC(2026, 10, 24) * 1000;
const DAY = 86_400_000_000;

function targetAt(url: string, more: Partial<TargetSettings> = {}): TargetSettings {
  return {
    ...{ name: "copy", url, token: "secret-token", org: "home", bucket: "ha", database: null, retentionPolicy: null },
    ...{ username: null, password: null, version: "auto", layout: "native", retentionDays: null },
    ...{ batchSamplesMax: 100, batchSeconds: 0 },
    ...more,
  };
}

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;

interface Rig {
  readonly store: Store;
  /** Appends state samples of an entity and brings them to the disk. */
  put(name: string, samples: readonly (readonly [number, Value])[]): Promise<void>;
  status(): TargetStatus;
}

async function open(
  t: TestContext,
  directory: string,
  mirrors: readonly TargetSettings[],
  pauses: number[] = [],
  options: Partial<StoreOptions> = {},
): Promise<Rig> {
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: SETTINGS,
    log: silentLog(),
    now: () => T0,
    ...options,
    forward: {
      archive: null,
      mirrors,
      place: () => ({ deviceId: "d1", areaId: "hall" }),
      async sleep(ms, signal) {
        pauses.push(ms);
        await new Promise((resolve) => setImmediate(resolve));
        signal.throwIfAborted();
      },
    },
  });
  t.after(() => store.close());
  return {
    store,
    async put(name, samples) {
      const key = { measurement: "state", subject: `uuid-${name}`, field: "state" };
      const series = store.series(key, `sensor.${name}`, 0);
      for (const [ts, value] of samples) store.append(series, T0 + ts, value);
      await store.flush();
    },
    status: () => store.forwarding.status()[0]!,
  };
}

async function rig(t: TestContext, version?: string | null): Promise<{ double: InfluxDouble; directory: string }> {
  const double = await startInfluxDouble(version);
  t.after(() => double[Symbol.asyncDispose]());
  const directory = mkdtempSync(join(tmpdir(), "forward-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return { double, directory };
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 3000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.fail(`Waited in vain until ${what}`);
}

const linesOf = (double: InfluxDouble): string[] => double.writes.join("").split("\n").filter(Boolean);
const isSettled = ({ waiting, filling }: TargetStatus): boolean => waiting === 0 && !filling;
const settled = (rig: Rig) => until("nothing waits", () => isSettled(rig.status()));

test("a mirror gets every sample once, as a line with where the entity is", async (t) => {
  const { double, directory } = await rig(t);
  const { put, status, ...more } = await open(t, directory, [targetAt(double.url)]);
  await put("hall", [
    [1, 21.5],
    [2, "on"],
    [3, null],
  ]);
  await settled({ put, status, ...more });
  const tags = "state,area_id=hall,device_id=d1,domain=sensor,entity_id=sensor.hall,subject=uuid-hall";
  assert.deepEqual(linesOf(double), [
    `${tags} value=21.5 ${T0 + 1}000`,
    `${tags} state="on" ${T0 + 2}000`,
    `${tags} kind="removed" ${T0 + 3}000`,
  ]);
  assert.deepEqual(
    [status().state, status().delivered, status().version, status().behindSince],
    ["running", 3, "2.7.12", null],
  );
  const write = double.requests.find(({ url }) => url.startsWith("/api/v2/write"))!;
  assert.equal(write.url, "/api/v2/write?org=home&bucket=ha&precision=ns");
  assert.equal(write.authorization, "Token secret-token");
});

test("a mirror in Home Assistant's layout gets what its own integration writes, and nothing for a removal", async (t) => {
  const { double, directory } = await rig(t, "1.8.3");
  const mirror = targetAt(double.url, { layout: "home-assistant", token: null, username: "ha", password: "pw" });
  const made = await open(t, directory, [mirror]);
  await made.put("hall", [
    [1, 20],
    [2, "unavailable"],
    [3, "on"],
    [4, null],
  ]);
  await settled(made);
  assert.deepEqual(linesOf(double), [
    `sensor.hall,domain=sensor,entity_id=hall,source=HA value=20 ${T0 + 1}000`,
    `sensor.hall,domain=sensor,entity_id=hall,source=HA state="on",value=1 ${T0 + 3}000`,
  ]);
  assert.ok(double.requests.some(({ url }) => url === "/write?db=ha&precision=ns"));
  assert.equal(double.requests.at(-1)!.authorization, `Basic ${Buffer.from("ha:pw").toString("base64")}`);
});

test("a mirror in Home Assistant's layout gets attributes and samples that waited under the unit they were in", async (t) => {
  const { double, directory } = await rig(t, "1.8.3");
  const { store, ...more } = await open(t, directory, [targetAt(double.url, { layout: "home-assistant" })]);
  double.answer = () => RECORDED.down;
  const put = (field: string, ts: number, value: Value): void => {
    const key = { measurement: "state", subject: "uuid", field };
    store.append(store.series(key, "sensor.hall", 0), T0 + ts, value);
  };
  const describe = (unit: string, ts: number): void => {
    const state = store.find({ measurement: "state", subject: "uuid", field: "state" })!;
    store.describe(state, { unit, deviceClass: null, stateClass: null }, T0 + ts);
  };
  put("state", 1, 20);
  describe("°C", 1);
  put("battery", 1, 90);
  put("state", 2, 68);
  describe("°F", 2);
  put("battery", 2, 80);
  await store.flush();
  await until("the mirror was asked", () => more.status().state === "retrying");
  double.answer = () => RECORDED.taken;
  await settled({ store, ...more });
  const tags = "domain=sensor,entity_id=hall,source=HA";
  assert.deepEqual([...new Set(linesOf(double))].sort(), [
    `°C,${tags} battery=90 ${T0 + 1}000`,
    `°C,${tags} value=20 ${T0 + 1}000`,
    `°F,${tags} battery=80 ${T0 + 2}000`,
    `°F,${tags} value=68 ${T0 + 2}000`,
  ]);
});

test("a late sample of an archived day is sent where it is the first at its time", async (t) => {
  const { double, directory } = await rig(t);
  const archiving = { archive: { hotDays: 3 }, now: () => T0 + 5 * DAY };
  const made = await open(t, directory, [targetAt(double.url)], [], archiving);
  await made.put("hall", [
    [1, 1],
    [2, "on"],
  ]);
  await settled(made);
  assert.equal(await made.store.seal(), 2);
  const before = linesOf(double).length;
  await made.put("hall", [
    [1, 10],
    [2, "off"],
    [3, 3],
  ]);
  await made.put("porch", [[1, 4]]);
  await settled(made);
  const late = linesOf(double).slice(before);
  assert.deepEqual(
    late.map((line) => line.slice(line.indexOf(" ") + 1)),
    [`value=3 ${T0 + 3}000`, `value=4 ${T0 + 1}000`],
  );
});

test("a batch whose answer got lost is sent again as the same bytes, also after a restart and a rename", async (t) => {
  const { double, directory } = await rig(t);
  const lost = { ...RECORDED.truncated };
  double.answer = (lines) => (lines.length === 0 ? RECORDED.taken : lost);
  const first = await open(t, directory, [targetAt(double.url)]);
  await first.put("hall", [
    [1, 1],
    [2, 2],
  ]);
  await until("it was tried twice", () => double.writes.filter(Boolean).length >= 2);
  await first.store.close();
  const second = await open(t, directory, [targetAt(double.url)]);
  second.store.rename("state", "uuid-hall", "sensor.renamed", T0 + 3);
  await second.put("renamed", []);
  const before = double.writes.length;
  double.answer = () => RECORDED.taken;
  await settled(second);
  const [again] = double.writes.slice(before).filter(Boolean);
  assert.equal(again, double.writes.find(Boolean));
  assert.equal(second.status().delivered, 2);
});

test("a revoked token stops the mirror with a clear state; restored, nothing is missing", async (t) => {
  const { double, directory } = await rig(t);
  double.answer = () => RECORDED.unauthorized;
  const pauses: number[] = [];
  const made = await open(t, directory, [targetAt(double.url)], pauses);
  await made.put("hall", [[1, 1]]);
  await until("it stops", () => made.status().state === "stopped");
  assert.match(made.status().reason!, /401 unauthorized access/);
  assert.ok(!JSON.stringify(made.status()).includes("secret-token"));
  assert.ok(pauses.includes(60_000));
  await made.put("hall", [[2, 2]]);
  double.answer = () => RECORDED.taken;
  await settled(made);
  assert.equal(made.status().state, "running");
  assert.deepEqual(new Set(linesOf(double)).size, 2);
});

test("a busy server is asked again when it said, and one that is down after growing pauses", async (t) => {
  const { double, directory } = await rig(t);
  let requests = 0;
  double.answer = (lines) => {
    if (lines.length === 0 || ++requests > 5) return RECORDED.taken;
    return requests === 1 ? RECORDED.busy : RECORDED.down;
  };
  const pauses: number[] = [];
  const made = await open(t, directory, [targetAt(double.url)], pauses);
  await made.put("hall", [[1, 1]]);
  await settled(made);
  const waits = pauses.filter((ms) => ms > 0);
  assert.equal(waits[0], 7000);
  // Each is drawn from the upper half of a wait that doubles.
  for (const [i, ms] of waits.slice(1, 5).entries()) assert.ok(ms >= 1000 * 2 ** i && ms <= 2000 * 2 ** i, `${waits}`);
});

test("refused points become dead letters, the others arrive, and a replay brings them in", async (t) => {
  const { double, directory } = await rig(t);
  const stored = new Set<string>();
  let isMended = false;
  double.answer = (lines) => {
    const bad = isMended ? [] : lines.filter((line) => line.includes("state="));
    for (const line of lines) if (!bad.includes(line)) stored.add(line);
    return bad.length === 0 ? RECORDED.taken : RECORDED.conflict2;
  };
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put(
    "hall",
    Array.from({ length: 60 }, (_, i): [number, Value] => [i, i === 7 || i === 30 ? "text" : i]),
  );
  await settled(made);
  assert.equal(stored.size, 58);
  assert.deepEqual([made.status().refused, made.status().deadLetters, made.status().delivered], [2, 2, 58]);
  const { letters, total } = await made.store.forwarding.deadLetters({ target: "copy", limit: 1 });
  assert.equal(total, 2);
  assert.match(letters[0]!.line, new RegExp(`state="text" ${T0 + 30}000$`));
  assert.match(letters[0]!.reason, /field type conflict/);
  assert.deepEqual(await made.store.forwarding.replay("copy"), { taken: 0, refused: 2 });
  isMended = true;
  assert.deepEqual(await made.store.forwarding.replay("copy"), { taken: 2, refused: 0 });
  assert.equal(stored.size, 60);
  assert.equal(made.status().deadLetters, 0);
  await assert.rejects(made.store.forwarding.replay("other"), { code: "not_found" });
});

test("an answer that repeats more than is read of it stops nothing: the refused lines are found all the same", async (t) => {
  const { double, directory } = await rig(t, "1.8.3");
  const stored = new Set<string>();
  // As InfluxDB answers to keys that are too long: it repeats each of these lines.
  double.answer = (lines) => {
    const bad = lines.filter((line) => line.includes("state="));
    for (const line of lines) if (!bad.includes(line)) stored.add(line);
    const told = bad.map((line) => `unable to parse '${"x".repeat(100_000)}${line}': max key length exceeded`);
    return bad.length === 0 ? RECORDED.taken : { status: 400, body: JSON.stringify({ error: told.join("\n") }) };
  };
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put(
    "hall",
    Array.from({ length: 10 }, (_, i): [number, Value] => [i, i < 7 ? "text" : i]),
  );
  await settled(made);
  assert.equal(stored.size, 3);
  assert.deepEqual([made.status().refused, made.status().delivered], [7, 3]);
});

test("a batch of long texts or names ends before it fills the memory", async (t) => {
  for (const [name, value, count] of [
    ["hall", "x".repeat(3_000_000), 5],
    ["h".repeat(60_000), 1, 90],
  ] as const) {
    const { double, directory } = await rig(t);
    const made = await open(t, directory, [targetAt(double.url)]);
    await made.put(
      name,
      Array.from({ length: count }, (_, i): [number, Value] => [i, value]),
    );
    await settled(made);
    const bodies = double.writes.filter(Boolean);
    assert.ok(bodies.length > 1 && bodies.every(({ length }) => length < 12_000_000), `${bodies.length}`);
    assert.equal(new Set(linesOf(double)).size, count);
    assert.equal(linesOf(double).length, count);
  }
});

test("what the layout leaves out does not count as delivered", async (t) => {
  const { double, directory } = await rig(t);
  const made = await open(t, directory, [targetAt(double.url, { layout: "home-assistant" })]);
  await made.put("hall", [
    [1, 20],
    [2, "unavailable"],
    [3, null],
  ]);
  await settled(made);
  assert.equal(made.status().delivered, 1);
});

test("a missing bucket is made, with the retention that is asked for", async (t) => {
  const { double, directory } = await rig(t);
  let bucket: string | undefined;
  double.answer = () => (bucket === undefined ? RECORDED.noBucket : RECORDED.taken);
  double.others = (method, url) => {
    if (url === "/api/v2/orgs?org=home") return { status: 200, body: '{"orgs":[{"id":"0123"}]}' };
    if (method === "POST" && url === "/api/v2/buckets") bucket = url;
    return { status: 201, body: "{}" };
  };
  const made = await open(t, directory, [targetAt(double.url, { retentionDays: 30 })]);
  await made.put("hall", [[1, 1]]);
  await settled(made);
  assert.equal(bucket, "/api/v2/buckets");
  assert.equal(linesOf(double).length, 1);
});

test("a missing bucket is not asked for where the token may not see the organization that it would be in", async (t) => {
  const { double, directory } = await rig(t);
  double.answer = () => RECORDED.noBucket;
  // A token for one bucket alone, as 2.7.12 answers it.
  double.others = () => ({ status: 200, body: '{"orgs":[]}' });
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put("hall", [[1, 1]]);
  await until("it is stopped", () => made.status().state === "stopped");
  const why = 'it is not there and cannot be made: the token may not see the organization "home"';
  assert.equal(made.status().reason, `404 bucket "none" not found; ${why}`);
  assert.ok(double.requests.every(({ url }) => url !== "/api/v2/buckets"));
});

test("a bucket that was deleted, and made again by us or by others, gets the last days once more", async (t) => {
  for (const maker of ["us", "others", "others, and we were started again"]) {
    const { double, directory } = await rig(t);
    let bucket: string[] | undefined = [];
    double.answer = (lines) => {
      bucket?.push(...lines);
      return bucket === undefined ? RECORDED.noBucket : RECORDED.taken;
    };
    double.others = (method, url) => {
      if (maker !== "us") return RECORDED.unauthorized;
      if (url === "/api/v2/orgs?org=home") return { status: 200, body: '{"orgs":[{"id":"0123"}]}' };
      if (method === "POST" && url === "/api/v2/buckets") bucket = [];
      return { status: 201, body: "{}" };
    };
    let made = await open(t, directory, [targetAt(double.url)]);
    await made.put("hall", [
      [1, 1],
      [2, "on"],
    ]);
    await made.store.fold();
    await made.put("hall", [[3, 3]]);
    await settled(made);
    bucket = undefined;
    await made.put("hall", [[4, 4]]);
    if (maker !== "us") {
      await until("it stops", () => made.status().state === "stopped");
      await made.put("hall", [[5, 5]]);
      if (maker !== "others") {
        await made.store.close();
        made = await open(t, directory, [targetAt(double.url)]);
      }
      bucket = [];
    }
    await until("all is there", () => made.status().state === "running" && isSettled(made.status()));
    const values = bucket!.map((line) => line.split(" ")[1]).sort();
    const expected = ['state="on"', "value=1", "value=3", "value=4", ...(maker === "us" ? [] : ["value=5"])];
    assert.deepEqual(values, expected, maker);
  }
});

for (const maker of ["us", "others"]) {
  test(`a bucket made again by ${maker} gets the last days, though they could not be queued at once`, async (t) => {
    const { double, directory } = await rig(t);
    let bucket: string[] | undefined = [];
    double.answer = (lines) => {
      bucket?.push(...lines);
      return bucket === undefined ? RECORDED.noBucket : RECORDED.taken;
    };
    const first = await open(t, directory, [targetAt(double.url)]);
    await first.put("hall", [
      [1, 1],
      [2, 2],
    ]);
    await settled(first);
    await first.store.close();
    bucket = undefined;
    const settings = { ...SETTINGS, busyTimeoutSeconds: 0.05 };
    const second = await open(t, directory, [targetAt(double.url)], [], { settings });
    using other = new DatabaseSync(join(directory, "timeseries.db"), { timeout: 5_000 });
    let isLocked = false;
    double.answer = (lines) => {
      bucket?.push(...lines);
      if (bucket !== undefined) return RECORDED.taken;
      if (!isLocked) other.exec("BEGIN IMMEDIATE");
      isLocked = true;
      return RECORDED.noBucket;
    };
    double.others = (method, url) => {
      if (maker === "others") return RECORDED.unauthorized;
      if (method === "POST" && url === "/api/v2/buckets") bucket = [];
      return { status: 200, body: '{"orgs":[{"id":"0123"}]}' };
    };
    await second.put("hall", [[3, 3]]);
    await until("the disk refuses", () => second.status().reason?.includes("locked") === true);
    assert.equal(bucket, undefined);
    if (maker === "others") {
      bucket = [];
      const asked = double.writes.length;
      await until("it is asked again", () => double.writes.length > asked + 1);
    }
    other.exec("ROLLBACK");
    await until("all is there", () => new Set(bucket).size === 3);
    await until("it is settled", () => second.status().state === "running" && isSettled(second.status()));
  });
}

test("a bucket that a replay found missing gets the last days once it was made by others", async (t) => {
  const { double, directory } = await rig(t);
  let bucket: string[] | undefined = [];
  double.answer = (lines) => {
    if (bucket === undefined) return RECORDED.noBucket;
    if (lines.some((line) => line.includes("state="))) return RECORDED.conflict2;
    bucket.push(...lines);
    return RECORDED.taken;
  };
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put("hall", [
    [1, 1],
    [2, "refused"],
  ]);
  await settled(made);
  bucket = undefined;
  await assert.rejects(made.store.forwarding.replay("copy"), /bucket "none" not found/);
  bucket = [];
  await made.put("hall", [[3, 3]]);
  await settled(made);
  const values = bucket.map((line: string) => line.split(" ")[1]);
  assert.deepEqual(values.sort(), ["value=1", "value=3"]);
});

test("a 404 that does not speak of the bucket sends nothing again", async (t) => {
  const { double, directory } = await rig(t);
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put("hall", [[1, 1]]);
  await settled(made);
  double.answer = () => ({ status: 404, body: "404 page not found" });
  await made.put("hall", [[2, 2]]);
  await until("it stops", () => made.status().state === "stopped");
  double.answer = () => RECORDED.taken;
  await settled(made);
  assert.equal(linesOf(double).filter((line) => line.includes("value=1")).length, 1);
});

test("a sample that is stored already is not forwarded with another value", async (t) => {
  const { double, directory } = await rig(t);
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put("hall", [
    [5, 1],
    [9, 3],
  ]);
  await made.store.fold();
  await made.put("hall", [
    [5, "another"],
    [7, 2],
  ]);
  await settled(made);
  assert.deepEqual(
    linesOf(double).map((line) => line.split(" ")[1]),
    ["value=1", "value=3", "value=2"],
  );
});

test("a new mirror begins with what the hot tier has; the others get it once", async (t) => {
  const { double, directory } = await rig(t);
  const other = await startInfluxDouble(null);
  t.after(() => other[Symbol.asyncDispose]());
  const first = await open(t, directory, [targetAt(double.url)]);
  await first.put("hall", [[1, 1]]);
  await first.store.fold();
  await first.put("hall", [[2, 2]]);
  await settled(first);
  await first.store.close();
  const second = await open(t, directory, [targetAt(double.url), targetAt(other.url, { name: "new", version: 1 })]);
  await second.put("hall", [[3, 3]]);
  await until("both have it", () => second.store.forwarding.status().every(isSettled));
  assert.equal(linesOf(double).length, 3);
  assert.equal(linesOf(other).length, 3);
});

test("without a mirror nothing is queued, and one that was taken away leaves nothing behind", async (t) => {
  const { double, directory } = await rig(t);
  double.answer = () => RECORDED.down;
  const first = await open(t, directory, [targetAt(double.url)]);
  await first.put("hall", [[1, 1]]);
  await until("it waits", () => first.status().state === "retrying");
  await first.store.close();
  const second = await open(t, directory, []);
  await second.put("hall", [[2, 2]]);
  assert.deepEqual(second.store.forwarding.status(), []);
  await second.store.close();
  double.answer = () => RECORDED.taken;
  const third = await open(t, directory, [targetAt(double.url)]);
  await settled(third);
  assert.equal(new Set(linesOf(double)).size, 2);
});

test("a mirror that refuses us is told of once as lagging, and once when it has caught up", async (t) => {
  const { double, directory } = await rig(t);
  double.answer = () => RECORDED.unauthorized;
  const made = await open(t, directory, [targetAt(double.url)]);
  await made.put("hall", [[1, 21.5]]);
  await until("it refuses us", () => made.status().state === "stopped");
  const told: unknown[] = [];
  const look = createMirrorWatch(
    async (type, subject, data) => void told.push([type, subject, data.state, data.waiting]),
  );
  look(made.store.forwarding.status(), T0 + LAGGING_MICROS);
  assert.deepEqual(told, []);
  for (const later of [1, 2]) look(made.store.forwarding.status(), T0 + LAGGING_MICROS + later);
  assert.deepEqual(told, [["mirror_lagging", "mirror copy", "stopped", 1]]);
  double.answer = () => RECORDED.taken;
  await settled(made);
  for (const later of [3, 4]) look(made.store.forwarding.status(), T0 + LAGGING_MICROS + later);
  assert.deepEqual(told.slice(1), [["mirror_recovered", "mirror copy", "running", 0]]);
});
