import type { Micros } from "../../domain/sample.ts";
import { haTime } from "./clock.ts";
import type { Attributes, Kind, Reading } from "./kinds.ts";
import type { EntityRow } from "./rows.ts";

/** What made a change, as Home Assistant says it. */
export interface HomeContext {
  readonly id: string;
  readonly parentId: string | null;
  readonly userId: string | null;
}

/** One written state. Never changed afterwards but for `lastReported`; the next one takes its place. */
export interface WrittenState {
  readonly entityId: string;
  readonly state: string;
  readonly attributes: Attributes;
  readonly attributesJson: string;
  readonly lastChanged: Micros;
  readonly lastUpdated: Micros;
  /** Moves on silently when the same is written again. */
  lastReported: Micros;
  readonly context: HomeContext;
  /** As JSON, once it was needed; the next event carries it again as the old state. */
  json: string | null;
}

/** Something in the home that has a state, with or without a registry row. */
export interface LiveEntity {
  entityId: string;
  readonly kind: Kind;
  /** Null: only a state, nothing in the registry. */
  row: EntityRow | null;
  readonly integration: string;
  /** What its device showed last; survives being unavailable and Home Assistant's restarts. */
  reading: Reading;
  /** False: its device is dead, so it is unavailable. */
  reachable: boolean;
  friendlyName: string;
  /** The attributes of `reading` completed by name and features, rebuilt when one of them changes. */
  completed: { readonly of: Attributes; readonly name: string; readonly all: Attributes; readonly json: string } | null;
  written: WrittenState | null;
}

/** All attributes of an entity that is there, in Home Assistant's order. */
export function completeAttributes(entity: LiveEntity): { readonly all: Attributes; readonly json: string } {
  const { completed, reading, friendlyName } = entity;
  if (completed && completed.of === reading.attributes && completed.name === friendlyName) return completed;
  const features = entity.kind.supportedFeatures;
  const all: Attributes = {
    ...reading.attributes,
    friendly_name: friendlyName,
    ...(features === null ? {} : { supported_features: features }),
  };
  entity.completed = { of: reading.attributes, name: friendlyName, all, json: JSON.stringify(all) };
  return entity.completed;
}

/** What an unavailable entity keeps: its abilities, class and unit, but nothing that was measured. */
export function unavailableAttributes(entity: LiveEntity, restored: boolean): Attributes {
  const { kind, reading, friendlyName } = entity;
  const unit = reading.attributes.unit_of_measurement;
  const features = kind.supportedFeatures ?? (restored ? 0 : null);
  return {
    ...(restored ? { restored: true } : {}),
    ...kind.capabilities,
    ...(kind.deviceClass === null ? {} : { device_class: kind.deviceClass }),
    friendly_name: friendlyName,
    ...(features === null ? {} : { supported_features: features }),
    ...(unit === undefined ? {} : { unit_of_measurement: unit }),
  };
}

/** The state as get_states and state_changed carry it; `last_reported` since 2024.4. */
export function stateJson(written: WrittenState, withLastReported: boolean): string {
  const updated = haTime(written.lastUpdated);
  const changed = written.lastChanged === written.lastUpdated ? updated : haTime(written.lastChanged);
  const reported = written.lastReported === written.lastUpdated ? updated : haTime(written.lastReported);
  const state = JSON.stringify(written.state);
  const times = withLastReported
    ? `"last_changed":"${changed}","last_reported":"${reported}","last_updated":"${updated}"`
    : `"last_changed":"${changed}","last_updated":"${updated}"`;
  return `{"entity_id":"${written.entityId}","state":${state},"attributes":${written.attributesJson},${times},"context":${contextJson(written.context)}}`;
}

/** As events and states carry it. */
export function contextJson({ id, parentId, userId }: HomeContext): string {
  return JSON.stringify({ id, parent_id: parentId, user_id: userId });
}
