import { setImmediate as turn } from "node:timers/promises";
import type { Static } from "typebox";
import { AppError } from "../domain/errors.ts";
import type { Gap } from "../domain/gaps.ts";
import type { DeviceRow, EntityRow, HomeReader } from "../domain/home-store.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { type Availability, readAvailability } from "./availability.ts";
import { readCounts, sumOf } from "./change-counts.ts";
import { seriesOfLive } from "./parts.ts";
import { periodSpan, queryPeriod } from "./period.ts";
import {
  answers,
  count,
  exactly,
  LIST_LIMIT_MAX,
  nullableTime,
  queryChoice,
  queryText,
  text,
  time,
  warned,
  warnings,
} from "./schemas.ts";
import { either, lengthOf, without } from "./spans.ts";
import { Type } from "./type.ts";

const GROUPS = ["manufacturer", "model", "integration"] as const;
type GroupName = (typeof GROUPS)[number];

/** As the original. */
const ROWS_DEFAULT = 20;
/** Hours of every entity are looked at. */
const SPAN_MAX: Micros = 31 * 86_400_000_000;
const HUNDREDTHS = 10_000;

const PERCENT = { minimum: 0, maximum: 100 };
const percent = (description: string) => Type.Number({ ...PERCENT, description });
const nullablePercent = (description: string) =>
  Type.Union([Type.Number(PERCENT), Type.Null()], { description: `${description}; null: nothing is known of it` });

const Row = exactly({
  manufacturer: Type.Optional(text("With group_by=manufacturer")),
  model: Type.Optional(text("With group_by=model")),
  integration: Type.Optional(text("With group_by=integration")),
  device_count: count("Devices with an entity that had a state"),
  entity_count: count("Their entities that had one"),
  event_count: count("Changes of their states"),
  percentage: percent("Of all changes of entities with such a device"),
  unavailable_percentage: nullablePercent("Of the time in which the devices were known, all together"),
  outages: count("Times that a device became unavailable, or was so when the span began"),
  longest_outage_seconds: Type.Number({ description: "Of one device, to the millisecond; 0 without any" }),
  last_seen: nullableTime("When one of them last changed; of those that are unavailable, since when; null: not known"),
});

type Row = Static<typeof Row>;

const Answer = exactly({
  group_by: text(GROUPS.join(", ")),
  start: time("From here on"),
  end: time("Before here"),
  total_events_in_period: count("Changes of states of the whole home"),
  total_events_analyzed: count("Those of entities whose device has such a value"),
  metadata_coverage_percentage: percent("How many of all changes these are"),
  reliability_data: Type.Array(Row, { description: "Those that were unavailable the longest first" }),
  timestamp: time("When it was counted"),
  warnings,
});

const Performance = exactly({
  platform: text("The integration"),
  start: time("From here on"),
  end: time("Before here"),
  entity_count: count("Its entities"),
  total_events: count("Changes of their states"),
  events_per_minute: Type.Number({ description: "Of the span" }),
  unavailable_percentage: nullablePercent("Of the time in which they had a state, all together"),
  timestamp: time("When it was counted"),
  warnings,
});

const spanQuery = {
  start: queryText("From here on: ISO 8601 with zone, or epoch milliseconds"),
  end: queryText("Before here; now without it"),
};

type Home = Pick<HomeReader, "devices" | "entities" | "integrationAnalytics">;

/** One device, with the entities of it that had a state. */
interface DeviceRecord {
  readonly device: DeviceRow;
  readonly series: readonly SeriesNumber[];
}

/** How reliable devices and integrations are: how often and for how long they did not answer. */
export function reliabilityRoutes(
  api: Api,
  samples: ChangeReader,
  home: Home,
  gaps: () => readonly Gap[],
  now: () => number = nowMicros,
): void {
  const seriesOf = (entity: EntityRow): SeriesNumber[] =>
    seriesOfLive(entity, samples)
      .filter(({ field }) => field === STATE_FIELD)
      .map(({ number }) => number);

  api.get(
    "/api/devices/reliability",
    {
      schema: {
        tags: ["home"],
        summary: "How often and for how long devices were unavailable",
        description:
          "By maker, model or integration. A device is unavailable while all of its entities that have a state are. " +
          "Interruptions of the record do not count. Devices without that value are left out; " +
          "metadata_coverage_percentage says of how many changes.",
        querystring: exactly({
          group_by: queryChoice(GROUPS, "manufacturer without it"),
          period: queryPeriod("7d"),
          ...spanQuery,
          limit: Type.Optional(
            Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: ROWS_DEFAULT, description: "Rows, at most" }),
          ),
        }),
        response: answers({ 200: Answer }),
      },
    },
    async ({ query: { group_by = "manufacturer", limit = ROWS_DEFAULT, period, ...asked } }) => {
      const span = boundedSpan(periodSpan(period, asked, now(), "7d"), now());
      const told = new Set<string>();
      const records = await recordsOf(home, seriesOf);
      // An empty text is none, as in groups of statistics.
      const grouped = records.filter(({ device }) => device[group_by]);
      const wanted = grouped.flatMap(({ series }) => series);
      const counts = await readCounts(samples, samples.seriesOf(STATE_MEASUREMENT, STATE_FIELD), span, told);
      const total = sumOf(counts.values());
      const analyzed = sumOf(wanted.map((one) => counts.get(one) ?? 0));
      const found = await readAvailability(samples, wanted, span, gaps(), told);
      const groups = Map.groupBy(grouped, ({ device }) => device[group_by]!);
      const rows: Row[] = [];
      for (const [name, members] of groups) {
        const row = await rowOf(group_by, name, members, { counts, found, analyzed, samples });
        if (row !== undefined) rows.push(row);
      }
      return {
        group_by,
        start: isoFromMicros(span.start),
        end: isoFromMicros(span.end),
        total_events_in_period: total,
        total_events_analyzed: analyzed,
        metadata_coverage_percentage: share(analyzed, total),
        reliability_data: rows.sort(leastReliableFirst).slice(0, limit),
        timestamp: isoFromMicros(now()),
        ...warned(told),
      };
    },
  );

  api.get(
    "/api/integrations/:platform/performance",
    {
      schema: {
        tags: ["home"],
        summary: "How much comes by an integration, and how much of the time its entities are unavailable",
        params: exactly({ platform: text("The integration, e.g. hue") }),
        querystring: exactly({ period: queryPeriod("1h"), ...spanQuery }),
        response: answers({ 200: Performance }, 404),
      },
    },
    async ({ params: { platform }, query: { period, ...asked } }) => {
      if (home.integrationAnalytics(platform) === undefined) {
        throw new AppError("not_found", `Cannot find integration "${platform}"`);
      }
      const span = boundedSpan(periodSpan(period, asked, now(), "1h"), now());
      const told = new Set<string>();
      const entities = await allEntities(home, { platform });
      const series = entities.flatMap(seriesOf);
      const counts = await readCounts(samples, series, span, told);
      const total = sumOf(counts.values());
      const found = [...(await readAvailability(samples, series, span, gaps(), told)).values()];
      const known = found.reduce((sum, one) => sum + lengthOf(one.known), 0);
      const unavailable = found.reduce((sum, { outages }) => sum + lengthOf(outages), 0);
      return {
        platform,
        start: isoFromMicros(span.start),
        end: isoFromMicros(span.end),
        entity_count: entities.length,
        total_events: total,
        events_per_minute: Math.round((total / ((span.end - span.start) / 60_000_000)) * 1000) / 1000,
        unavailable_percentage: known === 0 ? null : share(unavailable, known),
        timestamp: isoFromMicros(now()),
        ...warned(told),
      };
    },
  );
}

/** Not into the future, of which nothing is known. */
function boundedSpan({ start, end }: Span, now: Micros): Span {
  const until = Math.min(end, now);
  if (until <= start) throw new AppError("invalid", 'The query parameter "start" lies in the future');
  if (until - start <= SPAN_MAX) return { start, end: until };
  throw new AppError("invalid", "The span is longer than 31 days: ask for a shorter one");
}

async function recordsOf(home: Home, seriesOf: (entity: EntityRow) => SeriesNumber[]): Promise<DeviceRecord[]> {
  const byDevice = Map.groupBy(await allEntities(home, {}), ({ device_id }) => device_id);
  const records: DeviceRecord[] = [];
  let cursor: string | undefined;
  do {
    const page = home.devices({ limit: LIST_LIMIT_MAX, cursor });
    for (const device of page.rows) {
      const series = (byDevice.get(device.device_id) ?? []).flatMap(seriesOf);
      records.push({ device, series });
    }
    cursor = page.nextCursor ?? undefined;
    await turn();
  } while (cursor !== undefined);
  return records;
}

async function allEntities(home: Home, filter: { readonly platform?: string }): Promise<EntityRow[]> {
  const rows: EntityRow[] = [];
  let cursor: string | undefined;
  do {
    const page = home.entities({ ...filter, limit: LIST_LIMIT_MAX, cursor });
    rows.push(...page.rows);
    cursor = page.nextCursor ?? undefined;
    await turn();
  } while (cursor !== undefined);
  return rows;
}

interface Found {
  readonly counts: ReadonlyMap<SeriesNumber, number>;
  readonly found: ReadonlyMap<SeriesNumber, Availability>;
  readonly analyzed: number;
  readonly samples: ChangeReader;
}

/** None where no device was known in the span. Others get their turn after each device: it may have flapped all the time. */
async function rowOf(
  groupBy: GroupName,
  name: string,
  members: readonly DeviceRecord[],
  all: Found,
): Promise<Row | undefined> {
  let [devices, entities, events, known, unavailable, outages, longest] = [0, 0, 0, 0, 0, 0, 0];
  let lastSeen = Number.NEGATIVE_INFINITY;
  for (const { series } of members) {
    const alive = series.filter((one) => (all.found.get(one)?.known.length ?? 0) > 0);
    if (alive.length === 0) continue;
    devices++;
    entities += alive.length;
    const records = alive.map((one) => all.found.get(one)!);
    const available = records.map((one) => without(one.known, one.outages)).reduce(either);
    // What such an entity was decides, unless another one was available.
    const lost = without(records.map((one) => one.lost).reduce(either), available);
    const inUse = without(records.map((one) => one.known).reduce(either), lost);
    const out = without(inUse, available);
    outages += out.length;
    unavailable += lengthOf(out);
    known += lengthOf(inUse);
    longest = out.reduce((max, { start, end }) => Math.max(max, end - start), longest);
    for (const one of alive) {
      events += all.counts.get(one) ?? 0;
      const last = all.samples.last(one);
      if (last !== undefined) lastSeen = Math.max(lastSeen, last.ts);
    }
    await turn();
  }
  if (devices === 0) return undefined;
  return {
    [groupBy]: name,
    device_count: devices,
    entity_count: entities,
    event_count: events,
    percentage: share(events, all.analyzed),
    unavailable_percentage: known === 0 ? null : share(unavailable, known),
    outages,
    longest_outage_seconds: Math.round(longest / 1000) / 1000,
    last_seen: Number.isFinite(lastSeen) ? isoFromMicros(lastSeen) : null,
  };
}

function leastReliableFirst(a: Row, b: Row): number {
  return (b.unavailable_percentage ?? -1) - (a.unavailable_percentage ?? -1) || b.event_count - a.event_count;
}

/** In percent, with two decimals; 0 of nothing. */
function share(part: number, whole: number): number {
  return whole === 0 ? 0 : Math.min(100, Math.round((part / whole) * HUNDREDTHS) / 100);
}
