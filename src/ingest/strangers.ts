import type { RegistryEvent, StateChange } from "../domain/home.ts";

type Item = StateChange | RegistryEvent;

/** An entity goes by another name, or by none: null. */
export interface Departure {
  readonly from: string;
  readonly to: string | null;
}

/** What this tells of an entity that leaves its name; undefined: nothing. */
export function departureIn(item: Item): Departure | undefined {
  if (!("kind" in item) || item.kind !== "entity" || item.id === null) return undefined;
  if (item.action === "remove") return { from: item.id, to: null };
  return item.oldEntityId === null || item.oldEntityId === item.id
    ? undefined
    : { from: item.oldEntityId, to: item.id };
}

/** The name that an entity comes to by this, a new one or by a rename; undefined: none does. */
export function nameTakenIn(item: Item): string | undefined {
  if (!("kind" in item) || item.kind !== "entity") return undefined;
  return item.action === "create" ? (item.id ?? undefined) : (departureIn(item)?.to ?? undefined);
}

/** Changes, in a run of them and of registry events, that came under a name before an owner left it that is not known. */
export interface Strangers {
  /** One leaves this name in the run, once more. */
  expect(name: string): void;
  /** This is the next event of the run; true: it is one that was expected. */
  leaves(name: string): boolean;
  /** Whether this, the next change of the run, is such a one; the removal of a state follows its owner's departure. */
  has(change: StateChange): boolean;
}

export function createStrangers(): Strangers {
  /** How often each name is left from here on. */
  const toCome = new Map<string, number>();
  /** Names that were left, and whose state is still to be removed. */
  const departing = new Set<string>();
  return {
    expect: (name) => void toCome.set(name, (toCome.get(name) ?? 0) + 1),
    leaves(name) {
      const times = toCome.get(name);
      if (times === undefined) return false;
      toCome.set(name, times - 1);
      departing.add(name);
      return true;
    },
    has({ entityId, oldState, newState }) {
      const isRemoval = departing.has(entityId) && newState === null;
      if (isRemoval || oldState === null) departing.delete(entityId);
      return isRemoval || (toCome.get(entityId) ?? 0) > 0;
    },
  };
}
