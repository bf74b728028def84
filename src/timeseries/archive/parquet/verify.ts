import { existsSync } from "node:fs";
import { join } from "node:path";
import { messageOf } from "../../../domain/errors.ts";
import { currentRevision } from "../../../lib/migrate.ts";
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

/**
 * The archive of a data directory against its list of files. Only reads, so it may run beside the service, which writes
 * files again and makes one of many meanwhile: what is not as it was listed is looked up once more before it is a fault,
 * and what is listed in the end is verified, too.
 */
export function* verifyArchive(directory: string, settings: SqliteSettings): Generator<Finding> {
  const folder = join(directory, ARCHIVE_FOLDER);
  const list = () => manifestOf(join(directory, DATABASE_FILE), settings);
  const verified = new Set<string>();
  for (let files = list().files; files.length > 0; files = list().files.filter(({ path }) => !verified.has(path))) {
    for (const listed of files) {
      verified.add(listed.path);
      const found = verifyListed(folder, listed);
      const present = found.fault === null ? listed : list().files.find(({ path }) => path === listed.path);
      if (present !== undefined) yield found.fault === null ? found : verifyListed(folder, present);
    }
  }
  const paths = existsSync(folder) ? parquetFiles(folder) : [];
  const known = list();
  for (const path of paths.filter((path) => !isKnown(path, known))) {
    const found = verifyFile(join(folder, path));
    if (existsSync(join(folder, path)) && !isKnown(path, list()))
      yield { ...found, note: "it is not in the list of files" };
  }
}

function isKnown(path: string, { files, obsolete }: Pick<Manifest, "files" | "obsolete">): boolean {
  return obsolete.includes(path) || files.some((file) => file.path === path);
}

function verifyListed(folder: string, listed: Manifest["files"][number]): Finding {
  const path = join(folder, listed.path);
  if (!existsSync(path)) {
    return { path, rows: 0, bytes: 0, fault: `it is missing; it held ${listed.rows} samples`, note: null };
  }
  const found = verifyFile(path);
  return found.fault === null ? { ...found, ...remarkOf(path, listed.sha256) } : found;
}

/** Of a file that can be read. */
function remarkOf(path: string, listed: string): Pick<Finding, "fault" | "note"> {
  try {
    const sha256 = sha256Of(path);
    if (sha256 === listed) return { fault: null, note: null };
    if (sha256 !== notedChecksum(path)) {
      return { fault: "it can be read, but its checksum is not that of the file written", note: null };
    }
  } catch (error) {
    return { fault: messageOf(error), note: null };
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
    // A start that was ended at its very beginning leaves it empty.
    return currentRevision(db) === null ? { files: [], obsolete: [] } : readManifest(db);
  } finally {
    db.close();
  }
}
