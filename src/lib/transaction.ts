import type { DatabaseSync } from "node:sqlite";

/** Runs `work` in one transaction that takes the write lock at once; whatever it throws undoes everything. */
export function transaction<Result>(db: DatabaseSync, work: () => Result): Result {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (error) {
    // SQLite has rolled back by itself after some faults (disk full, I/O).
    if (db.isTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
