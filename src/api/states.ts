import { AppError } from "../domain/errors.ts";
import type { Gap } from "../domain/gaps.ts";
import type { CurrentStates, State } from "../domain/home.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { STATE_MEASUREMENT } from "../domain/series.ts";
import type { SampleReader } from "../domain/store.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import {
  answers,
  exactly,
  LIST_LIMIT_DEFAULT,
  listAnswer,
  listBody,
  listOf,
  listQuery,
  named,
  nullableText,
  queryList,
  queryText,
  text,
  time,
  warned,
  warnings,
} from "./schemas.ts";
import { parseMoment } from "./span.ts";
import { stateBody } from "./state-json.ts";
import { readStatesAt } from "./states-at.ts";
import { Type } from "./type.ts";

const tags = ["states"];
const ENTITY_LIST_LENGTH_MAX = 100_000;

const state = {
  entity_id: text("Entity"),
  state: text("The state; text, as in Home Assistant"),
  attributes: Type.Record(Type.String(), Type.Unknown(), { description: "As Home Assistant published them" }),
  last_changed: time("When the state last changed"),
  last_updated: time("When state or attributes last changed"),
  last_reported: time("When it was last written, changed or not"),
  context: Type.Union(
    [
      exactly({
        id: text("Names the cause"),
        parent_id: nullableText("The cause of the cause"),
        user_id: nullableText("The person or token that acted"),
      }),
      Type.Null(),
    ],
    { description: "Who or what caused it" },
  ),
};
const StateAnswer = exactly({ ...state, warnings });
const StatesAnswer = exactly({ ...listAnswer("states", named("State", state)).properties, warnings });

const at = queryText(
  "The states in force at this moment instead of the current ones: ISO 8601 with zone, or epoch milliseconds",
);
const AT_LIMITS =
  "With `at` they are put together from what was recorded: numbers as they are written shortest, attributes that have a " +
  "history, unit and classes as they are now, no context, last_reported as last_updated; names and areas are the " +
  "present ones. While Home Assistant was down, as its gap tells, no state is known. Of a moment that is still to come " +
  "they are what is known of it now, and a warning says so.";

/** The current state of every entity, from memory, and those of any moment, from what was recorded. */
export function stateRoutes(
  api: Api,
  states: CurrentStates,
  home: Pick<HomeReader, "entityIdsOfArea" | "entity">,
  samples: SampleReader,
  gaps: () => readonly Gap[],
  now: () => Micros = nowMicros,
): void {
  api.get(
    "/api/v1/states",
    {
      schema: {
        tags,
        summary: "Current states, or those of a moment, in order of entity_id",
        description: `Entities that have none are left out. ${AT_LIMITS}`,
        querystring: listQuery({
          entity_id: queryList("Entities; those without a state are left out", ENTITY_LIST_LENGTH_MAX),
          domain: queryList("Domains, e.g. light", ENTITY_LIST_LENGTH_MAX),
          area_id: queryText("Effective area"),
          q: queryText("Text within entity_id or friendly_name, without regard to case; with at entity_id alone"),
          at,
        }),
        response: answers({ 200: StatesAnswer }),
      },
    },
    async ({ query }) => {
      const { limit = LIST_LIMIT_DEFAULT, cursor, ...filter } = query;
      const after = cursor === undefined ? "" : String(decodeCursor(["states", filter], cursor));
      if (query.at !== undefined) {
        const names = query.entity_id === undefined ? samples.knownNames(STATE_MEASUREMENT) : listOf(query.entity_id);
        const asked = parseMoment("at", query.at);
        const matches = matcher(filter, home);
        const wanted = names.filter((entityId) => matches({ entityId, attributes: {} }));
        const {
          rows,
          total,
          warnings: told,
        } = await readStatesAt(samples, home, wanted, gaps(), asked, after, limit + 1);
        const page = rows.slice(0, limit);
        const nextCursor = rows.length > limit ? encodeCursor(["states", filter], page.at(-1)!.entity_id) : null;
        return {
          ...listBody("states", { rows: page, total, nextCursor }, limit),
          ...warned([...told, ...toCome(asked, now())]),
        };
      }
      const chosen = query.entity_id === undefined ? states.values() : pick(states, listOf(query.entity_id));
      const { rows, total } = firstByName(chosen, matcher(filter, home), after, limit + 1);
      const page = rows.slice(0, limit);
      const nextCursor = rows.length > limit ? encodeCursor(["states", filter], page.at(-1)!.entityId) : null;
      return listBody("states", { rows: page.map(stateBody), total, nextCursor }, limit);
    },
  );

  api.get(
    "/api/v1/states/:entity_id",
    {
      schema: {
        tags,
        summary: "The current state of one entity, or that of a moment",
        description: AT_LIMITS,
        params: exactly({ entity_id: text("Entity") }),
        querystring: exactly({ at }),
        response: answers({ 200: StateAnswer }, 404),
      },
    },
    async ({ params, query }) => {
      if (query.at !== undefined) {
        const asked = parseMoment("at", query.at);
        const { rows, warnings: told } = await readStatesAt(samples, home, [params.entity_id], gaps(), asked, "", 1);
        if (rows[0]) return { ...rows[0], ...warned([...told, ...toCome(asked, now())]) };
        throw new AppError("not_found", `Cannot find a state of entity "${params.entity_id}" at ${query.at}`);
      }
      const state = states.get(params.entity_id);
      if (!state) throw new AppError("not_found", `Cannot find a state of entity "${params.entity_id}"`);
      return stateBody(state);
    },
  );
}

/** A mistyped year gives a home that looks like one of then. */
function toCome(at: Micros, now: Micros): string[] {
  return at > now ? [`${isoFromMicros(at)} is still to come: these are the states as far as they are known now`] : [];
}

function* pick(states: CurrentStates, entityIds: readonly string[]): Generator<State> {
  for (const entityId of entityIds) {
    const state = states.get(entityId);
    if (state) yield state;
  }
}

interface StateFilter {
  readonly domain?: string;
  readonly area_id?: string;
  readonly q?: string;
}

type Named = Pick<State, "entityId" | "attributes">;

function matcher(filter: StateFilter, home: Pick<HomeReader, "entityIdsOfArea">): (state: Named) => boolean {
  const prefixes = filter.domain === undefined ? null : listOf(filter.domain).map((domain) => `${domain}.`);
  const inArea = filter.area_id === undefined ? null : new Set(home.entityIdsOfArea(filter.area_id));
  const q = filter.q?.toLowerCase();
  return ({ entityId, attributes }) =>
    (prefixes === null || prefixes.some((prefix) => entityId.startsWith(prefix))) &&
    (inArea === null || inArea.has(entityId)) &&
    (q === undefined ||
      entityId.includes(q) ||
      String(attributes.friendly_name ?? "")
        .toLowerCase()
        .includes(q));
}

/**
 * The first `size` matching states after the name `after`, in order of name, and how many match at all. One pass, and
 * only about as many states as asked for are ever sorted, whatever the size of the home.
 */
function firstByName(
  states: Iterable<State>,
  matches: (state: State) => boolean,
  after: string,
  size: number,
): { rows: State[]; total: number } {
  let total = 0;
  let rows: State[] = [];
  let last: string | undefined;
  const settle = (): void => {
    rows = rows.sort((a, b) => (a.entityId < b.entityId ? -1 : 1)).slice(0, size);
    last = rows.length === size ? rows.at(-1)!.entityId : undefined;
  };
  for (const state of states) {
    if (!matches(state)) continue;
    total++;
    if (state.entityId <= after || (last !== undefined && state.entityId >= last)) continue;
    rows.push(state);
    if (rows.length >= 2 * size + 100) settle();
  }
  settle();
  return { rows, total };
}
