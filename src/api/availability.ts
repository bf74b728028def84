import { setImmediate as turn } from "node:timers/promises";
import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { BucketFigures, StatisticsAnswer } from "../domain/statistics.ts";
import type { ChangeReader } from "../domain/store.ts";
import { HOUR_MICROS } from "../lib/calendar.ts";
import { extend, joined } from "./spans.ts";
import { partLeftOut, wholeHoursApart } from "./whole-hours.ts";

/** Home Assistant's word for an entity whose device or service does not answer. */
const UNAVAILABLE = "unavailable";

/** Series whose hours are asked for at once, and hours whose samples are. */
const SERIES_AT_ONCE = 20;
const HOURS_AT_ONCE = 250;
/** Samples of an hour that are looked at; one that has more is left out. */
const SAMPLES_OF_HOUR_MAX = 10_000;

/** How available an entity was. Each list is ascending, its spans apart from each other. */
export interface Availability {
  /** When it had a state, whatever it was. Interruptions of the record do not count. */
  readonly known: readonly Span[];
  /** When that was "unavailable". */
  readonly outages: readonly Span[];
  /** Of when nobody can tell any more; neither known nor an outage. */
  readonly lost: readonly Span[];
}

/** While it grows: in no order. */
interface Found {
  readonly known: Span[];
  readonly outages: Span[];
  readonly lost: Span[];
}

/** An hour of a series that has to be looked at sample by sample. */
interface BrokenHour extends Span {
  readonly series: SeriesNumber;
  /** How many samples it has. */
  readonly count: number;
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
  const found = new Map(series.map((one): [SeriesNumber, Found] => [one, { known: [], outages: [], lost: [] }]));
  const broken: BrokenHour[] = [];
  for (let from = 0; from < series.length; from += SERIES_AT_ONCE) {
    const part = series.slice(from, from + SERIES_AT_ONCE);
    const { series: hours, unknown } = await readHours(samples, part, span, warnings);
    for (const [i, buckets] of hours.entries()) {
      const { known, outages, lost } = found.get(part[i]!)!;
      for (const [hour, bucket] of buckets.entries()) {
        const [start, end] = [borders[hour]!, borders[hour + 1]!];
        if (unknown[i]?.has(hour)) extend(lost, { start, end });
        if (bucket === null) continue;
        const unavailable = unavailableIn(bucket);
        // Of many texts only some are told by name.
        const isMixed = bucket.otherDuration > 0 || (unavailable > 0 && unavailable !== end - start);
        if (isMixed || knownIn(bucket) !== end - start) {
          broken.push({ series: part[i]!, start, end, count: bucket.count });
          continue;
        }
        extend(known, { start, end });
        if (unavailable > 0) extend(outages, { start, end });
      }
    }
    await turn();
  }
  // Samples are archived day by day, each in the order of series.
  broken.sort((a, b) => a.start - b.start || a.series - b.series);
  const lostHours = await readBroken(samples, broken, silences, found, warnings);
  if (lostHours > 0) warnings.add(lostSentence(lostHours));
  const availability = new Map<SeriesNumber, Availability>();
  for (const [one, { known, outages, lost }] of found) {
    availability.set(one, { known: joined(known), outages: joined(outages), lost: joined(lost) });
    if (availability.size % SERIES_AT_ONCE === 0) await turn();
  }
  return availability;
}

/** Borders of whole hours, and of what is left of the first and the last. */
function hoursOf({ start, end }: Span): Micros[] {
  const borders = [start];
  for (let hour = (Math.floor(start / HOUR_MICROS) + 1) * HOUR_MICROS; hour < end; hour += HOUR_MICROS) {
    borders.push(hour);
  }
  return [...borders, end];
}

/** The figures of these hours. Of one that the span divides, and of it alone, they may be unknown. */
async function readHours(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  warnings: Set<string>,
): Promise<Pick<StatisticsAnswer, "series" | "unknown">> {
  const ask = (part: Span) => samples.statistics({ series, borders: hoursOf(part), until: part.end, group: false });
  const whole = await ask(span);
  if (whole.unknown.every(({ size }) => size === 0)) {
    for (const warning of whole.warnings) warnings.add(warning);
    return whole;
  }
  const buckets = series.map((): (BucketFigures | null)[] => []);
  const unknown = series.map(() => new Set<number>());
  for (const part of wholeHoursApart(span)) {
    const before = buckets[0]!.length;
    const answer = await ask(part);
    for (const [i, list] of answer.series.entries()) buckets[i]!.push(...list);
    for (const [i, list] of answer.unknown.entries()) for (const hour of list) unknown[i]!.add(before + hour);
    const leftOut = answer.unknown.some(({ size }) => size > 0) ? partLeftOut(part) : undefined;
    for (const sentence of leftOut === undefined ? answer.warnings : [leftOut]) warnings.add(sentence);
  }
  return { series: buckets, unknown };
}

function unavailableIn({ durations }: BucketFigures): Micros {
  return durations?.get(UNAVAILABLE) ?? 0;
}

function knownIn({ durations, weight, otherDuration }: BucketFigures): Micros {
  const texts = durations?.values().reduce((sum, micros) => sum + micros, 0) ?? 0;
  return weight + texts + otherDuration;
}

function lostSentence(hours: number): string {
  const [what, who] =
    hours === 1 ? ["1 hour of an entity is", "it was"] : [`${hours} hours of entities are`, "they were"];
  return `${what} left out: the samples that would say when ${who} unavailable are not all kept, or cannot be read`;
}

/** Sample by sample. Answers how many hours lack some of theirs. */
async function readBroken(
  samples: ChangeReader,
  hours: readonly BrokenHour[],
  silences: readonly Micros[],
  found: ReadonlyMap<SeriesNumber, Found>,
  warnings: Set<string>,
): Promise<number> {
  let lostHours = 0;
  for (let from = 0; from < hours.length; from += HOURS_AT_ONCE) {
    const part = hours.slice(from, from + HOURS_AT_ONCE);
    const answers = await samples.read(
      part.map((hour) => ({ ...hour, includeStart: true, limit: SAMPLES_OF_HOUR_MAX })),
    );
    for (const [i, { ts, values, warnings: told = [] }] of answers.entries()) {
      for (const warning of told) warnings.add(warning);
      const hour = part[i]!;
      const { known, outages, lost } = found.get(hour.series)!;
      if (ts.filter((time) => time >= hour.start).length < hour.count) {
        lost.push({ start: hour.start, end: hour.end });
        lostHours++;
        continue;
      }
      for (const [at, value] of values.entries()) {
        if (value === null) continue;
        const since = ts[at]!;
        const silence = silences.find((moment) => moment > since) ?? Number.POSITIVE_INFINITY;
        const end = Math.min(ts[at + 1] ?? hour.end, silence, hour.end);
        const start = Math.max(since, hour.start);
        if (end <= start) continue;
        extend(known, { start, end });
        if (value === UNAVAILABLE) outages.push({ start, end });
      }
    }
  }
  return lostHours;
}
