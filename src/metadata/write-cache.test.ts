import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { temporaryDirectory } from "./testing.ts";
import { fitWriteCache } from "./write-cache.ts";

test("fitWriteCache() keeps a quarter of the file, at least 3 MiB, and no more than is set", (t) => {
  using database = openDatabase(join(temporaryDirectory(t), "a.db"), DEFAULT_SETTINGS);
  const kibibytes = (setting: number): number => {
    fitWriteCache(database, setting);
    return -Number(database.prepare("PRAGMA cache_size").get()!.cache_size);
  };
  database.exec("CREATE TABLE a (b)");
  assert.equal(kibibytes(-64_000), 3072);
  assert.equal(kibibytes(-2000), 2000);
  database.exec("INSERT INTO a VALUES (zeroblob(40 * 1024 * 1024))");
  const quarter = kibibytes(-64_000);
  assert.ok(quarter >= 10 * 1024 && quarter < 10.2 * 1024, `${quarter} KiB`);
  assert.equal(kibibytes(-8000), 8000);
});
