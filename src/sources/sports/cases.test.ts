import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { parseGames } from "./espn-games.ts";

/** A case is a folder: an answer as it comes, the league it is for, and what is read from it (null: nothing). */
const FOLDER = join(import.meta.dirname, "cases");

function read(name: string, file: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, name, file), "utf8"));
}

for (const name of readdirSync(FOLDER)) {
  test(`parseGames() reads the case ${name}`, () => {
    const { league, parsed } = read(name, "expected.json") as { league: string; parsed: unknown };
    const found = parseGames(league, read(name, "response.json"));
    assert.deepEqual(JSON.parse(JSON.stringify(found ?? null)), parsed);
  });
}
