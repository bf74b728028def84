import type { DecodedArray, SchemaElement } from "hyparquet";
import { parquetHeader, readPage } from "hyparquet/src/column.js";
import { convert, convertWithDictionary, DEFAULT_PARSERS } from "hyparquet/src/convert.js";
import { readDataPageV2 } from "hyparquet/src/datapage.js";
import { decompress, SCHEMA } from "./schema.ts";

/** The columns that are read; the words beside them are in the index as well. */
export type ReadColumn = "ts" | "number" | "text";

/** A column of some rows, unpacked. */
interface Unpacked {
  /** Of the rows that have one. */
  readonly values: ArrayLike<unknown>;
  /** By row, which of the values is its own, -1 for none; null: every row has one, in their order. */
  readonly places: Int32Array | null;
}

/** The times of one page, at least as many as are asked for. */
export function unpackTimes(bytes: Uint8Array<ArrayBuffer>, rows: number): ArrayLike<bigint> {
  return unpack(bytes, "ts", rows).values as ArrayLike<bigint>;
}

/** What each row of a row group has in a column that may be empty, by the place of the row in the group. */
export function unpackOptional<T>(
  bytes: Uint8Array<ArrayBuffer>,
  name: "number" | "text",
  rows: number,
): (row: number) => T | null {
  const { values, places } = unpack(bytes, name, rows);
  return (row) => {
    const place = places === null ? row : places[row]!;
    return place === -1 ? null : (values[place] as T);
  };
}

/**
 * Goes through the pages of a column. `readColumn` of the same library does the same for columns of lists in lists, and
 * takes twice as long.
 */
function unpack(bytes: Uint8Array<ArrayBuffer>, name: ReadColumn, rows: number): Unpacked {
  const decoder = DECODERS[name];
  const reader = { view: new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), offset: 0 };
  const pages: DecodedArray[] = [];
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
    pages.push(convertWithDictionary(dataPage, dictionary, header.data_page_header_v2!.encoding, decoder));
    if (places === null) row += dataPage.length;
    else for (const level of definitionLevels!) places[row++] = level === 0 ? -1 : place++;
  }
  if (row < rows) throw new Error(`its column "${name}" is too short`);
  const values = pages.length === 1 ? pages[0]! : pages.flatMap((page) => Array.from(page as ArrayLike<unknown>));
  return { values, places };
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
