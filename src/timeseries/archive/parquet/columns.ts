import type { DecodedArray, PageHeader, SchemaElement } from "hyparquet";
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
  if (header?.encoding === "DELTA_BINARY_PACKED" && header.num_values >= rows && header.is_compressed !== false) {
    const page = bytes.subarray(reader.offset, reader.offset + compressed_page_size);
    const times = unpackDeltas(decompress(page, uncompressed_page_size), rows);
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
    assertPlausible(header, bytes.length - reader.offset, rows - row);
    if (header.type === "DICTIONARY_PAGE") {
      const { data } = readPage(reader, header, decoder, undefined, undefined, 0);
      dictionary = data && convert(data, decoder);
      continue;
    }
    const page = bytes.subarray(reader.offset, reader.offset + header.compressed_page_size);
    reader.offset += header.compressed_page_size;
    assertLevels(page, header.data_page_header_v2!);
    const { definitionLevels, dataPage } = readDataPageV2(page, header, decoder);
    const isDictionary = header.data_page_header_v2!.encoding.endsWith("_DICTIONARY");
    if (isDictionary !== (dictionary !== undefined)) throw damaged();
    if (dictionary && (dataPage as number[]).some((place) => place >= dictionary!.length)) throw damaged();
    if (places !== null && countOf(definitionLevels!) !== dataPage.length) throw damaged();
    if (isDictionary) pages.push({ data: dataPage, dictionary });
    else pages.push({ data: convert(dataPage, decoder), dictionary: undefined });
    if (places === null) row += dataPage.length;
    else for (const level of definitionLevels!) places[row++] = level === 0 ? -1 : place++;
  }
  if (row < rows) throw new Error(`its column "${name}" is too short`);
  return { valueAt: valuesOf(pages), places };
}

/**
 * Only what zstd packed has a checksum: not the header of a page, nor which of its rows are empty. A bit that changed there
 * could have a page read for ever, or shift values from row to row. So both have to agree with what is known without them.
 */
function assertPlausible(header: PageHeader, bytes: number, rows: number): void {
  const { type, compressed_page_size: size, data_page_header_v2: data, dictionary_page_header: dictionary } = header;
  const values = type === "DICTIONARY_PAGE" ? dictionary?.num_values : data?.num_values;
  if (!(size > 0 && size <= bytes) || values === undefined || values < 0 || values > rows) throw damaged();
  if (type === "DICTIONARY_PAGE") return;
  const { num_nulls: nulls, is_compressed, encoding } = data!;
  if (values === 0 || nulls < 0 || nulls > values || is_compressed === false) throw damaged();
  if (encoding === undefined || encoding === "BYTE_STREAM_SPLIT") throw damaged();
}

/** The runs of definition levels have to be as many as there are values: a longer one would be written out as it says. */
function assertLevels(page: Uint8Array, header: NonNullable<PageHeader["data_page_header_v2"]>): void {
  const { num_values: values, definition_levels_byte_length: length, repetition_levels_byte_length } = header;
  if (repetition_levels_byte_length !== 0 || !(length >= 0 && length <= page.length)) throw damaged();
  let at = 0;
  let seen = 0;
  while (at < length) {
    let run = 0;
    for (let scale = 1; ; scale *= 128) {
      const byte = page[at++]!;
      run += (byte & 127) * scale;
      if (byte < 128) break;
    }
    const count = Math.floor(run / 2);
    // A run of packed levels has eight in a byte, any other one level for all of them.
    at += run % 2 === 1 ? count : 1;
    seen += run % 2 === 1 ? count * 8 : count;
  }
  if (length > 0 && (at !== length || seen < values || seen >= values + 8)) throw damaged();
}

function damaged(): Error {
  return new Error("the head of a page is not as it was written");
}

/** How many rows have a value. */
function countOf(definitionLevels: readonly number[]): number {
  return definitionLevels.reduce((count, level) => (level === 0 ? count : count + 1), 0);
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
