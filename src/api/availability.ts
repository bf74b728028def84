import { setImmediate as turn } from "node:timers/promises";
import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { Micros, Span } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { BucketFigures } from "../domain/statistics.ts";
import type { ChangeReader } from "../domain/store.ts";
import { DAY_MICROS, HOUR_MICROS } from "../lib/calendar.ts";
import { extend, joined } from "./spans.ts";
import { partLeftOut, wholeApart } from "./whole-apart.ts";

/** Home Assistant's word for an entity whose device or service does not answer. */
const UNAVAILABLE = "unavailable";

/** Buckets that are asked for at once, and hours whose samples are. */
const BUCKETS_AT_ONCE = 14_400;
const HOURS_AT_ONCE = 250;
/** Samples of an hour that are looked at; one that has more is left out. */
const SAMPLES_OF_HOUR_MAX = 10_000;
/** Series that are looked at before others get their turn. */
const SERIES_A_TURN = 20;

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

type FoundBySeries = ReadonlyMap<SeriesNumber, Found>;

/**
 * When entities were unavailable in a span, by the series of their states. Their days are asked for first, which for most
 * are there already; of those of which unavailability is or may be a part, or no state at all, the hours; and only such
 * hours are looked at sample by sample.
 */
export async function readAvailability(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  gaps: readonly Gap[],
  warnings: Set<string>,
): Promise<Map<SeriesNumber, Availability>> {
  const silences = gaps.flatMap(({ downtime }) => (downtime === null ? [] : silenceOf(downtime))).sort((a, b) => a - b);
  const found = new Map(series.map((one): [SeriesNumber, Found] => [one, { known: [], outages: [], lost: [] }]));
  const broken: BrokenHour[] = [];
  let lostHours = 0;
  // As samples are archived: day by day, each in the order of series.
  const ordered = series.toSorted((a, b) => a - b);
  for (const part of wholeApart(span, DAY_MICROS)) {
    const isOfDays = (part.end - part.start) % DAY_MICROS === 0;
    const unclear = isOfDays
      ? await readDays(samples, ordered, part, found)
      : wholeApart(part, HOUR_MICROS).map((hours): [Span, readonly SeriesNumber[]] => [hours, ordered]);
    for (const [day, those] of unclear) {
      await readHours(samples, those, day, { found, broken, warnings });
      lostHours += await readBroken(samples, broken.splice(0), silences, found, warnings);
    }
  }
  if (lostHours > 0) warnings.add(lostSentence(lostHours));
  const availability = new Map<SeriesNumber, Availability>();
  for (const [one, { known, outages, lost }] of found) {
    availability.set(one, { known: joined(known), outages: joined(outages), lost: joined(lost) });
    if (availability.size % SERIES_A_TURN === 0) await turn();
  }
  return availability;
}

/** Takes what whole days tell, and answers of which series each day has to be looked at by hours. */
async function readDays(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  found: FoundBySeries,
): Promise<Map<Span, SeriesNumber[]>> {
  const days = partsOf(span, DAY_MICROS);
  const unclear = new Map(days.map((day): [Span, SeriesNumber[]] => [day, []]));
  for (const some of inTurns(series, days.length)) {
    const answer = await ask(samples, some, span, DAY_MICROS);
    // Hours tell what of a day there is, and warn of what there is not.
    const isAll = answer.warnings.length === 0;
    for (const [i, buckets] of answer.series.entries()) {
      for (const [at, day] of days.entries()) {
        const bucket = buckets[at]!;
        if (isAll && (bucket === null || tells(bucket, day, found.get(some[i]!)!))) continue;
        unclear.get(day)!.push(some[i]!);
      }
    }
    await turn();
  }
  return unclear;
}

interface ByHours {
  readonly found: FoundBySeries;
  /** Those that have to be looked at sample by sample. */
  readonly broken: BrokenHour[];
  readonly warnings: Set<string>;
}

/** Takes what the hours of a span tell, all of them whole, or of one that is a part of one. */
async function readHours(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  { found, broken, warnings }: ByHours,
): Promise<void> {
  const hours = partsOf(span, HOUR_MICROS);
  for (const some of inTurns(series, hours.length)) {
    const answer = await ask(samples, some, span, HOUR_MICROS);
    // Of a part of an hour, which is asked for by itself, figures may be unknown.
    const leftOut = answer.unknown.some(({ size }) => size > 0) ? partLeftOut(span) : undefined;
    for (const sentence of leftOut === undefined ? answer.warnings : [leftOut]) warnings.add(sentence);
    for (const [i, buckets] of answer.series.entries()) {
      const one = some[i]!;
      for (const [at, hour] of hours.entries()) {
        const bucket = buckets[at]!;
        if (answer.unknown[i]?.has(at)) extend(found.get(one)!.lost, hour);
        if (bucket === null || tells(bucket, hour, found.get(one)!)) continue;
        broken.push({ series: one, ...hour, count: bucket.count });
      }
    }
    await turn();
  }
}

/** Takes what a bucket tells; false: it is not clear from it when the entity was unavailable. */
function tells(bucket: BucketFigures, span: Span, { known, outages }: Found): boolean {
  const length = span.end - span.start;
  const unavailable = unavailableIn(bucket);
  // Of many texts only some are told by name.
  const isMixed = bucket.otherDuration > 0 || (unavailable > 0 && unavailable !== length);
  if (isMixed || knownIn(bucket) !== length) return false;
  extend(known, span);
  if (unavailable > 0) extend(outages, span);
  return true;
}

function inTurns(series: readonly SeriesNumber[], buckets: number): SeriesNumber[][] {
  const most = Math.max(1, Math.floor(BUCKETS_AT_ONCE / buckets));
  const turns = Math.ceil(series.length / most);
  return Array.from({ length: turns }, (_, i) => series.slice(i * most, (i + 1) * most));
}

/** From each multiple of `step` to the next one, and what is left before the first and after the last. */
function partsOf(span: Span, step: Micros): Span[] {
  const borders = bordersOf(span, step);
  return borders.slice(1).map((end, i) => ({ start: borders[i]!, end }));
}

function bordersOf({ start, end }: Span, step: Micros): Micros[] {
  const borders = [start];
  for (let border = (Math.floor(start / step) + 1) * step; border < end; border += step) borders.push(border);
  return [...borders, end];
}

function ask(samples: ChangeReader, series: readonly SeriesNumber[], span: Span, step: Micros) {
  return samples.statistics({ series, borders: bordersOf(span, step), until: span.end, group: false });
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
  found: FoundBySeries,
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
