import assert from "node:assert/strict";
import { test } from "node:test";
import { sqliteCode, sqliteReason } from "./sqlite-reason.ts";
import { WorkerFailure } from "./worker-rpc.ts";

const sqlite = (errcode: number, message: string) =>
  new WorkerFailure({ name: "Error", code: "ERR_SQLITE_ERROR", errcode, message });

const LOCKED = "another program kept the database locked for longer than SQLITE_TIMEOUT";
const REASONS: readonly [error: unknown, code: number | undefined, reason: string][] = [
  [sqlite(5, "database is locked"), 5, LOCKED],
  // SQLITE_BUSY_SNAPSHOT.
  [sqlite(517, "database is locked"), 5, LOCKED],
  [sqlite(6, "database table is locked"), 6, LOCKED],
  [sqlite(13, "database or disk is full"), 13, "the disk is full"],
  [sqlite(11, "database disk image is malformed"), 11, "the file is damaged (database disk image is malformed)"],
  [sqlite(10, "disk I/O error"), 10, "disk I/O error"],
  [new Error("it is closing", { cause: sqlite(5, "database is locked") }), undefined, "it is closing"],
  ["thrown", undefined, "thrown"],
];
for (const [error, code, reason] of REASONS) {
  test(`sqliteReason() of "${error}" (${code}) is "${reason}"`, () => {
    assert.equal(sqliteCode(error), code);
    assert.equal(sqliteReason(error), reason);
  });
}
