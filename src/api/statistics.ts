import { AppError } from "../domain/errors.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Micros, Span } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD } from "../domain/series.ts";
import type { BucketFigures, StatisticsReader, StatisticsRequest } from "../domain/statistics.ts";
import type { SampleReader } from "../domain/store.ts";
import { keptPeriodBorders, PERIODS, type Period, periodsAtMost } from "../lib/calendar.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor, type ListAsked, nameInCursor } from "./cursors.ts";
import { entityFilters } from "./entity-filter.ts";
import { atMost, formerTimesWithin, mixedBuckets, sentencesOf } from "./former-units.ts";
import type { HistoryPart } from "./history-page.ts";
import { loneBucketWriter } from "./lone-buckets.ts";
import { ENTITIES_MAX } from "./parts.ts";
import {
  answers,
  cursor,
  exactly,
  listOf,
  named,
  nullableText,
  queryChoice,
  queryFields,
  queryList,
  querySeriesName,
  queryText,
  text,
  warned,
  warningsAlsoOfUnits,
} from "./schemas.ts";
import { parseSpan } from "./span.ts";
import { chosenParts, membersOf } from "./statistics-choice.ts";
import { Type } from "./type.ts";

/** Buckets of an answer: whole series go to a page while they fit. */
export const STATISTICS_BUCKETS_MAX = 10_000;
const LIST_LENGTH_MAX = 60_000;
const MOMENT = "ISO 8601 with zone, or epoch milliseconds";

export const STATISTICS_TYPES = ["mean", "min", "max", "first", "last", "count", "sum", "change", "durations"] as const;
type StatisticsType = (typeof STATISTICS_TYPES)[number];
/** Figures that mean the same in any unit. */
const UNITLESS: ReadonlySet<StatisticsType> = new Set(["count", "durations"]);
const MIXED = "Of buckets in which a unit changed only count and durations are told: other figures would mix two units";

const number = (description: string) => Type.Optional(Type.Number({ description }));

const Bucket = named("StatisticsBucket", {
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
  durations_other: number(
    "Seconds of texts beyond the 32 that were in force the longest, and of those longer than 255 characters",
  ),
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
      unit: nullableText("Unit of measurement, the present one; null in a group where it is not the same everywhere"),
      buckets: Type.Array(Bucket, { description: "Ascending; those of which nothing is known are left out" }),
    }),
  ),
  warnings: warningsAlsoOfUnits,
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
  home: Pick<HomeReader, "entity" | "entities" | "searchEntities">,
  place: () => Place,
  now: () => number = nowMicros,
): void {
  const writeLone = loneBucketWriter();
  const cut = keptPeriodBorders();
  api.get(
    "/api/v1/statistics",
    {
      schema: {
        tags: ["history"],
        summary: "Figures by period: mean, min, max, count, change, time in each state, …",
        description:
          "Whole periods: the first one begins at or before start, the last one ends at or after end. 5 minutes and " +
          "hours are cut in UTC, as in Home Assistant, days, weeks (from Monday) and months in the home's time zone, " +
          "so that a day can have 23 or 25 hours. A figure that a bucket does not have is left out. Entities are chosen " +
          "by entity_id or, as at /api/entities, by the filters; with group_by and neither, all are. A page has " +
          `whole series, as many as could have ${STATISTICS_BUCKETS_MAX} buckets together: all periods of the span count, ` +
          "also those of which no bucket comes. docs/statistics.md defines each figure.",
        querystring: exactly({
          entity_id: queryList(
            `Entities, ${ENTITIES_MAX} at most; old names find what goes by new ones`,
            LIST_LENGTH_MAX,
          ),
          ...entityFilters,
          q: queryText("Text within name or id, without regard to case"),
          measurement: querySeriesName("With subject: what is no entity, e.g. weather"),
          subject: querySeriesName("With measurement, e.g. open-meteo"),
          fields: queryFields,
          start: queryText(`From here on: ${MOMENT}; a day before end without it`),
          end: queryText(`Before here: ${MOMENT}; now without it, and may lie in the future`),
          period: queryChoice(PERIODS, "hour without it"),
          points: Type.Optional(
            Type.Integer({
              minimum: 1,
              maximum: STATISTICS_BUCKETS_MAX,
              description: "Instead of period: the shortest one that gives so many buckets at most",
            }),
          ),
          types: queryList(`Figures, all without it: ${STATISTICS_TYPES.join(", ")}`, LIST_LENGTH_MAX),
          group_by: queryChoice(["home"], "One series for all that is chosen, or for the whole home when nothing is"),
          cursor,
        }),
        response: answers({ 200: StatisticsAnswer }, 404),
      },
    },
    async ({ query }, reply) => {
      const { timeZone, name } = place();
      const { cursor, ...question } = query;
      const types = typesOf(query.types);
      const asked = ["statistics", question] as const;
      const position = cursor === undefined ? null : positionOf(asked, cursor);
      const span = position ?? parseSpan(query.start, query.end, now());
      const { period, borders } = bordersOf(query.period, query.points, span, timeZone, cut);
      const head = { period, time_zone: timeZone };
      const ask = (series: readonly SeriesNumber[], group: boolean): Promise<Buckets> =>
        readBuckets(samples, { series, borders, until: now(), group }, types, writeLone);
      reply.type("application/json; charset=utf-8");

      if (query.group_by !== undefined) {
        const members = await membersOf(query, samples, home);
        const { buckets, warnings } = await ask(members.series, true);
        // As the choice of fields: of an entity the state, of another subject all.
        const field = query.fields ?? (query.measurement === undefined ? STATE_FIELD : "*");
        const group = { key: query.group_by, name, field, unit: members.unit };
        return reply.send(
          answerJson(head, [withBuckets(group, buckets[0]!)], { ...warned(warnings), next_cursor: null }),
        );
      }

      const parts = await chosenParts(query, samples, home);
      const first = position === null ? 0 : indexOf(parts, position);
      const page = parts.slice(first, first + Math.floor(STATISTICS_BUCKETS_MAX / (borders.length - 1)));
      const next = parts[first + page.length];
      const { buckets, warnings } = await ask(
        page.flatMap(({ series }) => (series === null ? [] : [series.number])),
        false,
      );
      let answer = 0;
      const series = page.map(({ head, field, series }) =>
        withBuckets({ ...head, field, unit: series?.unit ?? null }, series === null ? NO_BUCKETS : buckets[answer++]!),
      );
      const nextCursor = next
        ? encodeCursor(asked, [span.start, span.end, nameInCursor(next.name), nameInCursor(next.field)])
        : null;
      return reply.send(answerJson(head, series, { ...warned(warnings), next_cursor: nextCursor }));
    },
  );
}

function typesOf(list: string | undefined): ReadonlySet<StatisticsType> {
  if (list === undefined) return new Set(STATISTICS_TYPES);
  return new Set(listOf(list).map(typeOf));
}

function typeOf(text: string): StatisticsType {
  const found = STATISTICS_TYPES.find((type) => type === text);
  if (found !== undefined) return found;
  throw new AppError("invalid", `The query parameter "types" must be of ${STATISTICS_TYPES.join(", ")}, not "${text}"`);
}

/** As `keptPeriodBorders` makes it. */
type Cut = ReturnType<typeof keptPeriodBorders>;

function bordersOf(asked: Period | undefined, points: number | undefined, span: Span, timeZone: string, cut: Cut) {
  if (asked !== undefined && points !== undefined) {
    throw new AppError("invalid", 'Give either "period" or "points", not both');
  }
  const max = points ?? STATISTICS_BUCKETS_MAX;
  const candidates = points === undefined ? [asked ?? "hour"] : PERIODS;
  for (const period of candidates) {
    const borders = bordersWithin(period, span, timeZone, max, cut);
    if (borders !== null) return { period, borders };
  }
  const period = candidates[candidates.length - 1];
  const remedy = points === undefined ? "ask for a longer period or a shorter span" : "ask for more, or a shorter span";
  throw new AppError("invalid", `The span has more than ${max} buckets of period "${period}": ${remedy}`);
}

/** Null when there would be more than `max` buckets; found out without cutting a span of thousands of years. */
function bordersWithin(period: Period, span: Span, timeZone: string, max: number, cut: Cut): readonly number[] | null {
  // Less than a tenth too many by this measure can still be few enough.
  if (periodsAtMost(period, span.start, span.end) > max * 1.2 + 3) return null;
  const borders = cut(period, span.start, span.end, timeZone);
  return borders.length - 1 <= max ? borders : null;
}

interface Position extends Span {
  readonly name: string;
  readonly field: string;
}

function positionOf(asked: ListAsked, cursor: string): Position {
  // Its digest says that we made it for this very query, so its shape is known.
  const [start, end, name, field] = decodeCursor(asked, cursor) as [number, number, string, string];
  return { start, end, name, field };
}

function indexOf(parts: readonly HistoryPart[], { name, field }: Position): number {
  const index = parts.findIndex((part) => nameInCursor(part.field) === field && nameInCursor(part.name) === name);
  if (index !== -1) return index;
  throw new AppError("conflict", "Cannot go on from this cursor: its series is gone; read again from the start");
}

interface Buckets {
  /** As the answer has them, by series: lists in JSON. */
  readonly buckets: readonly string[];
  readonly warnings: readonly string[];
}

const NO_BUCKETS = "[]";

/** A series of the answer, in JSON. */
function withBuckets(head: object, buckets: string): string {
  return `${JSON.stringify(head).slice(0, -1)},"buckets":${buckets}}`;
}

function answerJson(head: object, series: readonly string[], rest: object): string {
  return `${JSON.stringify(head).slice(0, -1)},"series":[${series.join()}],${JSON.stringify(rest).slice(1)}`;
}

/** The buckets that have begun, and of which something is known. A figure alone is read faster. */
async function readBuckets(
  samples: StatisticsReader,
  request: StatisticsRequest,
  types: ReadonlySet<StatisticsType>,
  writeLone: ReturnType<typeof loneBucketWriter>,
): Promise<Buckets> {
  const { borders, until } = request;
  const { mixed, sentences } = unitsOf(samples, request, types);
  const [only] = types;
  if (types.size === 1 && (only === "mean" || only === "count")) {
    const { series, warnings } = await samples.figure(request, only);
    for (const [i, buckets] of mixed) for (const bucket of buckets) series[i]![bucket] = Number.NaN;
    const buckets = series.map((figures) => writeLone(only, figures, borders, until));
    return { buckets, warnings: [...warnings, ...sentences] };
  }
  const { series, warnings } = await samples.statistics(request);
  const bodies = series.map((figures, i) => bucketBodies(figures, { borders, until, mixed: mixed.get(i) }, types));
  return { buckets: bodies.map((list) => JSON.stringify(list)), warnings: [...warnings, ...sentences] };
}

interface Units {
  /** By the place of the series in the answer: buckets whose figures would be of two units. */
  readonly mixed: ReadonlyMap<number, ReadonlySet<number>>;
  readonly sentences: readonly string[];
}

/** What there is to say of units that changed, where figures are asked for that have one. */
function unitsOf(
  samples: StatisticsReader,
  { series, borders, until, group }: StatisticsRequest,
  types: ReadonlySet<StatisticsType>,
): Units {
  const changed = types.isSubsetOf(UNITLESS) ? [] : samples.withFormerUnits(series);
  const mixed = new Map<number, ReadonlySet<number>>();
  if (group) mixed.set(0, mixedBuckets(changed, borders));
  else for (const one of changed) mixed.set(series.indexOf(one.number), mixedBuckets([one], borders));
  const end = Math.min(until, borders[borders.length - 1]!);
  const sentences = changed.flatMap((one) => sentencesOf(one, "figures", formerTimesWithin(one, borders[0]!, end)));
  const isMixed = [...mixed.values()].some((buckets) => buckets.size > 0);
  return { mixed, sentences: isMixed ? [...atMost(sentences), MIXED] : atMost(sentences) };
}

interface BucketTimes {
  readonly borders: readonly Micros[];
  readonly until: Micros;
  readonly mixed: ReadonlySet<number> | undefined;
}

function bucketBodies(
  figures: readonly (BucketFigures | null)[],
  { borders, until, mixed }: BucketTimes,
  types: ReadonlySet<StatisticsType>,
): object[] {
  const unitless = types.intersection(UNITLESS);
  const bodies: object[] = [];
  for (const [i, bucket] of figures.entries()) {
    if (borders[i]! >= until || bucket === null) continue;
    const told = mixed?.has(i) ? unitless : types;
    bodies.push({ start: borders[i]! / 1000, end: borders[i + 1]! / 1000, ...figuresBody(bucket, told) });
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
    } else if (Number.isFinite(bucket[type])) {
      // Numbers near the largest have sums beyond it, and JSON has no infinity.
      body[type] = bucket[type];
    }
  }
  return body;
}
