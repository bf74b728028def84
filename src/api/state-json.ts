import type { State } from "../domain/home.ts";
import { isoFromMicros } from "../lib/time.ts";

/** A state as answers and the stream carry it; the fields are those of Home Assistant's own API. */
export interface StateBody {
  readonly entity_id: string;
  readonly state: string;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly last_changed: string;
  readonly last_updated: string;
  readonly last_reported: string;
  readonly context: { readonly id: string; readonly parent_id: string | null; readonly user_id: string | null } | null;
}

export function stateBody(state: State): StateBody {
  const { context } = state;
  return {
    entity_id: state.entityId,
    state: state.state,
    attributes: state.attributes,
    last_changed: isoFromMicros(state.lastChanged),
    last_updated: isoFromMicros(state.lastUpdated),
    last_reported: isoFromMicros(state.lastReported),
    context: context && { id: context.id, parent_id: context.parentId, user_id: context.userId },
  };
}
