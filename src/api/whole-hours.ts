import type { Span } from "../domain/sample.ts";
import { HOUR_MICROS } from "../lib/calendar.ts";
import { isoFromMicros } from "../lib/time.ts";

/** The whole hours of a span, as rollups have them, and what is left of the hours in which it begins and ends; ascending. */
export function wholeHoursApart({ start, end }: Span): Span[] {
  const first = Math.ceil(start / HOUR_MICROS) * HOUR_MICROS;
  const last = Math.floor(end / HOUR_MICROS) * HOUR_MICROS;
  const borders = [start, ...new Set([first, last].filter((hour) => hour > start && hour < end)), end];
  return borders.slice(1).map((border, i) => ({ start: borders[i]!, end: border }));
}

/** What there is to say where figures of such a part are unknown; undefined of whole hours. */
export function partLeftOut({ start, end }: Span): string | undefined {
  if (end - start >= HOUR_MICROS) return undefined;
  const span = `${isoFromMicros(start)} to ${isoFromMicros(end)}`;
  return `${span} is left out where samples are no longer kept or cannot be read: figures by the hour cannot be divided so`;
}
