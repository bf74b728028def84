import type { Static } from "typebox";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { readCounts, sumOf } from "./change-counts.ts";
import { EVENT_TYPES, entityIdOf } from "./event-body.ts";
import { boundsOf, chosenSeries, type EventHome, eventChoice, eventSpan, seriesOfCategory } from "./event-choice.ts";
import { periodSpan, queryPeriod } from "./period.ts";
import { answers, count, exactly, text, time, warned, warnings } from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["events"];
const MINUTE = 60_000_000;
const TOP_ENTITIES = 10;

const span = { start: time("From here on"), end: time("Before here"), total_events: count("Changes of states") };

const query = exactly({ period: queryPeriod("1h"), ...eventChoice, ...eventSpan });
type Query = Static<typeof query>;

/** How many changes there were. */
export function eventCountRoutes(api: Api, samples: ChangeReader, home: EventHome, now: () => number): void {
  async function countOf({ period, start, end, start_time, end_time, ...choice }: Query) {
    const asked = periodSpan(period, boundsOf({ start, end, start_time, end_time }), now(), "1h");
    const series = await chosenSeries(choice, samples, home);
    const told = new Set<string>();
    return { asked, counts: await readCounts(samples, series, asked, told), told };
  }

  /** By name, those that changed: one that was removed and added anew has two series. */
  function byEntity(counts: ReadonlyMap<SeriesNumber, number>): Map<string, number> {
    const sums = new Map<string, number>();
    for (const [one, count] of counts) {
      const series = count > 0 ? samples.describeSeries(one) : undefined;
      if (series === undefined) continue;
      const name = entityIdOf(series);
      sums.set(name, (sums.get(name) ?? 0) + count);
    }
    return sums;
  }

  api.get(
    "/api/v1/events/stats",
    {
      schema: {
        tags,
        summary: "How many changes there were, and of what",
        querystring: query,
        response: answers(
          {
            200: exactly({
              ...span,
              events_per_minute: Type.Number({ description: "Of the part of the span that is not in the future" }),
              unique_entities: count("Entities that changed"),
              event_types: Type.Record(Type.String(), Type.Integer(), { description: "Changes by type" }),
              top_entities: Type.Array(
                exactly({ entity_id: text("Its present name, or its last one"), count: count("Its changes") }),
                { description: `The ${TOP_ENTITIES} that changed most, the most first` },
              ),
              warnings,
            }),
          },
          404,
        ),
      },
    },
    async ({ query }) => {
      const { asked, counts, told } = await countOf(query);
      const changed = [...byEntity(counts)].sort(([, a], [, b]) => b - a);
      const total = sumOf(counts.values());
      const minutes = Math.max(0, Math.min(asked.end, now()) - asked.start) / MINUTE;
      return {
        start: isoFromMicros(asked.start),
        end: isoFromMicros(asked.end),
        total_events: total,
        events_per_minute: minutes === 0 ? 0 : Math.round((total / minutes) * 1000) / 1000,
        unique_entities: changed.length,
        event_types: { [EVENT_TYPES[0]]: total },
        top_entities: changed.slice(0, TOP_ENTITIES).map(([entity_id, count]) => ({ entity_id, count })),
        ...warned(told),
      };
    },
  );

  api.get(
    "/api/v1/events/categories",
    {
      schema: {
        tags,
        summary: "How many changes there were, by the category of their entities",
        querystring: query,
        response: answers(
          {
            200: exactly({
              ...span,
              categories: exactly({
                config: count("Of settings of devices"),
                diagnostic: count("Of what tells how devices are"),
                none: count("Of all others"),
              }),
              warnings,
            }),
          },
          404,
        ),
      },
    },
    async ({ query }) => {
      const { asked, counts, told } = await countOf(query);
      const total = sumOf(counts.values());
      const ofCategory = async (category: string): Promise<number> =>
        sumOf((await seriesOfCategory(category, samples, home)).map((one) => counts.get(one) ?? 0));
      const config = await ofCategory("config");
      const diagnostic = await ofCategory("diagnostic");
      return {
        start: isoFromMicros(asked.start),
        end: isoFromMicros(asked.end),
        total_events: total,
        categories: { config, diagnostic, none: total - config - diagnostic },
        ...warned(told),
      };
    },
  );
}
