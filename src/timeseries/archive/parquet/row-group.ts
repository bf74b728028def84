import type { ColumnChunk, Encoding, OffsetIndex, SchemaElement } from "hyparquet";
import type { ParquetWriter } from "hyparquet-writer";
import { writeColumn } from "hyparquet-writer/src/column.js";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesKey } from "../../../domain/series.ts";
import { compress, SCHEMA } from "./schema.ts";

/** What the rows of one row group say, column by column; all columns are of one length. */
export interface RowGroup {
  readonly measurement: string[];
  readonly subject: string[];
  readonly entityId: (string | null)[];
  readonly field: string[];
  readonly ts: bigint[];
  readonly number: (number | null)[];
  readonly text: (string | null)[];
  /** Rows at which a page of times begins, ascending; the first is 0. */
  readonly pages: number[];
}

/** A delta block of Parquet: times have a bit width for so many rows. */
const DELTA_BLOCK_ROWS = 128;
const PAGE_BYTES = 1_048_576;
/** One of so many rows may have a number that no other has for a dictionary to be worth it; measured. */
const DICTIONARY_PART = 8;

export function emptyRowGroup(): RowGroup {
  return { measurement: [], subject: [], entityId: [], field: [], ts: [], number: [], text: [], pages: [] };
}

export function addRow(group: RowGroup, series: SeriesKey, entityId: string | null, ts: Micros, value: Value): void {
  group.measurement.push(series.measurement);
  group.subject.push(series.subject);
  group.entityId.push(entityId);
  group.field.push(series.field);
  group.ts.push(BigInt(ts));
  group.number.push(typeof value === "number" ? value : null);
  group.text.push(typeof value === "string" ? value : null);
}

/**
 * The next row may begin a page of times. At the border of two series it should: the time goes back there by up to a day,
 * which would make each time of the block around it a third longer. A page costs as much as such a block, so the short
 * series between long ones share pages.
 */
export function offerPage(group: RowGroup): void {
  const rows = group.ts.length;
  if (rows === 0 || rows - group.pages.at(-1)! >= DELTA_BLOCK_ROWS) group.pages.push(rows);
}

/** Writes the rows as one row group: every column of one page as a rule, the times of the pages of the group. */
export function writeRowGroup(parquet: ParquetWriter, group: RowGroup): void {
  const start = parquet.writer.offset;
  // Statistics where a reader may skip groups by them; elsewhere they would only take room.
  const columns = [
    chunkOf(parquet, "measurement", group.measurement, { stats: false }),
    chunkOf(parquet, "subject", group.subject, { stats: true }),
    chunkOf(parquet, "entity_id", group.entityId, { stats: true }),
    chunkOf(parquet, "field", group.field, { stats: false }),
    timesOf(parquet, group),
    chunkOf(parquet, "number", group.number, { stats: false, encoding: encodingOf(group.number) }),
    chunkOf(parquet, "text", group.text, { stats: false }),
  ];
  const rows = BigInt(group.ts.length);
  parquet.row_groups.push({
    columns,
    num_rows: rows,
    total_byte_size: columns.reduce((sum, { meta_data }) => sum + meta_data!.total_uncompressed_size, 0n),
    total_compressed_size: BigInt(parquet.writer.offset - start),
  });
  parquet.num_rows += rows;
}

/** Few different numbers are smaller as a list and their places in it; of many, zstd finds what repeats by itself. */
function encodingOf(numbers: RowGroup["number"]): Encoding {
  return new Set(numbers).size <= numbers.length / DICTIONARY_PART ? "RLE_DICTIONARY" : "PLAIN";
}

type ColumnValues = string[] | bigint[] | (number | null)[] | (string | null)[];
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
      compressors: { ZSTD: compress },
      pageSize: PAGE_BYTES,
      columnIndex: false,
      offsetIndex: false,
      ...options,
    },
    pageData: {
      values,
      definitionLevels: isOptional ? values.map((value) => (value === null ? 0 : 1)) : [],
      repetitionLevels: [],
      maxDefinitionLevel: isOptional ? 1 : 0,
    },
  });
  return chunk;
}

function elementOf(name: string): SchemaElement {
  return SCHEMA.find((element) => element.name === name)!;
}

/** The chunk of the times: one page after the other as if each were a chunk, and Parquet's own index of the pages. */
function timesOf(parquet: ParquetWriter, { ts, pages }: RowGroup): ColumnChunk {
  const pageLocations: OffsetIndex["page_locations"] = [];
  const chunks = pages.map((first, i) => {
    const offset = parquet.writer.offset;
    const page = chunkOf(parquet, "ts", ts.slice(first, pages[i + 1]), {
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
