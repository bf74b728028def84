import { existsSync, renameSync } from "node:fs";
import type { DatabaseSync } from "node:sqlite";
import { type DatabaseSettings, openDatabase, SQLITE_CORRUPT, SQLITE_NOTADB, sqliteCode } from "./database.ts";

export interface Opened {
  readonly database: DatabaseSync;
  /** Where a damaged file was put, and what was wrong with it; null when there was none. */
  readonly movedAside: { readonly to: string; readonly reason: string } | null;
}

/**
 * Opens the database for writing after a quick check. A file that is no database or fails the check is moved aside
 * together with its -wal and -shm, and a new one begins: Home Assistant fills it again. Nothing is ever deleted.
 */
export function openOrReplace(file: string, settings: DatabaseSettings, now: () => number = Date.now): Opened {
  const reason = damageOf(file, settings);
  if (reason === null) return { database: openDatabase(file, settings), movedAside: null };
  const time = new Date(now()).toISOString().replace(/[-:]|\.\d+/g, "");
  const to = `${file}.corrupt-${time}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(file + suffix)) renameSync(file + suffix, to + suffix);
  }
  return { database: openDatabase(file, settings), movedAside: { to, reason } };
}

/** What is wrong with the file; null when it is sound, empty or absent. */
function damageOf(file: string, settings: DatabaseSettings): string | null {
  let database: DatabaseSync | undefined;
  try {
    database = openDatabase(file, settings);
    const answer = database.prepare("PRAGMA quick_check(1)").get();
    return answer?.quick_check === "ok" ? null : String(answer?.quick_check);
  } catch (error) {
    const code = sqliteCode(error);
    if (code === SQLITE_CORRUPT || code === SQLITE_NOTADB) return (error as Error).message;
    throw error;
  } finally {
    database?.close();
  }
}
