/**
 * From Home Assistant's messages to samples and the database of the home:
 *
 *   connected ──▶ snapshot ──┬─▶ registries ──▶ index ──▶ home-writes ──▶ HomeWriter (database)
 *                            └─▶ states ─────┐                ▲
 *                                            ▼                │ lists, read again
 *   changed ───▶ queue ─────────────────▶ take ──▶ sampler ───┼──────────▶ SampleSink (time series)
 *          │    (while a snapshot            │     filter,    │
 *          │     is read and applied)        │     normalize  │
 *          │                                 └──▶ CurrentStates (memory)
 *          └──▶ feed                                          │
 *   registryChanged ──▶ the same queue ──▶ discovery ──▶ index┘
 *
 *   disconnected, overflow, missed events ──▶ gaps ──▶ backfill (Home Assistant's history) ──▶ SampleSink
 *
 * Events and registry events go through one queue, so a rename meets the states around it in Home Assistant's order.
 */
import { setTimeout as wait } from "node:timers/promises";
import type { DisconnectReason, HomeAssistantListener, HomeConnection } from "../domain/connection.ts";
import type { ContextSink } from "../domain/contexts.ts";
import { messageOf } from "../domain/errors.ts";
import type { BackfillStatus } from "../domain/gaps.ts";
import type {
  CurrentStates,
  EntityFacts,
  HomeConfig,
  HomeSnapshot,
  RegistryEvent,
  State,
  StateChange,
} from "../domain/home.ts";
import type { HomeWriter, UnregisteredEntity } from "../domain/home-store.ts";
import type { ChangeFeed, IngestStatus } from "../domain/ingest.ts";
import type { EntityPointSink } from "../domain/line-protocol.ts";
import type { Micros } from "../domain/sample.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { createAwaiting } from "./awaiting.ts";
import { createDiscovery } from "./discovery.ts";
import { createEntityPoints, type PointStore } from "./entity-points.ts";
import { createFeed } from "./feed.ts";
import { createFilter, type EntityFilter } from "./filter.ts";
import type { FilterRules } from "./filter-rules.ts";
import { createGapKeeper, type GapOptions } from "./gaps.ts";
import { type AdoptedEntity, createHomeIndex, type EntityMoves } from "./home-index.ts";
import { createHomeWrites } from "./home-writes.ts";
import { createSampler, type IngestStore } from "./sampler.ts";
import { createSourceReader } from "./source-reader.ts";
import { unknownNames } from "./unknown-names.ts";

/** Events that may wait for a snapshot. When more come, those are dropped, and another snapshot is read. */
export const QUEUE_EVENTS_MAX = 200_000;
/** How often Home Assistant is asked whether its start is complete. */
const STARTING_ASK_MS = 10_000;
/** Work on a snapshot gives way after so long, so that the socket is read. */
const SLICE_MS = 8;
const RETRY_FIRST_MS = 1000;
const RETRY_CAP_MS = 60_000;

export interface IngestOptions {
  readonly store: IngestStore;
  readonly home: HomeWriter;
  readonly states: CurrentStates;
  readonly rules: FilterRules;
  readonly log: Logger;
  /** Without it interruptions are neither noted nor filled. */
  readonly gaps?: GapOptions;
  /** Without it contexts are in the current states alone. */
  readonly contexts?: ContextSink;
  readonly queueEventsMax?: number;
  /** Hears what Home Assistant says of itself, at each snapshot and when it changed; must not throw. */
  readonly onConfig?: (config: HomeConfig) => void;
  readonly now?: () => Micros;
  readonly random?: () => number;
  /** Rejects when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

/** What the status says beyond the contract, for metrics. */
export interface IngestReport extends IngestStatus {
  /** Events dropped since more than `queueEventsMax` waited, or their connection ended before its snapshot. */
  readonly dropped: number;
  readonly snapshotFailures: number;
  /** Changes that waited for a registry id too long and were stored under their entity_id until it was known. */
  readonly awaitedInVain: number;
  readonly feedFailures: number;
  /** Entities without registry entry that were not noted in the database. */
  readonly homeWritesDropped: number;
}

export interface Ingest extends HomeAssistantListener {
  /** Every change that Home Assistant published, whatever the filter says, as it arrives. */
  readonly feed: ChangeFeed;
  readonly filter: EntityFilter;
  /** What takes the states that Home Assistant's own influxdb integration sends, into the store of this ingest. */
  entityPoints(store: PointStore): EntityPointSink;
  /** Where an entity belongs, as Home Assistant's registries say; known from the first snapshot on. */
  facts(entityId: string): EntityFacts;
  /** Other rules from now on; what they newly record begins with its present state. */
  reload(rules: FilterRules): void;
  /** Names in the rules in force that the home does not have; none until the home is known. */
  unknownNames(): readonly string[];
  /** The store turned samples away, from this time on. */
  overflowed(from: Micros): void;
  /**
   * Up to when everything that Home Assistant told is in the store, on Home Assistant's clock; null when that is not
   * known.
   */
  heardUntil(): Micros | null;
  status(): IngestReport;
  /** Undefined without `gaps`. */
  backfillStatus(): BackfillStatus | undefined;
  /** Ends all work under way; resolves once the database of the home has what is known. */
  close(): Promise<void>;
}

/** How often it is looked whether samples that a rule holds back have to be stored. */
const RELEASE_MS = 1_000;

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

/** An entity whose state is about to be removed, with the series that the state still belongs to. */
interface Leaving {
  readonly subject: string;
  /** It appears again under another name: its series go on. */
  readonly renamed: boolean;
}

export function createIngest(options: IngestOptions): Ingest {
  const { store, home, states, log, onConfig = () => undefined, now = nowMicros, random = Math.random } = options;
  const queueEventsMax = options.queueEventsMax ?? QUEUE_EVENTS_MAX;
  const sleep = options.sleep ?? ((ms, signal) => wait(ms, undefined, { signal }));
  const index = createHomeIndex();
  let { rules } = options;
  const filter = createFilter(rules, index.facts);
  const feed = createFeed(log);
  const leaving = new Map<string, Leaving>();
  const subjectOf = (entityId: string): string => leaving.get(entityId)?.subject ?? index.idOf(entityId) ?? entityId;
  const isUnregistered = (name: string): boolean => states.get(name) !== undefined && index.idOf(name) === undefined;
  const sampler = createSampler(store, filter, subjectOf, options.contexts);
  const releasing = setInterval(() => sampler.release(now()), RELEASE_MS);
  releasing.unref();
  const known = options.gaps?.known;
  const gaps =
    options.gaps &&
    createGapKeeper({
      ...options.gaps,
      log,
      now,
      random,
      sleep,
      home: {
        states,
        entityIds: index.entityIds,
        subjectOf: (entityId) => index.idOf(entityId) ?? entityId,
        nameOf(subject) {
          return index.entityIdOf(subject) ?? (isUnregistered(subject) ? subject : undefined);
        },
        madeAt: index.madeAt,
        isRecorded(entityId, gone) {
          const facts = gone === undefined ? undefined : known?.factsOf(gone);
          return (facts === undefined ? filter.decide(entityId) : filter.decideGone(entityId, facts)).recorded;
        },
        modeOf: (entityId) => filter.decide(entityId).attributes,
        thinningOf: (entityId) => filter.decide(entityId).retention?.thinning ?? null,
        refresh(entityId) {
          sampler.forget(entityId);
          const state = states.get(entityId);
          if (state) sampler.sample(state);
        },
      },
    });

  let session: Session | undefined;
  /** Undefined while changes are taken as they arrive. */
  let queue: Queued[] | undefined;
  const awaiting = createAwaiting();
  let lastEventAt: Micros | null = null;
  let homeKnown = false;
  const counts = { changes: 0, filtered: 0, stale: 0, snapshots: 0, dropped: 0, snapshotFailures: 0, awaitedInVain: 0 };

  const writes = createHomeWrites({
    home,
    log,
    now,
    random,
    sleep,
    onEntitiesRemoved(ids, at) {
      for (const id of ids) {
        if (index.entityIdOf(id) !== undefined) continue;
        // A bulk upsert had given an entry to what has but a state in Home Assistant.
        if (isUnregistered(id)) noteUnregistered(id);
        else store.release(STATE_MEASUREMENT, id, at);
      }
    },
  });

  /** Gives a registry entry its series: those it had under another name, or those of the name before it had an entry. */
  const adopt = ({ id, entityId }: AdoptedEntity, at: Micros, listedAt: Micros): void => {
    // An event that came after the list may have moved it on.
    if (index.idOf(entityId) !== id) return;
    sampler.forget(entityId);
    const unregistered = { measurement: STATE_MEASUREMENT, subject: entityId, field: STATE_FIELD };
    if (store.seriesOfSubject(STATE_MEASUREMENT, id).length > 0) {
      // Renamed while nobody listened, or removed and set up again.
      store.rename(STATE_MEASUREMENT, id, entityId, at);
      // A Home Assistant that was restored from a backup has a name again that is older than the one known here, and
      // states of the name may have been stored under it since then. To an entry that has the name this is no news.
      store.rename(STATE_MEASUREMENT, id, entityId, listedAt);
    } else if (store.find(unregistered) !== undefined) store.rekey(STATE_MEASUREMENT, entityId, id);
  };

  const discovery = createDiscovery({
    index,
    writes,
    log,
    now,
    random,
    listener: {
      renamedAwaited: (from, to) => moveAwaiting(from, to),
      renamed(id, from, to, at) {
        filter.invalidate();
        if (states.get(from)) leaving.set(from, { subject: id, renamed: true });
        sampler.forget(to);
        store.rename(STATE_MEASUREMENT, id, to, at);
        gaps?.renamed([from, to]);
      },
      removed(id, entityId, at) {
        // The filter hears of it with the list: until its state is removed, the entity counts as what it was.
        if (states.get(entityId)) leaving.set(entityId, { subject: id, renamed: false });
        store.release(STATE_MEASUREMENT, id, at);
      },
      listed(_kind, moves, at) {
        filter.invalidate();
        takeMoves(moves, at);
        releaseAwaiting();
        moves.freed.forEach(noteUnregistered);
        sampleTakenIn();
        if (moves.adopted.length > 0) gaps?.renamed([...moves.adopted, ...moves.left].map(({ entityId }) => entityId));
      },
    },
  });

  const owners = createSourceReader({
    log,
    onRead(sources, appeared) {
      index.setSources(sources);
      filter.invalidate();
      appeared.forEach(noteUnregistered);
      sampleTakenIn();
    },
  });

  const takeMoves = (moves: EntityMoves, at: Micros): void => {
    for (const { id, entityId, renamed } of moves.left) {
      sampler.forget(entityId);
      // A name that another entry has by now says nothing of the one that left.
      if (index.idOf(entityId) === undefined && states.get(entityId)) leaving.set(entityId, { subject: id, renamed });
    }
    // An entry got its name no later than its last change. In that order, names that were exchanged come out right.
    const named = moves.adopted.map((entity) => ({ entity, at: Math.min(entity.modifiedAt ?? at, at) }));
    for (const { entity, at: since } of named.sort((a, b) => a.at - b.at)) adopt(entity, since, at);
  };

  /** What the filter records from now on, since it has another area or label, begins with its present state. */
  const sampleTakenIn = (): void => {
    // A snapshot brings the present states of all.
    if (!filter.asksHome || queue !== undefined) return;
    for (const entityId of sampler.leftOut()) {
      const state = states.get(entityId);
      if (state && !leaving.has(entityId)) sampler.sample(state);
    }
  };

  /**
   * Tells the database of a state without registry entry, once more: as it came, its owner was not known, or another
   * entry had its name there, which no list had taken away.
   */
  const noteUnregistered = (entityId: string): void => {
    if (isUnregistered(entityId)) writes.appeared({ entityId, platform: index.platformOf(entityId) });
  };

  /** Takes what waited for the id of an entity that is known by now, or that no list will tell. */
  const releaseAwaiting = (): void => {
    for (const entityId of awaiting.names()) if (!discovery.awaits(entityId)) release(entityId);
  };

  const release = (entityId: string): void => {
    for (const change of awaiting.remove(entityId)) take(change);
  };

  /** No list will have the name under which these changes came. */
  const moveAwaiting = (from: string, to: string): void => {
    if (!awaiting.has(from)) return;
    // Those of an announced entity that had the name before are let go of, as where no list has it any more.
    release(to);
    awaiting.rename(from, to);
    // Nothing is known under the old name, of which the removal follows.
    leaving.set(from, { subject: from, renamed: true });
  };

  /** True when the change has to wait for its entity's registry id. */
  const mustAwait = (change: StateChange): boolean => {
    const { entityId } = change;
    if (!awaiting.has(entityId) && !discovery.awaits(entityId)) return false;
    if (awaiting.add(change)) return true;
    // Better under the entity_id for now than lost; `adopt` brings both together.
    counts.awaitedInVain++;
    return false;
  };

  const remove = (change: StateChange): void => {
    const { entityId } = change;
    const gone = leaving.get(entityId);
    states.delete(entityId);
    if (gone?.renamed) sampler.forget(entityId);
    else if (!sampler.end(entityId, change.timeFired)) counts.filtered++;
    leaving.delete(entityId);
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
    if (!session?.complete || !filter.decide(entityId).recorded) return;
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
    if (change.oldState === null) {
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
      if (!sampler.sample(newState)) counts.filtered++;
      sampler.forget(entityId);
      return;
    }
    states.set(newState);
    if (!sampler.sample(newState)) counts.filtered++;
  };

  /** A change in its turn. */
  const take = (change: StateChange): void => {
    if (gaps) checkChain(change);
    keep(change);
    // Only now are all of its samples in the store; what waits for its registry id is not.
    if (awaiting.size === 0) gaps?.heard(change.timeFired);
  };

  const takeQueued = (item: Queued): void => {
    if ("kind" in item) discovery.event(item);
    else if (!mustAwait(item)) take(item);
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
   * Takes from the queue what the dump makes old: a change that the dump holds is dropped, one before it still is a
   * sample, but no current state.
   */
  const takeOlderThan = async (snapshot: HomeSnapshot, current: Session, waiting: Queued[]): Promise<Queued[]> => {
    const updated = new Map(snapshot.states.map((state) => [state.entityId, state.lastUpdated]));
    const queued = waiting.splice(0);
    const newer: Queued[] = [];
    // States from before a rename carry a name that the index no longer knows.
    for (const item of queued) {
      if (!("kind" in item) || item.kind !== "entity" || item.id === null || item.oldEntityId === null) continue;
      const id = index.idOf(item.id);
      if (id === undefined || index.idOf(item.oldEntityId) !== undefined) continue;
      leaving.set(item.oldEntityId, { subject: id, renamed: true });
    }
    await inSlices(queued, current, (item) => {
      const dumped = "kind" in item ? undefined : updated.get(item.entityId);
      if (dumped === undefined || "kind" in item) newer.push(item);
      else if (item.newState === null) {
        if (item.timeFired > dumped) newer.push(item);
        else if (!leaving.get(item.entityId)?.renamed) sampler.end(item.entityId, item.timeFired);
      } else if (item.newState.lastUpdated > dumped) newer.push(item);
      else if (item.newState.lastUpdated < dumped) sampler.sample(item.newState);
      else counts.stale++;
    });
    return newer;
  };

  const applyStates = async (snapshot: HomeSnapshot, dumped: ReadonlySet<string>, current: Session): Promise<void> => {
    const unregistered: UnregisteredEntity[] = [];
    await inSlices(snapshot.states, current, (state) => {
      const { entityId } = state;
      if (index.idOf(entityId) === undefined) unregistered.push({ entityId, platform: index.platformOf(entityId) });
      states.set(state);
      // Whose series this state belongs to shows when the queue is worked off: its removal is in there, or `settle`.
      if (!leaving.has(entityId)) sampler.sample(state);
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
    discovery.snapshot(snapshot);
    const left = [...leaving];
    releaseAwaiting();
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
    if (state) sampler.sample(state);
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
      homeKnown = true;
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
      if (next?.state === "RUNNING" && !queue && !current.complete && session === current) startSynchronizing(current);
    }
    current.asking = false;
  };

  const startSynchronizing = (current: Session): void => {
    queue = [];
    void synchronize(current);
  };

  const end = (current: Session): void => {
    current.ended.abort();
    discovery.disconnected();
    owners.disconnected();
    // Their connection's snapshot will never come. What they told is in the next one, or in Home Assistant's history.
    counts.dropped += queue?.length ?? 0;
    queue = undefined;
    session = undefined;
  };

  return {
    feed,
    filter,
    entityPoints: (store) => createEntityPoints({ store, filter, index, states, onAppended: sampler.forget }),
    connected(connection) {
      if (session) end(session);
      session = { connection, ended: new AbortController(), complete: false, again: false, asking: false };
      discovery.connected(connection);
      owners.connected(connection);
      startSynchronizing(session);
    },
    changed(change) {
      counts.changes++;
      lastEventAt = now();
      if (queue) enqueue(queue, change);
      else if (!mustAwait(change)) take(change);
      feed.publish(change);
    },
    registryChanged(event) {
      if (queue) enqueue(queue, event);
      else discovery.event(event);
    },
    configChanged() {
      const current = session;
      if (!current) return;
      if (queue) current.again = true;
      else if (!current.complete) startSynchronizing(current);
      else {
        current.connection.readConfig().then(
          (next) => {
            if (session === current) onConfig(next);
          },
          (error: unknown) => log.warn(`Cannot read Home Assistant's configuration: ${messageOf(error)}`),
        );
      }
    },
    disconnected(reason: DisconnectReason, at: Micros) {
      if (!session) return;
      const unheard = queue !== undefined || awaiting.size > 0;
      end(session);
      gaps?.disconnected(reason, at, unheard);
      log.debug(`Changes are no longer heard: ${reason}`);
    },
    facts: index.facts,
    unknownNames: () => (homeKnown ? unknownNames(rules, index, states) : []),
    reload(next) {
      rules = next;
      filter.reload(rules);
      for (const state of states.values()) sampler.sample(state);
    },
    overflowed: (from) => gaps?.overflowed(from),
    heardUntil() {
      const heard = queue === undefined && awaiting.size === 0 ? (gaps?.heardUntil() ?? null) : null;
      // What a rule holds back is not on the disk: after a crash Home Assistant is asked for it again.
      return heard === null ? null : Math.min(heard, sampler.heldSince() - 1);
    },
    backfillStatus: () => gaps?.status(),
    status: () => ({
      ...counts,
      samples: sampler.samples,
      synchronizing: queue !== undefined,
      homeKnown,
      lastEventAt,
      feedFailures: feed.failures,
      homeWritesDropped: writes.dropped,
    }),
    async close() {
      clearInterval(releasing);
      if (session) end(session);
      await gaps?.close();
      sampler.release(Number.POSITIVE_INFINITY);
      discovery.close();
      writes.saveStates();
      await writes.close();
    },
  };
}

function breathe(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}
