import type { Static, TProperties, TSchema } from "typebox";
import { ID_LENGTH_MAX } from "../domain/home.ts";
import type { Page, PageRequest } from "../domain/home-store.ts";
import { Type } from "./type.ts";

/** Rows of a list's page: at most, and without `limit`. */
export const LIST_LIMIT_MAX = 1000;
export const LIST_LIMIT_DEFAULT = 100;
/** No id, name or other single value in an address is longer. */
export const VALUE_LENGTH_MAX = ID_LENGTH_MAX;
/** An address has no room for more. */
const ADDRESS_LENGTH_MAX = 65_535;
/** A measurement, a subject or a field may be longer: line protocol brings such. */
const SERIES_NAME_LENGTH_MAX = ADDRESS_LENGTH_MAX;
/** So may a cursor: it holds the name of the row at which a page ended, and nothing bounds that of a device. */
const CURSOR_LENGTH_MAX = ADDRESS_LENGTH_MAX;

export const nullable = <T extends TSchema>(schema: T) => Type.Union([schema, Type.Null()]);
export const text = (description: string) => Type.String({ description });
export const count = (description: string) => Type.Integer({ minimum: 0, description });
/** A moment in an answer. */
export const time = (description: string) =>
  Type.String({ description: `${description} (ISO 8601, UTC with Z)`, examples: ["2026-11-24T11:04:03.577164Z"] });
export const nullableText = (description: string) => Type.Union([Type.String(), Type.Null()], { description });
export const nullableTime = (description: string) =>
  Type.Union([Type.String(), Type.Null()], { description: `${description} (ISO 8601, UTC with Z)` });

/** One optional text of a query. */
export const queryText = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX, description }));
/** Up to the year 9999 and as far back, as text is taken; a number with a fraction would be a new type for the check. */
const MILLIS_MAX = 253_402_300_799_999;
/** A moment in a body. */
export const bodyMoment = (description: string) =>
  Type.Union(
    [
      Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX }),
      Type.Integer({ minimum: -MILLIS_MAX, maximum: MILLIS_MAX }),
    ],
    { description },
  );
/** A list in a query, separated by commas. */
export const queryList = (description: string, maxLength: number) =>
  Type.Optional(Type.String({ minLength: 1, maxLength, description: `${description}; a list, separated by commas` }));
/** A measurement or a subject in a query. */
export const querySeriesName = (description: string) =>
  Type.Optional(Type.String({ minLength: 1, maxLength: SERIES_NAME_LENGTH_MAX, description }));
/** The fields that a query of samples asks for. */
export const queryFields = queryList(
  "Fields; * for all. Without it the state alone for entities, all fields for other subjects",
  SERIES_NAME_LENGTH_MAX,
);
/** One of some words in a query. */
export const queryChoice = <const T extends string>(words: readonly T[], description: string) =>
  Type.Optional(Type.Enum([...words], { description }));
export const querySwitch = (description: string) => Type.Optional(Type.Boolean({ default: false, description }));
export const cursor = Type.Optional(
  Type.String({ minLength: 1, maxLength: CURSOR_LENGTH_MAX, description: "A former answer's next_cursor" }),
);
export const limit = Type.Optional(
  Type.Integer({
    minimum: 1,
    maximum: LIST_LIMIT_MAX,
    default: LIST_LIMIT_DEFAULT,
    description: "Rows in the answer, at most",
  }),
);

/** An object that takes no other names; for queries and bodies, and for answers as what is documented. */
export const exactly = <T extends TProperties>(properties: T, options: { description?: string } = {}) =>
  Type.Object(properties, { additionalProperties: false, ...options });

/** A noun of answers: `/openapi.json` describes it once, under this name, so that generated clients have one type of it. */
export const named = <T extends TProperties>(title: string, properties: T) => ({ ...exactly(properties), title });

/** The store's own, to which a test holds them. */
const SORT_COLUMNS = [
  "devices by name, device_id, manufacturer, model, area_name, integration, entity_count, created_at, modified_at, timestamp",
  "entities by entity_id, platform, device_name, area_name, created_at, modified_at, timestamp",
  "areas by name, area_id, floor_name, device_count, entity_count, timestamp",
  "integrations by title, domain, entry_id, state, device_count, entity_count, timestamp",
].join("; ");

export const paging = { limit, cursor };
const homePaging = {
  ...paging,
  q: queryText("Text within name or id, without regard to case"),
  sort: queryText(`A column, with - before it for descending; ${SORT_COLUMNS}`),
  include_removed: querySwitch("Also what Home Assistant removed"),
};

/** A query of a plain list: its own parameters and paging. */
export const listQuery = <T extends TProperties>(properties: T) => exactly({ ...properties, ...paging });
/** A query of a list of the home: its own parameters, paging, search, order and removed rows. */
export const homeQuery = <T extends TProperties>(properties: T) => exactly({ ...properties, ...homePaging });

type HomeQuery = Static<ReturnType<typeof homeQuery<Record<never, never>>>>;

export function pageRequest(query: HomeQuery): PageRequest {
  return {
    limit: query.limit ?? LIST_LIMIT_DEFAULT,
    cursor: query.cursor,
    sort: query.sort,
    q: query.q,
    includeRemoved: query.include_removed,
  };
}

/**
 * The values of a list parameter: without blanks around them and empty ones between, each once, in the order given.
 * A list of nothing is one empty text, which names nothing, so that it cannot pass for no filter.
 */
export function listOf(value: string): string[] {
  const items = new Set(value.split(",").map((item) => item.trim()));
  if (items.size > 1) items.delete("");
  return [...items];
}

const listFields = {
  count: count("Rows in this answer"),
  total: count("Rows that the filter matches"),
  limit: count("The limit in force"),
  next_cursor: nullableText("For the next page; null at the end"),
};

/** The answer of a list whose rows stand under `noun`. */
export const listAnswer = (noun: string, row: TSchema) => exactly({ [noun]: Type.Array(row), ...listFields });

export function listBody<Row>(noun: string, page: Page<Row>, limit = LIST_LIMIT_DEFAULT): Record<string, unknown> {
  const { rows, total, nextCursor } = page;
  return { [noun]: rows, count: rows.length, total, limit, next_cursor: nextCursor };
}

/** A field of answers that are put together from files. */
export const warnings = Type.Optional(
  Type.Array(Type.String(), { description: "What could not be read, and is missing; absent when all is there" }),
);

/** The same where figures can be in a unit that is not the present one. */
export const warningsAlsoOfUnits = Type.Optional(
  Type.Array(Type.String(), {
    description:
      "What could not be read, and is missing; what is in a former unit, or mixes units; absent when there is none",
  }),
);

/** The field with what was told, each once; nothing where all could be read. */
export function warned(told: Iterable<string>): { warnings?: readonly string[] } {
  const list = [...new Set(told)];
  return list.length === 0 ? {} : { warnings: list };
}

/** The one form of all errors, known to every server by its id. */
export const ErrorSchema = Type.Object(
  {
    code: text("What went wrong, for programs: see docs/errors.md"),
    message: text("What could not be done, and why"),
  },
  { $id: "Error", additionalProperties: false },
);

const GOOD: Readonly<Record<string, string>> = {
  200: "What was asked for",
  201: "What was made",
  202: "Taken; it is done soon",
  503: "Not ready; the same form as ready",
};
const REFUSALS: Readonly<Record<string, string>> = {
  400: "A parameter or the body is wrong; the message names it",
  401: "A token is needed",
  403: "Called under a name, or by a page, that is not allowed",
  404: "There is no such thing",
  409: "It contradicts what is there",
  413: "The body is too large",
  414: "A part of the path is too long",
  415: "The body is no application/json",
  503: "Not now; try again",
  "5xx": "It failed; the log says why",
};

/** An answer that is no JSON. */
export const plain = (type: string, description: string) => ({
  description,
  content: { [type]: { schema: Type.String() } },
});

/**
 * The answers of a route: the good ones given, and the errors that can come beside those every route can give. They
 * document; answers are never cut to fit them, and the tests hold the two together.
 */
export function answers(good: Readonly<Record<number, object>>, ...errors: readonly number[]) {
  const done = Object.entries(good).map(([status, schema]) => [
    status,
    "content" in schema || status === "204" ? schema : json(GOOD[status]!, schema),
  ]);
  return { ...refusals("400", "401", "403", ...errors.map(String), "5xx"), ...Object.fromEntries(done) };
}

/** Errors that can come, in the one form. */
export function refusals(...statuses: readonly string[]): Record<string, TSchema> {
  return Object.fromEntries(statuses.map((status) => [status, json(REFUSALS[status]!, Type.Ref("Error#")) as TSchema]));
}

export function json(description: string, schema: object): object {
  return { description, content: { "application/json": { schema } } };
}
