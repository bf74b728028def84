import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setCacheSize } from "./cache-size.ts";

const CASES: readonly (readonly [setting: number, kibibytesMax: number, kibibytes: number])[] = [
  [-2000, 8000, 2000],
  [-64_000, 8000, 8000],
  [500, 8000, 1000],
  [500, 800, 800],
  [0, 8000, 0],
];

for (const [setting, kibibytesMax, kibibytes] of CASES) {
  test(`setCacheSize() of ${setting} keeps ${kibibytes} KiB where ${kibibytesMax} are allowed`, () => {
    using database = new DatabaseSync(":memory:");
    database.exec("PRAGMA page_size = 2048");
    setCacheSize(database, setting, kibibytesMax);
    assert.equal(Math.abs(Number(database.prepare("PRAGMA cache_size").get()!.cache_size)), kibibytes);
  });
}
