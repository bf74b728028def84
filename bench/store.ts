import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Value } from "../src/domain/sample.ts";
import type { SeriesNumber } from "../src/domain/series.ts";
import { silentLog } from "../src/lib/log.ts";
import { openStore, type Store } from "../src/timeseries/store.ts";
import { bytesPerHotSample } from "./disk.ts";
import type { Figure } from "./figure.ts";

const SETTINGS = { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" } as const;
const SERIES = 500;
const DAYS = 30;
const SAMPLES = 5_000_000;
const HOUR = 3_600_000_000;
const DAY = 86_400_000_000;
const FIRST_DAY = Date.UTC(2026, 9, 25) * 1000;
/** What one turn of the event loop appends, as if it had just come from a socket. */
const TURN = 2_000;

/** A small generator, so that every run has the same data. */
function createRandom(seed = 1): () => number {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
}

/** Nine of ten series are sensors with one decimal, the tenth is a switch. */
function nextValue(series: number, previous: number, random: () => number): { value: Value; number: number } {
  if (series % 10 === 0) return { value: random() < 0.5 ? "on" : "off", number: 0 };
  const number = Math.round((previous + (random() - 0.5) * 4) * 10) / 10;
  return { value: number, number };
}

function makeSeries(store: Store): SeriesNumber[] {
  return Array.from({ length: SERIES }, (_, i) =>
    store.series({ measurement: "state", subject: `subject-${i}`, field: "state" }, `sensor.s${i}`, FIRST_DAY),
  );
}

function bytesWritten(): number {
  const match = /^write_bytes: (\d+)/m.exec(readFileSync("/proc/self/io", "utf8"));
  return Number(match?.[1] ?? Number.NaN);
}

function median(times: number[]): number {
  return times.sort((a, b) => a - b)[Math.floor(times.length / 2)]!;
}

async function timed(runs: number, work: (run: number) => Promise<unknown>): Promise<number> {
  const times: number[] = [];
  for (let run = 0; run < runs; run++) {
    const start = performance.now();
    await work(run);
    times.push(performance.now() - start);
  }
  return median(times);
}

/** 5 M samples of 500 series over 30 days, in the order of time, through `append` to the disk, then questions. */
async function loadAndRead(directory: string): Promise<Figure[]> {
  const random = createRandom();
  await using store = await openStore({ directory, commitSeconds: 5, settings: SETTINGS, log: silentLog() });
  const numbers = makeSeries(store);
  const last = numbers.map(() => 20);
  const step = (DAYS * DAY) / SAMPLES;
  const started = performance.now();
  let lag = 0;
  for (let from = 0; from < SAMPLES; from += TURN) {
    const turnStarted = performance.now();
    for (let i = from; i < from + TURN; i++) {
      const series = i % SERIES;
      const next = nextValue(series, last[series]!, random);
      last[series] = next.number;
      store.append(numbers[series]!, FIRST_DAY + Math.floor(i * step), next.value);
    }
    lag = Math.max(lag, performance.now() - turnStarted);
    await new Promise(setImmediate);
    // A sender that is faster than the disk would fill the memory level; a socket would be read more slowly.
    while (store.status().waiting > 200_000) await new Promise(setImmediate);
  }
  await store.flush();
  const seconds = (performance.now() - started) / 1000;
  const foldable = store.status().inMemory;
  const foldStarted = performance.now();
  await store.fold();
  const foldSeconds = (performance.now() - foldStarted) / 1000;

  const pick = (run: number): SeriesNumber => numbers[(run * 37) % SERIES]!;
  const day = (run: number): number => FIRST_DAY + (run % DAYS) * DAY;
  const end = FIRST_DAY + DAYS * DAY;
  const oneDay = (run: number) =>
    store.read([{ series: pick(run), start: day(run), end: day(run) + DAY, limit: 10_000, includeStart: true }]);
  const page = () => store.read([{ series: numbers[1]!, start: FIRST_DAY, end, limit: 10_000 }]);
  const recent = (run: number) => store.read([{ series: pick(run), start: end - (100 / 333) * DAY, end, limit: 100 }]);
  const borders = (period: number): number[] =>
    Array.from({ length: (DAYS * DAY) / period + 1 }, (_, i) => FIRST_DAY + i * period);
  const of = (series: readonly SeriesNumber[], period: number, group: boolean) => ({
    ...{ series, borders: borders(period), until: end, group },
  });
  const means = (run: number) => store.figure(of([pick(run)], HOUR, false), "mean");
  const counts = () => store.figure(of(numbers, DAY, true), "count");
  const allFigures = (run: number) => store.statistics(of([pick(run)], HOUR, false));
  await store.rollUp();
  await timed(200, oneDay);
  await timed(200, means);
  await timed(10, counts);
  const rows = [
    { what: "append and commit, folds included", value: SAMPLES / seconds, unit: "samples/s" },
    { what: "longest turn of 2,000 appends", value: lag, unit: "ms" },
    { what: "fold", value: foldable / foldSeconds, unit: "samples/s" },
    { what: "A: one entity, 24 h raw, p50", value: await timed(500, oneDay), unit: "ms" },
    { what: "B: one entity, 30 days, hourly mean, p50", value: await timed(300, means), unit: "ms" },
    { what: "the same, all figures, p50", value: await timed(100, allFigures), unit: "ms" },
    { what: "C: samples of all by day, 30 days, p50", value: await timed(30, counts), unit: "ms" },
    { what: "the last 100 of one entity, p50", value: await timed(500, recent), unit: "ms" },
    { what: "a page of 10,000 over 30 days, p50", value: await timed(30, page), unit: "ms" },
    { what: "RSS after the load", value: process.memoryUsage.rss() / 1e6, unit: "MB" },
  ];
  return rows;
}

/** A day of 10 events/s with the default commits, in compressed time: the clock is passed in. */
async function writeQuietDay(directory: string): Promise<Figure[]> {
  const random = createRandom(7);
  let time = FIRST_DAY;
  const hours = 24;
  const store = await openStore({
    directory,
    commitSeconds: 5,
    settings: SETTINGS,
    log: silentLog(),
    now: () => time,
  });
  const numbers = makeSeries(store);
  const last = numbers.map(() => 20);
  await store.flush();
  const before = bytesWritten();
  for (let second = 0; second < hours * 3600; second += 5) {
    for (let i = 0; i < 50; i++) {
      const series = Math.floor(random() * SERIES);
      const next = nextValue(series, last[series]!, random);
      last[series] = next.number;
      store.append(numbers[series]!, time + i * 100_000, next.value);
    }
    time += 5_000_000;
    await store.flush();
  }
  const events = hours * 3600 * 10;
  const written = bytesWritten() - before;
  await store.fold();
  await store.close();
  return [
    { what: "bytes written per event at 10/s, commits every 5 s", value: written / events, unit: "bytes" },
    { what: "hot bytes per sample after a day of such folds", value: bytesPerHotSample(directory), unit: "bytes" },
  ];
}

/** The figures of the store by itself, in process. Needs about 300 MB below the temporary folder and a minute. */
export async function benchStore(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-store-"));
  try {
    const load = join(directory, "load");
    const rows = await loadAndRead(load);
    rows.push({ what: "hot bytes per sample after the load", value: bytesPerHotSample(load), unit: "bytes" });
    return [...rows, ...(await writeQuietDay(join(directory, "quiet")))];
  } finally {
    rmSync(directory, { recursive: true });
  }
}
