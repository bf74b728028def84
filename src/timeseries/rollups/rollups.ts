import { setTimeout } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { StatisticsAnswer, StatisticsRequest } from "../../domain/statistics.ts";
import type { SampleReader } from "../../domain/store.ts";
import { DAY_MICROS, HOUR_MICROS, midnightsBetween } from "../../lib/calendar.ts";
import type { Logger } from "../../lib/log.ts";
import { SamplePacker } from "../hot/columns.ts";
import { type Day, dayOf } from "../hot/day.ts";
import { daysBefore, daysWithin } from "../hot/days.ts";
import type { RollUpRequest, StoreRollupsRequest } from "../hot/writer.ts";
import { isNumber, type SeriesKind, Tally } from "./accumulate.ts";
import type { AggregateRequest, Found, SeriesQuestion } from "./aggregate.ts";
import { type BuiltPart, hoursOf, partsOf, type RolledDay, summarize } from "./build.ts";
import { type FigureColumns, unpackFigures } from "./figures.ts";
import { type Plan, plan } from "./plan.ts";

/** Series of one question to the thread that reads: others get their turn in between. */
const SERIES_AT_ONCE = 64;
/** Samples that are handed to it from memory in one question; a single series may have more. */
const MEMORY_SAMPLES_AT_ONCE = 20_000;
/** Samples of one question to all tiers. */
const READ_AT_ONCE = 10_000;
/** Samples before the first bucket that are looked through for a number, in days that have no rollups. */
const LOOK_BACK_MAX = 100;
/** Times that a question is planned again because a day's table went to the archive under it. */
const TRIES_MAX = 5;
const RETRY_MS = 20;
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
  readonly allSeries: () => readonly SeriesNumber[];
  /** Samples of all tiers. */
  readonly read: SampleReader["read"];
  readonly kind: (series: SeriesNumber) => SeriesKind;
  readonly memory: {
    hasDay(day: Day): boolean;
    within(series: SeriesNumber, span: Span): SampleColumns;
    before(series: SeriesNumber, ts: Micros, isOne?: typeof isNumber): SampleColumns;
  };
  readonly build: (request: RollUpRequest) => Promise<BuiltPart>;
  readonly store: (request: StoreRollupsRequest) => Promise<boolean>;
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
  /** Whether samples of the day are not part of its rollups yet. */
  lacks(day: Day): boolean;
  /** No rollups are left of the days before this one. */
  forget(before: Day): void;
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
  for (const day of tables()) if (!rolled.has(day)) rolled.set(day, { cuts: null, statistics: false });
  let closed = false;
  /** How often days have changed. */
  let changes = 0;
  let catchingUp: Promise<void> | undefined;
  const timer = setInterval(() => void catchUp(), LOOK_EVERY_MS);
  timer.unref();

  const cutsOf = (day: Day): number[] => midnightsBetween(day * DAY_MICROS, (day + 1) * DAY_MICROS, options.timeZone());

  const setCuts = (day: Day, cuts: readonly Micros[] | null): void => {
    rolled.set(day, { cuts, statistics: rolled.get(day)?.statistics ?? false });
  };

  /**
   * A day that is over, whose samples are all on the disk, and whose rollups are absent or cut in another zone. What
   * was archived is not cut again: it would have to be read whole, for what its hours answer as well.
   */
  function isDue(day: Day): boolean {
    if ((day + 1) * DAY_MICROS > now() - SETTLE_MICROS || memory.hasDay(day)) return false;
    const cuts = rolled.get(day)?.cuts;
    return cuts == null || (!options.isArchived(day) && cuts.join() !== cutsOf(day).join());
  }

  async function build(day: Day): Promise<void> {
    const cuts = cutsOf(day);
    setCuts(day, null);
    const changesBefore = changes;
    const built = await (options.isArchived(day) ? buildArchived(day, cuts) : buildFromTable(day, cuts));
    // Samples that came meanwhile are in memory: the day becomes due again when they are folded.
    if (built && changes === changesBefore) setCuts(day, cuts);
  }

  /** False when the day changed meanwhile: it is still due, and built at the next look. */
  async function buildFromTable(day: Day, cuts: readonly Micros[]): Promise<boolean> {
    let after: SeriesNumber | null = 0;
    while (after !== null) {
      if (closed || !isDue(day)) return false;
      after = (await options.build({ day, cuts, after })).after;
    }
    return true;
  }

  /** Late samples of an archived day: all tiers have a part of it. */
  async function buildArchived(day: Day, cuts: readonly Micros[]): Promise<boolean> {
    const all = options.allSeries();
    const span = { start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS };
    const hours = hoursOf(day);
    const parts = partsOf(day, cuts);
    // Said before anything is read, so that a fold from now on makes the writer refuse what is read before it.
    await options.store({ day, summaries: [], begin: true, builtCuts: null });
    for (let from = 0; from < all.length; from += SERIES_AT_ONCE) {
      if (closed || !isDue(day)) return false;
      const summaries = [];
      for (const series of all.slice(from, from + SERIES_AT_ONCE)) {
        const columns = await readWhole(series, span);
        // What cannot be read now may be there again; until then each question says what is missing.
        if (columns.warnings !== undefined) return false;
        if (columns.ts.length === 0) continue;
        const kind = options.kind(series);
        summaries.push({ series, hours: summarize(columns, hours, kind), parts: summarize(columns, parts, kind) });
      }
      const builtCuts = from + SERIES_AT_ONCE >= all.length ? cuts : null;
      if (!(await options.store({ day, summaries, begin: false, builtCuts }))) return false;
    }
    return true;
  }

  /** All samples of a span, of whatever tier. */
  async function readWhole(series: SeriesNumber, { start, end }: Span): Promise<ReadColumns> {
    const ts: Micros[] = [];
    const values: Value[] = [];
    const warnings = new Set<string>();
    for (let from = start; ; from = ts[ts.length - 1]! + 1) {
      const [page] = await options.read([{ series, start: from, end, limit: READ_AT_ONCE }]);
      for (let i = 0; i < page!.ts.length; i++) {
        ts.push(page!.ts[i]!);
        values.push(page!.values[i]!);
      }
      for (const warning of page!.warnings ?? []) warnings.add(warning);
      if (page!.ts.length < READ_AT_ONCE) break;
    }
    return warnings.size === 0 ? { ts, values } : { ts, values, warnings: [...warnings] };
  }

  /** Those with a table, and archived ones to which late samples came; descending. */
  function daysToLookAt(): Day[] {
    const changed = [...rolled].flatMap(([day, { cuts }]) => (cuts === null && options.isArchived(day) ? day : []));
    return [...new Set([...tables(), ...changed])].sort((a, b) => b - a);
  }

  async function buildAll(): Promise<void> {
    try {
      // The newest first: they are asked for the most.
      for (const day of daysToLookAt()) {
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
      isArchived: options.isArchived,
      inMemory: (day) => memory.hasDay(day),
    });
  }

  /** Whether what was in force at `start` may be known to archived samples alone. */
  function startsInArchive(start: Micros): boolean {
    for (const day of [...rolled.keys(), dayOf(start)]) {
      if (day <= dayOf(start) && lacksRollups(day, start) && options.isArchived(day)) return true;
    }
    return false;
  }

  /** Whether rollups of a day lack samples that came before `start`. */
  function lacksRollups(day: Day, start: Micros): boolean {
    if (day === dayOf(start) && start % HOUR_MICROS !== 0) return true;
    return rolled.get(day)?.cuts == null || memory.hasDay(day);
  }

  async function questionOf(
    series: SeriesNumber,
    start: Micros,
    { stretches }: Plan,
    inArchive: boolean,
    warnings: Set<string>,
  ): Promise<SeriesQuestion> {
    const packer = new SamplePacker(64);
    for (const stretch of stretches) {
      if (stretch.from !== "samples" && stretch.from !== "archive") continue;
      const columns: ReadColumns =
        stretch.from === "archive" ? await readWhole(series, stretch) : memory.within(series, stretch);
      for (let i = 0; i < columns.ts.length; i++) packer.push(columns.ts[i]!, columns.values[i]!);
      for (const warning of columns.warnings ?? []) warnings.add(warning);
    }
    return {
      number: series,
      kind: options.kind(series),
      memory: packer.count === 0 ? null : packer.packed(),
      before: inArchive ? await lookBack(series, start) : found(memory.before(series, start)),
      numberBefore: inArchive
        ? await lookBack(series, start, isNumber)
        : await unshadowed(series, found(memory.before(series, start, isNumber))),
    };
  }

  /** The number found in memory, or an older one where a day table had another value at that time before. */
  async function unshadowed(series: SeriesNumber, inMemory: Found | undefined): Promise<Found | undefined> {
    if (inMemory === undefined || !tables().includes(dayOf(inMemory.ts))) return inMemory;
    return lookBack(series, inMemory.ts + 1, isNumber);
  }

  /** The newest sample before a time whose value is one of these, in any tier. */
  async function lookBack(
    series: SeriesNumber,
    start: Micros,
    isOne: (value: Value) => boolean = () => true,
  ): Promise<Found | undefined> {
    let before = start;
    for (let tries = 0; tries < LOOK_BACK_MAX; tries++) {
      const [page] = await options.read([{ series, start: before, end: before, includeStart: true, limit: 0 }]);
      const sample = found(page!);
      if (sample === undefined || isOne(sample.value)) return sample;
      before = sample.ts;
    }
    return undefined;
  }

  async function statistics(request: StatisticsRequest): Promise<StatisticsAnswer> {
    for (let tries = 1; ; tries++) {
      try {
        return await answerOnce(request);
      } catch (error) {
        if (tries === TRIES_MAX || !/no such table: samples_/.test(messageOf(error))) throw error;
        await setTimeout(RETRY_MS);
      }
    }
  }

  async function answerOnce(request: StatisticsRequest): Promise<StatisticsAnswer> {
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
      // What is known of an archived day is known to its rollups or, where they lack some of it, looked for in all tiers.
      daysBefore: daysBefore(tables(), Number.NEGATIVE_INFINITY, start + 1).filter(
        (day) => !options.isArchived(day) && lacksRollups(day, start),
      ),
    };
    const total = Array.from({ length: buckets }, () => new Tally());
    const series: StatisticsAnswer["series"][number][] = [];
    const inArchive = figures !== "count" && startsInArchive(start);
    const warnings = new Set<string>();
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
      const one = await questionOf(number, start, answer, inArchive, warnings);
      asked.push(one);
      samples += one.memory?.ts.length ?? 0;
      if (asked.length >= SERIES_AT_ONCE || samples >= MEMORY_SAMPLES_AT_ONCE) await ask();
    }
    if (asked.length > 0) await ask();
    return {
      series: group ? [total.map((tally) => tally.figures())] : series,
      warnings: answer.tooCoarse === 0 ? [...warnings] : [...warnings, tooCoarse(answer.tooCoarse)],
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
      for (const day of days) setCuts(day, null);
      changes++;
      void catchUp();
    },
    addedStatistics(day) {
      rolled.set(day, { cuts: rolled.get(day)?.cuts ?? null, statistics: true });
    },
    catchUp,
    lacks: (day) => memory.hasDay(day) || (rolled.has(day) && rolled.get(day)?.cuts == null),
    forget(before) {
      for (const day of [...rolled.keys()]) if (day < before) rolled.delete(day);
    },
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
