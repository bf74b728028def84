import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { RegistryRow } from "../domain/home.ts";
import type { RegistryDiff } from "../domain/home-store.ts";
import { sqliteCode } from "../lib/sqlite-reason.ts";
import type { Columns, SqlValue } from "./rows.ts";

/** https://sqlite.org/rescode.html */
const SQLITE_TOOBIG = 18;
const SQLITE_CONSTRAINT = 19;

/** The names of a row's fields, in their order; null: that does not matter. */
export type Fields = readonly string[] | null;

/** A row on its way into a table. */
export interface Incoming {
  /** Its place in the sender's list, from 0. */
  readonly index: number;
  readonly key: string;
  /** Its JSON as it will be kept; it is parsed only if it turns out to differ. */
  readonly text: string;
  /**
   * Of a row of which others are to be kept (a bulk upsert of a few fields): those that it has. Without them it is kept as
   * it is sent, and what it lacks becomes null.
   */
  readonly fields?: Fields;
}

/** How a list of rows is meant. */
export interface WriteOptions {
  readonly at: number;
  /** Told of a row that SQLite refuses; the others go on. */
  refused(incoming: Incoming, error: Error): void;
}

/**
 * Rows looked up and written at a time: so few that little of them is alive when the space for new objects (2 MB) is
 * full. With all 5,000 of a bulk upsert at once a quarter of its time went into copying them about.
 */
export const SLICE_ROWS = 100;

export function inSlices<Item>(items: readonly Item[]): Item[][] {
  const parts: Item[][] = [];
  for (let from = 0; from < items.length; from += SLICE_ROWS) parts.push(items.slice(from, from + SLICE_ROWS));
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

/** Who is told of each row that was written or removed. */
export type DiffSink = Pick<DiffBuilder, "wrote" | "remove">;

/** For writes whose difference nobody asks for. */
export const NOBODY: DiffSink = { wrote: () => undefined, remove: () => undefined };

/** What is to be kept: a row, and its JSON. */
export interface Kept {
  readonly row: RegistryRow;
  readonly raw: string;
}

/** What is stored is kept where the row, whose JSON is `text`, does not say otherwise. */
export function mergeInto(stored: string, row: RegistryRow, text: string): Kept {
  const before = JSON.parse(stored) as RegistryRow;
  // A sender has the same fields each time, and mostly the same in them: what is written anew can be spared.
  if (Object.keys(before).every((field) => Object.hasOwn(row, field))) return { row, raw: text };
  if (Object.keys(row).every((field) => row[field] === before[field])) return { row: before, raw: stored };
  const merged = { ...before, ...row };
  return { row: merged, raw: JSON.stringify(merged) };
}

/**
 * What is known of a row to be written: it is not there; it is there, but removed or another sender's; or it is live,
 * and these indexed columns differ.
 */
export type Known = "new" | "replaced" | readonly string[];

/** Writes a row. False: it is not as it was thought to be, or has this very JSON. */
export type Rewrite = (key: string, values: readonly SqlValue[], at: number, raw: string) => boolean;

export interface RowWriter {
  /** Whether the row is live, the sender's own, and has this very JSON. */
  holds(key: string, text: string): boolean;
  /**
   * For rows that are thought to be live, with the same values of the `indexed` columns but for those that `moved`, and of
   * `settled`; and, where `fields` are not null, to have no others. Undefined: no statement can name these fields.
   */
  rewriter(moved: readonly string[], fields: Fields): Rewrite | undefined;
  /** Writes a row; `values` are the table's columns, then the indexed ones. False: it is live and has this very JSON. */
  write(known: Known, key: string, values: readonly SqlValue[], at: number, raw: string): boolean;
}

/**
 * Writes rows of which it is known whether they are there: SQLite needs half the time for a plain INSERT or UPDATE that
 * it needs for an upsert, which has to be able to take itself back. Of a live row only those `indexed` columns are set
 * that differ, since SQLite writes an index anew for each column that is. A removed row comes back. The JSON is compared
 * by SQLite, where it is, since to bring 5,000 of them here takes longer than to write them.
 */
export function createRowWriter(
  database: DatabaseSync,
  table: Columns,
  indexed: readonly string[] = [],
  settled: readonly string[] = [],
): RowWriter {
  const { table: name, key: id } = table;
  // Numbered, since one statement has its JSON twice. What each row has for itself comes last: to call with a list and
  // more behind it, V8 first makes another list, a tenth of a bulk upsert as long as the code is not compiled.
  const head = ["raw", "updated_at", id];
  const columns = [...table.columns, ...indexed];
  const parameter = (column: string) => `?${head.length + columns.indexOf(column) + 1}`;
  const assign = (names: readonly string[]) =>
    ["raw = ?1", "updated_at = ?2", ...names.map((column) => `${column} = ${parameter(column)}`)].join();
  const alike = (names: readonly string[]) => names.map((column) => `${column} IS ${parameter(column)}`);
  const insert = database.prepare(
    `INSERT INTO ${name} (${[...head, ...columns].join()}) VALUES (${[...head, ...columns].map(() => "?").join()})`,
  );
  const replace = database.prepare(`UPDATE ${name} SET ${assign(columns)}, removed_at = NULL WHERE ${id} = ?3`);
  const live = ["removed_at IS NULL", ...(table.own ?? [])];
  const same = database.prepare(`SELECT 1 FROM ${name} WHERE ${[`${id} = ?`, "raw = ?", ...live].join(" AND ")}`);
  /** Of a row that differs in no other indexed columns. */
  const prepareUpdate = (moved: readonly string[], conditions: readonly string[]): StatementSync => {
    const unmoved = indexed.filter((column) => !moved.includes(column));
    const where = [`${id} = ?3`, "raw IS NOT ?1", ...alike(unmoved), ...conditions];
    return database.prepare(`UPDATE ${name} SET ${assign([...table.columns, ...moved])} WHERE ${where.join(" AND ")}`);
  };
  const updates = new Map<string, StatementSync>();
  const updateOf = (moved: readonly string[]): StatementSync => {
    const purpose = moved.join();
    const statement = updates.get(purpose) ?? prepareUpdate(moved, []);
    updates.set(purpose, statement);
    return statement;
  };
  /** That of the rewriter that was made last: what rows have is up to their sender, so no other is kept. */
  let rewrite: { readonly purpose: string; readonly statement: StatementSync } | undefined;
  return {
    holds: (key, text) => same.get(key, text) !== undefined,

    rewriter(moved, fields) {
      if (fields && (fields.length > NAMED_FIELDS_MAX || !fields.every((field) => PLAIN_FIELD.test(field)))) {
        return undefined;
      }
      const purpose = `${moved} ${fields}`;
      if (rewrite?.purpose !== purpose) {
        const conditions = [...live, ...alike(settled), ...(fields ? [hasNoFieldsBut(fields)] : [])];
        rewrite = { purpose, statement: prepareUpdate(moved, conditions) };
      }
      const { statement } = rewrite;
      return (key, values, at, raw) => statement.run(raw, at, key, ...values).changes > 0;
    },

    write(known, key, values, at, raw) {
      if (known === "new" || known === "replaced") {
        // Not run(), which makes an object of counts that nobody reads: a thirtieth of a bulk upsert.
        (known === "new" ? insert : replace).get(raw, at, key, ...values);
        return true;
      }
      return updateOf(known).run(raw, at, key, ...values).changes > 0;
    },
  };
}

/** How many fields a statement can name, and which: others might end a path in it, or the statement. */
const NAMED_FIELDS_MAX = 100;
const PLAIN_FIELD = /^\w{1,100}$/;

/** In SQL, of a row's JSON. Not all that JavaScript takes for JSON is for SQLite: it may not be nested deeply. */
function hasNoFieldsBut(fields: readonly string[]): string {
  const paths = fields.map((field) => `'$."${field}"'`);
  return `iif(json_valid(raw), json_remove(raw, ${paths.join()}), NULL) = '{}'`;
}

/** Whether SQLite refuses a row as it is; anything else is a fault of all. */
export function isRefusal(error: unknown): error is Error {
  const code = sqliteCode(error);
  return code === SQLITE_CONSTRAINT || code === SQLITE_TOOBIG;
}

/** Runs one row's writes; a row that SQLite itself refuses is told of and skipped, any other fault ends the write. */
export function attempt(incoming: Incoming, options: WriteOptions, write: () => void): void {
  try {
    write();
  } catch (error) {
    if (!isRefusal(error)) throw error;
    options.refused(incoming, error);
  }
}

/** Writes the rows of a registry. */
export interface RegistryWriter<Row = Incoming, Options = WriteOptions> {
  /** Adds or changes rows, which come some at a time; whatever is absent stays. */
  write(slices: Iterable<readonly Row[]>, options: Options, diff: DiffSink): void;
  /** Marks Home Assistant's own rows that are not among `keys` as removed. */
  removeOthers(keys: ReadonlySet<string>, at: number, diff: DiffSink): void;
}

/** Of a registry whose rows stand alone. */
export function createPlainWriter(database: DatabaseSync, table: Columns): RegistryWriter {
  const { table: name, key } = table;
  const live = database.prepare(`SELECT ${key} AS key FROM ${name} WHERE removed_at IS NULL`);
  const stored = database.prepare(`SELECT removed_at FROM ${name} WHERE ${key} = ?`);
  const writer = createRowWriter(database, table);
  const remove = database.prepare(`UPDATE ${name} SET removed_at = ?, updated_at = ? WHERE ${key} = ?`);
  return {
    write(slices, options, diff) {
      for (const slice of slices) {
        for (const incoming of slice) {
          const { key, text } = incoming;
          if (writer.holds(key, text)) continue;
          const before = stored.get(key);
          const values = table.values(JSON.parse(text) as RegistryRow);
          attempt(incoming, options, () => {
            writer.write(before ? "replaced" : "new", key, values, options.at, text);
            diff.wrote(key, before?.removed_at === null);
          });
        }
      }
    },
    removeOthers(keys, at, diff) {
      for (const { key } of live.all() as { key: string }[]) {
        if (keys.has(key)) continue;
        remove.run(at, at, key);
        diff.remove(key);
      }
    },
  };
}
