import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import type { SeriesNumber } from "../../domain/series.ts";
import { serveCommands } from "../../lib/worker-rpc.ts";
import { DATABASE_FILE, openForReading } from "../hot/database.ts";
import { type Day, dayOf, dayOfTable } from "../hot/day.ts";
import { readLog } from "../hot/log.ts";
import { countFreeRows } from "../hot/log-rows.ts";
import { freePages, pageBytes } from "../hot/pages.ts";
import type { WriterOptions } from "../hot/writer-commands.ts";
import { countRollups, type RollupDrop } from "./dropped.ts";

/** What a table holds of each series, and the pages that it takes. */
export interface TableContent {
  readonly series: Int32Array<ArrayBuffer>;
  readonly rows: Float64Array<ArrayBuffer>;
  readonly bytes: number;
}

export interface TablesContent {
  readonly freeBytes: number;
  readonly log: TableContent;
  /** Ascending. */
  readonly days: readonly (TableContent & { readonly day: Day })[];
  /** Hours, a row for each series and day; parts of days; hours of Home Assistant's own statistics. */
  readonly rollups: readonly TableContent[];
  /** Days that have any rollups, or hours of Home Assistant's own statistics. */
  readonly rolledDays: number;
  readonly oldestRolled: Day | null;
  readonly newestRolled: Day | null;
}

export type TablesCommands = {
  /** Reads every page of timeseries.db: seconds for a year of a home. */
  content(argument: null): TablesContent;
  countRollups(drops: readonly RollupDrop[]): number;
  close(argument: null): void;
};

/**
 * Looks at timeseries.db as a whole. A thread of its own, so that questions about samples do not wait behind it.
 */
const { directory, settings } = workerData as WriterOptions;

function reading<T>(work: (db: DatabaseSync) => T): T {
  const db = openForReading(join(directory, DATABASE_FILE), settings);
  try {
    // All tables as of one moment: a day's may go to the archive at any time.
    db.exec("BEGIN");
    return work(db);
  } finally {
    db.close();
  }
}

function contentOf(db: DatabaseSync, table: string): TableContent {
  const found = db.prepare(`SELECT series, count(*) AS rows FROM ${table} GROUP BY series`).all();
  return {
    series: Int32Array.from(found, ({ series }) => series as SeriesNumber),
    rows: Float64Array.from(found, ({ rows }) => rows as number),
    bytes: bytesOf(db, table),
  };
}

/** Of `timeseries.db`, besides its free pages: those of the log's rows that are not in use. */
function freeBytesOfLog(db: DatabaseSync): number {
  return countFreeRows(db) * pageBytes(db);
}

function contentOfLog(db: DatabaseSync): TableContent {
  const counts = new Map<SeriesNumber, number>();
  for (const series of readLog(db).series) counts.set(series, (counts.get(series) ?? 0) + 1);
  return {
    series: Int32Array.from(counts.keys()),
    rows: Float64Array.from(counts.values()),
    bytes: bytesOf(db, "log_batches") - freeBytesOfLog(db),
  };
}

/** Of a table and its indexes. */
function bytesOf(db: DatabaseSync, table: string): number {
  const own = db.prepare("SELECT sum(pgsize) AS bytes FROM dbstat WHERE name = ? AND aggregate = TRUE");
  const names = db.prepare("SELECT name FROM sqlite_schema WHERE tbl_name = ? AND rootpage > 0").all(table);
  return names.reduce((sum, { name }) => sum + Number(own.get(name as string)?.bytes ?? 0), 0);
}

/** Ascending. `rollup_days` also names days of which nothing is added up yet. */
function daysOfRollups(db: DatabaseSync): Day[] {
  const days = new Set<Day>();
  for (const table of ["rollup_day", "statistics_hour"]) {
    for (const { start } of db.prepare(`SELECT DISTINCT start FROM ${table}`).iterate())
      days.add(dayOf(start as number));
  }
  return [...days].sort((a, b) => a - b);
}

function content(db: DatabaseSync): TablesContent {
  const tables = db.prepare("SELECT name FROM sqlite_schema WHERE type = 'table'").all();
  const days = tables.flatMap(({ name }) => dayOfTable(name as string) ?? []).sort((a, b) => a - b);
  const names = new Map(tables.map(({ name }) => [dayOfTable(name as string), name as string]));
  const rolled = daysOfRollups(db);
  return {
    freeBytes: freePages(db) * pageBytes(db) + freeBytesOfLog(db),
    log: contentOfLog(db),
    days: days.map((day) => ({ day, ...contentOf(db, names.get(day)!) })),
    rollups: ["rollup_hours", "rollup_day", "statistics_hour"].map((table) => contentOf(db, table)),
    rolledDays: rolled.length,
    oldestRolled: rolled[0] ?? null,
    newestRolled: rolled.at(-1) ?? null,
  };
}

const commands: TablesCommands = {
  content: () => reading(content),
  countRollups: (drops) => reading((db) => countRollups(db, drops)),
  close() {},
};

serveCommands(commands);
