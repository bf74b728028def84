import type { Micros } from "../../domain/sample.ts";

/** One row that the home's recorder kept. `state` null: the entity was removed then. */
export interface RecordedState {
  /** Under which id it was written; a later rename does not change it. */
  readonly entityId: string;
  /** The registry's id of the entity; null when it only had a state. */
  readonly registryId: string | null;
  readonly state: string | null;
  readonly lastChanged: Micros;
  readonly lastUpdated: Micros;
  /** As JSON, with everything that was published. */
  readonly attributesJson: string;
}

export interface RecorderOptions {
  readonly isExcluded: (entityId: string) => boolean;
  /** History shows a row only after the next commit; 0: at once. */
  readonly commitIntervalMs: number;
  /** Beyond it the oldest rows go. */
  readonly rowsMax: number;
}

/**
 * Plays Home Assistant's recorder and is the ground truth at once: columns of numbers (36 bytes a row) and one copy of
 * every text, so that millions of rows fit. Like the real one it keeps history under one key per entity, which moves
 * along when an entity is renamed to an id that has no history yet.
 */
export interface Recorder {
  /** Rows that are kept now. */
  readonly size: number;
  /** Rows that fell out because `rowsMax` was reached. */
  readonly dropped: number;
  record(row: RecordedState): void;
  /** `leftAt`: when the state went from the old id; null where there was none. */
  rename(oldEntityId: string, newEntityId: string, leftAt: Micros | null): void;
  /** Forgets what was last updated before `time`. */
  purge(time: Micros): void;
  commit(): void;
  /** The present ids of everything that it has rows of. */
  names(): Iterable<string>;
  /** Committed rows kept under the ids' present keys, oldest first. With `since` those from then on and the one before. */
  history(entityIds: readonly string[], since?: Micros): Map<string, RecordedState[]>;
  /** Everything that happened to entities, committed or not, in the order of writing. */
  rows(): Generator<RecordedState>;
  close(): void;
}

const CHUNK_ROWS = 65_536;
/** Attributes of the row that ends the history of a name whose entity goes on under another one. */
const LEFT_NAME = "{ }";

interface Chunk {
  count: number;
  readonly keys: Uint32Array;
  readonly entities: Uint32Array;
  readonly registry: Uint32Array;
  readonly states: Uint32Array;
  readonly attributes: Uint32Array;
  readonly changed: Float64Array;
  readonly updated: Float64Array;
}

/** Gives every distinct text a number from 1 on; 0 stands for null. */
class Texts {
  private readonly numbers = new Map<string, number>();
  private readonly texts: string[] = [""];

  number(text: string | null): number {
    if (text === null) return 0;
    let number = this.numbers.get(text);
    if (number === undefined) {
      number = this.texts.length;
      this.numbers.set(text, number);
      this.texts.push(text);
    }
    return number;
  }

  text(number: number): string | null {
    return number === 0 ? null : this.texts[number]!;
  }
}

export function createRecorder(options: RecorderOptions): Recorder {
  const texts = new Texts();
  /** The key of each entity id's history: the number of the id that had it first. */
  const keys = new Map<string, number>();
  let nextKey = 1;
  let chunks: Chunk[] = [];
  let size = 0;
  let dropped = 0;
  let uncommitted = 0;
  const commit = (): void => {
    uncommitted = 0;
  };
  const timer = options.commitIntervalMs > 0 ? setInterval(commit, options.commitIntervalMs).unref() : null;

  const keyOf = (entityId: string): number => {
    const known = keys.get(entityId);
    if (known !== undefined) return known;
    keys.set(entityId, nextKey);
    return nextKey++;
  };

  const openChunk = (): Chunk => {
    const last = chunks.at(-1);
    if (last && last.count < CHUNK_ROWS) return last;
    if (size + CHUNK_ROWS > options.rowsMax && chunks.length > 1) {
      const oldest = chunks.shift()!;
      size -= oldest.count;
      dropped += oldest.count;
    }
    const chunk: Chunk = {
      count: 0,
      keys: new Uint32Array(CHUNK_ROWS),
      entities: new Uint32Array(CHUNK_ROWS),
      registry: new Uint32Array(CHUNK_ROWS),
      states: new Uint32Array(CHUNK_ROWS),
      attributes: new Uint32Array(CHUNK_ROWS),
      changed: new Float64Array(CHUNK_ROWS),
      updated: new Float64Array(CHUNK_ROWS),
    };
    chunks.push(chunk);
    return chunk;
  };

  const rowAt = (chunk: Chunk, index: number): RecordedState => ({
    entityId: texts.text(chunk.entities[index]!)!,
    registryId: texts.text(chunk.registry[index]!),
    state: texts.text(chunk.states[index]!),
    lastChanged: chunk.changed[index]!,
    lastUpdated: chunk.updated[index]!,
    attributesJson: texts.text(chunk.attributes[index]!)!,
  });

  const append = (chunk: Chunk, from: Chunk, index: number): void => {
    const to = chunk.count++;
    chunk.keys[to] = from.keys[index]!;
    chunk.entities[to] = from.entities[index]!;
    chunk.registry[to] = from.registry[index]!;
    chunk.states[to] = from.states[index]!;
    chunk.attributes[to] = from.attributes[index]!;
    chunk.changed[to] = from.changed[index]!;
    chunk.updated[to] = from.updated[index]!;
  };

  const record = (row: RecordedState): void => {
    if (options.isExcluded(row.entityId)) return;
    const chunk = openChunk();
    const index = chunk.count++;
    chunk.keys[index] = keyOf(row.entityId);
    chunk.entities[index] = texts.number(row.entityId);
    chunk.registry[index] = texts.number(row.registryId);
    chunk.states[index] = texts.number(row.state);
    chunk.attributes[index] = texts.number(row.attributesJson);
    chunk.changed[index] = row.lastChanged;
    chunk.updated[index] = row.lastUpdated;
    size++;
    if (timer) uncommitted++;
  };

  return {
    get size() {
      return size;
    },
    get dropped() {
      return dropped;
    },
    record,
    rename(oldEntityId, newEntityId, leftAt) {
      const key = keys.get(oldEntityId);
      if (key === undefined) return;
      if (keys.has(newEntityId)) {
        // The renamed entity's history forks (home-assistant/core#116645), and ends under the name that it had (seen).
        if (leftAt === null) return;
        const end = { state: null, lastChanged: leftAt, lastUpdated: leftAt, attributesJson: LEFT_NAME };
        record({ entityId: oldEntityId, registryId: null, ...end });
        return;
      }
      keys.delete(oldEntityId);
      keys.set(newEntityId, key);
    },
    purge(time) {
      const old = chunks;
      chunks = [];
      size = 0;
      for (const chunk of old) {
        for (let index = 0; index < chunk.count; index++) {
          if (chunk.updated[index]! < time) continue;
          append(openChunk(), chunk, index);
          size++;
        }
      }
      uncommitted = Math.min(uncommitted, size);
    },
    commit,
    names: () => keys.keys(),
    history(entityIds, since = 0) {
      const wanted = new Map<number, { id: string; before?: readonly [Chunk, number]; rows: RecordedState[] }>();
      for (const id of entityIds) {
        const key = keys.get(id);
        if (key !== undefined) wanted.set(key, { id, rows: [] });
      }
      let left = size - uncommitted;
      for (const chunk of chunks) {
        const end = Math.min(chunk.count, left);
        for (let index = 0; index < end; index++) {
          const one = wanted.get(chunk.keys[index]!);
          if (one === undefined) continue;
          if (chunk.updated[index]! < since) one.before = [chunk, index];
          else one.rows.push(rowAt(chunk, index));
        }
        left -= end;
      }
      const found = new Map<string, RecordedState[]>();
      for (const { id, before, rows } of wanted.values()) {
        if (before !== undefined) rows.unshift(rowAt(...before));
        if (rows.length > 0)
          found.set(
            id,
            rows.sort((a, b) => a.lastUpdated - b.lastUpdated),
          );
      }
      return found;
    },
    *rows() {
      for (const chunk of chunks) {
        for (let index = 0; index < chunk.count; index++) {
          const row = rowAt(chunk, index);
          if (row.attributesJson !== LEFT_NAME) yield row;
        }
      }
    },
    close() {
      if (timer) clearInterval(timer);
    },
  };
}
