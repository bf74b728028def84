import type { DatabaseSync } from "node:sqlite";
import { damageOf, moveAside } from "../lib/damaged-database.ts";
import { type DatabaseSettings, openDatabase } from "./database.ts";

export interface Opened {
  readonly database: DatabaseSync;
  /** Where a damaged file was put, and what was wrong with it; null when there was none. */
  readonly movedAside: { readonly to: string; readonly reason: string } | null;
}

/**
 * Opens the database for writing after a quick check. A file that is no database or fails the check is moved aside
 * together with its -wal and -shm, and a new one begins: Home Assistant fills it again. Nothing is ever deleted.
 */
export function openOrReplace(file: string, settings: DatabaseSettings): Opened {
  const reason = damageOf(() => openDatabase(file, settings));
  const movedAside = reason === null ? null : { to: moveAside(file), reason };
  return { database: openDatabase(file, settings), movedAside };
}
