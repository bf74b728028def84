import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type Prepare, statisticsWithin } from "./hours.ts";
import type { Stretch } from "./plan.ts";
import type { RollupRow } from "./row.ts";
import { inOrder, type Silences } from "./silences.ts";

/** What a stretch that is answered from samples has of a series. */
export interface Beside {
  readonly samples: SampleColumns;
  readonly silences: Silences;
  readonly hours: readonly RollupRow[];
}

/** Of a question: borders across which no hour may lie, ascending, and where it ends. */
interface Bounds {
  readonly firmBorders: ArrayLike<Micros>;
  readonly until: Micros;
}

/**
 * Hours of Home Assistant's own statistics in a stretch that is answered from samples: those in which nothing of ours
 * is, as where the day's rollups are built, and that no border divides. Ascending.
 */
export function hoursBeside(
  prepare: Prepare,
  { firmBorders, until }: Bounds,
  series: SeriesNumber,
  stretch: Stretch,
  { samples, silences }: Omit<Beside, "hours">,
): readonly RollupRow[] {
  if (!stretch.hasStatistics) return [];
  const isWithin = (list: ArrayLike<Micros>, start: Micros, end: Micros): boolean =>
    lowerBound(list, start) < lowerBound(list, end);
  return statisticsWithin(prepare, series, stretch).filter(([start]) => {
    const end = start + HOUR_MICROS;
    if (end > until || isWithin(firmBorders, start + 1, end)) return false;
    return !isWithin(samples.ts, start, end) && !isWithin(silences, start, end);
  });
}

/** Passes samples, silences and hours in the order of time. */
export function inOrderWithHours(
  { samples, silences, hours }: Beside,
  sample: (ts: Micros, value: Value) => void,
  silence: (ts: Micros) => void,
  hour: (row: RollupRow) => void,
): void {
  let next = 0;
  const hoursBefore = (ts: Micros): void => {
    for (; next < hours.length && hours[next]![0] < ts; next++) hour(hours[next]!);
  };
  inOrder(
    samples,
    silences,
    (ts, value) => {
      hoursBefore(ts);
      sample(ts, value);
    },
    (ts) => {
      hoursBefore(ts);
      silence(ts);
    },
  );
  hoursBefore(Number.POSITIVE_INFINITY);
}
