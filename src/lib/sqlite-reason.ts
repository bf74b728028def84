import { messageOf } from "../domain/errors.ts";
import { isCorruption } from "./damaged-database.ts";

/** https://sqlite.org/rescode.html */
const SQLITE_BUSY = 5;
const SQLITE_LOCKED = 6;
const SQLITE_FULL = 13;

/** What follows on SQLite's own "database is locked", where that was said already. */
export const LOCKED = "another program kept it so for longer than SQLITE_TIMEOUT";

/** SQLite's primary result code of an error, also of one that came out of a worker thread; undefined if it has none. */
export function sqliteCode(error: unknown): number | undefined {
  const code = (error as { errcode?: unknown } | null)?.errcode;
  return typeof code === "number" ? code & 0xff : undefined;
}

/** What a failure of SQLite means to a person: the state, not SQLite's wording of it. Of any other it is its message. */
export function sqliteReason(error: unknown): string {
  switch (sqliteCode(error)) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
      return "another program kept the database locked for longer than SQLITE_TIMEOUT";
    case SQLITE_FULL:
      return "the disk is full";
    default:
      return isCorruption(error) ? `the file is damaged (${messageOf(error)})` : messageOf(error);
  }
}
