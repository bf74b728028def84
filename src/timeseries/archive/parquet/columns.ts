import type { DecodedArray, SchemaElement } from "hyparquet";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { readDataPageV2 } from "hyparquet/src/datapage.js";
import type { Micros } from "../../../domain/sample.ts";
import { unpackDeltas } from "./deltas.ts";
import { decompress, SCHEMA } from "./schema.ts";

/** The columns that are read; the words beside them are in the index as well. */
export type ReadColumn = "ts" | "number" | "text";

/** A column of some rows, unpacked. */
interface Unpacked {
  /** The values of the rows that have one, by their order. */
  readonly valueAt: (place: number) => unknown;
  /** By row, which of the values is its own, -1 for none; null: every row has one, in their order. */
  readonly places: Int32Array | null;
}

/** With a dictionary, `data` are places in it: few of thousands are asked for. */
interface Page {
  readonly data: DecodedArray;
  readonly dictionary: DecodedArray | undefined;
}

/** The first times of one page, as many as are asked for. */
export function unpackTimes(bytes: Uint8Array<ArrayBuffer>, rows: number): ArrayLike<Micros> {
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const { data_page_header_v2: header, compressed_page_size, uncompressed_page_size } = parquetHeader(reader);
  if (header?.encoding === "DELTA_BINARY_PACKED" && header.num_values >= rows) {
    const page = bytes.subarray(reader.offset, reader.offset + compressed_page_size);
    const times = unpackDeltas(header.is_compressed === false ? page : decompress(page, uncompressed_page_size), rows);
    if (times !== undefined) return times;
  }
  const { valueAt } = unpack(bytes, "ts", rows);
  return Array.from({ length: rows }, (_, row) => Number(valueAt(row)));
}

/** What each row of a row group has in a column that may be empty, by the place of the row in the group. */
export function unpackOptional<T>(
  bytes: Uint8Array<ArrayBuffer>,
  name: "number" | "text",
  rows: number,
): (row: number) => T | null {
  const { valueAt, places } = unpack(bytes, name, rows);
  return (row) => {
    const place = places === null ? row : places[row]!;
    return place === -1 ? null : (valueAt(place) as T);
  };
}

/**
 * Goes through the pages of a column. `readColumn` of the same library does the same for columns of lists in lists, and
 * takes twice as long.
 */
function unpack(bytes: Uint8Array<ArrayBuffer>, name: ReadColumn, rows: number): Unpacked {
  const decoder = DECODERS[name];
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const pages: Page[] = [];
  const places = decoder.element.repetition_type === "OPTIONAL" ? new Int32Array(rows).fill(-1) : null;
  let dictionary: DecodedArray | undefined;
  let row = 0;
  let place = 0;
  while (row < rows && reader.offset < bytes.length) {
    const header = parquetHeader(reader);
    if (header.type === "DICTIONARY_PAGE") {
      const { data } = readPage(reader, header, decoder, undefined, undefined, 0);
      dictionary = data && convert(data, decoder);
      continue;
    }
    const page = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    const { definitionLevels, dataPage } = readDataPageV2(page, header, decoder);
    const isDictionary = header.data_page_header_v2!.encoding.endsWith("_DICTIONARY");
    if (isDictionary) pages.push({ data: dataPage, dictionary });
    else pages.push({ data: convert(dataPage, decoder), dictionary: undefined });
    if (places === null) row += dataPage.length;
    else for (const level of definitionLevels!) places[row++] = level === 0 ? -1 : place++;
  }
  if (row < rows) throw new Error(`its column "${name}" is too short`);
  return { valueAt: valuesOf(pages), places };
}

function valuesOf(pages: readonly Page[]): Unpacked["valueAt"] {
  const [page, another] = pages;
  if (page !== undefined && another === undefined) {
    const { data, dictionary } = page;
    return dictionary ? (place) => dictionary[data[place] as number] : (place) => data[place];
  }
  const values = pages.flatMap((page) => Array.from({ length: page.data.length }, (_, i) => valuesOf([page])(i)));
  return (place) => values[place];
}

const ROOT = { element: SCHEMA[0]!, children: [], count: 1, path: [] };

/** Times stay 64-bit integers: what the file calls a timestamp would become a Date and lose its microseconds. */
function decoderOf(name: ReadColumn): Parameters<typeof readPage>[2] {
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
