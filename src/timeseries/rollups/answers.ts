import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { LoneAnswer, StatisticsAnswer, StatisticsReader, StatisticsRequest } from "../../domain/statistics.ts";
import type { SampleReader } from "../../domain/store.ts";
import { DAY_MICROS, HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { SamplePacker } from "../hot/columns.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { daysBefore, daysWithin } from "../hot/days.ts";
import { isNumber, type SeriesKind, Tally } from "./accumulate.ts";
import type { AggregateRequest, Found, SeriesQuestion } from "./aggregate.ts";
import type { RolledDay } from "./build.ts";
import { type FigureColumns, unpackFigures } from "./figures.ts";
import type { DaysRequest } from "./hours.ts";
import type { CountRequest, DayCountRequest, MeanColumns } from "./lone-figure.ts";
import { type Plan, plan, type Stretch } from "./plan.ts";
import { type Silences, silencesWithin } from "./silences.ts";

/** Series of one question to the thread that reads: others get their turn in between. */
const SERIES_AT_ONCE = 64;
/** Days of one question for the counts of all series together: some milliseconds for 500 series. */
const DAYS_AT_ONCE = 100;
/** Samples that are handed to it from memory in one question; a single series may have more. */
const MEMORY_SAMPLES_AT_ONCE = 20_000;
/** Samples before the first bucket that are asked for one by one to find a number; then days are read whole. */
const LOOK_BACK_MAX = 100;
/** Times that a question is planned because a day's table went to the archive, or its rollups were built, under it. */
const TRIES_MAX = 5;
const RETRY_MS = 20;

/** What is in memory of the samples. */
export interface MemoryLevel {
  hasDay(day: Day): boolean;
  within(series: SeriesNumber, span: Span): SampleColumns;
  before(series: SeriesNumber, ts: Micros, isOne?: (value: Value) => boolean): SampleColumns;
}

/** The thread that reads the file. */
export interface FigureReader {
  aggregate(request: AggregateRequest): Promise<FigureColumns>;
  means(request: AggregateRequest): Promise<MeanColumns>;
  counts(request: CountRequest): Promise<Float64Array>;
  dayCounts(request: DayCountRequest): Promise<Float64Array>;
  daysWithHours(request: DaysRequest): Promise<readonly Day[]>;
}

/** What answers need of the store. */
export interface AnswersOptions {
  readonly rolled: ReadonlyMap<Day, RolledDay>;
  /** Days that have a table, ascending. */
  readonly tables: () => readonly Day[];
  /** Whether any samples of the day are kept elsewhere than in its table and in memory. */
  readonly isArchived: (day: Day) => boolean;
  readonly memory: MemoryLevel;
  /** All that are known, ascending. */
  readonly silences: () => Silences;
  /** Whether it is the state of an entity: silences concern these alone. */
  readonly isState: (series: SeriesNumber) => boolean;
  readonly kind: (series: SeriesNumber) => SeriesKind;
  /** Samples of all tiers. */
  readonly read: SampleReader["read"];
  /** All samples of a span, of whatever tier. */
  readonly readWhole: (series: SeriesNumber, span: Span) => Promise<ReadColumns>;
  readonly reader: FigureReader;
}

/** How a question is answered; the same for all of its series. */
interface Course {
  readonly question: Omit<AggregateRequest, "series">;
  /** Buckets that lie, if only in part, where the kept figures are too coarse for them: nothing is known of them. */
  readonly unknown: ReadonlySet<number>;
  /** Days, the newest first, whose archived samples alone may know what is in force at the start. */
  readonly archivedBefore: readonly Day[];
  /** Of the answer; more come while it is read. */
  readonly warnings: Set<string>;
  readonly unread: Unread;
  /** Whether days that are answered by rollups were built since, maybe with parts that are cut elsewhere. */
  isOutdated(): boolean;
}

/** Days whose samples turned out to be unreadable while a question was answered, and why. */
interface Unread {
  readonly days: Set<Day>;
  readonly warnings: Set<string>;
}

/** Days were found to be unreadable: the question is to be planned without them. */
class DaysUnread extends Error {}

/** Answers for figures by rollups, by samples, and by both where they meet. */
export function createAnswers(options: AnswersOptions): Pick<StatisticsReader, "statistics" | "figure"> {
  const { rolled, tables, isArchived, memory, reader } = options;

  function planOf({ borders, until }: StatisticsRequest, unread: Unread, withoutHours: ReadonlySet<Day>): Plan {
    const withTable = new Set(daysWithin(tables(), borders[0]!, borders[borders.length - 1]!));
    const silences = options.silences();
    return plan(borders, until, {
      rolled,
      hasSamples: (day) => withTable.has(day) || isArchived(day),
      isArchived,
      isReadable: (day) => !unread.days.has(day),
      inMemory: memory.hasDay,
      hasSilence: (day) =>
        silencesWithin(silences, { start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS }).length > 0,
      hasHours: (day) => !withoutHours.has(day),
    });
  }

  /** Those of the days on which none of the series has hours. */
  async function daysWithoutHours(series: readonly SeriesNumber[], days: readonly Day[]): Promise<ReadonlySet<Day>> {
    const left = new Set(days);
    for (let from = 0; from < series.length && left.size > 0; from += SERIES_AT_ONCE) {
      const request = { series: series.slice(from, from + SERIES_AT_ONCE), days: [...left] };
      for (const day of await reader.daysWithHours(request)) left.delete(day);
    }
    return left;
  }

  /** A day on which none of the series has hours needs not be left out. */
  async function planFor(request: StatisticsRequest, unread: Unread): Promise<Plan> {
    const first = planOf(request, unread, new Set());
    if (first.tooCoarse.length === 0) return first;
    const withoutHours = await daysWithoutHours(request.series, first.tooCoarse);
    // Days may have gone to other tiers meanwhile.
    return planOf(request, unread, withoutHours);
  }

  async function courseOf(request: StatisticsRequest, unread: Unread): Promise<Course> {
    const { borders, until, group } = request;
    const { stretches, ...missing } = await planFor(request, unread);
    const start = borders[0]!;
    const end = borders[borders.length - 1]!;
    const all = options.silences();
    const silences = all.slice(Math.max(0, lowerBound(all, start) - 1), lowerBound(all, end));
    return {
      question: {
        // Cheaper to hand to another thread than a list.
        borders: new Float64Array(borders),
        until,
        group,
        stretches,
        silences,
        cuts: stretches.flatMap((stretch) => (stretch.from === "parts" ? cutsWithin(stretch) : [])),
        days: daysWithin(tables(), start, end),
        // What is known of an archived day is known to its rollups or, where they lack some of it, looked for in all tiers.
        daysBefore: daysBefore(tables(), Number.NEGATIVE_INFINITY, start + 1).filter(
          (day) => !isArchived(day) && lacksRollups(day, start),
        ),
      },
      unknown: bucketsWithin(
        borders,
        stretches.filter(({ from }) => from === "too coarse"),
      ),
      archivedBefore: archivedBefore(start),
      isOutdated: outdated(stretches),
      warnings: new Set([...unread.warnings, ...warningsOf(missing)]),
      unread,
    };
  }

  /** Whether what is known now of the days of these stretches is not known any more when it is asked. */
  function outdated(stretches: readonly Stretch[]): () => boolean {
    const known: [Day, RolledDay | undefined][] = [];
    for (const { from, start, end } of stretches) {
      if (from !== "parts" && from !== "hours") continue;
      for (let day = dayOf(start); day * DAY_MICROS < end; day++) known.push([day, rolled.get(day)]);
    }
    return () => known.some(([day, then]) => rolled.get(day) !== then);
  }

  function cutsWithin({ start, end }: Span): Micros[] {
    const cuts: Micros[] = [];
    for (let day = dayOf(start); day * DAY_MICROS < end; day++) cuts.push(...(rolled.get(day)?.cuts ?? []));
    return cuts;
  }

  function archivedBefore(start: Micros): Day[] {
    const found = new Set<Day>();
    for (const day of [...rolled.keys(), dayOf(start)]) {
      if (day <= dayOf(start) && lacksRollups(day, start) && isArchived(day)) found.add(day);
    }
    return [...found].sort((a, b) => b - a);
  }

  /** Whether rollups of a day lack samples that came before `start`. */
  function lacksRollups(day: Day, start: Micros): boolean {
    if (day === dayOf(start) && start % HOUR_MICROS !== 0) return true;
    return rolled.get(day)?.cuts == null || memory.hasDay(day);
  }

  /** What the thread that reads does not find in the file, of the stretches that are answered from samples. */
  async function samplesFor(series: SeriesNumber, course: Course): Promise<SeriesQuestion["memory"]> {
    let packer: SamplePacker | undefined;
    for (const stretch of course.question.stretches) {
      if (stretch.from !== "samples" && stretch.from !== "archive") continue;
      const columns: ReadColumns =
        stretch.from === "archive" ? await options.readWhole(series, stretch) : memory.within(series, stretch);
      packer ??= new SamplePacker(Math.max(1, columns.ts.length));
      for (let i = 0; i < columns.ts.length; i++) packer.push(columns.ts[i]!, columns.values[i]!);
      doWithout(columns, stretch, course);
      for (const warning of columns.warnings ?? []) course.warnings.add(warning);
    }
    return packer === undefined || packer.count === 0 ? null : packer.packed();
  }

  /** Throws where days of the stretch cannot be read: what was in force before them must not be taken for theirs. */
  function doWithout({ unread = [], warnings = [] }: ReadColumns, stretch: Span, course: Course): void {
    const { days } = course.unread;
    const before = days.size;
    for (const { start, end } of unread) {
      const last = Math.min(end, stretch.end);
      for (let day = dayOf(Math.max(start, stretch.start)); day * DAY_MICROS < last; day++) days.add(day);
    }
    if (days.size === before) return;
    for (const warning of warnings) course.unread.warnings.add(warning);
    throw new DaysUnread();
  }

  async function questionOf(series: SeriesNumber, course: Course): Promise<SeriesQuestion> {
    const start = course.question.borders[0]!;
    const startsInArchive = course.archivedBefore.length > 0;
    return {
      number: series,
      kind: options.kind(series),
      isState: options.isState(series),
      memory: await samplesFor(series, course),
      before: startsInArchive ? await lookBack(series, start) : found(memory.before(series, start)),
      numberBefore: startsInArchive
        ? await lastNumber(series, start, course)
        : await unshadowed(series, found(memory.before(series, start, isNumberOf(series))), course),
    };
  }

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

  /** Makes the series' questions and hands them to `ask`, some at a time. */
  async function inTurns<Q extends Pick<SeriesQuestion, "memory">>(
    series: readonly SeriesNumber[],
    make: (number: SeriesNumber) => Promise<Q>,
    ask: (questions: readonly Q[]) => Promise<void>,
  ): Promise<void> {
    let questions: Q[] = [];
    let samples = 0;
    for (const [i, number] of series.entries()) {
      const question = await make(number);
      questions.push(question);
      samples += question.memory?.ts.length ?? 0;
      const isFull = questions.length >= SERIES_AT_ONCE || samples >= MEMORY_SAMPLES_AT_ONCE;
      if (!isFull && i + 1 < series.length) continue;
      await ask(questions);
      questions = [];
      samples = 0;
    }
  }

  async function statistics(request: StatisticsRequest, course: Course): Promise<StatisticsAnswer> {
    const buckets = request.borders.length - 1;
    const total = Array.from({ length: request.group ? buckets : 0 }, () => new Tally());
    const series: StatisticsAnswer["series"][number][] = [];
    const known = <T>(figures: readonly T[]): (T | null)[] =>
      figures.map((one, i) => (course.unknown.has(i) ? null : one));
    await inTurns(
      request.series,
      (number) => questionOf(number, course),
      async (questions) => {
        const answered = await reader.aggregate({ ...course.question, series: questions });
        if (request.group) {
          for (const [i, one] of unpackFigures(answered, 0, buckets).entries()) if (one) total[i]!.add(one);
        } else {
          for (let i = 0; i < questions.length; i++) {
            series.push(known(unpackFigures(answered, i * buckets, buckets)));
          }
        }
      },
    );
    return {
      series: request.group ? [known(total.map((tally) => tally.figures()))] : series,
      warnings: [...course.warnings],
    };
  }

  async function means(request: StatisticsRequest, course: Course): Promise<LoneAnswer> {
    const buckets = request.borders.length - 1;
    const integrals = new Float64Array(buckets);
    const total = new Float64Array(buckets);
    const series: Float64Array[] = [];
    await inTurns(
      request.series,
      (number) => questionOf(number, course),
      async (questions) => {
        const { means, weights } = await reader.means({ ...course.question, series: questions });
        if (request.group) {
          for (let i = 0; i < buckets; i++) {
            if (weights[i] === 0) continue;
            integrals[i]! += means[i]! * weights[i]!;
            total[i]! += weights[i]!;
          }
        } else {
          series.push(...slices(means, buckets));
        }
      },
    );
    // NaN where nothing was in force for any time.
    const ofGroup = integrals.map((integral, i) => integral / total[i]!);
    return loneAnswer(request.group ? [ofGroup] : series, course);
  }

  async function counts(request: StatisticsRequest, course: Course): Promise<LoneAnswer> {
    const { borders, group, days } = course.question;
    const buckets = borders.length - 1;
    const total = new Float64Array(buckets);
    const add = (counted: Float64Array): void => {
      for (let i = 0; i < buckets; i++) total[i]! += counted[i]!;
    };
    const series: Float64Array[] = [];
    const isTogether = ({ from }: Stretch): boolean => group && from === "parts";
    for (const stretch of course.question.stretches.filter(isTogether).flatMap(pieces)) {
      add(await reader.dayCounts({ borders, series: request.series, stretch }));
    }
    const stretches = course.question.stretches.filter((stretch) => !isTogether(stretch));
    if (!group || stretches.length > 0) {
      await inTurns(
        request.series,
        async (number) => ({ number, memory: await samplesFor(number, course) }),
        async (questions) => {
          const counted = await reader.counts({ borders, group, stretches, days, series: questions });
          if (group) add(counted);
          else series.push(...slices(counted, buckets));
        },
      );
    }
    return loneAnswer(group ? [total] : series, course);
  }

  function loneAnswer(series: readonly Float64Array[], { unknown, warnings }: Course): LoneAnswer {
    for (const figures of series) for (const bucket of unknown) figures[bucket] = Number.NaN;
    return { series, warnings: [...warnings] };
  }

  /**
   * Asks again where a day's table went to the archive after the answer was planned, or a day's rollups were built; and
   * without days that cannot be read, each of which is met once.
   */
  async function whileDaysGo<T>(
    request: StatisticsRequest,
    ask: (request: StatisticsRequest, course: Course) => Promise<T>,
  ): Promise<T> {
    const unread: Unread = { days: new Set(), warnings: new Set() };
    for (let tries = 1; ; ) {
      const course = await courseOf(request, unread);
      try {
        const answer = await ask(request, course);
        if (tries === TRIES_MAX || !course.isOutdated()) return answer;
      } catch (error) {
        if (error instanceof DaysUnread) continue;
        if (tries === TRIES_MAX || !/no such table: samples_/.test(messageOf(error))) throw error;
        await setTimeout(RETRY_MS);
      }
      tries++;
    }
  }

  return {
    statistics: (request) => whileDaysGo(request, statistics),
    figure: (request, figure) => whileDaysGo(request, figure === "mean" ? means : counts),
  };
}

function slices(columns: Float64Array, length: number): Float64Array[] {
  return Array.from({ length: columns.length / length }, (_, i) => columns.subarray(i * length, (i + 1) * length));
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

/** The stretch in parts of DAYS_AT_ONCE. */
function pieces(stretch: Stretch): Stretch[] {
  const length = DAYS_AT_ONCE * DAY_MICROS;
  return Array.from({ length: Math.ceil((stretch.end - stretch.start) / length) }, (_, i) => {
    const start = stretch.start + i * length;
    return { ...stretch, start, end: Math.min(stretch.end, start + length) };
  });
}

function found({ ts, values }: SampleColumns): Found | undefined {
  return ts.length === 0 ? undefined : { ts: ts[0]!, value: values[0]! };
}

function warningsOf({ tooCoarse, unread }: Omit<Plan, "stretches">): string[] {
  const leftOut = (days: number, why: string): string[] =>
    days === 0 ? [] : [`${days === 1 ? "1 day is" : `${days} days are`} left out: ${why}`];
  const divided = "figures by the hour cannot be divided so";
  return [
    ...leftOut(tooCoarse.length, `the samples are no longer kept, and ${divided}`),
    ...leftOut(unread.length, `the samples cannot be read, and ${divided}`),
  ];
}
