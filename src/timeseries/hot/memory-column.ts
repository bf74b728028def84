import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { DAY_MICROS, type Day, dayOf } from "./day.ts";

/** Of a page of memory: 256 kB. */
const PAGE_DOUBLES = 32_768;
/** Samples of a column's first block, and of each that follows: of most series few come between two folds, of some thousands. */
const FIRST_SAMPLES = 8;
const BLOCK_SAMPLES = 64;

/** Room for samples, of which `count` are there: their times from `start` on, their numbers `capacity` behind them. */
interface Block {
  readonly page: Float64Array;
  readonly start: number;
  readonly capacity: number;
  count: number;
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
    return { page: this.#page, start, capacity, count: 0 };
  }
}

/** Ascending by time. */
interface Texts {
  readonly ts: Micros[];
  readonly values: (string | null)[];
}

/** Samples of one day that stand side by side, from one offset of a block to before another. */
export interface Piece {
  readonly day: Day;
  readonly block: Block;
  readonly from: number;
  readonly to: number;
}

/** Samples of one series, ascending by time and each time once. */
export class Column {
  readonly #memory: Blocks;
  /** None is empty, but for the first one of an empty column. */
  readonly #blocks: Block[];
  #last: Block;
  /** What is no number; its number is NaN, which no sample is. Undefined as long as there is none. */
  #texts: Texts | undefined;

  constructor(memory: Blocks) {
    this.#memory = memory;
    this.#last = memory.take(FIRST_SAMPLES);
    this.#blocks = [this.#last];
  }

  /** False when there is a sample of that time; the first one stays. */
  insert(ts: Micros, value: Value): boolean {
    const { page, start, capacity, count } = this.#last;
    const end = start + count;
    // Almost all are newer numbers. What is short enough for V8 to be made a part of its caller is the faster for it.
    if (count === 0 || count === capacity || ts <= page[end - 1]! || typeof value !== "number") {
      return this.#insertAny(ts, value);
    }
    page[end] = ts;
    page[end + capacity] = value;
    this.#last.count = count + 1;
    return true;
  }

  has(ts: Micros): boolean {
    const block = this.#blocks[this.#blockOf(ts)]!;
    const offset = lowerBoundIn(block, ts);
    return offset < block.count && block.page[block.start + offset] === ts;
  }

  /** Of the oldest sample; there has to be one, here and for the newest. */
  get firstTs(): Micros {
    const { page, start } = this.#blocks[0]!;
    return page[start]!;
  }

  get lastTs(): Micros {
    const { page, start, count } = this.#last;
    return page[start + count - 1]!;
  }

  get lastValue(): Value {
    return this.#valueAt(this.#last, this.#last.count - 1);
  }

  /** A copy of the oldest `limit` samples in the span. */
  slice(from: Micros, to: Micros, limit: number): SampleColumns {
    const ts: Micros[] = [];
    const values: Value[] = [];
    let place = this.#blockOf(from);
    let offset = lowerBoundIn(this.#blocks[place]!, from);
    for (; place < this.#blocks.length; place++, offset = 0) {
      const block = this.#blocks[place]!;
      for (; offset < block.count; offset++) {
        const at = block.page[block.start + offset]!;
        if (at >= to || ts.length >= limit) return { ts, values };
        ts.push(at);
        values.push(this.#valueAt(block, offset));
      }
    }
    return { ts, values };
  }

  /** The newest sample before a time whose value is one of these, as a column of one or none. */
  before(ts: Micros, isOne: (value: Value) => boolean): SampleColumns {
    let place = this.#blockOf(ts);
    let offset = lowerBoundIn(this.#blocks[place]!, ts);
    for (;;) {
      const block = this.#blocks[place]!;
      while (offset > 0) {
        const value = this.#valueAt(block, --offset);
        if (isOne(value)) return { ts: [block.page[block.start + offset]!], values: [value] };
      }
      if (place === 0) return { ts: [], values: [] };
      offset = this.#blocks[--place]!.count;
    }
  }

  /** All samples, in the order of time. */
  pieces(): Piece[] {
    const pieces: Piece[] = [];
    for (const block of this.#blocks) {
      for (let from = 0; from < block.count; ) {
        const day = dayOf(block.page[block.start + from]!);
        const to = lowerBoundIn(block, (day + 1) * DAY_MICROS);
        pieces.push({ day, block, from, to });
        from = to;
      }
    }
    return pieces;
  }

  /** Copies a piece of this column to `at` in columns, and adds to `texts` what is no number. */
  copy(
    { block: { page, start, capacity }, from, to }: Piece,
    { ts, numbers, texts }: { ts: Float64Array; numbers: Float64Array; texts: (string | null)[] },
    at: number,
  ): void {
    let text = -1;
    for (let place = start + from, target = at; place < start + to; place++, target++) {
      const number = page[place + capacity]!;
      ts[target] = page[place]!;
      numbers[target] = number;
      if (!Number.isNaN(number)) continue;
      if (text === -1) text = lowerBound(this.#texts!.ts, page[place]!);
      texts.push(this.#texts!.values[text++]!);
    }
  }

  #insertAny(ts: Micros, value: Value): boolean {
    const last = this.#last;
    if (last.count > 0 && ts <= last.page[last.start + last.count - 1]!) return this.#insertLate(ts, value);
    if (last.count === last.capacity) {
      this.#last = this.#memory.take(BLOCK_SAMPLES);
      this.#blocks.push(this.#last);
    }
    this.#put(this.#last, this.#last.count, ts, value);
    return true;
  }

  #insertLate(ts: Micros, value: Value): boolean {
    let place = this.#blockOf(ts);
    const found = this.#blocks[place]!;
    let offset = lowerBoundIn(found, ts);
    if (offset < found.count && found.page[found.start + offset] === ts) return false;
    if (found.count === found.capacity) [place, offset] = this.#makeRoom(place, offset);
    const block = this.#blocks[place]!;
    const { page, start, capacity, count } = block;
    for (const begin of [start, start + capacity]) {
      page.copyWithin(begin + offset + 1, begin + offset, begin + count);
    }
    this.#put(block, offset, ts, value);
    return true;
  }

  #put(block: Block, offset: number, ts: Micros, value: Value): void {
    const { page, start, capacity } = block;
    page[start + offset] = ts;
    page[start + capacity + offset] = typeof value === "number" ? value : Number.NaN;
    block.count++;
    if (typeof value !== "number") this.#addText(ts, value);
  }

  /** Another block beside a full one, which half of its samples go to if some are on both sides; answers where the place is. */
  #makeRoom(place: number, offset: number): [place: number, offset: number] {
    const full = this.#blocks[place]!;
    const other = this.#memory.take(BLOCK_SAMPLES);
    // What comes in order, ascending or descending, fills its blocks.
    if (offset === 0) {
      this.#blocks.splice(place, 0, other);
      return [place, 0];
    }
    this.#blocks.splice(place + 1, 0, other);
    if (full === this.#last) this.#last = other;
    const kept = offset === full.count ? full.count : full.count >>> 1;
    const { page, start, capacity } = full;
    other.page.set(page.subarray(start + kept, start + full.count), other.start);
    other.page.set(page.subarray(start + capacity + kept, start + capacity + full.count), other.start + other.capacity);
    other.count = full.count - kept;
    full.count = kept;
    return offset >= kept ? [place + 1, offset - kept] : [place, offset];
  }

  /** The last block that begins at or before a time, else the first one. */
  #blockOf(ts: Micros): number {
    let low = 0;
    let high = this.#blocks.length - 1;
    while (low < high) {
      const middle = (low + high + 1) >>> 1;
      const { page, start } = this.#blocks[middle]!;
      if (page[start]! <= ts) low = middle;
      else high = middle - 1;
    }
    return low;
  }

  #valueAt({ page, start, capacity }: Block, offset: number): Value {
    const number = page[start + capacity + offset]!;
    if (!Number.isNaN(number)) return number;
    return this.#texts!.values[lowerBound(this.#texts!.ts, page[start + offset]!)]!;
  }

  #addText(ts: Micros, value: string | null): void {
    this.#texts ??= { ts: [], values: [] };
    const { ts: times, values } = this.#texts;
    if (times.length === 0 || ts > times[times.length - 1]!) {
      times.push(ts);
      values.push(value);
    } else {
      const at = lowerBound(times, ts);
      times.splice(at, 0, ts);
      values.splice(at, 0, value);
    }
  }
}

/** The offset of the first sample of a block that is not before a time. */
function lowerBoundIn({ page, start, count }: Block, ts: Micros): number {
  let low = 0;
  let high = count;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (page[start + middle]! < ts) low = middle + 1;
    else high = middle;
  }
  return low;
}
