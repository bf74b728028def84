import { statSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { setCacheSize } from "../../lib/cache-size.ts";
import { type Migration, readMigrations, upgrade } from "../../lib/migrate.ts";
import { packOldHours } from "../rollups/old-hours.ts";

/** SQLite's own settings, as SQLITE_TIMEOUT, SQLITE_CACHE_SIZE and SQLITE_SYNCHRONOUS say them. */
export interface SqliteSettings {
  readonly busyTimeoutSeconds: number;
  /** SQLite's meaning: pages, or KiB when negative. */
  readonly cacheSize: number;
  readonly synchronous: "OFF" | "NORMAL" | "FULL" | "EXTRA";
}

export const DATABASE_FILE = "timeseries.db";

/**
 * Bytes; decided when the file is made. What a quiet home costs its SD card is pages, not samples: a commit of 50
 * samples writes a page of the log, a fold the last pages of every series. At 10 events/s 219 bytes are written for an
 * event with pages of 2,048 bytes and 274 with 4,096; one of 1,024 has no room for a commit. What a flood costs is system
 * calls for each page: with 4,096 bytes it would be taken in a twentieth less time.
 */
const PAGE_SIZE = 2048;
/** The samples themselves are read once and not again soon, so SQLite's cache is kept small; the kernel has its own. */
const CACHE_KIB_MAX = 8192;
/** Pages the write-ahead log may reach before it is carried over to the file; a fold ends with that anyway. */
const CHECKPOINT_PAGES = 1000;

/** What SQLite answers for auto_vacuum = INCREMENTAL. */
const INCREMENTAL = 2;

/** Of timeseries.db. */
export function storeMigrations(): readonly Migration[] {
  return readMigrations(join(import.meta.dirname, "migrations"));
}

/** The connection that writes: makes the file when there is none and brings its schema up to date. */
export function openForWriting(file: string, settings: SqliteSettings): DatabaseSync {
  const db = new DatabaseSync(file);
  try {
    db.exec(`PRAGMA page_size = ${PAGE_SIZE}`);
    // Has to be said before there is a table, like the size of pages; said again it would write a page, at every start.
    if (db.prepare("PRAGMA auto_vacuum").get()?.auto_vacuum !== INCREMENTAL)
      db.exec("PRAGMA auto_vacuum = INCREMENTAL");
    db.exec("PRAGMA journal_mode = WAL");
    db.exec(`PRAGMA synchronous = ${settings.synchronous}`);
    db.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    db.exec("PRAGMA temp_store = MEMORY");
    applySettings(db, settings);
    upgrade(db, storeMigrations());
    packOldHours(db);
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

/** A connection for questions; the file exists by then. */
export function openForReading(file: string, settings: SqliteSettings): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true });
  applySettings(db, settings);
  return db;
}

function applySettings(db: DatabaseSync, settings: SqliteSettings): void {
  db.exec(`PRAGMA busy_timeout = ${Math.round(settings.busyTimeoutSeconds * 1000)}`);
  setCacheSize(db, settings.cacheSize, CACHE_KIB_MAX);
}

/** What the file and its write-ahead log take, in bytes. */
export function sizeOnDisk(file: string): number {
  return (
    (statSync(file, { throwIfNoEntry: false })?.size ?? 0) +
    (statSync(`${file}-wal`, { throwIfNoEntry: false })?.size ?? 0)
  );
}
