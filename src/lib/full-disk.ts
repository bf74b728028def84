import { statfsSync } from "node:fs";

/** SQLite makes a file of 32 KiB beside each database that is opened, and more as soon as something is written. */
const FREE_BYTES_MIN = 1_048_576;

const SQLITE_FULL = 13;

/** Whether something failed for want of room, itself or what is further down as `cause`. */
export function isFullDisk(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code, errcode } = error as { code?: unknown; errcode?: unknown };
  const isFull = code === "ENOSPC" || (typeof errcode === "number" && (errcode & 0xff) === SQLITE_FULL);
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
    "removing other files than these, and start again; nothing that was stored is lost. RAW_RETENTION_DAYS or DISK_BUDGET_MB, " +
    "once lower, keep the data from filling it again"
  );
}

/** What a user who is not root may still write. */
function freeBytesOf(directory: string): number | null {
  try {
    const { bavail, bsize } = statfsSync(directory);
    return bavail * bsize;
  } catch {
    return null;
  }
}
