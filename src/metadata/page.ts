import { createHash } from "node:crypto";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { Page, PageRequest } from "../domain/home-store.ts";
import type { Columns } from "./reading.ts";
import type { SqlValue } from "./rows.ts";

/**
 * Lists by pages that never repeat or miss a row: a cursor is the place of the last row in the order, not a count of
 * rows, so rows that come and go meanwhile do not shift it.
 */

/** What a list can be sorted by: a name to an SQL expression that is never NULL. */
export type Sorts = Readonly<Record<string, string>>;

export interface ListQuery {
  /** What is selected, without SELECT. */
  readonly columns: string;
  /** The tables of `columns`, without FROM; `counted` is the part of it that decides which rows there are. */
  readonly from: string;
  readonly counted: string;
  /** Unique; breaks ties of the sort. */
  readonly id: string;
  readonly sorts: Sorts;
  readonly defaultSort: string;
}

/** One condition; its text is part of the statement, its values are bound. */
export interface Condition {
  readonly sql: string;
  readonly values: readonly SqlValue[];
  /** The values come from the current states, which change too often for answers to be worth remembering. */
  readonly fleeting?: boolean;
}

/** Different statements are as many as combinations of filters and sorts; beyond this the oldest ones go. */
const STATEMENTS_MAX = 200;
/** Remembered answers, and the rows in them (about 1 kB each); beyond either all are forgotten. */
const ANSWERS_MAX = 1_000;
const ANSWER_ROWS_MAX = 4_000;

/** Statements kept prepared, and answers kept until the database changes: a home changes rarely and is asked often. */
export interface Queries {
  prepare(sql: string): StatementSync;
  /** All rows of a query, or those it had before when nobody has committed anything since. */
  all(sql: string, values: readonly SqlValue[], remember?: boolean): readonly Columns[];
}

export function createQueries(database: DatabaseSync): Queries {
  // SQLite's own lower() and LIKE know the letters of ASCII alone.
  database.function("in_lower_case", { deterministic: true }, (text) => String(text ?? "").toLowerCase());
  const statements = new Map<string, StatementSync>();
  const answers = new Map<string, readonly Columns[]>();
  let rowsHeld = 0;
  // Changes with every commit of another connection, also one of another program.
  const dataVersion = database.prepare("PRAGMA data_version");
  let answersOf: unknown;

  function prepare(sql: string): StatementSync {
    let statement = statements.get(sql);
    if (!statement) {
      if (statements.size >= STATEMENTS_MAX) statements.delete(statements.keys().next().value!);
      statement = database.prepare(sql);
      statements.set(sql, statement);
    }
    return statement;
  }

  function forget(): void {
    answers.clear();
    rowsHeld = 0;
  }

  return {
    prepare,
    all(sql, values, remember = true) {
      const ask = (): readonly Columns[] => prepare(sql).all(...values) as Columns[];
      if (!remember) return ask();
      const version = dataVersion.get()!.data_version;
      if (version !== answersOf) forget();
      answersOf = version;
      const key = JSON.stringify([sql, values]);
      let rows = answers.get(key);
      if (!rows) {
        rows = ask();
        if (answers.size >= ANSWERS_MAX || rowsHeld + rows.length > ANSWER_ROWS_MAX) forget();
        answers.set(key, rows);
        rowsHeld += rows.length;
      }
      return rows;
    },
  };
}

/** One page of a list. `row` makes what is answered of a row's columns. */
export function readPage<Row>(
  queries: Queries,
  query: ListQuery,
  request: PageRequest,
  conditions: readonly Condition[],
  row: (columns: Columns) => Row,
): Page<Row> {
  const sort = request.sort ?? query.defaultSort;
  const descending = sort.startsWith("-");
  const expression = sortExpression(query, descending ? sort.slice(1) : sort);
  const { cursor, limit: _limit, ...filters } = request;
  const asked = digestOf(query, { ...filters, sort });
  const place = cursor === undefined ? undefined : readCursor(cursor, asked);

  const where = conditions.map((condition) => condition.sql);
  const values = conditions.flatMap((condition) => condition.values);
  const remember = !conditions.some((condition) => condition.fleeting);
  const order = descending ? "DESC" : "ASC";
  const after = place ? [`(${expression}, ${query.id}) ${descending ? "<" : ">"} (?, ?)`] : [];
  const sql = `SELECT ${query.columns}, ${expression} AS page_sort, ${query.id} AS page_id FROM ${query.from}
    WHERE ${[...where, ...after].join(" AND ") || "true"}
    ORDER BY ${expression} ${order}, ${query.id} ${order} LIMIT ?`;
  // One row more than asked for tells whether another page follows.
  const found = queries.all(sql, [...values, ...(place ?? []), request.limit + 1], remember);
  const last = found.length > request.limit ? found[request.limit - 1] : undefined;
  const counting = `SELECT count(*) AS total FROM ${query.counted} WHERE ${where.join(" AND ") || "true"}`;
  // A first page that holds all is its own count: a search that finds little looks through the home once, not twice.
  const isAll = place === undefined && last === undefined;
  const total = isAll ? found.length : (queries.all(counting, values, remember)[0]!.total as number);
  return {
    rows: found.slice(0, request.limit).map(row),
    total,
    nextCursor: last ? writeCursor(asked, last.page_sort!, last.page_id!) : null,
  };
}

function sortExpression(query: ListQuery, name: string): string {
  if (Object.hasOwn(query.sorts, name)) return query.sorts[name]!;
  const names = Object.keys(query.sorts).join(", ");
  throw new AppError("invalid", `Cannot sort by "${name}": choose one of ${names}, with "-" before it for descending`);
}

const DIGEST_LENGTH = 12;

/**
 * Of the list and all that decides which rows it has, and in which order: a cursor of another list would skip some of
 * this one. Two lists are told apart by what their rows are identified by.
 */
function digestOf({ id }: ListQuery, filters: object): string {
  return createHash("sha256")
    .update(JSON.stringify([id, filters]))
    .digest("base64url")
    .slice(0, DIGEST_LENGTH);
}

function writeCursor(asked: string, value: SqlValue, id: SqlValue): string {
  return Buffer.from(JSON.stringify([asked, value, id])).toString("base64url");
}

function readCursor(cursor: string, asked: string): readonly [string | number, string] {
  let parts: unknown;
  try {
    parts = JSON.parse(Buffer.from(cursor, "base64url").toString());
  } catch {
    // Falls through to the refusal below, as any other text that is no cursor.
  }
  if (Array.isArray(parts) && parts.length === 3) {
    const [of, value, id] = parts as unknown[];
    const sortable = typeof value === "string" || typeof value === "number";
    if (of === asked && sortable && typeof id === "string") return [value, id];
  }
  const remedy = "give a next_cursor as it came, with the parameters it came from";
  throw new AppError(
    "invalid",
    `Cannot continue from cursor "${cursor.slice(0, 100)}": it is none of this list; ${remedy}`,
  );
}

/** A text in lower case, for tables that are too small to keep it in a column; '' for NULL. */
export function inLowerCase(column: string): string {
  return `in_lower_case(${column})`;
}

/** A text within one of the columns, in any case, for tables that are too small to keep text for searching. */
export function containing(columns: readonly string[], q: string): Condition {
  const sql = columns.map((column) => `instr(${inLowerCase(column)}, ?) > 0`).join(" OR ");
  return { sql: `(${sql})`, values: columns.map(() => q.toLowerCase()) };
}

/** Equality with a column, when a value is asked for. */
export function equals(column: string, value: string | undefined): Condition[] {
  return value === undefined ? [] : [{ sql: `${column} = ?`, values: [value] }];
}
