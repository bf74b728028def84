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

/** How available an entity was. */
export interface Availability {
  /** For how long it had a state, whatever it was. Interruptions of the record do not count. */
  readonly known: Micros;
  /** When it was unavailable: ascending, apart from each other. */
  readonly outages: readonly Span[];
}

/**
 * When entities were unavailable in a span, by the series of their states. Their hours are asked for first, which for most
 * days are there already; only those of which unavailability is a part are looked at sample by sample.
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
  const found = new Map<SeriesNumber, Availability>();
  for (let from = 0; from < series.length; from += SERIES_AT_ONCE) {
    const part = series.slice(from, from + SERIES_AT_ONCE);
    const { series: hours, warnings: told } = await samples.statistics({
      ...{ series: part, borders, until: span.end, group: false },
    });
    for (const warning of told) warnings.add(warning);
    const whole: { series: SeriesNumber; span: Span }[] = [];
    const broken: { series: SeriesNumber; span: Span }[] = [];
    for (const [i, buckets] of hours.entries()) {
      for (const [hour, bucket] of buckets.entries()) {
        const unavailable = unavailableIn(bucket);
        if (unavailable === 0) continue;
        const one = { series: part[i]!, span: { start: borders[hour]!, end: borders[hour + 1]! } };
        (unavailable === one.span.end - one.span.start ? whole : broken).push(one);
      }
    }
    const outages = Map.groupBy(
      [...whole, ...(await readOutages(samples, broken, silences, warnings))],
      (o) => o.series,
    );
    for (const [i, one] of part.entries()) {
      const known = hours[i]!.reduce((sum, bucket) => sum + knownIn(bucket), 0);
      found.set(one, { known, outages: joined((outages.get(one) ?? []).map((outage) => outage.span)) });
      await turn();
    }
  }
  return found;
}

/** Whole hours of UTC, as rollups have them, and what is left of the first and the last. */
function hoursOf({ start, end }: Span): Micros[] {
  const borders = [start];
  for (let hour = (Math.floor(start / HOUR) + 1) * HOUR; hour < end; hour += HOUR) borders.push(hour);
  return [...borders, end];
}

function unavailableIn(bucket: BucketFigures | null): Micros {
  return bucket?.durations?.get(UNAVAILABLE) ?? 0;
}

function knownIn(bucket: BucketFigures | null): Micros {
  if (bucket === null) return 0;
  const texts = bucket.durations?.values().reduce((sum, micros) => sum + micros, 0) ?? 0;
  return bucket.weight + texts + bucket.otherDuration;
}

/** Sample by sample. */
async function readOutages(
  samples: ChangeReader,
  hours: readonly { readonly series: SeriesNumber; readonly span: Span }[],
  silences: readonly Micros[],
  warnings: Set<string>,
): Promise<{ series: SeriesNumber; span: Span }[]> {
  const outages: { series: SeriesNumber; span: Span }[] = [];
  for (let from = 0; from < hours.length; from += HOURS_AT_ONCE) {
    const part = hours.slice(from, from + HOURS_AT_ONCE);
    const answers = await samples.read(
      part.map(({ series, span }) => ({ series, ...span, includeStart: true, limit: SAMPLES_OF_HOUR_MAX })),
    );
    for (const [i, { ts, values, warnings: told = [] }] of answers.entries()) {
      for (const warning of told) warnings.add(warning);
      const { series, span } = part[i]!;
      for (const [at, value] of values.entries()) {
        if (value !== UNAVAILABLE) continue;
        const since = ts[at]!;
        const silence = silences.find((moment) => moment > since) ?? Number.POSITIVE_INFINITY;
        const end = Math.min(ts[at + 1] ?? span.end, silence, span.end);
        const start = Math.max(since, span.start);
        if (end > start) outages.push({ series, span: { start, end } });
      }
    }
  }
  return outages;
}
