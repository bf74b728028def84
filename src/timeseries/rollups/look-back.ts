import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { SampleReader } from "../../domain/store.ts";
import { DAY_MICROS } from "../../lib/calendar.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { isNumber, type SeriesKind } from "./accumulate.ts";
import type { Found, SeriesQuestion } from "./aggregate.ts";
import type { Course } from "./course.ts";
import { cycleOf } from "./cycles.ts";
import type { DaysRequest } from "./hours.ts";
import type { WhatIsLeft } from "./what-is-left.ts";

export interface LookBackOptions {
  /** Days that have a table, ascending. */
  readonly tables: () => readonly Day[];
  /** Whether any samples of the day are kept elsewhere than in its table and in memory. */
  readonly isArchived: (day: Day) => boolean;
  readonly memory: {
    /** The days of its samples, some of them maybe more than once. */
    days(): readonly Day[];
    within(series: SeriesNumber, span: Span): SampleColumns;
    before(series: SeriesNumber, ts: Micros, isOne?: (value: Value) => boolean): SampleColumns;
  };
  readonly kind: (series: SeriesNumber) => SeriesKind;
  /** Samples of all tiers. */
  readonly read: SampleReader["read"];
  /** All samples of a span, of whatever tier. */
  readonly readWhole: (series: SeriesNumber, span: Span) => Promise<ReadColumns>;
  readonly whatIsLeft: WhatIsLeft;
  readonly reader: { daysWithHours(request: DaysRequest): Promise<readonly Day[]> };
}

/** What came before a question's first bucket, as far as the thread that reads does not find it in the file. */
export interface LookBack {
  of(series: SeriesNumber, course: Course): Promise<Pick<SeriesQuestion, "before" | "numberBefore">>;
  /** Of a total's `last_reset` the one that tells the cycle of its last number, of days whose rollups may not know it. */
  cycle(series: SeriesNumber, resets: SeriesNumber, course: Course): Promise<Found | undefined>;
}

export function createLookBack(options: LookBackOptions): LookBack {
  const { memory, tables } = options;

  function isNumberOf(series: SeriesNumber): (value: Value) => boolean {
    const kind = options.kind(series);
    return (value) => isNumber(kind, value);
  }

  /** The number found in memory, or an older one where a day table had another value at that time before. */
  async function unshadowed(
    series: SeriesNumber,
    inMemory: Found | undefined,
    course: Course,
  ): Promise<Found | undefined> {
    if (inMemory === undefined || !tables().includes(dayOf(inMemory.ts))) return inMemory;
    return lastNumber(series, await lookBack(series, inMemory.ts + 1), [], course);
  }

  /** The newest sample before a time, in any tier. */
  async function lookBack(series: SeriesNumber, start: Micros): Promise<Found | undefined> {
    const [page] = await options.read([{ series, start, end: start, includeStart: true, limit: 0 }]);
    return found(page!);
  }

  /**
   * The newest number up to a sample, as far as neither rollups nor the tables of days that are not archived have it: the
   * thread that reads looks into those. A meter may have said nothing but "unavailable" for a day, and a lamp never says
   * a number: so what is left is looked for by the day, not by the sample.
   */
  async function lastNumber(
    series: SeriesNumber,
    sample: Found | undefined,
    days: readonly Day[],
    course: Course,
  ): Promise<Found | undefined> {
    const isOne = isNumberOf(series);
    if (sample === undefined || isOne(sample.value)) return sample;
    const inMemory = found(memory.before(series, sample.ts, isOne));
    const known = inMemory && (await lastNumber(series, await lookBack(series, inMemory.ts + 1), days, course));
    for (const day of days) {
      if (known !== undefined && day < dayOf(known.ts)) break;
      const { start, end } = spanOf(day);
      if (sample.ts <= start) continue;
      const { ts, values, warnings = [] } = await options.readWhole(series, { start, end: Math.min(sample.ts, end) });
      for (const warning of warnings) course.warnings.add(warning);
      const last = values.findLastIndex(isOne);
      if (last >= 0) return { ts: ts[last]!, value: values[last]! };
    }
    return known;
  }

  /** Days before the start, the newest first, whose rollups lack samples of this very series, or may. */
  function lackedBefore(series: SeriesNumber, { archivedBefore }: Course): Day[] {
    return archivedBefore.flatMap(({ day, lacksMemoryAlone }) =>
      lacksMemoryAlone && memory.within(series, spanOf(day)).ts.length === 0 ? [] : [day],
    );
  }

  /**
   * Whether rollups know what is in force since a sample, or a later one that is gone: it is on a day that is added up, or
   * came late to one of which a rule dropped what was.
   */
  async function isKnownToRollups(series: SeriesNumber, { ts }: Found, lacked: readonly Day[]): Promise<boolean> {
    const day = dayOf(ts);
    if (!options.isArchived(day)) return false;
    if (lacked.includes(day)) return (await options.whatIsLeft(series, spanOf(day))).dropped.length > 0;
    return (await options.reader.daysWithHours({ series: [series], days: [day] })).length > 0;
  }

  /** Days before the start, the newest first, whose rollups lack samples of a total or of its `last_reset`, or may. */
  function daysLacked(series: SeriesNumber, resets: SeriesNumber, course: Course): Day[] {
    const { borders, daysBefore } = course.question;
    const inMemory = memory.days().filter((day) => day * DAY_MICROS < borders[0]! && !options.isArchived(day));
    const archived = [series, resets].flatMap((one) => lackedBefore(one, course));
    return [...new Set([...inMemory, ...daysBefore, ...archived])].sort((a, b) => b - a);
  }

  /** What tells the cycle of the last number of a span within a UTC day. */
  async function cycleWithin(
    series: SeriesNumber,
    resets: SeriesNumber,
    span: Span,
    course: Course,
  ): Promise<Found | undefined> {
    const read = async (one: SeriesNumber, start: Micros): Promise<ReadColumns> => {
      const columns = await options.readWhole(one, { ...span, start });
      for (const warning of columns.warnings ?? []) course.warnings.add(warning);
      return columns;
    };
    const { ts, values } = await read(resets, span.start);
    const first = values.findIndex(isCycle);
    if (first < 0) return undefined;
    const numbers = await read(series, ts[first]!);
    const until = numbers.ts[numbers.values.findLastIndex(isNumberOf(series))];
    if (until === undefined) return undefined;
    const last = values.findLastIndex((value, i) => ts[i]! <= until && isCycle(value));
    return { ts: ts[last]!, value: values[last]! };
  }

  return {
    async of(series, course) {
      const start = course.question.borders[0]!;
      const days = lackedBefore(series, course);
      if (days.length > 0) {
        const before = await lookBack(series, start);
        const numberBefore = await lastNumber(series, before, days, course);
        if (before === undefined || !(await isKnownToRollups(series, before, days))) return { before, numberBefore };
        return { before: undefined, numberBefore: numberBefore === before ? undefined : numberBefore };
      }
      const inMemory = found(memory.before(series, start, isNumberOf(series)));
      return { before: found(memory.before(series, start)), numberBefore: await unshadowed(series, inMemory, course) };
    },

    async cycle(series, resets, course) {
      const start = course.question.borders[0]!;
      let before: Found | undefined;
      for (const day of daysLacked(series, resets, course)) {
        const span = { ...spanOf(day), end: Math.min(start, spanOf(day).end) };
        // Archived days may be many, of which few have any.
        if (options.isArchived(day)) {
          if (before === undefined || before.ts >= span.end) before = (await lookBack(resets, span.end)) ?? NEVER;
          if (before.ts < span.start) continue;
        }
        const found = await cycleWithin(series, resets, span, course);
        if (found !== undefined) return found;
      }
      return undefined;
    },
  };
}

const NEVER: Found = { ts: Number.NEGATIVE_INFINITY, value: null };
const isCycle = (value: Value): boolean => cycleOf(value) !== undefined;

function spanOf(day: Day): Span {
  return { start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS };
}

function found({ ts, values }: SampleColumns): Found | undefined {
  return ts.length === 0 ? undefined : { ts: ts[0]!, value: values[0]! };
}
