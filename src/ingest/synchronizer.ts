import type { HomeConnection } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import type { CurrentStates, HomeConfig, HomeSnapshot, RegistryEvent, StateChange } from "../domain/home.ts";
import type { UnregisteredEntity } from "../domain/home-store.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import type { Changes, Leaving } from "./changes.ts";
import type { Discovery } from "./discovery.ts";
import type { GapKeeper } from "./gaps.ts";
import type { HomeIndex } from "./home-index.ts";
import type { HomeWrites } from "./home-writes.ts";
import type { Sampler } from "./sampler.ts";
import { createStrangers, departureIn, nameTakenIn, type Strangers } from "./strangers.ts";

/** Events that may wait for a snapshot. When more come, those are dropped, and another snapshot is read. */
export const QUEUE_EVENTS_MAX = 200_000;
/** How often Home Assistant is asked whether its start is complete. */
const STARTING_ASK_MS = 10_000;
/** Work on a snapshot gives way after so long, so that the socket is read. */
const SLICE_MS = 8;
const RETRY_FIRST_MS = 1000;
const RETRY_CAP_MS = 60_000;

type Queued = StateChange | RegistryEvent;

/** One connection, as far as ingest knows it. */
interface Session {
  readonly connection: HomeConnection;
  readonly ended: AbortController;
  /** The snapshot was read while Home Assistant was running: what it lacks was removed. */
  complete: boolean;
  /** The snapshot under way is not enough: another one must be read. */
  again: boolean;
  /** Home Assistant is asked from time to time whether its start is complete. */
  asking: boolean;
}

export interface SynchronizerOptions {
  readonly index: Pick<HomeIndex, "idOf" | "platformOf">;
  readonly states: CurrentStates;
  readonly sampler: Sampler;
  readonly writes: Pick<HomeWrites, "appeared" | "saveStates" | "settled" | "unregistered">;
  readonly discovery: Pick<Discovery, "event" | "snapshot">;
  readonly changes: Pick<Changes, "releaseAwaiting" | "take">;
  readonly gaps: Pick<GapKeeper, "dropped" | "live" | "starting"> | undefined;
  /** By the names that they leave; shared with whoever else hears of registries. */
  readonly leaving: Map<string, Leaving>;
  readonly log: Logger;
  readonly queueEventsMax: number;
  /** Hears what Home Assistant says of itself, at each snapshot and when it changed. */
  readonly onConfig: (config: HomeConfig) => void;
  /** Sees what a snapshot holds, as long as none was applied, before any of it is. */
  readonly onFirstSnapshot: (snapshot: HomeSnapshot) => void;
  readonly random: () => number;
  /** Rejects when aborted. */
  readonly sleep: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** Brings what is known to what Home Assistant has, by snapshots; events that come meanwhile wait for these. */
export interface Synchronizer {
  /** `end` comes before another one. */
  begin(connection: HomeConnection): void;
  /** The connection has ended; what waits for its snapshot is in the next one, or in Home Assistant's history. */
  end(): void;
  /** Between `begin` and `end`. */
  readonly isConnected: boolean;
  /** A snapshot is read or applied: events wait. */
  readonly isSynchronizing: boolean;
  /** All states of the home are known: its snapshot was read while it was running. */
  readonly isComplete: boolean;
  /** The home was known once, and the database has it. */
  readonly isHomeKnown: boolean;
  /** In their order, at once or after the snapshot under way. */
  changed(change: StateChange): void;
  registryChanged(event: RegistryEvent): void;
  configChanged(): void;
  readonly counts: {
    /** Snapshots that were applied. */
    readonly snapshots: number;
    readonly snapshotFailures: number;
    /** Changes that a snapshot held already. */
    readonly stale: number;
    /** Events dropped since more than `queueEventsMax` waited, or their connection ended before its snapshot. */
    readonly dropped: number;
  };
}

export function createSynchronizer(options: SynchronizerOptions): Synchronizer {
  const { index, states, sampler, writes, discovery, changes, gaps, leaving } = options;
  const { log, queueEventsMax, onConfig, onFirstSnapshot, random, sleep } = options;
  let session: Session | undefined;
  /** Undefined while changes are taken as they arrive. */
  let queue: Queued[] | undefined;
  let isHomeKnown = false;
  const counts = { snapshots: 0, snapshotFailures: 0, stale: 0, dropped: 0 };

  const takeQueued = (item: Queued): void => {
    if (!("kind" in item)) {
      changes.take(item);
      return;
    }
    const leaver = leaving.get(departureIn(item)?.from ?? "");
    if (leaver !== undefined) leaver.isToCome = false;
    discovery.event(item);
  };

  const enqueue = (waiting: Queued[], item: Queued): void => {
    if (waiting.length >= queueEventsMax && session) {
      counts.dropped += waiting.length;
      gaps?.dropped(waiting[0]!.timeFired);
      waiting.length = 0;
      session.again = true;
      log.warn(`More than ${queueEventsMax} events waited for a snapshot: they were dropped, another is read`);
    }
    waiting.push(item);
  };

  /** Calls `visit` for each item and gives way to the socket every few milliseconds; stops when the session ended. */
  const inSlices = async <T>(items: readonly T[], current: Session, visit: (item: T) => void): Promise<void> => {
    let start = performance.now();
    for (let at = 0; at < items.length; at++) {
      visit(items[at]!);
      if (at % 64 === 63 && performance.now() - start > SLICE_MS) {
        await breathe();
        if (current.ended.signal.aborted) return;
        start = performance.now();
      }
    }
  };

  /**
   * Who leaves a name in the queue: the states under it are those of an entity from before a rename, or those of one that
   * is not known. One that was created in the queue as well has no other name to be known by, if it is gone.
   */
  const foresee = (queued: readonly Queued[], dumped: ReadonlyMap<string, unknown>): Strangers => {
    const strangers = createStrangers();
    const taken = new Set(queued.map(nameTakenIn));
    const arrived = new Set<string>();
    const created = new Set<string>();
    for (const item of queued) {
      const left = departureIn(item);
      const name = nameTakenIn(item);
      if (name !== undefined) (left === undefined ? created : arrived).add(name);
      if (left === undefined) continue;
      const { from, to } = left;
      const owner = index.idOf(from);
      const id = to === null ? undefined : index.idOf(to);
      if (id !== undefined && owner === undefined && !arrived.has(from)) {
        leaving.set(from, { subject: id, renamed: true, isToCome: !taken.has(from) });
        continue;
      }
      const leaver = leaving.get(from);
      if (leaver !== undefined && !taken.has(from)) leaver.isToCome = true;
      // One that left after the list was read is the one that the list has, unless that came meanwhile.
      const isKnown = leaver !== undefined || (owner !== undefined && !taken.has(from));
      if (!isKnown && (dumped.has(from) || !created.has(from))) strangers.expect(from);
    }
    return strangers;
  };

  /**
   * Takes from the queue what the dump makes old: a change that the dump holds is dropped, one before it still is a
   * sample, but no current state. Of a name that came to another owner, or to none, nobody knows any more whose its
   * states of before were: they are left to the backfill, as Home Assistant's history knows.
   */
  const takeOlderThan = async (snapshot: HomeSnapshot, current: Session, waiting: Queued[]): Promise<Queued[]> => {
    const updated = new Map(snapshot.states.map((state) => [state.entityId, state.lastUpdated]));
    const queued = waiting.splice(0);
    const newer: Queued[] = [];
    const strangers = foresee(queued, updated);
    await inSlices(queued, current, (item) => {
      if ("kind" in item) {
        const left = departureIn(item);
        // The index knows of it, as far as can be told; the list is read again all the same.
        const isKnown = left !== undefined && strangers.leaves(left.from);
        newer.push(isKnown ? { ...item, action: "update", oldEntityId: null } : item);
        return;
      }
      const { entityId, oldState, newState, timeFired } = item;
      const isStrange = strangers.has(item);
      const dumped = updated.get(entityId);
      const at = newState?.lastUpdated ?? timeFired;
      // It may follow by a clock that was set back since the dump; then the next one follows it.
      const isSetBack = dumped !== undefined && at < dumped && oldState?.lastUpdated === dumped;
      if (isSetBack) {
        if (newState === null) updated.delete(entityId);
        else updated.set(entityId, at);
      }
      const follows = dumped === undefined || at > dumped || isSetBack;
      if (newState === null) {
        if (follows) {
          newer.push(item);
          // Nor is it known whose the dumped state is.
          if (isStrange) leaving.set(entityId, { subject: entityId, renamed: true });
        } else if (!isStrange && !leaving.get(entityId)?.renamed) sampler.end(entityId, timeFired);
      } else if (at === dumped) counts.stale++;
      else if (isStrange) return;
      else if (follows) newer.push(item);
      else sampler.sample(newState);
    });
    return newer;
  };

  const applyStates = async (snapshot: HomeSnapshot, dumped: ReadonlySet<string>, current: Session): Promise<void> => {
    const unregistered: UnregisteredEntity[] = [];
    await inSlices(snapshot.states, current, (state) => {
      const { entityId } = state;
      states.set(state);
      // Whose series this state belongs to shows when the queue is worked off: its removal is in there, or `settle`.
      if (leaving.has(entityId)) return;
      if (index.idOf(entityId) === undefined) unregistered.push({ entityId, platform: index.platformOf(entityId) });
      sampler.sample(state);
    });
    if (current.ended.signal.aborted) return;
    const vanished = current.complete ? [...states.values()].filter(({ entityId }) => !dumped.has(entityId)) : [];
    for (const { entityId } of vanished) {
      states.delete(entityId);
      // When it was removed is in Home Assistant's history; the backfill ends its series there.
      if (!leaving.has(entityId)) sampler.forget(entityId);
    }
    writes.unregistered(unregistered, current.complete, snapshot.readAt);
    writes.saveStates();
  };

  const applySnapshot = async (snapshot: HomeSnapshot, current: Session): Promise<void> => {
    onConfig(snapshot.config);
    const { state } = snapshot.config;
    current.complete = state === "RUNNING";
    if (state === "NOT_RUNNING" || state === "STARTING") gaps?.starting();
    leaving.clear();
    if (counts.snapshots === 0) onFirstSnapshot(snapshot);
    discovery.snapshot(snapshot);
    const left = [...leaving];
    changes.releaseAwaiting();
    const waiting = queue ?? [];
    const newer = await takeOlderThan(snapshot, current, waiting);
    if (current.ended.signal.aborted) return;
    const dumped = new Set(snapshot.states.map(({ entityId }) => entityId));
    await applyStates(snapshot, dumped, current);
    if (current.ended.signal.aborted) return;
    await drain(newer, waiting, current);
    // What a Home Assistant that is starting does not show is no state that goes on.
    for (const [entityId, departure] of left) if (dumped.has(entityId)) settle(entityId, departure);
  };

  /** Takes `newer`, then what waits, in order; what arrives meanwhile waits too. */
  const drain = async (newer: readonly Queued[], waiting: Queued[], current: Session): Promise<void> => {
    const later = waiting.splice(0);
    for (const items of [newer, later]) for (const item of items) waiting.push(item);
    let start = performance.now();
    while (waiting.length > 0 && !current.ended.signal.aborted) {
      for (const item of waiting.splice(0, 256)) takeQueued(item);
      if (performance.now() - start < SLICE_MS) continue;
      await breathe();
      start = performance.now();
    }
  };

  /** An entity that lost its registry entry and still has its state goes on without one. */
  const settle = (entityId: string, departure: Leaving): void => {
    if (leaving.get(entityId) !== departure) return;
    leaving.delete(entityId);
    sampler.forget(entityId);
    const state = states.get(entityId);
    if (!state) return;
    if (index.idOf(entityId) === undefined) writes.appeared({ entityId, platform: index.platformOf(entityId) });
    sampler.sample(state);
  };

  /** Reads and applies snapshots until one is enough; then changes are taken as they arrive. */
  const synchronize = async (current: Session): Promise<void> => {
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS, random);
    const { signal } = current.ended;
    do {
      current.again = false;
      try {
        const snapshot = await current.connection.readSnapshot();
        if (signal.aborted) return;
        await applySnapshot(snapshot, current);
        if (signal.aborted) return;
        counts.snapshots++;
      } catch (error) {
        // Home Assistant refused or timed out, or the connection is about to be reported as ended.
        if (signal.aborted) return;
        counts.snapshotFailures++;
        const ms = backoff.next();
        log.warn({ err: error }, `Cannot take over a snapshot of the home, trying again in ${Math.round(ms)} ms`);
        await sleep(ms, signal).catch(() => undefined);
        if (signal.aborted) return;
        current.again = true;
      }
    } while (current.again);
    queue = undefined;
    void writes.settled().then(() => {
      isHomeKnown = true;
    });
    if (current.complete) gaps?.live(current.connection);
    else void awaitRunning(current);
    log.info(
      `The home is known: ${states.size} states${current.complete ? "" : " so far, Home Assistant is still starting"}`,
    );
  };

  /** Without admin rights nothing tells that Home Assistant's start is complete, so it is asked. */
  const awaitRunning = async (current: Session): Promise<void> => {
    const { signal } = current.ended;
    if (current.asking) return;
    current.asking = true;
    while (!current.complete) {
      await sleep(STARTING_ASK_MS, signal).catch(() => undefined);
      if (signal.aborted) return;
      // A failure says no more than a start that takes longer.
      const next = await current.connection.readConfig().catch(() => null);
      if (next?.state === "RUNNING" && !queue && !current.complete && session === current) start(current);
    }
    current.asking = false;
  };

  const start = (current: Session): void => {
    queue = [];
    void synchronize(current);
  };

  return {
    begin(connection) {
      session = { connection, ended: new AbortController(), complete: false, again: false, asking: false };
      start(session);
    },
    end() {
      session?.ended.abort();
      counts.dropped += queue?.length ?? 0;
      queue = undefined;
      session = undefined;
    },
    get isConnected() {
      return session !== undefined;
    },
    get isSynchronizing() {
      return queue !== undefined;
    },
    get isComplete() {
      return session?.complete === true;
    },
    get isHomeKnown() {
      return isHomeKnown;
    },
    changed(change) {
      if (queue) enqueue(queue, change);
      else changes.take(change);
    },
    registryChanged(event) {
      if (queue) enqueue(queue, event);
      else discovery.event(event);
    },
    configChanged() {
      const current = session;
      if (!current) return;
      if (queue) current.again = true;
      else if (!current.complete) start(current);
      else {
        current.connection.readConfig().then(
          (next) => {
            if (session === current) onConfig(next);
          },
          (error: unknown) => log.warn(`Cannot read Home Assistant's configuration: ${messageOf(error)}`),
        );
      }
    },
    counts,
  };
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
