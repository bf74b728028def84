import type { DatabaseSync, SQLInputValue } from "node:sqlite";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import { freeName } from "../hot/salvage.ts";
import { firstKeyOf } from "./hours.ts";
import { ROLLUP_COLUMNS } from "./row.ts";

/** A table of rollups that was damaged, and what became of it. */
export interface MendedRollups {
  readonly table: RollupTable;
  /** Rows that could still be read. */
  readonly saved: number;
  /** The damaged table's name since. */
  readonly aside: string;
  readonly at: Micros;
}

/** The tables of rollups, and what their rows are made of: first that by which those of a series are in order. */
const COLUMNS = {
  rollup_hours: "series_day, hours, texts",
  rollup_day: `${ROLLUP_COLUMNS}, series`,
  statistics_hour: "start, series, mean, min, max, last, increase",
} as const;
export type RollupTable = keyof typeof COLUMNS;
export const ROLLUP_TABLES = Object.keys(COLUMNS) as RollupTable[];

/** The end of the names of tables that are set aside; such a name is a key of `meta` too. */
const ASIDE = "_damaged";

type Row = readonly SQLInputValue[];

/**
 * Puts a new table with all that can still be read in the place of a damaged one of rollups; inside one transaction of
 * the caller, since nothing else may write to it meanwhile. Days whose samples are kept are to be built again.
 * `reading` is another connection, and the damaged table stays by another name: see `salvage` of samples.
 */
export function salvageRollups(db: DatabaseSync, reading: DatabaseSync, table: RollupTable, at: Micros): MendedRollups {
  const schema = db.prepare("SELECT sql FROM sqlite_schema WHERE type = ? AND tbl_name = ? AND sql IS NOT NULL");
  const made = String(schema.get("table", table)!.sql);
  const indexes = schema.all("index", table).map(({ sql }) => String(sql));
  // Their names are asked for. One that is damaged itself cannot be dropped, and then the table stays as it is.
  for (const sql of indexes) db.exec(`DROP INDEX ${/^CREATE INDEX (\w+)/.exec(sql)![1]}`);
  const aside = freeName(db, `${table}${ASIDE}`);
  db.exec(`ALTER TABLE ${table} RENAME TO ${aside}`);
  db.exec(made);
  for (const sql of indexes) db.exec(sql);
  const places = COLUMNS[table].replace(/\w+/g, "?");
  const insert = db.prepare(`INSERT OR IGNORE INTO ${table} (${COLUMNS[table]}) VALUES (${places})`);
  let saved = 0;
  for (const { number } of db.prepare("SELECT number FROM series ORDER BY number").all()) {
    for (const row of readable(reading, table, number as SeriesNumber)) {
      saved += Number(insert.run(...row).changes);
    }
  }
  unbuildKeptDays(db);
  const mended = { table, saved, aside, at };
  db.prepare("INSERT INTO meta VALUES (?, ?)").run(aside, JSON.stringify(mended));
  return mended;
}

/** Every table of rollups that was mended. */
export function readMendedRollups(db: DatabaseSync): MendedRollups[] {
  const rows = db.prepare(`SELECT value FROM meta WHERE key GLOB '*${ASIDE}*' ORDER BY key`).all();
  return rows.map(({ value }) => JSON.parse(String(value)) as MendedRollups);
}

/** What was added up counts no more where the samples are there to be added up again. */
export function unbuildKeptDays(db: DatabaseSync): void {
  db.exec(
    `UPDATE rollup_days SET cuts = NULL
     WHERE EXISTS (SELECT 1 FROM archive_files WHERE first_day <= day AND day < end_day AND NOT obsolete)
       OR EXISTS (SELECT 1 FROM sqlite_schema WHERE name = 'samples_' || strftime('%Y%m%d', day * 86400, 'unixepoch'))`,
  );
}

/** The rows of a series from both ends up to the damage. */
function readable(reading: DatabaseSync, table: RollupTable, series: SeriesNumber): Row[] {
  const ofSeries = table === "rollup_hours" ? "series_day >= ? AND series_day < ?" : "series = ?";
  const range = table === "rollup_hours" ? [firstKeyOf(series), firstKeyOf(series + 1)] : [series];
  const [key] = COLUMNS[table].split(",", 1);
  const rows: Row[] = [];
  for (const order of ["ASC", "DESC"]) {
    const select = reading.prepare(`SELECT ${COLUMNS[table]} FROM ${table} WHERE ${ofSeries} ORDER BY ${key} ${order}`);
    select.setReturnArrays(true);
    try {
      for (const row of select.iterate(...range) as unknown as Iterable<Row>) rows.push(row);
      break;
    } catch (error) {
      if (!isCorruption(error)) throw error;
    }
  }
  return rows;
}
