import type { CurrentStates, State, StateChange } from "../domain/home.ts";
import { createAwaiting } from "./awaiting.ts";
import type { Discovery } from "./discovery.ts";
import type { EntityFilter } from "./filter.ts";
import type { GapKeeper } from "./gaps.ts";
import type { HomeIndex } from "./home-index.ts";
import type { HomeWrites } from "./home-writes.ts";
import type { Sampler } from "./sampler.ts";
import type { SourceReader } from "./source-reader.ts";

/** An entity whose state is about to be removed, with the series that the state still belongs to. */
export interface Leaving {
  readonly subject: string;
  /** It appears again under another name: its series go on. */
  readonly renamed: boolean;
  /** By an event that still waits: until then its state may go and come as any other's. */
  isToCome?: boolean;
}

export interface ChangesOptions {
  readonly index: Pick<HomeIndex, "idOf" | "platformOf">;
  readonly states: CurrentStates;
  readonly filter: Pick<EntityFilter, "decide">;
  readonly sampler: Sampler;
  readonly writes: Pick<HomeWrites, "appeared" | "vanished">;
  readonly discovery: Pick<Discovery, "awaits">;
  readonly owners: Pick<SourceReader, "appeared">;
  readonly gaps: Pick<GapKeeper, "heard" | "missed"> | undefined;
  /** By the names that they leave; shared with whoever else hears of registries. */
  readonly leaving: Map<string, Leaving>;
  /** Whose series the state under this name belongs to. */
  readonly subjectOf: (entityId: string) => string;
  /** Whether all states of the home are known: one that is not was missed. */
  readonly isComplete: () => boolean;
}

/** State changes in Home Assistant's order, on their way into samples and current states. */
export interface Changes {
  /** Takes it in its turn, or lets it wait for its entity's registry id. */
  take(change: StateChange): void;
  /** What waited for the id of an entity that is known by now, or that no list will tell. */
  releaseAwaiting(): void;
  /** What waits for an id under a name that no list will have. */
  moveAwaiting(from: string, to: string): void;
  /** How many wait for a registry id. */
  readonly awaiting: number;
  /** Changes that the filter left out. */
  readonly filtered: number;
  /** Changes that waited too long, and were stored under their entity_id until its registry id was known. */
  readonly awaitedInVain: number;
}

export function createChanges(options: ChangesOptions): Changes {
  const { index, states, filter, sampler, writes, discovery, owners, gaps, leaving, subjectOf, isComplete } = options;
  const awaiting = createAwaiting();
  let filtered = 0;
  let awaitedInVain = 0;

  const release = (entityId: string): void => {
    for (const change of awaiting.remove(entityId)) takeNow(change);
  };

  /** True when the change has to wait for its entity's registry id. */
  const mustAwait = (change: StateChange): boolean => {
    const { entityId } = change;
    if (!awaiting.has(entityId) && !discovery.awaits(entityId)) return false;
    if (awaiting.add(change)) return true;
    // Better under the entity_id for now than lost; its series go on when the list brings the id.
    awaitedInVain++;
    return false;
  };

  const remove = (change: StateChange): void => {
    const { entityId } = change;
    const gone = leaving.get(entityId);
    states.delete(entityId);
    if (gone?.renamed && !gone.isToCome) sampler.forget(entityId);
    else if (!sampler.end(entityId, change.timeFired)) filtered++;
    if (!gone?.isToCome) leaving.delete(entityId);
    if (!gone && index.idOf(entityId) === undefined) writes.vanished(entityId);
  };

  /** Home Assistant tells each state that it replaces: it must be the one that is known. */
  const checkChain = ({ entityId, oldState, newState, timeFired }: StateChange): void => {
    if (oldState === null) return;
    const known = states.get(entityId)?.lastUpdated;
    // Its state came, and waits under the name that it has now.
    if (known === undefined && leaving.get(entityId)?.renamed) return;
    const at = newState?.lastUpdated ?? timeFired;
    // What is older than the state that is known came twice, or late.
    if (known !== undefined && (oldState.lastUpdated <= known || at <= known)) return;
    if (!isComplete() || !filter.decide(entityId).recorded) return;
    gaps?.missed(entityId, subjectOf(entityId), known ?? oldState.lastUpdated, at);
  };

  /** It came late: a newer state of the entity is known. A clock that was set back makes no successor late. */
  const isLate = ({ oldState }: StateChange, newState: State): boolean => {
    const known = states.get(newState.entityId)?.lastUpdated;
    return known !== undefined && newState.lastUpdated < known && oldState?.lastUpdated !== known;
  };

  const keep = (change: StateChange): void => {
    const { entityId, newState } = change;
    if (newState === null) {
      remove(change);
      return;
    }
    if (change.oldState === null && !leaving.get(entityId)?.isToCome) {
      // Whatever was about to leave under this name has left.
      if (leaving.delete(entityId)) sampler.forget(entityId);
      if (index.idOf(entityId) === undefined) {
        writes.appeared({ entityId, platform: index.platformOf(entityId) });
        owners.appeared(entityId);
      }
    }
    if (isLate(change, newState)) {
      // Its samples lie before the ones remembered.
      sampler.forget(entityId);
      if (!sampler.sample(newState)) filtered++;
      sampler.forget(entityId);
      return;
    }
    states.set(newState);
    if (!sampler.sample(newState)) filtered++;
  };

  const takeNow = (change: StateChange): void => {
    if (gaps) checkChain(change);
    keep(change);
    // Only now are all of its samples in the store; what waits for its registry id is not.
    if (awaiting.size === 0) gaps?.heard(change.timeFired);
  };

  return {
    take(change) {
      if (!mustAwait(change)) takeNow(change);
    },
    releaseAwaiting() {
      for (const entityId of awaiting.names()) if (!discovery.awaits(entityId)) release(entityId);
    },
    moveAwaiting(from, to) {
      if (!awaiting.has(from)) return;
      // Those of an announced entity that had the name before are let go of, as where no list has it any more.
      release(to);
      awaiting.rename(from, to);
      // Nothing is known under the old name, of which the removal follows.
      leaving.set(from, { subject: from, renamed: true });
    },
    get awaiting() {
      return awaiting.size;
    },
    get filtered() {
      return filtered;
    },
    get awaitedInVain() {
      return awaitedInVain;
    },
  };
}
