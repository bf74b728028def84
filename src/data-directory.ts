import { accessSync, constants, existsSync, statSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import { DATABASES, type DataPlace, DEMO_MARK, pathOf, WEBHOOK_KEY } from "./backup/data-files.ts";
import { AppError, messageOf } from "./domain/errors.ts";
import { isCorruption } from "./lib/damaged-database.ts";
import { LOCK_FILES } from "./lib/directory-lock.ts";
import { FREE_ROOM, isFullDisk } from "./lib/full-disk.ts";
import { makeDirectory } from "./lib/make-directory.ts";
import { LOCKED } from "./lib/sqlite-reason.ts";
import { isSystemRefusal } from "./lib/system-refusal.ts";
import { userName } from "./lib/user-name.ts";
import { isLocked } from "./lib/write-lock.ts";

/** Makes the directory; the message names path, user and remedy where that cannot be. */
export function prepareDirectory(directory: string, setting: string): void {
  try {
    makeDirectory(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const remedy = `choose another ${setting}, or give the user the right to write there`;
    const message = `Cannot write to the directory "${directory}" as user ${userName()}: ${messageOf(cause)}; ${remedy}`;
    throw new AppError("unavailable", message, { cause });
  }
}

/**
 * Throws `unavailable` where there is something that this user cannot use, such as what a run as another one left: all
 * of it in one message, since SQLite names no file.
 */
export function assertUsable(place: DataPlace): void {
  const written = [
    ...LOCK_FILES.map((name) => join(place.dataDir, name)),
    ...DATABASES.flatMap((name) => ["", "-wal", "-shm"].map((suffix) => pathOf(name, place) + suffix)),
  ];
  const key = join(place.dataDir, WEBHOOK_KEY);
  // That DATABASE_URL names no file is told where it is opened.
  const own = [...written, key].filter((path) => path !== place.metadataFile);
  const noFiles = own.filter((path) => statSync(path, { throwIfNoEntry: false })?.isFile() === false);
  const denied = [
    ...written.filter((path) => isDenied(path, constants.R_OK | constants.W_OK)),
    ...[key].filter((path) => isDenied(path, constants.R_OK)),
  ];
  const user = userName();
  const cannot = (paths: readonly string[], why: string): AppError => {
    const names = paths.map((path) => `"${path}"`).join(", ");
    return new AppError("unavailable", `Cannot use ${names} as user ${user}: ${why}`);
  };
  if (noFiles.length > 0) throw cannot(noFiles, "no file; move it out of the way");
  const remedy = `give all of "${place.dataDir}" to this user (chown -R)`;
  if (denied.length > 0) throw cannot(denied, `permission denied; ${remedy}`);
}

function isDenied(path: string, mode: number): boolean {
  try {
    accessSync(path, mode);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EACCES";
  }
}

/** The databases that are missing, or empty, beside others that are there: new ones begin in their place. */
export function missingDatabases(place: DataPlace): string[] {
  const isThere = (name: string) => (statSync(pathOf(name, place), { throwIfNoEntry: false })?.size ?? 0) > 0;
  return DATABASES.some(isThere) ? DATABASES.filter((name) => !isThere(name)) : [];
}

/** Where the demo's values lie unless DATA_DIR says otherwise; earlier versions left no mark in it. */
export const DEMO_DIRECTORY = "./data-demo";

/** Which run wants a data directory. */
export interface Run {
  readonly demo: boolean;
  /** Whether it has a home to record. */
  readonly hasHome: boolean;
  /** Whether the directory knows a home by now. */
  readonly isRecorded: boolean;
}

/**
 * Keeps a home's record and the demo's invented values in directories of their own: whoever has DATA_DIR in the
 * environment and tries the demo would else have its home mixed in. Throws `conflict`. Without a home to record, the
 * demo's directory may be looked at; true says that it is one.
 */
export function keepDemoApart(directory: string, run: Run): boolean {
  const mark = join(directory, DEMO_MARK);
  const isMarked = existsSync(mark);
  if (run.demo && !isMarked) {
    if (run.isRecorded && basename(directory) !== basename(DEMO_DIRECTORY)) {
      const remedy = "choose another DATA_DIR, or delete it where it is an old one of the demo";
      throw new AppError(
        "conflict",
        `Cannot use "${directory}" for the demo: it holds the record of a home; ${remedy}`,
      );
    }
    writeFileSync(mark, "The values in this directory are invented: npm run demo made them.\n");
  }
  if (!run.demo && isMarked && run.hasHome) {
    throw new AppError(
      "conflict",
      `Cannot record a home in "${directory}", which is the demo's: choose another DATA_DIR`,
    );
  }
  return isMarked && !run.demo;
}

/**
 * What failed in a task, such as "run seal", as it is told to the user: where the system refused something in the data
 * directory, or an error names a damaged file of it, that is one line, and anything else stays as it is. What is one line
 * already is told with the remedy where there was no room.
 */
export function explained(task: string, error: unknown): unknown {
  const isMendable = isSystemRefusal(error) || (error instanceof Error && isCorruption(error.cause));
  const isFull = isFullDisk(error);
  if (error instanceof AppError && isFull)
    return new AppError(error.code, `${error.message}; ${FREE_ROOM}`, { cause: error });
  if (error instanceof AppError || !isMendable) return error;
  const remedy = isFull ? FREE_ROOM : isLocked(error) ? LOCKED : "see the files of DATA_DIR and the rights to them";
  return new AppError("unavailable", `Cannot ${task}: ${messageOf(error)}; ${remedy}`, { cause: error });
}
