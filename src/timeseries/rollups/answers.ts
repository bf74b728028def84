import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { LoneAnswer, LoneFigure, StatisticsAnswer } from "../../domain/statistics.ts";
import { DAY_MICROS } from "../../lib/calendar.ts";
import type { Day } from "../hot/day.ts";
import { Tally } from "./accumulate.ts";
import type { AggregateRequest, ResetsQuestion, SeriesQuestion } from "./aggregate.ts";
import { type Course, type CourseOptions, planCourse, type Question, SERIES_AT_ONCE, type Unread } from "./course.ts";
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
/** Series whose samples are looked for at the same time: few, since each may have millions of letters. */
const MADE_AT_ONCE = 4;
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
  /** The series of a total's `last_reset`; undefined: it is no total, or has none. */
  readonly resetsOf: (series: SeriesNumber) => SeriesNumber | undefined;
  readonly reader: FigureReader;
}

/** Answers questions by rollups, by samples, and by both where they meet. */
export interface Answers {
  statistics(question: Question): Promise<StatisticsAnswer>;
  figure(question: Question, figure: LoneFigure): Promise<LoneAnswer>;
}

export function createAnswers(options: AnswersOptions): Answers {
  const { reader } = options;
  const whatIsLeft = createWhatIsLeft(options);
  const gather = createSampleGatherer({ ...options, whatIsLeft });
  const lookBack = createLookBack({ ...options, whatIsLeft });

  async function questionOf(
    series: SeriesNumber,
    course: Course,
  ): Promise<Omit<SeriesQuestion, keyof Placed | "resets">> {
    return {
      number: series,
      kind: options.kind(series),
      isState: options.isState(series),
      ...(await samplesOf(series, course)),
      ...(await lookBack.of(series, course)),
    };
  }

  /** Along the way that the series goes. */
  async function resetsOf(series: SeriesNumber, course: Course): Promise<ResetsQuestion | null> {
    const number = options.resetsOf(series);
    if (number === undefined) return null;
    const memory = await gather.beside(series, number, course);
    return { number, memory, before: await lookBack.cycle(series, number, course) };
  }

  async function samplesOf(
    series: SeriesNumber,
    course: Course,
  ): Promise<Pick<SeriesQuestion, "memory" | "stretches">> {
    const memory = await gather.of(series, course);
    return { memory, stretches: course.isApart(series) ? course.wayOf(series).stretches : null };
  }

  /** Makes the series' questions and hands them to `ask`, some at a time. */
  async function inTurns<Q extends Pick<SeriesQuestion, "memory">>(
    { series, groups }: Question,
    make: (number: SeriesNumber) => Promise<Q>,
    ask: (turn: Turn<Q & Placed>) => Promise<void>,
  ): Promise<void> {
    let questions: (Q & Placed)[] = [];
    /** By group of this turn its row. */
    let rows = new Map<number, number>();
    let samples = 0;
    const rowOf = (group: number): number => {
      const row = rows.get(group) ?? rows.size;
      rows.set(group, row);
      return row;
    };
    let made: Q[] = [];
    for (let i = 0; i < series.length; i++) {
      if (i % MADE_AT_ONCE === 0) made = await Promise.all(series.slice(i, i + MADE_AT_ONCE).map(make));
      const question = { ...made[i % MADE_AT_ONCE]!, rows: groups === null ? [] : groups.of[i]!.map(rowOf) };
      questions.push(question);
      samples += question.memory?.ts.length ?? 0;
      const isFull = questions.length >= SERIES_AT_ONCE || samples >= MEMORY_SAMPLES_AT_ONCE;
      if (!isFull && i + 1 < series.length) continue;
      const first = i + 1 - questions.length;
      await ask({
        series: questions,
        rows: groups === null ? null : rows.size,
        places: groups === null ? questions.map((_, at) => first + at) : [...rows.keys()],
      });
      questions = [];
      rows = new Map();
      samples = 0;
    }
  }

  async function statistics(request: Question, course: Course): Promise<StatisticsAnswer> {
    const buckets = request.borders.length - 1;
    const totals = Array.from({ length: (request.groups?.count ?? 0) * buckets }, () => new Tally());
    const series: StatisticsAnswer["series"][number][] = [];
    await inTurns(
      request,
      async (number) => ({ ...(await questionOf(number, course)), resets: await resetsOf(number, course) }),
      async ({ places, ...turn }) => {
        const answered = await reader.aggregate({ ...course.question, ...turn });
        for (const [row, place] of places.entries()) {
          const figures = unpackFigures(answered, row * buckets, buckets);
          if (turn.rows === null) series.push(figures);
          else for (const [i, one] of figures.entries()) if (one) totals[place * buckets + i]!.add(one);
        }
      },
    );
    for (let i = 0; i < totals.length; i += buckets) {
      series.push(totals.slice(i, i + buckets).map((tally) => tally.figures()));
    }
    const unknown = course.unknown();
    return {
      series: series.map((figures, i) => known(figures, unknown[i]!)),
      unknown,
      warnings: course.allWarnings(),
    };
  }

  async function means(request: Question, course: Course): Promise<LoneAnswer> {
    const buckets = request.borders.length - 1;
    const count = request.groups?.count ?? 0;
    const integrals = new Float64Array(count * buckets);
    const total = new Float64Array(count * buckets);
    const series: Float64Array[] = [];
    const weightsOf: Float64Array[] = [];
    await inTurns(
      request,
      async (number) => ({ ...(await questionOf(number, course)), resets: null }),
      async ({ places, ...turn }) => {
        const { means, weights } = await reader.means({ ...course.question, ...turn });
        if (turn.rows === null) {
          series.push(...slices(means, buckets));
          weightsOf.push(...slices(weights, buckets));
          return;
        }
        for (const [row, place] of places.entries()) {
          for (let i = 0; i < buckets; i++) {
            const weight = weights[row * buckets + i]!;
            if (weight === 0) continue;
            integrals[place * buckets + i]! += means[row * buckets + i]! * weight;
            total[place * buckets + i]! += weight;
          }
        }
      },
    );
    // NaN where nothing was in force for any time.
    const ofGroups = integrals.map((integral, i) => integral / total[i]!);
    series.push(...slices(ofGroups, buckets));
    weightsOf.push(...slices(total, buckets));
    return loneAnswer(series, weightsOf, course);
  }

  async function counts(request: Question, course: Course): Promise<LoneAnswer> {
    const { groups } = request;
    const { borders, days } = course.question;
    const buckets = borders.length - 1;
    const total = new Float64Array((groups?.count ?? request.series.length) * buckets);
    // Of one group that is all, all series are counted at once.
    const isTogether = ({ from }: Stretch): boolean => groups?.count === 1 && from === "parts";
    const stretches = course.question.stretches.filter((stretch) => !isTogether(stretch));
    if (groups?.count !== 1 || stretches.length > 0) {
      await inTurns(
        request,
        async (number) => ({ number, ...(await samplesOf(number, course)) }),
        async ({ places, ...turn }) => {
          const counted = await reader.counts({ borders, stretches, days, ...turn });
          for (const [row, place] of places.entries()) {
            for (let i = 0; i < buckets; i++) total[place * buckets + i]! += counted[row * buckets + i]!;
          }
        },
      );
    }
    const together = request.series.filter((number) => !course.isApart(number));
    for (const stretch of course.question.stretches.filter(isTogether).flatMap(pieces)) {
      const counted = await reader.dayCounts({ borders, series: together, stretch });
      for (let i = 0; i < buckets; i++) total[i]! += counted[i]!;
    }
    return loneAnswer(slices(total, buckets), [], course);
  }

  function loneAnswer(series: readonly Float64Array[], weights: readonly Float64Array[], course: Course): LoneAnswer {
    const unknown = course.unknown();
    for (const [i, figures] of series.entries()) for (const bucket of unknown[i]!) figures[bucket] = Number.NaN;
    return { series, weights, unknown, warnings: course.allWarnings() };
  }

  /**
   * Asks again where a day's table went to the archive after the answer was planned, or a day's rollups were built; and
   * without days that cannot be read, each of which is met once.
   */
  async function whileDaysGo<T>(request: Question, ask: (request: Question, course: Course) => Promise<T>): Promise<T> {
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

/** To which rows of the answer a series is added. */
type Placed = Pick<SeriesQuestion, "rows">;

/** Some of a question's series at a time. */
interface Turn<Q> {
  readonly series: readonly Q[];
  /** See AggregateRequest. */
  readonly rows: number | null;
  /** By row of the answer its place among all. */
  readonly places: readonly number[];
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
