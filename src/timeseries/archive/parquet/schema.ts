import { constants, zstdCompressSync, zstdDecompressSync } from "node:zlib";
import type { SchemaElement } from "hyparquet";

const text = (name: string, repetition_type: "REQUIRED" | "OPTIONAL"): SchemaElement => ({
  name,
  type: "BYTE_ARRAY",
  converted_type: "UTF8",
  repetition_type,
});

/** The columns of every file, readable without this program. A sample has a number, a text, or neither (an end). */
export const SCHEMA: SchemaElement[] = [
  { name: "samples", num_children: 7 },
  text("measurement", "REQUIRED"),
  text("subject", "REQUIRED"),
  text("entity_id", "OPTIONAL"),
  text("field", "REQUIRED"),
  {
    name: "ts",
    type: "INT64",
    converted_type: "TIMESTAMP_MICROS",
    logical_type: { type: "TIMESTAMP", isAdjustedToUTC: true, unit: "MICROS" },
    repetition_type: "REQUIRED",
  },
  { name: "number", type: "DOUBLE", repetition_type: "OPTIONAL" },
  text("text", "OPTIONAL"),
];

/**
 * Rows of a row group. Reading one series unpacks the values of a whole group, so small ones are fast; each costs some
 * 600 bytes of footer and repeated words, and numbers find their like in large ones.
 */
export const GROUP_ROWS = 8192;

/**
 * Characters of the texts of a row group, after which it has no more rows: one is held in memory as a whole, and 31 while
 * days become a month. Groups of what Home Assistant records have their 8,192 rows but for series of very long states.
 */
export const GROUP_CHARACTERS = 1_000_000;

/** Rows of a series after which another page of times begins: reading unpacks the times of whole pages. */
export const STRETCH_ROWS = 2048;

/** Packed differences of times are as good as noise, and words repeat plainly. */
const LEVEL = 3;
/** Numbers are worth a search for the best matches: a tenth less than at 6, in six times its time. */
const NUMBERS_LEVEL = 15;

export const compress = compressor(LEVEL);
export const compressNumbers = compressor(NUMBERS_LEVEL);

/** Compresses pages with zstd. The checksum tells a page that rotted on its card from one that did not. */
function compressor(level: number): (bytes: Uint8Array) => Uint8Array {
  const params = { [constants.ZSTD_c_compressionLevel]: level, [constants.ZSTD_c_checksumFlag]: 1 };
  return (bytes) => zstdCompressSync(bytes, { params });
}

/** zlib's least; and what a group's numbers take. */
const CHUNK_BYTES_MIN = 64;
const CHUNK_BYTES_MAX = 2 * 8 * GROUP_ROWS;

/**
 * `length` is what the file says that comes out; more is not made, so that a damaged file cannot fill the memory. Made in
 * one piece, which takes half the time of zlib's usual ones, but for lengths that a damaged file may have made up.
 */
export const decompress = (bytes: Uint8Array, length: number): Uint8Array<ArrayBuffer> =>
  zstdDecompressSync(bytes, {
    maxOutputLength: Math.max(1, length),
    chunkSize: Math.min(CHUNK_BYTES_MAX, Math.max(CHUNK_BYTES_MIN, length)),
  });
