import { AppError } from "../domain/errors.ts";
import { foldName } from "../domain/team-names.ts";
import { EVENT_TYPES, type EventType, type NewEvent } from "../domain/webhook.ts";
import { matchesGlob } from "./glob.ts";

/** Names of the original for three events. */
const ALIASES = new Map<string, EventType>([
  ["game_start", "game_started"],
  ["score_change", "score_changed"],
  ["game_end", "game_ended"],
]);

/** Only sent on request, to the webhook that asks. */
const NEVER_CHOSEN: ReadonlySet<EventType> = new Set(["webhook_test"]);
const TYPES: ReadonlySet<string> = new Set(EVENT_TYPES);

/** The body's `type`: hierarchical, as Standard Webhooks asks. */
export function dottedType(type: EventType): string {
  return type.replace("_", ".");
}

/** The name of an event, or a pattern with "*", as it is kept; undefined for what names no event. */
export function canonicalEvent(text: string): string | undefined {
  const name = text.trim().toLowerCase().replaceAll(".", "_");
  const canonical = ALIASES.get(name) ?? name;
  return typesOf(canonical).length > 0 ? canonical : undefined;
}

/**
 * The events that a name or pattern stands for. State changes of a whole home are never meant by a wildcard: they have
 * to be named.
 */
export function typesOf(pattern: string): readonly EventType[] {
  if (!pattern.includes("*")) {
    return TYPES.has(pattern) && !NEVER_CHOSEN.has(pattern as EventType) ? [pattern as EventType] : [];
  }
  const chosen = (type: EventType): boolean => type !== "state_changed" && !NEVER_CHOSEN.has(type);
  return EVENT_TYPES.filter((type) => chosen(type) && matchesGlob(pattern, type));
}

/** What a webhook wants to hear of; empty lists and nulls ask for nothing in particular. */
export interface WebhookFilter {
  /** Names and patterns, as `canonicalEvent` gives them. */
  readonly events: readonly string[];
  readonly team: string | null;
  readonly league: string | null;
  /** Globs of entity ids; one has to match. */
  readonly entities: readonly string[];
  /** Ids or names of areas; one has to match. */
  readonly areas: readonly string[];
  /** State before and after, of `state_changed`. */
  readonly from: string | null;
  readonly to: string | null;
}

export const PATTERNS_MAX = 50;
export const PATTERN_LENGTH_MAX = 255;

/** Checks what a user gives and brings it into its kept form; `invalid` names the field. */
export function parseFilter(given: Partial<WebhookFilter>): WebhookFilter {
  const list = (field: string, values: readonly string[] = []): string[] => {
    if (values.length > PATTERNS_MAX) {
      throw new AppError("invalid", `The field "${field}" must have at most ${PATTERNS_MAX} values`);
    }
    return [...new Set(values.map((value) => text(field, value)))];
  };
  const text = (field: string, value: string): string => {
    const trimmed = value.trim();
    if (trimmed !== "" && trimmed.length <= PATTERN_LENGTH_MAX) return trimmed;
    throw new AppError("invalid", `The field "${field}" must be text of 1 to ${PATTERN_LENGTH_MAX} characters`);
  };
  const optional = (field: string, value: string | null | undefined): string | null =>
    value === null || value === undefined ? null : text(field, value);

  const events = list("events", given.events).map((name) => {
    const canonical = canonicalEvent(name);
    if (canonical !== undefined) return canonical;
    const known = EVENT_TYPES.filter((type) => !NEVER_CHOSEN.has(type)).join(", ");
    throw new AppError("invalid", `The field "events" holds "${name.slice(0, 100)}", which names no event: ${known}`);
  });
  if (events.length === 0) throw new AppError("invalid", 'The field "events" must name at least one event');
  const filter: WebhookFilter = {
    events: [...new Set(events)],
    team: optional("team", given.team),
    league: optional("league", given.league)?.toLowerCase() ?? null,
    entities: list("entity", given.entities).map((glob) => glob.toLowerCase()),
    areas: list("area", given.areas),
    from: optional("from", given.from),
    to: optional("to", given.to),
  };
  if (filter.events.includes("state_changed") && filter.entities.length === 0 && filter.areas.length === 0) {
    throw new AppError("invalid", 'The field "entity" or "area" must say whose state_changed events are wanted');
  }
  return filter;
}

/** The events that have neither league nor teams. */
const OF_NO_LEAGUE = /^(?:state|gap|mirror|webhook)_/;
/** An entity_id has one point; where a glob has none, a wildcard has to stand for it. */
const ENTITY_GLOB = /^[^.\s]*[.?*][^.\s]*$/;

/**
 * Refuses what can never be true, since its owner would wait in vain: `invalid` names the field. Asked of what a user
 * gives alone; what was stored before it was asked goes on as it is.
 */
export function checkConditions(filter: WebhookFilter): void {
  const types = filter.events.flatMap(typesOf);
  const { team, league, entities, areas, from, to } = filter;
  const ofGames = [given("team", team), given("league", league)].flat()[0];
  const ofHome = [given("from", from), given("to", to), given("entity", entities), given("area", areas)].flat()[0];
  if (ofHome !== undefined && !types.includes("state_changed")) {
    const remedy = '"events" does not name it, and no pattern stands for it';
    throw new AppError("invalid", `The field "${ofHome}" is a condition of state_changed: ${remedy}`);
  }
  if (ofGames !== undefined && types.every((type) => OF_NO_LEAGUE.test(type))) {
    throw new AppError("invalid", `The field "${ofGames}" is a condition of games: "events" names nothing of games`);
  }
  if (from !== null && from === to) {
    throw new AppError("invalid", `The fields "from" and "to" are both "${from}": that is no change of the state`);
  }
  const never = entities.find((glob) => !ENTITY_GLOB.test(glob));
  if (never === undefined) return;
  throw new AppError(
    "invalid",
    `The field "entity" holds "${never}", which fits no entity_id: like light.hall, light.*`,
  );
}

/** The field's name where it says something. */
function given(field: string, value: string | null | readonly string[]): string[] {
  return value === null || value.length === 0 ? [] : [field];
}

/** The part of an event that filters look at. */
export type EventFacts = Pick<NewEvent, "type" | "league" | "teams" | "entityId" | "areas" | "from" | "to">;

/** Facts in the form that filters compare: made once for an event, however many webhooks there are. */
export interface FoldedFacts {
  readonly type: EventType;
  readonly league: string | undefined;
  readonly teams: ReadonlySet<string>;
  readonly entityId: string | undefined;
  readonly areas: readonly string[];
  readonly from: string | null | undefined;
  readonly to: string | null | undefined;
}

export function foldFacts({ type, league, teams = [], entityId, areas = [], from, to }: EventFacts): FoldedFacts {
  return {
    type,
    league: league?.toLowerCase(),
    teams: new Set(teams.map(foldName)),
    entityId: entityId?.toLowerCase(),
    areas: areas.map(foldName),
    from,
    to,
  };
}

export interface CompiledFilter {
  readonly types: ReadonlySet<EventType>;
  matches(facts: FoldedFacts): boolean;
  /** Whether any event of this entity could match, its area and states aside. */
  matchesEntity(entityId: string): boolean;
}

/**
 * A filter ready for use. A condition concerns the events that have such a thing: `team` and `league` those of games,
 * `entity`, `area`, `from` and `to` those of entities.
 */
export function compileFilter(filter: WebhookFilter): CompiledFilter {
  const types = new Set(filter.events.flatMap(typesOf));
  const team = filter.team === null ? null : foldName(filter.team);
  const areas = new Set(filter.areas.map(foldName));
  const takesEntity = (entityId: string): boolean =>
    filter.entities.length === 0 || filter.entities.some((glob) => matchesGlob(glob, entityId));

  function matchesGame({ league, teams }: FoldedFacts): boolean {
    if (league === undefined) return true;
    if (filter.league !== null && filter.league !== league) return false;
    // What concerns a whole league (its scores do not come) concerns each team of it.
    return team === null || teams.size === 0 || teams.has(team);
  }

  function matchesHome({ entityId, areas: of, from, to }: FoldedFacts): boolean {
    if (entityId === undefined) return true;
    if (!takesEntity(entityId)) return false;
    if (areas.size > 0 && !of.some((area) => areas.has(area))) return false;
    return (filter.from === null || filter.from === from) && (filter.to === null || filter.to === to);
  }

  return {
    types,
    matchesEntity: (entityId) => takesEntity(entityId.toLowerCase()),
    matches: (facts) => types.has(facts.type) && matchesGame(facts) && matchesHome(facts),
  };
}
