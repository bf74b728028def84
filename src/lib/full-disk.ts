import { statfsSync } from "node:fs";

/** SQLite makes a file of 32 KiB beside each database that is opened, and more as soon as something is written. */
const FREE_BYTES_MIN = 1_048_576;

const SQLITE_FULL = 13;

/** What mends it where a step that failed for want of room has given back by now what it had taken of it. */
export const FREE_ROOM = "free some room on that disk, by removing other files than those of DATA_DIR";

/**
 * Whether something failed for want of room, itself or what is further down as `cause`. The system's code stands in
 * `reason` where `code` says something of our own.
 */
export function isFullDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode, reason } = error as { code?: unknown; errcode?: unknown; reason?: unknown };
  const isFull = [code, reason].includes("ENOSPC") || (typeof errcode === "number" && (errcode & 0xff) === SQLITE_FULL);
  return isFull || isFullDisk(error.cause);
}

/**
 * What to say when something failed for want of room on the disk of `directory`; null where there is room, or that cannot
 * be told. SQLite's own words are "disk I/O error" as often as "database or disk is full".
 */
export function fullDiskRemedy(directory: string, freeBytes = freeBytesOf): string | null {
  const free = freeBytes(directory);
  if (free === null || free >= FREE_BYTES_MIN) return null;
  return (
    `The disk that holds "${directory}" is full: ${Math.floor(free / 1024)} KiB are free. Free some megabytes of it, by ` +
    "removing other files than these, and try again; nothing that was stored is lost. RAW_RETENTION_DAYS or DISK_BUDGET_MB, " +
    "once lower, keep the data from filling it again"
  );
}

/** What to say beside `error`, as a sentence, where the disk of `directory` has no room, or had none; null otherwise. */
export function roomRemedy(error: unknown, directory: string): string | null {
  const remedy = fullDiskRemedy(directory);
  return remedy === null && isFullDisk(error) ? FREE_ROOM.replace(/^f/, "F") : remedy;
}

/** What a user who is not root may still write; null where that cannot be told. */
export function freeBytesOf(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}
