import { zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { SeriesKey, SeriesNumber } from "../../../domain/series.ts";

/** The key of the index in the footer's key-value metadata. */
export const INDEX_KEY = "ha_ingestor.index";
const FORMAT = 1;
/** Row groups differ in their rows: what reads format 1 alone would look for rows in the wrong ones. */
const FORMAT_OF_UNEQUAL_GROUPS = 2;
/** What an index may be unpacked: some 2,000,000 marks. */
const INDEX_BYTES_MAX = 128 * 1024 * 1024;

/**
 * Which rows are whose. A mark stands where a series begins and, within a series, where a row group begins; its rows
 * go on to the next mark, so they are of one series and in one row group. Marks ascend by series number and time.
 */
export interface FileIndex {
  /** Of the data directory whose series numbers these are. */
  readonly store: string;
  /** Rows of each row group but the last; null: they differ. */
  readonly groupRows: number | null;
  readonly rows: number;
  readonly series: readonly (SeriesKey & { readonly number: SeriesNumber })[];
  /** For each mark: the series' place in `series`, its first row, the time of that row. */
  readonly markSeries: readonly number[];
  readonly markRow: readonly number[];
  readonly markTs: readonly number[];
}

export function packIndex(index: FileIndex): string {
  const { store, groupRows, rows, series, markSeries, markRow, markTs } = index;
  const packed = {
    format: groupRows === null ? FORMAT_OF_UNEQUAL_GROUPS : FORMAT,
    store,
    group_rows: groupRows,
    rows,
    series: series.map(({ number, measurement, subject, field }) => [number, measurement, subject, field]),
    marks: [markSeries, markRow, markTs],
  };
  return zstdCompressSync(JSON.stringify(packed)).toString("base64");
}

/** Throws on anything that `packIndex` does not make. */
export function unpackIndex(text: string): FileIndex {
  const bytes = zstdDecompressSync(Buffer.from(text, "base64"), { maxOutputLength: INDEX_BYTES_MAX });
  const parsed = JSON.parse(bytes.toString("utf8")) as Record<string, unknown>;
  const { format, store, group_rows: groupRows, rows, series, marks } = parsed;
  if (format !== FORMAT && format !== FORMAT_OF_UNEQUAL_GROUPS)
    throw new Error(`its index has the unknown format ${JSON.stringify(format)}`);
  if (typeof store !== "string" || !isCount(rows)) throw odd();
  if (format === FORMAT ? !isCount(groupRows) || groupRows === 0 : groupRows !== null) throw odd();
  if (!Array.isArray(series) || !Array.isArray(marks) || marks.length !== 3 || !marks.every(Array.isArray)) throw odd();
  const [markSeries, markRow, markTs] = marks as [unknown[], unknown[], unknown[]];
  if (markRow.length !== markSeries.length || markTs.length !== markSeries.length) throw odd();
  if (!areAscending(markRow, rows) || !markTs.every(Number.isSafeInteger)) throw odd();
  if (!markSeries.every((place) => isCount(place) && place < series.length)) throw odd();
  return {
    store,
    groupRows: groupRows as number | null,
    rows,
    series: series.map(seriesOf),
    markSeries: markSeries as number[],
    markRow,
    markTs: markTs as number[],
  };
}

function seriesOf(row: unknown): FileIndex["series"][number] {
  if (!Array.isArray(row)) throw odd();
  const [number, measurement, subject, field] = row as unknown[];
  if (!isCount(number) || typeof measurement !== "string" || typeof subject !== "string" || typeof field !== "string") {
    throw odd();
  }
  return { number, measurement, subject, field };
}

function isCount(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

function areAscending(rows: readonly unknown[], end: number): rows is number[] {
  return rows.every((row, i) => isCount(row) && row < end && (i === 0 ? row === 0 : row > (rows[i - 1] as number)));
}

const odd = (): Error => new Error("its index cannot be understood");
