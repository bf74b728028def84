import type { ReadColumns, SampleColumns, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { type PackedSamples, SamplePacker } from "../hot/columns.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import type { Course, Unread, Way } from "./course.ts";
import { fromMidnight } from "./plan.ts";
import type { WhatIsLeft } from "./what-is-left.ts";

export interface SampleGathererOptions {
  readonly memory: { within(series: SeriesNumber, span: Span): SampleColumns };
  readonly whatIsLeft: WhatIsLeft;
}

/** Days were found to be unreadable: the question is to be planned without them. */
export class DaysUnread extends Error {}

/** Rejects with DaysUnread. */
export interface SampleGatherer {
  /**
   * What the thread that reads does not find in the file, of the stretches that are answered from samples; null: nothing.
   * Where it turns out that samples of the series were dropped, the course is told.
   */
  of(series: SeriesNumber, course: Course): Promise<PackedSamples | null>;
  /**
   * The same of another series along its way, from the UTC midnight before: what was dropped of that one is not known, and
   * that is all.
   */
  beside(series: SeriesNumber, other: SeriesNumber, course: Course): Promise<PackedSamples | null>;
}

export function createSampleGatherer({ memory, whatIsLeft }: SampleGathererOptions): SampleGatherer {
  /** Samples along a way, and the days of which some were dropped. */
  async function along({ stretches }: Pick<Way, "stretches">, series: SeriesNumber, course: Course) {
    const dropped = new Set<Day>();
    let packer: SamplePacker | undefined;
    const add = ({ ts, values }: SampleColumns): void => {
      packer ??= new SamplePacker(Math.max(1, ts.length));
      for (let i = 0; i < ts.length; i++) packer.push(ts[i]!, values[i]!);
    };
    for (const stretch of stretches) {
      if (stretch.from === "samples") add(memory.within(series, stretch));
      if (stretch.from !== "archive") continue;
      const { columns, dropped: days } = await whatIsLeft(series, inWholeHours(stretch));
      add(columns);
      doWithout(columns, stretch, course.unread);
      for (const warning of columns.warnings ?? []) course.warnings.add(warning);
      for (const day of days) dropped.add(day);
    }
    return { dropped, memory: packer === undefined || packer.count === 0 ? null : packer.packed() };
  }

  return {
    async of(series, course) {
      const found = await along(course.wayOf(series), series, course);
      if (found.dropped.size === 0) return found.memory;
      course.goWithout(series, found.dropped);
      return (await along(course.wayOf(series), series, course)).memory;
    },
    async beside(series, other, course) {
      const stretches = course.wayOf(series).stretches.map(fromMidnight);
      return (await along({ stretches }, other, course)).memory;
    },
  };
}

/** What was added up is known by the hour. */
function inWholeHours({ start, end }: Span): Span {
  return { start: Math.floor(start / HOUR_MICROS) * HOUR_MICROS, end: Math.ceil(end / HOUR_MICROS) * HOUR_MICROS };
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
