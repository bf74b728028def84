import { closeSync, mkdtempSync, openSync, readSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Value } from "../../src/domain/sample.ts";

/** A home of 500 entities, each with 333 samples a day on average: 5 M in 30 days. */
export const ENTITIES = 500;
export const SAMPLES_A_DAY = 500_000 / 3;
export const DAY_MICROS = 86_400_000_000;
/** Of line protocol in one request, and of samples in one turn of the event loop. */
export const BATCH = 5_000;

const LINES_FILE = "samples.lp";
const SAMPLES_FILE = "samples.bin";
/** One sample in the binary file: entity, microseconds, value. */
const FIELDS = 3;
const SAMPLE_BYTES = FIELDS * Float64Array.BYTES_PER_ELEMENT;
/** Where a value stands for a text: far beyond what any sensor says. */
const TEXT_BASE = 1e15;
const TEXTS = ["on", "off", "home", "not_home", "idle", "playing", "unavailable"] as const;
const UNAVAILABLE = TEXTS.indexOf("unavailable");

/** The same samples for all, in the order of time, on disk: nobody's figures hold the time it takes to make them up. */
export interface Dataset {
  readonly folder: string;
  readonly samples: number;
  readonly days: number;
  /** Midnight in UTC of the first day; the last day is yesterday. */
  readonly start: number;
  readonly end: number;
}

export function entityId(entity: number): string {
  return `${kindOf(entity).domain}.${kindOf(entity).name}_${entity}`;
}

export function domainOf(entity: number): string {
  return kindOf(entity).domain;
}

/** Makes its next value from the one before. */
interface Kind {
  readonly domain: string;
  readonly name: string;
  readonly first: number;
  next(previous: number, random: () => number): number;
}

const round = (value: number, decimals: number): number => Math.round(value * 10 ** decimals) / 10 ** decimals;
const text = (domain: string, name: string, from: number): Kind => ({
  domain,
  name,
  first: TEXT_BASE + from,
  next: (previous) => TEXT_BASE + from + (previous === TEXT_BASE + from ? 1 : 0),
});
const walk = (name: string, first: number, step: number, decimals: number): Kind => ({
  domain: "sensor",
  name,
  first,
  next: (previous, random) => round(previous + (random() - 0.5) * step, decimals),
});

/** Of ten entities: what they are. One of ten is text; sensors say "unavailable" now and then besides. */
const KINDS: readonly Kind[] = [
  walk("temperature", 21, 0.6, 1),
  walk("temperature", 4, 0.4, 2),
  walk("humidity", 45, 4, 0),
  {
    ...walk("power", 120, 0, 1),
    next: (_, random) => round(random() < 0.1 ? 1500 + random() * 800 : 60 + random() * 40, 1),
  },
  { ...walk("power", 3, 0, 1), next: (_, random) => round(random() * 6, 1) },
  { ...walk("energy", 1000, 0, 3), next: (previous, random) => round(previous + random() * 0.05, 3) },
  { ...walk("voltage", 230, 0, 1), next: (_, random) => round(228 + random() * 5, 1) },
  { ...walk("illuminance", 300, 0, 0), next: (_, random) => Math.floor(random() * 900) },
  walk("pressure", 1013.2, 0.3, 1),
  text("binary_sensor", "motion", 0),
];
const OTHER_TEXTS: readonly Kind[] = [text("person", "resident", 2), text("media_player", "speaker", 4)];

function kindOf(entity: number): Kind {
  const kind = KINDS[entity % KINDS.length]!;
  return kind.domain === "binary_sensor" && entity % 50 === 49 ? OTHER_TEXTS[(entity >> 5) % 2]! : kind;
}

/** A small generator, so that every run has the same values. */
export function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 16807) % 2147483647;
    return state / 2147483647;
  };
}

export interface DatasetOptions {
  /** Whether they are also written as line protocol, which takes four times the room. */
  readonly lines?: boolean;
}

/** Makes a dataset in a folder of its own, which goes when it was used. */
export async function withDataset<T>(
  samples: number,
  options: DatasetOptions,
  use: (dataset: Dataset) => Promise<T>,
): Promise<T> {
  const folder = mkdtempSync(join(tmpdir(), "bench-dataset-"));
  try {
    return await use(writeDataset(folder, samples, options));
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The days before the present one that hold so many samples. */
export function writeDataset(
  folder: string,
  samples: number,
  { lines: withLines = true }: DatasetOptions = {},
): Dataset {
  const days = Math.ceil(samples / SAMPLES_A_DAY);
  const end = Math.floor((Date.now() * 1000) / DAY_MICROS) * DAY_MICROS;
  const start = end - days * DAY_MICROS;
  const lines = withLines ? openSync(join(folder, LINES_FILE), "w") : undefined;
  const binary = openSync(join(folder, SAMPLES_FILE), "w");
  const records = new Float64Array(BATCH * FIELDS);
  const values = Float64Array.from({ length: ENTITIES }, (_, entity) => kindOf(entity).first);
  const random = createRandom(1);
  const order = Uint16Array.from({ length: ENTITIES }, (_, entity) => entity);
  const step = (days * DAY_MICROS) / samples;
  for (let from = 0; from < samples; from += BATCH) {
    const count = Math.min(BATCH, samples - from);
    let protocol = "";
    for (let i = 0; i < count; i++) {
      const at = (from + i) % ENTITIES;
      if (at === 0) shuffle(order, random);
      const entity = order[at]!;
      // Each sample keeps to its own step of time, so the order stays that of time and no two have the same.
      const ts = start + Math.floor((from + i + random() * 0.999) * step);
      const isAway = random() < 0.002;
      const value = isAway ? TEXT_BASE + UNAVAILABLE : kindOf(entity).next(values[entity]!, random);
      if (!isAway) values[entity] = value;
      records.set([entity, ts, value], i * FIELDS);
      if (withLines) protocol += lineOf(entity, ts, value);
    }
    writeSync(binary, records.subarray(0, count * FIELDS));
    if (lines !== undefined) writeLines(lines, protocol);
  }
  if (lines !== undefined) closeSync(lines);
  closeSync(binary);
  return { folder, samples, days, start, end };
}

function shuffle(order: Uint16Array, random: () => number): void {
  for (let i = order.length - 1; i > 0; i--) {
    const other = Math.floor(random() * (i + 1));
    const held = order[i]!;
    order[i] = order[other]!;
    order[other] = held;
  }
}

/** Numbers are the field `value`, texts the field `state`; the time is in nanoseconds. */
function lineOf(entity: number, ts: number, value: number): string {
  const field = value >= TEXT_BASE ? `state="${TEXTS[value - TEXT_BASE]}"` : `value=${value}`;
  return `state,domain=${domainOf(entity)},entity_id=${entityId(entity)} ${field} ${ts}000\n`;
}

/** A batch is its length, then its lines. */
function writeLines(file: number, protocol: string): void {
  const body = Buffer.from(protocol);
  const length = Buffer.alloc(4);
  length.writeUInt32LE(body.length);
  writeSync(file, length);
  writeSync(file, body);
}

/** Batches of line protocol, as they were written; each buffer is valid until the next is asked for. */
export function* readLines({ folder }: Dataset): Generator<Buffer> {
  const file = openSync(join(folder, LINES_FILE), "r");
  try {
    const length = Buffer.alloc(4);
    while (readSync(file, length) === length.length) {
      const body = Buffer.allocUnsafe(length.readUInt32LE());
      readSync(file, body);
      yield body;
    }
  } finally {
    closeSync(file);
  }
}

/** Calls `take` for each sample of the next batch; false at the end. */
export function createSampleReader(
  { folder }: Dataset,
  take: (entity: number, ts: number, value: Value) => void,
): { next(): boolean } & Disposable {
  const file = openSync(join(folder, SAMPLES_FILE), "r");
  const records = new Float64Array(BATCH * FIELDS);
  return {
    next() {
      const count = readSync(file, records) / SAMPLE_BYTES;
      for (let i = 0; i < count; i++) {
        const value = records[i * FIELDS + 2]!;
        take(records[i * FIELDS]!, records[i * FIELDS + 1]!, value >= TEXT_BASE ? TEXTS[value - TEXT_BASE]! : value);
      }
      return count > 0;
    },
    [Symbol.dispose]: () => closeSync(file),
  };
}
