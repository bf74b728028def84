import type { HomeConnection } from "../domain/connection.ts";
import { messageOf } from "../domain/errors.ts";
import type { Logger } from "../lib/log.ts";

/**
 * Asks Home Assistant who owns the entities without registry entry that appear while it is connected (a group, a template
 * that was reloaded): no event tells.
 */
export interface SourceReader {
  connected(connection: HomeConnection): void;
  disconnected(): void;
  appeared(entityId: string): void;
}

export interface SourceReaderOptions {
  readonly log: Logger;
  /** The owners of all entities, and those for which they were asked. */
  readonly onRead: (sources: ReadonlyMap<string, string>, appeared: ReadonlySet<string>) => void;
}

/** Entities appear in crowds: so long after the first one all are asked for. */
const GATHER_MS = 200;
/** The answer names every entity of the home, and what scripts make, or lightning, comes at any time. */
const PAUSE_MS = 10_000;
/** Those that wait for their owner; of more the next snapshot tells. */
const APPEARED_MAX = 20_000;

export function createSourceReader({ log, onRead }: SourceReaderOptions): SourceReader {
  let connection: HomeConnection | undefined;
  let appeared = new Set<string>();
  let timer: NodeJS.Timeout | undefined;
  let reading = false;
  let askedAt = Number.NEGATIVE_INFINITY;

  const schedule = (): void => {
    if (timer !== undefined || reading || appeared.size === 0) return;
    timer = setTimeout(read, Math.max(GATHER_MS, askedAt + PAUSE_MS - performance.now()));
  };

  const read = async (): Promise<void> => {
    timer = undefined;
    const source = connection;
    if (source === undefined) return;
    const asked = appeared;
    appeared = new Set();
    askedAt = performance.now();
    reading = true;
    try {
      const sources = await source.readEntitySources();
      if (source === connection && sources !== null) onRead(sources, asked);
    } catch (error) {
      // The next one that appears, or the next connection's snapshot, asks again.
      if (source === connection) log.debug(`Cannot read who owns ${asked.size} new entities: ${messageOf(error)}`);
    } finally {
      if (source === connection) {
        reading = false;
        schedule();
      }
    }
  };

  const stop = (): void => {
    clearTimeout(timer);
    timer = undefined;
    reading = false;
    appeared.clear();
  };

  return {
    connected(next) {
      stop();
      connection = next;
    },
    disconnected() {
      stop();
      connection = undefined;
    },
    appeared(entityId) {
      if (connection === undefined || appeared.size >= APPEARED_MAX) return;
      appeared.add(entityId);
      schedule();
    },
  };
}
