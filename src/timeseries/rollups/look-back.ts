import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { SampleReader } from "../../domain/store.ts";
import { DAY_MICROS } from "../../lib/calendar.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { isNumber, type SeriesKind } from "./accumulate.ts";
import type { Found, SeriesQuestion } from "./aggregate.ts";
import type { Course } from "./course.ts";
import type { WhatIsLeft } from "./what-is-left.ts";

/** Samples before the first bucket that are asked for one by one to find a number; then days are read whole. */
const LOOK_BACK_MAX = 100;

export interface LookBackOptions {
  /** Days that have a table, ascending. */
  readonly tables: () => readonly Day[];
  /** Whether any samples of the day are kept elsewhere than in its table and in memory. */
  readonly isArchived: (day: Day) => boolean;
  readonly memory: { before(series: SeriesNumber, ts: Micros, isOne?: (value: Value) => boolean): SampleColumns };
  readonly kind: (series: SeriesNumber) => SeriesKind;
  /** Samples of all tiers. */
  readonly read: SampleReader["read"];
  /** All samples of a span, of whatever tier. */
  readonly readWhole: (series: SeriesNumber, span: Span) => Promise<ReadColumns>;
  readonly whatIsLeft: WhatIsLeft;
}

/** What came before a question's first bucket, as far as the thread that reads does not find it in the file. */
export type LookBack = (
  series: SeriesNumber,
  course: Course,
) => Promise<Pick<SeriesQuestion, "before" | "numberBefore">>;

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
    return lastNumber(series, inMemory.ts + 1, course);
  }

  /** The newest sample before a time, in any tier. */
  async function lookBack(series: SeriesNumber, start: Micros): Promise<Found | undefined> {
    const [page] = await options.read([{ series, start, end: start, includeStart: true, limit: 0 }]);
    return found(page!);
  }

  /**
   * The newest number before a time, as far as neither rollups nor the tables of days that are not archived have it: the
   * thread that reads looks into those. A meter may have said nothing but "unavailable" for a day.
   */
  async function lastNumber(series: SeriesNumber, start: Micros, course: Course): Promise<Found | undefined> {
    const isOne = isNumberOf(series);
    let before = start;
    for (let tries = 0; tries < LOOK_BACK_MAX; tries++) {
      const sample = await lookBack(series, before);
      if (sample === undefined || isOne(sample.value)) return sample;
      before = sample.ts;
    }
    const inMemory = found(memory.before(series, before, isOne));
    const known = inMemory && (await lastNumber(series, inMemory.ts + 1, course));
    for (const day of course.archivedBefore) {
      if (known !== undefined && day < dayOf(known.ts)) break;
      const end = Math.min(before, (day + 1) * DAY_MICROS);
      if (end <= day * DAY_MICROS) continue;
      const { ts, values, warnings = [] } = await options.readWhole(series, { start: day * DAY_MICROS, end });
      for (const warning of warnings) course.warnings.add(warning);
      const last = values.findLastIndex(isOne);
      if (last >= 0) return { ts: ts[last]!, value: values[last]! };
    }
    return known;
  }

  /** Whether it came late to a day of which a rule dropped what was added up: then the rollups know what is in force. */
  async function isLeftOver(series: SeriesNumber, sample: Found): Promise<boolean> {
    const day = dayOf(sample.ts);
    if (!options.isArchived(day)) return false;
    const span = { start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS };
    return (await options.whatIsLeft(series, span)).dropped.length > 0;
  }

  return async (series, course) => {
    const start = course.question.borders[0]!;
    if (course.archivedBefore.length > 0) {
      const before = await lookBack(series, start);
      if (before && (await isLeftOver(series, before))) return { before: undefined, numberBefore: undefined };
      return { before, numberBefore: await lastNumber(series, start, course) };
    }
    const inMemory = found(memory.before(series, start, isNumberOf(series)));
    return { before: found(memory.before(series, start)), numberBefore: await unshadowed(series, inMemory, course) };
  };
}

function found({ ts, values }: SampleColumns): Found | undefined {
  return ts.length === 0 ? undefined : { ts: ts[0]!, value: values[0]! };
}
