import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { DEFAULT_SETTINGS, databaseFile, openDatabase } from "./database.ts";
import { temporaryDirectory } from "./testing.ts";

for (const [url, file] of [
  ["sqlite:///./data/metadata.db", "/home/me/data/metadata.db"],
  ["sqlite:///data/metadata.db", "/home/me/data/metadata.db"],
  ["sqlite+aiosqlite:///./data/metadata.db", "/home/me/data/metadata.db"],
  ["SQLITE:////app/data/metadata.db", "/app/data/metadata.db"],
  ["sqlite+aiosqlite:////app/data/my home.db", "/app/data/my home.db"],
] as const) {
  test(`databaseFile() reads ${url}`, () => assert.equal(databaseFile(url, "/home/me"), file));
}

for (const [url, message] of [
  ["postgresql+asyncpg://me:secret@host/db", /scheme "postgresql\+asyncpg"/],
  ["mysql://me:secret@host/db", /scheme "mysql"/],
  ["./data/metadata.db", /no scheme/],
  ["sqlite:///:memory:", /does not survive/],
  ["sqlite://", /names no file/],
  ["sqlite:data.db", /names no file/],
  ["sqlite:///", /names no file/],
  ["sqlite:///a.db?timeout=5", /parameters/],
] as const) {
  test(`databaseFile() refuses ${url} without showing a password`, () => {
    assert.throws(
      () => databaseFile(url, "/"),
      (error) => error instanceof AppError && error.code === "invalid" && message.test(error.message),
    );
    assert.throws(
      () => databaseFile(url, "/"),
      (error: Error) => !error.message.includes("secret"),
    );
  });
}

test("openDatabase() sets the pragmas on writing and reading connections", (t) => {
  const file = join(temporaryDirectory(t), "a.db");
  const settings = { busyTimeoutSeconds: 30, cacheSize: -64_000, synchronous: "FULL" } as const;
  const writing = openDatabase(file, settings);
  const reading = openDatabase(file, settings, { readOnly: true });
  for (const database of [writing, reading]) {
    const pragma = (name: string) => Object.values(database.prepare(`PRAGMA ${name}`).get()!)[0];
    assert.equal(pragma("journal_mode"), "wal");
    assert.equal(pragma("synchronous"), 2);
    assert.equal(pragma("cache_size"), -64_000);
    assert.equal(pragma("temp_store"), 2);
    assert.equal(pragma("foreign_keys"), 1);
    assert.equal(pragma("busy_timeout"), 30_000);
  }
  const [{ page_size: bytes } = {}] = writing.prepare("PRAGMA page_size").all();
  assert.equal(bytes, 32_768);
  assert.throws(() => reading.exec("CREATE TABLE a (b)"), /readonly/);
  reading.close();
  writing.close();
});

test("openDatabase() names path and remedy when it cannot open", (t) => {
  const directory = temporaryDirectory(t);
  for (const [file, reason] of [
    [directory, /is a directory/],
    [join(directory, "absent", "metadata.db"), /does not exist; create it or set DATA_DIR/],
  ] as const) {
    assert.throws(
      () => openDatabase(file, DEFAULT_SETTINGS),
      (error) => error instanceof AppError && error.code === "unavailable" && reason.test(error.message),
    );
  }
});
