import { AppError } from "../domain/errors.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { isoFromMicros, microsFromIso } from "../lib/time.ts";

const DAY = 86_400_000_000;
/** The end of year 9999: later moments are no ISO text of four digits any more. */
const MICROS_MAX = 253_402_300_800_000_000;
/** The number next to it. Numbers of that size are 32 apart, so the year's last microsecond is read as its end. */
const MICROS_LAST = MICROS_MAX - 32;
const FORMS = "ISO 8601 with zone (2026-11-24T11:04:03Z, +01:00) or epoch milliseconds (1795518243577.164)";

/**
 * The span of a query, half-open: `end` is now by default, `start` a day before `end`; `end` may lie in the future.
 * `invalid` names the parameter that is no moment, or both when the span would be empty; `noun`: what they are.
 */
export function parseSpan(
  start: string | undefined,
  end: string | undefined,
  now: Micros,
  noun = "query parameter",
): Span {
  const to = end === undefined ? now : parseMoment("end", end, noun);
  const from = start === undefined ? to - DAY : parseMoment("start", start, noun);
  if (from >= to) {
    const state = `start is ${shown(from)}, end is ${shown(to)}`;
    throw new AppError("invalid", `The ${noun} "start" must be before "end": ${state}`);
  }
  return { start: from, end: to };
}

/** A moment in a query, or in a field of a body as `noun` says; digits beyond microseconds are cut from ISO text and rounded in numbers. */
export function parseMoment(name: string, text: string, noun = "query parameter"): Micros {
  // A "+" in an address that nobody escaped arrives as a blank; between a time and its zone nothing else can be meant.
  const iso = text.replace(/ (\d\d:?\d\d)$/, "+$1");
  const micros = /^-?\d{1,15}(\.\d{1,9})?$/.test(text) ? microsFromMillisText(text) : microsFromIso(iso);
  if (Number.isFinite(micros) && Math.abs(micros) <= MICROS_MAX) return Math.min(micros, MICROS_LAST);
  throw new AppError("invalid", `The ${noun} "${name}" must be ${FORMS}, not "${text.slice(0, 100)}"`);
}

/** Digit by digit: a double holds epoch milliseconds with three decimals only just, and a product would be off by one. */
function microsFromMillisText(text: string): Micros {
  const [whole = "", fraction = ""] = text.replace("-", "").split(".");
  const micros = Number(whole) * 1000 + Math.round(Number(`0.${fraction}0`) * 1000);
  return text.startsWith("-") ? -micros : micros;
}

function shown(micros: Micros): string {
  return Math.abs(micros) < MICROS_MAX ? isoFromMicros(micros) : String(micros);
}
