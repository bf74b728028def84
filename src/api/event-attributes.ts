import { STATE_MEASUREMENT } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import type { Change } from "./newest-changes.ts";
import { attributesAmong, attributesOf, type Known, readInForce } from "./states-at.ts";

/** The attributes that were in force when these changes came; none of an entity that was removed. */
export async function readAttributes(
  samples: ChangeReader,
  changes: readonly Change[],
  warnings: Set<string>,
): Promise<Record<string, unknown>[]> {
  const asked = changes.flatMap(({ series, ts, value }, change) => {
    const subject = value === null ? undefined : samples.describeSeries(series)?.subject;
    const all = subject === undefined ? [] : samples.seriesOfSubject(STATE_MEASUREMENT, subject);
    return attributesAmong(all).map((one) => ({ series: one, at: ts, change }));
  });
  const found = await readInForce(samples, asked, warnings);
  const known = changes.map((): Known[] => []);
  for (const [i, one] of found.entries()) if (one !== undefined) known[asked[i]!.change]!.push(one);
  return changes.map(({ series, value }, i) => {
    const state = value === null ? undefined : samples.describeSeries(series);
    return state === undefined ? {} : attributesOf(state, known[i]!);
  });
}
