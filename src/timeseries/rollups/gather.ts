import type { Micros, ReadColumns, SampleColumns, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { type PackedSamples, SamplePacker } from "../hot/columns.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import type { Course, Unread, Way } from "./course.ts";
import type { CountRequest } from "./lone-figure.ts";

export interface SampleGathererOptions {
  readonly memory: { within(series: SeriesNumber, span: Span): SampleColumns };
  /** All samples of a span, of whatever tier. */
  readonly readWhole: (series: SeriesNumber, span: Span) => Promise<ReadColumns>;
  readonly reader: { counts(request: CountRequest): Promise<Float64Array> };
}

/** Days were found to be unreadable: the question is to be planned without them. */
export class DaysUnread extends Error {}

/**
 * What the thread that reads does not find in the file, of the stretches that are answered from samples; null: nothing.
 * Where it turns out that samples of the series were dropped, the course is told. Rejects with DaysUnread.
 */
export type SampleGatherer = (series: SeriesNumber, course: Course) => Promise<PackedSamples | null>;

export function createSampleGatherer({ memory, readWhole, reader }: SampleGathererOptions): SampleGatherer {
  /** Samples along a way, and the days of which some were dropped. */
  async function along({ stretches }: Way, series: SeriesNumber, course: Course) {
    const dropped = new Set<Day>();
    let packer: SamplePacker | undefined;
    const add = ({ ts, values }: SampleColumns): void => {
      packer ??= new SamplePacker(Math.max(1, ts.length));
      for (let i = 0; i < ts.length; i++) packer.push(ts[i]!, values[i]!);
    };
    for (const stretch of stretches) {
      if (stretch.from === "samples") add(memory.within(series, stretch));
      if (stretch.from !== "archive") continue;
      const span = inWholeHours(stretch);
      // First, so that no late sample is counted which is not read.
      const counted = await countedByDay(series, span);
      const columns = await readWhole(series, span);
      add(columns);
      doWithout(columns, stretch, course.unread);
      for (const warning of columns.warnings ?? []) course.warnings.add(warning);
      for (const day of droppedDays(counted, columns.ts)) dropped.add(day);
    }
    return { dropped, memory: packer === undefined || packer.count === 0 ? null : packer.packed() };
  }

  /** How many samples of each day, or of the part of it that is within the span, were added up. */
  async function countedByDay(series: SeriesNumber, span: Span): Promise<Counted> {
    const borders = bordersOfDays(span);
    const counts = await reader.counts({
      borders: new Float64Array(borders),
      group: true,
      stretches: [{ from: "hours", hasStatistics: false, ...span }],
      days: [],
      series: [{ number: series, memory: null, stretches: null }],
    });
    return { borders, counts };
  }

  return async (series, course) => {
    const found = await along(course.wayOf(series), series, course);
    if (found.dropped.size === 0) return found.memory;
    course.goWithout(series, found.dropped);
    return (await along(course.wayOf(series), series, course)).memory;
  };
}

/** `counts[i]` samples in [borders[i], borders[i + 1]), which lies on one day. */
interface Counted {
  readonly borders: readonly Micros[];
  readonly counts: Float64Array;
}

/** Days of which more samples were added up than are left; `times` are those that are. */
function droppedDays({ borders, counts }: Counted, times: readonly Micros[]): Day[] {
  return borders.slice(0, -1).flatMap((border, i) => {
    const left = lowerBound(times, borders[i + 1]!) - lowerBound(times, border);
    return counts[i]! > left ? [dayOf(border)] : [];
  });
}

/** What was added up is known by the hour. */
function inWholeHours({ start, end }: Span): Span {
  return { start: Math.floor(start / HOUR_MICROS) * HOUR_MICROS, end: Math.ceil(end / HOUR_MICROS) * HOUR_MICROS };
}

/** The ends of the span, and the midnights UTC within it. */
function bordersOfDays({ start, end }: Span): Micros[] {
  const borders = [start];
  for (let day = dayOf(start) + 1; day * DAY_MICROS < end; day++) borders.push(day * DAY_MICROS);
  return [...borders, end];
}

/** Throws where days of the stretch cannot be read: what was in force before them must not be taken for theirs. */
function doWithout({ unread = [], warnings = [] }: ReadColumns, stretch: Span, known: Unread): void {
  const before = known.days.size;
  for (const { start, end } of unread) {
    const last = Math.min(end, stretch.end);
    for (let day = dayOf(Math.max(start, stretch.start)); day * DAY_MICROS < last; day++) known.days.add(day);
  }
  if (known.days.size === before) return;
  for (const warning of warnings) known.warnings.add(warning);
  throw new DaysUnread();
}
