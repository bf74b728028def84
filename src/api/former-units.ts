import type { Micros } from "../domain/sample.ts";
import type { FormerUnit, Series } from "../domain/series.ts";
import { isSameUnit } from "../domain/units.ts";
import { lowerBound } from "../lib/lower-bound.ts";
import { isoFromMicros } from "../lib/time.ts";

/** Sentences on former units in one answer, at most. */
const SENTENCES_MAX = 50;

/** A time in which a series was in another unit than now; `from` null: since it began. */
interface FormerTime {
  readonly from: Micros | null;
  readonly until: Micros;
  readonly unit: string;
}

/** The former units that another one followed, not another spelling of the same. */
export function unitChanges({ formerUnits = [], unit: present }: Series): FormerUnit[] {
  return formerUnits.filter(({ unit }, i) => !isSameUnit(unit, formerUnits[i + 1]?.unit ?? present));
}

function formerTimes(series: Series): FormerTime[] {
  return unitChanges(series).map(({ until, unit }, i, all) => ({ from: all[i - 1]?.until ?? null, until, unit }));
}

/** Those in which any of these moments lies; they ascend. */
export function formerTimesOf(series: Series, moments: readonly Micros[]): FormerTime[] {
  return formerTimes(series).filter(
    ({ from, until }) => lowerBound(moments, until) > (from === null ? 0 : lowerBound(moments, from)),
  );
}

/** Those that reach into a span, up to those that end as it begins. */
export function formerTimesWithin(series: Series, start: Micros, end: Micros): FormerTime[] {
  return formerTimes(series).filter(({ from, until }) => until >= start && (from === null || from < end));
}

/** Says which samples, or figures, are in another unit than the series is now; nothing of one that is it again. */
export function sentencesOf(series: Series, noun: "samples" | "figures", times: readonly FormerTime[]): string[] {
  const name = series.name ?? series.subject;
  const present = series.unit === null ? "without a unit" : `in ${series.unit}`;
  return times
    .filter(({ unit }) => !isSameUnit(unit, series.unit))
    .map(({ from, until, unit }) => {
      const end = isoFromMicros(until);
      const when = from === null ? `before ${end}` : `from ${isoFromMicros(from)} to ${end}`;
      return `${name}: ${noun} ${when} are in ${unit}, not ${present}`;
    });
}

/** As many as an answer has room for, and how many more there are. */
export function atMost(sentences: readonly string[]): readonly string[] {
  const more = sentences.length - SENTENCES_MAX;
  return more <= 0
    ? sentences
    : [...sentences.slice(0, SENTENCES_MAX), `${more} more times in former units are not told here`];
}

/** The buckets in which a unit changed. */
export function mixedBuckets(changes: readonly FormerUnit[], borders: readonly Micros[]): ReadonlySet<number> {
  const buckets = changes.map(({ until }) => lowerBound(borders, until + 1) - 1);
  return new Set(buckets.filter((bucket) => bucket >= 0 && bucket < borders.length - 1));
}
