import { createHash } from "node:crypto";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ColumnChunk, type FileMetaData, parquetMetadata, readOffsetIndex } from "hyparquet";
import type { Micros, Span, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { lowerBound } from "../../../lib/lower-bound.ts";
import { notedChecksum } from "./checksum.ts";
import { type ReadColumn, unpackOptional, unpackTimes } from "./columns.ts";
import { type FileIndex, INDEX_KEY, unpackIndex } from "./file-index.ts";

/** A stretch of rows of one series within one row group, and within one page of its times. */
export interface Stretch {
  /** The number of its row group; rows are counted from the first one of that. */
  readonly group: number;
  readonly firstRow: number;
  /** The row after the last one. */
  readonly endRow: number;
  readonly firstTs: Micros;
}

export interface Rows {
  readonly ts: readonly Micros[];
  readonly values: readonly Value[];
}

/** One open file of the archive. Every method throws on a file that is not as it was written. */
export interface FileReader extends Disposable {
  readonly index: FileIndex;
  readonly bytes: number;
  /** Ascending by time; empty when the file has nothing of the series. */
  stretches(series: SeriesNumber): readonly Stretch[];
  /** The stretch's share of what times and values of its row group take in the file. */
  bytesOf(stretch: Stretch): number;
  /** The values of the stretch's row group, for `read` of all stretches in it. */
  values(stretch: Stretch): GroupValues;
  /** What a stretch holds within the span, ascending by time. */
  read(stretch: Stretch, span: Span, values?: GroupValues): Rows;
}

/** All values of one row group, each column unpacked when it is needed first. */
export interface GroupValues {
  readonly group: number;
  /** Of a row, counted as those of a stretch. */
  at(row: number): Value;
}

/** A footer above this is no footer of ours: some 300,000 row groups. */
const FOOTER_BYTES_MAX = 128 * 1024 * 1024;
const MAGIC = 0x31524150;

/** A part of the file. */
interface Place {
  readonly offset: number;
  readonly length: number;
}

/** A page of times, by the first row of its group that is in it. */
interface Page extends Place {
  readonly firstRow: number;
}

/** Where the columns of a row group are in the file. */
interface Group extends Readonly<Record<ReadColumn, Place>> {
  readonly rows: number;
  /** Where its pages of times are listed; null: there is one. */
  readonly pageIndex: Place | null;
  /** The list, once it was needed. */
  pages: readonly Page[] | null;
}

/**
 * The end of a file, which says where its samples are, from the last of them on. Pages of samples have checksums of their
 * own, in zstd's frames; here a bit that changed could mean other samples.
 */
export interface FileTail {
  readonly bytes: number;
  readonly sha256: string;
}

/** Of a file as it was written: whatever is there counts as right. */
export function tailOf(path: string): FileTail {
  const fd = openSync(path, "r");
  try {
    const { size } = fstatSync(fd);
    const bytes = size - endOfSamples(readMetadata(fd, size));
    return { bytes, sha256: sha256OfTail(fd, size, bytes) };
  } finally {
    closeSync(fd);
  }
}

function endOfSamples({ row_groups: groups }: FileMetaData): number {
  const ends = groups.flatMap(({ columns }) => columns.map(placeOf)).map(({ offset, length }) => offset + length);
  return ends.reduce((max, end) => Math.max(max, end), 0);
}

function sha256OfTail(fd: number, size: number, bytes: number): string {
  return createHash("sha256")
    .update(readBytes(fd, size - bytes, bytes))
    .digest("hex");
}

/**
 * `tail`: as the manifest has it, null where it does not. A file with another one is refused, unless it took the place of
 * the one that is listed just before a crash: then a checksum is noted beside it.
 */
export function openFile(path: string, tail: FileTail | null = null): FileReader {
  const fd = openSync(path, "r");
  try {
    const reader = readerOf(fd);
    if (tail !== null && !hasTail(fd, reader.bytes, tail) && notedChecksum(path) === null) {
      throw new Error("its end, which says where its samples are, is not as it was written");
    }
    return reader;
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function hasTail(fd: number, size: number, { bytes, sha256 }: FileTail): boolean {
  return size >= bytes && sha256OfTail(fd, size, bytes) === sha256;
}

function readerOf(fd: number): FileReader {
  const bytes = fstatSync(fd).size;
  const { groups, index } = readFooter(fd, bytes);
  const { series, markSeries, markRow, markTs } = index;
  const firstRows = firstRowsOf(groups);

  const firstMark = (number: SeriesNumber): number => {
    let low = 0;
    let high = markSeries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (series[markSeries[middle]!]!.number < number) low = middle + 1;
      else high = middle;
    }
    return low;
  };
  const endOf = (mark: number): number => markRow[mark + 1] ?? index.rows;
  const groupAt = (number: number): Group => {
    const group = groups[number];
    if (group === undefined) throw new Error(`row group ${number} is missing`);
    return group;
  };

  return {
    index,
    bytes,
    stretches(number) {
      const found: Stretch[] = [];
      for (let mark = firstMark(number); mark < markSeries.length; mark++) {
        if (series[markSeries[mark]!]!.number !== number) break;
        const group = lowerBound(firstRows, markRow[mark]! + 1) - 1;
        const firstOfGroup = firstRows[group]!;
        const [firstRow, endRow] = [markRow[mark]! - firstOfGroup, endOf(mark) - firstOfGroup];
        found.push({ group, firstRow, endRow, firstTs: markTs[mark]! });
      }
      return found;
    },
    bytesOf({ group, firstRow, endRow }) {
      const { ts, number, text, rows } = groupAt(group);
      return ((ts.length + number.length + text.length) * (endRow - firstRow)) / rows;
    },
    values: ({ group }) => valuesOf(fd, group, groupAt(group)),
    read({ group, firstRow, endRow }, { start, end }, values) {
      const place = groupAt(group);
      const page = pageOf(fd, place, firstRow);
      const last = endRow - page.firstRow;
      const ts = unpackTimes(readPlace(fd, page), last);
      const from = boundWithin(ts, firstRow - page.firstRow, last, start);
      const to = boundWithin(ts, from, last, end);
      const rows: { ts: Micros[]; values: Value[] } = { ts: [], values: [] };
      if (from === to) return rows;
      const known = values ?? valuesOf(fd, group, place);
      for (let row = from; row < to; row++) {
        rows.ts.push(ts[row]!);
        rows.values.push(known.at(page.firstRow + row));
      }
      return rows;
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

/** The first row of each group, counted from that of the file. */
function firstRowsOf(groups: readonly Group[]): number[] {
  let next = 0;
  return groups.map(({ rows }) => {
    const first = next;
    next += rows;
    return first;
  });
}

function readFooter(fd: number, bytes: number): { groups: Group[]; index: FileIndex } {
  const metadata = readMetadata(fd, bytes);
  const packed = metadata.key_value_metadata?.find(({ key }) => key === INDEX_KEY)?.value;
  if (packed === undefined) throw new Error("it has no index: it was not written by this program");
  const groups = metadata.row_groups.map(({ columns, num_rows }) => groupOf(columns, Number(num_rows)));
  return { groups, index: unpackIndex(packed) };
}

function readMetadata(fd: number, bytes: number): FileMetaData {
  if (bytes < 12) throw new Error("it is too short");
  const tail = readBytes(fd, bytes - 8, 8);
  const view = new DataView(tail.buffer, tail.byteOffset, 8);
  const length = view.getUint32(0, true);
  if (view.getUint32(4, true) !== MAGIC || length + 12 > bytes)
    throw new Error("its end is missing, or it is no Parquet file");
  if (length > FOOTER_BYTES_MAX) throw new Error("its footer is too large");
  return parquetMetadata(readBytes(fd, bytes - 8 - length, length + 8));
}

function groupOf(columns: readonly ColumnChunk[], rows: number): Group {
  const column = (name: ReadColumn): ColumnChunk => {
    const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name);
    if (chunk?.meta_data === undefined) throw new Error(`its column "${name}" is missing`);
    return chunk;
  };
  const place = (name: ReadColumn): Place => placeOf(column(name));
  const { offset_index_offset: offset, offset_index_length: length } = column("ts");
  const pageIndex = offset === undefined || length === undefined ? null : { offset: Number(offset), length };
  return { ts: place("ts"), number: place("number"), text: place("text"), rows, pageIndex, pages: null };
}

function placeOf({ meta_data: metadata }: ColumnChunk): Place {
  if (metadata === undefined) throw new Error("a column's place is missing");
  const { dictionary_page_offset, data_page_offset, total_compressed_size } = metadata;
  return { offset: Number(dictionary_page_offset ?? data_page_offset), length: Number(total_compressed_size) };
}

/** The page of times that a row of the group is in. */
function pageOf(fd: number, group: Group, row: number): Page {
  group.pages ??= readPages(fd, group);
  const page = group.pages.findLast(({ firstRow }) => firstRow <= row);
  if (page === undefined) throw new Error(`its pages of times begin after row ${row}`);
  return page;
}

function readPages(fd: number, { ts, pageIndex }: Group): Page[] {
  if (pageIndex === null) return [{ ...ts, firstRow: 0 }];
  const bytes = readPlace(fd, pageIndex);
  return readOffsetIndex({ view: new DataView(bytes.buffer), offset: 0 }).page_locations.map((page) => ({
    offset: Number(page.offset),
    length: page.compressed_page_size,
    firstRow: Number(page.first_row_index),
  }));
}

function valuesOf(fd: number, group: number, { number, text, rows }: Group): GroupValues {
  const numberOf = unpackOptional<number>(readPlace(fd, number), "number", rows);
  let textOf: ((row: number) => string | null) | undefined;
  return {
    group,
    at(row) {
      const value = numberOf(row);
      if (value !== null) return value;
      textOf ??= unpackOptional<string>(readPlace(fd, text), "text", rows);
      return textOf(row);
    },
  };
}

const readPlace = (fd: number, { offset, length }: Place): Uint8Array<ArrayBuffer> => readBytes(fd, offset, length);

function readBytes(fd: number, position: number, length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const count = readSync(fd, bytes, done, length - done, position + done);
    if (count === 0) throw new Error("it is shorter than it says");
    done += count;
  }
  return bytes;
}

function boundWithin(times: ArrayLike<Micros>, from: number, to: number, ts: Micros): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (times[middle]! < ts) low = middle + 1;
    else high = middle;
  }
  return low;
}
