import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Steps } from "../../lib/steps.ts";
import { SamplePacker } from "./columns.ts";
import { DAY_MICROS, type Day, dayOf } from "./day.ts";
import type { FoldedRanges, FoldedSamples } from "./fold.ts";
import { Blocks, Column } from "./memory-column.ts";

/** Samples of one series that stand side by side. */
interface Run {
  readonly number: SeriesNumber;
  readonly column: Column;
  readonly from: number;
  readonly to: number;
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

  get size(): number {
    return this.#size;
  }

  /** False when the series already has a sample at that time; the first one stays. */
  insert(series: SeriesNumber, ts: Micros, value: Value): boolean {
    const column = this.#columns.get(series);
    if (column === undefined) {
      const first = new Column(this.#memory);
      first.push(ts, value);
      this.#columns.set(series, first);
    } else if (ts > column.lastTs) {
      column.push(ts, value);
    } else {
      const at = column.lowerBound(ts);
      if (column.tsAt(at) === ts) return false;
      column.insert(at, ts, value);
    }
    this.#size++;
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
    const column = this.#columns.get(series);
    if (column === undefined) return false;
    const at = column.lowerBound(ts);
    return at < column.length && column.tsAt(at) === ts;
  }

  /** The oldest time and the newest sample of each series. */
  ranges(): FoldedRanges {
    const series = new Int32Array(this.#columns.size);
    const firstTs = new Float64Array(this.#columns.size);
    const last = new SamplePacker(Math.max(1, this.#columns.size));
    let at = 0;
    for (const [number, column] of this.#columns) {
      series[at] = number;
      firstTs[at++] = column.tsAt(0);
      last.push(column.lastTs, column.valueAt(column.length - 1));
    }
    return { series, firstTs, last: last.packed() };
  }

  /** A copy of all, in the order of day, series and time. Nothing may be inserted between the steps. */
  *packed(): Steps<FoldedSamples> {
    const series = new Int32Array(this.#size);
    const samples = { ts: new Float64Array(this.#size), numbers: new Float64Array(this.#size), texts: [] };
    const runs = this.#runsOfDays();
    yield;
    let at = 0;
    let stepEnd = PACKED_AT_ONCE;
    for (const day of [...runs.keys()].sort((a, b) => a - b)) {
      for (const { number, column, from, to } of runs.get(day)!) {
        series.fill(number, at, at + to - from);
        column.copy(from, to, samples, at);
        at += to - from;
        if (at < stepEnd) continue;
        yield;
        stepEnd = at + PACKED_AT_ONCE;
      }
    }
    return { series, samples };
  }

  /** Where the samples of each day stand, in the order of series. */
  #runsOfDays(): Map<Day, Run[]> {
    const runs = new Map<Day, Run[]>();
    for (const number of [...this.#columns.keys()].sort((a, b) => a - b)) {
      const column = this.#columns.get(number)!;
      for (let from = 0; from < column.length; ) {
        const day = dayOf(column.tsAt(from));
        const to = column.lowerBound((day + 1) * DAY_MICROS);
        const ofDay = runs.get(day);
        if (ofDay === undefined) runs.set(day, [{ number, column, from, to }]);
        else ofDay.push({ number, column, from, to });
        from = to;
      }
    }
    return runs;
  }

  /** A copy of the oldest `limit` samples in the span. */
  slice(series: SeriesNumber, span: Span, limit: number): SampleColumns {
    const column = this.#columns.get(series);
    if (column === undefined) return EMPTY;
    const from = column.lowerBound(span.start);
    return column.slice(from, Math.max(from, Math.min(column.lowerBound(span.end), from + limit)));
  }

  /** The newest sample before a time whose value is one of these, as a column of one or none. */
  before(series: SeriesNumber, ts: Micros, isOne: (value: Value) => boolean = () => true): SampleColumns {
    const column = this.#columns.get(series);
    if (column === undefined) return EMPTY;
    let at = column.lowerBound(ts);
    while (at > 0 && !isOne(column.valueAt(at - 1))) at--;
    return at === 0 ? EMPTY : column.slice(at - 1, at);
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
