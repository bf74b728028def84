import type { Micros, Span } from "./sample.ts";
import type { SeriesNumber } from "./series.ts";

/** What can interrupt the record. */
export const GAP_REASONS = [
  "first_start",
  "stopped",
  "crash",
  "socket_closed",
  "half_open",
  "bad_message",
  "queue_overflow",
  "missed_event",
  "clock_jump",
  "asleep",
] as const;
export type GapReason = (typeof GAP_REASONS)[number];

/**
 * open: it goes on; filling: HA's history is being read, or it waits for that; filled: nothing is missing; partial: HA
 * lacks some of it, or was down in it.
 */
export const GAP_STATES = ["open", "filling", "filled", "partial"] as const;
export type GapState = (typeof GAP_STATES)[number];

/** One interruption of the record. Rows are kept for ever: they say where history may be thin. */
export interface Gap extends Span {
  readonly id: number;
  /** While open: the time it began, `end` is then equal to `start`. */
  readonly reason: GapReason;
  readonly state: GapState;
  readonly openedAt: Micros;
  readonly closedAt: Micros | null;
  /** Samples that the backfill added. */
  readonly added: number;
  /** Hours of the span that were asked for, of how many it has (rounded up); null before the work began. */
  readonly done: number;
  readonly total: number | null;
  /**
   * Entities whose last state in the gap HA's recorder does not have; all that are recorded when HA was down. Of old gaps
   * the ledger keeps their number alone, in the note.
   */
  readonly missingEntities: readonly string[];
  readonly note: string | null;
  /**
   * When Home Assistant itself was down in it, so that nobody recorded anything, the last time if there were several;
   * null: it was not, or not yet known.
   */
  readonly downtime: Span | null;
}

/**
 * From when on nobody recorded anything in a downtime: a microsecond after its start, which is when Home Assistant was
 * last heard. What it told then was in force, and ends with everything else.
 */
export function silenceOf({ start }: Span): Micros {
  return start + 1;
}

/** What can be set on a gap while it is worked on. */
export type GapUpdate = Partial<
  Pick<
    Gap,
    "start" | "end" | "state" | "closedAt" | "added" | "done" | "total" | "missingEntities" | "note" | "downtime"
  >
>;

/** An interrupted backfill's two notes: what it asks for (written once), and how far it came (written often). */
export type ProgressPart = "plan" | "position";

/**
 * The ledger of interruptions, on disk beside the samples. Nothing here waits: what is written can be read at once and
 * is durable with the store's next commit, never before a sample that was appended earlier and never after one that is
 * appended later.
 */
export interface GapLedger {
  open(reason: GapReason, start: Micros): Gap;
  /** Answers the gap as it then is. With `closedAt` the notes of its backfill go. */
  update(id: number, change: GapUpdate): Gap;
  /** Newest first. */
  list(): readonly Gap[];
  /** Where an interrupted backfill continues: opaque texts kept with the gap until it is closed, else null. */
  progress(id: number, part: ProgressPart): string | null;
  saveProgress(id: number, part: ProgressPart, text: string): void;
}

/** What the store knows of the end of the last run. */
export interface LastRun {
  /**
   * Everything that Home Assistant had told by then, on its clock, was on disk; null in a new data directory.
   */
  readonly durableUntil: Micros | null;
  /** Whether it ended by a stop rather than by a crash. */
  readonly stoppedCleanly: boolean;
}

/** The backfill's work since the start, over all gaps. */
export interface BackfillStatus {
  /** The gap that is being filled now. */
  readonly filling: number | null;
  /** Questions to HA's history, rows that came, samples that were new, questions that failed. */
  readonly questions: number;
  readonly rows: number;
  readonly samples: number;
  readonly failures: number;
  /** Hours taken from HA's statistics. */
  readonly rollups: number;
}

/** One hour of one series from HA's own statistics, for what its recorder has purged. */
export interface HourlyRollup {
  readonly series: SeriesNumber;
  readonly start: Micros;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  /** The meter reading at the end of the hour, for total and total_increasing. */
  readonly last: number | null;
  /** How much the meter rose in the hour, resets taken into account. */
  readonly increase: number | null;
}

/** What a backfill needs of the store beyond reading and writing samples. */
export interface GapStore {
  /** By present entity_id: the subjects of a measurement that go by one. */
  names(measurement: string): ReadonlyMap<string, string>;
  /**
   * Keeps hours of Home Assistant's own statistics, durable with the next flush; an hour that was computed from
   * samples is not replaced.
   */
  addRollups(rollups: readonly HourlyRollup[]): void;
}
