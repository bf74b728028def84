import type { DatabaseSync } from "node:sqlite";
import type { SeriesNumber } from "../../domain/series.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import { transaction } from "../../lib/transaction.ts";
import { dayOf } from "../hot/day.ts";
import { dayOfKey, keyOf } from "./hours.ts";
import { packHours } from "./pack.ts";
import { fromSql, type RollupRow, type SqlRow } from "./row.ts";
import { unbuildKeptDays } from "./salvage-rollups.ts";

/** What revision 010 leaves of the rows of before, since SQL cannot pack them. */
const BEFORE = "rollup_hour_before";
/** The columns of a RollupRow there. */
const COLUMNS_BEFORE =
  "start, count, first_offset, mean, weight, min, max, first, last, sum, increase, state, durations, NULL";
/** What could not be read of them. */
const DAMAGED = "rollup_hour_damaged";

/**
 * Packs the hours that a version before wrote as rows, and gives those of Home Assistant's statistics their table: all or
 * nothing, so what is left undone is done when the file is opened again. Takes a minute for some years of a home.
 *
 * Where they are damaged they stay as they are, apart, and are computed anew where samples are kept: these are more than
 * a damaged hour is worth.
 */
export function packOldHours(db: DatabaseSync): void {
  if (!hasTable(db, BEFORE)) return;
  try {
    transaction(db, () => pack(db));
  } catch (error) {
    // A full disk may pass. What SQLite did not say is of a row: no JSON, or more hours than a day has.
    if (isOfSqlite(error) && !isCorruption(error)) throw error;
    transaction(db, () => giveUp(db));
  }
  // It is as long as all that was packed, and would stay so.
  db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
}

/** Whether hours of before were damaged. */
export function hasDamagedHours(db: DatabaseSync): boolean {
  return hasTable(db, DAMAGED);
}

function hasTable(db: DatabaseSync, name: string): boolean {
  return db.prepare("SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?").get(name) !== undefined;
}

function isOfSqlite(error: unknown): boolean {
  return (error as { code?: unknown }).code === "ERR_SQLITE_ERROR";
}

function pack(db: DatabaseSync): void {
  db.exec(
    `INSERT INTO statistics_hour (series, start, mean, min, max, last, increase)
     SELECT series, start, mean, min, max, last, increase FROM ${BEFORE} WHERE source IS NOT NULL`,
  );
  const old = db.prepare(`SELECT series, ${COLUMNS_BEFORE} FROM ${BEFORE} WHERE source IS NULL ORDER BY series, start`);
  old.setReturnArrays(true);
  const store = db.prepare("INSERT INTO rollup_hours (series_day, hours, texts) VALUES (?, ?, ?)");
  let key: number | undefined;
  let rows: RollupRow[] = [];
  const finish = (): void => {
    if (key === undefined) return;
    const { hours, texts } = packHours(dayOfKey(key), rows);
    store.run(key, hours, texts);
  };
  for (const [series, ...row] of old.iterate() as unknown as Iterable<[SeriesNumber, ...SqlRow]>) {
    const next = keyOf(series, dayOf(row[0]));
    if (next !== key) {
      finish();
      key = next;
      rows = [];
    }
    rows.push(fromSql(row));
  }
  finish();
  db.exec(`DROP TABLE ${BEFORE}`);
}

function giveUp(db: DatabaseSync): void {
  db.exec(`ALTER TABLE ${BEFORE} RENAME TO ${DAMAGED}`);
  unbuildKeptDays(db);
}
