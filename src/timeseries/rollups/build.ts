import type { DatabaseSync } from "node:sqlite";
import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../../domain/series.ts";
import type { BucketFigures } from "../../domain/statistics.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { DAY_MICROS, type Day } from "../hot/day.ts";
import { isNumber, type SeriesKind, type Summary, Walk } from "./accumulate.ts";
import { CycleReader, LAST_RESET_FIELD, TOTAL } from "./cycles.ts";
import { hourStore } from "./hours.ts";
import { ROLLUP_COLUMNS, toRow, toSql } from "./row.ts";
import { SHORTENED_VALUE } from "./shortened.ts";
import { inOrder, type Silences } from "./silences.ts";

/** A series on a day, as its rollups are computed. */
export interface DaySeries {
  readonly kind: SeriesKind;
  readonly columns: SampleColumns;
  readonly silences: Silences;
  /** The samples of a total's `last_reset`; null: it has none. */
  readonly resets: SampleColumns | null;
}

/**
 * One summary for each [borders[i], borders[i + 1]) that has samples or silences; all of them lie within the borders. A
 * summary of a silence alone has no samples: it says that nothing is in force any more.
 */
export function summarize({ kind, columns, silences, resets }: DaySeries, borders: readonly Micros[]): Summary[] {
  const summaries: Summary[] = [];
  let walk = new Walk(kind);
  let firstTs: Micros | undefined;
  let border = 0;
  const cycles = resets && new CycleReader(resets);
  const close = (): void => {
    const [start, end] = [borders[border]!, borders[++border]!];
    if (firstTs === undefined) return;
    const figures = walk.end(end).figures() ?? SILENCE;
    const endValue = kept(kind, walk.carried.value);
    summaries.push({ start, end, firstTs, ...figures, cycles: walk.cycles, endValue });
    firstTs = undefined;
  };
  const reach = (ts: Micros): void => {
    while (ts >= borders[border + 1]!) close();
    if (firstTs !== undefined) return;
    firstTs = ts;
    walk = new Walk(kind);
    walk.begin(borders[border]!);
  };
  inOrder(
    columns,
    silences,
    (ts, value) => {
      reach(ts);
      walk.sample(ts, value, cycles !== null && isNumber(kind, value) ? cycles.ofNumberAt(ts) : undefined);
    },
    (ts) => {
      reach(ts);
      walk.silence(ts);
    },
  );
  if (firstTs !== undefined) close();
  return summaries;
}

const SILENCE: BucketFigures = {
  ...{ count: 0, weight: 0, mean: null, min: null, max: null, first: null, last: null, sum: null, change: null },
  ...{ durations: null, otherDuration: 0 },
};

function kept(kind: SeriesKind, value: Value | undefined): Value {
  return isNumber(kind, value) || typeof value === "string" ? value : null;
}

/** All that rollups of a day say of a series; `hours` and `parts`: where these begin; `resets`: whose samples `own` has. */
export function summariesOf(
  series: SeriesNumber,
  own: DaySeries,
  { hours, parts, resets }: { hours: readonly Micros[]; parts: readonly Micros[]; resets: SeriesNumber | undefined },
): SeriesSummaries {
  return {
    series,
    hours: summarize(own, hours),
    parts: summarize(own, parts),
    resets: resets === undefined ? null : { series: resets, count: own.resets?.ts.length ?? 0 },
  };
}

/** Where a day's hours begin, and where the last one ends. */
export function hoursOf(day: Day): Micros[] {
  return Array.from({ length: 25 }, (_, hour) => day * DAY_MICROS + hour * HOUR_MICROS);
}

/** Where the parts of a UTC day begin that `cuts` (midnights of the home within it) make, and where the last one ends. */
export function partsOf(day: Day, cuts: readonly Micros[]): Micros[] {
  return [day * DAY_MICROS, ...cuts, (day + 1) * DAY_MICROS];
}

/** The samples of one UTC day, series by series. */
export interface DaySamples {
  /** The first series after this number, undefined at the end. */
  next(after: SeriesNumber): SeriesNumber | undefined;
  read(series: SeriesNumber): SampleColumns;
}

/** The samples of a day's table, long texts cut. */
export function tableSamples(db: DatabaseSync, table: string): DaySamples {
  const next = db.prepare(`SELECT series FROM ${table} WHERE series > ? ORDER BY series LIMIT 1`);
  const read = db.prepare(`SELECT ts, ${SHORTENED_VALUE} FROM ${table} WHERE series = ? ORDER BY ts`);
  read.setReturnArrays(true);
  return {
    next: (after) => next.get(after)?.series as SeriesNumber | undefined,
    read(series) {
      const rows = read.all(series) as unknown as [Micros, Value][];
      return { ts: rows.map(([ts]) => ts), values: rows.map(([, value]) => value) };
    },
  };
}

/** A part of building a day: what was done, where to go on. */
export interface BuiltPart {
  readonly samples: number;
  /** The last series that was done; null: the day is done and marked as built. */
  readonly after: SeriesNumber | null;
}

/** Rows of `series` that silences concern. */
const IS_STATE = `measurement = '${STATE_MEASUREMENT}' AND field = '${STATE_FIELD}'`;

/**
 * Computes the rollups of a UTC day from its samples, for the series after `after` (0: all), until about
 * `samplesMax` samples are read; `silences` are those of the day; inside the caller's transaction. Building again gives
 * the same rows, those of late samples included. The day counts as built once a call answered `after: null`, and only if none of its samples
 * changed between the first call and that one.
 */
export function buildDay(
  db: DatabaseSync,
  day: Day,
  cuts: readonly Micros[],
  samples: DaySamples,
  { after, samplesMax, silences }: { after: SeriesNumber; samplesMax: number; silences: Silences },
): BuiltPart {
  const kind = kindOf(db);
  const resetsOf = readResets(db);
  const store = summaryStore(db, day);
  const hours = hoursOf(day);
  const parts = partsOf(day, cuts);
  if (after === 0) unbuildDays(db, [day]);
  let read = 0;
  let last = after;
  const isState = db.prepare(`SELECT 1 FROM series WHERE number = ? AND ${IS_STATE}`);
  // A silence ends what is in force of series without samples on the day, too.
  const nextState = db.prepare(
    `SELECT min(number) AS series FROM series
     WHERE number > ? AND ${IS_STATE} AND first_ts < ?`,
  );
  const next = (after: SeriesNumber): SeriesNumber | undefined => {
    const withSamples = samples.next(after);
    if (silences.length === 0) return withSamples;
    const state = nextState.get(after, silences[silences.length - 1]!)?.series as SeriesNumber | null;
    return state === null || withSamples! < state ? withSamples : state;
  };
  for (let series = next(last); series !== undefined; series = next(last)) {
    if (read >= samplesMax) return { samples: read, after: last };
    const columns = samples.read(series);
    read += columns.ts.length;
    const resets = resetsOf.get(series);
    const own: DaySeries = {
      kind: kind(series),
      columns,
      silences: silences.length > 0 && isState.get(series) !== undefined ? silences : [],
      resets: resets === undefined ? null : samples.read(resets),
    };
    store(summariesOf(series, own, { hours, parts, resets }));
    last = series;
  }
  markBuilt(db, day, cuts);
  return { samples: read, after: null };
}

/** The rollups of one series on one day. */
export interface SeriesSummaries {
  readonly series: SeriesNumber;
  readonly hours: readonly Summary[];
  readonly parts: readonly Summary[];
  /** Of a total how many samples of its `last_reset` they tell of; null: it has none. */
  readonly resets: { readonly series: SeriesNumber; readonly count: number } | null;
}

/** Stores rollups that were computed elsewhere; inside the caller's transaction. */
export function storeSummaries(db: DatabaseSync, day: Day, summaries: readonly SeriesSummaries[]): void {
  const store = summaryStore(db, day);
  for (const one of summaries) store(one);
}

function summaryStore(db: DatabaseSync, day: Day): (summaries: SeriesSummaries) => void {
  const storeHours = hourStore(db, day);
  const places = Array(ROLLUP_COLUMNS.split(",").length + 1).fill("?");
  const part = db.prepare(`INSERT INTO rollup_day (series, ${ROLLUP_COLUMNS}) VALUES (${places.join()})`);
  // Parts that were cut at other midnights, before the home's time zone changed, would count twice.
  const ofDay = "FROM rollup_day WHERE series = ? AND start >= ? AND start < ?";
  const clear = db.prepare(`DELETE ${ofDay}`);
  const counted = db.prepare(`SELECT total(count) AS samples ${ofDay}`);
  const span = [day * DAY_MICROS, (day + 1) * DAY_MICROS];
  const countOf = (series: SeriesNumber) => counted.get(series, ...span)?.samples as number;
  return ({ series, hours, parts, resets }) => {
    const sum = parts.reduce((samples, { count }) => samples + count, 0);
    // Samples are added to a day or, by a rule or damage, gone from it: figures of all of them are worth more than those
    // of what is left and came late.
    if (countOf(series) > sum || (resets !== null && countOf(resets.series) > resets.count)) return;
    if (!storeHours(series, hours.map(toRow))) return;
    clear.run(series, ...span);
    for (const summary of parts) part.run(series, ...toSql(toRow(summary)));
  };
}

/** From now on the day's rollups answer for its samples. */
export function markBuilt(db: DatabaseSync, day: Day, cuts: readonly Micros[]): void {
  db.prepare(
    "INSERT INTO rollup_days (day, cuts) VALUES (?, ?) ON CONFLICT (day) DO UPDATE SET cuts = excluded.cuts",
  ).run(day, JSON.stringify(cuts));
}

function kindOf(db: DatabaseSync): (series: SeriesNumber) => SeriesKind {
  const meters = db.prepare("SELECT number FROM series WHERE state_class = 'total_increasing'").all();
  const numbers = new Set(meters.map(({ number }) => number));
  return (series) => (numbers.has(series) ? "meter" : "plain");
}

/** By the state of each total that has one the series of its `last_reset`. */
function readResets(db: DatabaseSync): ReadonlyMap<SeriesNumber, SeriesNumber> {
  const rows = db
    .prepare(
      `SELECT total.number AS total, resets.number AS resets
       FROM series AS resets JOIN series AS total USING (measurement, subject)
       WHERE measurement = ? AND resets.field = ? AND total.field = ? AND total.state_class = ?`,
    )
    .all(STATE_MEASUREMENT, LAST_RESET_FIELD, STATE_FIELD, TOTAL);
  return new Map(rows.map(({ total, resets }) => [total as SeriesNumber, resets as SeriesNumber]));
}

/** Of one UTC day that has, or had, samples or rollups. */
export interface RolledDay {
  /** Where its parts in `rollup_day` are cut; null: its samples are not added up (any more). */
  readonly cuts: readonly Micros[] | null;
  /** It has hours of Home Assistant's own statistics, of which there are no parts. */
  readonly statistics: boolean;
}

export function readRolledDays(db: DatabaseSync): [Day, RolledDay][] {
  const rows = db.prepare("SELECT day, cuts, statistics FROM rollup_days ORDER BY day").all();
  return rows.map(({ day, cuts, statistics }) => [
    day as Day,
    { cuts: cuts === null ? null : (JSON.parse(cuts as string) as Micros[]), statistics: statistics === 1 },
  ]);
}

/** Samples came to these days: they have to be built, again or at all. Inside the transaction that stores them. */
export function unbuildDays(db: DatabaseSync, days: Iterable<Day>): void {
  const statement = db.prepare(
    "INSERT INTO rollup_days (day) VALUES (?) ON CONFLICT (day) DO UPDATE SET cuts = NULL WHERE cuts IS NOT NULL",
  );
  for (const day of days) statement.run(day);
}
