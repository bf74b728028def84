import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import type { SampleColumns, Value } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import { isFullDisk } from "../lib/full-disk.ts";
import { silentLog } from "../lib/log.ts";
import { downgrade, readMigrations } from "../lib/migrate.ts";
import { COMMIT_SAMPLES } from "./hot/committer.ts";
import { openForWriting } from "./hot/database.ts";
import { openStore, type Store, type StoreOptions } from "./store.ts";

const DAY = 86_400_000_000;
/** 2026-11-24T00:00:00Z. */
const T0 = Date.UTC(2026, 10, 24) * 1000;
const SETTINGS = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" } as const;
const ALL = { start: 0, end: T0 + 1000 * DAY, limit: 10_000 };

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "store-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Commits happen when a test says so: by `flush`. */
function open(directory: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({
    directory,
    commitSeconds: 1000,
    settings: SETTINGS,
    log: silentLog(),
    ...options,
  });
}

function entity(store: Store, subject: string, name: string | null = `sensor.${subject}`, at = T0): SeriesNumber {
  return store.series({ measurement: "state", subject, field: "state" }, name, at);
}

function rows({ ts, values }: SampleColumns): [number, Value][] {
  assert.equal(ts.length, values.length);
  return ts.map((time, i) => [time, values[i]!]);
}

async function readRows(store: Store, series: SeriesNumber, request = {}): Promise<[number, Value][]> {
  const [columns] = await store.read([{ series, ...ALL, ...request }]);
  return rows(columns!);
}

const VALUES: { name: string; value: Value; reads?: Value }[] = [
  { name: "a fraction", value: 21.5 },
  { name: "zero", value: 0 },
  { name: "negative zero is zero", value: -0, reads: 0 },
  { name: "a negative integer", value: -40 },
  { name: "the largest safe integer", value: Number.MAX_SAFE_INTEGER },
  { name: "an integer beyond what SQLite's integers hold", value: 1e300 },
  { name: "2^53 + 2", value: 2 ** 53 + 2 },
  { name: "2^47", value: 2 ** 47 },
  { name: "the smallest number", value: 5e-324 },
  { name: "infinity", value: Number.POSITIVE_INFINITY },
  { name: "text", value: "on" },
  { name: "text that looks like a number", value: "007" },
  { name: "text that looks like a whole number", value: "21" },
  { name: "empty text", value: "" },
  { name: "text with NUL", value: "a\0b\0" },
  { name: "an emoji", value: "☀️🏠" },
  { name: "half a surrogate pair is U+FFFD", value: "a\ud800b", reads: "a\ufffdb" },
  { name: "null", value: null },
];

for (const { name, value, reads = value } of VALUES) {
  test(`append() keeps ${name}, in memory, in the log and in a day table`, async (t) => {
    const directory = temporary(t);
    let store = await open(directory);
    t.after(() => store.close());
    const series = entity(store, "a");
    store.append(series, T0, value);
    const expected = [[T0, reads]];
    assert.deepEqual(await readRows(store, series), expected);
    assert.ok(!Object.is(store.last(series)?.value, -0));
    await store.close();
    store = await open(directory);
    assert.deepEqual(await readRows(store, series), expected);
    await store.fold();
    assert.equal(store.status().inMemory, 0);
    assert.deepEqual(await readRows(store, series), expected);
    await store.close();
    store = await open(directory);
    assert.deepEqual(store.last(series), { ts: T0, value: reads });
    await store.close();
  });
}

test("append() refuses what is no sample as its caller's mistake", async (t) => {
  await using store = await open(temporary(t));
  const series = entity(store, "a");
  assert.throws(() => store.append(series, T0, Number.NaN), RangeError);
  assert.throws(() => store.append(series, T0 + 0.5, 1), RangeError);
  assert.throws(() => store.append(99, T0, 1), RangeError);
  assert.equal(store.status().appended, 0);
});

test("append() keeps the first of two values at one time, wherever the first one is", async (t) => {
  const directory = temporary(t);
  let store = await open(directory);
  t.after(() => store.close());
  const series = entity(store, "a");
  store.append(series, T0 + 10, "first");
  store.append(series, T0 + 10, "again");
  assert.equal(store.status().appended, 1);
  store.append(series, T0 + 20, "newest");
  store.append(series, T0 + 10, "again");
  const expected = [
    [T0 + 10, "first"],
    [T0 + 20, "newest"],
  ];
  assert.deepEqual(await readRows(store, series), expected);
  await store.fold();
  store.append(series, T0 + 10, "again");
  store.append(series, T0 + 20, "again");
  assert.deepEqual(await readRows(store, series), expected);
  await store.close();
  store = await open(directory);
  assert.deepEqual(await readRows(store, series), expected);
  await store.fold();
  assert.deepEqual(await readRows(store, series), expected);
  assert.deepEqual(store.last(series), { ts: T0 + 20, value: "newest" });
  await store.close();
});

test("append() takes late samples of any day", async (t) => {
  await using store = await open(temporary(t));
  const series = entity(store, "a");
  store.append(series, T0, 5);
  await store.fold();
  const late = [-1, 3 * DAY, 1, T0 - DAY - 1, T0 - DAY, T0 - 1, T0 + DAY - 1, T0 + DAY, T0 - 400 * DAY];
  for (const ts of late) store.append(series, ts, ts);
  const expected = [...late.map((ts): [number, Value] => [ts, ts]), [T0, 5] as [number, Value]].sort(
    (a, b) => a[0] - b[0],
  );
  assert.deepEqual(await readRows(store, series, { start: -10 }), expected);
  await store.fold();
  assert.deepEqual(await readRows(store, series, { start: -10 }), expected);
  assert.deepEqual(store.last(series), { ts: T0 + DAY, value: T0 + DAY });
});

test("last() is the newest by time after folds out of order and a restart", async (t) => {
  const directory = temporary(t);
  let store = await open(directory);
  t.after(() => store.close());
  const series = entity(store, "a");
  for (const unit of [20, 30, 10]) {
    store.append(series, T0 + unit, unit);
    await store.fold();
  }
  await store.close();
  store = await open(directory);
  assert.deepEqual(store.last(series), { ts: T0 + 30, value: 30 });
  const before = await readRows(store, series, { start: T0 + 11, end: T0 + 12, includeStart: true });
  assert.deepEqual(before, [[T0 + 10, 10]]);
  await store.close();
});

test("a day's table holds the samples of that UTC day and no others", async (t) => {
  const directory = temporary(t);
  const store = await open(directory);
  t.after(() => store.close());
  const series = entity(store, "a");
  for (const ts of [T0 - 1, T0, T0 + DAY - 1, T0 + DAY]) store.append(series, ts, 1);
  await store.fold();
  await store.close();
  const db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const times = (table: string) =>
    db
      .prepare(`SELECT ts FROM ${table} ORDER BY ts`)
      .all()
      .map((row) => row.ts);
  assert.deepEqual(times("samples_20261123"), [T0 - 1]);
  assert.deepEqual(times("samples_20261124"), [T0, T0 + DAY - 1]);
  assert.deepEqual(times("samples_20261125"), [T0 + DAY]);
  assert.deepEqual(db.prepare("SELECT count(*) AS rows FROM log").get()?.rows, 0);
  db.close();
});

/** Samples at T0 + 10, + 20, + 30 on three days; asked on disk, in memory, and with one of them in each. */
const SPANS: { name: string; request: object; expected: number[] }[] = [
  { name: "includes the start of its span", request: { start: 10, end: 11 }, expected: [10] },
  { name: "excludes the end of its span", request: { start: 0, end: 10 }, expected: [] },
  { name: "is empty for a span that ends before it starts", request: { start: 30, end: 10 }, expected: [] },
  { name: "gives the oldest up to its limit", request: { limit: 2 }, expected: [10, 20] },
  { name: "gives nothing with limit 0", request: { limit: 0 }, expected: [] },
  {
    name: "includeStart adds the sample before, not counted in the limit",
    request: { start: 15, limit: 1, includeStart: true },
    expected: [10, 20],
  },
  {
    name: "includeStart looks strictly before the start",
    request: { start: 20, limit: 10, includeStart: true },
    expected: [10, 20, 30],
  },
  {
    name: "includeStart finds nothing before the first sample",
    request: { start: 10, limit: 1, includeStart: true },
    expected: [10],
  },
  {
    name: "includeStart finds the last sample from long after",
    request: { start: 500, end: 600, includeStart: true },
    expected: [30],
  },
];

for (const foldAfter of [0, 1, 2, 3]) {
  test(`read() with ${foldAfter} of 3 samples in day tables`, async (t) => {
    await using store = await open(temporary(t));
    const series = entity(store, "a");
    // A unit is a tenth of a day, so that the three lie on three days.
    const at = (unit: number) => T0 + (unit * DAY) / 10;
    for (const [index, unit] of [10, 20, 30].entries()) {
      if (index === foldAfter) await store.fold();
      store.append(series, at(unit), unit);
    }
    if (foldAfter === 3) await store.fold();
    for (const { name, request, expected } of SPANS) {
      const { start = 0, end = 1000, ...rest } = request as { start?: number; end?: number };
      const found = await readRows(store, series, { start: at(start), end: at(end), ...rest });
      assert.deepEqual(
        found,
        expected.map((unit) => [at(unit), unit]),
        `read() ${name}`,
      );
    }
  });
}

test("a fold carries samples over whose series has lost its row", async (t) => {
  const directory = temporary(t);
  {
    await using store = await open(directory);
    for (const name of ["a", "b"]) store.append(entity(store, name), T0, name);
    await store.flush();
  }
  {
    using db = new DatabaseSync(join(directory, "timeseries.db"));
    db.exec("DELETE FROM series WHERE subject = 'b'");
  }
  {
    await using store = await open(directory);
    await store.fold();
  }
  using db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const found = db.prepare("SELECT value FROM samples_20261124 ORDER BY series").all();
  assert.deepEqual(
    found.map(({ value }) => value),
    ["a", "b"],
  );
});

test("read() answers in the order of the requests, with an empty one for what has nothing", async (t) => {
  await using store = await open(temporary(t));
  const [a, b, empty] = [entity(store, "a"), entity(store, "b"), entity(store, "c")];
  store.append(a, T0, "a");
  await store.fold();
  store.append(b, T0, "b");
  const answers = await store.read([empty, b, 77, a, b].map((series) => ({ series, ...ALL })));
  assert.deepEqual(
    answers.map((columns) => columns.values),
    [[], ["b"], [], ["a"], ["b"]],
  );
});

test("read() is whole while folds go on", async (t) => {
  await using store = await open(temporary(t), { foldSamples: 50 });
  const series = entity(store, "a");
  // On a busy machine a fold takes many rounds.
  for (let round = 0; round < 60 || (round < 500 && store.status().folds <= 5); round++) {
    for (let i = 0; i < 20; i++) store.append(series, T0 + (round * 20 + i) * 1_000_000_000, i);
    const committed = store.flush();
    const [columns] = await store.read([{ series, ...ALL }]);
    assert.equal(columns!.ts.length, (round + 1) * 20);
    if (round % 7 === 0) await committed;
  }
  await store.flush();
  const { folds } = store.status();
  assert.ok(folds > 5, `${folds} folds`);
});

/** Time that passes when a test says so, for what tells a flood by its pace: a machine that is busy makes pauses in it. */
function stopClock(t: TestContext) {
  let now = performance.now();
  t.mock.method(performance, "now", () => now);
  return {
    pass(milliseconds: number): void {
      now += milliseconds;
    },
  };
}

test("a flood is folded in parts twice as large, and what it leaves when it has passed", async (t) => {
  const clock = stopClock(t);
  await using store = await open(temporary(t), { foldSamples: 3_000 });
  const series = entity(store, "a");
  let appended = 0;
  const flood = async (): Promise<number> => {
    for (let i = 0; i < 2_000; i++) store.append(series, T0 + appended++, i);
    await store.flush();
    return store.status().inMemory;
  };
  await flood();
  assert.equal(await flood(), 4_000, "nothing is folded yet");
  await flood();
  await until(() => store.status().folds === 1);
  await flood();
  assert.equal(await flood(), 4_000);
  clock.pass(1_000);
  await until(() => store.status().folds === 2);
  assert.equal(store.status().inMemory, 0);
});

test("long texts are folded, and turned away, as many samples of the memory that they take", async (t) => {
  await using store = await open(temporary(t), { foldSamples: 2_500, memorySamplesMax: 4_000 });
  const series = entity(store, "a");
  const text = "x".repeat(64_000);
  store.append(series, T0, text);
  store.append(series, T0 + 1, text);
  await store.flush();
  assert.deepEqual([store.status().folds, store.status().inMemory], [0, 2]);
  // A flood is folded at twice as many; it has passed a second later.
  store.append(series, T0 + 2, text);
  await until(() => store.status().folds === 1);
  assert.deepEqual([store.status().inMemory, store.status().memoryWeight], [0, 0]);
  for (let i = 3; i < 8; i++) store.append(series, T0 + i, text);
  assert.equal(store.status().dropped, 1);
  assert.equal((await readRows(store, series)).length, 7);
});

test("flush() makes everything durable for a reader of the file", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory);
  const series = entity(store, "a");
  store.describe(series, { unit: "°C", deviceClass: "temperature", stateClass: null }, T0);
  store.append(series, T0, 1);
  await store.flush();
  assert.equal(store.status().waiting, 0);
  const db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  assert.deepEqual({ ...db.prepare("SELECT series, ts, value FROM log").get() }, { series, ts: T0, value: 1 });
  assert.deepEqual(
    { ...db.prepare("SELECT subject, unit, device_class FROM series").get() },
    { subject: "a", unit: "°C", device_class: "temperature" },
  );
  db.close();
});

test("flush() in the middle of a fold and a full line resolves for what came before it", async (t) => {
  await using store = await open(temporary(t), { foldSamples: 5_000 });
  const series = entity(store, "a");
  const flushes: Promise<void>[] = [];
  for (let i = 0; i < 60_000; i++) {
    store.append(series, T0 + i, i);
    if (i % 9_999 === 0) flushes.push(store.flush());
  }
  await Promise.all([...flushes, store.flush()]);
  assert.equal(store.status().waiting, 0);
  const [columns] = await store.read([{ series, ...ALL, limit: 100_000 }]);
  assert.equal(columns!.ts.length, 60_000);
});

test("samples are committed by the clock and when 2,000 wait", async (t) => {
  await using store = await open(temporary(t), { commitSeconds: 0.01 });
  const series = entity(store, "a");
  store.append(series, T0, 1);
  await until(() => store.status().waiting === 0);
  await using large = await open(temporary(t));
  const other = entity(large, "a");
  for (let i = 0; i < 1_999; i++) large.append(other, T0 + i, 1);
  assert.equal(large.status().waiting, 1_999);
  large.append(other, T0 + 1_999, 1);
  await until(() => large.status().waiting === 0);
});

test("rollUp() computes nothing as long as a flood lasts, and all of it then", async (t) => {
  const clock = stopClock(t);
  await using store = await open(temporary(t), { now: () => T0 + 10 * DAY });
  const series = entity(store, "flooded");
  const flood = async (from: number) => {
    for (let i = 0; i < COMMIT_SAMPLES; i++) store.append(series, from + i, i);
    await store.flush();
  };
  await flood(T0);
  await store.fold();
  const order: string[] = [];
  const rolledUp = store.rollUp().then(() => order.push("rollups"));
  for (let i = 0; i < 5; i++) {
    await flood(T0 + 5 * DAY + i * COMMIT_SAMPLES);
    order.push("flood");
  }
  clock.pass(1_000);
  await rolledUp;
  assert.deepEqual(order, ["flood", "flood", "flood", "flood", "flood", "rollups"]);
  assert.equal(await store.rollUp(), 1);
});

test("the log is folded when its oldest sample is 6 hours old", async (t) => {
  let now = T0;
  await using store = await open(temporary(t), { now: () => now });
  const series = entity(store, "a");
  store.append(series, T0, 1);
  now += 6 * 3_600_000_000 - 1;
  await store.flush();
  assert.equal(store.status().folds, 0);
  now += 1;
  store.append(series, T0 + 1, 1);
  await store.flush();
  await until(() => store.status().folds === 1);
  assert.equal(store.status().inMemory, 0);
});

test("another program's lock is told as it is of the home, and loses nothing", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, { settings: { ...SETTINGS, busyTimeoutSeconds: 0.02 } });
  const series = entity(store, "a");
  using other = new DatabaseSync(join(directory, "timeseries.db"), { timeout: 5_000 });
  other.exec("BEGIN IMMEDIATE");
  store.append(series, T0, 1);
  const reason = "another program kept the database locked for longer than SQLITE_TIMEOUT";
  await assert.rejects(store.flush(), { code: "unavailable", message: `Cannot write 1 samples: ${reason}` });
  assert.deepEqual([store.status().writable, store.status().reason], [false, reason]);
  other.exec("ROLLBACK");
  await store.flush();
  assert.equal(store.status().reason, null);
});

test("a full disk loses nothing: samples wait in memory and are written when there is room", async (t) => {
  const directory = temporary(t);
  let pages = 1_000_000;
  let store = await open(directory, { maxPages: () => pages });
  t.after(() => store.close());
  const series = entity(store, "a");
  for (let i = 0; i < 1_000; i++) store.append(series, T0 + i, `text number ${i}`);
  await store.flush();
  pages = 1;
  for (let i = 1_000; i < 40_000; i++) store.append(series, T0 + i, `text number ${i}`);
  await assert.rejects(store.flush(), { code: "unavailable" });
  await assert.rejects(store.fold(), { code: "unavailable" });
  const { writable, reason, failure, waiting } = store.status();
  assert.deepEqual({ writable, waiting }, { writable: false, waiting: 39_000 });
  assert.match(reason!, /full/);
  assert.equal(isFullDisk(failure), true);
  // A new series and a rename wait with them.
  const late = entity(store, "b");
  store.rename("state", "a", "sensor.renamed", T0 + 5);
  store.append(late, T0, 7);
  assert.equal((await readRows(store, series, { limit: 100_000 })).length, 40_000);
  pages = 1_000_000;
  await store.flush();
  assert.equal(store.status().writable, true);
  assert.deepEqual([store.status().reason, store.status().failure], [null, null]);
  await store.close();
  store = await open(directory);
  const found = await readRows(store, series, { limit: 100_000 });
  assert.equal(found.length, 40_000);
  assert.deepEqual(found[39_999], [T0 + 39_999, "text number 39999"]);
  assert.deepEqual(await readRows(store, late), [[T0, 7]]);
  assert.equal(store.seriesOfEntity("sensor.renamed")[0]?.number, series);
  await store.close();
});

test("a file that another program holds is waited for", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, {
    settings: { busyTimeoutSeconds: 0.01, cacheSize: -2000, synchronous: "FULL" },
  });
  const series = entity(store, "a");
  const other = new DatabaseSync(join(directory, "timeseries.db"));
  other.exec("BEGIN IMMEDIATE");
  store.append(series, T0, 1);
  await assert.rejects(store.flush(), /locked/);
  other.exec("ROLLBACK");
  other.close();
  // The next try comes by itself and waits for no commit's clock, which is a long way off here.
  await until(() => store.status().waiting === 0);
});

test("append() turns the newest away when memory is full, tells once, and starts again", async (t) => {
  let pages = 1_000_000;
  const told: number[] = [];
  await using store = await open(temporary(t), {
    maxPages: () => pages,
    memorySamplesMax: 3_000,
    foldSamples: 1,
    onOverflow: (fromTs) => told.push(fromTs),
  });
  const series = entity(store, "a");
  await store.flush();
  pages = 1;
  for (let i = 0; i < 3_500; i++) store.append(series, T0 + i, `text number ${i}`);
  await assert.rejects(store.flush(), { code: "unavailable" });
  assert.equal(store.status().dropped, 500);
  assert.deepEqual(told, [T0 + 3_000]);
  assert.equal(store.last(series)?.ts, T0 + 2_999);
  pages = 1_000_000;
  await store.flush();
  await until(() => store.status().inMemory < 3_000);
  // What was turned away can come again, by a backfill.
  for (let i = 3_000; i < 3_500; i++) store.append(series, T0 + i, `text number ${i}`);
  assert.equal((await readRows(store, series)).length, 3_500);
});

test("openStore() moves a file that is no database aside and begins a new one", async (t) => {
  const directory = temporary(t);
  writeFileSync(join(directory, "timeseries.db"), "this is no database, whatever its name says".repeat(100));
  const store = await open(directory);
  t.after(() => store.close());
  const series = entity(store, "a");
  store.append(series, T0, 1);
  await store.close();
  const files = readdirSync(directory).filter((name) => name.startsWith("timeseries.db.corrupt-"));
  assert.equal(files.length, 1);
  assert.match(files[0]!, /^timeseries\.db\.corrupt-\d{8}T\d{6}Z$/);
});

test("openStore() moves a file aside whose inside is damaged, with what belongs to it", async (t) => {
  const directory = temporary(t);
  const file = join(directory, "timeseries.db");
  let store = await open(directory);
  t.after(() => store.close());
  for (let i = 0; i < 500; i++) store.append(entity(store, `u${i}`), T0, i);
  await store.close();
  const bytes = readFileSync(file);
  // The first page, with the schema, stays as it is.
  bytes.fill(0xff, 1024);
  writeFileSync(file, bytes);
  store = await open(directory);
  assert.equal(store.status().series, 0);
  const aside = readdirSync(directory).find((name) => name.includes(".corrupt-"));
  assert.deepEqual(readFileSync(join(directory, aside!)), bytes);
  assert.match(store.status().loss!, /^timeseries.db was damaged and is now ".*timeseries\.db\.corrupt-/);
  await store.close();
  rmSync(join(directory, aside!));
  store = await open(directory);
  assert.equal(store.status().loss, null);
  await store.close();
});

test("openStore() says that hours of before were damaged, and computes them anew", async (t) => {
  const directory = temporary(t);
  const day = 86_400_000_000;
  const start = Math.floor(T0 / day) * day;
  const now = () => start + 2 * day;
  const store = await open(directory, { now });
  t.after(() => store.close());
  const series = entity(store, "hall");
  store.append(series, start, 20);
  await store.fold();
  assert.equal(await store.rollUp(), 1);
  await store.close();
  const db = new DatabaseSync(join(directory, "timeseries.db"));
  downgrade(db, readMigrations(join(import.meta.dirname, "hot", "migrations")), "009");
  db.exec(`INSERT INTO rollup_hour (series, start, count, mean, durations) VALUES (${series}, ${start}, 1, 7, '{')`);
  db.exec("UPDATE rollup_days SET cuts = '[]'");
  db.close();
  const told: string[] = [];
  const log = Object.assign(silentLog(), { warn: (message: string) => void told.push(message) });
  await using again = await open(directory, { now, log });
  assert.match(told.join(), /computed anew where samples are kept, .*"rollup_hour_damaged"/);
  assert.equal(await again.rollUp(), 1);
  const hour = { series: [series], borders: [start, start + day / 24], until: now(), group: false };
  const { series: means } = await again.figure(hour, "mean");
  assert.deepEqual([...means[0]!], [20]);
});

test("a fold that cannot be done is told, while commits go on", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory);
  const series = entity(store, "a");
  store.append(series, T0, 1);
  await store.flush();
  const db = new DatabaseSync(join(directory, "timeseries.db"));
  db.exec("CREATE TABLE samples_20261124 (other)");
  await assert.rejects(store.fold(), { code: "unavailable", message: /Cannot fold the log/ });
  store.append(series, T0 + 1, 2);
  await store.flush();
  assert.equal(store.status().writable, true);
  assert.match(store.status().reason!, /Cannot fold the log/);
  db.exec("DROP TABLE samples_20261124");
  db.close();
  await store.fold();
  assert.equal(store.status().reason, null);
  assert.deepEqual(await readRows(store, series), [
    [T0, 1],
    [T0 + 1, 2],
  ]);
});

test("the schema goes down and up to what it was", async (t) => {
  const file = join(temporary(t), "timeseries.db");
  const open = () => openForWriting(file, { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" });
  let db = open();
  const schema = () => db.prepare("SELECT type, name, sql FROM sqlite_schema ORDER BY name").all();
  const before = schema();
  const migrations = readMigrations(join(import.meta.dirname, "hot", "migrations"));
  downgrade(db, migrations, null);
  assert.deepEqual(
    schema().filter((row) => !/schema_migrations/.test(String(row.name))),
    [],
  );
  db.close();
  db = open();
  assert.deepEqual(schema(), before);
  db.close();
});

test("openStore() rejects when it cannot have its file", async (t) => {
  const directory = temporary(t);
  const db = new DatabaseSync(join(directory, "timeseries.db"));
  db.exec("CREATE TABLE series (other)");
  db.close();
  await assert.rejects(open(directory), /Cannot open the time-series store .*Cannot upgrade/);
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

for (const seed of [1, 2, 3]) {
  test(`every span is read whole, whatever of it was folded when, came late, or was there at the start (${seed})`, async (t) => {
    let state = seed;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      return Math.floor((state / 2_147_483_648) * below);
    };
    const directory = temporary(t);
    // Its clock is behind: what is known of the file decides.
    const begin = () => open(directory, { now: () => T0 });
    let store = await begin();
    t.after(() => store.close());
    const truth = new Map<number, Map<number, number>>();
    let clock = T0;
    for (let step = 0; step < 400; step++) {
      clock += random(3) * 1_000_000;
      const action = random(40);
      if (action === 0) await store.fold();
      else if (action === 1) {
        await store.close();
        store = await begin();
      } else if (action < 25) {
        const subject = random(4);
        const ts = random(8) === 0 ? clock - random(200) * 1_000_000 : clock;
        const samples = truth.get(subject) ?? new Map<number, number>();
        truth.set(subject, samples);
        if (!samples.has(ts)) samples.set(ts, step);
        store.append(entity(store, `s${subject}`), ts, step);
      } else {
        const subject = random(4);
        const start = clock - random(120) * 1_000_000;
        const end = start + random(120) * 1_000_000;
        const includeStart = random(2) === 0;
        const all = [...(truth.get(subject) ?? [])].sort(([a], [b]) => a - b);
        const before = includeStart ? all.filter(([ts]) => ts < start).slice(-1) : [];
        const expected = [...before, ...all.filter(([ts]) => ts >= start && ts < end)];
        assert.deepEqual(await readRows(store, entity(store, `s${subject}`), { start, end, includeStart }), expected);
      }
    }
  });
}
