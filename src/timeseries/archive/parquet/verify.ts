import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../../domain/errors.ts";
import { sha256Of } from "../../../lib/sha256-of.ts";
import { DATABASE_FILE, openForReading, type SqliteSettings } from "../../hot/database.ts";
import { archiveFiles, notedChecksum } from "./checksum.ts";
import { inspectFile } from "./inspect.ts";
import { type Manifest, readManifest } from "./manifest.ts";
import { ARCHIVE_FOLDER, parquetFiles } from "./paths.ts";

/** What was found of one file. */
export interface Finding {
  readonly path: string;
  readonly rows: number;
  readonly bytes: number;
  /** Null for a file that is as it was written. */
  readonly fault: string | null;
  /** What is odd without being a fault. */
  readonly note: string | null;
}

/** A file by itself: whether it can be read to its end. */
export function verifyFile(path: string): Finding {
  try {
    const { rows, bytes } = inspectFile(path);
    return { path, rows, bytes, fault: null, note: null };
  } catch (error) {
    return { path, rows: 0, bytes: 0, fault: messageOf(error), note: null };
  }
}

/** The Parquet files below a folder that is no data directory, one after the other. */
export function* verifyFolder(folder: string): Generator<Finding> {
  for (const path of parquetFiles(folder)) yield verifyFile(join(folder, path));
}

/** The archive of a data directory against its list of files. Only reads, so it may run beside the service. */
export function* verifyArchive(directory: string, settings: SqliteSettings): Generator<Finding> {
  const folder = join(directory, ARCHIVE_FOLDER);
  const { files, obsolete } = manifestOf(join(directory, DATABASE_FILE), settings);
  for (const listed of files) {
    const path = join(folder, listed.path);
    if (!existsSync(path)) {
      yield { path, rows: 0, bytes: 0, fault: `it is missing; it held ${listed.rows} samples`, note: null };
      continue;
    }
    const found = verifyFile(path);
    yield found.fault === null ? { ...found, ...remarkOf(path, listed.sha256) } : found;
  }
  const known = new Set([...files.map(({ path }) => path), ...obsolete]);
  for (const path of existsSync(folder) ? parquetFiles(folder) : []) {
    if (!known.has(path)) yield { ...verifyFile(join(folder, path)), note: "it is not in the list of files" };
  }
}

/** Of a file that can be read. */
function remarkOf(path: string, listed: string): Pick<Finding, "fault" | "note"> {
  const sha256 = sha256Of(path);
  if (sha256 === listed) return { fault: null, note: null };
  if (sha256 !== notedChecksum(path)) {
    return { fault: "it can be read, but its checksum is not that of the file written", note: null };
  }
  return { fault: null, note: "it was written again just before a crash, and is listed anew by the next run" };
}

/**
 * The paths below `archive/` of what a data directory keeps there, see `archiveFiles`: also of files that timeseries.db
 * does not list (yet), where it was lost. Without a file of that name none is listed.
 */
export function archivedFiles(directory: string, timeseriesFile: string, settings: SqliteSettings): string[] {
  const folder = join(directory, ARCHIVE_FOLDER);
  if (!existsSync(folder)) return [];
  const obsolete = existsSync(timeseriesFile) ? manifestOf(timeseriesFile, settings).obsolete : [];
  return archiveFiles(folder, obsolete);
}

function manifestOf(timeseriesFile: string, settings: SqliteSettings): Pick<Manifest, "files" | "obsolete"> {
  const db = openForReading(timeseriesFile, settings);
  try {
    return readManifest(db);
  } finally {
    db.close();
  }
}
