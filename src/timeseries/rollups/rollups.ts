import { messageOf } from "../../domain/errors.ts";
import type { Micros, SampleColumns, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { StatisticsAnswer, StatisticsRequest } from "../../domain/statistics.ts";
import { DAY_MICROS, midnightsBetween } from "../../lib/calendar.ts";
import type { Logger } from "../../lib/log.ts";
import { SamplePacker } from "../hot/columns.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { daysBefore, daysWithin } from "../hot/days.ts";
import type { RollUpRequest } from "../hot/writer.ts";
import { isNumber, type SeriesKind, Tally } from "./accumulate.ts";
import type { AggregateRequest, Found, SeriesQuestion } from "./aggregate.ts";
import type { BuiltPart, RolledDay } from "./build.ts";
import { type FigureColumns, unpackFigures } from "./figures.ts";
import { type Plan, plan } from "./plan.ts";

/** Series of one question to the thread that reads: others get their turn in between. */
const SERIES_AT_ONCE = 64;
/** Samples that are handed to it from memory in one question; a single series may have more. */
const MEMORY_SAMPLES_AT_ONCE = 20_000;
/** How long after its end a day is taken for over: events and clocks may be a little late. */
const SETTLE_MICROS = 600_000_000;
/** How often it is looked for days that are over; a fold is an occasion as well. */
const LOOK_EVERY_MS = 600_000;

/** What rollups need of the store. */
export interface RollupsOptions {
  readonly stored: readonly [Day, RolledDay][];
  /** Of the home, an IANA name; days are cut in it. */
  readonly timeZone: () => string;
  readonly now: () => Micros;
  readonly log: Logger;
  /** Days that have a table, ascending. */
  readonly tables: () => readonly Day[];
  /** Whether any samples of the day are kept elsewhere than in its table and in memory. */
  readonly isArchived: (day: Day) => boolean;
  readonly kind: (series: SeriesNumber) => SeriesKind;
  readonly memory: {
    hasDay(day: Day): boolean;
    within(series: SeriesNumber, span: Span): SampleColumns;
    before(series: SeriesNumber, ts: Micros, isOne?: typeof isNumber): SampleColumns;
  };
  readonly build: (request: RollUpRequest) => Promise<BuiltPart>;
  readonly aggregate: (request: AggregateRequest) => Promise<FigureColumns>;
}

export interface Rollups {
  statistics(request: StatisticsRequest): Promise<StatisticsAnswer>;
  /** Samples of these days went to their tables: what was computed from them no longer holds. */
  changed(days: Iterable<Day>): void;
  /** Hours of Home Assistant's statistics were added to this day. */
  addedStatistics(day: Day): void;
  /** Builds the days that are over, and resolves when there is none left or the disk refuses. */
  catchUp(): Promise<void>;
  /** Days whose rollups answer for their samples. */
  readonly builtDays: number;
  /** Ends the background work after the step under way. */
  close(): void;
}

/**
 * The rollups of a store: builds them in the background, day by day, once a day is over, and answers for figures by
 * them, by samples, and by both where they meet.
 */
export function createRollups(options: RollupsOptions): Rollups {
  const { log, now, memory, tables } = options;
  const rolled = new Map<Day, RolledDay>(options.stored);
  let closed = false;
  let catchingUp: Promise<void> | undefined;
  const timer = setInterval(() => void catchUp(), LOOK_EVERY_MS);
  timer.unref();

  const cutsOf = (day: Day): number[] => midnightsBetween(day * DAY_MICROS, (day + 1) * DAY_MICROS, options.timeZone());

  const setCuts = (day: Day, cuts: readonly Micros[] | null): void => {
    rolled.set(day, { cuts, statistics: rolled.get(day)?.statistics ?? false });
  };

  /** A day that is over, whose samples are all in its table, and whose rollups are absent or cut in another zone. */
  function isDue(day: Day): boolean {
    if ((day + 1) * DAY_MICROS > now() - SETTLE_MICROS) return false;
    if (memory.hasDay(day) || options.isArchived(day)) return false;
    const cuts = rolled.get(day)?.cuts;
    return cuts == null || cuts.join() !== cutsOf(day).join();
  }

  async function build(day: Day): Promise<void> {
    const cuts = cutsOf(day);
    setCuts(day, null);
    let after: SeriesNumber | null = 0;
    while (after !== null) {
      if (closed || !isDue(day)) return;
      after = (await options.build({ day, cuts, after })).after;
    }
    // Samples that came meanwhile are in memory: the day becomes due again when they are folded.
    setCuts(day, cuts);
  }

  async function buildAll(): Promise<void> {
    try {
      // The newest first: they are asked for the most.
      for (const day of tables().toReversed()) {
        if (closed) return;
        if (isDue(day)) await build(day);
      }
    } catch (error) {
      if (!closed) log.warn(`Cannot compute rollups, statistics are read from samples: ${messageOf(error)}`);
    }
  }

  function catchUp(): Promise<void> {
    catchingUp ??= buildAll().finally(() => {
      catchingUp = undefined;
    });
    return catchingUp;
  }

  function planOf({ borders, until }: StatisticsRequest): Plan {
    const withTable = new Set(daysWithin(tables(), borders[0]!, borders[borders.length - 1]!));
    return plan(borders, until, {
      rolled,
      hasSamples: (day) => withTable.has(day) || options.isArchived(day),
      inMemory: (day) => memory.hasDay(day),
    });
  }

  function questionOf(series: SeriesNumber, start: Micros, { stretches }: Plan): SeriesQuestion {
    const packer = new SamplePacker(64);
    for (const stretch of stretches) {
      if (stretch.from !== "samples") continue;
      const { ts, values } = memory.within(series, stretch);
      for (let i = 0; i < ts.length; i++) packer.push(ts[i]!, values[i]!);
    }
    return {
      number: series,
      kind: options.kind(series),
      memory: packer.count === 0 ? null : packer.packed(),
      before: found(memory.before(series, start)),
      numberBefore: found(memory.before(series, start, isNumber)),
    };
  }

  async function statistics(request: StatisticsRequest): Promise<StatisticsAnswer> {
    const { borders, until, group, figures } = request;
    const start = borders[0]!;
    const buckets = borders.length - 1;
    const answer = planOf(request);
    const inDays = answer.stretches.filter(({ from }) => from === "parts");
    const question: Omit<AggregateRequest, "series"> = {
      borders,
      until,
      group,
      figures,
      stretches: answer.stretches,
      cuts: inDays.flatMap(({ start, end }) => cutsWithin(start, end)),
      days: daysWithin(tables(), start, borders[buckets]!),
      daysBefore: daysBefore(tables(), Number.NEGATIVE_INFINITY, start + 1).filter(
        (day) => day === dayOf(start) || rolled.get(day)?.cuts == null || memory.hasDay(day),
      ),
    };
    const total = Array.from({ length: buckets }, () => new Tally());
    const series: StatisticsAnswer["series"][number][] = [];
    let asked: SeriesQuestion[] = [];
    let samples = 0;
    const ask = async (): Promise<void> => {
      const answered = await options.aggregate({ ...question, series: asked });
      if (group) {
        for (const [i, one] of unpackFigures(answered, 0, buckets).entries()) if (one) total[i]!.add(one);
      } else {
        for (let i = 0; i < asked.length; i++) series.push(unpackFigures(answered, i * buckets, buckets));
      }
      asked = [];
      samples = 0;
    };
    for (const number of request.series) {
      const one = questionOf(number, start, answer);
      asked.push(one);
      samples += one.memory?.ts.length ?? 0;
      if (asked.length >= SERIES_AT_ONCE || samples >= MEMORY_SAMPLES_AT_ONCE) await ask();
    }
    if (asked.length > 0) await ask();
    return {
      series: group ? [total.map((tally) => tally.figures())] : series,
      warnings: answer.tooCoarse === 0 ? [] : [tooCoarse(answer.tooCoarse)],
    };
  }

  function cutsWithin(start: Micros, end: Micros): Micros[] {
    const cuts: Micros[] = [];
    for (let day = dayOf(start); day * DAY_MICROS < end; day++) cuts.push(...(rolled.get(day)?.cuts ?? []));
    return cuts;
  }

  return {
    statistics,
    changed(days) {
      for (const day of days) if (rolled.has(day)) setCuts(day, null);
      void catchUp();
    },
    addedStatistics(day) {
      rolled.set(day, { cuts: rolled.get(day)?.cuts ?? null, statistics: true });
    },
    catchUp,
    get builtDays() {
      let built = 0;
      for (const { cuts } of rolled.values()) if (cuts !== null) built++;
      return built;
    },
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

function found({ ts, values }: SampleColumns): Found | undefined {
  return ts.length === 0 ? undefined : { ts: ts[0]!, value: values[0]! };
}

function tooCoarse(days: number): string {
  const what = days === 1 ? "1 day is" : `${days} days are`;
  return `${what} left out: the samples are no longer kept, and figures by the hour cannot be divided so`;
}
