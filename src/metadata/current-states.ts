import type { DatabaseSync } from "node:sqlite";
import type { CurrentStates, State, StateContext } from "../domain/home.ts";

/** What is to be brought to the disk: rows as JSON text, and entities that are gone. */
export interface StatesToSave {
  /** One JSON array of `SavedState`. */
  readonly rows: string;
  readonly removed: readonly string[];
}

/** A row of the table `states`, in the order of its columns; attributes and context are JSON. */
export type SavedState = readonly [string, string, string, number, number, number, string | null];

/** Current states that know which of them changed since they were last saved. */
export interface SavableStates extends CurrentStates {
  /** Begins with what was saved: these count as unchanged. */
  load(saved: readonly State[]): void;
  /** Entities that changed since they were last taken. */
  readonly unsaved: number;
  /**
   * Takes what changed since the last call, at most `limit` entities, the longest unsaved first; undefined when nothing
   * did. What could not be saved is given back by `giveBack`.
   */
  take(limit: number): StatesToSave | undefined;
  giveBack(taken: StatesToSave): void;
}

export function createCurrentStates(): SavableStates {
  const states = new Map<string, State>();
  const changed = new Set<string>();
  return {
    load(saved) {
      for (const state of saved) states.set(state.entityId, state);
    },
    get size() {
      return states.size;
    },
    get: (entityId) => states.get(entityId),
    set(state) {
      states.set(state.entityId, state);
      changed.add(state.entityId);
    },
    delete(entityId) {
      if (states.delete(entityId)) changed.add(entityId);
    },
    values: () => states.values(),
    get unsaved() {
      return changed.size;
    },
    take(limit) {
      if (changed.size === 0) return undefined;
      const rows: SavedState[] = [];
      const removed: string[] = [];
      for (const entityId of changed) {
        if (rows.length + removed.length === limit) break;
        changed.delete(entityId);
        const state = states.get(entityId);
        if (state) rows.push(savedState(state));
        else removed.push(entityId);
      }
      return { rows: JSON.stringify(rows), removed };
    },
    giveBack(taken) {
      for (const [entityId] of JSON.parse(taken.rows) as SavedState[]) changed.add(entityId);
      for (const entityId of taken.removed) changed.add(entityId);
    },
  };
}

function savedState(state: State): SavedState {
  return [
    state.entityId,
    state.state,
    JSON.stringify(state.attributes),
    state.lastChanged,
    state.lastUpdated,
    state.lastReported,
    state.context && JSON.stringify(state.context),
  ];
}

/** The states as they were last saved. Rows that cannot be read any more are left out. */
export function readStates(database: DatabaseSync): State[] {
  const rows = database.prepare("SELECT * FROM states").all();
  return rows.flatMap((row) => {
    try {
      return [
        {
          entityId: row.entity_id as string,
          state: row.state as string,
          attributes: JSON.parse(row.attributes as string) as Record<string, unknown>,
          lastChanged: row.last_changed as number,
          lastUpdated: row.last_updated as number,
          lastReported: row.last_reported as number,
          context: row.context === null ? null : (JSON.parse(row.context as string) as StateContext),
        },
      ];
    } catch {
      // Somebody edited the JSON by hand; Home Assistant's next answer brings the state anyway.
      return [];
    }
  });
}

/** Writes what `take` gave, inside the caller's transaction. */
export function createStatesWriter(database: DatabaseSync): (states: StatesToSave) => void {
  const upsert = database.prepare("INSERT OR REPLACE INTO states VALUES (?, ?, ?, ?, ?, ?, ?)");
  const remove = database.prepare("DELETE FROM states WHERE entity_id = ?");
  return ({ rows, removed }) => {
    for (const row of JSON.parse(rows) as SavedState[]) upsert.run(...row);
    for (const entityId of removed) remove.run(entityId);
  };
}
