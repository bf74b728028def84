import assert from "node:assert/strict";
import { existsSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { pino } from "pino";
import { lockDirectory } from "../../../lib/directory-lock.ts";
import { ARCHIVING, all, DAY, faults, open, put, type Sample, seriesOf, T0, temporary } from "./testing.ts";

const files = (directory: string): string[] =>
  readdirSync(join(directory, "archive"), { recursive: true, encoding: "utf8" })
    .filter((name) => name.includes(".parquet"))
    .sort();

function tables(directory: string): string[] {
  const db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const rows = db.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'samples_%' ORDER BY name").all();
  db.close();
  return rows.map(({ name }) => String(name));
}

/** Numbers, texts and ends at odd microseconds of some days. */
function samplesOf(days: readonly number[], perDay = 40): Sample[] {
  return days.flatMap((day) =>
    Array.from({ length: perDay }, (_, i): Sample => {
      const value = i % 7 === 0 ? `text ${i}` : i % 11 === 0 ? null : i / 8 + day;
      return [T0 + day * DAY + i * (Math.floor(DAY / perDay) - 1), value];
    }),
  );
}

test("seal() moves the days older than HOT_DAYS to files, and read() gives the same as before", async (t) => {
  const directory = temporary(t);
  let store = await open(directory, T0 + 5 * DAY + 7);
  t.after(() => store.close());
  const samples = samplesOf([0, 1, 2, 3, 4, 5]);
  for (const subject of [0, 1, 2]) await put(store, subject, samples);
  assert.equal(await store.seal(), 3 * 80);
  assert.deepEqual(files(directory), ["2026/11/2026-11-24.parquet", "2026/11/2026-11-25.parquet"]);
  assert.deepEqual(tables(directory), ["samples_20261126", "samples_20261127", "samples_20261128", "samples_20261129"]);
  assert.equal(await store.seal(), 0);
  for (let round = 0; round < 2; round++) {
    for (const subject of [0, 1, 2]) assert.deepEqual(await all(store, subject), samples);
    // From the archive alone, from both, and the value before a start that lies in the hot tier.
    assert.deepEqual(await all(store, 1, { end: T0 + 2 * DAY }), samples.slice(0, 80));
    assert.deepEqual(await all(store, 1, { start: T0 + DAY + 1, limit: 50 }), samples.slice(41, 91));
    assert.deepEqual(await all(store, 1, { start: T0 + 2 * DAY, limit: 1, includeStart: true }), samples.slice(79, 81));
    await store.close();
    store = await open(directory, T0 + 5 * DAY + 7);
  }
  assert.deepEqual(faults(directory), []);
});

test("close() ends a sealing that is under way, which is no fault to log", async (t) => {
  const directory = temporary(t);
  const store = await open(directory, T0 + 40 * DAY);
  t.after(() => store.close());
  await put(store, 0, samplesOf(Array.from({ length: 30 }, (_, day) => day)));
  await store.close();
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  const sealing = await open(directory, T0 + 40 * DAY, { log, archive: { ...ARCHIVING, firstMs: 0 } });
  t.after(() => sealing.close());
  while (files(directory).length === 0) await sleep(1);
  await sealing.close();
  assert.deepEqual(lines, []);
});

test("late samples of a sealed day are read at once and merged at the next seal; the archived one stays", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 20 * DAY);
  await put(store, 0, [
    [T0 + 10, "first"],
    [T0 + 30, 3],
  ]);
  await store.seal();
  await put(store, 0, [
    [T0 + 10, "second"],
    [T0 + 20, "late"],
    [T0 + 40, "later"],
  ]);
  await put(store, 1, [[T0 + 1, "of another series"]]);
  const expected: Sample[] = [
    [T0 + 10, "first"],
    [T0 + 20, "late"],
    [T0 + 30, 3],
    [T0 + 40, "later"],
  ];
  assert.deepEqual(await all(store, 0), expected);
  assert.deepEqual(await all(store, 0, { limit: 2 }), expected.slice(0, 2));
  assert.deepEqual(await all(store, 0, { start: T0 + 35, limit: 1, includeStart: true }), expected.slice(2));
  assert.equal(await store.seal(), 3);
  assert.deepEqual(await all(store, 0), expected);
  assert.deepEqual(await all(store, 1), [[T0 + 1, "of another series"]]);
  assert.deepEqual(files(directory), ["2026/11/2026-11-24.parquet"]);
  assert.deepEqual(tables(directory), []);
  assert.deepEqual(faults(directory), []);
});

test("seal() archives old samples that are still in the log, and leaves a log of recent ones alone", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 20 * DAY);
  const series = seriesOf(store, 0);
  store.append(series, T0 + 20 * DAY, "recent");
  await store.flush();
  assert.equal(await store.seal(), 0);
  assert.equal(store.status().folds, 0);
  store.append(series, T0 + 1, "old");
  assert.equal(await store.seal(), 1);
  assert.deepEqual(files(directory), ["2026/11/2026-11-24.parquet"]);
  assert.deepEqual(await all(store, 0), [
    [T0 + 1, "old"],
    [T0 + 20 * DAY, "recent"],
  ]);
});

test("a month that is over for 35 days becomes one file, also when something comes late", async (t) => {
  const directory = temporary(t);
  let now = T0 + 41 * DAY;
  await using store = await open(directory, () => now);
  const samples = samplesOf([0, 3, 6, 7, 20]);
  await put(store, 0, samples);
  await put(store, 1, samples.slice(0, 90));
  await store.seal();
  // November ended 7 days after T0.
  assert.equal(files(directory).length, 5);
  now += DAY;
  assert.equal(await store.seal(), 0);
  assert.deepEqual(files(directory), [
    "2026/11/2026-11.parquet",
    "2026/12/2026-12-01.parquet",
    "2026/12/2026-12-14.parquet",
  ]);
  assert.deepEqual(await all(store, 0), samples);
  assert.deepEqual(await all(store, 1), samples.slice(0, 90));
  const late: Sample[] = [
    [T0 + 1, "late"],
    [T0 + 5 * DAY, "late, on a day that had nothing"],
  ];
  await put(store, 0, late);
  const expected = [...samples, ...late].sort((a, b) => a[0] - b[0]);
  assert.deepEqual(await all(store, 0), expected);
  assert.equal(await store.seal(), 2);
  assert.deepEqual(files(directory)[0], "2026/11/2026-11.parquet");
  assert.equal(files(directory).length, 3);
  assert.deepEqual(await all(store, 0), expected);
  assert.equal(store.status().archive?.samples, expected.length + 90);
  assert.deepEqual(faults(directory), []);
});

test("days of long texts are archived, and become a month, in the memory that the sealing process has", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 80 * DAY);
  const samples = Array.from({ length: 1_500 }, (_, i): Sample => [T0 + (i * 2 * DAY) / 1_500, i]);
  const textOf = (i: number): string => `${i} `.padEnd(60_000, "ä");
  for (let from = 0; from < samples.length; from += 500) {
    await put(
      store,
      0,
      samples.slice(from, from + 500).map(([ts], i): Sample => [ts, textOf(from + i)]),
    );
  }
  assert.equal(await store.seal(), samples.length);
  assert.deepEqual(files(directory), ["2026/11/2026-11.parquet"]);
  const series = seriesOf(store, 0);
  for (let start = T0, at = 0; at < samples.length; ) {
    const [part] = await store.read([{ series, start, end: T0 + 2 * DAY, limit: 200 }]);
    for (const [i, ts] of part!.ts.entries()) {
      assert.equal(ts, samples[at]![0]);
      assert.ok(part!.values[i] === textOf(at++), `the text of ${ts}`);
    }
    start = part!.ts[part!.ts.length - 1]! + 1;
  }
  assert.deepEqual(faults(directory), []);
});

test("a series keeps its archived samples when it goes on under another subject", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 20 * DAY);
  const samples = samplesOf([0, 1]);
  await put(store, 0, samples);
  await store.seal();
  store.rekey("state", "u0", "uuid");
  await put(store, 5, [[T0 + 2 * DAY, 1]]);
  const series = store.find({ measurement: "state", subject: "uuid", field: "state" })!;
  const [columns] = await store.read([{ series, start: T0, end: T0 + 3 * DAY, limit: 1000 }]);
  assert.deepEqual(
    columns!.ts,
    samples.map(([ts]) => ts),
  );
});

test("read() is whole while days go to the archive", async (t) => {
  await using store = await open(temporary(t), T0 + 100 * DAY);
  const samples = samplesOf([0, 1, 2, 8, 9, 40], 300);
  await put(store, 0, samples);
  let sealing = true;
  const sealed = store.seal().finally(() => {
    sealing = false;
  });
  let reads = 0;
  while (sealing) {
    assert.deepEqual(await all(store, 0, { includeStart: true }), samples);
    reads++;
  }
  assert.equal(await sealed, samples.length);
  assert.ok(reads > 3, `${reads} reads`);
});

test("samples that come while their day is sealed are not lost", async (t) => {
  await using store = await open(temporary(t), T0 + 30 * DAY);
  const samples: Sample[] = samplesOf([0], 500);
  await put(store, 0, samples);
  // It gives up when they keep coming; then the day stays hot.
  const sealed = store.seal().catch((error: { code?: string }) => assert.equal(error.code, "unavailable"));
  for (let i = 0; i < 20; i++) {
    const late: Sample = [T0 + 12 * 3_600_000_000 + 5 + i, `late ${i}`];
    samples.push(late);
    await put(store, 0, [late]);
  }
  await sealed;
  samples.sort((a, b) => a[0] - b[0]);
  assert.deepEqual(await all(store, 0), samples);
  await store.seal();
  assert.deepEqual(await all(store, 0), samples);
});

test("samples from the future stay hot until their day is old enough, whatever the clock did meanwhile", async (t) => {
  const directory = temporary(t);
  let now = T0;
  await using store = await open(directory, () => now);
  const future: Sample[] = [[T0 + 400 * DAY, "future"]];
  await put(store, 0, [[T0 - 10 * DAY, "past"], ...future]);
  assert.equal(await store.seal(), 1);
  assert.deepEqual(tables(directory), ["samples_20271229"]);
  // A clock that is wrong by years for a while archives too early, which loses nothing.
  now = T0 + 3000 * DAY;
  assert.equal(await store.seal(), 1);
  now = T0;
  await put(store, 0, [[T0 + 400 * DAY + 1, "after it was put right"]]);
  const expected: Sample[] = [[T0 - 10 * DAY, "past"], ...future, [T0 + 400 * DAY + 1, "after it was put right"]];
  assert.deepEqual(await all(store, 0), expected);
  assert.equal(await store.seal(), 0);
  now = T0 + 500 * DAY;
  assert.equal(await store.seal(), 1);
  assert.deepEqual(await all(store, 0), expected);
});

test("seal() is refused while another process seals, and goes on afterwards", async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 10 * DAY);
  await put(store, 0, samplesOf([0]));
  const held = lockDirectory(join(directory, "archive"));
  await assert.rejects(store.seal(), { code: "unavailable", message: /in use by process/ });
  assert.deepEqual(await all(store, 0), samplesOf([0]));
  held[Symbol.dispose]();
  assert.equal(await store.seal(), 40);
});

test("days are sealed in the background, at the start and when a day has passed", async (t) => {
  let now = T0 + 4 * DAY;
  const archive = { ...ARCHIVING, firstMs: 1, checkMs: 1 };
  const directory = temporary(t);
  await using store = await open(directory, () => now, { archive });
  const samples = samplesOf([0, 1]);
  await put(store, 0, samples);
  // The first run may have come before the samples.
  now += DAY;
  await until(() => store.status().archive?.samples === 80);
  await put(store, 0, samplesOf([2]));
  now += DAY;
  await until(() => store.status().archive?.samples === 120);
  assert.ok(!existsSync(join(directory, "archive/2026/11/2026-11-27.parquet")));
});

async function until(condition: () => boolean): Promise<void> {
  const deadline = Date.now() + 20_000;
  while (!condition()) {
    assert.ok(Date.now() < deadline, `never came true: ${condition}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

test("what archived days took is returned at once, with commits in between", { timeout: 60_000 }, async (t) => {
  const directory = temporary(t);
  await using store = await open(directory, T0 + 20 * DAY);
  const perDay = 30_000;
  const days = 20;
  await put(
    store,
    0,
    Array.from({ length: days * perDay }, (_, i): Sample => [T0 + Math.floor((i * DAY) / perDay), i / 3]),
  );
  const file = join(directory, "timeseries.db");
  const size = (): number => statSync(file).size;
  assert.ok(size() > 14e6, `${size()} bytes before`);
  const sealed = store.seal();
  const series = seriesOf(store, 1);
  let appended = 0;
  // The days that stay hot, what is left alone and the log: far less than what there was.
  while (size() > 9e6) {
    store.append(series, T0 + 19 * DAY + appended, appended++);
    await store.flush();
  }
  assert.equal(await sealed, 17 * perDay);
  assert.equal((await all(store, 0)).length, days * perDay);
  assert.equal((await all(store, 1)).length, appended);
});

test("a file that takes the place of one that is still to be forgotten stays", async (t) => {
  const directory = temporary(t);
  const rawDays = ({ subject }: { readonly subject: string }) => (subject === "u0" ? 10 : 0);
  await using store = await open(directory, T0 + 20 * DAY, {
    retention: {
      firstMs: 1e9,
      checkMs: 1e9,
      policy: {
        limits: (series) => ({ rawDays: rawDays(series), rollupDays: 0 }),
        blocked: () => null,
        budgetBytes: 0,
      },
    },
  });
  await put(store, 0, samplesOf([0]));
  await put(store, 1, samplesOf([19]));
  await store.seal();
  using db = new DatabaseSync(join(directory, "timeseries.db"));
  db.exec("CREATE TRIGGER stays BEFORE DELETE ON archive_files BEGIN SELECT RAISE(FAIL, 'not now'); END");
  await store.retain({ dryRun: false, believeClock: true });
  assert.deepEqual(files(directory), []);
  const late: Sample[] = [[T0 + 1, "late"]];
  await put(store, 1, late);
  await assert.rejects(store.seal(), /not now/);
  db.exec("DROP TRIGGER stays");
  await store.seal();
  assert.deepEqual(await all(store, 1, { end: T0 + DAY }), late);
  assert.deepEqual(faults(directory), []);
});
