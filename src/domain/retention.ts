import type { Micros, Span } from "./sample.ts";
import type { Series, SeriesNumber } from "./series.ts";

/** For how many whole UTC days before the present one something is kept, at least; 0: for ever. */
export interface Limits {
  readonly rawDays: number;
  /** 0, or not less than `rawDays`; 0 where `rawDays` is 0. */
  readonly rollupDays: number;
}

/** Who says for how long each series is kept. */
export interface RetentionPolicy {
  limits(series: Series): Limits;
  /** Why nothing may be dropped at present (rules ask for areas, and the home is not known yet); null: it may. */
  blocked(): string | null;
  /** Bytes that the data directory may take; 0: no bound. */
  readonly budgetBytes: number;
}

/** A part of the archive that goes, or went, as a whole. */
export interface DroppedPart extends Span {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  readonly reason: "age" | "budget";
}

/** A part of the archive that is written again without some of its series. */
export interface ThinnedPart extends Span {
  readonly path: string;
  /** Series that leave it, and what they have there; bytes are an estimate before it is done. */
  readonly series: number;
  readonly rows: number;
  readonly bytes: number;
}

/** What retention did or, when it was only asked, would do. */
export interface RetentionReport {
  readonly dryRun: boolean;
  readonly at: Micros;
  readonly dropped: readonly DroppedPart[];
  readonly thinned: readonly ThinnedPart[];
  /** Rows of rollups: of a series on a day its hours and each part, and each hour of Home Assistant's statistics. */
  readonly rollupRows: number;
  /** Samples that go with `dropped` and `thinned`. */
  readonly rows: number;
  /** Of the data directory, before and after; an estimate after a dry run. */
  readonly bytesBefore: number;
  readonly bytesAfter: number;
  readonly budgetBytes: number;
  /** What is kept although it is old enough, or could not be done, a sentence each. */
  readonly notes: readonly string[];
}

/** Since the start. */
export interface RetentionStatus {
  readonly runs: number;
  readonly failures: number;
  readonly rowsDropped: number;
  readonly rollupRowsDropped: number;
  /** Samples that were not taken because everything of their time had been dropped. */
  readonly tooOld: number;
  /** Of the data directory, as the last look found it; null before the first. */
  readonly usedBytes: number | null;
  readonly budgetBytes: number;
  readonly lastRunAt: Micros | null;
  /** Worth saying at present, a sentence each. */
  readonly notes: readonly string[];
}

export type Tier = "memory" | "hot" | "archive" | "rollups";

/** What one tier holds. Bytes of the hot tier and the rollups are pages of their tables. */
export interface TierUsage {
  readonly tier: Tier;
  readonly rows: number;
  readonly bytes: number;
  /** Whole UTC days of which it has anything. */
  readonly days: number;
  /**
   * Of the archive the times of its first and last sample. Hot and rollups are known by days: where the first UTC day
   * begins and the last one ends, and never later than the report. Null in memory, and where there is nothing.
   */
  readonly oldest: Micros | null;
  readonly newest: Micros | null;
}

export interface SeriesUsage {
  readonly series: SeriesNumber;
  readonly hotRows: number;
  readonly archiveRows: number;
  readonly rollupRows: number;
  /** Its share of all tiers, in proportion to its rows within each table and row group. */
  readonly bytes: number;
}

/** A UTC day of the hot tier, or what one part of the archive holds: a day, or a month. */
export interface SpanUsage extends Span {
  readonly tier: "hot" | "archive";
  readonly rows: number;
  readonly bytes: number;
}

/** What a year takes if it goes on as in the last full days. */
export interface Forecast {
  /** Full UTC days that it is drawn from. */
  readonly days: number;
  readonly rowsPerDay: number;
  readonly rawBytesPerYear: number;
  readonly rollupBytesPerYear: number;
}

export interface StorageReport {
  readonly at: Micros;
  readonly directoryBytes: number;
  /** Pages and rows of the log in timeseries.db that are free: new samples take them before the file grows. */
  readonly freeBytes: number;
  readonly tiers: readonly TierUsage[];
  /** Most bytes first. */
  readonly series: readonly SeriesUsage[];
  /** Ascending. */
  readonly spans: readonly SpanUsage[];
  /** Null while there are too few full days; `forecastReason` says so. */
  readonly forecast: Forecast | null;
  readonly forecastReason: string | null;
  /** What could not be looked at, a sentence each. */
  readonly notes: readonly string[];
}

/** Who keeps the data directory small, and says what is in it. */
export interface Retention {
  /**
   * Drops what is past its limits and, over the budget, the oldest archived samples; as it happens in the background
   * once a day anyway. What is not archived is never dropped. With `dryRun` nothing changes. Rejects `unavailable` when
   * it cannot be done now; what was dropped by then stays dropped, and calling again goes on.
   *
   * Limits count from a day that samples confirm, or with `believeClock` from the present day, whatever they do: for
   * somebody who asks for it and sees the answer.
   */
  retain(options: { readonly dryRun: boolean; readonly believeClock?: boolean }): Promise<RetentionReport>;
  /** Looks at everything; an answer is kept for a while, since that takes seconds on a small machine. */
  storage(): Promise<StorageReport>;
  /** The series, for names. */
  describeSeries(number: SeriesNumber): Series | undefined;
}
