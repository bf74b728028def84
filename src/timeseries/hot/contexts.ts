import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { ChangeKey, ContextOfChange, ContextQuestion } from "../../domain/contexts.ts";
import type { StateContext } from "../../domain/home.ts";
import type { Micros } from "../../domain/sample.ts";
import { freeName, isSound } from "./salvage.ts";

/** Rows of `contexts`; of more the oldest go. Some 100 MB. */
export const CONTEXTS_MAX = 1_000_000;
/** So many go at a time: commits wait for it. */
const FORGOTTEN_AT_ONCE = 10_000;

export interface ContextChange {
  readonly kind: "context";
  readonly context: ContextOfChange;
}

/** Writes contexts inside the caller's transaction. */
export interface ContextWriter {
  /** The same again changes nothing. */
  write(context: ContextOfChange): void;
}

export function createContextWriter(db: DatabaseSync, max = CONTEXTS_MAX): ContextWriter {
  const insert = db.prepare(
    "INSERT OR IGNORE INTO contexts (ts, series, id, parent_id, user_id) VALUES (?, ?, ?, ?, ?)",
  );
  const oldest = db.prepare(
    "DELETE FROM contexts WHERE (ts, series) IN (SELECT ts, series FROM contexts ORDER BY ts, series LIMIT ?)",
  );
  const count = db.prepare("SELECT count(*) AS count FROM contexts");
  /** At least as many as there are; counted when it is first needed. */
  let rows: number | undefined;
  return {
    write({ ts, series, id, parentId, userId }) {
      rows ??= Number(count.get()!.count);
      rows += Number(insert.run(ts, series, id, parentId, userId).changes);
      if (rows <= max) return;
      // Retention may have deleted some meanwhile, or a transaction was taken back.
      rows = Number(count.get()!.count);
      if (rows > max) rows -= Number(oldest.run(rows - max + Math.min(FORGOTTEN_AT_ONCE, max / 10)).changes);
    },
  };
}

/** Deletes those from before a time, a part of them at a time; inside the caller's transaction. */
export function dropContexts(db: DatabaseSync, before: Micros): void {
  db.prepare(
    "DELETE FROM contexts WHERE (ts, series) IN (SELECT ts, series FROM contexts WHERE ts < ? ORDER BY ts LIMIT ?)",
  ).run(before, 10 * FORGOTTEN_AT_ONCE);
}

/**
 * Puts an empty table in the place of a damaged one, inside the caller's transaction: what they say is beside the samples,
 * which must not wait for them. The damaged one stays, by another name; see `salvage`. Answers that name; null: it is sound.
 */
export function mendContexts(db: DatabaseSync, reading: DatabaseSync): string | null {
  if (isSound(reading, "contexts")) return null;
  const made = String(db.prepare("SELECT sql FROM sqlite_schema WHERE name = 'contexts'").get()!.sql);
  const aside = freeName(db, "contexts_damaged");
  db.exec(`ALTER TABLE contexts RENAME TO ${aside}`);
  db.exec(made);
  return aside;
}

type Row = readonly [ts: number, series: number, id: string, parentId: string | null, userId: string | null];

/** Of each change its context, null where none is kept. */
export function readContextsOf(
  prepared: (sql: string) => StatementSync,
  changes: readonly ChangeKey[],
): (StateContext | null)[] {
  const select = prepared("SELECT ts, series, id, parent_id, user_id FROM contexts WHERE ts = ? AND series = ?");
  return changes.map(({ ts, series }) => {
    const row = select.get(ts, series) as unknown as Row | undefined;
    return row === undefined ? null : contextOf(row);
  });
}

/**
 * What each question asks for, ascending, `limit` at most. Those of one span are answered in one pass: ids that tell no
 * time are looked for far and wide, and a page may have a thousand of them.
 */
export function findContexts(
  prepared: (sql: string) => StatementSync,
  questions: readonly ContextQuestion[],
  limit: number,
): ContextOfChange[][] {
  const found = new Map(questions.map((question) => [question, [] as ContextOfChange[]]));
  const bySpan = Map.groupBy(questions, ({ relation, from, to, newest }) => `${relation} ${from} ${to} ${newest}`);
  for (const together of bySpan.values()) findTogether(prepared, together, limit, found);
  return questions.map((question) => {
    const rows = found.get(question)!;
    return question.newest ? rows.toReversed() : rows;
  });
}

function findTogether(
  prepared: (sql: string) => StatementSync,
  questions: readonly ContextQuestion[],
  limit: number,
  found: ReadonlyMap<ContextQuestion, ContextOfChange[]>,
): void {
  const { relation, from, to, newest = false } = questions[0]!;
  const column = relation === "own" ? "id" : "parent_id";
  const order = newest ? "ts DESC, series DESC" : "ts, series";
  const select = prepared(
    `SELECT ts, series, id, parent_id, user_id FROM contexts
     WHERE ts >= ? AND ts < ? AND ${column} IN (SELECT value FROM json_each(?)) ORDER BY ${order}`,
  );
  const byId = Map.groupBy(
    questions.flatMap((question) => question.ids.map((id) => ({ id, rows: found.get(question)! }))),
    ({ id }) => id,
  );
  let open = questions.length;
  for (const row of select.iterate(from, to, JSON.stringify([...byId.keys()])) as unknown as Iterable<Row>) {
    const context = contextOf(row);
    for (const { rows } of byId.get((relation === "own" ? context.id : context.parentId)!)!) {
      if (rows.length >= limit) continue;
      rows.push(context);
      if (rows.length === limit) open--;
    }
    if (open === 0) return;
  }
}

function contextOf([ts, series, id, parentId, userId]: Row): ContextOfChange {
  return { ts, series, id, parentId, userId };
}
