import { AppError } from "../domain/errors.ts";
import type { Gap } from "../domain/gaps.ts";
import type { CurrentStates } from "../domain/home.ts";
import type { Span } from "../domain/sample.ts";
import { type Series, type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor, type ListAsked } from "./cursors.ts";
import { readAttributes } from "./event-attributes.ts";
import { Event, entityIdOf, eventBody, gapsWithLoss, parseEventId } from "./event-body.ts";
import { readCauses } from "./event-causes.ts";
import {
  chosenSeries,
  type EventHome,
  type EventSources,
  eventChoice,
  eventSpan,
  eventSpanFields,
  eventSpanOf,
  spanTexts,
} from "./event-choice.ts";
import { eventCountRoutes } from "./event-counts.ts";
import { type SearchQuestion, searchBody, searchOf, searchQuery } from "./event-search.ts";
import { traceRoutes } from "./event-traces.ts";
import { type Change, type ChangesPage, readNewestChanges } from "./newest-changes.ts";
import {
  answers,
  count,
  exactly,
  LIST_LIMIT_DEFAULT,
  nullableText,
  paging,
  querySwitch,
  text,
  warned,
  warnings,
} from "./schemas.ts";
import { readInForce } from "./states-at.ts";
import { Type } from "./type.ts";

const tags = ["events"];
const include_attributes = querySwitch("Also the attributes of that moment, as far as they have a history");

const EventsAnswer = exactly({
  events: Type.Array(Event),
  count: count("Events in this answer"),
  limit: count("The limit in force"),
  next_cursor: nullableText("For the next page; null at the end. A page may have fewer events than its limit"),
  warnings,
});

/** Where a page ended; the span goes along, since "now" moves on. */
type Position = readonly [start: number, end: number, ts: number, series: SeriesNumber];

/** What a list of events is made of. */
interface Page {
  readonly asked: ListAsked;
  readonly span: Span;
  readonly series: readonly SeriesNumber[];
  readonly accepts?: (change: Change) => boolean;
  readonly limit: number;
  readonly cursor: string | undefined;
  /** What the cursor came as. */
  readonly noun?: string;
  readonly withAttributes: boolean;
}

/** Changes of entities as events: what changed when, from what to what, and who or what made it. */
export function eventRoutes(
  api: Api,
  sources: EventSources,
  home: EventHome,
  states: Pick<CurrentStates, "get">,
  gaps: () => readonly Gap[],
  now: () => number = nowMicros,
): void {
  const { samples, contexts } = sources;

  async function bodiesOf(changes: readonly Change[], withAttributes: boolean, told: Set<string>) {
    const justBefore = changes.map(({ series, ts }) => ({ series: { number: series }, at: ts - 1 }));
    const before = await readInForce(samples, justBefore, told);
    const causes = await readCauses(contexts, samples, changes, told);
    const attributes = withAttributes ? await readAttributes(samples, changes, told) : undefined;
    const ledger = gapsWithLoss(gaps());
    return changes.flatMap((change, i) => {
      const series = samples.describeSeries(change.series);
      const parts = { change, before: before[i], caused: causes[i]!, attributes: attributes?.[i] };
      return series === undefined ? [] : eventBody({ ...parts, series, name: nameOf(series) }, ledger);
    });
  }

  function nameOf(series: Series): string | null {
    const name = states.get(entityIdOf(series))?.attributes.friendly_name;
    return typeof name === "string" ? name : null;
  }

  async function pageOf({ asked, span, series, accepts, limit, cursor, noun, withAttributes }: Page) {
    const from = cursor === undefined ? undefined : (decodeCursor(asked, cursor, noun) as Position);
    const within = from === undefined ? span : { start: from[0], end: from[1] };
    const found: ChangesPage = await readNewestChanges(samples, {
      series,
      span: within,
      after: from && { ts: from[2], series: from[3] },
      limit,
      ...(accepts === undefined ? {} : { accepts }),
    });
    const told = new Set(found.warnings);
    const events = await bodiesOf(found.changes, withAttributes, told);
    const { next } = found;
    const position = next && ([within.start, within.end, next.ts, next.series] satisfies Position);
    return {
      events,
      count: events.length,
      limit,
      next_cursor: position === undefined ? null : encodeCursor(asked, position),
      ...warned(told),
    };
  }

  async function search(question: SearchQuestion, noun: "query parameter" | "field") {
    const { limit = LIST_LIMIT_DEFAULT, cursor, ...asked } = question;
    const { series, accepts } = await searchOf(question, samples, home);
    return pageOf({
      asked: ["event-search", asked],
      span: eventSpanOf(question, now(), noun),
      series,
      ...(accepts === undefined ? {} : { accepts }),
      limit,
      cursor,
      noun,
      withAttributes: question.include_attributes ?? false,
    });
  }

  api.get(
    "/api/v1/events",
    {
      schema: {
        tags,
        summary: "State changes, the newest first",
        description:
          "Every recorded change of a state, with what was in force before, and its context and cause where they are " +
          "known (docs/events.md). Unknown entities are 404.",
        querystring: exactly({ ...eventChoice, ...eventSpan, include_attributes, ...paging }),
        response: answers({ 200: EventsAnswer }, 404),
      },
    },
    async ({ query }) => {
      const { limit = LIST_LIMIT_DEFAULT, cursor, include_attributes: _, ...asked } = query;
      return pageOf({
        asked: ["events", asked],
        span: eventSpanOf(query, now()),
        series: await chosenSeries(choiceOf(query), samples, home),
        limit,
        cursor,
        withAttributes: query.include_attributes ?? false,
      });
    },
  );

  eventCountRoutes(api, samples, home, now);
  traceRoutes(api, sources, now);

  api.get(
    "/api/v1/events/search",
    {
      schema: {
        tags,
        summary: "State changes with a text in them, the newest first",
        description:
          "A page looks at some 200,000 changes at most, so it may have few events or none, and a next_cursor that goes on.",
        querystring: exactly({ ...searchQuery, ...eventSpan, include_attributes, ...paging }),
        response: answers({ 200: EventsAnswer }),
      },
    },
    async ({ query: { fields, ...question } }) =>
      search({ ...question, fields: fields?.split(",").map((field) => field.trim()) }, "query parameter"),
  );

  api.post(
    "/api/v1/events/search",
    {
      schema: {
        tags,
        summary: "The same, asked for by a body",
        body: exactly({ ...searchBody, ...eventSpanFields, include_attributes, ...paging }),
        response: answers({ 200: EventsAnswer }, 413, 415),
      },
    },
    async ({ body: { query, ...question } }) => search({ ...question, ...spanTexts(question), q: query }, "field"),
  );

  api.get(
    "/api/v1/events/:event_id",
    {
      schema: {
        tags,
        summary: "One event",
        params: exactly({ event_id: text("The id of an event") }),
        response: answers({ 200: exactly({ ...Event.properties, warnings }) }, 404),
      },
    },
    async ({ params: { event_id } }) => {
      const told = new Set<string>();
      const change = await find(event_id);
      const [event] = change === undefined ? [] : await bodiesOf([change], true, told);
      if (event === undefined) throw new AppError("not_found", `Cannot find event "${event_id}"`);
      return { ...event, ...warned(told) };
    },
  );

  async function find(id: string): Promise<Change | undefined> {
    const asked = parseEventId(id);
    if (asked === undefined) return undefined;
    const { ts, subject } = asked;
    // An entity that got a registry entry since was its own subject before.
    const all = [...samples.seriesOfSubject(STATE_MEASUREMENT, subject), ...samples.seriesOfEntity(subject)];
    const series = all.find(({ field }) => field === STATE_FIELD);
    if (series === undefined) return undefined;
    const [read] = await samples.read([{ series: series.number, start: ts, end: ts + 1, limit: 1 }]);
    return read!.ts.length === 0 ? undefined : { series: series.number, ts, value: read!.values[0]! };
  }
}

/** Of a query its choice alone. */
function choiceOf<Query extends object>(query: Query): Pick<Query, keyof typeof eventChoice & keyof Query> {
  const names = Object.keys(eventChoice) as (keyof typeof eventChoice & keyof Query)[];
  return Object.fromEntries(names.flatMap((name) => (query[name] === undefined ? [] : [[name, query[name]]]))) as Pick<
    Query,
    keyof typeof eventChoice & keyof Query
  >;
}
