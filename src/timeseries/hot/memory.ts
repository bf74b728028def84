import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { SamplePacker } from "./columns.ts";
import { DAY_MICROS, type Day, dayOf } from "./day.ts";
import type { FoldedRanges, FoldedSamples } from "./fold.ts";

/**
 * Ascending by time, each time once. Numbers stand by themselves, since V8 keeps an array of nothing else as plain
 * doubles: one text among them, and each number would be an object.
 */
interface Column {
  readonly ts: Micros[];
  /** NaN, which no sample is: the value is the text of that time. */
  readonly numbers: number[];
  /** What is no number; undefined as long as there is none. */
  texts: Texts | undefined;
}

interface Texts {
  readonly ts: Micros[];
  readonly values: (string | null)[];
}

/** Samples of one series that stand side by side. */
interface Run {
  readonly number: SeriesNumber;
  readonly column: Column;
  readonly from: number;
  readonly to: number;
}

const EMPTY: SampleColumns = { ts: [], values: [] };

/** The index of the first of ascending numbers that is not before `ts`. */
export function lowerBound(times: readonly number[], ts: number): number {
  let low = 0;
  let high = times.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < ts) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The samples between two folds: what the log holds and what waits to get there. */
export class Generation {
  readonly #columns = new Map<SeriesNumber, Column>();
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
    const number = typeof value === "number" ? value : Number.NaN;
    if (column === undefined) {
      const texts = typeof value === "number" ? undefined : { ts: [ts], values: [value] };
      this.#columns.set(series, { ts: [ts], numbers: [number], texts });
    } else if (ts > column.ts[column.ts.length - 1]!) {
      column.ts.push(ts);
      column.numbers.push(number);
      if (typeof value !== "number") addText(column, ts, value);
    } else {
      const at = lowerBound(column.ts, ts);
      if (column.ts[at] === ts) return false;
      column.ts.splice(at, 0, ts);
      column.numbers.splice(at, 0, number);
      if (typeof value !== "number") addText(column, ts, value);
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
    const times = this.#columns.get(series)?.ts;
    return times !== undefined && times[lowerBound(times, ts)] === ts;
  }

  /** The oldest time and the newest sample of each series. */
  ranges(): FoldedRanges {
    const series = new Int32Array(this.#columns.size);
    const firstTs = new Float64Array(this.#columns.size);
    const last = new SamplePacker(Math.max(1, this.#columns.size));
    let at = 0;
    for (const [number, column] of this.#columns) {
      const { ts } = column;
      series[at] = number;
      firstTs[at++] = ts[0]!;
      last.push(ts[ts.length - 1]!, valueAt(column, ts.length - 1));
    }
    return { series, firstTs, last: last.packed() };
  }

  /** A copy of all, in the order of day, series and time. */
  packed(): FoldedSamples {
    const series = new Int32Array(this.#size);
    const ts = new Float64Array(this.#size);
    const numbers = new Float64Array(this.#size);
    const texts: (string | null)[] = [];
    const runs = this.#runsOfDays();
    let at = 0;
    for (const day of [...runs.keys()].sort((a, b) => a - b)) {
      for (const { number, column, from, to } of runs.get(day)!) {
        for (let i = from; i < to; i++, at++) {
          series[at] = number;
          ts[at] = column.ts[i]!;
          numbers[at] = column.numbers[i]!;
        }
        if (column.texts !== undefined) addTextsOf(column.texts, column.ts[from]!, column.ts[to - 1]!, texts);
      }
    }
    return { series, samples: { ts, numbers, texts } };
  }

  /** Where the samples of each day stand, in the order of series. */
  #runsOfDays(): Map<Day, Run[]> {
    const runs = new Map<Day, Run[]>();
    for (const number of [...this.#columns.keys()].sort((a, b) => a - b)) {
      const column = this.#columns.get(number)!;
      for (let from = 0; from < column.ts.length; ) {
        const day = dayOf(column.ts[from]!);
        const to = lowerBound(column.ts, (day + 1) * DAY_MICROS);
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
    const from = lowerBound(column.ts, span.start);
    const to = Math.min(lowerBound(column.ts, span.end), from + limit);
    if (to <= from) return EMPTY;
    return { ts: column.ts.slice(from, to), values: valuesOf(column, from, to) };
  }

  /** The newest sample before a time whose value is one of these, as a column of one or none. */
  before(series: SeriesNumber, ts: Micros, isOne: (value: Value) => boolean = () => true): SampleColumns {
    const column = this.#columns.get(series);
    if (column === undefined) return EMPTY;
    let at = lowerBound(column.ts, ts);
    while (at > 0 && !isOne(valueAt(column, at - 1))) at--;
    if (at === 0) return EMPTY;
    return { ts: [column.ts[at - 1]!], values: [valueAt(column, at - 1)] };
  }
}

function addText(column: Column, ts: Micros, value: string | null): void {
  column.texts ??= { ts: [], values: [] };
  const { ts: times, values } = column.texts;
  if (times.length === 0 || ts > times[times.length - 1]!) {
    times.push(ts);
    values.push(value);
  } else {
    const at = lowerBound(times, ts);
    times.splice(at, 0, ts);
    values.splice(at, 0, value);
  }
}

function addTextsOf({ ts, values }: Texts, first: Micros, last: Micros, texts: (string | null)[]): void {
  for (let at = lowerBound(ts, first); at < ts.length && ts[at]! <= last; at++) texts.push(values[at]!);
}

function valueAt({ ts, numbers, texts }: Column, at: number): Value {
  const number = numbers[at]!;
  return Number.isNaN(number) ? texts!.values[lowerBound(texts!.ts, ts[at]!)]! : number;
}

function valuesOf({ ts, numbers, texts }: Column, from: number, to: number): Value[] {
  const values: Value[] = numbers.slice(from, to);
  if (texts === undefined) return values;
  let next = lowerBound(texts.ts, ts[from]!);
  for (let i = 0; i < values.length; i++) if (Number.isNaN(values[i])) values[i] = texts.values[next++]!;
  return values;
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
