/** Periods of time: 5 minutes and hours are cut in UTC, days, weeks (from Monday) and months in a time zone. */

export type Period = "5minute" | "hour" | "day" | "week" | "month";

/** From the shortest to the longest. */
export const PERIODS: readonly Period[] = ["5minute", "hour", "day", "week", "month"];

export const FIVE_MINUTES_MICROS = 300_000_000;
export const HOUR_MICROS = 3_600_000_000;
export const DAY_MICROS = 86_400_000_000;

/** The shortest that a period can be, in microseconds. */
const SHORTEST: Readonly<Record<Period, number>> = {
  "5minute": FIVE_MINUTES_MICROS,
  hour: HOUR_MICROS,
  // Clocks go forward by two hours at most, at some stations near the poles.
  day: 22 * HOUR_MICROS,
  week: 7 * DAY_MICROS - 2 * HOUR_MICROS,
  month: 28 * DAY_MICROS - 2 * HOUR_MICROS,
};

/** Whether the name is one of a time zone ("Europe/Amsterdam", "UTC"). */
export function isTimeZone(name: string): boolean {
  try {
    Temporal.Instant.fromEpochMilliseconds(0).toZonedDateTimeISO(name);
    return true;
  } catch (error) {
    if (error instanceof RangeError) return false;
    throw error;
  }
}

/** More periods than a span can have; cheap whatever its length. */
export function periodsAtMost(period: Period, start: number, end: number): number {
  return Math.ceil((end - start) / SHORTEST[period]) + 1;
}

/**
 * Where the periods that [start, end) touches begin, ascending, and at last where the last one ends: one border more
 * than periods. The first is not after `start`, the last not before `end`. All are microseconds since 1970.
 *
 * A day begins at midnight or, where clocks skip midnight, at the first moment of the date; it has 23 or 25 hours when
 * clocks change, 23.5 or 24.5 on Lord Howe Island.
 */
export function periodBorders(period: Period, start: number, end: number, timeZone: string): number[] {
  if (period === "5minute") return evenBorders(FIVE_MINUTES_MICROS, start, end);
  if (period === "hour") return evenBorders(HOUR_MICROS, start, end);
  const { first, step } = calendarStart(period, dateOf(start, timeZone));
  const borders: number[] = [];
  for (let i = 0, border = Number.NEGATIVE_INFINITY; border < end; i++) {
    const next = startOf(first.add({ [step.unit]: i * step.count }), timeZone);
    // A date that was skipped when a zone changed sides of the date line begins together with the one after it.
    if (next > border) borders.push(next);
    border = next;
  }
  // For the same reason the second border can be the first moment of the period that holds the start.
  while (borders.length > 2 && borders[1]! <= start) borders.shift();
  return borders;
}

/**
 * `periodBorders` that gives its last answer again, the same list, where that covers the span with no period to spare: the
 * charts of a page ask for the same periods, and cutting a month into days takes a sixth of a millisecond.
 */
export function keptPeriodBorders(): (...asked: Parameters<typeof periodBorders>) => readonly number[] {
  let kept: { readonly period: Period; readonly timeZone: string; readonly borders: readonly number[] } | undefined;
  return (period, start, end, timeZone) => {
    if (kept?.period !== period || kept.timeZone !== timeZone || !isTight(kept.borders, start, end)) {
      kept = { period, timeZone, borders: periodBorders(period, start, end, timeZone) };
    }
    return kept.borders;
  };
}

/** Whether the first period holds `start`, and the last one what is just before `end`. */
function isTight(borders: readonly number[], start: number, end: number): boolean {
  const last = borders.length - 1;
  return borders[0]! <= start && start < borders[1]! && borders[last - 1]! < end && end <= borders[last]!;
}

/** The moments within (start, end) at which a date begins in the time zone, ascending. */
export function midnightsBetween(start: number, end: number, timeZone: string): number[] {
  return periodBorders("day", start, end, timeZone).filter((border) => border > start && border < end);
}

function evenBorders(length: number, start: number, end: number): number[] {
  const first = Math.floor(start / length);
  const last = Math.ceil(end / length);
  const borders: number[] = [];
  for (let i = first; i <= last; i++) borders.push(i * length);
  return borders;
}

function dateOf(micros: number, timeZone: string): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(micros / 1000))
    .toZonedDateTimeISO(timeZone)
    .toPlainDate();
}

function startOf(date: Temporal.PlainDate, timeZone: string): number {
  return date.toZonedDateTime(timeZone).epochMilliseconds * 1000;
}

function calendarStart(period: "day" | "week" | "month", date: Temporal.PlainDate) {
  if (period === "month") return { first: date.with({ day: 1 }), step: { unit: "months", count: 1 } };
  if (period === "week")
    return { first: date.subtract({ days: date.dayOfWeek - 1 }), step: { unit: "days", count: 7 } };
  return { first: date, step: { unit: "days", count: 1 } };
}
