import type { Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";

/** How many samples each series has in a span, from rollups where there are any; 0 where that is not known any more. */
export async function readCounts(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  { start, end }: Span,
  warnings: Set<string>,
): Promise<Map<SeriesNumber, number>> {
  const answer = await samples.figure({ series, borders: [start, end], until: end, group: false }, "count");
  for (const warning of answer.warnings) warnings.add(warning);
  return new Map(series.map((one, i) => [one, answer.series[i]![0]! || 0]));
}

export function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
