import { createHash } from "node:crypto";
import { AppError } from "../domain/errors.ts";
import type { Page } from "../domain/home-store.ts";

const DIGEST_LENGTH = 12;
/** A longer name would leave an address no room for the cursor that holds it. */
const NAME_LENGTH_MAX = 200;

/**
 * What a cursor belongs to: the name of a list, which no other list has, and all that decides on its rows, objects with
 * their keys in any order.
 */
export type ListAsked = readonly [list: string, ...filter: unknown[]];

/**
 * A cursor: where a page ended, bound to the query it belongs to by a digest over both. It is opaque to callers, works
 * across restarts, and one of another query or with a changed character is refused.
 */
export function encodeCursor(query: ListAsked, position: unknown): string {
  const text = JSON.stringify(position);
  return Buffer.from(digest(query, text) + text).toString("base64url");
}

/**
 * The position in a cursor of `encodeCursor`; `invalid` when it is none, or one of another query. It came in a field of a
 * body where `noun` says so.
 */
export function decodeCursor(query: ListAsked, cursor: string, noun = "query parameter"): unknown {
  const decoded = Buffer.from(cursor, "base64url").toString();
  const text = decoded.slice(DIGEST_LENGTH);
  if (decoded.slice(0, DIGEST_LENGTH) !== digest(query, text)) {
    const remedy = "give a next_cursor as it came, with the parameters it came from";
    throw new AppError("invalid", `The ${noun} "cursor" does not belong to this query: ${remedy}`);
  }
  return JSON.parse(text);
}

/** What stands for a name in a position: the name itself, or of a long one its digest. */
export function nameInCursor(name: string): string {
  return name.length <= NAME_LENGTH_MAX ? name : createHash("sha256").update(name).digest("base64url");
}

/**
 * One page of a list that is in memory, in its own order. A page begins after the row at which the last one ended; where
 * that row is gone, with the one that came next, so that who deletes what a page shows is shown all the others. Where
 * both are gone, it begins at the place of the first.
 */
export function pageOf<Row>(
  list: ListAsked,
  rows: readonly Row[],
  keyOf: (row: Row) => string,
  { limit, cursor }: { readonly limit: number; readonly cursor?: string | undefined },
): Page<Row> {
  let start = 0;
  if (cursor !== undefined) {
    const [last, next, place] = decodeCursor(list, cursor) as [last: string, next: string, place: number];
    const after = rows.findIndex((row) => keyOf(row) === last) + 1;
    const from = after > 0 ? after : rows.findIndex((row) => keyOf(row) === next);
    start = from === -1 ? place : from;
  }
  const end = start + limit;
  const page = rows.slice(start, end);
  const nextCursor = end < rows.length ? encodeCursor(list, [keyOf(page.at(-1)!), keyOf(rows[end]!), end - 1]) : null;
  return { rows: page, total: rows.length, nextCursor };
}

/** For JSON: the keys of objects in one order, since parameters may come in any. */
function inOrder(_key: string, value: unknown): unknown {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1)));
}

function digest(query: ListAsked, text: string): string {
  return createHash("sha256")
    .update(JSON.stringify([query, text], inOrder))
    .digest("base64url")
    .slice(0, DIGEST_LENGTH);
}
