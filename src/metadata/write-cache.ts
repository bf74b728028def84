import type { DatabaseSync } from "node:sqlite";
import { setCacheSize } from "../lib/cache-size.ts";

/** The indexes of some 10,000 entities, and where their rows go. */
const KIB_MIN = 3_072;
/** Indexes are a quarter of the file at most. */
const SHARE = 1 / 4;

/**
 * Gives the connection that writes as much memory as the indexes need: what is changed at random stays there, and rows,
 * each of which is written once, go to the log when it is full. With all that SQLITE_CACHE_SIZE allows, lists of 50,000
 * entities take 50 to 60 MB more for a tenth less time at most, and one of 5,000 new ones takes longer, since memory that
 * was never used is slow.
 */
export function fitWriteCache(database: DatabaseSync, setting: number): void {
  const number = (pragma: string): number => database.prepare(`PRAGMA ${pragma}`).get()![pragma] as number;
  const kibibytes = (number("page_count") * number("page_size")) / 1024;
  setCacheSize(database, setting, Math.max(KIB_MIN, kibibytes * SHARE));
}
