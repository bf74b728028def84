import type { Micros, ReadColumns, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type Day, dayOf } from "../hot/day.ts";
import type { CountRequest } from "./lone-figure.ts";

export interface WhatIsLeftOptions {
  /** All samples of a span, of whatever tier. */
  readonly readWhole: (series: SeriesNumber, span: Span) => Promise<ReadColumns>;
  readonly reader: { counts(request: CountRequest): Promise<Float64Array> };
}

/** The samples of a span of whole hours, and the days of it of which a rule dropped some that were added up. */
export type WhatIsLeft = (
  series: SeriesNumber,
  span: Span,
) => Promise<{ readonly columns: ReadColumns; readonly dropped: readonly Day[] }>;

export function createWhatIsLeft({ readWhole, reader }: WhatIsLeftOptions): WhatIsLeft {
  return async (series, span) => {
    const borders = hoursWithin(span);
    // First, so that no late sample is counted which is not read.
    const counts = await reader.counts({
      borders: new Float64Array(borders),
      rows: 1,
      stretches: [{ from: "hours", hasStatistics: false, ...span }],
      days: [],
      series: [{ number: series, memory: null, stretches: null, rows: [0] }],
    });
    const columns = await readWhole(series, span);
    return { columns, dropped: fewerThan(counts, borders, columns.ts) };
  };
}

/**
 * Days of which more samples were added up in an hour than are left. By the hour, since late samples may be more than
 * those that were dropped.
 */
function fewerThan(counts: Float64Array, borders: readonly Micros[], times: readonly Micros[]): Day[] {
  const days = new Set<Day>();
  for (const [i, count] of counts.entries()) {
    if (count === 0) continue;
    const left = lowerBound(times, borders[i + 1]!) - lowerBound(times, borders[i]!);
    if (count > left) days.add(dayOf(borders[i]!));
  }
  return [...days];
}

function hoursWithin({ start, end }: Span): Micros[] {
  return Array.from({ length: (end - start) / HOUR_MICROS + 1 }, (_, hour) => start + hour * HOUR_MICROS);
}
