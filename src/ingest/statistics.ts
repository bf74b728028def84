import type { HomeConnection, StatisticsRow } from "../domain/connection.ts";
import type { HourlyRollup } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { Series, SeriesNumber } from "../domain/series.ts";
import { isSameUnit } from "../domain/units.ts";

const HOUR = 3_600_000_000;
/** 50 statistics of 30 days are 36,000 rows, some 4 MB. */
const GROUP_STATISTICS_MAX = 50;
const WINDOW = 30 * 24 * HOUR;

export interface StatisticsSources {
  readonly connection: HomeConnection;
  readonly seriesOf: (entityId: string) => Series | undefined;
  /** When the first sample of each series within the span is; undefined: there is none. */
  readonly firstSamples: (series: readonly SeriesNumber[]) => Promise<readonly (Micros | undefined)[]>;
}

/**
 * Home Assistant's hourly statistics of the entities that have a series, up to its first sample in the span, window by
 * window from the newest to the oldest, each in parts; `end` is how far back those of all entities are read then. What
 * is kept in another unit than the series has now is left out, since its numbers would not be comparable. An hour comes
 * once more where only an older window shows what a meter rose by in it.
 */
export async function* readRollups(
  { connection, seriesOf, firstSamples }: StatisticsSources,
  span: Span,
): AsyncGenerator<{ readonly rollups: readonly HourlyRollup[]; readonly end: Micros }> {
  const kept = new Map<string, SeriesNumber>();
  for (const { id, unit } of await connection.listStatistics()) {
    const series = seriesOf(id);
    if (series !== undefined && isSameUnit(series.unit, unit)) kept.set(id, series.number);
  }
  const ids = [...kept.keys()].sort();
  const ends = new Map<SeriesNumber, Micros>();
  for (let at = 0; at < ids.length; at += GROUP_STATISTICS_MAX) {
    const group = ids.slice(at, at + GROUP_STATISTICS_MAX).map((id) => kept.get(id)!);
    const firsts = await firstSamples(group);
    for (const [i, series] of group.entries()) ends.set(series, Math.min(span.end, firsts[i] ?? span.end));
  }
  /** By statistic: its first row of the windows so far, where none of the hour before is there. */
  const openHours = new Map<string, StatisticsRow>();
  for (let end = ends.values().reduce((a, b) => Math.max(a, b), span.start); end > span.start; ) {
    const start = Math.max(span.start, end - WINDOW);
    for (let at = 0; at < ids.length; at += GROUP_STATISTICS_MAX) {
      const group = ids.slice(at, at + GROUP_STATISTICS_MAX);
      const rollups: HourlyRollup[] = [];
      // An hour more, since a meter's increase is the difference to the hour before.
      const answer = await connection.readStatistics(group, { start: start - HOUR, end });
      for (const [id, rows] of answer) {
        const series = kept.get(id);
        if (series === undefined) continue;
        const until = ends.get(series)!;
        const later = openHours.get(id);
        const all = later === undefined ? rows : [...rows, later];
        for (const rollup of rollupsOf(series, all, start)) if (rollup.start < until) rollups.push(rollup);
        const first = rows.find(({ sum }) => sum !== null);
        if (first === undefined) continue;
        if (first.start < start) openHours.delete(id);
        else openHours.set(id, first);
      }
      // A month of a large home is a million rollups, too many to be held at once.
      if (at + GROUP_STATISTICS_MAX >= ids.length) end = start;
      yield { rollups, end };
    }
  }
}

/** Rows as rollups, from `start` on. */
export function rollupsOf(series: SeriesNumber, rows: readonly StatisticsRow[], start: Micros): HourlyRollup[] {
  const rollups: HourlyRollup[] = [];
  let sumBefore: number | null = null;
  for (const row of rows.toSorted((a, b) => a.start - b.start)) {
    if (row.start >= start) {
      const increase = row.sum === null || sumBefore === null ? null : row.sum - sumBefore;
      const { mean, min, max, state: last } = row;
      rollups.push({ series, start: row.start, mean, min, max, last, increase });
    }
    sumBefore = row.sum ?? sumBefore;
  }
  return rollups;
}
