import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../../../domain/sample.ts";
import type { Day } from "../../hot/day.ts";
import type { FileTail } from "./file-reader.ts";
import type { FileFacts } from "./file-writer.ts";

/** A file of the archive, as the table `archive_files` lists it. */
export interface ArchiveFile extends FileFacts {
  /** Below `archive/`, with slashes: "2026/11/2026-11-24.parquet". */
  readonly path: string;
  /** Its days are [firstDay, endDay). */
  readonly firstDay: Day;
  readonly endDay: Day;
  readonly sealedAt: Micros;
}

export interface Manifest {
  /** The data directory's own id, made with the table. */
  readonly store: string;
  readonly files: readonly ArchiveFile[];
  /** Replaced by others and no longer read, but perhaps still there. */
  readonly obsolete: readonly string[];
}

export function readManifest(db: DatabaseSync): Manifest {
  const store = db.prepare("SELECT value FROM meta WHERE key = 'store_id'").get()?.value;
  const rows = db.prepare("SELECT * FROM archive_files ORDER BY first_day, end_day DESC").all();
  return {
    store: String(store),
    files: rows.filter((row) => row.obsolete === 0).map(fileOf),
    obsolete: rows.filter((row) => row.obsolete !== 0).map((row) => String(row.path)),
  };
}

function fileOf(row: Record<string, unknown>): ArchiveFile {
  return {
    path: row.path as string,
    firstDay: row.first_day as number,
    endDay: row.end_day as number,
    rows: row.rows as number,
    minTs: row.min_ts as number,
    maxTs: row.max_ts as number,
    bytes: row.bytes as number,
    sha256: row.sha256 as string,
    tail: tailOf(row),
    sealedAt: row.sealed_at as number,
  };
}

function tailOf({ tail_bytes: bytes, tail_sha256: sha256 }: Record<string, unknown>): FileTail | null {
  return bytes === null ? null : { bytes: bytes as number, sha256: sha256 as string };
}

/** Lists a file, in the place of one with its path. Belongs inside a transaction, as the others do. */
export function putFile(db: DatabaseSync, file: ArchiveFile): void {
  const { path, firstDay, endDay, rows, minTs, maxTs, bytes, sha256, tail, sealedAt } = file;
  db.prepare(
    `INSERT OR REPLACE INTO archive_files
       (path, first_day, end_day, rows, min_ts, max_ts, bytes, sha256, tail_bytes, tail_sha256, sealed_at, obsolete)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)`,
  ).run(
    ...[path, firstDay, endDay, rows, minTs, maxTs, bytes, sha256],
    ...[tail?.bytes ?? null, tail?.sha256 ?? null, sealedAt],
  );
}

export function markObsolete(db: DatabaseSync, paths: readonly string[]): void {
  const mark = db.prepare("UPDATE archive_files SET obsolete = 1 WHERE path = ?");
  for (const path of paths) mark.run(path);
}

export function forgetObsolete(db: DatabaseSync, paths: readonly string[]): void {
  const forget = db.prepare("DELETE FROM archive_files WHERE path = ? AND obsolete = 1");
  for (const path of paths) forget.run(path);
}
