import { backup, DatabaseSync } from "node:sqlite";

/** A mebibyte of most databases: between two steps the copy can be broken off, also on a slow disk. */
const STEP_PAGES = 256;
const BUSY_MS = 1_000;

/**
 * Copies a database as it is at one moment into a new file, which stands for itself (no -wal). Whoever writes to the
 * database meanwhile does not wait for it; the pages are copied in another thread. Rejects with the signal's reason once
 * it aborts: what is copied by then is left behind.
 */
export async function copyDatabase(from: string, to: string, signal?: AbortSignal): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true, timeout: BUSY_MS });
  try {
    // Reads one moment until it is closed: what another connection writes between two steps would have SQLite begin anew.
    source.exec("BEGIN; SELECT count(*) FROM sqlite_schema");
    await backup(source, to, { rate: STEP_PAGES, progress: () => signal?.throwIfAborted() });
  } finally {
    source.close();
  }
  const copy = new DatabaseSync(to);
  try {
    copy.exec("PRAGMA journal_mode = DELETE");
  } finally {
    copy.close();
  }
}
