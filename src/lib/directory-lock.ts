import { readFileSync, writeFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { isCorruption } from "./damaged-database.ts";

/** Who holds a directory, as far as its owner file tells. */
export interface LockOwner {
  readonly pid: number;
  readonly host: string;
  /** ISO 8601. */
  readonly since: string;
}

const LOCK = "lock.db";
const OWNER = "owner.json";
/** What `lockDirectory` keeps in a directory. */
export const LOCK_FILES: readonly string[] = [LOCK, OWNER];

/** Another process holds the directory. */
export class DirectoryHeld extends Error {
  readonly owner: LockOwner | null;

  constructor(directory: string, owner: LockOwner | null) {
    const who = owner ? `process ${owner.pid} on ${owner.host} since ${owner.since}` : "another process";
    super(`"${directory}" is in use by ${who}`);
    this.name = "DirectoryHeld";
    this.owner = owner;
  }
}

/**
 * Holds a directory for this process until it is disposed or the process ends, however it ends: the lock is SQLite's
 * own file lock on `lock.db`, which the operating system releases with the process, so that no stale lock remains.
 * `owner.json` beside it is for the message only.
 */
export function lockDirectory(directory: string): Disposable {
  const file = join(directory, LOCK);
  const ownerFile = join(directory, OWNER);
  let database: DatabaseSync | undefined;
  try {
    database = new DatabaseSync(file);
    // A transaction that is never ended; nothing is written, so a crash leaves nothing to be rolled back.
    database.exec("PRAGMA busy_timeout = 0; BEGIN EXCLUSIVE");
  } catch (error) {
    database?.close();
    if (isCorruption(error)) {
      const remedy = "delete it, it holds nothing";
      throw new Error(`"${file}" is damaged: ${remedy}`, { cause: error });
    }
    const { errcode, message } = error as { errcode?: number; message?: string };
    if (errcode === SQLITE_BUSY) throw new DirectoryHeld(directory, readOwner(ownerFile));
    throw new Error(`"${file}" cannot be locked: ${message}`, { cause: error });
  }
  const owner: LockOwner = { pid: process.pid, host: hostname(), since: new Date().toISOString() };
  writeFileSync(ownerFile, `${JSON.stringify(owner)}\n`);
  const held = database;
  return { [Symbol.dispose]: () => held.close() };
}

const SQLITE_BUSY = 5;

function readOwner(file: string): LockOwner | null {
  try {
    const { pid, host, since } = JSON.parse(readFileSync(file, "utf8")) as Partial<LockOwner>;
    return typeof pid === "number" && typeof host === "string" && typeof since === "string"
      ? { pid, host, since }
      : null;
  } catch {
    // Absent or half-written: the lock itself is what counts.
    return null;
  }
}
