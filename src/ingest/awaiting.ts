import { asOldState, type OldState, type StateChange } from "../domain/home.ts";

/** Changes that may wait for the registry ids of new entities, all entities together. */
const AWAITING_CHANGES_MAX = 20_000;

/** Changes that wait for the registry ids of new entities, by the names under which they came. */
export interface Awaiting {
  /** How many there are. */
  readonly size: number;
  has(entityId: string): boolean;
  names(): Iterable<string>;
  /** False when too many wait already. */
  add(change: StateChange): boolean;
  /** Those of one entity, in the order in which they came; they wait no longer. */
  remove(entityId: string): readonly StateChange[];
  /** They wait as those of another name, under which none does. */
  rename(from: string, to: string): void;
}

/** One that is not read yet may hold the text of a hundred messages. */
function read(oldState: OldState | null): OldState | null {
  const state = oldState?.read() ?? null;
  return state && asOldState(state);
}

export function createAwaiting(): Awaiting {
  const byName = new Map<string, StateChange[]>();
  let size = 0;

  const remove = (entityId: string): readonly StateChange[] => {
    const changes = byName.get(entityId) ?? [];
    byName.delete(entityId);
    size -= changes.length;
    return changes;
  };

  const add = (change: StateChange): boolean => {
    if (size >= AWAITING_CHANGES_MAX) return false;
    const changes = byName.get(change.entityId);
    const kept = { ...change, oldState: read(change.oldState) };
    if (changes) changes.push(kept);
    else byName.set(change.entityId, [kept]);
    size++;
    return true;
  };

  return {
    get size() {
      return size;
    },
    has: (entityId) => byName.has(entityId),
    names: () => byName.keys(),
    add,
    remove,
    rename(from, to) {
      for (const change of remove(from)) {
        add({ ...change, entityId: to, newState: change.newState && { ...change.newState, entityId: to } });
      }
    },
  };
}
