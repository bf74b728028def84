import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import { currentRevision, downgrade, type Migration, readMigrations, upgrade } from "../lib/migrate.ts";
import { transaction } from "../lib/transaction.ts";

/**
 * What `migrate current | upgrade | downgrade | stamp` do, by the names that people use for revisions. All take any
 * database and any list of migrations.
 */

/** Where a database stands. `revision` and `name` are null before the first step. */
export interface Revision {
  readonly revision: string | null;
  readonly name: string | null;
  /** False while newer migrations wait. */
  readonly newest: boolean;
}

/** The revision before the first migration, as an argument of downgrade and stamp. */
const BASE = "base";
/** The newest revision, as an argument of upgrade and stamp. */
const HEAD = "head";

/** The migrations of the database of the home. */
export function homeMigrations(): readonly Migration[] {
  return readMigrations(join(import.meta.dirname, "migrations"));
}

/** Reads only; works beside a running service. */
export function current(database: DatabaseSync, migrations = homeMigrations()): Revision {
  const position = positionOf(database, migrations);
  const step = migrations[position - 1];
  return { revision: step?.revision ?? null, name: step?.name ?? null, newest: position === migrations.length };
}

/**
 * Applies what is missing up to `target` (a revision or "head"), each step in one transaction. A step that fails
 * (`conflict`) leaves the revision before it, and says so. Nothing to do is no error. Returns the revisions applied.
 */
export function upgradeTo(database: DatabaseSync, target = HEAD, migrations = homeMigrations()): readonly string[] {
  const from = positionOf(database, migrations);
  const to = positionNamed(target, migrations);
  if (to < from) {
    throw new AppError(
      "invalid",
      `Cannot upgrade to ${target}: the database is at ${nameOf(migrations, from)} already`,
    );
  }
  return step(database, migrations, () => upgrade(database, migrations.slice(0, to)));
}

/** Takes steps back: `target` is a revision to arrive at, "base", or "-N" for N steps. Returns the revisions undone. */
export function downgradeTo(database: DatabaseSync, target: string, migrations = homeMigrations()): readonly string[] {
  const from = positionOf(database, migrations);
  const to = positionBelow(from, target, migrations);
  if (to < 0) throw new AppError("invalid", `Cannot downgrade by ${target}: only ${from} steps have been applied`);
  if (to > from) {
    throw new AppError("invalid", `Cannot downgrade to ${target}: the database is at ${nameOf(migrations, from)}`);
  }
  return step(database, migrations, () => downgrade(database, migrations, migrations[to - 1]?.revision ?? null));
}

/** How much of what Home Assistant cannot tell again a downgrade of the home would drop. */
export function lostBy(
  database: DatabaseSync,
  target: string,
): { readonly manualDevices: number; readonly movedEntities: number } {
  const migrations = homeMigrations();
  const from = positionOf(database, migrations);
  const to = positionBelow(from, target, migrations);
  const count = (from: string): number =>
    database.prepare(`SELECT count(*) AS count FROM ${from}`).get()!.count as number;
  const drops = (revision: string): boolean => {
    const position = positionNamed(revision, migrations);
    return from >= position && to < position;
  };
  return {
    manualDevices: drops("001") ? count("devices WHERE manual = 1 AND removed_at IS NULL") : 0,
    movedEntities: drops("003") ? count("(SELECT DISTINCT key FROM entity_places)") : 0,
  };
}

/**
 * Sets the revision without running anything. `conflict` when the schema is not the one of that revision, unless
 * forced: a wrong stamp makes the next upgrade fail or skip.
 */
export function stamp(
  database: DatabaseSync,
  target: string,
  options: { readonly force?: boolean } = {},
  migrations = homeMigrations(),
): void {
  const applied = migrations.slice(0, positionNamed(target, migrations));
  if (!options.force) {
    const difference = schemaDifference(database, applied);
    if (difference) {
      throw new AppError("conflict", `Cannot stamp the database as ${target}: ${difference}; --force stamps it anyway`);
    }
  }
  transaction(database, () => {
    database.exec(LEDGER);
    database.exec("DELETE FROM schema_migrations");
    const enter = database.prepare("INSERT INTO schema_migrations (revision, name) VALUES (?, ?)");
    for (const { revision, name } of applied) enter.run(revision, name);
  });
}

/** As lib/migrate.ts makes it, for a database that it has not seen. */
const LEDGER = "CREATE TABLE IF NOT EXISTS schema_migrations (revision TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT";

function step(database: DatabaseSync, migrations: readonly Migration[], run: () => string[]): readonly string[] {
  try {
    return run();
  } catch (error) {
    const { message, cause } = error as Error;
    const stays = nameOf(migrations, positionOf(database, migrations));
    throw new AppError("conflict", `${message}; the database stays at revision ${stays}`, { cause });
  }
}

/** The first thing in which the schema differs from the one that `steps` make; undefined when they are equal. */
function schemaDifference(database: DatabaseSync, steps: readonly Migration[]): string | undefined {
  const wanted = new DatabaseSync(":memory:");
  try {
    for (const { up } of steps) wanted.exec(up);
    const [want, have] = [schemaOf(wanted), schemaOf(database)];
    for (const [name, sql] of want) {
      if (!have.has(name)) return `it lacks ${name}`;
      if (have.get(name) !== sql) return `its ${name} is another`;
    }
    for (const name of have.keys()) if (!want.has(name)) return `it has ${name}, which that revision lacks`;
    return undefined;
  } finally {
    wanted.close();
  }
}

function schemaOf(database: DatabaseSync): Map<string, unknown> {
  const rows = database
    .prepare("SELECT type || ' ' || name AS name, sql FROM sqlite_schema WHERE name NOT LIKE 'sqlite!_%' ESCAPE '!'")
    .all();
  return new Map(rows.filter((row) => row.name !== "table schema_migrations").map((row) => [`${row.name}`, row.sql]));
}

/** How many migrations have been applied. `conflict` when they are not the ones this program knows. */
function positionOf(database: DatabaseSync, migrations: readonly Migration[]): number {
  const revision = currentRevision(database);
  if (revision === null) return 0;
  const position = migrations.findIndex((migration) => migration.revision === revision) + 1;
  if (position > 0) return position;
  throw new AppError(
    "conflict",
    `Cannot use the database: its revision ${revision} is unknown to this version, which ends at ` +
      `${nameOf(migrations, migrations.length)}; start the version that made it, or restore a backup`,
  );
}

/** Where a downgrade arrives; negative: it has more steps than there are. */
function positionBelow(from: number, target: string, migrations: readonly Migration[]): number {
  const relative = /^-(\d+)$/.exec(target);
  return relative ? from - Number(relative[1]) : positionNamed(target, migrations);
}

function positionNamed(target: string, migrations: readonly Migration[]): number {
  if (target === HEAD) return migrations.length;
  if (target === BASE) return 0;
  const index = migrations.findIndex(({ revision }) => revision === target);
  if (index >= 0) return index + 1;
  const names = [BASE, ...migrations.map(({ revision }) => revision), HEAD].join(", ");
  throw new AppError("invalid", `Cannot find revision "${target}": there are ${names}`);
}

function nameOf(migrations: readonly Migration[], position: number): string {
  return migrations[position - 1]?.revision ?? BASE;
}
