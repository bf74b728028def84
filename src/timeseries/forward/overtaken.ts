import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { ReadRequest } from "../../domain/store.ts";
import { type Day, dayOf } from "../hot/day.ts";

/** Samples of a batch, in the order of the queue. */
export interface QueuedSamples {
  readonly series: ArrayLike<SeriesNumber>;
  readonly ts: ArrayLike<Micros>;
  readonly values: readonly Value[];
}

export interface Stored {
  readonly isArchived: (day: Day) => boolean;
  readonly read: (requests: readonly ReadRequest[]) => Promise<readonly SampleColumns[]>;
}

/**
 * The places of those samples whose time has another value in the store: a late one of an archived day is queued before
 * it is known that the day has one already, which stays.
 */
export async function overtaken({ series, ts, values }: QueuedSamples, stored: Stored): Promise<ReadonlySet<number>> {
  const late = new Map<string, number[]>();
  for (let i = 0; i < values.length; i++) {
    const day = dayOf(ts[i]!);
    if (!stored.isArchived(day)) continue;
    const key = `${series[i]} ${day}`;
    const places = late.get(key);
    if (places === undefined) late.set(key, [i]);
    else places.push(i);
  }
  const found = new Set<number>();
  if (late.size === 0) return found;
  const parts = [...late.values()];
  const answers = await stored.read(parts.map((places) => requestOf(places, series, ts)));
  for (const [part, { ts: times, values: first }] of answers.entries()) {
    const known = new Map(times.map((time, i) => [time, first[i]!]));
    for (const i of parts[part]!) if (known.has(ts[i]!) && known.get(ts[i]!) !== values[i]) found.add(i);
  }
  return found;
}

function requestOf(places: readonly number[], series: ArrayLike<SeriesNumber>, ts: ArrayLike<Micros>): ReadRequest {
  let start = Number.POSITIVE_INFINITY;
  let end = Number.NEGATIVE_INFINITY;
  for (const i of places) {
    start = Math.min(start, ts[i]!);
    end = Math.max(end, ts[i]! + 1);
  }
  return { series: series[places[0]!]!, start, end, limit: Number.MAX_SAFE_INTEGER };
}
