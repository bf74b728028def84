import { AppError } from "../domain/errors.ts";
import { GROUPINGS, type Grouping } from "../domain/home-store.ts";
import type { Span } from "../domain/sample.ts";
import { keptPeriodBorders, PERIODS, type Period, periodsAtMost } from "../lib/calendar.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor, type ListAsked } from "./cursors.ts";
import { entityFilters } from "./entity-filter.ts";
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
import { STATISTICS_TYPES, type StatisticsType } from "./statistics-buckets.ts";
import {
  groupsPage,
  homePage,
  type Place,
  STATISTICS_BUCKETS_MAX,
  type StatisticsPage,
  type StatisticsQuestion,
  type StatisticsSources,
  seriesPage,
} from "./statistics-pages.ts";
import { Type } from "./type.ts";

const LIST_LENGTH_MAX = 60_000;
const MOMENT = "ISO 8601 with zone, or epoch milliseconds";

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
  change: number("From the last number before the bucket to the last one in it; meters and totals may begin anew"),
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
      key: Type.Optional(nullableText("Of a group: home, or the id of its area, device, …; null: of what has none")),
      name: Type.Optional(nullableText("Of a group: what its area, device, … is called now, or the home")),
      field: text("state, or an attribute's name; * for all"),
      unit: nullableText("Unit of measurement, the present one; null in a group where it is not the same everywhere"),
      buckets: Type.Array(Bucket, { description: "Ascending; those of which nothing is known are left out" }),
    }),
  ),
  warnings: warningsAlsoOfUnits,
  next_cursor: nullableText("For the next page; null at the end"),
});

/** The home as Home Assistant describes it: where days are cut, and how it is called. */
export interface HomePlace {
  readonly timeZone: string;
  readonly name: string | null;
}

/** Figures over hours, days, weeks and months; docs/statistics.md defines them. */
export function statisticsRoutes(
  api: Api,
  samples: StatisticsSources["samples"],
  home: StatisticsSources["home"],
  place: () => HomePlace,
  now: () => number = nowMicros,
): void {
  const sources: StatisticsSources = { samples, home };
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
          group_by: queryChoice(
            ["home", ...GROUPINGS],
            "One series for each group of what is chosen, or of the whole home when nothing is: each sample counts for the " +
              "area, or its floor, in which its entity was then, and for what the entity and its device are now",
          ),
          cursor,
        }),
        response: answers({ 200: StatisticsAnswer }, 404, 409),
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
      const byDays = period !== "5minute" && period !== "hour";
      const page = await pageOf(
        { choice: query, borders, byDays, until: now(), wanted: { types, writeLone }, from: position?.from ?? null },
        query.group_by,
        name,
      );
      const rest = {
        ...warned(page.warnings),
        next_cursor: page.next && encodeCursor(asked, [span.start, span.end, ...page.next]),
      };
      reply.type("application/json; charset=utf-8");
      return reply.send(answerJson({ period, time_zone: timeZone }, page.series, rest));
    },
  );

  function pageOf(
    question: StatisticsQuestion,
    groupBy: "home" | Grouping | undefined,
    homeName: string | null,
  ): Promise<StatisticsPage> {
    if (groupBy === undefined) return seriesPage(sources, question);
    return groupBy === "home" ? homePage(sources, question, homeName) : groupsPage(sources, question, groupBy);
  }
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
  readonly from: Place;
}

function positionOf(asked: ListAsked, cursor: string): Position {
  // Its digest says that we made it for this very query, so its shape is known.
  const [start, end, ...from] = decodeCursor(asked, cursor) as [number, number, ...Place];
  return { start, end, from };
}

function answerJson(head: object, series: readonly string[], rest: object): string {
  return `${JSON.stringify(head).slice(0, -1)},"series":[${series.join()}],${JSON.stringify(rest).slice(1)}`;
}
