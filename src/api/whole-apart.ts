import type { Micros, Span } from "../domain/sample.ts";
import { HOUR_MICROS } from "../lib/calendar.ts";
import { isoFromMicros } from "../lib/time.ts";

/**
 * The whole hours of a span, or days in UTC, as rollups have them, and what is left of those in which it begins and ends;
 * ascending. `step`: how long one is.
 */
export function wholeApart({ start, end }: Span, step: Micros): Span[] {
  const first = Math.ceil(start / step) * step;
  const last = Math.floor(end / step) * step;
  const borders = [start, ...new Set([first, last].filter((border) => border > start && border < end)), end];
  return borders.slice(1).map((border, i) => ({ start: borders[i]!, end: border }));
}

/** What there is to say where figures of such a part are unknown; undefined of whole hours. */
export function partLeftOut({ start, end }: Span): string | undefined {
  if (end - start >= HOUR_MICROS) return undefined;
  const span = `${isoFromMicros(start)} to ${isoFromMicros(end)}`;
  return `${span} is left out where samples are no longer kept or cannot be read: figures by the hour cannot be divided so`;
}
