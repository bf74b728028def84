import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RegistryRow } from "../domain/home.ts";
import type { RegistryDiff } from "../domain/home-store.ts";
import { SQLITE_CONSTRAINT, SQLITE_TOOBIG, sqliteCode } from "./database.ts";
import type { Columns, SqlValue } from "./rows.ts";

/** A row on its way into a table: its key, and its JSON as it will be kept. */
export interface Incoming {
  readonly key: string;
  readonly text: string;
  /** The same parsed, where it is at hand; otherwise it is parsed only if it turns out to differ. */
  readonly row?: RegistryRow;
}

/** How a list of rows is meant. */
export interface WriteOptions {
  readonly at: number;
  /** Fields that a row lacks keep what they had (a bulk upsert of a few fields), instead of becoming null. */
  readonly merge: boolean;
  /** Told of a row that SQLite refuses; the others go on. */
  refused(key: string, error: Error): void;
}

/** Rows looked up and written at a time, so that a large registry is never held twice. */
const SLICE_ROWS = 5_000;

export function slices<Item>(items: readonly Item[], size: number = SLICE_ROWS): Item[][] {
  const parts: Item[][] = [];
  for (let from = 0; from < items.length; from += size) parts.push(items.slice(from, from + size));
  return parts;
}

/** Collects what changed. A row counts once: as added when it was not there (or removed) before this write. */
export class DiffBuilder {
  readonly added = new Set<string>();
  readonly changed = new Set<string>();
  readonly removed = new Set<string>();

  /** `wasLive`: it was there, and not removed, before this write began. */
  wrote(key: string, wasLive: boolean): void {
    const back = this.removed.delete(key);
    if (this.added.has(key)) return;
    (wasLive || back ? this.changed : this.added).add(key);
  }

  remove(key: string): void {
    if (this.added.delete(key)) return;
    this.changed.delete(key);
    this.removed.add(key);
  }

  diff(): RegistryDiff {
    return { added: [...this.added], changed: [...this.changed], removed: [...this.removed] };
  }
}

/**
 * The row that is to be kept and its JSON; undefined when it equals what is stored, unless that is marked removed
 * (`live` false): then it comes back. A row that has every one of `fields`, as Home Assistant's own have, is whole:
 * nothing of what is stored has to be kept beside it, which spares the half of the work.
 */
export function rowToKeep(
  incoming: Incoming,
  stored: { readonly live: boolean; readonly raw: string | undefined } | undefined,
  merge: boolean,
  fields: readonly string[],
): { readonly row: RegistryRow; readonly raw: string } | undefined {
  if (stored?.live && stored.raw === incoming.text) return undefined;
  const row = incoming.row ?? (JSON.parse(incoming.text) as RegistryRow);
  if (!merge || stored?.raw === undefined || fields.every((field) => field in row)) return { row, raw: incoming.text };
  const merged = { ...(JSON.parse(stored.raw) as RegistryRow), ...row };
  const raw = JSON.stringify(merged);
  return stored.live && raw === stored.raw ? undefined : { row: merged, raw };
}

/** What is known of the row to be written: it is not there; it is there; or it is live, and these indexed columns differ. */
export type Known = "new" | "known" | readonly string[];

/**
 * Writes a row of which it is known whether it is there: SQLite needs half the time for a plain INSERT or UPDATE that
 * it needs for an upsert, which has to be able to take itself back. `indexed` columns come last in `values`; of a live
 * row only those that differ are set, since SQLite writes an index anew for each column that is. A removed row comes
 * back.
 */
export function createRowWriter(
  database: DatabaseSync,
  table: Columns,
  indexed: readonly string[] = [],
): (known: Known, key: string, values: readonly SqlValue[], at: number, raw: string) => void {
  const columns = ["updated_at", "raw", ...table.columns, ...indexed];
  const assign = (names: readonly string[]) => names.map((column) => `${column} = ?`).join(", ");
  const insert = database.prepare(
    `INSERT INTO ${table.table} (${[...columns, table.key].join(", ")})
     VALUES (${columns.map(() => "?").join(", ")}, ?)`,
  );
  const update = database.prepare(
    `UPDATE ${table.table} SET ${assign(columns)}, removed_at = NULL WHERE ${table.key} = ?`,
  );
  const updates = new Map<string, StatementSync>();
  const updateOf = (moved: readonly string[]): StatementSync => {
    const name = moved.join();
    const known = updates.get(name);
    if (known) return known;
    const statement = database.prepare(
      `UPDATE ${table.table} SET ${assign(["updated_at", "raw", ...table.columns, ...moved])} WHERE ${table.key} = ?`,
    );
    updates.set(name, statement);
    return statement;
  };
  return (known, key, values, at, raw) => {
    if (typeof known === "string") (known === "new" ? insert : update).run(at, raw, ...values, key);
    else {
      const moved = known.map((column) => values[table.columns.length + indexed.indexOf(column)]!);
      updateOf(known).run(at, raw, ...values.slice(0, table.columns.length), ...moved, key);
    }
  };
}

/** Runs one row's writes; a row that SQLite itself refuses is told of and skipped, any other fault ends the write. */
export function attempt(incoming: Incoming, options: WriteOptions, write: () => void): void {
  try {
    write();
  } catch (error) {
    const code = sqliteCode(error);
    if (code !== SQLITE_CONSTRAINT && code !== SQLITE_TOOBIG) throw error;
    options.refused(incoming.key, error as Error);
  }
}

export type PlainWriter = (rows: readonly Incoming[], at: number, diff: DiffBuilder) => void;

/** Writes the complete list of a registry whose rows stand alone. */
export function createPlainWriter(database: DatabaseSync, table: Columns): PlainWriter {
  const { table: name, key } = table;
  const live = database.prepare(`SELECT ${key} AS key FROM ${name} WHERE removed_at IS NULL`);
  const stored = database.prepare(`SELECT removed_at, raw FROM ${name} WHERE ${key} = ?`);
  const put = createRowWriter(database, table);
  const remove = database.prepare(`UPDATE ${name} SET removed_at = ?, updated_at = ? WHERE ${key} = ?`);
  return (rows, at, diff) => {
    const missing = new Set(live.all().map((row) => row.key as string));
    for (const incoming of rows) {
      missing.delete(incoming.key);
      const before = stored.get(incoming.key);
      const wasLive = before !== undefined && before.removed_at === null;
      if (wasLive && before.raw === incoming.text) continue;
      const row = JSON.parse(incoming.text) as RegistryRow;
      put(before === undefined ? "new" : "known", incoming.key, table.values(row), at, incoming.text);
      diff.wrote(incoming.key, wasLive);
    }
    for (const gone of missing) {
      remove.run(at, at, gone);
      diff.remove(gone);
    }
  };
}
