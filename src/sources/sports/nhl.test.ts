import assert from "node:assert/strict";
import { test } from "node:test";
import type { Game } from "../../domain/game.ts";
import { conditionOf } from "../../domain/game-condition.ts";
import { startFakeScoreboard } from "../../testing/fake-scoreboard.ts";
import { gameOf, KICKOFF, teamOf } from "../../testing/games.ts";
import { createNhl } from "./nhl.ts";
import { createScoreRequests } from "./requests.ts";

const TAMPA = teamOf("20", "TB", "Tampa Bay Lightning", "nhl");
const BOSTON = teamOf("1", "BOS", "Boston Bruins", "nhl");
const GAME = gameOf({ league: "nhl", id: "401", home: { team: BOSTON }, away: { team: TAMPA } });
const NEVER = new AbortController().signal;

/** As the league's API has it, which calls Tampa TBL. */
function official(state: string, home: number, away: number, more: object = {}) {
  return {
    id: 2026020190,
    gameState: state,
    gameScheduleState: "OK",
    startTimeUTC: new Date(KICKOFF / 1000 + 7 * 60_000).toISOString(),
    homeTeam: { abbrev: "BOS", score: home },
    awayTeam: { abbrev: "TBL", score: away },
    period: 3,
    periodDescriptor: { number: 3, periodType: "REG" },
    clock: { timeRemaining: "00:41", running: true, inIntermission: false },
    ...more,
  };
}

async function look(games: readonly unknown[]): Promise<Game | undefined> {
  await using board = await startFakeScoreboard();
  board.showNhl("2026-11-29", { games });
  const nhl = createNhl(createScoreRequests({ userAgent: "test" }), board.nhlBaseUrl);
  const found = await nhl.look([GAME], "2026-11-29", NEVER);
  assert.equal(board.asked[0]!.path, "/nhl/score/2026-11-29");
  return found[0];
}

test("createNhl() answers under the ids of the first source, and keeps its start", async () => {
  const game = (await look([official("LIVE", 2, 1)]))!;
  assert.deepEqual([game.id, game.source, game.start], ["401", "nhl", KICKOFF]);
  assert.deepEqual([game.home.team, game.home.score, game.away.team, game.away.score], [BOSTON, 2, TAMPA, 1]);
  assert.deepEqual([game.period, game.clock], [3, "00:41"]);
});

for (const [state, condition] of [
  ["FUT", "scheduled"],
  ["PRE", "scheduled"],
  ["LIVE", "live"],
  ["CRIT", "live"],
  ["OVER", "live"],
  ["FINAL", "final"],
  ["OFF", "final"],
  ["NEW", "unclear"],
  ["constructor", "unclear"],
] as const) {
  test(`createNhl() takes ${state} for ${condition}`, async () => {
    assert.equal(conditionOf((await look([official(state, 2, 1)]))!), condition);
  });
}

test("createNhl() tells a postponed game, and none that it does not have or has twice", async () => {
  assert.equal(conditionOf((await look([official("FUT", 0, 0, { gameScheduleState: "PPD" })]))!), "postponed");
  assert.equal(await look([]), undefined);
  assert.equal(await look([official("LIVE", 1, 0, { awayTeam: { abbrev: "BUF", score: 0 } })]), undefined);
  assert.equal(await look([official("LIVE", 1, 0, { startTimeUTC: "2026-12-05T00:00:00Z" })]), undefined);
  assert.equal(await look([official("LIVE", 1, 0), official("LIVE", 2, 0)]), undefined);
  assert.equal(await look([null, 5, {}, { homeTeam: {} }]), undefined);
});
