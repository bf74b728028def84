import type { Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { HOUR_MICROS } from "../lib/calendar.ts";
import { partLeftOut, wholeApart } from "./whole-apart.ts";

/** How many samples each series has in a span, from rollups where there are any; 0 where that is not known any more. */
export async function readCounts(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  warnings: Set<string>,
): Promise<Map<SeriesNumber, number>> {
  const { counts, unknown, told } = await countsOf(samples, series, span);
  if (unknown.length === 0) {
    for (const warning of told) warnings.add(warning);
    return counts;
  }
  // Begins or ends within an hour whose samples are not kept: the others are known for all that.
  for (const one of unknown) counts.set(one, 0);
  for (const part of wholeApart(span, HOUR_MICROS)) {
    const found = await countsOf(samples, unknown, part);
    for (const [one, count] of found.counts) counts.set(one, counts.get(one)! + count);
    const leftOut = found.unknown.length > 0 ? partLeftOut(part) : undefined;
    for (const sentence of leftOut === undefined ? found.told : [leftOut]) warnings.add(sentence);
  }
  return counts;
}

async function countsOf(samples: ChangeReader, series: readonly SeriesNumber[], { start, end }: Span) {
  const answer = await samples.figure({ series, borders: [start, end], until: end, group: false }, "count");
  return {
    counts: new Map(series.map((one, i) => [one, answer.series[i]![0]! || 0])),
    unknown: series.filter((_, i) => answer.unknown[i]!.size > 0),
    told: answer.warnings,
  };
}

export function sumOf(counts: Iterable<number>): number {
  let sum = 0;
  for (const count of counts) sum += count;
  return sum;
}
