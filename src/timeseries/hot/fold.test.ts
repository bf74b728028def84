import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { startWorker } from "../../lib/worker-rpc.ts";
import { allAtOnce } from "../../testing/all-at-once.ts";
import { Chunk } from "./chunk.ts";
import { openForReading, openForWriting } from "./database.ts";
import { DAY_MICROS, dayOf, tableOfDay } from "./day.ts";
import { Fold, type FoldedPart, isFoldUnfinished } from "./fold.ts";
import { Log, readLog } from "./log.ts";
import { Generation } from "./memory.ts";
import { writerCommands } from "./writer.ts";
import type { WriterCommands, WriterOptions } from "./writer-commands.ts";

const T0 = Date.UTC(2026, 10, 24) * 1000;
const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;
/** So many on each of four days, of three series in turn; every tenth is a text, every seventh comes twice. */
const SAMPLES_A_DAY = 350;
const SAMPLES = 4 * SAMPLES_A_DAY;
const STEP = 200;

const sampleAt = (i: number) =>
  [1 + (i % 3), T0 + (i % 4) * DAY_MICROS + i * 1000, i % 10 === 0 ? `t${i}` : i / 2] as const;

function folder(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "fold-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function makeLog(directory: string): void {
  using db = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  const log = new Log(db);
  for (let from = 0; from < SAMPLES; from += 100) {
    const chunk = new Chunk(128);
    for (let i = from; i < from + 100; i++) {
      const [series, ts, value] = sampleAt(i);
      chunk.push(series, ts, value);
      if (i % 7 === 0) chunk.push(series, ts, "a later one");
    }
    log.append(chunk.packed());
  }
}

/** What the main thread has of that log in memory. */
function partOf(from: number, to: number): FoldedPart {
  const generation = new Generation();
  for (let i = from; i < to; i++) {
    generation.insert(...sampleAt(i));
    const [series, ts] = sampleAt(i);
    if (i % 7 === 0) generation.insert(series, ts, "a later one");
  }
  return allAtOnce(generation.packed());
}

/** As after a fold that failed, which leaves its part to the next one. */
const PARTS = [partOf(0, SAMPLES / 2), partOf(SAMPLES / 2, SAMPLES)];

function beginFold(db: DatabaseSync): Fold {
  const log = new Log(db);
  return new Fold(db, log, PARTS, log.seal());
}

function allRows(db: DatabaseSync): unknown[] {
  const days = [0, 1, 2, 3].map((day) => tableOfDay(dayOf(T0) + day));
  return days.flatMap((table) =>
    db
      .prepare(`SELECT series, ts, value FROM ${table} ORDER BY series, ts`)
      .all()
      .map(({ series, ts, value }) => [series, ts, value]),
  );
}

const EXPECTED = Array.from({ length: SAMPLES }, (_, i) => sampleAt(i)).sort(
  ([a, at], [b, bt]) => dayOf(at) - dayOf(bt) || a - b || at - bt,
);

/** Folds as the writer does and kills itself, with no warning, after so many steps, or after the log was emptied. */
const CHILD = `
  const [fold, log, database, memory, lib, file, steps] = process.argv.slice(1);
  const { Fold } = await import(fold);
  const { Log, readLog, valueAt } = await import(log);
  const { openForWriting } = await import(database);
  const { Generation } = await import(memory);
  const { allAtOnce } = await import(lib);
  const db = openForWriting(file, ${JSON.stringify(SETTINGS)});
  const content = readLog(db);
  const generation = new Generation();
  content.series.forEach((series, place) => generation.insert(series, content.ts[place], valueAt(content, place)));
  const kept = new Log(db);
  const run = new Fold(db, kept, [allAtOnce(generation.packed())], kept.seal());
  const transaction = (work) => { db.exec("BEGIN IMMEDIATE"); work(); db.exec("COMMIT"); };
  for (let step = 0; ; step++) {
    if (step === Number(steps)) process.kill(process.pid, "SIGKILL");
    if (run.left > 0) transaction(() => run.step(${STEP}));
    else transaction(() => run.finish());
  }
`;

test("a kill after any step of a fold, or at its end, loses nothing and doubles nothing", (t) => {
  const modules = ["./fold.ts", "./log.ts", "./database.ts", "./memory.ts", "../../testing/all-at-once.ts"].map(
    (file) => import.meta.resolve(file),
  );
  const steps = Math.ceil(SAMPLES / STEP);
  for (const kill of [0, 1, 2, steps - 1, steps, steps + 1]) {
    const directory = folder(t);
    makeLog(directory);
    const file = join(directory, "timeseries.db");
    const args = ["--input-type=module", "--eval", CHILD, ...modules, file, String(kill)];
    const { signal } = spawnSync(process.execPath, args, { stdio: ["ignore", "inherit", "inherit"] });
    assert.equal(signal, "SIGKILL");

    using db = openForWriting(file, SETTINGS);
    const isFolded = kill > steps;
    assert.equal(readLog(db).series.length, isFolded ? 0 : SAMPLES + SAMPLES / 7, `log after ${kill} steps`);
    assert.equal(isFoldUnfinished(db), kill > 0 && !isFolded, `unfinished after ${kill} steps`);
    const fold = beginFold(db);
    while (fold.left > 0) fold.step(STEP);
    fold.finish();
    assert.deepEqual(allRows(db), EXPECTED, `tables after ${kill} steps`);
    assert.equal(readLog(db).series.length, 0);
    assert.equal(isFoldUnfinished(db), false);
  }
});

test("a fold leaves in the log what came after it began", (t) => {
  const directory = folder(t);
  makeLog(directory);
  using db = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  const fold = beginFold(db);
  fold.step(STEP);
  const chunk = new Chunk(1);
  chunk.push(9, T0, 9);
  new Log(db).append(chunk.packed());
  while (fold.left > 0) fold.step(STEP);
  fold.finish();
  assert.deepEqual([...readLog(db).series], [9]);
  assert.deepEqual(allRows(db), EXPECTED);
});

test("a step gives way when it is asked to, and the next one goes on there", (t) => {
  const directory = folder(t);
  makeLog(directory);
  using db = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  const fold = beginFold(db);
  let steps = 0;
  for (; fold.left > 0; steps++) fold.step(SAMPLES, () => true);
  assert.ok(steps >= SAMPLES / 100, `only ${steps} steps`);
  fold.finish();
  assert.deepEqual(allRows(db), EXPECTED);
});

test("whole numbers of up to 47 bits become SQLite's integers, all others stay as they are", (t) => {
  using db = openForWriting(join(folder(t), "timeseries.db"), SETTINGS);
  const values = [0, -5, 2 ** 47 - 1, 2 ** 47, -(2 ** 53), 0.5, Number.POSITIVE_INFINITY, "5", null];
  const generation = new Generation();
  for (const [i, value] of values.entries()) generation.insert(1, T0 + i, value);
  const fold = new Fold(db, new Log(db), [allAtOnce(generation.packed())], 0);
  fold.step(values.length);
  fold.finish();
  const found = db.prepare(`SELECT value, typeof(value) AS type FROM ${tableOfDay(dayOf(T0))} ORDER BY ts`).all();
  assert.deepEqual(
    found.map(({ value }) => value),
    values,
  );
  assert.deepEqual(
    found.map(({ type }) => type),
    ["integer", "integer", "integer", "real", "real", "real", "real", "text", "null"],
  );
});

/** The samples of `longChunk`. */
function longPart(from: number, count: number): FoldedPart {
  const generation = new Generation();
  for (let i = from; i < from + count; i++) generation.insert(1, T0 + i, i);
  return allAtOnce(generation.packed());
}

/** Numbers the samples of a long log; more than the writer folds in one step. */
function longChunk(from: number, count: number) {
  const chunk = new Chunk(count);
  for (let i = from; i < from + count; i++) chunk.push(1, T0 + i, i);
  return chunk.packed();
}

test("the writer commits, and seals no day that is being folded, while a fold is under way", async (t) => {
  const directory = folder(t);
  // In this thread: the fold goes on in its turns alone, however slow they are.
  const { configure, load, commit, sealLog, fold, watch, archive, close } = writerCommands;
  configure!({ directory, settings: SETTINGS });
  t.after(() => close!(null));
  load!(null);
  commit!({ chunk: longChunk(0, 60_000) });
  const day = dayOf(T0);
  const order: string[] = [];
  const argument = { parts: [longPart(0, 60_000)], lastBatch: sealLog!(null) };
  const folded = (fold!(argument) as ReturnType<WriterCommands["fold"]>).finally(() => order.push("fold"));
  const meanwhile = openForReading(join(directory, "timeseries.db"), SETTINGS);
  let end = 60_000;
  // Not before the fold's first step, the day is like any other.
  for (; end === 60_000 || !isFoldUnfinished(meanwhile); end += 10) {
    commit!({ chunk: longChunk(end, 10) });
    await immediate();
  }
  meanwhile.close();
  order.push("commit");
  const seal = () => {
    watch!(day);
    return archive!({ change: { day, file: null, obsolete: [] } }) as Awaited<ReturnType<WriterCommands["archive"]>>;
  };
  assert.equal(seal().sealed, false);
  order.push("archive");
  assert.deepEqual((await folded).days, [day]);
  assert.deepEqual(order, ["commit", "archive", "fold"]);

  assert.equal(seal().sealed, true);
  close!(null);
  using db = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  assert.equal(readLog(db).series.length, end - 60_000);
});

test("a flood does not outrun a fold, however long the log is", async (t) => {
  const options: WriterOptions = { directory: folder(t), settings: SETTINGS };
  const writer = startWorker<WriterCommands>(new URL("./writer.worker.ts", import.meta.url), {}, assert.ifError);
  try {
    await writer.call("configure", options);
    await writer.call("load", null);
    const long = 1_000_000;
    await writer.call("commit", { chunk: longChunk(0, long) });
    let isFolded = false;
    const lastBatch = await writer.call("sealLog", null);
    const folded = writer.call("fold", { parts: [longPart(0, long)], lastBatch }).then(() => {
      isFolded = true;
    });
    const count = 16_000;
    let commits = 0;
    while (!isFolded && commits < 60) {
      await writer.call("commit", { chunk: longChunk(long + commits * count, count) });
      commits++;
    }
    await folded;
    // 400,000 and what comes in the same turn; without a bound it is as much as the log has.
    assert.ok(commits * count <= 560_000, `${commits * count} samples came meanwhile`);
  } finally {
    await writer.terminate();
  }
});
