import type { RegistryKind, RegistryRow } from "../domain/home.ts";
import { type FeedEnd, received } from "../lib/feed.ts";
import type { IncomingEntity } from "./entities-writes.ts";
import { keyOf, type SqlValue } from "./rows.ts";
import { type Fields, SLICE_ROWS } from "./writes.ts";

/**
 * Rows on their way to the thread that writes, side by side: a list of each is cheaper to copy than objects, as which the
 * same takes half as long again. `keys` are those of their ids or, of an entity without one, its entity_id.
 */
export interface RowSlice {
  /** In the sender's list. */
  readonly indexes: number[];
  readonly keys: string[];
  readonly texts: string[];
  /** Of a bulk upsert. */
  readonly fields: Fields[];
  /** Of entities of a bulk upsert. */
  readonly byNames: boolean[];
  readonly values: SqlValue[][];
}

export function emptySlice(): RowSlice {
  return { indexes: [], keys: [], texts: [], fields: [], byNames: [], values: [] };
}

/** A complete list of a registry's rows; those without a key are left out. */
export function* registrySlices(kind: RegistryKind, rows: readonly RegistryRow[]): Generator<RowSlice> {
  let slice = emptySlice();
  for (let index = 0; index < rows.length; index++) {
    const row = rows[index]!;
    const key = keyOf(kind, row);
    if (key === null) continue;
    slice.indexes.push(index);
    slice.keys.push(key);
    slice.texts.push(JSON.stringify(row));
    if (slice.keys.length < SLICE_ROWS) continue;
    yield slice;
    slice = emptySlice();
  }
  yield slice;
}

/** In the thread that writes: the rows, as many at a time as were sent. */
export function* receivedRows(feed: FeedEnd): Generator<IncomingEntity[]> {
  for (const { indexes, keys, texts, fields, byNames, values } of received<RowSlice>(feed)) {
    yield keys.map((key, at) => ({
      index: indexes[at]!,
      key,
      text: texts[at]!,
      fields: fields[at] ?? null,
      byName: byNames[at] ?? false,
      values: values[at],
    }));
  }
}
