import type { HomeConnection } from "../domain/connection.ts";
import type { Gap, GapLedger, GapReason } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { decodePlan, type Plan, type Target } from "./plan.ts";

/**
 * Home Assistant's recorder commits every 5 s by default, and clocks differ a little: so much more than the gap is
 * asked for on either side.
 */
const OVERLAP_MICROS = 60_000_000;

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
const DAY = 24 * HOUR;

/** Rows of one answer that are aimed at: some 5 MB with attributes. */
const ROWS_AIM = 20_000;
/** The same once an answer was too big or did not come: Home Assistant records up to 16 KiB of attributes with each. */
const ROWS_AIM_AFTER_FAILURE = 3_000;
/** The first window of a gap, whose density is not known yet. */
const WINDOW_FIRST = HOUR;
/** As much as 50 entities send in a second always fits into a message. */
const WINDOW_MIN = SECOND;
const WINDOW_MAX = 16 * DAY;
/** A window at least so long in which nothing even was in force shows that there is nothing older. */
const WINDOW_UNHEARD = DAY;

const WITHIN_A_CONNECTION: ReadonlySet<GapReason> = new Set(["missed_event", "queue_overflow"]);

/** Events were lost one by one, maybe the first ones of an entity before the one that the gap begins with. */
export function isWithinAConnection({ reason }: Gap): boolean {
  return WITHIN_A_CONNECTION.has(reason);
}

/** How far a backfill came: windows from the newest to the oldest, within each window group after group. */
export interface Position {
  /** Names that changed hands are divided as history shows. */
  divided: boolean;
  /** Targets before this one are done. */
  first: number;
  /** What is newer is done. */
  end: Micros;
  /** In the window before `end`: targets that are done. */
  next: number;
  /** Length of that window. */
  window: number;
  /** As long as so many rows take where they stand closest, an hour at most. */
  shortest: number;
  /** Rows of one answer that are aimed at. */
  aim: number;
  /** Most rows of an answer in that window. */
  rows: number;
  /** An answer in that window said something, and be it what was in force at its start. */
  heard: boolean;
  /** The oldest row seen. */
  oldest: Micros | null;
  /** It is known who came and went, as far as it can be; and how often the search for them failed. */
  searched: boolean;
  searchFailures: number;
  /** What Home Assistant's statistics gave is done back to here; null before they are asked. */
  statistics: Micros | null;
  /** The newest row seen from before the start of Home Assistant that the plan tells of. */
  beforeStart: Micros | null;
  /** A row showed that Home Assistant did start then. */
  started: boolean;
}

/** One gap that is being filled. */
export interface Work {
  gap: Gap;
  readonly connection: HomeConnection;
  readonly signal: AbortSignal;
  /** What is asked for: the gap and its overlap. */
  span: Span;
  targets: readonly Target[];
  readonly homeStart: Plan["homeStart"];
  readonly position: Position;
  /** Targets of which no row was seen although there should be one; and those of which the last one was not. */
  readonly unseen: Set<number>;
  readonly undelivered: Set<number>;
  /** The newest row seen since the work was taken up: so far the recorder has written. */
  newest: Micros;
  /** Names that Home Assistant's history does not accept. */
  readonly refused: Set<string>;
  added: number;
}

/** The span to ask for. Before the first start nothing was heard, so there is nothing to overlap with. */
export function spanOf(gap: Gap): Span {
  const start = gap.reason === "first_start" ? gap.start : gap.start - OVERLAP_MICROS;
  return { start, end: gap.end + OVERLAP_MICROS };
}

/** With what the windows of a gap begin: what is known of the home by earlier ones. */
export type Measure = Pick<Position, "window" | "aim">;

export const FIRST_MEASURE: Measure = { window: WINDOW_FIRST, aim: ROWS_AIM };

/** The work on a gap, from where it was left. */
export function beginWork(
  gap: Gap,
  ledger: GapLedger,
  connection: HomeConnection,
  signal: AbortSignal,
  measure: Measure,
): Work {
  const span = spanOf(gap);
  const plan = ledger.progress(gap.id, "plan");
  const { targets, homeStart }: Plan = plan === null ? { targets: [], homeStart: null } : decodePlan(plan);
  const saved = ledger.progress(gap.id, "position");
  const { unseen, undelivered, ...left } = JSON.parse(saved ?? "{}") as Partial<SavedPosition>;
  const expected = [...targets.keys()].filter((index) => targets[index]!.expected > 0);
  const position: Position = {
    divided: false,
    first: 0,
    end: span.end,
    next: 0,
    ...measure,
    shortest: WINDOW_FIRST,
    rows: 0,
    heard: false,
    oldest: null,
    searched: false,
    searchFailures: 0,
    statistics: null,
    beforeStart: null,
    started: homeStart?.seen === true,
    ...left,
  };
  const seen = {
    unseen: new Set(unseen ? unpackRuns(unseen) : expected),
    undelivered: new Set(undelivered ? unpackRuns(undelivered) : expected),
    newest: Number.NEGATIVE_INFINITY,
    refused: new Set<string>(),
  };
  return { gap, connection, signal, span, targets, homeStart, position, ...seen, added: gap.added };
}

/** Where the work was left is kept after each answer, of a home of 100,000 entities some 2,000 times for an hour. */
interface SavedPosition extends Position {
  readonly unseen: readonly Run[];
  readonly undelivered: readonly Run[];
}

/** From the first to the last of numbers that follow each other; of versions before 2026-12 each one alone. */
type Run = readonly [first: number, last: number] | number;

/** The text that `beginWork` reads. */
export function savedPosition({ position, unseen, undelivered }: Work): string {
  const saved: SavedPosition = { ...position, unseen: packRuns(unseen), undelivered: packRuns(undelivered) };
  return JSON.stringify(saved);
}

/** `numbers` ascend. */
function packRuns(numbers: Iterable<number>): Run[] {
  const runs: [number, number][] = [];
  for (const number of numbers) {
    const last = runs.at(-1);
    if (last !== undefined && number === last[1] + 1) last[1] = number;
    else runs.push([number, number]);
  }
  return runs;
}

function unpackRuns(runs: readonly Run[]): number[] {
  return runs.flatMap((run) => {
    if (typeof run === "number") return [run];
    const [first, last] = run;
    return Array.from({ length: last - first + 1 }, (_, index) => first + index);
  });
}

/** Takes the next window, after the one that ended at `end`. */
export function advance(position: Position, span: Span): void {
  const { window, rows, heard, end } = position;
  // Before its recorder began Home Assistant has no state to tell of. All that is left is asked for at once: that nothing
  // is there is thus seen, not assumed, and it takes one round of questions, not hundreds for ten years.
  if (!heard && window >= WINDOW_UNHEARD) position.window = Math.max(WINDOW_MIN, end - span.start);
  else position.window = windowAfter(position, window, rows);
  position.rows = 0;
  position.heard = false;
}

/** How long a window is, after one that had so many rows. */
export function windowAfter(position: Position, window: Micros, rows: number): Micros {
  const growth = position.aim / Math.max(1, rows);
  position.shortest = Math.max(WINDOW_MIN, Math.min(position.shortest, window * growth));
  return Math.min(WINDOW_MAX, Math.max(WINDOW_MIN, window * Math.min(2, growth)));
}

/** Asks for less, after an answer to a window that was too big or did not come. */
export function askForLess(position: Position, window: Micros): void {
  position.window = Math.max(WINDOW_MIN, window / 4);
  position.aim = ROWS_AIM_AFTER_FAILURE;
}
