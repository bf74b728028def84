import type { Limits } from "../../domain/retention.ts";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Day } from "../hot/day.ts";

/** A part of the archive that is kept or dropped as a whole: its days are [firstDay, endDay). */
export interface Part {
  readonly path: string;
  readonly firstDay: Day;
  readonly endDay: Day;
  readonly maxTs: Micros;
  readonly rows: number;
  readonly bytes: number;
}

/** What a part holds of each series. */
export interface PartContent {
  readonly series: ArrayLike<SeriesNumber>;
  readonly rows: ArrayLike<number>;
  readonly bytes: ArrayLike<number>;
}

/** The days before which a series is past its limits. Minus infinity: it is kept for ever. */
export interface Cutoffs {
  readonly raw: ReadonlyMap<SeriesNumber, Day>;
  /** Of all series: a part that ends by `allPast` is past for each of them, one that ends after `nonePast` for none. */
  readonly allPast: Day;
  readonly nonePast: Day;
}

/** A day is confirmed by samples of so many days, itself included, of which the first is so many days back at most. */
export const CONFIRMING_DAYS = 7;
export const CONFIRMED_WITHIN_DAYS = 30;

/**
 * The day that limits are counted back from: the newest of those with samples that is not after the clock's and that is
 * confirmed by others; minus infinity while none is. A clock alone is not believed: one that is ahead for some hours,
 * and the samples that are recorded meanwhile, would make everything too old at once.
 */
export function reckonedDay(today: Day, withSamples: Iterable<Day>): Day {
  const days = [...new Set(withSamples)].filter((day) => day <= today).sort((a, b) => b - a);
  const confirmed = days.find((day, i) => day - (days[i + CONFIRMING_DAYS - 1] ?? -Infinity) < CONFIRMED_WITHIN_DAYS);
  return confirmed ?? Number.NEGATIVE_INFINITY;
}

/** The day before which `days` whole days are too old. */
export function cutoff(today: Day, days: number): Day {
  return days === 0 ? Number.NEGATIVE_INFINITY : today - days;
}

/** A series that is not asked about (a file knows it, the store does not) counts as one with the longest limit. */
export function rawCutoffs(today: Day, limits: ReadonlyMap<SeriesNumber, Limits>): Cutoffs {
  const raw = new Map<SeriesNumber, Day>();
  let allPast = Number.POSITIVE_INFINITY;
  let nonePast = Number.NEGATIVE_INFINITY;
  for (const [series, { rawDays }] of limits) {
    const day = cutoff(today, rawDays);
    raw.set(series, day);
    allPast = Math.min(allPast, day);
    nonePast = Math.max(nonePast, day);
  }
  // Nothing is known of a store without series.
  return limits.size === 0 ? { raw, allPast: nonePast, nonePast } : { raw, allPast, nonePast };
}

export interface PartPlan<P extends Part> {
  readonly dropped: readonly P[];
  /** Past for some of their series; what these are has to be looked up. */
  readonly mixed: readonly P[];
}

/** Which parts are past as a whole, and which may be in part. A part of which one day is not past is kept whole. */
export function planParts<P extends Part>(parts: readonly P[], { allPast, nonePast }: Cutoffs): PartPlan<P> {
  return {
    dropped: parts.filter(({ endDay }) => endDay <= allPast),
    mixed: parts.filter(({ endDay }) => endDay > allPast && endDay <= nonePast),
  };
}

/** The series of a part that are past, and what they have in it. */
export function pastSeries(part: Part, content: PartContent, { raw }: Cutoffs) {
  const series: SeriesNumber[] = [];
  let rows = 0;
  let bytes = 0;
  for (let i = 0; i < content.series.length; i++) {
    const number = content.series[i]!;
    if (part.endDay > (raw.get(number) ?? Number.NEGATIVE_INFINITY)) continue;
    series.push(number);
    rows += content.rows[i]!;
    bytes += content.bytes[i]!;
  }
  return { series, rows, bytes };
}

/** The oldest parts that have to go until so many bytes are free. */
export function planBudget<P extends Part>(parts: readonly P[], excessBytes: number): P[] {
  const gone: P[] = [];
  let freed = 0;
  for (const part of [...parts].sort((a, b) => a.firstDay - b.firstDay)) {
    if (freed >= excessBytes) break;
    gone.push(part);
    freed += part.bytes;
  }
  return gone;
}

/**
 * The day before which a series' rollups go. Never one within a part of the archive that is kept: its samples and
 * rollups shall tell the same.
 */
export function rollupCutoff(today: Day, rollupDays: number, kept: readonly Part[]): Day {
  const day = cutoff(today, rollupDays);
  return kept.reduce(
    (least, { firstDay, endDay }) => (firstDay < day && day < endDay ? Math.min(least, firstDay) : least),
    day,
  );
}
