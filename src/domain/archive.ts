import type { Micros, ReadColumns, Span } from "./sample.ts";
import type { SeriesKey, SeriesNumber } from "./series.ts";

/**
 * A series as an archive knows it. Its identity is the key; the number is private to this data directory and only for
 * an engine that lives in it.
 */
export interface ArchivedSeries extends SeriesKey {
  readonly number: SeriesNumber;
}

/** One series' part of a question to the archive. */
export interface ArchiveRead extends Span {
  readonly series: ArchivedSeries;
  /** Also the last sample before `start`, with its own time, when the archive has one. */
  readonly includeStart: boolean;
  /** At most so many samples, the oldest first (the one before `start` not counted). */
  readonly limit: number;
  /** As in `ReadRequest`. */
  readonly charactersMax?: number;
}

/** Periods to condense a series into: [edges[i], edges[i + 1]), ascending. */
export interface ArchiveAggregate {
  readonly series: ArchivedSeries;
  readonly edges: readonly Micros[];
}

/** What is archived of one series in one period. */
export interface Aggregate {
  /** All samples, texts and ends included. */
  readonly samples: number;
  /** Those that are numbers; the rest describes them alone. Min to last are null without any. */
  readonly numbers: number;
  readonly sum: number;
  readonly min: number | null;
  readonly max: number | null;
  readonly first: number | null;
  readonly last: number | null;
}

export interface ArchiveAggregates {
  /** One for each period of the question. */
  readonly periods: readonly Aggregate[];
  /** What could not be read, a sentence each; absent when nothing is missing. */
  readonly warnings?: readonly string[];
}

export interface ArchiveHealth {
  /** False while samples cannot be archived or some of the archive cannot be read; `reason` says why. */
  readonly healthy: boolean;
  readonly reason: string | null;
  readonly samples: number;
  readonly bytes: number;
  /** The oldest and newest time archived; null for an empty archive. */
  readonly oldest: Micros | null;
  readonly newest: Micros | null;
}

/** Who archives what is old enough. */
export interface Sealing {
  /**
   * As it happens in the background once a day anyway. Resolves with the number of samples that went; rejects
   * (`unavailable`) when some could not: they stay where they are.
   */
  seal(): Promise<number>;
}

/**
 * Where samples are kept for years. An engine is opened over the hot tier, from which it takes samples over; where
 * and in what form it keeps them is its own affair. Nothing here waits for another call but `close`.
 */
export interface Archive {
  /**
   * Takes over what the hot tier holds in the span, as far as the engine archives by then (one that works by whole UTC
   * days leaves the days that the span covers only in part). Resolves with the number of samples that the hot tier
   * gave up, once all of them would survive a crash in the archive. A sample is in at least one of the two at every
   * moment, and never lost when this rejects or the process dies; calling again goes on. Of two samples of a series at
   * one time the one archived first stays. Rejects with `unavailable` when the archive takes nothing now.
   */
  append(span: Span): Promise<number>;
  /**
   * Answers in the order of the questions; each time of a series comes once, ascending. A damaged part costs its samples and gives a warning, never the whole
   * answer; rejects (`unavailable`) when nothing can be asked at all.
   */
  read(questions: readonly ArchiveRead[]): Promise<readonly ReadColumns[]>;
  /** Answers in the order of the questions; exact for what is archived: the same samples as from `read`. */
  aggregate(questions: readonly ArchiveAggregate[]): Promise<readonly ArchiveAggregates[]>;
  /**
   * Forgets samples before `ts`, in the units in which the engine can. Resolves with the time before which nothing is
   * left: `ts` or earlier. Nothing at or after `ts` is touched.
   */
  dropBefore(ts: Micros): Promise<Micros>;
  health(): ArchiveHealth;
  /** Ends what is under way; samples that were not taken over stay in the hot tier. */
  close(): Promise<void>;
}
