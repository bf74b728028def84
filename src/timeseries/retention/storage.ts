import type { Forecast, SeriesUsage, SpanUsage, StorageReport, TierUsage } from "../../domain/retention.ts";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import type { Part, PartContent } from "./plan.ts";
import type { TableContent, TablesContent } from "./tables.worker.ts";

/** Full days that a forecast is drawn from: at least, and at most. */
const FORECAST_DAYS_MIN = 2;
const FORECAST_DAYS_MAX = 7;
/** What an archived sample takes where too little is archived to tell. */
const ARCHIVE_BYTES_PER_SAMPLE = 6;
const ARCHIVE_ROWS_MIN = 100_000;
const DAYS_A_YEAR = 365;

export interface StorageSources {
  readonly at: Micros;
  readonly directoryBytes: number;
  readonly tables: TablesContent;
  readonly parts: readonly (Part & { readonly minTs: Micros })[];
  /** In the order of the parts; a text says why it is not known. */
  readonly contents: readonly (PartContent | string)[];
  /** Whether samples of the day are not in its table or part yet. */
  readonly inMemory: (day: Day) => boolean;
}

/** What all tiers hold, added up. */
export function storageReport(sources: StorageSources): StorageReport {
  const { at, directoryBytes, tables, contents } = sources;
  const spans = spansOf(sources);
  const tiers = tiersOf(sources);
  return {
    at,
    directoryBytes,
    freeBytes: tables.freeBytes,
    tiers,
    series: seriesOf(sources),
    spans,
    ...forecastOf(sources, spans),
    notes: contents.filter((content) => typeof content === "string"),
  };
}

const startOf = (day: Day): Micros => day * DAY_MICROS;
const rowsOf = ({ rows }: TableContent): number => rows.reduce((sum, count) => sum + count, 0);

function tiersOf({ at, tables, parts }: StorageSources): TierUsage[] {
  const { days, rollups, oldestRolled, newestRolled } = tables;
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, number) => total + number, 0);
  const least = (numbers: readonly number[]): number | null => (numbers.length === 0 ? null : Math.min(...numbers));
  const most = (numbers: readonly number[]): number | null => (numbers.length === 0 ? null : Math.max(...numbers));
  // Of tables only the days are known, and one that is under way ends in the future.
  const past = (border: Micros | null): Micros | null => (border === null ? null : Math.min(border, at));
  return [
    { tier: "memory", rows: rowsOf(tables.log), bytes: tables.log.bytes, days: 0, oldest: null, newest: null },
    {
      tier: "hot",
      rows: sum(days.map(rowsOf)),
      bytes: sum(days.map(({ bytes }) => bytes)),
      days: days.length,
      oldest: past(least(days.map(({ day }) => startOf(day)))),
      newest: past(most(days.map(({ day }) => startOf(day + 1)))),
    },
    {
      tier: "archive",
      rows: sum(parts.map(({ rows }) => rows)),
      bytes: sum(parts.map(({ bytes }) => bytes)),
      days: sum(parts.map(({ minTs, maxTs }) => dayOf(maxTs) - dayOf(minTs) + 1)),
      oldest: least(parts.map(({ minTs }) => minTs)),
      newest: most(parts.map(({ maxTs }) => maxTs)),
    },
    {
      tier: "rollups",
      rows: sum(rollups.map(rowsOf)),
      bytes: sum(rollups.map(({ bytes }) => bytes)),
      days: tables.rolledDays,
      oldest: past(oldestRolled === null ? null : startOf(oldestRolled)),
      newest: past(newestRolled === null ? null : startOf(newestRolled + 1)),
    },
  ];
}

function seriesOf({ tables, contents }: StorageSources): SeriesUsage[] {
  type Figures = { -readonly [K in keyof SeriesUsage]: SeriesUsage[K] };
  const found = new Map<SeriesNumber, Figures>();
  const of = (series: SeriesNumber): Figures => {
    const known = found.get(series);
    if (known) return known;
    const figures = { series, hotRows: 0, archiveRows: 0, rollupRows: 0, bytes: 0 };
    found.set(series, figures);
    return figures;
  };
  const addTable = (table: TableContent, rows: "hotRows" | "rollupRows"): void => {
    const bytesPerRow = table.bytes / Math.max(1, rowsOf(table));
    for (const [i, series] of table.series.entries()) {
      const figures = of(series);
      figures[rows] += table.rows[i]!;
      figures.bytes += table.rows[i]! * bytesPerRow;
    }
  };
  for (const table of [tables.log, ...tables.days]) addTable(table, "hotRows");
  for (const table of tables.rollups) addTable(table, "rollupRows");
  for (const content of contents) {
    if (typeof content === "string") continue;
    for (let i = 0; i < content.series.length; i++) {
      const figures = of(content.series[i]!);
      figures.archiveRows += content.rows[i]!;
      figures.bytes += content.bytes[i]!;
    }
  }
  for (const figures of found.values()) figures.bytes = Math.round(figures.bytes);
  return [...found.values()].sort((a, b) => b.bytes - a.bytes || a.series - b.series);
}

function spansOf({ tables, parts }: StorageSources): SpanUsage[] {
  const archived = parts.map(({ firstDay, endDay, rows, bytes }): SpanUsage => {
    return { tier: "archive", start: startOf(firstDay), end: startOf(endDay), rows, bytes };
  });
  const hot = tables.days.map(({ day, bytes, ...table }): SpanUsage => {
    return { tier: "hot", start: startOf(day), end: startOf(day + 1), rows: rowsOf({ bytes, ...table }), bytes };
  });
  return [...archived, ...hot].sort((a, b) => a.start - b.start || a.end - b.end);
}

/** From the last days that are over, that were recorded from their beginning, and that are known by themselves. */
function forecastOf(
  { at, tables, parts, inMemory }: StorageSources,
  spans: readonly SpanUsage[],
): Pick<StorageReport, "forecast" | "forecastReason"> {
  const first = spans[0]?.start ?? at;
  const rowsByDay = new Map<Day, number>();
  for (const { start, end, rows } of spans) {
    const day = dayOf(start);
    if (end - start !== DAY_MICROS || start <= first || day >= dayOf(at) || inMemory(day)) continue;
    rowsByDay.set(day, (rowsByDay.get(day) ?? 0) + rows);
  }
  const recent = [...rowsByDay].sort((a, b) => b[0] - a[0]).slice(0, FORECAST_DAYS_MAX);
  if (recent.length < FORECAST_DAYS_MIN) {
    const forecastReason = `A forecast needs ${FORECAST_DAYS_MIN} full days; there are ${recent.length}`;
    return { forecast: null, forecastReason };
  }
  const rowsPerDay = Math.round(recent.reduce((sum, [, rows]) => sum + rows, 0) / recent.length);
  const archivedRows = parts.reduce((sum, { rows }) => sum + rows, 0);
  const archivedBytes = parts.reduce((sum, { bytes }) => sum + bytes, 0);
  const bytesPerRow = archivedRows < ARCHIVE_ROWS_MIN ? ARCHIVE_BYTES_PER_SAMPLE : archivedBytes / archivedRows;
  const rollupBytes = tables.rollups.reduce((sum, { bytes }) => sum + bytes, 0);
  const forecast: Forecast = {
    days: recent.length,
    rowsPerDay,
    rawBytesPerYear: Math.round(rowsPerDay * bytesPerRow * DAYS_A_YEAR),
    rollupBytesPerYear: Math.round((rollupBytes / Math.max(1, tables.rolledDays)) * DAYS_A_YEAR),
  };
  return { forecast, forecastReason: null };
}
