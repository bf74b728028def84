import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { messageOf } from "../domain/errors.ts";
import { transaction } from "./transaction.ts";

/** One step of a schema: `001_store.up.sql` and `001_store.down.sql` are revision "001". */
export interface Migration {
  readonly revision: string;
  readonly name: string;
  readonly up: string;
  readonly down: string;
}

/** The code of the error that a database of a newer version brings. */
export const NEWER_REVISION = "ERR_NEWER_REVISION";

const FILE = /^(\d{3})_(\w+)\.up\.sql$/;

/** The migrations of a folder, ascending by revision. Each needs its way back. */
export function readMigrations(folder: string): Migration[] {
  const migrations: Migration[] = [];
  for (const file of readdirSync(folder).sort()) {
    const match = FILE.exec(file);
    if (!match) continue;
    const up = readFileSync(join(folder, file), "utf8");
    const down = readFileSync(join(folder, file.replace(".up.sql", ".down.sql")), "utf8");
    migrations.push({ revision: match[1]!, name: match[2]!, up, down });
  }
  return migrations;
}

/** The newest revision that was applied, null for a database that has none. */
export function currentRevision(db: DatabaseSync): string | null {
  const known = db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = 'schema_migrations'").get();
  if (known === undefined) return null;
  const row = db.prepare("SELECT max(revision) AS revision FROM schema_migrations").get();
  return typeof row?.revision === "string" ? row.revision : null;
}

/** Whether a database stands at one of these migrations or before them all; if not, a newer version has made it. */
export function isKnown(db: DatabaseSync, migrations: readonly Migration[]): boolean {
  const current = currentRevision(db);
  return current === null || migrations.some(({ revision }) => revision === current);
}

/**
 * Applies what is missing up to and including `target` (default: all), each step in a transaction of its own. A step
 * that fails leaves the revision before it and throws, and so does a database of a version that is newer. Returns the
 * revisions that were applied.
 */
export function upgrade(db: DatabaseSync, migrations: readonly Migration[], target?: string): string[] {
  const current = currentRevision(db) ?? "";
  if (!isKnown(db, migrations)) {
    const message = `Its revision "${current}" is unknown to this version: start the newer one that made it`;
    throw Object.assign(new Error(message), { code: NEWER_REVISION });
  }
  const steps = migrations.filter((step) => step.revision > current && (!target || step.revision <= target));
  for (const step of steps) {
    inTransaction(db, `Cannot upgrade to revision "${step.revision}"`, () => {
      db.exec("CREATE TABLE IF NOT EXISTS schema_migrations (revision TEXT PRIMARY KEY, name TEXT NOT NULL) STRICT");
      db.exec(step.up);
      db.prepare("INSERT INTO schema_migrations (revision, name) VALUES (?, ?)").run(step.revision, step.name);
    });
  }
  return steps.map((step) => step.revision);
}

/** Takes back what came after `target` (null: everything), the newest first. Returns the revisions taken back. */
export function downgrade(db: DatabaseSync, migrations: readonly Migration[], target: string | null): string[] {
  const current = currentRevision(db) ?? "";
  const steps = migrations.filter((step) => step.revision <= current && step.revision > (target ?? "")).reverse();
  for (const step of steps) {
    inTransaction(db, `Cannot downgrade from revision "${step.revision}"`, () => {
      db.exec(step.down);
      db.prepare("DELETE FROM schema_migrations WHERE revision = ?").run(step.revision);
    });
  }
  return steps.map((step) => step.revision);
}

function inTransaction(db: DatabaseSync, purpose: string, work: () => void): void {
  try {
    transaction(db, work);
  } catch (cause) {
    // SQLite's code goes along, since a caller may wait for a full disk or a lock to pass.
    throw Object.assign(new Error(`${purpose}: ${messageOf(cause)}`, { cause }), codesOf(cause));
  }
}

function codesOf(error: unknown): { code?: string; errcode?: number } {
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  return {
    ...(typeof code === "string" ? { code } : {}),
    ...(typeof errcode === "number" ? { errcode } : {}),
  };
}
