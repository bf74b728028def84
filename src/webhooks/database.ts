import { existsSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import { setCacheSize } from "../lib/cache-size.ts";
import { damageOf, moveAside } from "../lib/damaged-database.ts";
import { type Migration, readMigrations, upgrade } from "../lib/migrate.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";

/** SQLite's own settings, as SQLITE_TIMEOUT, SQLITE_CACHE_SIZE and SQLITE_SYNCHRONOUS say them. */
export interface SqliteSettings {
  readonly busyTimeoutSeconds: number;
  /** SQLite's meaning: pages, or KiB when negative. */
  readonly cacheSize: number;
  readonly synchronous: "OFF" | "NORMAL" | "FULL" | "EXTRA";
}

export const DATABASE_FILE = "webhooks.db";
export const KEY_FILE = "webhooks.key";
/** Reads are short and indexed, so a small cache is enough; the kernel has its own. */
const CACHE_KIB_MAX = 4_096;

/** Of webhooks.db. */
export function webhookMigrations(): readonly Migration[] {
  return readMigrations(join(import.meta.dirname, "migrations"));
}

/**
 * Opens the database for writing, makes it when there is none and brings its schema up to date. A damaged file is
 * moved aside and a new one begins; the registrations in it come back from a backup only.
 */
export function openWebhookDatabase(file: string, settings: SqliteSettings): DatabaseSync {
  let database: DatabaseSync | undefined;
  try {
    if (existsSync(file) && damageOf(() => new DatabaseSync(file)) !== null) moveAside(file);
    database = new DatabaseSync(file, { timeout: Math.round(settings.busyTimeoutSeconds * 1000) });
    database.exec("PRAGMA journal_mode = WAL");
    database.exec(`PRAGMA synchronous = ${settings.synchronous}`);
    database.exec("PRAGMA foreign_keys = ON");
    setCacheSize(database, settings.cacheSize, CACHE_KIB_MAX);
    upgrade(database, webhookMigrations());
    return database;
  } catch (cause) {
    database?.close();
    const why = sqliteReason((cause as Error).cause ?? cause);
    throw new AppError("unavailable", `Cannot open the database "${file}": ${why}`, { cause });
  }
}
