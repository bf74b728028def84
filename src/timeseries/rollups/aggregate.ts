import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type PackedSamples, unpackSamples } from "../hot/columns.ts";
import { DAY_MICROS, type Day, dayOf, tableOfDay } from "../hot/day.ts";
import { daysWithin } from "../hot/days.ts";
import { merge } from "../hot/memory.ts";
import { type Carried, isNumber, NOTHING, type SeriesKind, Tally, Walk } from "./accumulate.ts";
import { CycleReader, type Cycles, cycleOf } from "./cycles.ts";
import { type FigureColumns, packFigures } from "./figures.ts";
import {
  hoursWithin,
  lastCycleWithin,
  lastNumberWithin,
  lastStatisticsDay,
  type NewestHour,
  newestHour,
  type Prepare,
} from "./hours.ts";
import { hoursBeside, inOrderWithHours } from "./hours-beside.ts";
import { fromMidnight, type Stretch } from "./plan.ts";
import { fromRow, fromSql, ROLLUP_COLUMNS, type RollupRow, type SqlRow } from "./row.ts";
import { SHORTENED_VALUE } from "./shortened.ts";
import { betweenSummaries, type Silences, silencesWithin } from "./silences.ts";

/** A sample that was found by itself. */
export interface Found {
  readonly ts: Micros;
  readonly value: Value;
}

export interface SeriesQuestion {
  readonly number: SeriesNumber;
  readonly kind: SeriesKind;
  /** The state of an entity: silences end what is in force. */
  readonly isState: boolean;
  /** Where they are others than the request's. */
  readonly stretches: readonly Stretch[] | null;
  /** Of stretches from samples what day tables do not have, of those from the archive everything; null: nothing. */
  readonly memory: PackedSamples | null;
  /** In memory: the last sample before the first border, and the last number. */
  readonly before: Found | undefined;
  readonly numberBefore: Found | undefined;
  /** Null: it is no total that has any, or nobody asks for its changes. */
  readonly resets: ResetsQuestion | null;
  /** The rows of the answer to which it is added; of a request without groups none. */
  readonly rows: readonly number[];
}

/** The `last_reset` beside a total. */
export interface ResetsQuestion {
  readonly number: SeriesNumber;
  /** As the total's, from the UTC midnight before. */
  readonly memory: PackedSamples | null;
  /** The one that tells the cycle of the last number before the first border, of days whose rollups lack any samples. */
  readonly before: Found | undefined;
}

/** A question to the file, for some of the series of a StatisticsRequest. */
export interface AggregateRequest {
  readonly series: readonly SeriesQuestion[];
  readonly borders: Float64Array;
  /** Those of them across which no hour may lie. */
  readonly firmBorders: Float64Array;
  readonly until: Micros;
  /** How many rows the answer has to which series are added; null: one for each series. */
  readonly rows: number | null;
  readonly stretches: readonly Stretch[];
  /** Ascending: those within the borders, and the last one before them. */
  readonly silences: Silences;
  /** Midnights of the home within the borders, ascending: where the rows of `rollup_day` are cut. */
  readonly cuts: readonly Micros[];
  /**
   * Days that have a table, ascending; those in which a value before the first border is looked for, newest first: all
   * whose rollups lack any of their samples, so that what is found there is newer than any rollup of the same day.
   */
  readonly days: readonly Day[];
  readonly daysBefore: readonly Day[];
}

/** Adds up samples and rollups of the file, and what is in memory. Runs in the thread that reads. */
export function aggregate(prepare: Prepare, request: AggregateRequest): FigureColumns {
  const { borders, until } = request;
  const buckets = borders.length - 1;
  if (request.rows !== null) {
    const tallies = Array.from({ length: request.rows * buckets }, () => new Tally());
    for (const question of request.series) {
      walkSeries(prepare, request, question, (bucket, tally) => {
        const figures = tally.figures();
        if (figures !== null) for (const row of question.rows) tallies[row * buckets + bucket]!.add(figures);
      });
    }
    return packFigures(tallies);
  }
  const tallies: (Tally | undefined)[] = new Array(request.series.length * buckets);
  for (const [i, question] of request.series.entries()) {
    walkSeries(prepare, request, question, (bucket, tally) => {
      if (borders[bucket]! < until) tallies[i * buckets + bucket] = tally;
    });
  }
  return packFigures(tallies);
}

type Close = (bucket: number, tally: Tally) => void;

function walkSeries(prepare: Prepare, request: AggregateRequest, question: SeriesQuestion, close: Close): void {
  const { borders, until } = request;
  const walk = new Walk(question.kind, carriedInto(prepare, request, question));
  let bucket = 0;
  const end = (): void => close(bucket, walk.end(Math.min(borders[bucket + 1]!, Math.max(until, borders[bucket]!))));
  const reach = (ts: Micros): void => {
    while (ts >= borders[bucket + 1]!) {
      end();
      walk.begin(borders[++bucket]!);
    }
  };
  walk.begin(borders[0]!);
  const silence = (ts: Micros): void => {
    reach(ts);
    walk.silence(ts);
  };
  const pass = (row: RollupRow, end = row[0] + HOUR_MICROS): void => {
    reach(row[0]);
    const item = fromRow(row, end);
    if ("firstTs" in item) walk.summary(item);
    else walk.foreign(item);
  };
  for (const stretch of question.stretches ?? request.stretches) {
    const silences = question.isState ? silencesWithin(request.silences, stretch) : [];
    if (stretch.from === "samples" || stretch.from === "archive") {
      const cycles =
        question.resets && new CycleReader(samplesOf(prepare, request, question.resets, fromMidnight(stretch)));
      const sample = (ts: Micros, value: Value): void => {
        reach(ts);
        walk.sample(ts, value, cycles !== null && isNumber(question.kind, value) ? cycles.ofNumberAt(ts) : undefined);
      };
      const samples = samplesOf(prepare, request, question, stretch);
      const hours = hoursBeside(prepare, request, question.number, stretch, { samples, silences });
      inOrderWithHours({ samples, silences, hours }, sample, silence, pass);
    } else if (stretch.from === "too coarse") {
      reach(stretch.end);
      walk.carry(stretch.end, carriedOver(prepare, request, question, stretch, walk.carried));
    } else {
      const between = betweenSummaries(silences, silence);
      const rows =
        stretch.from === "hours"
          ? hoursWithin(prepare, question.number, stretch)
          : partsWithin<SqlRow>(prepare, ROLLUP_COLUMNS, question.number, stretch).map(fromSql);
      for (const row of rows) {
        const end = endOf(stretch, row[0], request.cuts);
        between.before(row[0], end);
        pass(row, end);
      }
      between.rest();
    }
  }
  for (; bucket < borders.length - 1; bucket++) {
    end();
    walk.begin(borders[bucket + 1]!);
  }
}

/** The end of what a row says that lies in this stretch and has a sample, or its start, at `ts`. */
export function endOf(stretch: Stretch, ts: Micros, cuts: readonly Micros[]): Micros {
  if (stretch.from === "hours") return (Math.floor(ts / HOUR_MICROS) + 1) * HOUR_MICROS;
  const midnight = (dayOf(ts) + 1) * DAY_MICROS;
  return Math.min(midnight, cuts[lowerBound(cuts, ts + 1)] ?? midnight);
}

/** These columns of a series' parts of days, ascending; handing over all of them takes longer than all the rest. */
export function partsWithin<Row>(prepare: Prepare, columns: string, series: SeriesNumber, span: Span): Row[] {
  const rows: unknown[] = prepare(
    `SELECT ${columns} FROM rollup_day WHERE series = ? AND start >= ? AND start < ? ORDER BY start`,
  ).all(series, span.start, span.end);
  return rows as Row[];
}

type SampleRow = [Micros, Value];

/** The samples of a series in a stretch that is answered from them, long texts of day tables cut. */
export function samplesOf(
  prepare: Prepare,
  { days }: Pick<AggregateRequest, "days">,
  { number, memory }: Pick<SeriesQuestion, "number" | "memory">,
  { from: tier, start, end }: Stretch,
): SampleColumns {
  const ts: Micros[] = [];
  const values: Value[] = [];
  for (const day of tier === "archive" ? [] : daysWithin(days, start, end)) {
    const rows = prepare(
      `SELECT ts, ${SHORTENED_VALUE} FROM ${tableOfDay(day)} WHERE series = ? AND ts >= ? AND ts < ? ORDER BY ts`,
    ).all(number, start, end) as unknown as SampleRow[];
    for (const row of rows) {
      ts.push(row[0]);
      values.push(row[1]);
    }
  }
  if (memory === null) return { ts, values };
  const inMemory = unpackSamples(memory);
  const from = lowerBound(inMemory.ts, start);
  const to = lowerBound(inMemory.ts, end);
  return merge({ ts, values }, { ts: inMemory.ts.slice(from, to), values: inMemory.values.slice(from, to) });
}

/** What is in force just before the first border, and the last number there was before it. */
export function carriedInto(prepare: Prepare, request: AggregateRequest, question: SeriesQuestion): Carried {
  const sample = newest(lastInDays(prepare, request, question.number, "TRUE"), question.before);
  const rolledUp = newestBefore(prepare, request, question.number);
  const fromSample = isNewer(sample, rolledUp);
  if (!fromSample && rolledUp === undefined) return NOTHING;
  const inForce = fromSample ? sample.value : valueAtEnd(rolledUp!);
  const value = isSilenced(request, question, fromSample ? sample.ts : rolledUp!.end - 1) ? undefined : inForce;
  const cycle = cycleInto(prepare, request, question);
  if (isNumber(question.kind, inForce)) return { value, number: inForce, cycle };
  const isOne = IS_NUMBER[question.kind];
  const number = newest(lastInDays(prepare, request, question.number, isOne), question.numberBefore);
  const rolled = rolledUp === undefined ? undefined : numberBefore(prepare, question.number, rolledUp);
  const newer = number !== undefined && (rolled === undefined || number.ts >= rolled.ts);
  return { value, number: (newer ? number : rolled)?.value as number | undefined, cycle };
}

/**
 * What is in force after a stretch that is too coarse, and the last number, where this is `before` it: its last hour knows
 * that, and where it has none nothing came.
 */
export function carriedOver(
  prepare: Prepare,
  { silences }: AggregateRequest,
  { number: series, isState, resets }: SeriesQuestion,
  { start, end }: Stretch,
  before: Carried,
): Carried {
  const hour = hourBefore(prepare, series, end);
  // The stretch may begin within the hour.
  const isWithin = hour !== undefined && hour.end > start;
  const inForce = isWithin ? valueAtEnd(hour) : before.value;
  const since = isWithin ? hour.end : start;
  const isSilent = isState && silencesWithin(silences, { start: since, end }).length > 0;
  const last = isWithin ? numberBefore(prepare, series, hour) : undefined;
  const number = last !== undefined && last.end > start ? last.value : before.number;
  const told = resets === null ? undefined : lastCycleWithin(prepare, series, { start: wholeHour(start), end });
  return { value: isSilent ? undefined : inForce, number, cycle: (told ?? before).cycle };
}

const spanOf = (day: Day): Span => ({ start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS });
const wholeHour = (ts: Micros): Micros => Math.floor(ts / HOUR_MICROS) * HOUR_MICROS;

/** The cycle of the last number before the first border. */
function cycleInto(
  prepare: Prepare,
  request: AggregateRequest,
  { number, resets }: SeriesQuestion,
): Micros | undefined {
  if (resets === null) return undefined;
  const rolled = cycleBefore(prepare, request, number);
  const { before } = resets;
  const since = rolled?.cycle === undefined ? rolled?.start : dayOf(rolled.start) * DAY_MICROS;
  const isSample = before !== undefined && (since === undefined || before.ts >= since);
  return isSample ? cycleOf(before.value) : rolled?.cycle;
}

/**
 * The cycle that rollups tell last before the first border, by hours on its day where no part ends there, and on days that
 * have some of Home Assistant's statistics.
 */
function cycleBefore(prepare: Prepare, { borders, cuts }: AggregateRequest, series: SeriesNumber) {
  const start = borders[0]!;
  const midnight = dayOf(start) * DAY_MICROS;
  const isCut = cuts.includes(start);
  const hour = isCut ? undefined : lastCycleWithin(prepare, series, { start: midnight, end: wholeHour(start) });
  if (hour !== undefined) return hour;
  const row = prepare(
    `SELECT start, cycles FROM rollup_day WHERE series = ? AND start < ? AND cycles IS NOT NULL
     ORDER BY start DESC LIMIT 1`,
  ).get(series, isCut ? start : midnight) as unknown as [Micros, string] | undefined;
  const day = lastStatisticsDay(prepare, series, row && dayOf(row[0]), dayOf(start));
  const beside = day === undefined ? undefined : lastCycleWithin(prepare, series, spanOf(day));
  return beside ?? (row && { start: row[0], cycle: (JSON.parse(row[1]) as Cycles).last });
}

/** The number that is in force just before the first border; NaN: none. Less work than all that is carried. */
export function numberInto(prepare: Prepare, request: AggregateRequest, question: SeriesQuestion): number {
  const sample = newest(lastInDays(prepare, request, question.number, "TRUE"), question.before);
  const rolledUp = newestBefore(prepare, request, question.number);
  if (isNewer(sample, rolledUp)) {
    return isNumber(question.kind, sample.value) && !isSilenced(request, question, sample.ts)
      ? sample.value
      : Number.NaN;
  }
  if (!rolledUp?.endsWithLast || isSilenced(request, question, rolledUp.end - 1)) return Number.NaN;
  return rolledUp.last;
}

/** An hour or a part of a day by itself: what it says of the time after it. */
interface RolledUp extends NewestHour {
  readonly end: Micros;
}

function isNewer(sample: Found | undefined, rolledUp: RolledUp | undefined): sample is Found {
  return sample !== undefined && (rolledUp === undefined || sample.ts >= rolledUp.start);
}

function valueAtEnd({ endsWithLast, last, state }: RolledUp): Value | undefined {
  if (endsWithLast) return Number.isNaN(last) ? null : last;
  const text = state();
  return typeof text === "string" ? text : text === null ? undefined : null;
}

/** Whether Home Assistant went down between a moment and the first border. */
function isSilenced({ silences, borders }: AggregateRequest, { isState }: SeriesQuestion, since: Micros): boolean {
  return isState && silences.some((silence) => silence > since && silence < borders[0]!);
}

/** As `isNumber`. Infinity is a real to SQLite, and no number here. */
const IS_NUMBER: Readonly<Record<SeriesKind, string>> = {
  plain: "typeof(value) IN ('integer', 'real') AND abs(value) < 9e999",
  meter: "typeof(value) IN ('integer', 'real') AND value >= 0 AND value < 9e999",
};

function lastInDays(prepare: Prepare, request: AggregateRequest, series: SeriesNumber, which: string) {
  for (const day of request.daysBefore) {
    const row = prepare(
      `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts < ? AND ${which} ORDER BY ts DESC LIMIT 1`,
    ).get(series, request.borders[0]!) as unknown as SampleRow | undefined;
    if (row !== undefined) return { ts: row[0], value: row[1] };
  }
  return undefined;
}

/** The newest hour that ended before the first border, or at it; within an hour the part of the day that ends there. */
function newestBefore(
  prepare: Prepare,
  { borders, cuts }: Pick<AggregateRequest, "borders" | "cuts">,
  series: SeriesNumber,
): RolledUp | undefined {
  const start = borders[0]!;
  const isWithinHour = start % HOUR_MICROS !== 0 && cuts.includes(start);
  return (isWithinHour ? partBefore(prepare, series, start) : undefined) ?? hourBefore(prepare, series, start);
}

function hourBefore(prepare: Prepare, series: SeriesNumber, start: Micros): RolledUp | undefined {
  const hour = newestHour(prepare, series, start - HOUR_MICROS);
  return hour && { ...hour, end: hour.start + HOUR_MICROS };
}

/** The part of a day that ends at a midnight of the home; undefined: nothing came in it. */
function partBefore(prepare: Prepare, series: SeriesNumber, end: Micros): RolledUp | undefined {
  const row = prepare(
    "SELECT start, last, state FROM rollup_day WHERE series = ? AND start >= ? AND start < ? ORDER BY start DESC LIMIT 1",
  ).get(series, dayOf(end) * DAY_MICROS, end) as unknown as PartEnd | undefined;
  if (row === undefined) return undefined;
  const [start, last, state] = row;
  return { start, end, last: last ?? Number.NaN, endsWithLast: state === null, state: () => state };
}

type PartEnd = [start: Micros, last: number | null, state: string | number | null];

/** A number that came at `ts` or later, and before `end`. */
interface RolledNumber {
  readonly ts: Micros;
  readonly end: Micros;
  readonly value: number;
}

/**
 * A text may be in force at its end: the last number is looked for by hours on its day, by days before it, and by hours
 * again on days that have some of Home Assistant's statistics.
 */
function numberBefore(
  prepare: Prepare,
  series: SeriesNumber,
  { start, end, last }: RolledUp,
): RolledNumber | undefined {
  if (!Number.isNaN(last)) return { ts: start, end, value: last };
  const midnight = dayOf(start) * DAY_MICROS;
  const part = prepare(
    "SELECT start, last FROM rollup_day WHERE series = ? AND start < ? AND last IS NOT NULL ORDER BY start DESC LIMIT 1",
  ).get(series, midnight) as unknown as [Micros, number] | undefined;
  const day = lastStatisticsDay(prepare, series, part && dayOf(part[0]), dayOf(start));
  const hour =
    lastNumberWithin(prepare, series, { start: midnight, end: start }) ??
    (day === undefined ? undefined : lastNumberWithin(prepare, series, spanOf(day)));
  if (hour !== undefined) return { ts: hour.start, end: hour.start + HOUR_MICROS, value: hour.last };
  return part && { ts: part[0], end: (dayOf(part[0]) + 1) * DAY_MICROS, value: part[1] };
}

/** Of two at one time the first. */
function newest(a: Found | undefined, b: Found | undefined): Found | undefined {
  if (a === undefined || b === undefined) return a ?? b;
  return a.ts >= b.ts ? a : b;
}
