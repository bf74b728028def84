import { backup, DatabaseSync } from "node:sqlite";

/** All pages in one step: between two of them another connection may write, and SQLite begins anew. */
const ALL_PAGES = 2 ** 31 - 1;

/**
 * Copies a database as it is at one moment into a new file, which stands for itself (no -wal). Whoever writes to the
 * database meanwhile does not wait for it; the pages are copied in another thread.
 */
export async function copyDatabase(from: string, to: string): Promise<void> {
  const source = new DatabaseSync(from, { readOnly: true });
  try {
    await backup(source, to, { rate: ALL_PAGES });
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
