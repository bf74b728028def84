import { existsSync, readdirSync, renameSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";

const SQLITE_CORRUPT = 11;
const SQLITE_NOTADB = 26;
/** Whether a file belongs to a database of that name which was moved aside; not its -wal and -shm. */
const ASIDE = /\.corrupt-\d{8}T\d{6}Z$/;

/**
 * Moves a file that is no database, or that fails SQLite's check, aside together with its -wal and -shm. Nothing is
 * ever deleted.
 */
export function moveAsideIfDamaged(file: string, now: () => number = Date.now): void {
  if (!existsSync(file) || !isDamaged(file)) return;
  const to = `${file}.corrupt-${new Date(now()).toISOString().replace(/[-:]|\.\d+/g, "")}`;
  for (const suffix of ["", "-wal", "-shm"]) {
    if (existsSync(file + suffix)) renameSync(file + suffix, to + suffix);
  }
}

/** Where the last damaged database of that name was put; null when there is none, or its owner took it away. */
export function lastMovedAside(file: string): string | null {
  const names = readdirSync(dirname(file)).filter((name) => name.startsWith(basename(file)) && ASIDE.test(name));
  const last = names.sort().at(-1);
  return last === undefined ? null : join(dirname(file), last);
}

function isDamaged(file: string): boolean {
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    return database.prepare("PRAGMA quick_check(1)").get()?.quick_check !== "ok";
  } catch (error) {
    const { errcode = 0 } = error as { errcode?: number };
    // What else keeps it from being read (rights, a lock) is told of by whoever opens it.
    return [SQLITE_CORRUPT, SQLITE_NOTADB].includes(errcode & 0xff);
  } finally {
    database?.close();
  }
}
