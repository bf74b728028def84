import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { serveCommands } from "../../lib/worker-rpc.ts";
import { type AggregateRequest, aggregate } from "../rollups/aggregate.ts";
import type { FigureColumns } from "../rollups/figures.ts";
import {
  type CountRequest,
  countsOf,
  type DayCountRequest,
  dayCountsOf,
  type MeanColumns,
  meansOf,
} from "../rollups/lone-figure.ts";
import { type PackedSamples, SamplePacker } from "./columns.ts";
import { DATABASE_FILE, openForReading } from "./database.ts";
import { type Day, tableOfDay } from "./day.ts";
import type { WriterOptions } from "./writer.ts";

/** One series' part of a question to the day tables; only days that have a table are named. */
export interface DayRequest {
  readonly series: SeriesNumber;
  readonly start: Micros;
  readonly end: Micros;
  readonly limit: number;
  /** Ascending: the days of the span. */
  readonly days: readonly Day[];
  /** Descending: where the last sample before `start` may be. */
  readonly daysBefore: readonly Day[];
}

export type ReaderCommands = {
  /** For each request the oldest samples of the span, after the last one before it if that was asked for and exists. */
  read(requests: readonly DayRequest[]): readonly PackedSamples[];
  /** Figures of buckets, of the series one after the other. */
  aggregate(request: AggregateRequest): FigureColumns;
  means(request: AggregateRequest): MeanColumns;
  counts(request: CountRequest): Float64Array;
  dayCounts(request: DayCountRequest): Float64Array;
  close(argument: null): void;
};

/** Prepared statements that are kept; two for each day table. */
const STATEMENTS_MAX = 256;

const { directory, settings } = workerData as WriterOptions;
let db: DatabaseSync | undefined;
const statements = new Map<string, StatementSync>();

function prepared(sql: string): StatementSync {
  const known = statements.get(sql);
  if (known) return known;
  db ??= openForReading(join(directory, DATABASE_FILE), settings);
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  // The oldest goes; SQLite finalizes it when it is collected.
  if (statements.size >= STATEMENTS_MAX) statements.delete(statements.keys().next().value!);
  statements.set(sql, statement);
  return statement;
}

type Row = [Micros, Value];

function readOne(request: DayRequest): PackedSamples {
  const samples = new SamplePacker();
  for (const day of request.daysBefore) {
    const row = prepared(
      `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts < ? ORDER BY ts DESC LIMIT 1`,
    ).get(request.series, request.start) as unknown as Row | undefined;
    if (row === undefined) continue;
    samples.push(row[0], row[1]);
    break;
  }
  let left = request.limit;
  for (const day of request.days) {
    if (left === 0) break;
    const found = prepared(
      `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?`,
    ).all(request.series, request.start, request.end, left) as unknown as Row[];
    for (const [ts, value] of found) samples.push(ts, value);
    left -= found.length;
  }
  return samples.packed();
}

const commands: ReaderCommands = {
  read: (requests) => requests.map(readOne),
  aggregate: (request) => aggregate(prepared, request),
  means: (request) => meansOf(prepared, request),
  counts: (request) => countsOf(prepared, request),
  dayCounts: (request) => dayCountsOf(prepared, request),
  close() {
    statements.clear();
    db?.close();
    db = undefined;
  },
};

serveCommands(commands);
