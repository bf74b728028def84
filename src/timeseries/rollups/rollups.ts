import { messageOf } from "../../domain/errors.ts";
import { readParts } from "../../domain/read-parts.ts";
import type { Micros, ReadColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { StatisticsReader, StatisticsRequest } from "../../domain/statistics.ts";
import type { SampleReader } from "../../domain/store.ts";
import { DAY_MICROS, midnightsBetween } from "../../lib/calendar.ts";
import type { Logger } from "../../lib/log.ts";
import type { Day } from "../hot/day.ts";
import type { RollUpRequest, StoreRollupsRequest } from "../hot/writer-commands.ts";
import type { SeriesKind } from "./accumulate.ts";
import { type AnswersOptions, createAnswers, type FigureReader } from "./answers.ts";
import { type BuiltPart, hoursOf, partsOf, type RolledDay, summariesOf } from "./build.ts";
import type { Question } from "./course.ts";
import { createGroupAnswers } from "./groups.ts";
import { shortened } from "./shortened.ts";
import { type Silences, silencesWithin } from "./silences.ts";

/** Series that are added up at once of an archived day. */
const SERIES_AT_ONCE = 64;
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
  readonly resetsOf: AnswersOptions["resetsOf"];
  readonly memory: AnswersOptions["memory"];
  readonly silences: () => Silences;
  readonly isState: (series: SeriesNumber) => boolean;
  readonly build: (request: RollUpRequest) => Promise<BuiltPart>;
  readonly store: (request: StoreRollupsRequest) => Promise<boolean>;
  readonly reader: FigureReader & { seriesOfDay(day: Day): Promise<readonly SeriesNumber[]> };
}

export interface Rollups extends Pick<StatisticsReader, "statistics" | "figure" | "groups" | "groupFigure"> {
  /** Samples of these days went to their tables: what was computed from them no longer holds, or lacks those. */
  folded(days: Iterable<Day>): void;
  /** These days have no table any more, whether or not what it had was added up. */
  sealed(days: Iterable<Day>): void;
  /** Files of these days are read again: nothing that was computed from them holds. */
  changed(days: Iterable<Day>): void;
  /** It became known that Home Assistant went down on this day. */
  silenced(day: Day): void;
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
 * The rollups of a store: builds them in the background, day by day, once a day is over, and answers for figures with
 * their help.
 */
export function createRollups(options: RollupsOptions): Rollups {
  const { log, now, memory, tables } = options;
  const rolled = new Map<Day, RolledDay>(options.stored);
  for (const day of tables()) if (!rolled.has(day)) rolled.set(day, { cuts: null, statistics: false });
  /** Days that were added up and lack nothing but what is in their tables since: where they were cut. */
  const late = new Map<Day, readonly Micros[]>();
  let closed = false;
  /** How often days have changed. */
  let changes = 0;
  let catchingUp: Promise<void> | undefined;
  let lookAsked = false;
  const timer = setInterval(() => void catchUp(), LOOK_EVERY_MS);
  timer.unref();

  const spanOf = (day: Day): Span => ({ start: day * DAY_MICROS, end: (day + 1) * DAY_MICROS });
  const silencesOn = (day: Day): Silences => silencesWithin(options.silences(), spanOf(day));
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
    const isArchived = options.isArchived(day);
    const cutsBefore = isArchived && tables().includes(day) ? late.get(day) : undefined;
    const cuts = cutsBefore ?? cutsOf(day);
    setCuts(day, null);
    const changesBefore = changes;
    const built = await (isArchived ? buildArchived(day, cuts, cutsBefore !== undefined) : buildFromTable(day, cuts));
    // Samples that came meanwhile are in memory: the day becomes due again when they are folded.
    if (!built || changes !== changesBefore) return;
    setCuts(day, cuts);
    late.delete(day);
  }

  /** False when the day changed meanwhile: it is still due, and built at the next look. */
  async function buildFromTable(day: Day, cuts: readonly Micros[]): Promise<boolean> {
    let after: SeriesNumber | null = 0;
    while (after !== null) {
      if (closed || !isDue(day)) return false;
      after = (await options.build({ day, cuts, silences: silencesOn(day), after })).after;
    }
    return true;
  }

  /** Late samples of an archived day: all tiers have a part of it. `lateAlone`: of the series that have some. */
  async function buildArchived(day: Day, cuts: readonly Micros[], lateAlone: boolean): Promise<boolean> {
    const span = spanOf(day);
    const silences = silencesOn(day);
    const hours = hoursOf(day);
    const parts = partsOf(day, cuts);
    // Said before anything is read, so that a fold from now on makes the writer refuse what is read before it.
    await options.store({ day, summaries: [], begin: true, builtCuts: null });
    const all = lateAlone ? await withLate(day) : options.allSeries();
    for (let from = 0; from < all.length; from += SERIES_AT_ONCE) {
      if (closed || !isDue(day)) return false;
      const summaries = [];
      for (const series of all.slice(from, from + SERIES_AT_ONCE)) {
        const columns = await readWhole(series, span);
        // What cannot be read now may be there again; until then each question says what is missing.
        if (columns.warnings !== undefined) return false;
        const silent = options.isState(series) ? silences : [];
        if (columns.ts.length === 0 && silent.length === 0) continue;
        const resets = options.resetsOf(series);
        const told = resets === undefined ? null : await readWhole(resets, span);
        if (told?.warnings !== undefined) return false;
        const own = { kind: options.kind(series), columns, silences: silent, resets: told };
        summaries.push(summariesOf(series, own, { hours, parts, resets }));
      }
      const builtCuts = from + SERIES_AT_ONCE >= all.length ? cuts : null;
      if (!(await options.store({ day, summaries, begin: false, builtCuts }))) return false;
    }
    return true;
  }

  /** Series that have late samples in the day's table, and totals whose `last_reset` has. */
  async function withLate(day: Day): Promise<readonly SeriesNumber[]> {
    const late = new Set(await options.reader.seriesOfDay(day));
    return options.allSeries().filter((series) => late.has(series) || late.has(options.resetsOf(series) ?? series));
  }

  /** All samples of a span, of whatever tier, long texts cut. */
  async function readWhole(series: SeriesNumber, { start, end }: Span): Promise<ReadColumns> {
    const ts: Micros[] = [];
    const values: Value[] = [];
    const warnings = new Set<string>();
    const unread: Span[] = [];
    for await (const part of readParts(options, { series, start, end })) {
      for (let i = 0; i < part.ts.length; i++) {
        ts.push(part.ts[i]!);
        values.push(shortened(part.values[i]!));
      }
      for (const warning of part.warnings ?? []) warnings.add(warning);
      unread.push(...(part.unread ?? []));
    }
    return warnings.size === 0 ? { ts, values } : { ts, values, warnings: [...warnings], unread };
  }

  /** Those with a table, and archived ones to which late samples came; descending. */
  function daysToLookAt(): Day[] {
    const changed = [...rolled].flatMap(([day, { cuts }]) => (cuts === null && options.isArchived(day) ? day : []));
    return [...new Set([...tables(), ...changed])].sort((a, b) => b - a);
  }

  async function look(): Promise<void> {
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

  /** Looks again while somebody asked during a look: it may have passed a day that has become due since. */
  async function lookWhileAsked(): Promise<void> {
    while (lookAsked) {
      lookAsked = false;
      await look();
    }
    catchingUp = undefined;
  }

  function catchUp(): Promise<void> {
    lookAsked = true;
    catchingUp ??= lookWhileAsked();
    return catchingUp;
  }

  const answers = createAnswers({ ...options, rolled, readWhole });

  function changed(days: Iterable<Day>): void {
    for (const day of days) {
      setCuts(day, null);
      late.delete(day);
    }
    changes++;
    void catchUp();
  }

  return {
    statistics: (request) => answers.statistics(questionOf(request)),
    figure: (request, figure) => answers.figure(questionOf(request), figure),
    ...createGroupAnswers(answers),
    folded(days) {
      for (const day of days) {
        const cuts = rolled.get(day)?.cuts;
        if (cuts != null) late.set(day, cuts);
        setCuts(day, null);
      }
      changes++;
      void catchUp();
    },
    sealed(days) {
      for (const day of days) late.delete(day);
    },
    changed,
    silenced(day) {
      if (rolled.has(day)) changed([day]);
    },
    addedStatistics(day) {
      rolled.set(day, { cuts: rolled.get(day)?.cuts ?? null, statistics: true });
    },
    catchUp,
    lacks: (day) => memory.hasDay(day) || (rolled.has(day) && rolled.get(day)?.cuts == null),
    forget(before) {
      for (const known of [rolled, late]) for (const day of [...known.keys()]) if (day < before) known.delete(day);
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

const FIRST_GROUP = [0];

/** A group is one of all its series. */
function questionOf({ group, ...question }: StatisticsRequest): Question {
  const groups = group ? { count: 1, of: question.series.map(() => FIRST_GROUP) } : null;
  return { ...question, groups, loose: new Set() };
}
