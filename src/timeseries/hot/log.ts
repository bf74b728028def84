import type { DatabaseSync } from "node:sqlite";
import type { Micros, Value } from "../../domain/sample.ts";
import type { PackedChunk } from "./chunk.ts";
import type { PackedSamples } from "./columns.ts";
import { LogRows, readFoldedBatch } from "./log-rows.ts";

/** Samples that are put into words together, small enough that what it takes is soon garbage. */
const ENCODED_AT_ONCE = 1_000;
/** Bytes that a sample takes at least, with its commas. */
const SAMPLE_BYTES_MIN = 6;

/**
 * The log: many samples to a row, which takes a third of the time that a row for each does. A commit's samples are a row,
 * or what a page has room for is one.
 */
export class Log {
  readonly #rows: LogRows;

  constructor(db: DatabaseSync) {
    this.#rows = new LogRows(db);
  }

  /** Belongs inside a transaction; after one that failed: `forget`. */
  append(chunk: PackedChunk): void {
    const { series, samples, durableUntil } = chunk;
    const count = series.length;
    if (count === 0) {
      if (durableUntil !== null) this.durableUntil(durableUntil);
      return;
    }
    const { open } = this.#rows;
    if (open !== undefined && count * SAMPLE_BYTES_MIN <= open.room && haveExactDistance(samples.ts, open.start)) {
      const items = encode(series, samples, open.start);
      if (this.#rows.extend({ count, items, durableUntil })) return;
    }
    const first = samples.ts[0]!;
    const start = haveExactDistance(samples.ts, first) ? first : 0;
    this.#rows.add({ count, start, items: encode(series, samples, start), durableUntil });
  }

  /** Up to when everything that was heard is on the disk. Belongs inside a transaction, as `append`. */
  durableUntil(at: Micros): void {
    const nothing = { count: 0, items: "", durableUntil: at };
    if (!this.#rows.extend(nothing)) this.#rows.add({ ...nothing, start: at });
  }

  /** The newest batch; what is appended from now on belongs to later ones. */
  seal(): number {
    return this.#rows.seal();
  }

  /** Samples up to and including this batch are in the day tables. Belongs inside a transaction, as `append`. */
  remove(lastBatch: number): void {
    this.#rows.release(lastBatch);
  }

  /** After a transaction that failed. */
  forget(): void {
    this.#rows.forget();
  }
}

/** Times that lie centuries apart have no exact difference: those stand in the log as they are. */
function haveExactDistance(ts: Float64Array, start: Micros): boolean {
  // A callback would be handed an object for each time.
  for (let i = 0; i < ts.length; i++) if (!Number.isSafeInteger(ts[i]! - start)) return false;
  return true;
}

/** The items of a JSON array: series, microseconds after `start`, value, series, … */
function encode(series: Int32Array, { ts, numbers, texts }: PackedSamples, start: Micros): string {
  const parts: string[] = [];
  const items: Value[] = [];
  let text = 0;
  for (let i = 0; i < series.length; ) {
    const end = Math.min(series.length, i + ENCODED_AT_ONCE);
    let allFinite = true;
    items.length = 0;
    for (; i < end; i++) {
      const number = numbers[i]!;
      items.push(series[i]!, ts[i]! - start, Number.isNaN(number) ? texts[text++]! : number);
      allFinite &&= Math.abs(number) !== Number.POSITIVE_INFINITY;
    }
    parts.push(allFinite ? JSON.stringify(items).slice(1, -1) : items.map(encodeItem).join());
  }
  return parts.join();
}

/** JSON has no word for infinity; every reader takes a number that is too large for it. */
function encodeItem(item: Value): string {
  if (item === Number.POSITIVE_INFINITY) return "9e999";
  return item === Number.NEGATIVE_INFINITY ? "-9e999" : JSON.stringify(item);
}

/** Samples of the log, in the order of arrival. */
export interface LogContent {
  /** Samples of rows that were damaged where they stand; they are not among the others. */
  readonly damaged: number;
  readonly series: Int32Array<ArrayBuffer>;
  readonly ts: Float64Array<ArrayBuffer>;
  /** NaN: the value stands in `texts`. */
  readonly numbers: Float64Array<ArrayBuffer>;
  /** By the place of their sample; undefined for others. */
  readonly texts: readonly (string | null | undefined)[];
}

export function readLog(db: DatabaseSync): LogContent {
  const batches = db
    .prepare("SELECT slot, count, start FROM log_batches WHERE batch > ? ORDER BY batch")
    .all(readFoldedBatch(db));
  const samplesOf = db.prepare("SELECT samples FROM log_batches WHERE slot = ?");
  const count = batches.reduce((sum, batch) => sum + Number(batch.count), 0);
  const log = new LogColumns(count);
  for (const { slot, start, count } of batches) {
    log.addItems(itemsOf(samplesOf.get(slot!)?.samples, Number(count)) ?? [], Number(start));
  }
  return { damaged: count - log.count, ...log.columns() };
}

/** The items of a row; undefined for one that was damaged where it stands, which costs its own samples and no others. */
function itemsOf(text: unknown, count: number): Value[] | undefined {
  let items: unknown;
  try {
    items = JSON.parse(String(text));
  } catch {
    return undefined;
  }
  if (!Array.isArray(items) || items.length !== 3 * count) return undefined;
  const isSample = (_item: unknown, at: number): boolean =>
    at % 3 === 2 || (at % 3 === 0 ? Number.isInteger(items[at]) && items[at] >= 0 : Number.isSafeInteger(items[at]));
  return items.every(isSample) ? (items as Value[]) : undefined;
}

class LogColumns {
  readonly series: Int32Array<ArrayBuffer>;
  readonly ts: Float64Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: (string | null | undefined)[];
  count = 0;

  constructor(count: number) {
    this.series = new Int32Array(count);
    this.ts = new Float64Array(count);
    this.numbers = new Float64Array(count);
    this.texts = new Array(count);
  }

  columns(): Pick<LogContent, "series" | "ts" | "numbers" | "texts"> {
    const { series, ts, numbers, texts, count } = this;
    if (count === series.length) return { series, ts, numbers, texts };
    return { series: series.slice(0, count), ts: ts.slice(0, count), numbers: numbers.slice(0, count), texts };
  }

  addItems(items: readonly Value[], start: Micros): void {
    for (let i = 0; i < items.length; i += 3) {
      const at = this.count++;
      const value = items[i + 2]!;
      this.series[at] = items[i] as number;
      this.ts[at] = start + (items[i + 1] as number);
      this.numbers[at] = typeof value === "number" ? value : Number.NaN;
      if (typeof value !== "number") this.texts[at] = value;
    }
  }
}

export function valueAt({ numbers, texts }: LogContent, place: number): Value {
  const number = numbers[place]!;
  return Number.isNaN(number) ? texts[place]! : number;
}

/** The samples as they cross to another thread. */
export function packLog(log: LogContent): { series: Int32Array; samples: PackedSamples } {
  const { series, ts, numbers } = log;
  const texts: (string | null)[] = [];
  for (const [place, number] of numbers.entries()) if (Number.isNaN(number)) texts.push(log.texts[place]!);
  return { series, samples: { ts, numbers, texts } };
}
