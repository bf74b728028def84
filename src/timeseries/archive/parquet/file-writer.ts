import { createHash } from "node:crypto";
import { closeSync, fsyncSync, openSync, renameSync, rmSync, writeSync } from "node:fs";
import { dirname } from "node:path";
import { ByteWriter, ParquetWriter } from "hyparquet-writer";
import type { Micros, Value } from "../../../domain/sample.ts";
import type { SeriesKey, SeriesNumber } from "../../../domain/series.ts";
import { noteChecksum } from "./checksum.ts";
import { INDEX_KEY, packIndex } from "./file-index.ts";
import { type FileTail, tailOf } from "./file-reader.ts";
import { addRow, emptyRowGroup, isFull, offerPage, writeRowGroup } from "./row-group.ts";
import { GROUP_ROWS, SCHEMA, STRETCH_ROWS } from "./schema.ts";

/** What a file's rows say of a series. */
export interface SeriesWords extends SeriesKey {
  /** The entity_id it went by at a time, null for what is no entity. */
  nameAt(ts: Micros): string | null;
}

/** A finished file, for the manifest. */
export interface FileFacts {
  readonly rows: number;
  readonly minTs: Micros;
  readonly maxTs: Micros;
  readonly bytes: number;
  readonly sha256: string;
  /** Null of a file that a version before wrote. */
  readonly tail: FileTail | null;
}

export interface FileWriterOptions {
  readonly path: string;
  /** The data directory's own id, which makes the series numbers in the index meaningful. */
  readonly store: string;
  readonly words: (series: SeriesNumber) => SeriesWords;
  /** A file of that name is listed with its checksum: that of the new one is noted beside it first. */
  readonly replaces?: boolean;
  /** Told after each step that a crash could follow. */
  readonly step?: (name: "written" | "synced" | "renamed") => void;
}

/** Disposing of it takes away what is not finished: a full disk needs the room. */
export interface FileWriter extends Disposable {
  /** Rows must come ascending by series number, then time, each once. */
  add(series: SeriesNumber, ts: Micros, value: Value): void;
  /** Makes the file durable under its name, in the place of one that is there; null (and no file) without rows. */
  finish(): FileFacts | null;
}

/** Bytes that are gathered before they go to the file. */
const FLUSH_BYTES = 1_000_000;

/** Writes one file of the archive as `path`.tmp, which becomes `path` when it is whole and durable. */
export function createFileWriter({ path, store, words, replaces, step = () => {} }: FileWriterOptions): FileWriter {
  const temporary = temporaryOf(path);
  const fd = openSync(temporary, "w");
  let isOpen = true;
  const hash = createHash("sha256");
  const bytes = new ByteWriter();
  let written = 0;
  const flush = (): void => {
    const chunk = bytes.getBytes();
    hash.update(chunk);
    for (let at = 0; at < chunk.length; ) at += writeSync(fd, chunk, at);
    written += chunk.length;
    bytes.index = 0;
  };
  const parquet = new ParquetWriter({ writer: bytes, schema: SCHEMA, createdBy: "ha-ingestor" });

  const series: (SeriesKey & { number: SeriesNumber })[] = [];
  const markSeries: number[] = [];
  const markRow: number[] = [];
  const markTs: number[] = [];
  let group = emptyRowGroup();
  /** All row groups but the last have as many rows. */
  let areEqual = true;
  let current: SeriesWords | undefined;
  let currentNumber: SeriesNumber | undefined;
  let rows = 0;
  let minTs = Number.POSITIVE_INFINITY;
  let maxTs = Number.NEGATIVE_INFINITY;

  const mark = (ts: Micros): void => {
    markSeries.push(series.length - 1);
    markRow.push(rows);
    markTs.push(ts);
    offerPage(group);
  };
  const writeGroup = (): void => {
    if (group.rows === 0) return;
    writeRowGroup(parquet, group);
    group = emptyRowGroup();
    if (bytes.index >= FLUSH_BYTES) flush();
  };

  return {
    add(number, ts, value) {
      if (isFull(group)) {
        if (group.rows < GROUP_ROWS) areEqual = false;
        writeGroup();
      }
      if (current === undefined || number !== currentNumber) {
        current = words(number);
        currentNumber = number;
        const { measurement, subject, field } = current;
        series.push({ number, measurement, subject, field });
        mark(ts);
      } else if (group.rows === 0 || rows - markRow.at(-1)! === STRETCH_ROWS) mark(ts);
      addRow(group, current, current.nameAt(ts), ts, value);
      rows++;
      if (ts < minTs) minTs = ts;
      if (ts > maxTs) maxTs = ts;
    },

    finish() {
      writeGroup();
      const index = { store, groupRows: areEqual ? GROUP_ROWS : null, rows, series, markSeries, markRow, markTs };
      parquet.kvMetadata = [{ key: INDEX_KEY, value: packIndex(index) }];
      parquet.finish();
      flush();
      step("written");
      fsyncSync(fd);
      isOpen = false;
      closeSync(fd);
      step("synced");
      if (rows === 0) return null;
      const sha256 = hash.digest("hex");
      const tail = tailOf(temporary);
      if (replaces) {
        noteChecksum(path, sha256);
        syncDirectory(dirname(path));
      }
      renameSync(temporary, path);
      syncDirectory(dirname(path));
      step("renamed");
      return { rows, minTs, maxTs, bytes: written, sha256, tail };
    },

    [Symbol.dispose]() {
      if (isOpen) closeSync(fd);
      isOpen = false;
      rmSync(temporary, { force: true });
    },
  };
}

export const temporaryOf = (path: string): string => `${path}.tmp`;

/** Makes the names in a directory durable. Windows cannot, and does so by itself. */
export function syncDirectory(directory: string): void {
  if (process.platform === "win32") return;
  const fd = openSync(directory, "r");
  try {
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}
