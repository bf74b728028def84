import { setTimeout as wait } from "node:timers/promises";
import { AppError } from "../domain/errors.ts";
import { REGISTRY_KINDS, type RegistryKind, type RegistryRow } from "../domain/home.ts";
import type { HomeWriter, UnregisteredEntity } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { createBackoff } from "../lib/backoff.ts";
import type { Logger } from "../lib/log.ts";

/**
 * What waits to be written to the database of the home. Only the newest list of each kind is kept, so a disk that
 * refuses for hours costs no memory; writing is tried again until it succeeds.
 */
export interface HomeWrites {
  /** Entities without registry entry that came or went and were not noted, since too many waited. */
  readonly dropped: number;
  registry(kind: RegistryKind, rows: readonly RegistryRow[], at: Micros): void;
  /** All entities without registry entry that a dump holds. */
  unregistered(entities: readonly UnregisteredEntity[], complete: boolean, at: Micros): void;
  /** An entity without registry entry appeared. */
  appeared(entity: UnregisteredEntity): void;
  /** An entity without registry entry was removed. */
  vanished(entityId: string): void;
  saveStates(): void;
  /** Resolves once nothing waits, or the last attempt failed. */
  settled(): Promise<void>;
  /** One last attempt at what waits, without further retries. */
  close(): Promise<void>;
}

/** Entities without registry entry that may wait as appeared or vanished; the next dump makes up for more. */
const UNREGISTERED_WAITING_MAX = 100_000;
/** Entities appear in crowds: they are written together. */
const GATHER_MS = 200;
const RETRY_FIRST_MS = 1000;
const RETRY_CAP_MS = 60_000;

export interface HomeWritesOptions {
  readonly home: HomeWriter;
  readonly log: Logger;
  /** Registry entries that a new entity list lacks, by their ids. */
  readonly onEntitiesRemoved: (ids: readonly string[], at: Micros) => void;
  readonly now: () => Micros;
  readonly random?: () => number;
  /** Rejects when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
}

export function createHomeWrites(options: HomeWritesOptions): HomeWrites {
  const { home, log, onEntitiesRemoved, now, random = Math.random } = options;
  const sleep = options.sleep ?? ((ms, signal) => wait(ms, undefined, { signal }));
  const registries = new Map<RegistryKind, { rows: readonly RegistryRow[]; at: Micros }>();
  let dump: { entities: readonly UnregisteredEntity[]; complete: boolean; at: Micros } | undefined;
  let dumps = 0;
  let appeared = new Map<string, UnregisteredEntity>();
  let vanished = new Set<string>();
  let statesWait = false;
  let dropped = 0;
  let gathering: NodeJS.Timeout | undefined;
  let running: Promise<void> | undefined;
  const closing = new AbortController();

  /** Takes what comes first and answers how to write it; what is taken goes back when writing fails. */
  const next = (): { what: string; write: () => Promise<void>; putBack: () => void } | undefined => {
    for (const kind of REGISTRY_KINDS) {
      const list = registries.get(kind);
      if (!list) continue;
      registries.delete(kind);
      return {
        what: `the ${kind} registry`,
        async write() {
          const diff = await home.applyRegistry(kind, list.rows, list.at);
          if (kind === "entity" && diff.removed.length > 0) onEntitiesRemoved(diff.removed, list.at);
        },
        putBack() {
          if (!registries.has(kind)) registries.set(kind, list);
        },
      };
    }
    if (dump) {
      const taken = dump;
      dump = undefined;
      return {
        what: "the entities without registry entry",
        async write() {
          await home.applyUnregistered(taken.entities, taken.complete, taken.at);
        },
        putBack() {
          dump ??= taken;
        },
      };
    }
    const upTo = dumps;
    if (appeared.size > 0) {
      const taken = appeared;
      appeared = new Map();
      return {
        what: "new entities without registry entry",
        async write() {
          await home.applyUnregistered([...taken.values()], false, now());
        },
        putBack() {
          if (dumps > upTo) return;
          for (const [id, entity] of taken) if (!appeared.has(id)) appeared.set(id, entity);
        },
      };
    }
    if (vanished.size > 0) {
      const taken = vanished;
      vanished = new Set();
      return {
        what: "the removal of entities without registry entry",
        write: () => home.removeUnregistered([...taken], now()),
        putBack() {
          if (dumps > upTo) return;
          for (const id of taken) if (!appeared.has(id)) vanished.add(id);
        },
      };
    }
    if (statesWait) {
      statesWait = false;
      return {
        what: "the current states",
        write: () => home.saveStates(),
        putBack() {
          statesWait = true;
        },
      };
    }
    return undefined;
  };

  const run = async (): Promise<void> => {
    const backoff = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS, random);
    for (let work = next(); work; work = next()) {
      try {
        await work.write();
        backoff.reset();
      } catch (error) {
        // `unavailable` passes (the disk is full, the database is busy); anything else would fail again alike.
        const passes = error instanceof AppError && error.code === "unavailable";
        log.error(
          { err: error },
          `Cannot write ${work.what} to the database of the home${passes ? "; trying again" : ""}`,
        );
        if (!passes) continue;
        work.putBack();
        if (closing.signal.aborted) return;
        await sleep(backoff.next(), closing.signal).catch(() => undefined);
      }
    }
  };

  const start = (): void => {
    running ??= run().finally(() => {
      running = undefined;
    });
  };

  const gather = (): void => {
    gathering ??= setTimeout(() => {
      gathering = undefined;
      start();
    }, GATHER_MS);
  };

  const settled = async (): Promise<void> => {
    if (gathering) {
      clearTimeout(gathering);
      gathering = undefined;
      start();
    }
    while (running) await running;
  };

  return {
    get dropped() {
      return dropped;
    },
    registry(kind, rows, at) {
      registries.set(kind, { rows, at });
      start();
    },
    unregistered(entities, complete, at) {
      dump = { entities, complete, at };
      // The dump knows better than what came before it, also than what is being written and may have to wait.
      dumps++;
      appeared.clear();
      vanished.clear();
      start();
    },
    appeared(entity) {
      vanished.delete(entity.entityId);
      if (appeared.size + vanished.size >= UNREGISTERED_WAITING_MAX) dropped++;
      else appeared.set(entity.entityId, entity);
      gather();
    },
    vanished(entityId) {
      // What came and went between two writes is noted all the same: its history can be asked for.
      if (appeared.size + vanished.size >= UNREGISTERED_WAITING_MAX) dropped++;
      else vanished.add(entityId);
      gather();
    },
    saveStates() {
      statesWait = true;
      start();
    },
    settled,
    async close() {
      closing.abort();
      start();
      await settled();
    },
  };
}
