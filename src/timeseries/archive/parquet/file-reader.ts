import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { type ColumnChunk, type DecodedArray, parquetMetadata, type SchemaElement } from "hyparquet";
import { readColumn } from "hyparquet/src/column.js";
import { DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import type { Micros, Span, Value } from "../../../domain/sample.ts";
import type { SeriesNumber } from "../../../domain/series.ts";
import { type FileIndex, INDEX_KEY, unpackIndex } from "./file-index.ts";
import { decompress, SCHEMA } from "./schema.ts";

/** A stretch of rows of one series within one row group. */
export interface Stretch {
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
  /** What a stretch holds within the span, ascending by time. */
  read(stretch: Stretch, span: Span): Rows;
}

/** A footer above this is no footer of ours: some 300,000 row groups. */
const FOOTER_BYTES_MAX = 128 * 1024 * 1024;
const MAGIC = 0x31524150;

type ReadColumn = "ts" | "number" | "text";

/** Where the columns of a row group are in the file. */
type Group = Readonly<Record<ReadColumn, { readonly offset: number; readonly length: number }>>;

export function openFile(path: string): FileReader {
  const fd = openSync(path, "r");
  try {
    return readerOf(fd);
  } catch (error) {
    closeSync(fd);
    throw error;
  }
}

function readerOf(fd: number): FileReader {
  const bytes = fstatSync(fd).size;
  const { groups, index } = readFooter(fd, bytes);
  const { series, markSeries, markRow, markTs } = index;

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

  return {
    index,
    bytes,
    stretches(number) {
      const found: Stretch[] = [];
      for (let mark = firstMark(number); mark < markSeries.length; mark++) {
        if (series[markSeries[mark]!]!.number !== number) break;
        found.push({ firstRow: markRow[mark]!, endRow: endOf(mark), firstTs: markTs[mark]! });
      }
      return found;
    },
    bytesOf({ firstRow, endRow }) {
      const number = Math.floor(firstRow / index.groupRows);
      const group = groups[number];
      if (group === undefined) throw new Error(`row group ${number} is missing`);
      const rows = Math.min(index.groupRows, index.rows - number * index.groupRows);
      return ((group.ts.length + group.number.length + group.text.length) * (endRow - firstRow)) / rows;
    },
    read({ firstRow, endRow }, { start, end }) {
      const number = Math.floor(firstRow / index.groupRows);
      const group = groups[number];
      if (group === undefined) throw new Error(`row group ${number} is missing`);
      const first = firstRow - number * index.groupRows;
      const last = endRow - number * index.groupRows;
      const ts = decode(fd, group, "ts", last) as ArrayLike<bigint>;
      const from = lowerBound(ts, first, last, start);
      const to = lowerBound(ts, from, last, end);
      if (from === to) return { ts: [], values: [] };
      const numbers = decode(fd, group, "number", to) as ArrayLike<number | null>;
      let texts: ArrayLike<string | null> | undefined;
      const times: Micros[] = [];
      const values: Value[] = [];
      for (let row = from; row < to; row++) {
        times.push(Number(ts[row]!));
        const value = numbers[row];
        if (typeof value === "number") values.push(value);
        else {
          texts ??= decode(fd, group, "text", to) as ArrayLike<string | null>;
          values.push(texts[row] ?? null);
        }
      }
      return { ts: times, values };
    },
    [Symbol.dispose]: () => closeSync(fd),
  };
}

function readFooter(fd: number, bytes: number): { groups: Group[]; index: FileIndex } {
  if (bytes < 12) throw new Error("it is too short");
  const tail = readBytes(fd, bytes - 8, 8);
  const view = new DataView(tail.buffer, tail.byteOffset, 8);
  const length = view.getUint32(0, true);
  if (view.getUint32(4, true) !== MAGIC || length + 12 > bytes) throw new Error("its end is missing");
  if (length > FOOTER_BYTES_MAX) throw new Error("its footer is too large");
  const metadata = parquetMetadata(readBytes(fd, bytes - 8 - length, length + 8));
  const packed = metadata.key_value_metadata?.find(({ key }) => key === INDEX_KEY)?.value;
  if (packed === undefined) throw new Error("it has no index: it was not written by this program");
  const groups = metadata.row_groups.map(({ columns }) => groupOf(columns));
  return { groups, index: unpackIndex(packed) };
}

function groupOf(columns: readonly ColumnChunk[]): Group {
  const part = (name: ReadColumn) => {
    const chunk = columns.find(({ meta_data }) => meta_data?.path_in_schema[0] === name)?.meta_data;
    if (chunk === undefined) throw new Error(`its column "${name}" is missing`);
    const offset = Number(chunk.dictionary_page_offset ?? chunk.data_page_offset);
    return { offset, length: Number(chunk.total_compressed_size) };
  };
  return { ts: part("ts"), number: part("number"), text: part("text") };
}

function decode(fd: number, group: Group, name: ReadColumn, rows: number): DecodedArray {
  const { offset, length } = group[name];
  const page = readBytes(fd, offset, length);
  const reader = { view: new DataView(page.buffer, page.byteOffset, page.byteLength), offset: 0 };
  const select = { groupStart: 0, groupRows: rows, selectStart: 0, selectEnd: rows };
  const { data } = readColumn(reader, select, DECODERS[name]);
  const found = data.length === 1 ? data[0]! : data.flatMap((part) => Array.from(part as ArrayLike<unknown>));
  if (found.length < rows) throw new Error(`its column "${name}" is too short`);
  return found;
}

const ROOT = { element: SCHEMA[0]!, children: [], count: 1, path: [] };

/** Times stay 64-bit integers: what the file calls a timestamp would become a Date and lose its microseconds. */
function decoderOf(name: ReadColumn): Parameters<typeof readColumn>[2] {
  const { converted_type, logical_type, ...plain } = SCHEMA.find((element) => element.name === name)!;
  const element: SchemaElement = name === "text" ? { ...plain, converted_type: "UTF8" } : plain;
  return {
    pathInSchema: [name],
    type: element.type!,
    element,
    schemaPath: [ROOT, { element, children: [], count: 1, path: [name] }],
    codec: "ZSTD",
    parsers: DEFAULT_PARSERS,
    compressors: { ZSTD: decompress },
  };
}

const DECODERS = { ts: decoderOf("ts"), number: decoderOf("number"), text: decoderOf("text") };

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

function lowerBound(times: ArrayLike<bigint>, from: number, to: number, ts: Micros): number {
  let low = from;
  let high = to;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (Number(times[middle]!) < ts) low = middle + 1;
    else high = middle;
  }
  return low;
}
