import {
  asOldState,
  type OldState,
  type RegistryEvent,
  type RegistryKind,
  type State,
  type StateChange,
  type StateContext,
} from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { parseExactJson } from "../lib/exact-json.ts";
import { isObject } from "../lib/is-object.ts";
import { keepable, microsFromIso } from "../lib/time.ts";

/** A JSON object of which nothing is known yet. */
export type Raw = Readonly<Record<string, unknown>>;

export function isRaw(value: unknown): value is Raw {
  return isObject(value);
}

export function textOrNull(value: unknown): string | null {
  return typeof value === "string" ? value : null;
}

export function numberOrNull(value: unknown): number | null {
  return typeof value === "number" && Number.isFinite(value) ? value : null;
}

const NO_ATTRIBUTES: Raw = Object.freeze({});

/** Attributes as Home Assistant sent them, {} for what is no object. */
export function parseAttributes(value: unknown): Raw {
  return isRaw(value) ? value : NO_ATTRIBUTES;
}

/**
 * A state as `get_states` and `state_changed` carry it. Undefined when it lacks an entity_id, a text as state, or any
 * time of change. A missing time is that of its neighbour: last_reported (new in 2024.4) is last_updated, last_updated
 * is last_changed and the other way round.
 *
 * Source: https://developers.home-assistant.io/docs/api/websocket
 */
export function parseState(raw: unknown): State | undefined {
  if (!isRaw(raw)) return undefined;
  const { entity_id: entityId, state, last_changed, last_updated, last_reported } = raw;
  if (!isEntityId(entityId) || typeof state !== "string") return undefined;
  // Most times of a state are the same text; comparing texts is cheaper than reading them again.
  let lastUpdated = moment(last_updated);
  let lastChanged = last_changed === last_updated ? lastUpdated : moment(last_changed);
  if (Number.isNaN(lastUpdated)) lastUpdated = lastChanged;
  if (Number.isNaN(lastUpdated)) return undefined;
  if (Number.isNaN(lastChanged)) lastChanged = lastUpdated;
  let lastReported = last_reported === last_updated ? lastUpdated : moment(last_reported);
  if (Number.isNaN(lastReported)) lastReported = lastUpdated;
  return {
    entityId,
    state,
    attributes: parseAttributes(raw.attributes),
    lastChanged,
    lastUpdated,
    lastReported,
    context: parseContext(raw.context),
  };
}

const STATE_BEGIN = '{"entity_id":"';
const STATE_FIELD = '","state":"';
const LAST_UPDATED = ',"last_updated":';
const CONTEXT = '","context":{';

/** An old state of which only the time was read: the text of the others is kept until somebody asks. */
export class UnreadState implements OldState {
  readonly lastUpdated: Micros;
  readonly #text: string;

  private constructor(text: string, lastUpdated: Micros) {
    this.#text = text;
    this.lastUpdated = lastUpdated;
  }

  /**
   * Of the JSON of an entity's state; undefined where it is not written as Home Assistant does it: it begins with the
   * entity's id and a text as state, and ends with the time and a context, an object without others in it.
   */
  static of(text: string, entityId: string): UnreadState | undefined {
    const name = STATE_BEGIN.length;
    if (!text.startsWith(STATE_BEGIN) || !text.startsWith(entityId, name)) return undefined;
    if (!text.startsWith(STATE_FIELD, name + entityId.length)) return undefined;
    const context = text.lastIndexOf(CONTEXT);
    if (context === -1 || text.indexOf("}", context) !== text.length - 2) return undefined;
    const time = text.lastIndexOf('"', context - 1);
    if (!text.startsWith(LAST_UPDATED, time - LAST_UPDATED.length)) return undefined;
    const lastUpdated = moment(text.slice(time + 1, context));
    return Number.isNaN(lastUpdated) ? undefined : new UnreadState(text, lastUpdated);
  }

  read(): State | null {
    try {
      return parseState(parseExactJson(this.#text)) ?? null;
    } catch {
      return null;
    }
  }
}

/**
 * A `state_changed` event. Undefined when it names no entity or its new state cannot be understood; an old state that
 * cannot be understood is as good as none. A missing time_fired is the new state's last_updated, of a removal
 * `receivedAt`.
 */
export function parseStateChange(event: unknown, receivedAt: Micros): StateChange | undefined {
  if (!isRaw(event) || !isRaw(event.data)) return undefined;
  const { entity_id: entityId, new_state } = event.data;
  if (!isEntityId(entityId)) return undefined;
  const newState = new_state === null ? null : parseState(new_state);
  if (newState === undefined) return undefined;
  const oldState = parseOldState(event.data.old_state);
  const timeFired = moment(event.time_fired);
  return {
    entityId,
    oldState,
    newState,
    timeFired: Number.isNaN(timeFired) ? (newState?.lastUpdated ?? receivedAt) : timeFired,
  };
}

function parseOldState(raw: unknown): OldState | null {
  if (raw instanceof UnreadState) return raw;
  const state = parseState(raw);
  return state === undefined ? null : asOldState(state);
}

const ID_FIELDS: Readonly<Record<RegistryKind, string>> = {
  area: "area_id",
  floor: "floor_id",
  label: "label_id",
  config_entry: "entry_id",
  device: "device_id",
  entity: "entity_id",
};

/** A `*_registry_updated` event; undefined when it tells no action. A missing time is `receivedAt`. */
export function parseRegistryEvent(kind: RegistryKind, event: unknown, receivedAt: Micros): RegistryEvent | undefined {
  if (!isRaw(event) || !isRaw(event.data) || typeof event.data.action !== "string") return undefined;
  const timeFired = moment(event.time_fired);
  return {
    kind,
    action: event.data.action,
    id: textOrNull(event.data[ID_FIELDS[kind]]),
    oldEntityId: kind === "entity" ? textOrNull(event.data.old_entity_id) : null,
    timeFired: Number.isNaN(timeFired) ? receivedAt : timeFired,
  };
}

function isEntityId(value: unknown): value is string {
  return typeof value === "string" && value.indexOf(".") > 0;
}

function moment(value: unknown): number {
  return typeof value === "string" ? keepable(microsFromIso(value)) : Number.NaN;
}

function parseContext(raw: unknown): StateContext | null {
  if (!isRaw(raw) || typeof raw.id !== "string") return null;
  return { id: raw.id, parentId: textOrNull(raw.parent_id), userId: textOrNull(raw.user_id) };
}
