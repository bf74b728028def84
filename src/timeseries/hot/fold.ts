import type { DatabaseSync } from "node:sqlite";
import { unbuildDays } from "../rollups/build.ts";
import { type PackedSamples, unpackValues } from "./columns.ts";
import { DAY_MICROS, type Day, dayOf, tableOfDay } from "./day.ts";

/** Of each series in the log: its oldest time there, and its newest sample there. In no order. */
export interface FoldedRanges {
  readonly series: Int32Array<ArrayBuffer>;
  readonly firstTs: Float64Array<ArrayBuffer>;
  readonly last: PackedSamples;
}

const DAY_OF_TS = `(ts - (ts % ${DAY_MICROS} + ${DAY_MICROS}) % ${DAY_MICROS}) / ${DAY_MICROS}`;

/**
 * A whole number takes one to eight bytes as SQLite's integer and always eight as its real; it is the same number in
 * JavaScript. Beyond 2^47 nothing is gained.
 */
const SHORTEST = `CASE WHEN typeof(value) = 'real' AND value = CAST(value AS INTEGER)
  AND abs(value) < 140737488355328 THEN CAST(value AS INTEGER) ELSE value END`;

/**
 * Carries the whole log over to the day tables and empties it. Belongs inside a transaction: all of it or nothing.
 * Of samples with the same series and time the one in the day table stays, else the first in the log. Returns the days
 * whose tables were written to.
 */
export function fold(db: DatabaseSync, ranges: readonly FoldedRanges[]): Day[] {
  const span = db.prepare("SELECT min(ts) AS first, max(ts) AS last FROM log").get();
  if (span?.first == null) return [];
  const first = dayOf(Number(span.first));
  const last = dayOf(Number(span.last));
  const days = last - first <= 1 ? [...new Set([first, last])] : foldManyDays(db);
  if (last - first <= 1) for (const day of days) foldDay(db, day);
  for (const range of ranges) updateSeries(db, range);
  db.exec("DELETE FROM log");
  return days;
}

function foldDay(db: DatabaseSync, day: Day): void {
  createDay(db, day);
  db.prepare(
    `INSERT OR IGNORE INTO ${tableOfDay(day)} SELECT series, ts, ${SHORTEST} FROM log
     WHERE ts >= ? AND ts < ? ORDER BY series, ts, rowid`,
  ).run(day * DAY_MICROS, (day + 1) * DAY_MICROS);
}

/** A backfill brings years at once: the log is sorted once for all of them instead of searched through for each. */
function foldManyDays(db: DatabaseSync): Day[] {
  db.exec(
    `CREATE TEMP TABLE sorted AS SELECT ${DAY_OF_TS} AS day, series, ts, ${SHORTEST} AS value FROM log
     ORDER BY day, series, ts, log.rowid`,
  );
  const days: Day[] = [];
  let from = 1;
  for (const row of db.prepare("SELECT day, count(*) AS samples FROM sorted GROUP BY day ORDER BY day").all()) {
    const day = Number(row.day);
    const to = from + Number(row.samples);
    createDay(db, day);
    db.prepare(
      `INSERT OR IGNORE INTO ${tableOfDay(day)} SELECT series, ts, value FROM sorted
       WHERE rowid >= ? AND rowid < ? ORDER BY rowid`,
    ).run(from, to);
    from = to;
    days.push(day);
  }
  db.exec("DROP TABLE sorted");
  return days;
}

/** Whatever was computed from the day's samples has to be computed again. */
function createDay(db: DatabaseSync, day: Day): void {
  unbuildDays(db, [day]);
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${tableOfDay(day)} (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts))
     WITHOUT ROWID, STRICT`,
  );
}

function updateSeries(db: DatabaseSync, { series, firstTs, last }: FoldedRanges): void {
  const update = db.prepare(
    `UPDATE series SET
       first_ts = min(coalesce(first_ts, ?2), ?2),
       last_value = CASE WHEN last_ts IS NULL OR last_ts < ?3 THEN ?4 ELSE last_value END,
       last_ts = max(coalesce(last_ts, ?3), ?3)
     WHERE number = ?1`,
  );
  const values = unpackValues(last);
  for (let i = 0; i < series.length; i++) update.run(series[i]!, firstTs[i]!, last.ts[i]!, values[i]!);
}
