import type { DatabaseSync } from "node:sqlite";
import { DAY_MICROS, type Day, tableOfDay } from "./day.ts";

/** With more days than this in the log it is sorted once for all of them instead of searched through for each. */
const DAYS_SCANNED_MAX = 3;

const DAY_OF_TS = `(ts - (ts % ${DAY_MICROS} + ${DAY_MICROS}) % ${DAY_MICROS}) / ${DAY_MICROS}`;

/**
 * A whole number takes one to eight bytes as SQLite's integer and always eight as its real; it is the same number in
 * JavaScript. Beyond 2^47 nothing is gained.
 */
const SHORTEST = `CASE WHEN typeof(value) = 'real' AND value = CAST(value AS INTEGER)
  AND abs(value) < 140737488355328 THEN CAST(value AS INTEGER) ELSE value END`;

/**
 * Carries the whole log over to the day tables and empties it. Belongs inside a transaction: all of it or nothing.
 * Of samples with the same series and time the one in the day table stays, else the first in the log.
 */
export function fold(db: DatabaseSync): void {
  const days = db
    .prepare(`SELECT DISTINCT ${DAY_OF_TS} AS day FROM log ORDER BY day`)
    .all()
    .map((row) => Number(row.day));
  for (const day of days) createDay(db, day);
  if (days.length <= DAYS_SCANNED_MAX) {
    for (const day of days) {
      db.prepare(
        `INSERT OR IGNORE INTO ${tableOfDay(day)} SELECT series, ts, ${SHORTEST} FROM log
         WHERE ts >= ? AND ts < ? ORDER BY series, ts, rowid`,
      ).run(day * DAY_MICROS, (day + 1) * DAY_MICROS);
    }
  } else {
    foldManyDays(db, days);
  }
  // Two steps, since SQLite gives the value beside a single max() and not beside min() and max() together.
  db.exec(
    `UPDATE series SET first_ts = min(coalesce(first_ts, part.ts), part.ts)
     FROM (SELECT series, min(ts) AS ts FROM log GROUP BY series) AS part WHERE number = part.series`,
  );
  db.exec(
    `UPDATE series SET last_ts = part.ts, last_value = part.value
     FROM (SELECT series, max(ts) AS ts, ${SHORTEST} AS value FROM log GROUP BY series) AS part
     WHERE number = part.series AND (last_ts IS NULL OR last_ts < part.ts)`,
  );
  db.exec("DELETE FROM log");
}

function foldManyDays(db: DatabaseSync, days: readonly Day[]): void {
  db.exec(
    `CREATE TEMP TABLE sorted AS SELECT ${DAY_OF_TS} AS day, series, ts, ${SHORTEST} AS value FROM log
     ORDER BY day, series, ts, log.rowid`,
  );
  const counts = db.prepare("SELECT day, count(*) AS samples FROM sorted GROUP BY day").all();
  const samplesOfDay = new Map(counts.map((row) => [Number(row.day), Number(row.samples)]));
  let from = 1;
  for (const day of days) {
    const to = from + samplesOfDay.get(day)!;
    db.prepare(
      `INSERT OR IGNORE INTO ${tableOfDay(day)} SELECT series, ts, value FROM sorted
       WHERE rowid >= ? AND rowid < ? ORDER BY rowid`,
    ).run(from, to);
    from = to;
  }
  db.exec("DROP TABLE sorted");
}

function createDay(db: DatabaseSync, day: Day): void {
  db.exec(
    `CREATE TABLE IF NOT EXISTS ${tableOfDay(day)} (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts))
     WITHOUT ROWID, STRICT`,
  );
}
