import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError, messageOf } from "../domain/errors.ts";
import { isKnown, type Migration } from "../lib/migrate.ts";
import { sha256Of } from "../lib/sha256-of.ts";
import { ABOUT, DATABASES, FILES, METADATA, TIMESERIES, WEBHOOKS } from "./data-files.ts";

/** Of what `ABOUT` says; another one is refused. */
const FORMAT = 1;

/** What is in a copy. */
export interface Contents {
  readonly devices: number;
  readonly entities: number;
  readonly webhooks: number;
  /** Rows of samples: of the log, of day tables, of the archive's list. */
  readonly samples: number;
}

export interface About {
  readonly format: number;
  /** "HA Ingestor 0.1.0". */
  readonly made_by: string;
  /** ISO 8601. */
  readonly created_at: string;
  /** As it was packed. */
  readonly contents?: Contents;
  /** The checksums of its `FILES`; those of the archive are in timeseries.db. */
  readonly sha256?: Readonly<Record<string, string>>;
}

export function writeAbout(folder: string, about: Omit<About, "format" | "sha256">): void {
  const files = FILES.filter((name) => existsSync(join(folder, name)));
  const sha256 = Object.fromEntries(files.map((name) => [name, sha256Of(join(folder, name))]));
  writeFileSync(join(folder, ABOUT), `${JSON.stringify({ format: FORMAT, ...about, sha256 }, null, 2)}\n`);
}

/** Throws `invalid` where a folder holds no copy, one without any database, or one of a later version. */
export function readAbout(folder: string): About {
  if (!existsSync(join(folder, ABOUT))) throw new AppError("invalid", `it is no backup: it has no ${ABOUT}`);
  const about = JSON.parse(readFileSync(join(folder, ABOUT), "utf8")) as Partial<About> | null;
  if (about?.format !== FORMAT) {
    const version = about?.made_by ?? "an unknown version";
    throw new AppError("invalid", `it was made by ${version}, whose backups this version cannot read`);
  }
  if (typeof about.made_by !== "string" || typeof about.created_at !== "string") {
    throw new AppError("invalid", `it is no backup: its ${ABOUT} does not say who made it and when`);
  }
  if (!DATABASES.some((name) => existsSync(join(folder, name)))) {
    throw new AppError("invalid", "it has no database, so nothing would be left of what is there");
  }
  return about as About;
}

/** What is missing of a copy, or is not as it was packed: in a text of a database SQLite notices no other letter. */
export function changedFiles(folder: string, { sha256 }: About): string[] {
  return FILES.flatMap((name) => {
    const packed = sha256?.[name];
    if (packed === undefined) return [];
    if (!existsSync(join(folder, name))) return `${name} is not there, though it was packed`;
    return sha256Of(join(folder, name)) === packed ? [] : `${name} is not as it was packed`;
  });
}

/** Reads the databases of a copy to their last page and counts what is in them; throws `invalid` for a damaged one. */
export function checkDatabases(folder: string): Contents {
  for (const name of DATABASES) withCopy(folder, name, (database) => assertWhole(name, database));
  const count = (name: string, sql: string): number =>
    withCopy(folder, name, (database) => database.prepare(sql).get()?.count as number) ?? 0;
  return {
    devices: count(METADATA, "SELECT count(*) AS count FROM devices WHERE removed_at IS NULL AND placeholder = 0"),
    entities: count(METADATA, "SELECT count(*) AS count FROM entities WHERE removed_at IS NULL"),
    webhooks: count(WEBHOOKS, "SELECT count(*) AS count FROM webhooks"),
    samples: withCopy(folder, TIMESERIES, countSamples) ?? 0,
  };
}

/** Throws `invalid` where a database is of a later version, which would keep the service from starting. */
export function assertKnownRevisions(folder: string, migrations: Readonly<Record<string, readonly Migration[]>>): void {
  for (const [name, known] of Object.entries(migrations)) {
    withCopy(folder, name, (database) => {
      if (!isKnown(database, known))
        throw new AppError("invalid", `its ${name} is of a newer version than this program`);
    });
  }
}

/**
 * Throws `invalid` where a copy lists files that the archive never writes, as `isOwn` tells by their paths: the service
 * removes what it lists as obsolete.
 */
export function assertOwnFiles(folder: string, isOwn: (path: string) => boolean): void {
  withCopy(folder, TIMESERIES, (database) => {
    const foreign = database
      .prepare("SELECT path FROM archive_files")
      .all()
      .find(({ path }) => !isOwn(String(path)));
    if (foreign === undefined) return;
    throw new AppError("invalid", `its ${TIMESERIES} lists "${foreign.path}", which is no file of an archive`);
  });
}

/** Undefined where the copy has no such database. */
function withCopy<T>(folder: string, name: string, ask: (database: DatabaseSync) => T): T | undefined {
  const file = join(folder, name);
  if (!existsSync(file)) return undefined;
  const database = new DatabaseSync(file, { readOnly: true });
  try {
    return ask(database);
  } catch (cause) {
    if (cause instanceof AppError) throw cause;
    throw new AppError("invalid", `${name} cannot be read: ${messageOf(cause)}`, { cause });
  } finally {
    database.close();
  }
}

/** A part that was damaged, and mended since, stays set aside in timeseries.db and is read by nobody. */
const SET_ASIDE = "name GLOB '*damaged*' OR name GLOB 'emptied_*'";

function assertWhole(name: string, database: DatabaseSync): void {
  const found = faultOf(database, "1");
  if (found === null) return;
  const aside = database.prepare(`SELECT 1 FROM sqlite_schema WHERE type = 'table' AND (${SET_ASIDE})`).get();
  if (aside === undefined) throw new AppError("invalid", `${name} is damaged: ${found}`);
  const others = database.prepare(`SELECT name FROM sqlite_schema WHERE type = 'table' AND NOT (${SET_ASIDE})`).all();
  for (const table of ["sqlite_schema", ...others.map(({ name }) => name)]) {
    const fault = faultOf(database, `"${table}"`);
    if (fault !== null) throw new AppError("invalid", `${name} is damaged: ${fault}`);
  }
}

/** Null where all, or the table that is named, is whole. */
function faultOf(database: DatabaseSync, what: string): string | null {
  const found = database.prepare(`PRAGMA integrity_check(${what})`).get()?.integrity_check;
  return found === "ok" ? null : String(found);
}

function countSamples(database: DatabaseSync): number {
  const tables = database.prepare("SELECT name FROM sqlite_schema WHERE name GLOB 'samples_[0-9]*'").all();
  const counts = [
    "SELECT coalesce(sum(rows), 0) AS count FROM archive_files WHERE obsolete = 0",
    ...["log", ...tables.map(({ name }) => name)].map((table) => `SELECT count(*) AS count FROM ${table}`),
  ];
  return counts.reduce((sum, sql) => sum + (database.prepare(sql).get()!.count as number), 0);
}
