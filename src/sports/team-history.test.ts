import assert from "node:assert/strict";
import { test } from "node:test";
import type { Team } from "../domain/game.ts";
import { gameOf, SEA, SF, teamOf } from "../testing/games.ts";
import { createTeamHistory } from "./team-history.ts";

const game = (home: Team, away: Team) => gameOf({ home: { team: home }, away: { team: away } });

const OAKLAND = teamOf("11", "OAK", "Oakland Athletics", "mlb");
const ATHLETICS = teamOf("11", "ATH", "Athletics", "mlb");
const OTHER = teamOf("12", "SEA", "Seattle Mariners", "mlb");

test("createTeamHistory() knows a renamed team by what it was called before", () => {
  const history = createTeamHistory();
  history.learn(game(OTHER, OAKLAND));
  assert.equal(history.formerly("mlb", "oak"), undefined);
  assert.deepEqual(history.formerNamesOf(OAKLAND), []);
  history.learn(game(OTHER, ATHLETICS));
  for (const text of ["oak", "Oakland Athletics"]) assert.equal(history.formerly("mlb", text), ATHLETICS);
  assert.equal(history.formerly("mlb", "ath"), undefined);
  assert.equal(history.formerly("nfl", "oak"), undefined);
  assert.ok(["mlb:oak", "oak", "Oakland Athletics"].every((name) => history.formerNamesOf(ATHLETICS).includes(name)));
});

test("createTeamHistory() leaves a name to the team that bears it now", () => {
  const history = createTeamHistory();
  history.learn(game(OTHER, OAKLAND));
  history.learn(game(OTHER, ATHLETICS));
  history.learn(game(teamOf("99", "OAK", "Oakland Ballers", "mlb"), ATHLETICS));
  assert.equal(history.formerly("mlb", "oak"), undefined);
  const former = history.formerNamesOf(ATHLETICS);
  assert.ok(!former.includes("oak") && !former.includes("mlb:oak") && former.includes("Oakland Athletics"));
});

test("createTeamHistory() keeps the newest names of a placeholder that changes them often", () => {
  const history = createTeamHistory();
  for (let i = 0; i < 100; i++) history.learn(game(SEA, { ...SF, name: `Winner of ${i}` }));
  assert.equal(history.formerly("nfl", "Winner of 5"), undefined);
  assert.equal(history.formerly("nfl", "Winner of 98")?.name, "Winner of 99");
});
