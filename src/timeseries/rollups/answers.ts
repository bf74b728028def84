import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { LoneAnswer, StatisticsAnswer, StatisticsReader, StatisticsRequest } from "../../domain/statistics.ts";
import { DAY_MICROS } from "../../lib/calendar.ts";
import type { Day } from "../hot/day.ts";
import { Tally } from "./accumulate.ts";
import type { AggregateRequest, SeriesQuestion } from "./aggregate.ts";
import { type Course, type CourseOptions, planCourse, SERIES_AT_ONCE, type Unread } from "./course.ts";
import { type FigureColumns, unpackFigures } from "./figures.ts";
import { createSampleGatherer, DaysUnread, type SampleGathererOptions } from "./gather.ts";
import type { DaysRequest } from "./hours.ts";
import type { CountRequest, DayCountRequest, MeanColumns } from "./lone-figure.ts";
import { createLookBack, type LookBackOptions } from "./look-back.ts";
import type { Stretch } from "./plan.ts";
import { createWhatIsLeft, type WhatIsLeftOptions } from "./what-is-left.ts";

/** Days of one question for the counts of all series together: some milliseconds for 500 series. */
const DAYS_AT_ONCE = 100;
/** Samples that are handed to it from memory in one question; a single series may have more. */
const MEMORY_SAMPLES_AT_ONCE = 20_000;
/** Times that a question is planned because a day's table went to the archive, or its rollups were built, under it. */
const TRIES_MAX = 5;
const RETRY_MS = 20;

/** The thread that reads the file. */
export interface FigureReader {
  aggregate(request: AggregateRequest): Promise<FigureColumns>;
  means(request: AggregateRequest): Promise<MeanColumns>;
  counts(request: CountRequest): Promise<Float64Array>;
  dayCounts(request: DayCountRequest): Promise<Float64Array>;
  daysWithHours(request: DaysRequest): Promise<readonly Day[]>;
}

/** What answers need of the store. */
export interface AnswersOptions
  extends CourseOptions,
    WhatIsLeftOptions,
    Omit<SampleGathererOptions & LookBackOptions, "whatIsLeft"> {
  readonly memory: CourseOptions["memory"] & SampleGathererOptions["memory"] & LookBackOptions["memory"];
  /** Whether it is the state of an entity: silences concern these alone. */
  readonly isState: (series: SeriesNumber) => boolean;
  readonly reader: FigureReader;
}

/** Answers for figures by rollups, by samples, and by both where they meet. */
export function createAnswers(options: AnswersOptions): Pick<StatisticsReader, "statistics" | "figure"> {
  const { reader } = options;
  const whatIsLeft = createWhatIsLeft(options);
  const gather = createSampleGatherer({ ...options, whatIsLeft });
  const lookBack = createLookBack({ ...options, whatIsLeft });

  async function questionOf(series: SeriesNumber, course: Course): Promise<SeriesQuestion> {
    return {
      number: series,
      kind: options.kind(series),
      isState: options.isState(series),
      ...(await samplesOf(series, course)),
      ...(await lookBack(series, course)),
    };
  }

  async function samplesOf(
    series: SeriesNumber,
    course: Course,
  ): Promise<Pick<SeriesQuestion, "memory" | "stretches">> {
    const memory = await gather(series, course);
    return { memory, stretches: course.isApart(series) ? course.wayOf(series).stretches : null };
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
    await inTurns(
      request.series,
      (number) => questionOf(number, course),
      async (questions) => {
        const answered = await reader.aggregate({ ...course.question, series: questions });
        if (request.group) {
          for (const [i, one] of unpackFigures(answered, 0, buckets).entries()) if (one) total[i]!.add(one);
        } else {
          for (const [i, { number }] of questions.entries()) {
            series.push(known(unpackFigures(answered, i * buckets, buckets), course.wayOf(number).unknown));
          }
        }
      },
    );
    if (request.group) {
      const figures = total.map((tally) => tally.figures());
      series.push(known(figures, course.unknownToSome()));
    }
    return { series, warnings: course.allWarnings() };
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
    return loneAnswer(request, request.group ? [ofGroup] : series, course);
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
    const stretches = course.question.stretches.filter((stretch) => !isTogether(stretch));
    if (!group || stretches.length > 0) {
      await inTurns(
        request.series,
        async (number) => ({ number, ...(await samplesOf(number, course)) }),
        async (questions) => {
          const counted = await reader.counts({ borders, group, stretches, days, series: questions });
          if (group) add(counted);
          else series.push(...slices(counted, buckets));
        },
      );
    }
    const together = request.series.filter((number) => !course.isApart(number));
    for (const stretch of course.question.stretches.filter(isTogether).flatMap(pieces)) {
      add(await reader.dayCounts({ borders, series: together, stretch }));
    }
    return loneAnswer(request, group ? [total] : series, course);
  }

  function loneAnswer(request: StatisticsRequest, series: readonly Float64Array[], course: Course): LoneAnswer {
    for (const [i, figures] of series.entries()) {
      const unknown = request.group ? course.unknownToSome() : course.wayOf(request.series[i]!).unknown;
      for (const bucket of unknown) figures[bucket] = Number.NaN;
    }
    return { series, warnings: course.allWarnings() };
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
      const course = await planCourse(options, request, unread);
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

function known<T>(figures: readonly T[], unknown: ReadonlySet<number>): (T | null)[] {
  return figures.map((one, i) => (unknown.has(i) ? null : one));
}

function slices(columns: Float64Array, length: number): Float64Array[] {
  return Array.from({ length: columns.length / length }, (_, i) => columns.subarray(i * length, (i + 1) * length));
}

/** The stretch in parts of DAYS_AT_ONCE. */
function pieces(stretch: Stretch): Stretch[] {
  const length = DAYS_AT_ONCE * DAY_MICROS;
  return Array.from({ length: Math.ceil((stretch.end - stretch.start) / length) }, (_, i) => {
    const start = stretch.start + i * length;
    return { ...stretch, start, end: Math.min(stretch.end, start + length) };
  });
}
