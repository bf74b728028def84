import type { Micros, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { StatisticsRequest } from "../../domain/statistics.ts";
import { DAY_MICROS, HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { daysBefore, daysWithin } from "../hot/days.ts";
import type { AggregateRequest } from "./aggregate.ts";
import type { RolledDay } from "./build.ts";
import type { DaysRequest } from "./hours.ts";
import { type Loose, type Plan, plan, type Stretch, type Tiers } from "./plan.ts";
import { type Silences, silencesWithin } from "./silences.ts";

/** Series of one question to the thread that reads: others get their turn in between. */
export const SERIES_AT_ONCE = 64;

/** A question as it is planned and answered. */
export interface Question extends Omit<StatisticsRequest, "group"> {
  readonly groups: Groups | null;
  readonly loose: Loose;
}

/** Groups instead of single series: how many, and by series those to which it is added. */
export interface Groups {
  readonly count: number;
  readonly of: readonly (readonly number[])[];
}

/** What planning needs of the store. */
export interface CourseOptions {
  readonly rolled: ReadonlyMap<Day, RolledDay>;
  /** Days that have a table, ascending. */
  readonly tables: () => readonly Day[];
  /** Whether any samples of the day are kept elsewhere than in its table and in memory. */
  readonly isArchived: (day: Day) => boolean;
  readonly memory: {
    hasDay(day: Day): boolean;
    /** The days of its samples, some of them maybe more than once. */
    days(): readonly Day[];
  };
  /** All that are known, ascending. */
  readonly silences: () => Silences;
  readonly reader: { daysWithHours(request: DaysRequest): Promise<readonly Day[]> };
}

/** Days whose samples turned out to be unreadable while a question was answered, and why. */
export interface Unread {
  readonly days: Set<Day>;
  readonly warnings: Set<string>;
}

export interface ArchivedBefore {
  readonly day: Day;
  /** Its rollups lack nothing but what is in memory: of most series nothing. */
  readonly lacksMemoryAlone: boolean;
}

/** From where series are answered. */
export interface Way extends Plan {
  /** Buckets that lie, if only in part, where the kept figures are too coarse for them: nothing is known of them. */
  readonly unknown: ReadonlySet<number>;
}

/** How a question is answered. */
export interface Course {
  readonly question: Omit<AggregateRequest, "series" | "rows">;
  /** Days, the newest first, whose archived samples alone may know what is in force at the start. */
  readonly archivedBefore: readonly ArchivedBefore[];
  /** Of what is read for it. */
  readonly warnings: Set<string>;
  readonly unread: Unread;
  wayOf(series: SeriesNumber): Way;
  /** Whether a series goes another way than the question's. */
  isApart(series: SeriesNumber): boolean;
  /** Answers a series without the samples of these days, some of which were dropped. */
  goWithout(series: SeriesNumber, days: ReadonlySet<Day>): void;
  /** By row of the answer the buckets of which nothing is known of one of its series, or more. */
  unknown(): ReadonlySet<number>[];
  /**
   * Whether days that are answered by rollups were built since, maybe with parts that are cut elsewhere, or samples that
   * memory or a table had went where the question does not look for them: to another table, or to the archive.
   */
  isOutdated(): boolean;
  /** Those, and what is said of days that are left out. */
  allWarnings(): string[];
}

/** Plans how a question is answered. `unread`: what was found so far that cannot be read; more may come to it. */
export async function planCourse(options: CourseOptions, request: Question, unread: Unread): Promise<Course> {
  const { rolled, tables, isArchived, memory } = options;
  const { borders, until, groups, loose, byDays } = request;
  const start = borders[0]!;
  const end = borders[borders.length - 1]!;
  const relied = new Map<Day, RolledDay | undefined>();
  const tablesThen = new Set(tables());
  const notArchivedThen = [...tablesThen, ...memory.days()].filter((day) => day * DAY_MICROS < end && !isArchived(day));
  const apart = new Map<SeriesNumber, Way>();
  /** Of series that go apart, by the days: a rule dropped those of many series alike. */
  const ways = new Map<string, Way>();
  const warnings = new Set(unread.warnings);

  function wayWithout(dropped: ReadonlySet<Day>, withoutHours: ReadonlySet<Day>): Way {
    const withTable = new Set(daysWithin(tables(), start, end));
    const tiers: Tiers = {
      rolled,
      hasSamples: (day) => withTable.has(day) || isArchived(day),
      isArchived,
      isReadable: (day) => !unread.days.has(day),
      isDropped: (day) => dropped.has(day),
      inMemory: memory.hasDay,
      hasSilence: (day) =>
        silencesWithin(options.silences(), { start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS }).length > 0,
      hasHours: (day) => !withoutHours.has(day),
    };
    const planned = plan(borders, until, tiers, { loose, byDays });
    const tooCoarse = planned.stretches.filter(({ from }) => from === "too coarse");
    return { ...planned, unknown: bucketsWithin(borders, tooCoarse) };
  }

  /** Those of the days on which none of the series has hours: such a day needs not be left out. */
  async function daysWithoutHours(days: readonly Day[]): Promise<ReadonlySet<Day>> {
    const left = new Set(days);
    const { series } = request;
    for (let from = 0; from < series.length && left.size > 0; from += SERIES_AT_ONCE) {
      const asked = { series: series.slice(from, from + SERIES_AT_ONCE), days: [...left] };
      for (const day of await options.reader.daysWithHours(asked)) left.delete(day);
    }
    return left;
  }

  function rely(stretches: readonly Stretch[]): void {
    for (const { from, start, end } of stretches) {
      if (from !== "parts" && from !== "hours") continue;
      for (let day = dayOf(start); day * DAY_MICROS < end; day++) relied.set(day, rolled.get(day));
    }
  }

  /** Whether rollups of a day do not tell of its time before the start: they are to be built, or cut elsewhere. */
  function isNotAddedUp(day: Day): boolean {
    const cuts = rolled.get(day)?.cuts;
    return cuts == null || (day === dayOf(start) && start % HOUR_MICROS !== 0 && !cuts.includes(start));
  }

  /** Whether rollups of a day lack samples that came before the start. */
  function lacksRollups(day: Day): boolean {
    return isNotAddedUp(day) || memory.hasDay(day);
  }

  function archivedBefore(): ArchivedBefore[] {
    const days = new Set([...rolled.keys(), dayOf(start)]);
    return [...days]
      .filter((day) => day <= dayOf(start) && lacksRollups(day) && isArchived(day))
      .sort((a, b) => b - a)
      .map((day) => ({ day, lacksMemoryAlone: !isNotAddedUp(day) }));
  }

  function hasNewTable(): boolean {
    return tables().some((day) => day * DAY_MICROS < end && !tablesThen.has(day));
  }

  const first = wayWithout(NO_DAYS, NO_DAYS);
  const isFine = first.tooCoarse.length === 0;
  const withoutHours = isFine ? NO_DAYS : await daysWithoutHours(first.tooCoarse);
  // Days may have gone to other tiers meanwhile.
  const way = isFine ? first : wayWithout(NO_DAYS, withoutHours);
  rely(way.stretches);
  const before = archivedBefore();
  // What came late to these is looked for where memory has some.
  for (const { day, lacksMemoryAlone } of before) if (lacksMemoryAlone) relied.set(day, rolled.get(day));
  const silences = options.silences();
  // Cheaper to hand to another thread than a list; and once, where both are the same.
  const columns = new Float64Array(borders);

  return {
    question: {
      borders: columns,
      firmBorders: byDays ? NO_BORDERS : loose.size === 0 ? columns : columns.filter((border) => !loose.has(border)),
      until,
      stretches: way.stretches,
      silences: silences.slice(Math.max(0, lowerBound(silences, start) - 1), lowerBound(silences, end)),
      cuts: cutsWithin(rolled, { start, end: Math.min(end, until) }),
      days: daysWithin(tables(), start, end),
      // What is known of an archived day is known to its rollups or, where they lack some of it, looked for in all tiers.
      daysBefore: daysBefore(tables(), Number.NEGATIVE_INFINITY, start + 1).filter(
        (day) => !isArchived(day) && lacksRollups(day),
      ),
    },
    archivedBefore: before,
    warnings,
    unread,
    wayOf: (series) => apart.get(series) ?? way,
    isApart: (series) => apart.has(series),
    goWithout(series, days) {
      const purpose = [...days].join();
      const own = ways.get(purpose) ?? wayWithout(days, withoutHours);
      ways.set(purpose, own);
      rely(own.stretches);
      apart.set(series, own);
    },
    unknown() {
      if (groups === null) return request.series.map((series) => (apart.get(series) ?? way).unknown);
      const unknown = Array.from({ length: groups.count }, () => new Set(way.unknown));
      if (apart.size === 0) return unknown;
      for (const [i, series] of request.series.entries()) {
        const own = apart.get(series)?.unknown ?? NO_BUCKETS;
        for (const group of groups.of[i]!) for (const bucket of own) unknown[group]!.add(bucket);
      }
      return unknown;
    },
    isOutdated: () =>
      hasNewTable() || notArchivedThen.some(isArchived) || [...relied].some(([day, then]) => rolled.get(day) !== then),
    allWarnings: () => [
      ...warnings,
      ...leftOut(way, [...ways.values()], { some: apart.size, all: request.series.length }),
    ],
  };
}

const NO_BORDERS = new Float64Array();
const NO_DAYS: ReadonlySet<Day> = new Set();
const NO_BUCKETS: ReadonlySet<number> = new Set();

function cutsWithin(rolled: ReadonlyMap<Day, RolledDay>, { start, end }: Span): Micros[] {
  const cuts: Micros[] = [];
  for (let day = dayOf(start); day * DAY_MICROS < end; day++) cuts.push(...(rolled.get(day)?.cuts ?? []));
  return cuts;
}

/** Which buckets these stretches touch. */
function bucketsWithin(borders: readonly Micros[], stretches: readonly Stretch[]): ReadonlySet<number> {
  const buckets = new Set<number>();
  for (const { start, end } of stretches) {
    let bucket = Math.max(0, lowerBound(borders, start + 1) - 1);
    for (; bucket < borders.length - 1 && borders[bucket]! < end; bucket++) buckets.add(bucket);
  }
  return buckets;
}

/** What is said of days that are left out: of all series, and beyond that of the ones that go ways of their own. */
function leftOut(
  { tooCoarse, unread }: Plan,
  apart: readonly Plan[],
  { some, all }: { readonly some: number; readonly all: number },
): string[] {
  const ofAll = new Set(tooCoarse);
  const ofSome = new Set(apart.flatMap((own) => own.tooCoarse.filter((day) => !ofAll.has(day))));
  if (some === all) {
    for (const day of ofSome) ofAll.add(day);
    ofSome.clear();
  }
  const notKept = "the samples are no longer kept";
  return [
    ...sentence(ofAll.size, "left out", notKept),
    ...sentence(ofSome.size, `left out for ${some} of ${all} series`, notKept),
    ...sentence(unread.length, "left out", "the samples cannot be read"),
  ];
}

function sentence(days: number, what: string, why: string): string[] {
  if (days === 0) return [];
  return [
    `${days === 1 ? "1 day is" : `${days} days are`} ${what}: ${why}, and figures by the hour cannot be divided so`,
  ];
}
