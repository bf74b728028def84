import type { DatabaseSync } from "node:sqlite";

/**
 * Lets SQLite keep as much of a database in memory as `setting` says (SQLITE_CACHE_SIZE: negative in KiB, positive in
 * pages), but no more than `kibibytesMax`.
 */
export function setCacheSize(database: DatabaseSync, setting: number, kibibytesMax: number): void {
  const { page_size: pageBytes } = database.prepare("PRAGMA page_size").get() as { page_size: number };
  const kibibytes = setting < 0 ? -setting : (setting * pageBytes) / 1024;
  database.exec(`PRAGMA cache_size = ${-Math.round(Math.min(kibibytesMax, kibibytes))}`);
}
