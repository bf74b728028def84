const UNITS = ["B", "kB", "MB", "GB", "TB"];
const count = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const rate = new Intl.NumberFormat("en", { maximumFractionDigits: 1 });

/** What is shown where a figure is not known: never 0. */
export const UNKNOWN = "–";

/** @param {number | null | undefined} value */
export const number = (value) => (typeof value === "number" ? count.format(value) : UNKNOWN);

/** With one digit after the point. @param {number | null | undefined} value */
export const decimal = (value) => (typeof value === "number" ? rate.format(value) : UNKNOWN);

/** Decimal units, as disks are sold. @param {number | null | undefined} value */
export function bytes(value) {
  if (typeof value !== "number") return UNKNOWN;
  const power = value < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(value) / 3));
  return `${(value / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${UNITS[power]}`;
}

/** @param {number | null | undefined} seconds */
export function duration(seconds) {
  if (typeof seconds !== "number") return UNKNOWN;
  const whole = Math.round(Math.abs(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min`;
  if (whole < 86_400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${count.format(Math.floor(whole / 86_400))} d ${Math.floor((whole % 86_400) / 3600)} h`;
}

/** "12 s ago", "in 5 min". @param {string | null | undefined} iso @param {number} now in milliseconds */
export function away(iso, now) {
  const at = Date.parse(iso ?? "");
  if (Number.isNaN(at)) return UNKNOWN;
  const seconds = (at - now) / 1000;
  return seconds > 0.5 ? `in ${duration(seconds)}` : `${duration(seconds)} ago`;
}

/** @param {Date} at */
export const timeOfDay = (at) => at.toLocaleTimeString("en-GB");

/** Local date and time; with the offset from UTC where clocks show it twice. @param {string | null | undefined} iso */
export function moment(iso) {
  const at = new Date(iso ?? "");
  if (Number.isNaN(at.getTime())) return UNKNOWN;
  const text = onTheClock(at);
  return [-AROUND_MS, AROUND_MS].some((around) => isTwin(at, text, around)) ? `${text} ${offsetOf(at)}` : text;
}

/** Clocks are not set twice within as long, nor by more. */
const AROUND_MS = 3 * 3_600_000;

/** @param {Date} at */
const onTheClock = (at) => at.toLocaleString("en-CA", { dateStyle: "short", timeStyle: "medium", hour12: false });

/** Whether another moment, with the offset that is in force around, has the same text. @param {Date} at @param {string} text @param {number} around */
function isTwin(at, text, around) {
  const shift = new Date(at.getTime() + around).getTimezoneOffset() - at.getTimezoneOffset();
  return shift !== 0 && onTheClock(new Date(at.getTime() + shift * 60_000)) === text;
}

/** "GMT+2". @param {Date} at */
function offsetOf(at) {
  const parts = new Intl.DateTimeFormat("en", { timeZoneName: "shortOffset" }).formatToParts(at);
  return parts.find(({ type }) => type === "timeZoneName")?.value ?? "";
}
