import { isoFromMicros } from "../lib/time.ts";
import type { SqlValue } from "./rows.ts";

/** From columns to what is answered. */

export type Columns = Readonly<Record<string, SqlValue>>;

export function textOf(value: SqlValue | undefined): string | null {
  return typeof value === "string" ? value : null;
}

const ISO_CACHED = 64;
const isoCache = new Map<number, string>();

/** ISO 8601 of a column in microseconds. Rows written together carry the same time, so the last ones are kept. */
export function isoOf(value: SqlValue | undefined): string | null {
  if (typeof value !== "number") return null;
  let iso = isoCache.get(value);
  if (iso === undefined) {
    if (isoCache.size >= ISO_CACHED) isoCache.clear();
    iso = isoFromMicros(value);
    isoCache.set(value, iso);
  }
  return iso;
}

const NONE: readonly string[] = [];

/** A column that holds a JSON array of texts. */
export function textsOf(value: SqlValue | undefined): readonly string[] {
  return typeof value !== "string" || value === "[]" ? NONE : (JSON.parse(value) as string[]);
}
