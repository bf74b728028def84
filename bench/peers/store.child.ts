import { createInterface } from "node:readline";
import { setImmediate as nextTurn, setTimeout as sleep } from "node:timers/promises";
import { destination, pino } from "pino";
import type { SeriesNumber } from "../../src/domain/series.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../../src/domain/series.ts";
import type { LoneAnswer, LoneFigure } from "../../src/domain/statistics.ts";
import { openStore, type Store } from "../../src/timeseries/store.ts";
import { createSampleReader, DAY_MICROS, type Dataset, ENTITIES, entityId } from "./dataset.ts";
import { memoryOf } from "./measure.ts";
import { type Case, LAST_100_MICROS, type Question } from "./question.ts";

/**
 * Our store in a process of its own, so that its memory is its own: does the one job of its command line (JSON) and
 * prints what came of it, as JSON.
 */

export interface StoreJob {
  readonly directory: string;
  readonly dataset: Dataset;
  /** Days that stay in SQLite. */
  readonly hotDays: number;
  /** To be asked: it says that it is ready and answers the questions on its standard input, until that ends. */
  readonly do: "append" | "load" | "rollUp" | "seal" | "ask";
}

export interface StoreQuestion {
  readonly question: Question;
  readonly about: Case;
}

export interface StoreResult {
  readonly memory: { readonly peak: number; readonly after: number };
  readonly appendedPerSecond?: number;
  /** Of a load: until all samples are on the disk; then until the last of them are in their tables. */
  readonly seconds?: number;
  readonly foldSeconds?: number;
  readonly rollUpSeconds?: number;
  readonly sealSeconds?: number;
  /** Of the archive, after a seal. */
  readonly archivedBytesPerSample?: number;
}

const SETTINGS = { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" } as const;
/** A sender that is faster than the disk waits, as a socket would. */
const WAITING_MAX = 200_000;
const PAUSE_MS = 2;
/** Below what the memory level takes. */
const UNFOLDED_SAMPLES = 1_500_000;
const LIMIT = 10_000;
const HOUR_MICROS = 3_600_000_000;
const NEVER_MS = 2_000_000_000;

function seriesOf(store: Store, { start }: Dataset): SeriesNumber[] {
  return Array.from({ length: ENTITIES }, (_, entity) => {
    const name = entityId(entity);
    return store.series({ measurement: STATE_MEASUREMENT, subject: name, field: STATE_FIELD }, name, start);
  });
}

const secondsSince = (start: number): number => (performance.now() - start) / 1000;

/** Until all samples, or the first `samplesMax`, are on the disk. Answers how many there were. */
async function write(store: Store, dataset: Dataset, samplesMax = Number.POSITIVE_INFINITY): Promise<number> {
  const series = seriesOf(store, dataset);
  using reader = createSampleReader(dataset, (entity, ts, value) => store.append(series[entity]!, ts, value));
  while (store.status().appended < samplesMax && reader.next()) {
    await nextTurn();
    while (store.status().waiting > WAITING_MAX) await sleep(PAUSE_MS);
  }
  await store.flush();
  const { appended, dropped } = store.status();
  if (dropped > 0) throw new Error(`${dropped} samples were turned away`);
  return appended;
}

/** The log by itself: as fast as samples are taken while nothing is folded. */
async function append(store: Store, dataset: Dataset): Promise<Partial<StoreResult>> {
  const began = performance.now();
  const samples = await write(store, dataset, UNFOLDED_SAMPLES);
  return { appendedPerSecond: samples / secondsSince(began) };
}

async function load(store: Store, dataset: Dataset): Promise<Partial<StoreResult>> {
  const began = performance.now();
  await write(store, dataset);
  const seconds = secondsSince(began);
  const foldBegan = performance.now();
  await store.fold();
  return { seconds, foldSeconds: secondsSince(foldBegan) };
}

async function rollUp(store: Store, dataset: Dataset): Promise<Partial<StoreResult>> {
  const began = performance.now();
  const days = await store.rollUp();
  if (days !== dataset.days) throw new Error(`Of ${dataset.days} days ${days} have rollups`);
  return { rollUpSeconds: secondsSince(began) };
}

async function seal(store: Store): Promise<Partial<StoreResult>> {
  const began = performance.now();
  await store.seal();
  const { bytes, samples } = store.archive!.health();
  return { sealSeconds: secondsSince(began), archivedBytesPerSample: bytes / samples };
}

async function ask(store: Store, dataset: Dataset): Promise<Partial<StoreResult>> {
  const series = seriesOf(store, dataset);
  const read = async (entity: number, { start, end }: Case["day"]): Promise<number> => {
    const [columns] = await store.read([{ series: series[entity]!, start, end, limit: LIMIT }]);
    return columns!.ts.length;
  };
  const figure = (
    asked: readonly SeriesNumber[],
    { start, end }: Case["month"],
    period: number,
    figure: LoneFigure,
    group = false,
  ): Promise<LoneAnswer> => {
    const borders = Array.from({ length: (end - start) / period + 1 }, (_, i) => start + i * period);
    return store.figure({ series: asked, borders, until: end, group }, figure);
  };
  const answer = async (question: Question, { entity, day, month, end }: Case): Promise<number> => {
    switch (question) {
      case "a":
        return read(entity, day);
      case "b":
        return meansIn(await figure([series[entity]!], month, HOUR_MICROS, "mean"));
      case "c":
        return countOf(await figure(series, month, DAY_MICROS, "count", true));
      case "cEntity":
        return countOf(await figure(series, month, DAY_MICROS, "count"));
      case "last100":
        return read(entity, { start: end - LAST_100_MICROS, end });
    }
  };
  console.log(JSON.stringify({ ready: true }));
  for await (const line of createInterface({ input: process.stdin })) {
    const { question, about } = JSON.parse(line) as StoreQuestion;
    const start = performance.now();
    const count = await answer(question, about);
    console.log(JSON.stringify({ ms: performance.now() - start, count }));
  }
  return {};
}

function meansIn({ series }: LoneAnswer): number {
  return series[0]!.filter((mean) => !Number.isNaN(mean)).length;
}

function countOf({ series }: LoneAnswer): number {
  let count = 0;
  for (const counts of series) for (const one of counts) count += one;
  return count;
}

const job = JSON.parse(process.argv[2] ?? "{}") as StoreJob;
const isWriting = job.do === "append" || job.do === "load";
let result: Partial<StoreResult>;
{
  await using store = await openStore({
    directory: job.directory,
    commitSeconds: 5,
    settings: SETTINGS,
    // Standard output is the answer's.
    log: pino({ level: "warn", base: null }, destination(process.stderr.fd)),
    archive: { hotDays: job.hotDays, firstMs: NEVER_MS },
    // Samples come as they do from a home: of a day that is not over, and so has no rollups yet.
    ...(isWriting ? { now: () => job.dataset.start } : {}),
    ...(job.do === "append" ? { foldSamples: Number.POSITIVE_INFINITY } : {}),
  });
  const work = { append, load, rollUp, seal, ask }[job.do];
  result = { ...(await work(store, job.dataset)), memory: memoryOf(process.pid) };
}
console.log(JSON.stringify(result));
