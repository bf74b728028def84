import { closeSync, fstatSync, openSync, readSync, statSync } from "node:fs";
import { messageOf } from "../domain/errors.ts";
import type { DatabaseHealth } from "../domain/home-store.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";
import type { Queries } from "./page.ts";

const MAGIC = "SQLite format 3\0";

/** How the database is: unhealthy when its last write failed, or when the file on the disk is not the one we opened. */
export function readHealth(queries: Queries, file: string, opened: OpenedFile, fault: unknown): DatabaseHealth {
  let journal = "unknown";
  let revision = "unknown";
  let size = 0;
  let failure = fault;
  let reason = fault === null ? null : messageOf(fault);
  try {
    journal = String(queries.prepare("PRAGMA journal_mode").get()?.journal_mode);
    revision = String(queries.prepare("SELECT max(revision) AS revision FROM schema_migrations").get()?.revision);
    size = sizeOf(file) + sizeOf(`${file}-wal`);
    reason = opened.damage() ?? reason;
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

/** A database's file beside SQLite, for as long as SQLite has it open. */
export interface OpenedFile {
  /** What is wrong with the file that has its name now; null: nothing. */
  damage(): string | null;
  /** After the last connection to it in this process. */
  close(): void;
}

/**
 * SQLite goes on from its cache for long after somebody deleted or overwrote the file, and all that is written then
 * is lost; so the file's beginning is looked at by itself. It stays open for that: to close a file lets go of all locks
 * that the process has on it, SQLite's own too, and an outside sqlite3 then deletes the -wal that we write.
 */
export function openBeside(file: string): OpenedFile {
  const descriptor = openSync(file, "r");
  const { ino } = fstatSync(descriptor);
  let isOpen = true;
  return {
    damage() {
      try {
        if (statSync(file).ino !== ino) return `the file "${file}" was replaced while in use; restart`;
        const head = Buffer.alloc(MAGIC.length);
        readSync(descriptor, head, 0, head.length, 0);
        return head.toString("latin1") === MAGIC
          ? null
          : `the file "${file}" is damaged: it is no SQLite database any more`;
      } catch (error) {
        return `the file "${file}" cannot be read any more: ${messageOf(error)}`;
      }
    },
    close() {
      if (isOpen) closeSync(descriptor);
      isOpen = false;
    },
  };
}
