import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { BucketFigures, StatisticsReader, WantedFigures } from "../domain/statistics.ts";
import type { SampleReader } from "../domain/store.ts";
import { PERIODS, type Period, periodBorders, periodsAtMost } from "../lib/calendar.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import type { HistoryPart } from "./history-page.ts";
import { ENTITIES_MAX, partsOf, partsOfEntity } from "./parts.ts";
import {
  answers,
  cursor,
  exactly,
  LIST_LIMIT_MAX,
  listOf,
  nullableText,
  queryList,
  queryText,
  text,
} from "./schemas.ts";
import { parseSpan } from "./span.ts";
import { Type } from "./type.ts";

/** Buckets of an answer: whole series go to a page while they fit. */
export const STATISTICS_BUCKETS_MAX = 10_000;
/** Series that are added up for a group in one question. */
const GROUP_SERIES_MAX = 100_000;
const LIST_LENGTH_MAX = 60_000;
const MOMENT = "ISO 8601 with zone, or epoch milliseconds";

export const STATISTICS_TYPES = ["mean", "min", "max", "first", "last", "count", "sum", "change", "durations"] as const;
type StatisticsType = (typeof STATISTICS_TYPES)[number];

const number = (description: string) => Type.Optional(Type.Number({ description }));

const Bucket = exactly({
  start: Type.Number({ description: "Epoch milliseconds" }),
  end: Type.Number({ description: "Epoch milliseconds; of a bucket under way its end in the future" }),
  mean: number("Weighted by time, over the time in which a number was in force"),
  min: number("Of the numbers in force, the one carried in included"),
  max: number("Of the numbers in force, the one carried in included"),
  first: number("The first number in force"),
  last: number("The last number in force"),
  count: Type.Optional(Type.Integer({ minimum: 0, description: "Samples in the bucket, of whatever value" })),
  sum: number("Of the samples in the bucket that are numbers"),
  change: number("From the last number before the bucket to the last one in it; meters may begin anew"),
  durations: Type.Optional(Type.Record(Type.String(), Type.Number(), { description: "Seconds by text in force" })),
  durations_other: number("Seconds of texts beyond the 32 that were in force the longest"),
});

const StatisticsAnswer = exactly({
  period: text(PERIODS.join(", ")),
  time_zone: text("In which days, weeks and months are cut"),
  series: Type.Array(
    Type.Object({
      entity_id: Type.Optional(text("As asked")),
      current_entity_id: Type.Optional(text("Its present name, where the one asked for is another")),
      measurement: Type.Optional(text("Of what is no entity")),
      subject: Type.Optional(text("Of what is no entity")),
      key: Type.Optional(text("Of a group: home")),
      name: Type.Optional(nullableText("Of a group: the home's name")),
      field: text("state, or an attribute's name; * for all"),
      unit: nullableText("Unit of measurement; null in a group where it is not the same everywhere"),
      buckets: Type.Array(Bucket, { description: "Ascending; those of which nothing is known are left out" }),
    }),
  ),
  warnings: Type.Optional(Type.Array(Type.String(), { description: "What the answer lacks; absent when nothing" })),
  next_cursor: nullableText("For the next page; null at the end"),
});

/** The home as Home Assistant describes it: where days are cut, and how it is called. */
export interface Place {
  readonly timeZone: string;
  readonly name: string | null;
}

/** Figures over hours, days, weeks and months; docs/statistics.md defines them. */
export function statisticsRoutes(
  api: Api,
  samples: SampleReader & StatisticsReader,
  home: Pick<HomeReader, "entity" | "entities">,
  place: () => Place,
  now: () => number = nowMicros,
): void {
  api.get(
    "/api/v1/statistics",
    {
      schema: {
        tags: ["history"],
        summary: "Figures by period: mean, min, max, count, change, time in each state, …",
        description:
          "Whole periods: the first one begins at or before start, the last one ends at or after end. 5 minutes and " +
          "hours are cut in UTC, as in Home Assistant, days, weeks (from Monday) and months in the home's time zone, " +
          "so that a day can have 23 or 25 hours. A figure that a bucket does not have is left out. A page ends " +
          `where ${STATISTICS_BUCKETS_MAX} buckets are full. docs/statistics.md defines each figure.`,
        querystring: exactly({
          entity_id: queryList(
            `Entities, ${ENTITIES_MAX} at most; old names find what goes by new ones`,
            LIST_LENGTH_MAX,
          ),
          domain: queryText("Instead of entity_id, as at /api/entities: e.g. light"),
          device_id: queryText("Device"),
          area_id: queryText("Effective area"),
          platform: queryText("Integration, e.g. hue"),
          label: queryText("Label id"),
          entity_category: queryText("config or diagnostic"),
          device_class: queryText("e.g. temperature"),
          q: queryText("Text within name or id, without regard to case"),
          measurement: queryText("With subject: what is no entity, e.g. weather"),
          subject: queryText("With measurement, e.g. open-meteo"),
          fields: queryList(
            "Fields; * for all. Without it the state alone for entities, all fields for other subjects",
            LIST_LENGTH_MAX,
          ),
          start: queryText(`From here on: ${MOMENT}; a day before end without it`),
          end: queryText(`Before here: ${MOMENT}; now without it, and may lie in the future`),
          period: queryText(`${PERIODS.join(", ")}; hour without it`),
          points: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: STATISTICS_BUCKETS_MAX,
              description: "Instead of period: the shortest one that gives so many buckets at most",
            }),
          ),
          types: queryList(`Figures, all without it: ${STATISTICS_TYPES.join(", ")}`, LIST_LENGTH_MAX),
          group_by: queryText("home: one series for all that is chosen, or for the whole home when nothing is"),
          cursor,
        }),
        response: answers({ 200: StatisticsAnswer }, 404),
      },
    },
    async ({ query }) => {
      const { timeZone, name } = place();
      const { cursor, ...question } = query;
      const types = typesOf(query.types);
      const figures = figuresFor(types);
      const chosen = query.group_by === undefined ? null : groupOf(query.group_by);
      const position = cursor === undefined ? null : positionOf(question, cursor);
      const span = position ?? parseSpan(query.start, query.end, now());
      const { period, borders } = bordersOf(query.period, query.points, span, timeZone);
      const body = (series: readonly BucketFigures[] | readonly (BucketFigures | null)[]): object[] =>
        bucketBodies(series, borders, now(), types);

      if (chosen !== null) {
        const members = membersOf(query, samples, home);
        const request = { series: members.series, borders, until: now(), group: true, figures };
        const { series, warnings } = await samples.statistics(request);
        const group = {
          key: chosen,
          name,
          field: fieldOf(query.fields),
          unit: members.unit,
          buckets: body(series[0]!),
        };
        return { period, time_zone: timeZone, series: [group], ...warned(warnings), next_cursor: null };
      }

      const parts = chosenParts(query, samples, home);
      const first = position === null ? 0 : indexOf(parts, position);
      const page = parts.slice(first, first + Math.floor(STATISTICS_BUCKETS_MAX / (borders.length - 1)));
      const next = parts[first + page.length];
      const known = page.flatMap(({ series }) => (series === null ? [] : [series.number]));
      const request = { series: known, borders, until: now(), group: false, figures };
      const { series, warnings } = await samples.statistics(request);
      let answer = 0;
      return {
        period,
        time_zone: timeZone,
        series: page.map((part) => ({
          ...part.head,
          field: part.field,
          unit: part.series?.unit ?? null,
          buckets: part.series === null ? [] : body(series[answer++]!),
        })),
        ...warned(warnings),
        next_cursor: next ? encodeCursor(question, [span.start, span.end, next.name, next.field]) : null,
      };
    },
  );
}

function warned(warnings: readonly string[]): { warnings?: readonly string[] } {
  return warnings.length === 0 ? {} : { warnings };
}

function typesOf(list: string | undefined): ReadonlySet<StatisticsType> {
  if (list === undefined) return new Set(STATISTICS_TYPES);
  return new Set(listOf(list).map((type) => oneOf("types", type, STATISTICS_TYPES)));
}

function figuresFor(types: ReadonlySet<StatisticsType>): WantedFigures {
  const [only] = types;
  return types.size === 1 && (only === "mean" || only === "count") ? only : "all";
}

function groupOf(text: string): "home" {
  return oneOf("group_by", text, ["home"]);
}

function fieldOf(fields: string | undefined): string {
  return fields === undefined ? STATE_FIELD : fields;
}

function oneOf<T extends string>(parameter: string, text: string, known: readonly T[]): T {
  const found = known.find((one) => one === text);
  if (found !== undefined) return found;
  throw new AppError("invalid", `The query parameter "${parameter}" must be of ${known.join(", ")}, not "${text}"`);
}

function bordersOf(asked: string | undefined, points: number | undefined, span: Span, timeZone: string) {
  if (asked !== undefined && points !== undefined) {
    throw new AppError("invalid", 'Give either "period" or "points", not both');
  }
  const max = points ?? STATISTICS_BUCKETS_MAX;
  const candidates = points === undefined ? [oneOf("period", asked ?? "hour", PERIODS)] : PERIODS;
  for (const period of candidates) {
    const borders = bordersWithin(period, span, timeZone, max);
    if (borders !== null) return { period, borders };
  }
  const period = candidates[candidates.length - 1];
  const remedy = points === undefined ? "ask for a longer period or a shorter span" : "ask for more, or a shorter span";
  throw new AppError("invalid", `The span has more than ${max} buckets of period "${period}": ${remedy}`);
}

/** Null when there would be more than `max` buckets; found out without cutting a span of thousands of years. */
function bordersWithin(period: Period, span: Span, timeZone: string, max: number): number[] | null {
  // Less than a tenth too many by this measure can still be few enough.
  if (periodsAtMost(period, span.start, span.end) > max * 1.2 + 3) return null;
  const borders = periodBorders(period, span.start, span.end, timeZone);
  return borders.length - 1 <= max ? borders : null;
}

interface Choice {
  readonly entity_id?: string;
  readonly domain?: string;
  readonly device_id?: string;
  readonly area_id?: string;
  readonly platform?: string;
  readonly label?: string;
  readonly entity_category?: string;
  readonly device_class?: string;
  readonly q?: string;
  readonly measurement?: string;
  readonly subject?: string;
  readonly fields?: string;
}

/** The entities that the filters of a query match; null when it has none. */
function* filtered(choice: Choice, home: Pick<HomeReader, "entities">): Generator<string> {
  const { domain, device_id, area_id, platform, label, entity_category, device_class, q } = choice;
  const filter = {
    domain,
    platform,
    label,
    q,
    deviceId: device_id,
    areaId: area_id,
    entityCategory: entity_category,
    deviceClass: device_class,
  };
  let cursor: string | undefined;
  do {
    const page = home.entities({ ...filter, limit: LIST_LIMIT_MAX, cursor });
    for (const row of page.rows) yield row.entity_id;
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
}

const FILTERS = [
  "domain",
  "device_id",
  "area_id",
  "platform",
  "label",
  "entity_category",
  "device_class",
  "q",
] as const;

function hasFilter(choice: Choice): boolean {
  const filter = FILTERS.find((name) => choice[name] !== undefined);
  const other = (["entity_id", "measurement", "subject"] as const).find((name) => choice[name] !== undefined);
  if (filter !== undefined && other !== undefined) {
    throw new AppError("invalid", `Give either "${other}" or filters such as "${filter}", not both`);
  }
  return filter !== undefined;
}

function chosenParts(
  choice: Choice,
  samples: SampleReader,
  home: Pick<HomeReader, "entity" | "entities">,
  max = ENTITIES_MAX,
): HistoryPart[] {
  if (!hasFilter(choice)) return partsOf(choice, samples, home);
  const names = [...filtered(choice, home)];
  if (names.length > max) {
    const remedy = 'narrow them, or add "group_by"';
    throw new AppError("invalid", `The filters match ${names.length} entities, ${max} are the most: ${remedy}`);
  }
  const fields = new Set(choice.fields === undefined ? [STATE_FIELD] : listOf(choice.fields));
  return names.flatMap((name) => partsOfEntity(name, fields, samples, home));
}

/** What a group adds up. */
function membersOf(
  choice: Choice,
  samples: SampleReader & StatisticsReader,
  home: Pick<HomeReader, "entity" | "entities">,
): { series: readonly number[]; unit: string | null } {
  const { entity_id, measurement, subject, fields } = choice;
  if (!hasFilter(choice) && entity_id === undefined && measurement === undefined && subject === undefined) {
    const wanted = fields === undefined ? [STATE_FIELD] : listOf(fields);
    const all = wanted.includes("*") ? [null] : wanted;
    return { series: all.flatMap((field) => samples.seriesOf(STATE_MEASUREMENT, field)), unit: null };
  }
  const series = chosenParts(choice, samples, home, GROUP_SERIES_MAX).flatMap((part) => part.series ?? []);
  const units = new Set(series.map(({ unit }) => unit));
  const [unit = null] = units;
  return { series: [...new Set(series.map(({ number }) => number))], unit: units.size === 1 ? unit : null };
}

interface Position extends Span {
  readonly name: string;
  readonly field: string;
}

function positionOf(question: unknown, cursor: string): Position {
  // Its digest says that we made it for this very query, so its shape is known.
  const [start, end, name, field] = decodeCursor(question, cursor) as [number, number, string, string];
  return { start, end, name, field };
}

function indexOf(parts: readonly HistoryPart[], { name, field }: Position): number {
  const index = parts.findIndex((part) => part.field === field && part.name === name);
  if (index !== -1) return index;
  throw new AppError("conflict", "Cannot go on from this cursor: its series is gone; read again from the start");
}

const NOTHING_COUNTED = { count: 0 } as const;

/** Buckets as the answer has them. Where counts alone are asked for, none is also a number. */
function bucketBodies(
  figures: readonly (BucketFigures | null)[],
  borders: readonly Micros[],
  until: Micros,
  types: ReadonlySet<StatisticsType>,
): object[] {
  const countOnly = figuresFor(types) === "count";
  const bodies: object[] = [];
  for (const [i, bucket] of figures.entries()) {
    const start = borders[i]!;
    if (start >= until || (bucket === null && !countOnly)) continue;
    const head = { start: start / 1000, end: borders[i + 1]! / 1000 };
    bodies.push({ ...head, ...(bucket === null ? NOTHING_COUNTED : figuresBody(bucket, types)) });
  }
  return bodies;
}

function figuresBody(bucket: BucketFigures, types: ReadonlySet<StatisticsType>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const type of types) {
    if (type === "durations") {
      if (bucket.durations === null) continue;
      body.durations = Object.fromEntries([...bucket.durations].map(([state, micros]) => [state, micros / 1e6]));
      if (bucket.otherDuration > 0) body.durations_other = bucket.otherDuration / 1e6;
    } else if (bucket[type] !== null) {
      body[type] = bucket[type];
    }
  }
  return body;
}
