import type { HomeConnection } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import { type HomeSnapshot, REGISTRY_KINDS, type RegistryEvent, type RegistryKind } from "../domain/home.ts";
import type { Micros } from "../domain/sample.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";
import { type EntityMoves, type HomeIndex, NO_MOVES } from "./home-index.ts";
import type { HomeWrites } from "./home-writes.ts";

/** Hears what the registries do to entities, in order. */
export interface DiscoveryListener {
  /** An entity whose id is awaited goes by another name: its state moves as that of one whose id is known. */
  renamedAwaited(from: string, to: string): void;
  /** The entity's state moves: `from` is about to be removed and to appear again as `to`. */
  renamed(id: string, from: string, to: string, at: Micros): void;
  /** The entry is gone; the state is about to be removed. */
  removed(id: string, entityId: string, at: Micros): void;
  /** A list was read (empty moves when Home Assistant does not give it); what was awaited may be known now. */
  listed(kind: RegistryKind, moves: EntityMoves, at: Micros): void;
}

/**
 * Follows Home Assistant's registries. Its events carry ids and no rows, so each is applied to the index as far as it
 * goes, and the list is read again a moment later.
 */
export interface Discovery {
  connected(connection: HomeConnection): void;
  disconnected(): void;
  /** Takes over what a snapshot holds of the registries. */
  snapshot(snapshot: HomeSnapshot): void;
  event(event: RegistryEvent): void;
  /** An entry for this entity was announced, but no list that holds it was read yet: its id is not known. */
  awaits(entityId: string): boolean;
  close(): void;
}

/** Registry events come in crowds. So long a silence ends one; a change must be visible within a second. */
const QUIET_MS = 200;
/** No crowd is waited for longer than so: the list takes its time as well, and one that is on its way comes first. */
const CROWD_MS_MAX = 300;
const RETRY_FIRST_MS = 1000;
const RETRY_CAP_MS = 60_000;
/** Announced entities whose id is waited for; more are taken as having no registry entry until the list is read. */
const AWAITED_MAX = 20_000;

/** What the index was told by events while a list was on its way, which that list may not know yet. */
interface IndexChange {
  readonly id: string;
  readonly from: string;
  /** Null: the entry was removed. */
  readonly to: string | null;
}

interface Reading {
  timer: NodeJS.Timeout | undefined;
  firstEventAt: number | undefined;
  reading: boolean;
  readonly backoff: ReturnType<typeof createBackoff>;
}

export interface DiscoveryOptions {
  readonly index: HomeIndex;
  readonly writes: HomeWrites;
  readonly listener: DiscoveryListener;
  readonly log: Logger;
  readonly now: () => Micros;
  readonly random?: () => number;
}

export function createDiscovery(options: DiscoveryOptions): Discovery {
  const { index, writes, listener, log, now, random = Math.random } = options;
  const readings = new Map<RegistryKind, Reading>(
    REGISTRY_KINDS.map((kind) => [
      kind,
      {
        timer: undefined,
        firstEventAt: undefined,
        reading: false,
        backoff: createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS, random),
      },
    ]),
  );
  const awaited = new Set<string>();
  let sinceRead: IndexChange[] = [];
  let connection: HomeConnection | undefined;

  const apply = (change: IndexChange): void => {
    if (change.to === null) index.remove(change.id, change.from);
    else index.rename(change.id, change.from, change.to);
  };

  const note = (change: IndexChange): void => {
    apply(change);
    if (readings.get("entity")?.reading) sinceRead.push(change);
  };

  const schedule = (kind: RegistryKind, ms: number): void => {
    const reading = readings.get(kind)!;
    clearTimeout(reading.timer);
    reading.timer = setTimeout(() => {
      reading.timer = undefined;
      void read(kind, reading);
    }, ms);
  };

  const read = async (kind: RegistryKind, reading: Reading): Promise<void> => {
    const source = connection;
    // One read at a time: the one under way schedules the next, if anything happened meanwhile.
    if (!source || reading.reading) return;
    reading.reading = true;
    reading.firstEventAt = undefined;
    if (kind === "entity") sinceRead = [];
    try {
      const rows = await source.readRegistry(kind);
      if (source !== connection) return;
      reading.backoff.reset();
      const at = now();
      const moves = rows ? index.replace(kind, rows) : NO_MOVES;
      if (rows) writes.registry(kind, rows, at);
      if (kind === "entity") {
        // Harmless where the list knows them already: each names the entry that it is about.
        for (const change of sinceRead) apply(change);
        for (const { entityId } of moves.adopted) awaited.delete(entityId);
        // Announced before this list was read and not in it: it is gone again.
        if (reading.firstEventAt === undefined) awaited.clear();
      }
      listener.listed(kind, moves, at);
    } catch (error) {
      // The request timed out or was refused; when the connection ended, its successor reads everything.
      if (source !== connection) return;
      const ms = reading.backoff.next();
      log.warn(`Cannot read the ${kind} registry, trying again in ${Math.round(ms)} ms: ${messageOf(error)}`);
      schedule(kind, ms);
    } finally {
      reading.reading = false;
      if (connection && reading.firstEventAt !== undefined && !reading.timer) schedule(kind, QUIET_MS);
    }
  };

  const stopReading = (): void => {
    for (const reading of readings.values()) {
      clearTimeout(reading.timer);
      reading.timer = undefined;
      reading.firstEventAt = undefined;
    }
  };

  const announce = (kind: RegistryKind): void => {
    const reading = readings.get(kind)!;
    const moment = performance.now();
    reading.firstEventAt ??= moment;
    schedule(kind, Math.max(0, Math.min(QUIET_MS, reading.firstEventAt + CROWD_MS_MAX - moment)));
  };

  const entityEvent = (event: RegistryEvent): void => {
    const entityId = event.id;
    if (entityId === null) return;
    if (event.action === "create") {
      if (index.idOf(entityId) === undefined && awaited.size < AWAITED_MAX) awaited.add(entityId);
    } else if (event.action === "remove") {
      const id = index.idOf(entityId);
      awaited.delete(entityId);
      if (id === undefined) return;
      note({ id, from: entityId, to: null });
      listener.removed(id, entityId, event.timeFired);
    } else if (event.oldEntityId !== null && event.oldEntityId !== entityId) {
      if (awaited.delete(event.oldEntityId)) {
        awaited.add(entityId);
        listener.renamedAwaited(event.oldEntityId, entityId);
      }
      // A snapshot that was read after the rename knows the entry by its new name already, and the old name may belong
      // to another entry by then.
      const id = index.idOf(entityId) ?? index.idOf(event.oldEntityId);
      if (id === undefined) return;
      note({ id, from: event.oldEntityId, to: entityId });
      listener.renamed(id, event.oldEntityId, entityId, event.timeFired);
    }
  };

  return {
    connected(newConnection) {
      stopReading();
      connection = newConnection;
    },
    disconnected() {
      stopReading();
      connection = undefined;
    },
    snapshot(snapshot) {
      if (snapshot.entitySources) index.setSources(snapshot.entitySources);
      for (const kind of REGISTRY_KINDS) {
        const rows = snapshot.registries[kind];
        if (kind === "entity") awaited.clear();
        if (!rows) continue;
        const moves = index.replace(kind, rows);
        writes.registry(kind, rows, snapshot.readAt);
        listener.listed(kind, moves, snapshot.readAt);
      }
    },
    event(event) {
      if (event.kind === "entity") entityEvent(event);
      announce(event.kind);
    },
    awaits: (entityId) => awaited.has(entityId),
    close() {
      stopReading();
      connection = undefined;
    },
  };
}
