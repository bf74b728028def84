import type { BucketFigures } from "../../domain/statistics.ts";
import type { Tally } from "./accumulate.ts";

/** Figures of buckets as they cross from thread to thread: NaN stands for null, a count of NaN for no figures at all. */
export interface FigureColumns {
  readonly numbers: Float64Array<ArrayBuffer>;
  /** By bucket, where there are any. */
  readonly durations: ReadonlyMap<number, { readonly states: ReadonlyMap<string, number>; readonly other: number }>;
}

const WIDTH = 9;

export function packFigures(tallies: readonly (Tally | undefined)[]): FigureColumns {
  const numbers = new Float64Array(tallies.length * WIDTH).fill(Number.NaN);
  const durations = new Map<number, { states: ReadonlyMap<string, number>; other: number }>();
  for (let i = 0; i < tallies.length; i++) {
    const figures = tallies[i]?.figures();
    if (figures == null) continue;
    const at = i * WIDTH;
    numbers[at] = figures.count;
    numbers[at + 1] = figures.weight;
    numbers[at + 2] = figures.mean ?? Number.NaN;
    numbers[at + 3] = figures.min ?? Number.NaN;
    numbers[at + 4] = figures.max ?? Number.NaN;
    numbers[at + 5] = figures.first ?? Number.NaN;
    numbers[at + 6] = figures.last ?? Number.NaN;
    numbers[at + 7] = figures.sum ?? Number.NaN;
    numbers[at + 8] = figures.change ?? Number.NaN;
    if (figures.durations !== null) durations.set(i, { states: figures.durations, other: figures.otherDuration });
  }
  return { numbers, durations };
}

/** The figures of `count` buckets from the bucket `from` on. */
export function unpackFigures(columns: FigureColumns, from: number, count: number): (BucketFigures | null)[] {
  return Array.from({ length: count }, (_, i) => unpackOne(columns, from + i));
}

function unpackOne({ numbers, durations }: FigureColumns, bucket: number): BucketFigures | null {
  const at = bucket * WIDTH;
  const count = numbers[at]!;
  if (Number.isNaN(count)) return null;
  const stay = durations.get(bucket);
  return {
    count,
    weight: numbers[at + 1]!,
    mean: orNull(numbers[at + 2]!),
    min: orNull(numbers[at + 3]!),
    max: orNull(numbers[at + 4]!),
    first: orNull(numbers[at + 5]!),
    last: orNull(numbers[at + 6]!),
    sum: orNull(numbers[at + 7]!),
    change: orNull(numbers[at + 8]!),
    durations: stay?.states ?? null,
    otherDuration: stay?.other ?? 0,
  };
}

function orNull(number: number): number | null {
  return Number.isNaN(number) ? null : number;
}
