import type { DatabaseSync } from "node:sqlite";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { type PackedSamples, SamplePacker } from "./columns.ts";
import { type Day, tableOfDay } from "./day.ts";

/** A UTC day whose samples an engine outside of the data directory has, and what it got of them. */
export interface ArchivedDay {
  readonly day: Day;
  readonly samples: number;
  readonly minTs: Micros;
  readonly maxTs: Micros;
}

/** A page of a day's table, in the order of series and time. */
export interface DayRowsRequest {
  readonly day: Day;
  readonly after: { readonly series: SeriesNumber; readonly ts: Micros } | null;
  readonly limit: number;
}

/** The series of a day's table, ascending, and how many samples it has of each. */
export interface DaySeries {
  readonly series: Int32Array;
  readonly samples: Int32Array;
}

export interface DayRows {
  readonly series: Int32Array;
  readonly samples: PackedSamples;
}

export function readArchivedDays(db: DatabaseSync): ArchivedDay[] {
  return db
    .prepare("SELECT day, samples, min_ts AS minTs, max_ts AS maxTs FROM archived_days ORDER BY day")
    .all() as unknown as ArchivedDay[];
}

/** What a day's table holds; no samples where there is no table. */
export function readTableFacts(db: DatabaseSync, day: Day): ArchivedDay {
  const table = tableOfDay(day);
  const exists = db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) !== undefined;
  const empty = { day, samples: 0, minTs: 0, maxTs: 0 };
  if (!exists) return empty;
  const row = db.prepare(`SELECT count(*) AS samples, min(ts) AS minTs, max(ts) AS maxTs FROM ${table}`).get();
  return row?.samples === 0 ? empty : { ...(row as unknown as Omit<ArchivedDay, "day">), day };
}

/**
 * Notes that the archive has what a day's table held. `added`: how many samples of it were new there; null: all. Answers
 * what the archive has of the day then.
 */
export function noteArchivedDay(db: DatabaseSync, given: ArchivedDay, added: number | null): ArchivedDay | null {
  if (given.samples > 0) {
    db.prepare(
      `INSERT INTO archived_days VALUES (?, ?, ?, ?)
       ON CONFLICT (day) DO UPDATE SET samples = samples + excluded.samples,
         min_ts = min(min_ts, excluded.min_ts), max_ts = max(max_ts, excluded.max_ts)`,
    ).run(given.day, added ?? given.samples, given.minTs, given.maxTs);
  }
  return readArchivedDays(db).find(({ day }) => day === given.day) ?? null;
}

export function forgetDaysBefore(db: DatabaseSync, day: Day): void {
  db.prepare("DELETE FROM archived_days WHERE day < ?").run(day);
}

export function readDaySeries(db: DatabaseSync, day: Day): DaySeries {
  const found = db
    .prepare(`SELECT series, count(*) AS samples FROM ${tableOfDay(day)} GROUP BY series ORDER BY series`)
    .all() as unknown as { series: number; samples: number }[];
  return {
    series: Int32Array.from(found, ({ series }) => series),
    samples: Int32Array.from(found, ({ samples }) => samples),
  };
}

export function readDayRows(db: DatabaseSync, { day, after, limit }: DayRowsRequest): DayRows {
  const found = db
    .prepare(`SELECT series, ts, value FROM ${tableOfDay(day)} WHERE (series, ts) > (?, ?) ORDER BY series, ts LIMIT ?`)
    .all(after?.series ?? -1, after?.ts ?? 0, limit) as unknown as { series: number; ts: number; value: Value }[];
  const samples = new SamplePacker(Math.max(1, found.length));
  for (const { ts, value } of found) samples.push(ts, value);
  return { series: Int32Array.from(found, ({ series }) => series), samples: samples.packed() };
}
