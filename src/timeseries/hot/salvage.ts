import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import type { Steps } from "../../lib/steps.ts";
import { DAY_MICROS, type Day, tableOfDay } from "./day.ts";
import { makeDayTable, shortest } from "./day-table.ts";

/** A day whose table was damaged, and what became of it. */
export interface MendedDay {
  readonly day: Day;
  /** Samples that could still be read. */
  readonly saved: number;
  /** The damaged table's name since. */
  readonly aside: string;
  readonly at: Micros;
}

type Row = readonly [ts: Micros, value: Value];

/** Samples that are read together. */
const PAGE_SAMPLES = 500;
/** Samples of one step: some milliseconds, for which a commit may have to wait. */
const STEP_SAMPLES = 4_000;
/** What a question costs whatever it finds, in samples. */
const QUESTION_COST = 10;
/** A damaged stretch of a series is halved so often, to find what lies between two damaged places. */
const HALVINGS_MAX = 6;
/** Questions that met damage after which nothing is halved any more: most of the table may be unreadable. */
const DAMAGE_MAX = 20_000;

/** Whether every row of a table can be read, in order. What else keeps it from being read (a lock) is thrown. */
export function isSound(db: DatabaseSync, table: string): boolean {
  try {
    return db.prepare(`PRAGMA quick_check(${table})`).get()?.quick_check === "ok";
  } catch (error) {
    if (isCorruption(error)) return false;
    throw error;
  }
}

/**
 * Puts a new table with all that can still be read in the place of a day's damaged one; each step belongs inside a
 * transaction, and when one of them fails nothing has happened yet but for a table that the next try drops. Nothing else
 * may write to the day's table meanwhile. `reading` is another connection to the file: one that met damage in a
 * transaction cannot commit it any more.
 *
 * The damaged one stays, by another name: to drop it, SQLite follows it page by page, and would meet the damage, or
 * pages that belong to others.
 */
export function* salvage(db: DatabaseSync, reading: DatabaseSync, day: Day, at: Micros): Steps<MendedDay> {
  const table = tableOfDay(day);
  const rescue = table.replace("samples", "rescued");
  db.exec(`DROP TABLE IF EXISTS ${rescue}`);
  makeDayTable(db, rescue);
  const insert = db.prepare(`INSERT OR IGNORE INTO ${rescue} VALUES (?, ?, ?)`);
  const damaged = new DamagedTable(reading, day);
  let saved = 0;
  let cost = 0;
  for (const { number } of db.prepare("SELECT number FROM series ORDER BY number").all()) {
    for (const rows of damaged.pages(number as SeriesNumber)) {
      for (const [ts, value] of rows) saved += Number(insert.run(number!, ts, shortest(value)).changes);
      cost += QUESTION_COST + rows.length;
      if (cost < STEP_SAMPLES) continue;
      yield;
      cost = 0;
    }
  }
  const mended = { day, saved, aside: freeName(db, table.replace("samples", "damaged")), at };
  db.exec(`ALTER TABLE ${table} RENAME TO ${mended.aside}`);
  db.exec(`ALTER TABLE ${rescue} RENAME TO ${table}`);
  db.prepare("INSERT INTO meta VALUES (?, ?)").run(mended.aside, JSON.stringify(mended));
  return mended;
}

/** Every day that was mended, in the order of their names. */
export function readMendedDays(db: DatabaseSync): MendedDay[] {
  const rows = db.prepare("SELECT value FROM meta WHERE key LIKE 'damaged\\_%' ESCAPE '\\' ORDER BY key").all();
  return rows.map(({ value }) => JSON.parse(String(value)) as MendedDay);
}

/** The name, or with a number: a day may be damaged again. */
export function freeName(db: DatabaseSync, name: string): string {
  const taken = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?1 UNION ALL SELECT 1 FROM meta WHERE key = ?1");
  for (let i = 1; ; i++) {
    const candidate = i === 1 ? name : `${name}_${i}`;
    if (taken.get(candidate) === undefined) return candidate;
  }
}

class DamagedTable {
  readonly #day: Day;
  readonly #forward: StatementSync;
  readonly #backward: StatementSync;
  #damage = 0;

  constructor(db: DatabaseSync, day: Day) {
    this.#day = day;
    const select = (order: string): StatementSync => {
      const statement = db.prepare(
        `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts >= ? AND ts < ? ORDER BY ts ${order} LIMIT ?`,
      );
      statement.setReturnArrays(true);
      return statement;
    };
    this.#forward = select("ASC");
    this.#backward = select("DESC");
  }

  /** What can be read of a series, some at a time and in no order. */
  pages(series: SeriesNumber): Generator<readonly Row[]> {
    return this.#within(series, this.#day * DAY_MICROS, (this.#day + 1) * DAY_MICROS, HALVINGS_MAX);
  }

  /** From both ends up to the damage; what lies between two damaged places is found by looking into its middle. */
  *#within(series: SeriesNumber, from: Micros, to: Micros, halvings: number): Generator<readonly Row[]> {
    let [start, end] = [from, to];
    for (let more = true; more; ) {
      const { rows, isWhole } = this.#take(this.#forward, series, start, end);
      yield rows;
      if (rows.length > 0) start = rows[rows.length - 1]![0] + 1;
      more = isWhole && rows.length === PAGE_SAMPLES;
    }
    // Also after what seemed to be the end: samples of a later day, on a page in the wrong place, look like it.
    for (let more = true; more; ) {
      const { rows, isWhole } = this.#take(this.#backward, series, start, end);
      yield rows;
      if (rows.length > 0) end = rows[rows.length - 1]![0];
      if (isWhole && rows.length < PAGE_SAMPLES) return;
      more = isWhole;
    }
    const middle = Math.floor((start + end) / 2);
    if (halvings === 0 || middle <= start || this.#damage > DAMAGE_MAX) return;
    yield* this.#within(series, start, middle, halvings - 1);
    yield* this.#within(series, middle, end, halvings - 1);
  }

  /** The next ones, up to one that cannot be: a page may have been overwritten by another that is whole in itself. */
  #take(statement: StatementSync, series: SeriesNumber, from: Micros, to: Micros) {
    const rows: Row[] = [];
    const step = statement === this.#forward ? 1 : -1;
    try {
      for (const row of statement.iterate(series, from, to, PAGE_SAMPLES)) {
        const [ts, value] = row as unknown as [unknown, unknown];
        const last = rows[rows.length - 1]?.[0];
        if (!isTime(ts) || ts < from || ts >= to || (last !== undefined && (ts - last) * step <= 0)) throw DAMAGE;
        if (value !== null && typeof value !== "number" && typeof value !== "string") throw DAMAGE;
        rows.push([ts, value]);
      }
      return { rows, isWhole: true };
    } catch (error) {
      // Whole numbers that are too large for ours were never written.
      const isDamage = error === DAMAGE || (error as { code?: unknown }).code === "ERR_OUT_OF_RANGE";
      if (!isDamage && !isCorruption(error)) throw error;
      this.#damage++;
      return { rows, isWhole: false };
    }
  }
}

const DAMAGE = new Error("A row that was never written");

function isTime(ts: unknown): ts is Micros {
  return Number.isSafeInteger(ts);
}
