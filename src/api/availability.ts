import { setImmediate as turn } from "node:timers/promises";
import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { BucketFigures } from "../domain/statistics.ts";
import type { ChangeReader } from "../domain/store.ts";
import { joined } from "./spans.ts";

/** Home Assistant's word for an entity whose device or service does not answer. */
const UNAVAILABLE = "unavailable";

const HOUR: Micros = 3_600_000_000;
/** Series whose hours are asked for at once, and hours whose samples are. */
const SERIES_AT_ONCE = 20;
const HOURS_AT_ONCE = 250;
/** Samples of an hour that are looked at; what comes after them counts as what was in force. */
const SAMPLES_OF_HOUR_MAX = 10_000;

/** How available an entity was. Both lists are ascending, their spans apart from each other. */
export interface Availability {
  /** When it had a state, whatever it was. Interruptions of the record do not count. */
  readonly known: readonly Span[];
  /** When that was "unavailable". */
  readonly outages: readonly Span[];
}

/** While it grows: in no order. */
interface Found {
  readonly known: Span[];
  readonly outages: Span[];
}

/** An hour of a series that has to be looked at sample by sample. */
interface BrokenHour extends Span {
  readonly series: SeriesNumber;
}

/**
 * When entities were unavailable in a span, by the series of their states. Their hours are asked for first, which for most
 * days are there already; only those of which unavailability is or may be a part, or no state at all, are looked at
 * sample by sample.
 */
export async function readAvailability(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  gaps: readonly Gap[],
  warnings: Set<string>,
): Promise<Map<SeriesNumber, Availability>> {
  const borders = hoursOf(span);
  const silences = gaps.flatMap(({ downtime }) => (downtime === null ? [] : silenceOf(downtime))).sort((a, b) => a - b);
  const availability = new Map<SeriesNumber, Availability>();
  for (let from = 0; from < series.length; from += SERIES_AT_ONCE) {
    const part = series.slice(from, from + SERIES_AT_ONCE);
    const { series: hours, warnings: told } = await samples.statistics({
      ...{ series: part, borders, until: span.end, group: false },
    });
    for (const warning of told) warnings.add(warning);
    const found = new Map(part.map((one): [SeriesNumber, Found] => [one, { known: [], outages: [] }]));
    const broken: BrokenHour[] = [];
    for (const [i, buckets] of hours.entries()) {
      const { known, outages } = found.get(part[i]!)!;
      for (const [hour, bucket] of buckets.entries()) {
        if (bucket === null) continue;
        const [start, end] = [borders[hour]!, borders[hour + 1]!];
        const unavailable = unavailableIn(bucket);
        // Of many texts only some are told by name.
        const isMixed = bucket.otherDuration > 0 || (unavailable > 0 && unavailable !== end - start);
        if (isMixed || knownIn(bucket) !== end - start) {
          broken.push({ series: part[i]!, start, end });
          continue;
        }
        known.push({ start, end });
        if (unavailable > 0) outages.push({ start, end });
      }
    }
    await readBroken(samples, broken, silences, found, warnings);
    for (const [one, { known, outages }] of found) {
      availability.set(one, { known: joined(known), outages: joined(outages) });
      await turn();
    }
  }
  return availability;
}

/** Whole hours of UTC, as rollups have them, and what is left of the first and the last. */
function hoursOf({ start, end }: Span): Micros[] {
  const borders = [start];
  for (let hour = (Math.floor(start / HOUR) + 1) * HOUR; hour < end; hour += HOUR) borders.push(hour);
  return [...borders, end];
}

function unavailableIn({ durations }: BucketFigures): Micros {
  return durations?.get(UNAVAILABLE) ?? 0;
}

function knownIn({ durations, weight, otherDuration }: BucketFigures): Micros {
  const texts = durations?.values().reduce((sum, micros) => sum + micros, 0) ?? 0;
  return weight + texts + otherDuration;
}

/** Sample by sample. */
async function readBroken(
  samples: ChangeReader,
  hours: readonly BrokenHour[],
  silences: readonly Micros[],
  found: ReadonlyMap<SeriesNumber, Found>,
  warnings: Set<string>,
): Promise<void> {
  for (let from = 0; from < hours.length; from += HOURS_AT_ONCE) {
    const part = hours.slice(from, from + HOURS_AT_ONCE);
    const answers = await samples.read(
      part.map((hour) => ({ ...hour, includeStart: true, limit: SAMPLES_OF_HOUR_MAX })),
    );
    for (const [i, { ts, values, warnings: told = [] }] of answers.entries()) {
      for (const warning of told) warnings.add(warning);
      const hour = part[i]!;
      const { known, outages } = found.get(hour.series)!;
      for (const [at, value] of values.entries()) {
        if (value === null) continue;
        const since = ts[at]!;
        const silence = silences.find((moment) => moment > since) ?? Number.POSITIVE_INFINITY;
        const end = Math.min(ts[at + 1] ?? hour.end, silence, hour.end);
        const start = Math.max(since, hour.start);
        if (end <= start) continue;
        known.push({ start, end });
        if (value === UNAVAILABLE) outages.push({ start, end });
      }
    }
  }
}
