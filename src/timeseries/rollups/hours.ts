import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Micros, Span } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import {
  COLUMNS_BEFORE_LAST,
  COLUMNS_OF_MEANS,
  HoursReader,
  type PackedHours,
  packHours,
  unpackHours,
} from "./pack.ts";
import { stateOf } from "./pack-texts.ts";
import { COUNT, CYCLES, FIRST_OFFSET, LAST, type RollupRow } from "./row.ts";

/**
 * The hours of all series: those computed from our samples, packed by day in `rollup_hours`, and those of Home
 * Assistant's own statistics in `statistics_hour`, which count where there is none of ours.
 */

/** Gives a kept statement; rows come as arrays. */
export type Prepare = (sql: string) => StatementSync;

/**
 * Series and day in one key: a table without such a key would lay what is longer than a quarter of a page onto pages of
 * its own. Days from 524,288 before 1970 to as many after it have room.
 */
const DAYS_OF_SERIES = 2 ** 20;
const DAY_OFFSET = 2 ** 19;

export function keyOf(series: SeriesNumber, day: Day): number {
  return series * DAYS_OF_SERIES + day + DAY_OFFSET;
}

/** No key of the series is before it. */
export function firstKeyOf(series: SeriesNumber): number {
  return series * DAYS_OF_SERIES;
}

export function dayOfKey(key: number): Day {
  return (key % DAYS_OF_SERIES) - DAY_OFFSET;
}

type PackedRow = [key: number, hours: Uint8Array, texts: string | null];

function unpackRow([key, hours, texts]: PackedRow): RollupRow[] {
  return unpackHours(dayOfKey(key), { hours, texts });
}

function packedWithin(prepare: Prepare, columns: string, series: SeriesNumber, { start, end }: Span): PackedRow[] {
  const rows: unknown[] = prepare(
    `SELECT series_day, hours${columns} FROM rollup_hours WHERE series_day BETWEEN ? AND ? ORDER BY series_day`,
  ).all(keyOf(series, dayOf(start)), keyOf(series, dayOf(end - 1)));
  return rows as PackedRow[];
}

/** A row of `statistics_hour` as a RollupRow. */
const STATISTICS = "start, 0, NULL, mean, NULL, min, max, NULL, last, NULL, increase, NULL, NULL, NULL";

/** The hours of Home Assistant's statistics that begin within a span, ascending. */
export function statisticsWithin(prepare: Prepare, series: SeriesNumber, { start, end }: Span): RollupRow[] {
  const rows: unknown[] = prepare(
    `SELECT ${STATISTICS} FROM statistics_hour WHERE series = ? AND start >= ? AND start < ? ORDER BY start`,
  ).all(series, start, end);
  return rows as RollupRow[];
}

/** The hours of a series that begin within a span, ascending. */
export function hoursWithin(prepare: Prepare, series: SeriesNumber, span: Span): RollupRow[] {
  const own = packedWithin(prepare, ", texts", series, span)
    .flatMap(unpackRow)
    .filter(([start]) => start >= span.start && start < span.end);
  return united(own, statisticsWithin(prepare, series, span));
}

/** Of two rows of one hour ours. */
function united(own: RollupRow[], statistics: readonly RollupRow[]): RollupRow[] {
  if (statistics.length === 0) return own;
  const starts = new Set(own.map(([start]) => start));
  return [...own, ...statistics.filter(([start]) => !starts.has(start))].sort((a, b) => a[0] - b[0]);
}

/** What a mean takes of an hour, NaN for null: of one of Home Assistant's statistics all of it, and nothing at its end. */
export type VisitMean = (firstTs: Micros, mean: number, weight: number, atEnd: number) => void;

const [offsets, means, weights, lasts, counts] = Array.from({ length: 5 }, () => new Float64Array(24));

/** The same hours, of each what a mean takes. */
export function eachMean(prepare: Prepare, series: SeriesNumber, span: Span, visit: VisitMean): void {
  const statistics = statisticsWithin(prepare, series, span);
  if (statistics.length > 0) {
    for (const [start, , offset, mean, weight, , , , last, , , state] of hoursWithin(prepare, series, span)) {
      const atEnd = state === null && offset !== null ? last : null;
      visit(start + (offset ?? 0), mean ?? Number.NaN, weight ?? Number.NaN, atEnd ?? Number.NaN);
    }
    return;
  }
  const read = (day: HoursReader): void => {
    for (const column of [offsets!, means!, weights!, lasts!]) day.next(column);
  };
  eachOwn(prepare, series, span, read, (start, row, day) => {
    visit(start + offsets![row]!, means![row]!, weights![row]!, day.endsWithLast(row) ? lasts![row]! : Number.NaN);
  });
}

/** Visits our hours that begin within a span, ascending; `read` is handed each day before its rows are visited. */
function eachOwn(
  prepare: Prepare,
  series: SeriesNumber,
  span: Span,
  read: (day: HoursReader) => void,
  visit: (start: Micros, row: number, day: HoursReader) => void,
): void {
  for (const [key, packed] of packedWithin(prepare, "", series, span)) {
    const day = new HoursReader(dayOfKey(key), packed);
    read(day);
    for (let row = 0; row < day.hours.length; row++) {
      const start = day.startOf(row);
      if (start >= span.start && start < span.end) visit(start, row, day);
    }
  }
}

/** The same hours, of each its count. */
export function eachCount(
  prepare: Prepare,
  series: SeriesNumber,
  span: Span,
  visit: (start: Micros, count: number) => void,
): void {
  const read = (day: HoursReader): void => {
    day.skip(COLUMNS_OF_MEANS);
    day.next(counts!);
  };
  eachOwn(prepare, series, span, read, (start, row) => visit(start, counts![row]!));
}

export interface DaysRequest {
  readonly series: readonly SeriesNumber[];
  /** Ascending. */
  readonly days: readonly Day[];
}

/**
 * Those of the days on which any of these series has hours. Ours are looked for by the parts of days, which are there
 * wherever hours are, and also where these were damaged.
 */
export function daysWithHours(prepare: Prepare, { series, days }: DaysRequest): Day[] {
  const found = new Set<Day>();
  for (const table of ["rollup_day", "statistics_hour"]) {
    const from = prepare(`SELECT start FROM ${table} WHERE series = ? AND start >= ? ORDER BY start LIMIT 1`);
    for (const one of series) {
      let next = Number.NEGATIVE_INFINITY;
      for (const day of days) {
        if (next < day && !found.has(day)) {
          const row = from.get(one, day * DAY_MICROS) as unknown as [Micros] | undefined;
          next = row === undefined ? Number.POSITIVE_INFINITY : dayOf(row[0]);
        }
        if (next === day) found.add(day);
      }
    }
  }
  return [...found];
}

/** An hour by itself: what it says of the time after it. */
export interface NewestHour {
  readonly start: Micros;
  /** NaN: none. */
  readonly last: number;
  /** Whether that is in force at the end. */
  readonly endsWithLast: boolean;
  /** What is in force at the end otherwise: a text, 0 for neither number nor text; null: nothing is known. */
  state(): string | number | null;
}

/** The newest hour that begins at `until` or before it. */
export function newestHour(prepare: Prepare, series: SeriesNumber, until: Micros): NewestHour | undefined {
  const statistics = prepare(
    "SELECT start, last FROM statistics_hour WHERE series = ? AND start <= ? ORDER BY start DESC LIMIT 1",
  ).get(series, until) as unknown as [Micros, number | null] | undefined;
  const own = newestOwn(prepare, series, until);
  if (statistics === undefined || (own !== undefined && own.start >= statistics[0])) return own;
  const [start, last] = statistics;
  return { start, last: last ?? Number.NaN, endsWithLast: false, state: () => null };
}

function newestOwn(prepare: Prepare, series: SeriesNumber, until: Micros): NewestHour | undefined {
  const before = prepare(
    `SELECT series_day, hours, texts FROM rollup_hours
     WHERE series_day BETWEEN ? AND ? ORDER BY series_day DESC LIMIT 1`,
  );
  for (let day = dayOf(until); ; ) {
    const row = before.get(keyOf(series, -DAY_OFFSET), keyOf(series, day)) as unknown as PackedRow | undefined;
    if (row === undefined) return undefined;
    const [key, packed, texts] = row;
    const reader = new HoursReader(dayOfKey(key), packed);
    for (let i = reader.hours.length - 1; i >= 0; i--) {
      if (reader.startOf(i) > until) continue;
      const state = () => stateOf(texts, reader.hours[i]!);
      return { start: reader.startOf(i), last: lastsOf(reader)[i]!, endsWithLast: reader.endsWithLast(i), state };
    }
    // All of that day's hours are later.
    day = dayOfKey(key) - 1;
  }
}

/** The last numbers by row; NaN: none. */
function lastsOf(reader: HoursReader): Float64Array {
  reader.skip(COLUMNS_BEFORE_LAST);
  reader.next(lasts!);
  return lasts!;
}

/** The newest number of the hours that begin within a span, at the beginning of its hour. */
export function lastNumberWithin(
  prepare: Prepare,
  series: SeriesNumber,
  span: Span,
): { readonly start: Micros; readonly last: number } | undefined {
  if (statisticsWithin(prepare, series, span).length > 0) {
    const row = hoursWithin(prepare, series, span).findLast((row) => row[LAST] !== null);
    return row && { start: row[0], last: row[LAST]! };
  }
  let found: { start: Micros; last: number } | undefined;
  eachOwn(prepare, series, span, lastsOf, (start, row) => {
    const last = lasts![row]!;
    if (!Number.isNaN(last)) found = { start, last };
  });
  return found;
}

/**
 * The newest cycle that is told by hours that begin within a span, at the beginning of its hour; undefined from an hour of
 * Home Assistant's statistics on, whose number belongs to nobody knows which.
 */
export function lastCycleWithin(
  prepare: Prepare,
  series: SeriesNumber,
  span: Span,
): { readonly start: Micros; readonly cycle: Micros | undefined } | undefined {
  const row = hoursWithin(prepare, series, span).findLast(
    (row) => row[CYCLES] !== null || (row[FIRST_OFFSET] === null && row[LAST] !== null),
  );
  return row && { start: row[0], cycle: row[CYCLES]?.last };
}

/** The newest day from `from` on and before `before` on which an hour of Home Assistant's statistics has a number. */
export function lastStatisticsDay(
  prepare: Prepare,
  series: SeriesNumber,
  from: Day | undefined,
  before: Day,
): Day | undefined {
  const row = prepare(
    `SELECT start FROM statistics_hour WHERE series = ? AND start >= ? AND start < ? AND last IS NOT NULL
     ORDER BY start DESC LIMIT 1`,
  ).get(series, (from ?? -DAY_OFFSET) * DAY_MICROS, before * DAY_MICROS) as unknown as [Micros] | undefined;
  return row && dayOf(row[0]);
}

/**
 * Stores the hours of series on a day; inside the caller's transaction. False, and nothing is stored, where samples of an
 * hour that was there are gone: there were more of them, or an earlier one. One without samples stays.
 */
export function hourStore(db: DatabaseSync, day: Day): (series: SeriesNumber, rows: readonly RollupRow[]) => boolean {
  const known = db.prepare("SELECT hours, texts FROM rollup_hours WHERE series_day = ?");
  const store = db.prepare("INSERT OR REPLACE INTO rollup_hours (series_day, hours, texts) VALUES (?, ?, ?)");
  return (series, rows) => {
    const key = keyOf(series, day);
    const before = known.get(key) as unknown as PackedHours | undefined;
    const knownRows = before === undefined ? [] : unpackHours(day, before);
    const given = new Map(rows.map((row) => [row[0], row]));
    if (knownRows.some((row) => hasMore(row, given.get(row[0])))) return false;
    const all = united([...rows], knownRows);
    if (all.length === 0) return true;
    const { hours, texts } = packHours(day, all);
    store.run(key, hours, texts);
    return true;
  };
}

function hasMore(known: RollupRow, given: RollupRow | undefined): boolean {
  if (known[COUNT] === 0) return false;
  return given === undefined || known[COUNT] > given[COUNT] || known[FIRST_OFFSET]! < given[FIRST_OFFSET]!;
}

/** Deletes the hours of a series before a midnight UTC; answers how many rows of either table went. */
export function hourDropper(db: DatabaseSync): (series: SeriesNumber, before: Micros) => number {
  const own = db.prepare(`DELETE FROM ${OWN_BEFORE}`);
  const statistics = db.prepare(`DELETE FROM ${STATISTICS_BEFORE}`);
  return (series, before) =>
    Number(own.run(...keysBefore(series, before)).changes) + Number(statistics.run(series, before).changes);
}

/** How many rows that would be. */
export function hourCounter(db: DatabaseSync): (series: SeriesNumber, before: Micros) => number {
  const own = db.prepare(`SELECT count(*) AS rows FROM ${OWN_BEFORE}`);
  const statistics = db.prepare(`SELECT count(*) AS rows FROM ${STATISTICS_BEFORE}`);
  return (series, before) =>
    Number(own.get(...keysBefore(series, before))?.rows) + Number(statistics.get(series, before)?.rows);
}

const OWN_BEFORE = "rollup_hours WHERE series_day >= ? AND series_day < ?";
const STATISTICS_BEFORE = "statistics_hour WHERE series = ? AND start < ?";

function keysBefore(series: SeriesNumber, before: Micros): [from: number, to: number] {
  return [keyOf(series, -DAY_OFFSET), keyOf(series, dayOf(before))];
}
