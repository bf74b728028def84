import { existsSync, mkdirSync, rmSync } from "node:fs";
import { copyFile, link } from "node:fs/promises";
import { dirname, join } from "node:path";
import { AppError, messageOf } from "../domain/errors.ts";
import { copyDatabase } from "../lib/copy-database.ts";
import { makeDirectory } from "../lib/make-directory.ts";
import { isSystemRefusal } from "../lib/system-refusal.ts";
import { ARCHIVE, DATABASES, type DataPlace, FILES, freeName, pathOf, TIMESERIES } from "./data-files.ts";
import { removeForgotten } from "./forgotten.ts";

/** In the data directory, so that the files of the archive need only another name there. */
const COPY = /^backup-\d{8}T\d{6}Z$/;

/** The paths below `archive/` of the files that belong to a copied timeseries.db, which may be missing. */
export type ListArchive = (timeseriesFile: string) => readonly string[];

/**
 * Makes a folder in the data directory with a copy of everything in it as it is now, and answers its name. Whoever
 * calls sees to it that no file of the archive changes meanwhile, and removes the folder. The token of the HTTP API is
 * not in it. Rejects with `unavailable` when it cannot be written, and once `signal` aborts; nothing is left of it then.
 */
export async function copyData(
  place: DataPlace,
  listArchive: ListArchive,
  { now = Date.now(), signal }: { readonly now?: number; readonly signal?: AbortSignal } = {},
): Promise<string> {
  removeForgotten(place.dataDir, COPY, now);
  const name = freeName(now, (stamp) => `backup-${stamp}`, place.dataDir);
  const folder = join(place.dataDir, name);
  // It holds secrets.
  mkdirSync(folder, { mode: 0o700 });
  try {
    for (const database of DATABASES) {
      const file = pathOf(database, place);
      if (existsSync(file)) await copyDatabase(file, join(folder, database), signal);
    }
    for (const file of FILES.filter((name) => !DATABASES.includes(name))) {
      if (existsSync(pathOf(file, place))) await copyFile(pathOf(file, place), join(folder, file));
    }
    for (const path of listArchive(join(folder, TIMESERIES))) {
      const file = join(place.dataDir, ARCHIVE, path);
      // One that is missing is a damage of the archive, of which the service tells.
      if (existsSync(file)) await linkOrCopy(file, join(folder, ARCHIVE, path));
    }
    return name;
  } catch (cause) {
    rmSync(folder, { recursive: true, force: true });
    if (signal?.aborted !== true && !isSystemRefusal(cause)) throw cause;
    const why = signal?.aborted === true ? "the program is stopping" : messageOf(cause);
    throw new AppError("unavailable", `Cannot copy "${place.dataDir}": ${why}`, { cause });
  }
}

/** Files of the archive are never written again, only replaced: another name keeps them as they are. */
async function linkOrCopy(from: string, to: string): Promise<void> {
  makeDirectory(dirname(to));
  // Not every file system has several names for a file, and the archive may lie on another one.
  await link(from, to).catch(() => copyFile(from, to));
}
