import type { ColumnChunk, Encoding, OffsetIndex, SchemaElement } from "hyparquet";
import type { ParquetWriter } from "hyparquet-writer";
import { writeColumn } from "hyparquet-writer/src/column.js";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesKey } from "../../../domain/series.ts";
import { compress, compressNumbers, GROUP_CHARACTERS, GROUP_ROWS, SCHEMA } from "./schema.ts";

/** The rows of one row group, as they come. */
export interface RowGroup {
  rows: number;
  /** Of the texts. */
  characters: number;
  readonly ts: BigInt64Array;
  readonly values: Value[];
  /** Rows that follow one another and say the same of their series. */
  readonly runs: Run[];
  /** Rows at which a page of times begins, ascending; the first is 0. */
  readonly pages: number[];
}

interface Run {
  readonly series: SeriesKey;
  readonly entityId: string | null;
  rows: number;
}

/** A delta block of Parquet: times have a bit width for so many rows. */
const DELTA_BLOCK_ROWS = 128;
/** One of so many rows may have a number that no other has for a dictionary to be worth it; measured. */
const DICTIONARY_PART = 8;

export function emptyRowGroup(): RowGroup {
  return { rows: 0, characters: 0, ts: new BigInt64Array(GROUP_ROWS), values: [], runs: [], pages: [] };
}

export function addRow(group: RowGroup, series: SeriesKey, entityId: string | null, ts: Micros, value: Value): void {
  const run = group.runs.at(-1);
  if (run?.series === series && run.entityId === entityId) run.rows++;
  else group.runs.push({ series, entityId, rows: 1 });
  group.ts[group.rows++] = BigInt(ts);
  group.values.push(value);
  if (typeof value === "string") group.characters += value.length;
}

/** Another row belongs into the next one. */
export function isFull({ rows, characters }: RowGroup): boolean {
  return rows === GROUP_ROWS || characters >= GROUP_CHARACTERS;
}

/**
 * The next row may begin a page of times. At the border of two series it should: the time goes back there by up to a day,
 * which would make each time of the block around it a third longer. A page costs as much as such a block, so the short
 * series between long ones share pages.
 */
export function offerPage({ rows, pages }: RowGroup): void {
  if (rows === 0 || rows - pages.at(-1)! >= DELTA_BLOCK_ROWS) pages.push(rows);
}

/** Writes the rows as one row group: every column as one page, the times as the pages of the group. */
export function writeRowGroup(parquet: ParquetWriter, group: RowGroup): void {
  const start = parquet.writer.offset;
  const words = (name: string, stats: boolean, word: (run: Run) => string | null) =>
    chunkOf(parquet, name, wordsOf(group, word), { stats });
  const numbers = group.values.map((value) => (typeof value === "number" ? value : null));
  const texts = group.values.map((value) => (typeof value === "string" ? value : null));
  // Statistics where a reader may skip groups by them; elsewhere they would only take room.
  const columns = [
    words("measurement", false, ({ series }) => series.measurement),
    words("subject", true, ({ series }) => series.subject),
    words("entity_id", true, ({ entityId }) => entityId),
    words("field", false, ({ series }) => series.field),
    timesOf(parquet, group),
    chunkOf(parquet, "number", numbers, { stats: false, encoding: encodingOf(numbers) }),
    chunkOf(parquet, "text", texts, { stats: false }),
  ];
  const rows = BigInt(group.rows);
  parquet.row_groups.push({
    columns,
    num_rows: rows,
    total_byte_size: columns.reduce((sum, { meta_data }) => sum + meta_data!.total_uncompressed_size, 0n),
    total_compressed_size: BigInt(parquet.writer.offset - start),
  });
  parquet.num_rows += rows;
}

function wordsOf({ rows, runs }: RowGroup, word: (run: Run) => string | null): (string | null)[] {
  const words = new Array<string | null>(rows);
  let row = 0;
  for (const run of runs) {
    words.fill(word(run), row, row + run.rows);
    row += run.rows;
  }
  return words;
}

/** Few different numbers are smaller as a list and their places in it; of many, zstd finds what repeats by itself. */
function encodingOf(numbers: readonly (number | null)[]): Encoding {
  return new Set(numbers).size <= numbers.length / DICTIONARY_PART ? "RLE_DICTIONARY" : "PLAIN";
}

type ColumnValues = (number | null)[] | (string | null)[] | BigInt64Array;
type ChunkOptions = { readonly stats: boolean; readonly encoding?: Encoding };

function chunkOf({ writer }: ParquetWriter, name: string, values: ColumnValues, options: ChunkOptions): ColumnChunk {
  const element = elementOf(name);
  const isOptional = element.repetition_type === "OPTIONAL";
  const { chunk } = writeColumn({
    writer,
    column: {
      columnName: name,
      element,
      schemaPath: [SCHEMA[0]!, element],
      codec: "ZSTD",
      compressors: { ZSTD: name === "number" ? compressNumbers : compress },
      // A chunk is one page.
      pageSize: 0,
      columnIndex: false,
      offsetIndex: false,
      ...options,
    },
    pageData: {
      values,
      definitionLevels: isOptional ? levelsOf(values) : [],
      repetitionLevels: [],
      maxDefinitionLevel: isOptional ? 1 : 0,
    },
  });
  return chunk;
}

function levelsOf(values: ColumnValues): number[] {
  return Array.from<unknown, number>(values as ArrayLike<unknown>, (value) => (value === null ? 0 : 1));
}

function elementOf(name: string): SchemaElement {
  return SCHEMA.find((element) => element.name === name)!;
}

/** The chunk of the times: one page after the other as if each were a chunk, and Parquet's own index of the pages. */
function timesOf(parquet: ParquetWriter, { ts, rows, pages }: RowGroup): ColumnChunk {
  const pageLocations: OffsetIndex["page_locations"] = [];
  const chunks = pages.map((first, i) => {
    const offset = parquet.writer.offset;
    const page = chunkOf(parquet, "ts", ts.subarray(first, pages[i + 1] ?? rows), {
      stats: true,
      encoding: "DELTA_BINARY_PACKED",
    });
    const size = parquet.writer.offset - offset;
    pageLocations.push({ offset: BigInt(offset), compressed_page_size: size, first_row_index: BigInt(first) });
    return page;
  });
  const chunk = chunks.reduce(joined);
  parquet.pendingIndexes.push({ chunk, offsetIndex: { page_locations: pageLocations } });
  return chunk;
}

/** Two chunks of times that follow one another, as one. */
function joined(one: ColumnChunk, other: ColumnChunk): ColumnChunk {
  const a = one.meta_data!;
  const b = other.meta_data!;
  const minimum = least(a.statistics!.min_value as bigint, b.statistics!.min_value as bigint);
  const maximum = -least(-(a.statistics!.max_value as bigint), -(b.statistics!.max_value as bigint));
  return {
    ...one,
    meta_data: {
      ...a,
      num_values: a.num_values + b.num_values,
      total_compressed_size: a.total_compressed_size + b.total_compressed_size,
      total_uncompressed_size: a.total_uncompressed_size + b.total_uncompressed_size,
      statistics: { ...a.statistics, min_value: minimum, max_value: maximum },
    },
  };
}

const least = (a: bigint, b: bigint): bigint => (a < b ? a : b);
