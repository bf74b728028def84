/**
 * Moments as whole microseconds since 1970, UTC. Home Assistant sends them as ISO text with an offset and as float
 * seconds; both must give the same integer, since it is a key of the store.
 */

let cachedMinute = "";
let cachedMinuteMillis = Number.NaN;

/**
 * The microseconds of an ISO 8601 moment with zone ("2026-11-24T11:04:03.577164+00:00", "…Z"), NaN when it is none.
 * Digits beyond microseconds are cut. Fast for runs of moments in the same minute, as events come.
 */
export function microsFromIso(text: string): number {
  // The minute (16 characters) decides most of the work and rarely changes from one event to the next.
  if (text.length < 20 || text.charCodeAt(16) !== 58) return slowMicrosFromIso(text);
  let end = 19;
  let micros = 0;
  if (text.charCodeAt(19) === 46) {
    end = 20;
    let scale = 100_000;
    for (; end < text.length; end++) {
      const digit = text.charCodeAt(end) - 48;
      if (digit < 0 || digit > 9) break;
      micros += digit * scale;
      scale = scale === 1 ? 0 : scale / 10;
    }
    if (end === 20) return Number.NaN;
  }
  const zone = text.slice(end);
  if (zone !== "+00:00" && zone !== "Z") return slowMicrosFromIso(text);
  const minute = text.slice(0, 16);
  if (minute !== cachedMinute) {
    cachedMinuteMillis = MINUTE.test(minute) && isDay(text) ? Date.parse(`${minute}:00Z`) : Number.NaN;
    cachedMinute = minute;
  }
  const tens = text.charCodeAt(17) - 48;
  const ones = text.charCodeAt(18) - 48;
  if (tens < 0 || tens > 5 || ones < 0 || ones > 9) return Number.NaN;
  return cachedMinuteMillis * 1000 + (tens * 10 + ones) * 1_000_000 + micros;
}

/** Date.parse takes much else, and some of it for another time: "2026-11-24(11:04:00Z" for midnight. */
const MINUTE = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d$/i;

/** Whether the calendar has the day: Date.parse takes February 30 for March 2, and hour 24 for the next day's first. */
function isDay(text: string): boolean {
  const day = new Date(`${text.slice(0, 10)}T00:00:00Z`);
  return day.getUTCDate() === Number(text.slice(8, 10)) && text.slice(11, 13) !== "24";
}

const ISO = /^\d{4}-\d\d-\d\d[T ]\d\d:\d\d(?::\d\d(?:[.,](\d{1,9}))?)?(Z|[+-]\d\d:?\d\d)$/i;

function slowMicrosFromIso(text: string): number {
  const match = ISO.exec(text);
  if (!match || !isDay(text)) return Number.NaN;
  const whole = text
    .replace(" ", "T")
    .replace(/[.,]\d+/, "")
    .replace(/([+-]\d\d)(\d\d)$/, "$1:$2")
    .toUpperCase();
  return Date.parse(whole) * 1000 + Number((match[1] ?? "").padEnd(6, "0").slice(0, 6));
}

/**
 * The microseconds of Python's float epoch seconds. Splitting before scaling gives HA's own integer; a plain
 * multiplication by a million is off by one for about every eighth time. Halves go to the even microsecond, as in
 * Python's `datetime.fromtimestamp`, where HA's ISO text comes from: every 65,536th float of our time is one.
 */
export function microsFromSeconds(seconds: number): number {
  const whole = Math.floor(seconds);
  const exact = (seconds - whole) * 1_000_000;
  const rounded = Math.round(exact);
  const even = rounded - exact === 0.5 && rounded % 2 === 1 ? rounded - 1 : rounded;
  return whole * 1_000_000 + even;
}

/**
 * A moment from outside as it may be kept; NaN before 1684 and after 2255, where doubles have no whole microseconds any
 * more: the store takes none of these, and SQLite gives none of them back.
 */
export function keepable(micros: number): number {
  return Number.isSafeInteger(micros) ? micros : Number.NaN;
}

/** ISO 8601 in UTC with "Z" and six digits of a second. */
export function isoFromMicros(micros: number): string {
  const millis = Math.floor(micros / 1000);
  const rest = String(micros - millis * 1000).padStart(3, "0");
  return `${new Date(millis).toISOString().slice(0, -1)}${rest}Z`;
}

/** Epoch milliseconds with up to three decimals, as sample arrays carry them. */
export function millisFromMicros(micros: number): number {
  return micros / 1000;
}

/** The wall clock, which may step; in whole milliseconds times a thousand. */
export function nowMicros(): number {
  return Date.now() * 1000;
}
