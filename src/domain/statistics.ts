import type { Micros, Span } from "./sample.ts";
import type { Series, SeriesNumber } from "./series.ts";

/** A question for figures of series over buckets of time. */
export interface StatisticsRequest {
  /** Each once. */
  readonly series: readonly SeriesNumber[];
  /** Ascending: bucket `i` is [borders[i], borders[i + 1]). */
  readonly borders: readonly Micros[];
  /** The present: nothing is in force after it, so that a bucket under way is as long as it has lasted. */
  readonly until: Micros;
  /** One answer for all series together instead of one for each. */
  readonly group: boolean;
  /**
   * Days, weeks or months of the home begin at the borders: in zones of half an hour an hour may lie across one. Where there
   * is nothing finer it counts where it begins, as in Home Assistant; without this such buckets are unknown.
   */
  readonly byDays?: boolean | undefined;
}

/** A question for figures of groups of series over buckets of time. */
export interface GroupsRequest extends Pick<StatisticsRequest, "borders" | "until" | "byDays"> {
  /** How many there are. */
  readonly groups: number;
  /** Each series once. */
  readonly members: readonly Member[];
}

export interface Member {
  readonly series: SeriesNumber;
  /** When it was in which groups; in several at once, if it was. The rest of the time it counts nowhere. */
  readonly stays: readonly Stay[];
}

/** A time in a group, which may have no beginning or end (an infinity). */
export interface Stay extends Span {
  readonly group: number;
}

/** Figures that can be asked for alone, which is a good deal faster. */
export type LoneFigure = "mean" | "count";

/**
 * The figures of one bucket; docs/statistics.md defines them, with an example. "In force" is a sample's value from its
 * time until that of the next sample of the series. A number that is not finite counts as no number.
 */
export interface BucketFigures {
  /** Samples in the bucket, of whatever value. */
  readonly count: number;
  /** Microseconds of the bucket during which a number was in force; the weight of its mean. */
  readonly weight: number;
  /** Weighted by time, over the time in which a number was in force; null when none was. */
  readonly mean: number | null;
  /** Of the numbers in force, the one carried in included. */
  readonly min: number | null;
  readonly max: number | null;
  /** The first and the last number in force; null in a group. */
  readonly first: number | null;
  readonly last: number | null;
  /** Of the samples in the bucket that are numbers. */
  readonly sum: number | null;
  /** From the last number before the bucket to the last one in it; what a meter counted, where it may begin anew. */
  readonly change: number | null;
  /** Microseconds by text in force; null when there was none. */
  readonly durations: ReadonlyMap<string, number> | null;
  /** Microseconds of texts beyond the bound of `durations`. */
  readonly otherDuration: number;
}

export interface StatisticsAnswer {
  /** For each series (one for a group) a bucket for each pair of borders; null where nothing was known in it. */
  readonly series: readonly (readonly (BucketFigures | null)[])[];
  /** For each of those the buckets that are left out, since what is kept cannot be divided so; the warnings say why. */
  readonly unknown: readonly ReadonlySet<number>[];
  /** What the answer could not take into account, each a sentence. */
  readonly warnings: readonly string[];
}

export interface LoneAnswer {
  /** For each series (one for a group) a number for each bucket; NaN where it has none, a count is 0 there. */
  readonly series: readonly Float64Array[];
  /** Beside means: microseconds of each bucket during which a number was in force. Empty beside counts. */
  readonly weights: readonly Float64Array[];
  /** As of a StatisticsAnswer: NaN in `series`. */
  readonly unknown: readonly ReadonlySet<number>[];
  readonly warnings: readonly string[];
}

/** What answers questions for figures: from rollups where there are any, from samples elsewhere, alike in both cases. */
export interface StatisticsReader {
  /** `unavailable` when the disk cannot be read. */
  statistics(request: StatisticsRequest): Promise<StatisticsAnswer>;
  /** One figure of those that `statistics` gives. `unavailable` when the disk cannot be read. */
  figure(request: StatisticsRequest, figure: LoneFigure): Promise<LoneAnswer>;
  /**
   * As `statistics`, an answer for each group. Where a member came or went within a bucket, the part of the bucket counts
   * in which it was there. Where samples are not kept any more, so does an hour that it begins with there, whole.
   */
  groups(request: GroupsRequest): Promise<StatisticsAnswer>;
  /** As `figure`, an answer for each group. */
  groupFigure(request: GroupsRequest, figure: LoneFigure): Promise<LoneAnswer>;
  /** All series of a measurement, those of removed entities included; of one field, or of all fields. */
  seriesOf(measurement: string, field: string | null): readonly SeriesNumber[];
  /** The series, for names. */
  describeSeries(number: SeriesNumber): Series | undefined;
  /** Those of these series whose unit has changed: their figures are in the unit of their time, or of two units mixed. */
  withFormerUnits(series: readonly SeriesNumber[]): readonly Series[];
}
