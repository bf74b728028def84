import type { Micros, Value } from "../../domain/sample.ts";
import type { BucketFigures } from "../../domain/statistics.ts";

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
): BucketFigures | null {
  const inForce = samples
    .map(([ts, value], i) => {
      const next = Math.min(samples[i + 1]?.[0] ?? end, silences.find((silence) => silence >= ts) ?? end);
      return { value, from: Math.max(ts, start), to: Math.min(next, end) };
    })
    .filter(({ from, to }) => to > from);
  const numbers = inForce.filter((piece): piece is typeof piece & { value: number } => Number.isFinite(piece.value));
  const within = samples.filter(([ts]) => ts >= start && ts < end);
  const texts = inForce.filter(({ value }) => typeof value === "string");
  if (within.length === 0 && numbers.length === 0 && texts.length === 0) return null;

  const weight = numbers.reduce((sum, { from, to }) => sum + (to - from), 0);
  const integral = numbers.reduce((sum, { value, from, to }) => sum + value * (to - from), 0);
  const values = numbers.map(({ value }) => value);
  const summands = within.map(([, value]) => value).filter((value) => Number.isFinite(value)) as number[];
  const durations = new Map<string, number>();
  for (const { value, from, to } of texts) {
    durations.set(value as string, (durations.get(value as string) ?? 0) + to - from);
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
    change: weight > 0 ? changeOf(samples, start, end, meter) : null,
    durations: durations.size > 0 ? durations : null,
    otherDuration: 0,
  };
}

function changeOf(samples: readonly (readonly [Micros, Value])[], start: Micros, end: Micros, meter: boolean): number {
  const numbers = samples.filter(([ts, value]) => ts < end && Number.isFinite(value)) as [Micros, number][];
  let change = 0;
  for (let i = 1; i < numbers.length; i++) {
    const [ts, after] = numbers[i]!;
    const before = numbers[i - 1]![1];
    if (ts < start) continue;
    if (!meter) change += after - before;
    else if (before >= 0 && after >= 0) change += after < before * 0.9 ? after : after - before;
  }
  return change;
}
