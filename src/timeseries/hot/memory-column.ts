import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type PackedSamples, unpackSamples } from "./columns.ts";

/** Of a page of memory: 256 kB. */
const PAGE_DOUBLES = 32_768;
/** Samples of a column's first block, and of each that follows: of most series few come between two folds, of some thousands. */
const FIRST_SAMPLES = 8;
const BLOCK_SAMPLES = 64;

/** Room for samples: their times, and behind them their numbers. */
interface Block {
  readonly page: Float64Array;
  readonly start: number;
  readonly capacity: number;
}

/**
 * The memory of columns that grow together. With arrays of its own each would be copied to larger ones again and again,
 * most of them at the same time, and V8 would move them about besides.
 */
export class Blocks {
  #page = new Float64Array(0);
  #end = 0;

  take(capacity: number): Block {
    if (this.#end + 2 * capacity > this.#page.length) {
      this.#page = new Float64Array(PAGE_DOUBLES);
      this.#end = 0;
    }
    const start = this.#end;
    this.#end += 2 * capacity;
    return { page: this.#page, start, capacity };
  }
}

/** Ascending by time. */
interface Texts {
  readonly ts: Micros[];
  readonly values: (string | null)[];
}

/** Samples of one series, ascending by time and each time once. */
export class Column {
  readonly #memory: Blocks;
  readonly #blocks: Block[] = [];
  #length = 0;
  /** The last block, and how many samples are in it. */
  #last: Block;
  #filled = 0;
  /** What is no number; its number is NaN, which no sample is. Undefined as long as there is none. */
  #texts: Texts | undefined;

  constructor(memory: Blocks) {
    this.#memory = memory;
    this.#last = memory.take(FIRST_SAMPLES);
    this.#blocks.push(this.#last);
  }

  get length(): number {
    return this.#length;
  }

  /** Of the newest sample; there has to be one. */
  get lastTs(): Micros {
    return this.#last.page[this.#last.start + this.#filled - 1]!;
  }

  /** Adds a sample that is newer than all others. */
  push(ts: Micros, value: Value): void {
    if (this.#filled === this.#last.capacity) this.#grow();
    const { page, start, capacity } = this.#last;
    const at = start + this.#filled++;
    this.#length++;
    page[at] = ts;
    page[at + capacity] = typeof value === "number" ? value : Number.NaN;
    if (typeof value === "number") return;
    this.#texts ??= { ts: [], values: [] };
    this.#texts.ts.push(ts);
    this.#texts.values.push(value);
  }

  /** Adds a sample that is older than the one at `index`, and newer than the one before that. */
  insert(index: number, ts: Micros, value: Value): void {
    if (this.#filled === this.#last.capacity) this.#grow();
    this.#filled++;
    this.#length++;
    let carriedTs = ts;
    let carried = typeof value === "number" ? value : Number.NaN;
    for (let place = blockOf(index), offset = offsetOf(index); place < this.#blocks.length; place++, offset = 0) {
      const { page, start, capacity } = this.#blocks[place]!;
      const end = start + capacity;
      const lastTs = page[end - 1]!;
      const last = page[end + capacity - 1]!;
      page.copyWithin(start + offset + 1, start + offset, end - 1);
      page.copyWithin(end + offset + 1, end + offset, end + capacity - 1);
      page[start + offset] = carriedTs;
      page[end + offset] = carried;
      carriedTs = lastTs;
      carried = last;
    }
    if (typeof value === "number") return;
    this.#texts ??= { ts: [], values: [] };
    const at = lowerBound(this.#texts.ts, ts);
    this.#texts.ts.splice(at, 0, ts);
    this.#texts.values.splice(at, 0, value);
  }

  tsAt(index: number): Micros {
    const { page, start } = this.#blocks[blockOf(index)]!;
    return page[start + offsetOf(index)]!;
  }

  valueAt(index: number): Value {
    const { page, start, capacity } = this.#blocks[blockOf(index)]!;
    const number = page[start + capacity + offsetOf(index)]!;
    return Number.isNaN(number) ? this.#texts!.values[lowerBound(this.#texts!.ts, this.tsAt(index))]! : number;
  }

  /** The index of the first sample that is not before `ts`. */
  lowerBound(ts: Micros): number {
    let low = 0;
    let high = this.#length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.tsAt(middle) < ts) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  slice(from: number, to: number): SampleColumns {
    const samples = { ts: new Float64Array(to - from), numbers: new Float64Array(to - from), texts: [] };
    this.copy(from, to, samples, 0);
    return unpackSamples(samples);
  }

  /** Copies samples to `at` in these columns; `texts` grows by what is no number. */
  copy(from: number, to: number, { ts, numbers, texts }: PackedSamples & { texts: (string | null)[] }, at: number) {
    let text = this.#texts === undefined || from === to ? 0 : lowerBound(this.#texts.ts, this.tsAt(from));
    for (let index = from, target = at; index < to; ) {
      const { page, start, capacity } = this.#blocks[blockOf(index)]!;
      const first = start + offsetOf(index);
      const end = Math.min(start + capacity, first + to - index);
      for (let place = first; place < end; place++, target++) {
        const number = page[place + capacity]!;
        ts[target] = page[place]!;
        numbers[target] = number;
        if (Number.isNaN(number)) texts.push(this.#texts!.values[text++]!);
      }
      index += end - first;
    }
  }

  #grow(): void {
    this.#last = this.#memory.take(BLOCK_SAMPLES);
    this.#blocks.push(this.#last);
    this.#filled = 0;
  }
}

function blockOf(index: number): number {
  return index < FIRST_SAMPLES ? 0 : 1 + Math.floor((index - FIRST_SAMPLES) / BLOCK_SAMPLES);
}

function offsetOf(index: number): number {
  return index < FIRST_SAMPLES ? index : (index - FIRST_SAMPLES) % BLOCK_SAMPLES;
}
