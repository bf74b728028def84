import type { Precision } from "../domain/line-protocol.ts";
import type { Micros } from "../domain/sample.ts";
import { LineFault } from "./fault.ts";

/** Nanoseconds of one step; "n" and "u" are what InfluxDB 1.x calls them, "m" and "h" are its alone. */
const NANOSECONDS: Readonly<Record<Precision, bigint>> = {
  ns: 1n,
  n: 1n,
  us: 1_000n,
  u: 1_000n,
  ms: 1_000_000n,
  s: 1_000_000_000n,
  m: 60_000_000_000n,
  h: 3_600_000_000_000n,
};

/** Microseconds of one step: a thousandth for nanoseconds. */
export function stepMicros(precision: Precision): number {
  return Number(NANOSECONDS[precision]) / 1000;
}

const INT64_MAX = 2n ** 63n - 1n;
/** In nanoseconds: a number holds every microsecond between them. InfluxDB's own range goes on to the year 2262. */
const TIME_MIN = BigInt(Number.MIN_SAFE_INTEGER) * 1000n;
const TIME_MAX = BigInt(Number.MAX_SAFE_INTEGER) * 1000n + 999n;

/** The moment of a line's digits, rounded down to the microsecond. Throws a LineFault beyond what can be stored. */
export function momentOf(digits: string, precision: Precision): Micros {
  if (digits === "-") throw new LineFault('strconv.ParseInt: parsing "-": invalid syntax');
  const steps = BigInt(digits);
  if (steps > INT64_MAX || steps < -INT64_MAX - 1n) {
    throw new LineFault(`strconv.ParseInt: parsing "${digits}": value out of range`);
  }
  const nanoseconds = steps * NANOSECONDS[precision];
  if (nanoseconds < TIME_MIN || nanoseconds > TIME_MAX) {
    throw new LineFault(`time outside range ${TIME_MIN} - ${TIME_MAX}`);
  }
  return Number((nanoseconds - (((nanoseconds % 1000n) + 1000n) % 1000n)) / 1000n);
}
