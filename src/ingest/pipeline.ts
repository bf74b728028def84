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
import type { HomeAssistantListener } from "../domain/connection.ts";
import type { ContextSink } from "../domain/contexts.ts";
import type { BackfillStatus } from "../domain/gaps.ts";
import type { CurrentStates, EntityFacts, HomeConfig, HomeSnapshot } from "../domain/home.ts";
import type { HomeWriter } from "../domain/home-store.ts";
import type { ChangeFeed, IngestStatus } from "../domain/ingest.ts";
import type { EntityPointSink } from "../domain/line-protocol.ts";
import type { Micros } from "../domain/sample.ts";
import { STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { strangersTo } from "./another-home.ts";
import { createChanges, type Leaving } from "./changes.ts";
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
import { createSynchronizer, QUEUE_EVENTS_MAX } from "./synchronizer.ts";
import { unknownNames } from "./unknown-names.ts";

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

export function createIngest(options: IngestOptions): Ingest {
  const { store, home, states, log, onConfig = () => undefined, now = nowMicros, random = Math.random } = options;
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
        isAwaited: (entityId) => discovery.awaits(entityId),
        thinningOf: (entityId) => filter.decide(entityId).retention?.thinning ?? null,
        refresh(entityId) {
          sampler.forget(entityId);
          const state = states.get(entityId);
          if (state) sampler.sample(state);
        },
      },
    });

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
      renamedAwaited: (from, to) => changes.moveAwaiting(from, to),
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
        changes.releaseAwaiting();
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
    if (!filter.asksHome || synchronizer.isSynchronizing) return;
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

  /** What goes by its name alone is one series in both homes, and of the other's time nothing will be asked for. */
  const warnOfAnotherHome = ({ registries }: HomeSnapshot): void => {
    if (!known || options.gaps?.lastRun.durableUntil == null) return;
    const strangers = strangersTo(registries.entity ?? [], known.ownersSince(now()));
    if (strangers === 0) return;
    log.warn(
      `This is another Home Assistant than the one recorded so far, of which none of ${strangers} entities is here: ` +
        "give it a DATA_DIR of its own, unless it is to go on in its place (docs/operation.md)",
    );
  };

  const changes = createChanges({
    index,
    states,
    filter,
    sampler,
    writes,
    discovery,
    owners,
    gaps,
    leaving,
    subjectOf,
    isComplete: () => synchronizer.isComplete,
  });

  const synchronizer = createSynchronizer({
    index,
    states,
    sampler,
    writes,
    discovery,
    changes,
    gaps,
    leaving,
    log,
    queueEventsMax: options.queueEventsMax ?? QUEUE_EVENTS_MAX,
    onConfig,
    onFirstSnapshot: warnOfAnotherHome,
    random,
    sleep,
  });

  const disconnect = (): void => {
    synchronizer.end();
    discovery.disconnected();
    owners.disconnected();
  };

  let told = 0;
  let lastEventAt: Micros | null = null;

  return {
    feed,
    filter,
    entityPoints: (store) => createEntityPoints({ store, filter, index, states, onAppended: sampler.forget }),
    connected(connection) {
      if (synchronizer.isConnected) disconnect();
      discovery.connected(connection);
      owners.connected(connection);
      synchronizer.begin(connection);
    },
    changed(change) {
      told++;
      lastEventAt = now();
      synchronizer.changed(change);
      feed.publish(change);
    },
    registryChanged: synchronizer.registryChanged,
    configChanged: synchronizer.configChanged,
    disconnected(reason, at) {
      if (!synchronizer.isConnected) return;
      const unheard = synchronizer.isSynchronizing || changes.awaiting > 0;
      disconnect();
      gaps?.disconnected(reason, at, unheard);
      log.debug(`Changes are no longer heard: ${reason}`);
    },
    facts: index.facts,
    unknownNames: () => (synchronizer.isHomeKnown ? unknownNames(rules, index, states) : []),
    reload(next) {
      rules = next;
      filter.reload(rules);
      for (const state of states.values()) sampler.sample(state);
    },
    overflowed: (from) => gaps?.overflowed(from),
    heardUntil() {
      const isAllTaken = !synchronizer.isSynchronizing && changes.awaiting === 0;
      const heard = isAllTaken ? (gaps?.heardUntil() ?? null) : null;
      // What a rule holds back is not on the disk: after a crash Home Assistant is asked for it again.
      return heard === null ? null : Math.min(heard, sampler.heldSince() - 1);
    },
    backfillStatus: () => gaps?.status(),
    status: () => ({
      changes: told,
      ...synchronizer.counts,
      filtered: changes.filtered,
      awaitedInVain: changes.awaitedInVain,
      samples: sampler.samples,
      synchronizing: synchronizer.isSynchronizing,
      homeKnown: synchronizer.isHomeKnown,
      lastEventAt,
      feedFailures: feed.failures,
      homeWritesDropped: writes.dropped,
    }),
    async close() {
      clearInterval(releasing);
      if (synchronizer.isConnected) disconnect();
      await gaps?.close();
      sampler.release(Number.POSITIVE_INFINITY);
      discovery.close();
      writes.saveStates();
      await writes.close();
    },
  };
}
