import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Micros, Value } from "../../domain/sample.ts";
import type { PackedChunk } from "./chunk.ts";
import { type PackedSamples, SamplePacker } from "./columns.ts";
import { dayOf } from "./day.ts";

/** Writes the log: one row for each commit, which takes a third of the time that a row for each sample does. */
export class LogWriter {
  readonly #insert: StatementSync;

  constructor(db: DatabaseSync) {
    this.#insert = db.prepare("INSERT INTO log_batches (count, start, samples) VALUES (?, ?, ?)");
  }

  /** Belongs inside a transaction. */
  append({ series, samples }: PackedChunk): void {
    if (series.length === 0) return;
    const first = samples.ts[0]!;
    // Times that lie centuries apart have no exact difference: those stand there as they are.
    const start = samples.ts.every((ts) => Number.isSafeInteger(ts - first)) ? first : 0;
    this.#insert.run(series.length, start, encode(series, samples, start));
  }
}

/** JSON: series, microseconds after `start`, value, series, … */
function encode(series: Int32Array, { ts, numbers, texts }: PackedSamples, start: Micros): string {
  const items: Value[] = new Array(3 * series.length);
  let allFinite = true;
  for (let i = 0, text = 0, at = 0; i < series.length; i++) {
    const number = numbers[i]!;
    items[at++] = series[i]!;
    items[at++] = ts[i]! - start;
    items[at++] = Number.isNaN(number) ? texts[text++]! : number;
    allFinite &&= Math.abs(number) !== Number.POSITIVE_INFINITY;
  }
  return allFinite ? JSON.stringify(items) : `[${items.map(encodeItem).join()}]`;
}

/** JSON has no word for infinity; every reader takes a number that is too large for it. */
function encodeItem(item: Value): string {
  if (item === Number.POSITIVE_INFINITY) return "9e999";
  return item === Number.NEGATIVE_INFINITY ? "-9e999" : JSON.stringify(item);
}

/** All samples of the log, in the order of arrival. */
export interface LogContent {
  /** The newest of the rows that they come from; 0 where there are none. */
  readonly lastBatch: number;
  readonly series: Int32Array<ArrayBuffer>;
  readonly ts: Float64Array<ArrayBuffer>;
  /** NaN: the value stands in `texts`. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** By the place of their sample. */
  readonly texts: ReadonlyMap<number, string | null>;
}

export function readLog(db: DatabaseSync): LogContent {
  const count = Number(db.prepare("SELECT sum(count) AS count FROM log_batches").get()?.count ?? 0);
  const series = new Int32Array(count);
  const ts = new Float64Array(count);
  const numbers = new Float64Array(count);
  const texts = new Map<number, string | null>();
  let lastBatch = 0;
  let at = 0;
  for (const row of db.prepare("SELECT batch, start, samples FROM log_batches ORDER BY batch").iterate()) {
    lastBatch = Number(row.batch);
    const start = Number(row.start);
    const items = JSON.parse(row.samples as string) as Value[];
    for (let i = 0; i < items.length; i += 3, at++) {
      const value = items[i + 2]!;
      series[at] = items[i] as number;
      ts[at] = start + (items[i + 1] as number);
      if (typeof value === "number") {
        numbers[at] = value;
      } else {
        numbers[at] = Number.NaN;
        texts.set(at, value);
      }
    }
  }
  return { lastBatch, series, ts, numbers, texts };
}

/** Samples up to and including this row are in the day tables. Belongs inside a transaction. */
export function removeFromLog(db: DatabaseSync, lastBatch: number): void {
  db.prepare("DELETE FROM log_batches WHERE batch <= ?").run(lastBatch);
}

/** The places of the samples in the order of day, series, time and arrival. */
export function sortLog({ series, ts }: LogContent): Uint32Array {
  const days = Int32Array.from(ts, dayOf);
  const arrived = Uint32Array.from(series, (_, place) => place);
  const order = countingSort(countingSort(arrived, series), days);
  // Of one series most samples have arrived in the order of their times.
  for (let from = 0, to = 0; from < order.length; from = to) {
    const first = order[from]!;
    let ascends = true;
    for (to = from + 1; to < order.length; to++) {
      const place = order[to]!;
      if (series[place] !== series[first] || days[place] !== days[first]) break;
      ascends &&= ts[order[to - 1]!]! <= ts[place]!;
    }
    if (!ascends) order.subarray(from, to).sort((a, b) => ts[a]! - ts[b]! || a - b);
  }
  return order;
}

/** Sorts places by their keys, whole numbers that lie close together; equal ones stay in their order. */
function countingSort(places: Uint32Array, keys: Int32Array): Uint32Array {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const key of keys) {
    if (key < min) min = key;
    if (key > max) max = key;
  }
  const next = new Uint32Array(keys.length === 0 ? 0 : max - min + 2);
  for (const key of keys) next[key - min + 1]!++;
  for (let key = 1; key < next.length; key++) next[key]! += next[key - 1]!;
  const sorted = new Uint32Array(places.length);
  for (const place of places) sorted[next[keys[place]! - min]!++] = place;
  return sorted;
}

/** The samples at these places, in this order, as they cross to another thread. */
export function pickSamples(log: LogContent, order: Uint32Array): { series: Int32Array; samples: PackedSamples } {
  const samples = new SamplePacker(Math.max(1, order.length));
  for (const place of order) samples.push(log.ts[place]!, valueAt(log, place));
  return { series: Int32Array.from(order, (place) => log.series[place]!), samples: samples.packed() };
}

export function valueAt({ numbers, texts }: LogContent, place: number): Value {
  const number = numbers[place]!;
  return Number.isNaN(number) ? texts.get(place)! : number;
}
