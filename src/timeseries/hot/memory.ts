import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Steps } from "../../lib/steps.ts";
import { SamplePacker } from "./columns.ts";
import { type Day, dayOf } from "./day.ts";
import type { FoldedPart, FoldedRanges } from "./fold.ts";
import { Blocks, Column, type Piece } from "./memory-column.ts";
import { weightOf } from "./weight.ts";

/** Whose piece it is. */
interface SeriesPiece extends Piece {
  readonly series: SeriesNumber;
  readonly column: Column;
}

/** Samples of a step: a millisecond. */
const PACKED_AT_ONCE = 50_000;

const EMPTY: SampleColumns = { ts: [], values: [] };

/** The samples between two folds: what the log holds and what waits to get there. */
export class Generation {
  readonly #columns = new Map<SeriesNumber, Column>();
  readonly #memory = new Blocks();
  readonly #days = new Set<Day>();
  /** Most samples are of the day of the one before. */
  #lastDay: Day | undefined;
  #size = 0;
  #weight = 0;

  get size(): number {
    return this.#size;
  }

  /** The same with long texts counted as more; see `weightOf`. */
  get weight(): number {
    return this.#weight;
  }

  /** False when the series already has a sample at that time; the first one stays. */
  insert(series: SeriesNumber, ts: Micros, value: Value): boolean {
    let column = this.#columns.get(series);
    if (column === undefined) {
      column = new Column(this.#memory);
      this.#columns.set(series, column);
    }
    if (!column.insert(ts, value)) return false;
    this.#size++;
    this.#weight += weightOf(value);
    const day = dayOf(ts);
    if (day !== this.#lastDay) this.#days.add(day);
    this.#lastDay = day;
    return true;
  }

  /** The days of its samples. */
  get days(): ReadonlySet<Day> {
    return this.#days;
  }

  has(series: SeriesNumber, ts: Micros): boolean {
    return this.#columns.get(series)?.has(ts) ?? false;
  }

  /** A copy of all, in the order of day, series and time. Nothing may be inserted between the steps. */
  *packed(): Steps<FoldedPart> {
    const series = new Int32Array(this.#size);
    const samples = { ts: new Float64Array(this.#size), numbers: new Float64Array(this.#size), texts: [] };
    const pieces = this.#piecesOfDays();
    yield;
    let at = 0;
    let stepEnd = PACKED_AT_ONCE;
    for (const day of [...pieces.keys()].sort((a, b) => a - b)) {
      for (const piece of pieces.get(day)!) {
        const next = at + piece.to - piece.from;
        series.fill(piece.series, at, next);
        piece.column.copy(piece, samples, at);
        at = next;
        if (at < stepEnd) continue;
        yield;
        stepEnd = at + PACKED_AT_ONCE;
      }
    }
    return { series, samples, ranges: this.#ranges() };
  }

  /** The oldest time and the newest sample of each series. */
  #ranges(): FoldedRanges {
    const series = new Int32Array(this.#columns.size);
    const firstTs = new Float64Array(this.#columns.size);
    const last = new SamplePacker(Math.max(1, this.#columns.size));
    let at = 0;
    for (const [number, column] of this.#columns) {
      series[at] = number;
      firstTs[at++] = column.firstTs;
      last.push(column.lastTs, column.lastValue);
    }
    return { series, firstTs, last: last.packed() };
  }

  /** Where the samples of each day stand, in the order of series and time. */
  #piecesOfDays(): Map<Day, SeriesPiece[]> {
    const pieces = new Map<Day, SeriesPiece[]>();
    for (const series of [...this.#columns.keys()].sort((a, b) => a - b)) {
      const column = this.#columns.get(series)!;
      for (const { day, block, from, to } of column.pieces()) {
        const piece = { day, block, from, to, series, column };
        const ofDay = pieces.get(day);
        if (ofDay === undefined) pieces.set(day, [piece]);
        else ofDay.push(piece);
      }
    }
    return pieces;
  }

  /** A copy of the oldest `limit` samples in the span. */
  slice(series: SeriesNumber, { start, end }: Span, limit: number): SampleColumns {
    return this.#columns.get(series)?.slice(start, end, limit) ?? EMPTY;
  }

  /** The newest sample before a time whose value is one of these, as a column of one or none. */
  before(series: SeriesNumber, ts: Micros, isOne: (value: Value) => boolean = () => true): SampleColumns {
    return this.#columns.get(series)?.before(ts, isOne) ?? EMPTY;
  }
}

/** Both in one, ascending; where both have a time the first one's value counts. */
export function merge(first: SampleColumns, second: SampleColumns): SampleColumns {
  if (second.ts.length === 0) return first;
  if (first.ts.length === 0) return second;
  if (first.ts[first.ts.length - 1]! < second.ts[0]!) {
    return { ts: first.ts.concat(second.ts), values: first.values.concat(second.values) };
  }
  const ts: Micros[] = [];
  const values: Value[] = [];
  let a = 0;
  let b = 0;
  while (a < first.ts.length || b < second.ts.length) {
    const left = a < first.ts.length ? first.ts[a]! : Number.POSITIVE_INFINITY;
    const right = b < second.ts.length ? second.ts[b]! : Number.POSITIVE_INFINITY;
    if (left <= right) {
      ts.push(left);
      values.push(first.values[a++]!);
      if (left === right) b++;
    } else {
      ts.push(right);
      values.push(second.values[b++]!);
    }
  }
  return { ts, values };
}
