import assert from "node:assert/strict";
import { test } from "node:test";
import { LEAGUES, leagueOf, parseLeague, periodsOf } from "./leagues.ts";

for (const [text, id] of [
  ["nfl", "nfl"],
  ["NFL", "nfl"],
  [" Worldcup ", "worldcup"],
  ["football/nfl", "nfl"],
  ["Soccer/ENG.1", "epl"],
  ["hockey/ahl", "hockey/ahl"],
  ["soccer/uefa.europa", "soccer/uefa.europa"],
  ["xfl", undefined],
  ["", undefined],
  ["../nfl", undefined],
  ["football/../nfl", undefined],
  ["football/nfl/teams", undefined],
  ["football/nfl?x=1", undefined],
  ["football/nfl#", undefined],
  ["football/.nfl", undefined],
  ["a/b:c", undefined],
] as const) {
  test(`parseLeague("${text}") is ${id}`, () => assert.equal(parseLeague(text), id));
}

test("LEAGUES have ids and paths of their own, and every sport's periods are known", () => {
  assert.equal(new Set(LEAGUES.map(({ id }) => id)).size, 16);
  assert.equal(new Set(LEAGUES.map(({ path }) => path)).size, 16);
  for (const { id, path } of LEAGUES) {
    assert.equal(parseLeague(path), id);
    assert.ok(periodsOf(id) !== null, id);
  }
  assert.deepEqual([periodsOf("ncaam"), periodsOf("mlb"), periodsOf("rugby/1")], [2, 9, null]);
  assert.equal(periodsOf("constructor/1"), null);
  assert.deepEqual(leagueOf("hockey/ahl"), { id: "hockey/ahl", name: "hockey/ahl", path: "hockey/ahl" });
});
