import { closeSync, openSync, readSync, statSync } from "node:fs";
import { messageOf } from "../domain/errors.ts";
import type { DatabaseHealth } from "../domain/home-store.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";
import type { Queries } from "./page.ts";

const MAGIC = "SQLite format 3\0";

/** How the database is: unhealthy when its last write failed, or when the file on the disk is not the one we opened. */
export function readHealth(queries: Queries, file: string, inode: number, fault: unknown): DatabaseHealth {
  let journal = "unknown";
  let revision = "unknown";
  let size = 0;
  let failure = fault;
  let reason = fault === null ? null : messageOf(fault);
  try {
    journal = String(queries.prepare("PRAGMA journal_mode").get()?.journal_mode);
    revision = String(queries.prepare("SELECT max(revision) AS revision FROM schema_migrations").get()?.revision);
    size = sizeOf(file) + sizeOf(`${file}-wal`);
    reason = damageOf(file, inode) ?? reason;
  } catch (error) {
    reason = sqliteReason(error);
    failure = error;
  }
  return {
    status: reason === null ? "healthy" : "unhealthy",
    journal_mode: journal,
    database_size_mb: Math.round((size / 1024 / 1024) * 100) / 100,
    wal_enabled: journal === "wal",
    revision,
    reason,
    failure,
  };
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0;
}

/**
 * SQLite goes on from its cache for long after somebody deleted or overwrote the file, and all that is written then
 * is lost; so the file's beginning is looked at by itself.
 */
function damageOf(file: string, inode: number): string | null {
  let descriptor: number | undefined;
  try {
    descriptor = openSync(file, "r");
    if (statSync(file).ino !== inode) return `the file "${file}" was replaced while in use; restart`;
    const head = Buffer.alloc(MAGIC.length);
    readSync(descriptor, head, 0, head.length, 0);
    return head.toString("latin1") === MAGIC
      ? null
      : `the file "${file}" is damaged: it is no SQLite database any more`;
  } catch (error) {
    return `the file "${file}" cannot be read any more: ${messageOf(error)}`;
  } finally {
    if (descriptor !== undefined) closeSync(descriptor);
  }
}
