import { existsSync, readdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { fileStamp } from "./file-stamp.ts";

/** https://sqlite.org/rescode.html: the file is no sound database, or none at all. */
const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** A database that was moved aside; not its -wal and -shm. */
const ASIDE = /\.corrupt-\d{8}T\d{6}Z$/;

/** Whether SQLite says that the file is no database (any more). */
export function isCorruption(error: unknown): boolean {
  const errcode = (error as { errcode?: unknown } | null)?.errcode;
  // The low byte of an extended code is the plain one.
  return typeof errcode === "number" && [SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff);
}

/**
 * What is wrong with the database that `open` opens: it is no database, or fails SQLite's quick check. Null when it is
 * sound. What else keeps it from being read (rights, a lock) is thrown.
 */
export function damageOf(open: () => DatabaseSync): string | null {
  let database: DatabaseSync | undefined;
  try {
    database = open();
    const answer = database.prepare("PRAGMA quick_check(1)").get()?.quick_check;
    return answer === "ok" ? null : String(answer);
  } catch (error) {
    if (isCorruption(error)) return (error as Error).message;
    throw error;
  } finally {
    database?.close();
  }
}

/**
 * Renames a database to FILE.corrupt-YYYYMMDDTHHMMSSZ, with its -wal and -shm, and answers that name. Nothing is ever
 * deleted: where the name is taken, the next free second is used.
 */
export function moveAside(file: string, now = Date.now()): string {
  const target = `${file}.corrupt-${fileStamp(now)}`;
  if (existsSync(target)) return moveAside(file, now + 1000);
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(file + suffix)) renameSync(file + suffix, target + suffix);
  }
  return target;
}

/** What its owner can do about a database that lies aside, as the middle of a sentence; `name` is the file's own. */
export function remedyOf(aside: string, name: string): string {
  return (
    `Stop the service and restore a backup (npm run cli -- restore FILE), or put in place of "${name}" what ` +
    `"sqlite3 ${basename(aside)} .recover" still reads`
  );
}

/** Where the last damaged database of that name was put; null when there is none, or its owner took it away. */
export function lastMovedAside(file: string): string | null {
  const names = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)) && ASIDE.test(name));
  const last = names.sort().at(-1);
  return last === undefined ? null : join(dirname(file), last);
}
