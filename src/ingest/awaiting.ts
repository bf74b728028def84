import type { StateChange } from "../domain/home.ts";

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
    if (changes) changes.push(change);
    else byName.set(change.entityId, [change]);
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
