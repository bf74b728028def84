import type { State, StateChange } from "../domain/home.ts";
import type { NewEvent } from "../domain/webhook.ts";
import { isoFromMicros } from "../lib/time.ts";

/** Ids and names of an entity's area. */
export type AreasOf = (entityId: string) => readonly string[];

/** A change of an entity's state as an event; undefined where only attributes changed. */
export function stateEvent(change: StateChange, areasOf: AreasOf): NewEvent | undefined {
  const before = change.oldState?.read() ?? null;
  const from = before?.state ?? null;
  const to = change.newState?.state ?? null;
  if (from === to) return undefined;
  return {
    type: "state_changed",
    // Home Assistant fires one change of an entity at one moment, so telling it twice is telling the same.
    key: `${change.entityId} ${change.timeFired} ${change.newState?.lastUpdated ?? ""}`,
    orderKey: change.entityId,
    at: change.newState?.lastChanged ?? change.timeFired,
    entityId: change.entityId,
    areas: areasOf(change.entityId),
    from,
    to,
    fields: { entity_id: change.entityId, from_state: from, to_state: to },
    data: { entity_id: change.entityId, old_state: stateOf(before), new_state: stateOf(change.newState) },
  };
}

/** As deep as Home Assistant's own JSON can be. Deeper ones, of whatever else speaks for it, cannot be handed to a thread. */
const LEVELS_MAX = 254;

function nestsBeyond(levels: number, value: unknown): boolean {
  if (typeof value !== "object" || value === null) return false;
  return levels === 0 || Object.values(value).some((inner) => nestsBeyond(levels - 1, inner));
}

function stateOf(state: State | null): Record<string, unknown> | null {
  if (state === null) return null;
  const { attributes, context } = state;
  return {
    state: state.state,
    attributes: nestsBeyond(LEVELS_MAX, attributes) ? {} : attributes,
    last_changed: isoFromMicros(state.lastChanged),
    last_updated: isoFromMicros(state.lastUpdated),
    context: context === null ? null : { id: context.id, parent_id: context.parentId, user_id: context.userId },
  };
}
