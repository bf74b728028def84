import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, readdirSync, readFileSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import type { Value } from "../../domain/sample.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import { silentLog } from "../../lib/log.ts";
import { transaction } from "../../lib/transaction.ts";
import { type Remote, startWorker } from "../../lib/worker-rpc.ts";
import { openStore, type Store, type StoreOptions } from "../store.ts";
import { Chunk } from "./chunk.ts";
import { openForReading, openForWriting } from "./database.ts";
import { DAY_MICROS, dayOf, tableOfDay } from "./day.ts";
import { makeDayTable } from "./day-table.ts";
import { isSound, type MendedDay, readMendedDays, salvage } from "./salvage.ts";
import { writerCommands } from "./writer.ts";
import type { MendAnswer, WriterCommands, WriterOptions } from "./writer-commands.ts";

const T0 = Date.UTC(2026, 10, 24) * 1000;
const DAY = dayOf(T0);
const TABLE = tableOfDay(DAY);
const SETTINGS = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" } as const;
const PAGE_BYTES = 2048;
const SERIES = [1, 2, 3];
const SAMPLES = 1_500;
const EVERY = 50_000_000;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "salvage-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Pages of a table in the order of its rows. */
function pagesOf(file: string, table: string, type = "leaf"): number[] {
  using db = new DatabaseSync(file, { readOnly: true });
  const pages = db.prepare("SELECT pageno FROM dbstat WHERE name = ? AND pagetype = ? ORDER BY path").all(table, type);
  return pages.map(({ pageno }) => Number(pageno));
}

function overwrite(file: string, pages: readonly number[], bytes = Buffer.alloc(PAGE_BYTES, 0x77)): void {
  const fd = openSync(file, "r+");
  for (const page of pages) writeSync(fd, bytes, 0, PAGE_BYTES, (page - 1) * PAGE_BYTES);
  closeSync(fd);
}

/** A file with one day of samples, of three series; by default one every 50 seconds. */
function makeDay(file: string, samples = SAMPLES, every = EVERY): void {
  using db = openForWriting(file, SETTINGS);
  makeDayTable(db, TABLE);
  const series = db.prepare("INSERT INTO series (number, measurement, subject, field) VALUES (?, 'state', ?, 'state')");
  const insert = db.prepare(`INSERT INTO ${TABLE} VALUES (?, ?, ?)`);
  db.exec("BEGIN");
  for (const number of SERIES) {
    series.run(number, `u${number}`);
    for (let i = 0; i < samples; i++) insert.run(number, T0 + i * every, i % 9 === 0 ? `text ${i}` : i / 4);
  }
  db.exec("COMMIT");
}

function rowsOf(file: string): string[] {
  using db = new DatabaseSync(file, { readOnly: true });
  const rows = db.prepare(`SELECT series, ts, value FROM ${TABLE} ORDER BY series, ts`).all();
  return rows.map(({ series, ts, value }) => `${series} ${ts} ${value}`);
}

const DAMAGES: { name: string; pages: (leaves: number[], root: number) => number[]; least: number; most: number }[] = [
  { name: "one page", pages: (leaves) => [leaves[20]!], least: 1, most: 150 },
  { name: "the first page and the last", pages: (leaves) => [leaves[0]!, leaves.at(-1)!], least: 2, most: 300 },
  { name: "pages with one between them", pages: (leaves) => [leaves[5]!, leaves[7]!], least: 2, most: 300 },
  { name: "every other page", pages: (leaves) => leaves.filter((_, i) => i % 2 === 0), least: 2_000, most: 2_500 },
  { name: "all pages", pages: (leaves) => leaves, least: 4_500, most: 4_500 },
  { name: "its root", pages: (_, root) => [root], least: 4_500, most: 4_500 },
];
for (const { name, pages, least, most } of DAMAGES) {
  test(`salvage() loses what was in damaged pages and nothing else: ${name}`, (t) => {
    const file = join(temporary(t), "timeseries.db");
    makeDay(file);
    const before = rowsOf(file);
    overwrite(file, pages(pagesOf(file, TABLE), pagesOf(file, TABLE, "internal")[0]!));
    using db = openForWriting(file, SETTINGS);
    assert.equal(isSound(db, TABLE), false);
    const mended = salvageAll(db, file);
    const after = rowsOf(file);
    assert.deepEqual(mended, { day: DAY, saved: after.length, aside: "damaged_20261124", at: T0 });
    assert.deepEqual(readMendedDays(db), [mended]);
    assert.equal(isSound(db, TABLE), true);
    const lost = before.length - after.length;
    assert.ok(lost >= least && lost <= most, `${lost} are lost`);
    assert.deepEqual(
      after.filter((row) => !before.includes(row)),
      [],
    );
  });
}

test("salvage() takes samples of another day, on a page that was written to the wrong place, for damage", (t) => {
  const file = join(temporary(t), "timeseries.db");
  makeDay(file);
  const other = tableOfDay(DAY + 1);
  {
    using db = openForWriting(file, SETTINGS);
    makeDayTable(db, other);
    const insert = db.prepare(`INSERT INTO ${other} VALUES (2, ?, 'of another day')`);
    for (let i = 0; i < SAMPLES; i++) insert.run(T0 + DAY_MICROS + i);
  }
  const before = rowsOf(file);
  const from = (pagesOf(file, other)[3]! - 1) * PAGE_BYTES;
  const leaves = pagesOf(file, TABLE);
  overwrite(file, [leaves[Math.floor(leaves.length / 2)]!], readFileSync(file).subarray(from, from + PAGE_BYTES));
  using db = openForWriting(file, SETTINGS);
  salvageAll(db, file);
  const after = rowsOf(file);
  const strange = after.filter((row) => !before.includes(row));
  assert.deepEqual(strange, []);
  assert.ok(before.length - after.length <= 200, `${before.length - after.length} are lost`);
});

test("salvage() keeps every damaged table, and begins anew where it was broken off", (t) => {
  const file = join(temporary(t), "timeseries.db");
  makeDay(file);
  for (const aside of ["damaged_20261124", "damaged_20261124_2"]) {
    overwrite(file, [pagesOf(file, TABLE)[3]!]);
    using db = openForWriting(file, SETTINGS);
    using reading = openForReading(file, SETTINGS);
    const broken = salvage(db, reading, DAY, T0);
    for (let step = 0; step < 1; step++) transaction(db, () => broken.next());
    assert.equal(salvageAll(db, file).aside, aside);
    assert.equal(isSound(db, TABLE), true);
  }
});

test("mend() gives way to another program's lock, between its steps and before the rollups", async (t) => {
  const directory = temporary(t);
  const file = join(directory, "timeseries.db");
  makeDay(file, 8_000, 10_000_000);
  overwrite(file, [pagesOf(file, TABLE)[20]!, ...pagesOf(file, "rollup_day")]);
  const { configure, mend, close } = writerCommands;
  const settings = { ...SETTINGS, busyTimeoutSeconds: 3 };
  configure!({ directory, settings });
  t.after(() => close!(null));
  using other = new DatabaseSync(file);
  const isBegun = () =>
    other.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'rescued_20261124'").get() !== undefined;
  let isDone = false;
  /** SQLite would wait in this thread as well, and the lock would not go meanwhile. */
  const lockFor = async (milliseconds: number) => {
    other.exec("BEGIN IMMEDIATE");
    await sleep(milliseconds);
    assert.equal(isDone, false);
    other.exec("ROLLBACK");
  };

  const days = (mend!({ days: [DAY], at: T0 }) as Promise<MendAnswer>).finally(() => (isDone = true));
  while (!isBegun()) await immediate();
  await lockFor(50);
  const { mended, failed, brokenOff } = await days;
  assert.deepEqual([failed, brokenOff, mended.map(({ day }) => day)], [[], null, [DAY]]);

  using db = openForWriting(file, settings);
  db.exec(`DROP TABLE ${TABLE}`);
  isDone = false;
  const rollups = (mend!({ days: null, at: T0 }) as Promise<MendAnswer>).finally(() => (isDone = true));
  await lockFor(50);
  const { mended: tables, fault } = (await rollups).rollups!;
  assert.deepEqual([fault, tables.map(({ table }) => table)], [null, ["rollup_day"]]);
});

test("mend() tells of what it mended before another program's lock ended it", async (t) => {
  const directory = temporary(t);
  const file = join(directory, "timeseries.db");
  makeDay(file);
  const later = tableOfDay(DAY + 1);
  {
    using db = openForWriting(file, SETTINGS);
    makeDayTable(db, later);
  }
  overwrite(file, [pagesOf(file, TABLE)[3]!]);
  const { configure, mend, close } = writerCommands;
  configure!({ directory, settings: { ...SETTINGS, busyTimeoutSeconds: 0.2 } });
  t.after(() => close!(null));
  using other = new DatabaseSync(file);

  const answer = mend!({ days: null, at: T0 }) as Promise<MendAnswer>;
  while (readMendedDays(other).length === 0) await immediate();
  other.exec("BEGIN IMMEDIATE");
  const { mended, brokenOff } = await answer.finally(() => other.exec("ROLLBACK"));
  assert.deepEqual(
    mended.map(({ day }) => day),
    [DAY],
  );
  assert.match(String(brokenOff), /locked for longer than SQLITE_TIMEOUT/);
});

/** As the writer does: each step is a transaction. */
function salvageAll(db: DatabaseSync, file: string): MendedDay {
  using reading = openForReading(file, SETTINGS);
  const steps = salvage(db, reading, DAY, T0);
  for (;;) {
    const { done, value } = transaction(db, () => steps.next());
    if (done) return value;
  }
}

function open(directory: string, options: Partial<StoreOptions> = {}): Promise<Store> {
  return openStore({ directory, commitSeconds: 1000, settings: SETTINGS, log: silentLog(), ...options });
}

/** A store with a day in its table, closed again, and a page of that table overwritten; before that opened by `before`. */
async function damagedStore(directory: string, now: () => number, before?: WriterOptions): Promise<void> {
  const file = join(directory, "timeseries.db");
  {
    await using store = await open(directory, { now });
    for (const day of [0, 1]) {
      for (let i = 0; i < SAMPLES; i++) store.append(seriesOf(store), T0 + day * DAY_MICROS + i * EVERY, i);
    }
    await store.fold();
  }
  {
    // A file without free pages has no room to mend.
    using db = openForWriting(file, SETTINGS);
    db.exec("PRAGMA incremental_vacuum");
  }
  if (before) {
    await withWriter(before, async (writer) => {
      await writer.call("load", null);
      await fillAll(writer);
    });
  }
  const leaves = pagesOf(file, TABLE);
  overwrite(file, [leaves[Math.floor(leaves.length / 2)]!]);
}

function seriesOf(store: Store) {
  return store.series({ measurement: "state", subject: "a", field: "state" }, "sensor.a", T0);
}

async function ask(store: Store, request = {}) {
  const all = { series: seriesOf(store), start: T0, end: T0 + 9 * DAY_MICROS, limit: 10_000, ...request };
  const { ts, values, warnings = [] } = (await store.read([all]))[0]!;
  return { samples: ts.map((time, i): [number, Value] => [time, values[i]!]), warnings };
}

/** A log that remembers what was told as an error. */
function listening() {
  const told: string[] = [];
  const log = Object.assign(silentLog(), { error: (...words: unknown[]) => void told.push(String(words.at(-1))) });
  return { log, told };
}

const NOW = T0 + 2 * DAY_MICROS + 1;
const now = () => NOW;
const COUNTS = { series: [1], borders: [T0, T0 + DAY_MICROS, T0 + 2 * DAY_MICROS], until: NOW, group: false };

test("a question that meets damage is answered with what was saved, and the loss is told for 30 days", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  const { log, told } = listening();
  {
    await using store = await open(directory, { log, now, archive: { hotDays: 9, firstMs: 1e9 } });
    const { samples, warnings } = await ask(store);
    assert.deepEqual(warnings, []);
    const saved = samples.length - SAMPLES;
    assert.ok(saved >= SAMPLES - 150 && saved < SAMPLES, `${saved} were saved`);
    assert.deepEqual([...(await store.figure(COUNTS, "count")).series[0]!], [saved, SAMPLES]);
    assert.equal(told.length, 1);
    assert.match(told[0]!, /2026-11-24 \(UTC\) is damaged: 1\d+ samples were saved.* as "damaged_20261124"/);
    assert.match(store.status().loss!, /2026-11-24 \(UTC\) was damaged: 1\d+ of them were saved.* ends 2026-12-26$/);
  }
  assert.deepEqual(
    readdirSync(directory).filter((name) => name.includes("corrupt")),
    [],
  );
  {
    await using store = await open(directory, { now: () => NOW + 29 * DAY_MICROS });
    assert.match(store.status().loss!, /was damaged/);
  }
  await using store = await open(directory, { now: () => NOW + 30 * DAY_MICROS });
  assert.equal(store.status().loss, null);
});

test("a fold that meets damage mends it and goes on", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  const { log, told } = listening();
  await using store = await open(directory, { log, now });
  // Into the damaged page, among others.
  for (let i = 0; i < SAMPLES; i++) store.append(seriesOf(store), T0 + i * EVERY + 1, -i);
  await store.fold();
  assert.equal(store.status().inMemory, 0);
  assert.equal(store.status().reason, null);
  const { samples } = await ask(store);
  assert.equal(samples.filter(([ts]) => ts % 1_000 === 1).length, SAMPLES);
  assert.ok(samples.length >= 3 * SAMPLES - 150, `${samples.length} samples`);
  assert.equal(told.length, 1);
});

test("what is committed while a fold meets damage and mends it is there after a restart", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  const meanwhile = T0 + 2 * DAY_MICROS;
  let count = 0;
  {
    await using store = await open(directory, { now });
    for (let i = 0; i < SAMPLES; i++) store.append(seriesOf(store), T0 + i * EVERY + 1, -i);
    let isFolded = false;
    const folded = store.fold().then(() => {
      isFolded = true;
    });
    for (; !isFolded; count++) {
      store.append(seriesOf(store), meanwhile + count, count);
      await store.flush();
    }
    await folded;
    assert.ok(count > 3, `only ${count} commits`);
  }
  await using store = await open(directory, { now });
  assert.equal((await ask(store, { start: meanwhile })).samples.length, count);
});

test("a damaged day is mended before it goes to the archive", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  await using store = await open(directory, { now, archive: { hotDays: 1, firstMs: 1e9 } });
  const sealed = await store.seal();
  assert.ok(sealed >= SAMPLES - 150 && sealed < SAMPLES, `${sealed} samples`);
  const { samples, warnings } = await ask(store);
  assert.deepEqual([samples.length, warnings], [sealed + SAMPLES, []]);
});

test("days go to the archive although a damaged page stands where SQLite wants to move it", async (t) => {
  const directory = temporary(t);
  const file = join(directory, "timeseries.db");
  const days = 6;
  {
    await using store = await open(directory, { now });
    for (let day = 0; day < days; day++) store.append(seriesOf(store), T0 + day * DAY_MICROS, day);
    await store.fold();
  }
  // Each table is one page, and the last of them is the last in the order in which SQLite keeps them together.
  overwrite(file, pagesOf(file, tableOfDay(DAY + days - 1)));
  const later = () => T0 + 9 * DAY_MICROS;
  {
    await using store = await open(directory, { now: later, archive: { hotDays: 0, firstMs: 1e9 } });
    assert.equal(await store.seal(), days - 1);
    assert.equal(await store.seal(), 0);
    store.append(seriesOf(store), T0 + 1, 9);
    assert.equal(await store.seal(), 1);
  }
  await using store = await open(directory, { now: later, archive: { hotDays: 0, firstMs: 1e9 } });
  const { samples, warnings } = await ask(store);
  assert.deepEqual(
    samples.map(([, value]) => value),
    [0, 9, 1, 2, 3, 4],
  );
  assert.deepEqual(warnings, []);
});

test("where there is no room to mend, answers are what can be read, with a warning, until there is", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  const { log, told } = listening();
  let maxPages = 1;
  await using store = await open(directory, { log, now, maxPages: () => maxPages });
  const { samples, warnings } = await ask(store);
  assert.deepEqual(warnings, ["Samples of 2026-11-24 (UTC) are missing: a part of timeseries.db is damaged"]);
  assert.ok(samples.length > SAMPLES + 500 && samples.length < 2 * SAMPLES, `${samples.length} samples`);
  // Of times before the damaged day nothing is missing.
  assert.deepEqual((await ask(store, { start: T0 - DAY_MICROS, end: T0 })).warnings, []);
  const figures = await store.figure(COUNTS, "count");
  assert.deepEqual(figures.warnings, warnings);
  assert.deepEqual([...figures.series[0]!], [samples.length - SAMPLES, SAMPLES]);
  assert.deepEqual((await store.statistics(COUNTS)).warnings, warnings);
  assert.match(store.status().loss!, /2026-11-24 \(UTC\) is damaged and could not be mended yet \(the disk is full\)/);
  assert.equal(told.length, 1);
  maxPages = 1_000_000;
  // Some time later.
  t.mock.method(performance, "now", () => Number.MAX_SAFE_INTEGER);
  assert.deepEqual((await ask(store)).warnings, []);
  assert.match(store.status().loss!, /was damaged: 1\d+ of them were saved/);
});

async function withWriter(options: WriterOptions, work: (writer: Remote<WriterCommands>) => Promise<void>) {
  const writer = startWorker<WriterCommands>(new URL("./writer.worker.ts", import.meta.url), {}, assert.ifError);
  try {
    await writer.call("configure", options);
    await work(writer);
    await writer.call("close", null);
  } finally {
    await writer.terminate();
  }
}

/** Answers how the queue ends then. */
async function fillAll(writer: Remote<WriterCommands>): Promise<number> {
  for (;;) {
    const { end, filling } = await writer.call("fill", {});
    if (filling.length === 0) return end;
  }
}

test("a damaged day that is to be queued for a target that is new is mended, and no file is moved", async (t) => {
  const directory = temporary(t);
  await damagedStore(directory, now);
  const targets = [{ name: "mirror", waitingMax: 1_000_000 }];
  await withWriter({ directory, settings: SETTINGS, targets }, async (writer) => {
    const { movedTo, outgoing } = await writer.call("load", null);
    assert.deepEqual([movedTo, outgoing.end, outgoing.filling], [null, 0, ["mirror"]]);
    await assert.rejects(fillAll(writer), isCorruption);
    const { mended } = await writer.call("mend", { days: null, at: T0 });
    assert.deepEqual(
      mended.map(({ day }) => day),
      [DAY],
    );
    assert.equal(await fillAll(writer), mended[0]!.saved + SAMPLES);
  });
});

test("a sample that is looked up in a damaged day can be committed once it is mended", async (t) => {
  const directory = temporary(t);
  const targets = [{ name: "mirror", waitingMax: 1_000_000 }];
  const options = { directory, settings: SETTINGS, targets };
  const chunk = new Chunk(1);
  await damagedStore(directory, now, options);
  await withWriter(options, async (writer) => {
    await writer.call("load", null);
    chunk.push(1, T0 + (SAMPLES / 2) * EVERY + 1, 1);
    await assert.rejects(writer.call("commit", { chunk: chunk.packed() }), isCorruption);
    const { mended, failed } = await writer.call("mend", { days: null, at: T0 });
    assert.deepEqual([mended.length, failed], [1, []]);
    const { queued } = await writer.call("commit", { chunk: chunk.packed() });
    assert.equal(queued, 2 * SAMPLES + 1);
  });
});
