import type { Micros, Value } from "../../domain/sample.ts";
import type { BucketFigures } from "../../domain/statistics.ts";
import { DAY_MICROS } from "../../lib/calendar.ts";

/**
 * The definitions of docs/statistics.md as plainly as they can be written, for tests: for each bucket the whole list of
 * samples is looked at. Samples and silences ascend, each time once.
 */
export function figuresOf(
  samples: readonly (readonly [Micros, Value])[],
  start: Micros,
  end: Micros,
  meter: boolean,
  silences: readonly Micros[] = [],
  resets: Resets = NO_RESETS,
): BucketFigures | null {
  const inForce = samples
    .map(([ts, value], i) => {
      const next = Math.min(samples[i + 1]?.[0] ?? end, silences.find((silence) => silence > ts) ?? end);
      return { value, from: Math.max(ts, start), to: Math.min(next, end) };
    })
    .filter(({ from, to }) => to > from);
  // A meter has no numbers below 0.
  const isNumber = (value: Value): value is number => Number.isFinite(value) && !(meter && (value as number) < 0);
  const numbers = inForce.filter((piece): piece is typeof piece & { value: number } => isNumber(piece.value));
  const within = samples.filter(([ts]) => ts >= start && ts < end);
  const texts = inForce.filter(({ value }) => typeof value === "string");
  if (within.length === 0 && numbers.length === 0 && texts.length === 0) return null;

  const weight = numbers.reduce((sum, { from, to }) => sum + (to - from), 0);
  const integral = numbers.reduce((sum, { value, from, to }) => sum + value * (to - from), 0);
  const values = numbers.map(({ value }) => value);
  const summands = within.map(([, value]) => value).filter(isNumber);
  const durations = new Map<string, number>();
  let otherDuration = 0;
  for (const { value, from, to } of texts) {
    if ((value as string).length > 255) otherDuration += to - from;
    else durations.set(value as string, (durations.get(value as string) ?? 0) + to - from);
  }
  return {
    count: within.length,
    weight,
    mean: weight > 0 ? integral / weight : null,
    min: weight > 0 ? Math.min(...values) : null,
    max: weight > 0 ? Math.max(...values) : null,
    first: values[0] ?? null,
    last: values.at(-1) ?? null,
    sum: summands.length > 0 ? summands.reduce((sum, value) => sum + value, 0) : null,
    change: weight > 0 ? changeOf(numbersOf(samples, isNumber), start, end, meter, resets) : null,
    durations: texts.length > 0 ? durations : null,
    otherDuration,
  };
}

/** By the time of a number the cycle that is told with it. */
export type Resets = ReadonlyMap<Micros, Micros>;
const NO_RESETS: Resets = new Map();

/** Of each number the cycle that was told since the one before on its UTC day, of `last_reset`s of this century alone. */
export function cyclesOf(samples: readonly (readonly [Micros, Value])[], told: ReadonlyMap<Micros, Value>): Resets {
  const cycles = new Map<Micros, Micros>();
  const times = [...told].filter(([, reset]) => String(reset).startsWith("20")).sort((a, b) => a[0] - b[0]);
  let before = Number.NEGATIVE_INFINITY;
  for (const [ts, number] of samples) {
    if (!Number.isFinite(number)) continue;
    const since = Math.max(before, ts - (ts % DAY_MICROS) - 1);
    const last = times.findLast(([at]) => at > since && at <= ts)?.[1] as string | undefined;
    if (last !== undefined) cycles.set(ts, Date.parse(last.endsWith("00:00:00") ? `${last}Z` : last));
    before = ts;
  }
  return cycles;
}

function numbersOf(
  samples: readonly (readonly [Micros, Value])[],
  isNumber: (value: Value) => value is number,
): [Micros, number][] {
  return samples.flatMap(([ts, value]) => (isNumber(value) ? [[ts, value]] : []));
}

function changeOf(
  numbers: readonly [Micros, number][],
  start: Micros,
  end: Micros,
  meter: boolean,
  resets: Resets,
): number {
  let change = 0;
  /** In which cycle each number is. */
  const cycles: (Micros | undefined)[] = [];
  for (const [ts] of numbers) cycles.push(resets.get(ts) ?? cycles.at(-1));
  for (let i = 1; i < numbers.length; i++) {
    const [ts, after] = numbers[i]!;
    const before = numbers[i - 1]![1];
    if (ts < start || ts >= end) continue;
    if (cycles[i - 1] !== undefined && cycles[i - 1] !== cycles[i]) change += after;
    else if (!meter) change += after - before;
    else change += after < before * 0.9 ? after : after - before;
  }
  return change;
}

/** Durations by text instead of a map in whatever order. */
export function comparable(figures: BucketFigures | null): unknown {
  return figures && { ...figures, durations: figures.durations && Object.fromEntries([...figures.durations].sort()) };
}

/**
 * A value in which numbers that differ from those wanted by their last digits alone are these: sums are taken in another
 * order here and there. Rounding both would now and then round two neighbours away from each other.
 */
export function withDigitsOf(wanted: unknown, value: unknown): unknown {
  if (typeof value === "number" && typeof wanted === "number") {
    return Math.abs(value - wanted) <= 1e-9 * Math.max(1, Math.abs(wanted)) ? wanted : value;
  }
  if (Array.isArray(value) && Array.isArray(wanted)) return value.map((one, i) => withDigitsOf(wanted[i], one));
  if (!isRecord(value) || !isRecord(wanted)) return value;
  return Object.fromEntries(Object.entries(value).map(([key, one]) => [key, withDigitsOf(wanted[key], one)]));
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
