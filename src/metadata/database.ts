import { accessSync, constants, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import { isCorruption } from "../lib/damaged-database.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";
import { userName } from "../lib/user-name.ts";

/** SQLITE_TIMEOUT, SQLITE_CACHE_SIZE and SQLITE_SYNCHRONOUS. */
export interface DatabaseSettings {
  /** How long a write waits for another program's lock. */
  readonly busyTimeoutSeconds: number;
  /** SQLite's own meaning: negative in KiB, positive in pages. */
  readonly cacheSize: number;
  readonly synchronous: "OFF" | "NORMAL" | "FULL" | "EXTRA";
}

export const DEFAULT_SETTINGS: DatabaseSettings = { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" };

const URL_FORM = /^([a-z][a-z0-9+.-]*):(.*)$/is;
const SCHEMES = new Set(["sqlite", "sqlite+aiosqlite"]);
const REMEDY = "use sqlite:///relative/path.db or sqlite:////absolute/path.db";

/**
 * The file that a DATABASE_URL names: three slashes begin a path relative to `workingDirectory`, four an absolute one.
 * `sqlite:` and SQLAlchemy's `sqlite+aiosqlite:` mean the same. Anything else is `invalid`; the message names the
 * scheme alone, since other URLs carry passwords.
 */
export function databaseFile(url: string, workingDirectory: string = process.cwd()): string {
  const match = URL_FORM.exec(url.trim());
  if (!match) throw new AppError("invalid", `Cannot use DATABASE_URL: it has no scheme; ${REMEDY}`);
  const scheme = match[1]!.toLowerCase();
  if (!SCHEMES.has(scheme)) {
    throw new AppError(
      "invalid",
      `Cannot use a DATABASE_URL of scheme "${scheme}": devices and entities are kept in SQLite only; ${REMEDY}`,
    );
  }
  const rest = match[2]!;
  if (!rest.startsWith("///") || rest.length === 3) {
    throw new AppError("invalid", `Cannot use DATABASE_URL "${url}": it names no file; ${REMEDY}`);
  }
  const path = rest.slice(3);
  if (path === ":memory:") {
    throw new AppError("invalid", `Cannot use DATABASE_URL "${url}": memory does not survive a restart; ${REMEDY}`);
  }
  if (/[?#]/.test(path)) {
    throw new AppError("invalid", `Cannot use DATABASE_URL "${url}": it has parameters; set SQLITE_TIMEOUT and others`);
  }
  return resolve(workingDirectory, path);
}

/**
 * Opens a database with the pragmas that every connection has. A writing connection makes the file if it is absent
 * and turns WAL on. A file that cannot be opened or written is `unavailable`, with path, user and remedy.
 */
export function openDatabase(
  file: string,
  settings: DatabaseSettings,
  options: { readonly readOnly?: boolean } = {},
): DatabaseSync {
  const readOnly = options.readOnly === true;
  if (!readOnly) assertWritable(file);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file, { readOnly, timeout: Math.round(settings.busyTimeoutSeconds * 1000) });
    database.exec(pragmas(settings, readOnly));
    return database;
  } catch (cause) {
    database?.close();
    if (isCorruption(cause)) throw cause;
    throw new AppError("unavailable", `Cannot open the database "${file}": ${sqliteReason(cause)}`, { cause });
  }
}

/**
 * Of a new file; one that exists keeps its own. A row of a registry takes about 1 kB, so that a list of them is many
 * pages of SQLite's usual 4 kB: with ones of 16 a commit of 5,000 entities takes 5 ms instead of 8, with these 2 less.
 */
const PAGE_BYTES = 32_768;

function pragmas(settings: DatabaseSettings, readOnly: boolean): string {
  return `
    PRAGMA busy_timeout = ${Math.round(settings.busyTimeoutSeconds * 1000)};
    ${readOnly ? "" : `PRAGMA page_size = ${PAGE_BYTES}; PRAGMA journal_mode = WAL;`}
    PRAGMA synchronous = ${settings.synchronous};
    PRAGMA cache_size = ${settings.cacheSize};
    PRAGMA temp_store = MEMORY;
    PRAGMA foreign_keys = ON;
  `;
}

/** SQLite also writes -wal and -shm beside the file, so its directory has to be writable too. */
function assertWritable(file: string): void {
  const directory = dirname(file);
  const refuse = (why: string, cause?: unknown): never => {
    throw new AppError("unavailable", `Cannot open the database "${file}": ${why}`, { cause });
  };
  const remedy = `give it to this user ("chown") or set DATA_DIR or DATABASE_URL to a place that is writable`;
  const stat = statSync(file, { throwIfNoEntry: false });
  if (stat?.isDirectory()) refuse("it is a directory; name a file in DATABASE_URL");
  if (!statSync(directory, { throwIfNoEntry: false })?.isDirectory()) {
    refuse(`the directory "${directory}" does not exist; create it or set DATA_DIR`);
  }
  for (const path of stat ? [directory, file] : [directory]) {
    try {
      accessSync(path, constants.W_OK);
    } catch (cause) {
      refuse(`user ${userName()} may not write to "${path}"; ${remedy}`, cause);
    }
  }
}
