import type { DatabaseSync } from "node:sqlite";

/** Pages of one step, during which no samples are committed. */
const GIVE_BACK_PAGES = 2_048;

/** Bytes of a page, as the file has it: it is decided when it is made. */
export function pageBytes(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA page_size").get()?.page_size);
}

export function freePages(db: DatabaseSync): number {
  return Number(db.prepare("PRAGMA freelist_count").get()?.freelist_count);
}

/** Returns a step's worth of the free pages beyond `keep` to the file system. Answers how many are left beyond it. */
export function returnPages(db: DatabaseSync, keep: number): number {
  const tooMany = freePages(db) - keep;
  if (tooMany <= 0) return 0;
  const step = Math.min(tooMany, GIVE_BACK_PAGES);
  db.exec(`PRAGMA incremental_vacuum(${step})`);
  // The file becomes shorter when the log is carried over to it.
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  return tooMany - step;
}
