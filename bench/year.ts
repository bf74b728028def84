/**
 * A year of a home, compressed in time: every day is recorded, folded, rolled up, sealed and retained as on its own
 * evening. At the end the rows, the rollups and the size of the data directory are compared with what was made up.
 *
 *   node bench/year.ts [--scale 0.02] [--days 365] [--raw-days 365] [--seed 1] [--keep]
 *
 * At scale 1 it is 500 entities and 10 events a second: 315 M samples, half an hour on two cores and 2 GB of disk. A
 * smaller scale has fewer entities with as many samples each, so that sizes grow in proportion.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import type { SeriesNumber } from "../src/domain/series.ts";
import { silentLog } from "../src/lib/log.ts";
import { usedBytes } from "../src/timeseries/retention/used-bytes.ts";
import { openStore } from "../src/timeseries/store.ts";

const ENTITIES = 500;
const EVENTS_A_SECOND = 10;
const DAY = 86_400_000_000;
const EVENING = 7_200_000_000;
const START = Date.UTC(2026, 0, 1) * 1000;
/** Between flushes, so that the memory level stays small. */
const FLUSH_SAMPLES = 50_000;
/** Of series, for the comparison with brute force. */
const COMPARED = 5;
const BAR_BYTES = 2.2e9;

const { values } = parseArgs({
  options: {
    scale: { type: "string", default: "0.02" },
    days: { type: "string", default: "365" },
    "raw-days": { type: "string", default: "365" },
    seed: { type: "string", default: "1" },
    keep: { type: "boolean", default: false },
  },
});
const scale = Number(values.scale);
const days = Number(values.days);
const rawDays = Number(values["raw-days"]);
const entities = Math.max(1, Math.round(ENTITIES * scale));
const samplesADay = Math.round((EVENTS_A_SECOND * 86_400) / ENTITIES);

/** The figures of one series on one day, added up sample by sample. */
interface BruteDay {
  count: number;
  held: number;
  integral: number;
  min: number;
  max: number;
}

interface Entity {
  readonly series: SeriesNumber;
  value: number;
  lastTs: number | undefined;
  readonly brute: BruteDay[] | null;
}

/** Mulberry32: the same year for the same seed. */
function randomOf(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

const directory = mkdtempSync(join(tmpdir(), "year-"));
const random = randomOf(Number(values.seed));
let now = START;
const began = performance.now();
const store = await openStore({
  directory,
  commitSeconds: 5,
  settings: { busyTimeoutSeconds: 30, cacheSize: -8000, synchronous: "FULL" },
  log: silentLog(),
  now: () => now,
  archive: { hotDays: 3, firstMs: 2 ** 31 - 1 },
  retention: {
    policy: { limits: () => ({ rawDays, rollupDays: 0 }), blocked: () => null, budgetBytes: 0 },
    firstMs: 2 ** 31 - 1,
  },
});
const home = Array.from({ length: entities }, (_, i): Entity => {
  const key = { measurement: "state", subject: `entity-${i}`, field: "state" };
  const series = store.series(key, `sensor.entity_${i}`, START);
  return { series, value: 20, lastTs: undefined, brute: i < COMPARED ? [] : null };
});

let made = 0;
let dropped = 0;
for (let day = 0; day < days; day++) {
  const midnight = START + day * DAY;
  for (const entity of home) {
    for (let i = 0; i < samplesADay; i++) {
      const ts = midnight + Math.floor(((i + random()) * DAY) / samplesADay);
      const value = Math.round((entity.value + (random() - 0.5) * 0.6) * 10) / 10;
      if (entity.brute) hold(entity, ts);
      entity.value = value;
      entity.lastTs = ts;
      if (entity.brute) note(entity.brute, day, value);
      store.append(entity.series, ts, value);
      if (++made % FLUSH_SAMPLES === 0) await store.flush();
    }
  }
  now = midnight + DAY + EVENING;
  await store.fold();
  await store.rollUp();
  await store.seal();
  dropped += (await store.retain({ dryRun: false })).rows;
  if ((day + 1) % 30 === 0) {
    const seconds = Math.round((performance.now() - began) / 1000);
    console.error(
      `day ${day + 1}: ${made} samples, ${seconds} s, ${Math.round((await usedBytes(directory)) / 1e6)} MB`,
    );
  }
}

/** What is in force until `ts` counts for each day that it was so in. */
function hold({ brute, value, lastTs }: Entity, ts: number): void {
  for (let from = lastTs; from !== undefined && from < ts; ) {
    const day = Math.floor((from - START) / DAY);
    const to = Math.min(ts, START + (day + 1) * DAY);
    const figures = bruteDay(brute!, day);
    figures.held += to - from;
    figures.integral += value * (to - from);
    figures.min = Math.min(figures.min, value);
    figures.max = Math.max(figures.max, value);
    from = to;
  }
}

function note(brute: BruteDay[], day: number, value: number): void {
  const figures = bruteDay(brute, day);
  figures.count++;
  figures.min = Math.min(figures.min, value);
  figures.max = Math.max(figures.max, value);
}

function bruteDay(brute: BruteDay[], day: number): BruteDay {
  brute[day] ??= { count: 0, held: 0, integral: 0, min: Infinity, max: -Infinity };
  return brute[day];
}

const faults: string[] = [];
const borders = Array.from({ length: days + 1 }, (_, day) => START + day * DAY);
const compared = home.filter(({ brute }) => brute !== null);
for (const entity of compared) hold(entity, START + days * DAY);
const { series: answers } = await store.statistics({
  series: compared.map(({ series }) => series),
  borders,
  until: START + days * DAY,
  group: false,
});
let figuresCompared = 0;
for (const [i, { brute }] of compared.entries()) {
  for (const [day, expected] of brute!.entries()) {
    const found = answers[i]![day];
    const mean = expected.integral / expected.held;
    const same =
      found != null &&
      found.count === expected.count &&
      found.min === expected.min &&
      found.max === expected.max &&
      Math.abs(found.mean! - mean) < 1e-9;
    figuresCompared++;
    if (!same) faults.push(`series ${i}, day ${day}: ${JSON.stringify(found)} is not ${JSON.stringify(expected)}`);
  }
}

const storage = await store.storage();
const rows = storage.tiers.filter(({ tier }) => tier !== "rollups").reduce((sum, tier) => sum + tier.rows, 0);
if (rows !== made - dropped) faults.push(`${rows} samples are stored, ${made} were made and ${dropped} dropped`);
await store.close();
const bytes = await usedBytes(directory);
const atFullScale = (bytes * ENTITIES) / entities;
const seconds = (performance.now() - began) / 1000;
const megabytes = (size: number): string => `${(size / 1e6).toFixed(1)} MB`;
console.log(
  `made up: ${days} days of ${entities} entities, ${made} samples (scale ${(entities / ENTITIES).toFixed(3)} of 10 events/s)`,
);
console.log(`took: ${seconds.toFixed(0)} s`);
console.log(`dropped by RAW_RETENTION_DAYS=${rawDays}: ${dropped} samples; stored: ${rows}`);
for (const tier of storage.tiers) console.log(`${tier.tier}: ${tier.rows} rows, ${megabytes(tier.bytes)}`);
const forecast = storage.forecast;
if (forecast) console.log(`forecast: ${megabytes(forecast.rawBytesPerYear + forecast.rollupBytesPerYear)} a year`);
console.log(
  `data directory: ${megabytes(bytes)}, extrapolated to scale 1: ${megabytes(atFullScale)} (bar ${megabytes(BAR_BYTES)})`,
);
console.log(`daily figures compared with brute force: ${figuresCompared}, different: ${faults.length}`);
for (const fault of faults.slice(0, 10)) console.log(`FAULT ${fault}`);
if (atFullScale > BAR_BYTES) console.log("FAULT the data directory is over the bar");
if (faults.length > 0 || atFullScale > BAR_BYTES) process.exitCode = 1;
if (values.keep) console.log(directory);
else rmSync(directory, { recursive: true, force: true });
