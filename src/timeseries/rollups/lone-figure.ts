import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { isNumber, NOTHING } from "./accumulate.ts";
import {
  type AggregateRequest,
  carriedOver,
  endOf,
  numberInto,
  partsWithin,
  type SeriesQuestion,
  samplesOf,
} from "./aggregate.ts";
import { eachCount, eachMean, type Prepare } from "./hours.ts";
import { hoursBeside, inOrderWithHours } from "./hours-beside.ts";
import type { Stretch } from "./plan.ts";
import { betweenSummaries, silencesWithin } from "./silences.ts";

/**
 * Means and counts by themselves: what most charts are drawn from. They take few columns of the rollups and make no
 * objects, which is most of the time that all figures take. Runs in the thread that reads.
 */

/** Means of buckets, of the rows one after the other. NaN: no number was in force. */
export interface MeanColumns {
  readonly means: Float64Array<ArrayBuffer>;
  /** Microseconds during which a number was in force. */
  readonly weights: Float64Array<ArrayBuffer>;
}

export function meansOf(prepare: Prepare, request: AggregateRequest): MeanColumns {
  const buckets = request.borders.length - 1;
  const rows = request.rows ?? request.series.length;
  const integrals = new Float64Array(rows * buckets);
  const weights = new Float64Array(rows * buckets);
  for (const [i, question] of request.series.entries()) {
    const own = request.rows === null ? [i] : question.rows;
    walkMeans(prepare, request, question, (bucket, weight, integral) => {
      for (const row of own) {
        integrals[row * buckets + bucket]! += integral;
        weights[row * buckets + bucket]! += weight;
      }
    });
  }
  return { means: integrals.map((integral, i) => integral / weights[i]!), weights };
}

/** What a mean takes of a part of a day. */
const MEAN_COLUMNS = "start + first_offset, mean, weight, iif(state IS NULL, last, NULL)";

type MeanRow = [firstTs: Micros, mean: number | null, weight: number | null, atEnd: number | null];

function walkMeans(
  prepare: Prepare,
  request: AggregateRequest,
  question: SeriesQuestion,
  close: (bucket: number, weight: number, integral: number) => void,
): void {
  const { borders, until, cuts } = request;
  let bucket = 0;
  let at = borders[0]!;
  /** The number in force, NaN where there is none. */
  let number = numberInto(prepare, request, question);
  let weight = 0;
  let integral = 0;
  const advance = (ts: Micros): void => {
    if (ts > at && !Number.isNaN(number)) {
      weight += ts - at;
      integral += number * (ts - at);
    }
    at = Math.max(at, ts);
  };
  const end = (): void => {
    advance(Math.min(borders[bucket + 1]!, Math.max(until, borders[bucket]!)));
    close(bucket, weight, integral);
    weight = 0;
    integral = 0;
    // A row may have been passed that lies across the border.
    at = Math.max(at, borders[++bucket]!);
  };
  const reach = (ts: Micros, value: Value): void => {
    while (ts >= borders[bucket + 1]!) end();
    advance(ts);
    number = isNumber(question.kind, value) ? value : Number.NaN;
  };
  const silence = (ts: Micros): void => reach(ts, null);
  /** What was added up before. NaN stands for null. */
  const pass = (firstTs: Micros, rowEnd: Micros, mean: number, held: number, atEnd: number): void => {
    while (firstTs >= borders[bucket + 1]!) end();
    advance(firstTs);
    at = rowEnd;
    if (!Number.isNaN(mean)) {
      const micros = Number.isNaN(held) ? at - firstTs : held;
      weight += micros;
      integral += mean * micros;
    }
    number = atEnd;
  };
  for (const stretch of question.stretches ?? request.stretches) {
    const silences = question.isState ? silencesWithin(request.silences, stretch) : [];
    if (stretch.from === "samples" || stretch.from === "archive") {
      const samples = samplesOf(prepare, request, question, stretch);
      const hours = hoursBeside(prepare, request, question.number, stretch, { samples, silences });
      inOrderWithHours({ samples, silences, hours }, reach, silence, ([start, , , mean]) =>
        pass(start, start + HOUR_MICROS, mean ?? Number.NaN, Number.NaN, Number.NaN),
      );
      continue;
    }
    if (stretch.from === "too coarse") {
      const before = { ...NOTHING, value: Number.isNaN(number) ? undefined : number };
      reach(stretch.end, carriedOver(prepare, request, question, stretch, before).value ?? null);
      continue;
    }
    const between = betweenSummaries(silences, silence);
    const summary = (firstTs: Micros, mean: number, held: number, atEnd: number): void => {
      const rowEnd = endOf(stretch, firstTs, cuts);
      between.before(firstTs, rowEnd);
      pass(firstTs, rowEnd, mean, held, atEnd);
    };
    if (stretch.from === "hours") {
      eachMean(prepare, question.number, stretch, summary);
    } else {
      for (const [firstTs, mean, held, atEnd] of partsWithin<MeanRow>(
        prepare,
        MEAN_COLUMNS,
        question.number,
        stretch,
      )) {
        summary(firstTs, mean ?? Number.NaN, held ?? Number.NaN, atEnd ?? Number.NaN);
      }
    }
    between.rest();
  }
  while (bucket < borders.length - 1) end();
}

export interface CountRequest extends Pick<AggregateRequest, "borders" | "rows" | "stretches" | "days"> {
  readonly series: readonly Pick<SeriesQuestion, "number" | "stretches" | "memory" | "rows">[];
}

/** Counts of buckets, of the rows one after the other. */
export function countsOf(prepare: Prepare, request: CountRequest): Float64Array<ArrayBuffer> {
  const buckets = request.borders.length - 1;
  const counts = new Float64Array((request.rows ?? request.series.length) * buckets);
  for (const [i, question] of request.series.entries()) {
    for (const stretch of question.stretches ?? request.stretches) {
      if (stretch.from === "too coarse") continue;
      const offsets = (request.rows === null ? [i] : question.rows).map((row) => row * buckets);
      const add = adder(counts, offsets, request.borders);
      if (stretch.from === "samples" || stretch.from === "archive") {
        for (const ts of samplesOf(prepare, request, question, stretch).ts) add(ts, 1);
      } else if (stretch.from === "hours") {
        eachCount(prepare, question.number, stretch, add);
      } else {
        const rows = partsWithin<[Micros, number]>(prepare, "start, count", question.number, stretch);
        for (const [start, count] of rows) add(start, count);
      }
    }
  }
  return counts;
}

export interface DayCountRequest extends Pick<AggregateRequest, "borders"> {
  readonly series: readonly SeriesNumber[];
  /** Of days that are answered from `rollup_day`. */
  readonly stretch: Stretch;
}

/**
 * Counts of buckets of all these series together. Read from an index that has the days of all series beside each other:
 * as many pages as the span has days, however many other days there are, instead of some for each series.
 */
export function dayCountsOf(
  prepare: Prepare,
  { borders, series, stretch }: DayCountRequest,
): Float64Array<ArrayBuffer> {
  const counts = new Float64Array(borders.length - 1);
  const add = adder(counts, [0], borders);
  const rows: unknown[] = prepare(
    `SELECT start, sum(count) FROM rollup_day INDEXED BY rollup_day_by_start
     WHERE start >= ? AND start < ? AND series IN (SELECT value FROM json_each(?)) GROUP BY start ORDER BY start`,
  ).all(stretch.start, stretch.end, JSON.stringify(series));
  for (const [start, count] of rows as [Micros, number][]) add(start, count);
  return counts;
}

/** Adds to the bucket of a time, in each of the rows that begin there; times ascend. */
function adder(
  counts: Float64Array,
  offsets: readonly number[],
  borders: Float64Array,
): (ts: Micros, count: number) => void {
  let bucket = 0;
  return (ts, count) => {
    while (ts >= borders[bucket + 1]!) bucket++;
    for (const offset of offsets) counts[offset + bucket]! += count;
  };
}
