import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { workerData } from "node:worker_threads";
import type { ChangeKey, ContextOfChange, ContextQuestion } from "../../domain/contexts.ts";
import type { StateContext } from "../../domain/home.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import { serveCommands } from "../../lib/worker-rpc.ts";
import { type AggregateRequest, aggregate } from "../rollups/aggregate.ts";
import type { FigureColumns } from "../rollups/figures.ts";
import { type DaysRequest, daysWithHours } from "../rollups/hours.ts";
import {
  type CountRequest,
  countsOf,
  type DayCountRequest,
  dayCountsOf,
  type MeanColumns,
  meansOf,
} from "../rollups/lone-figure.ts";
import { TextRoom } from "../text-room.ts";
import { type PackedSamples, SamplePacker } from "./columns.ts";
import { findContexts, readContextsOf } from "./contexts.ts";
import { DATABASE_FILE, openForReading } from "./database.ts";
import { type Day, dayOfTable, tableOfDay } from "./day.ts";
import type { WriterOptions } from "./writer-commands.ts";

/** One series' part of a question to the day tables; only days that have a table are named. */
export interface DayRequest {
  readonly series: SeriesNumber;
  readonly start: Micros;
  readonly end: Micros;
  readonly limit: number;
  readonly charactersMax: number | undefined;
  /** Ascending: the days of the span. */
  readonly days: readonly Day[];
  /** Descending: where the last sample before `start` may be. */
  readonly daysBefore: readonly Day[];
}

export interface DayAnswer {
  readonly samples: PackedSamples;
  /** See `ReadColumns`. */
  readonly cutAt: Micros | null;
}

export type Questions = {
  /** For each request the oldest samples of the span, after the last one before it if that was asked for and exists. */
  read(requests: readonly DayRequest[]): readonly DayAnswer[];
  /** Figures of buckets, of the series one after the other. */
  aggregate(request: AggregateRequest): FigureColumns;
  means(request: AggregateRequest): MeanColumns;
  counts(request: CountRequest): Float64Array;
  dayCounts(request: DayCountRequest): Float64Array;
  daysWithHours(request: DaysRequest): readonly Day[];
  /** Those with samples in its table. */
  seriesOfDay(day: Day): readonly SeriesNumber[];
  contextsOf(changes: readonly ChangeKey[]): readonly (StateContext | null)[];
  findContexts(argument: {
    readonly questions: readonly ContextQuestion[];
    readonly limit: number;
  }): readonly (readonly ContextOfChange[])[];
};

export type ReaderCommands = Questions & {
  /** One of the questions where day tables may be damaged: answered with what can be read, and of which days some cannot. */
  despiteDamage(question: { readonly name: keyof Questions; readonly argument: unknown }): {
    readonly result: unknown;
    readonly damaged: readonly Day[];
  };
  close(argument: null): void;
};

/** Rows that are read together where texts may be cut: of the longest ones some 64 MB. */
const ROWS_AT_ONCE = 1_000;
/** Prepared statements that are kept; two for each day table. */
const STATEMENTS_MAX = 256;

const { directory, settings } = workerData as WriterOptions;
let db: DatabaseSync | undefined;
const statements = new Map<string, StatementSync>();
/** Tables of days that the question under way found damaged; undefined: such a question fails. */
let damaged: Set<Day> | undefined;

function prepared(sql: string): StatementSync {
  const statement = preparedOnce(sql);
  const day = damaged && dayOfTable(/ FROM (samples_\d+) /.exec(sql)?.[1] ?? "");
  return day === undefined ? statement : forgiving(statement, () => damaged?.add(day));
}

/** A statement that answers the rows before the damage that it meets. */
function forgiving(statement: StatementSync, meets: () => void): StatementSync {
  const all: StatementSync["all"] = (...values) => {
    const rows = [];
    try {
      for (const row of statement.iterate(...(values as Parameters<StatementSync["iterate"]>))) rows.push(row);
    } catch (error) {
      if (!isCorruption(error)) throw error;
      meets();
    }
    return rows;
  };
  // What reads day tables calls these two.
  return { all, get: (...values: Parameters<typeof all>) => all(...values)[0] } as StatementSync;
}

function preparedOnce(sql: string): StatementSync {
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

function readOne(request: DayRequest): DayAnswer {
  const samples = new SamplePacker();
  for (const day of request.daysBefore) {
    const row = prepared(
      `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts < ? ORDER BY ts DESC LIMIT 1`,
    ).get(request.series, request.start) as unknown as Row | undefined;
    if (row === undefined) continue;
    samples.push(row[0], row[1]);
    break;
  }
  const room = new TextRoom(request.charactersMax);
  for (const rows of rowsOf(request)) {
    for (const [ts, value] of rows) {
      if (!room.takes(value)) return { samples: samples.packed(), cutAt: ts };
      samples.push(ts, value);
    }
  }
  return { samples: samples.packed(), cutAt: null };
}

/** The rows of the span, some at a time. */
function* rowsOf({ series, start, end, days, limit, charactersMax }: DayRequest): Generator<readonly Row[]> {
  const atOnce = charactersMax === undefined ? limit : ROWS_AT_ONCE;
  let left = limit;
  for (const day of days) {
    const statement = prepared(
      `SELECT ts, value FROM ${tableOfDay(day)} WHERE series = ? AND ts >= ? AND ts < ? ORDER BY ts LIMIT ?`,
    );
    for (let from = start; left > 0; ) {
      const most = Math.min(left, atOnce);
      const found = statement.all(series, from, end, most) as unknown as Row[];
      yield found;
      left -= found.length;
      if (found.length < most) break;
      from = found[found.length - 1]![0] + 1;
    }
  }
}

function seriesOfDay(day: Day): SeriesNumber[] {
  const rows: unknown[] = prepared(`SELECT DISTINCT series FROM ${tableOfDay(day)} ORDER BY series`).all();
  return (rows as [SeriesNumber][]).map(([series]) => series);
}

const questions: Questions = {
  read: (requests) => requests.map(readOne),
  aggregate: (request) => aggregate(prepared, request),
  means: (request) => meansOf(prepared, request),
  counts: (request) => countsOf(prepared, request),
  dayCounts: (request) => dayCountsOf(prepared, request),
  daysWithHours: (request) => daysWithHours(prepared, request),
  seriesOfDay,
  contextsOf: (changes) => readContextsOf(prepared, changes),
  findContexts: ({ questions, limit }) => findContexts(prepared, questions, limit),
};

const commands: ReaderCommands = {
  ...questions,
  despiteDamage({ name, argument }) {
    const met = new Set<Day>();
    damaged = met;
    try {
      return { result: questions[name](argument as never), damaged: [...met] };
    } finally {
      damaged = undefined;
    }
  },
  close() {
    statements.clear();
    db?.close();
    db = undefined;
  },
};

serveCommands(commands);
