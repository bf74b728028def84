import type { RegistryEvent, RegistryKind, State, StateChange, StateContext } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { isObject } from "../lib/is-object.ts";
import { microsFromIso } from "../lib/time.ts";

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
  const oldState = parseState(event.data.old_state) ?? null;
  const timeFired = moment(event.time_fired);
  return {
    entityId,
    oldState,
    newState,
    timeFired: Number.isNaN(timeFired) ? (newState?.lastUpdated ?? receivedAt) : timeFired,
  };
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
  return typeof value === "string" ? microsFromIso(value) : Number.NaN;
}

function parseContext(raw: unknown): StateContext | null {
  if (!isRaw(raw) || typeof raw.id !== "string") return null;
  return { id: raw.id, parentId: textOrNull(raw.parent_id), userId: textOrNull(raw.user_id) };
}
