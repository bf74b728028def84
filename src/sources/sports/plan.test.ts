import assert from "node:assert/strict";
import { test } from "node:test";
import type { Game } from "../../domain/game.ts";
import { finalGame, gameOf, HOUR, KICKOFF, liveGame, MINUTE } from "../../testing/games.ts";
import { nextWaitMs, urgencyOf } from "./plan.ts";

const CASES: readonly (readonly [name: string, games: readonly Game[], at: number, from: number, to: number])[] = [
  ["nothing to come", [], KICKOFF, 1800, 3600],
  ["a game that is played", [liveGame(0, 0)], KICKOFF + HOUR, 15, 30],
  ["half-time", [liveGame(0, 0, { statusName: "HALFTIME" })], KICKOFF + HOUR, 55, 65],
  ["the end of a period", [liveGame(0, 0, { statusName: "END_PERIOD" })], KICKOFF + HOUR, 55, 65],
  ["rain", [liveGame(0, 0, { statusName: "RAIN_DELAY" })], KICKOFF + HOUR, 55, 65],
  ["half-time beside a game", [liveGame(0, 0, { statusName: "HALFTIME" }), liveGame(0, 0)], KICKOFF + HOUR, 15, 30],
  ["a start within two hours", [gameOf()], KICKOFF - HOUR, 270, 330],
  ["a start in two minutes", [gameOf()], KICKOFF - 2 * MINUTE, 125, 130],
  ["a start that is due", [gameOf()], KICKOFF + 5 * MINUTE, 15, 30],
  ["a start that is long due", [gameOf()], KICKOFF + 90 * MINUTE, 270, 330],
  ["a start in 2 h 10 min", [gameOf()], KICKOFF - 130 * MINUTE, 600, 600],
  ["a start tomorrow", [gameOf()], KICKOFF - 24 * HOUR, 1800, 3600],
  ["an open time of day", [gameOf({ timeValid: false })], KICKOFF - MINUTE, 1800, 3600],
  ["a result", [finalGame(1, 0)], KICKOFF + 3 * HOUR, 1800, 3600],
  [
    "half-time, and a start in 30 s",
    [liveGame(0, 0, { statusName: "HALFTIME" }), gameOf()],
    KICKOFF - MINUTE / 2,
    35,
    40,
  ],
];

for (const [name, games, at, from, to] of CASES) {
  test(`nextWaitMs() with ${name} is ${from} to ${to} s`, () => {
    for (const random of [0, 0.5, 0.999]) {
      const seconds = nextWaitMs(games, [], at, () => random) / 1000;
      assert.ok(seconds >= from - 0.001 && seconds <= to + 0.001, `${seconds} s`);
    }
    assert.ok(Math.abs(nextWaitMs(games, [], at, () => 0) / 1000 - from) < 0.001);
  });
}

test("urgencyOf() leaves a game alone that has not begun for hours", () => {
  assert.equal(urgencyOf(gameOf(), KICKOFF + 4 * HOUR), "idle");
});

test("nextWaitMs() heeds a remembered game that is shown as if it had not begun", () => {
  const remembered = [{ game: gameOf(), condition: "delayed" }] as const;
  const seconds = nextWaitMs([gameOf()], remembered, KICKOFF + 4 * HOUR, () => 0.5) / 1000;
  assert.ok(seconds >= 55 && seconds <= 65, `${seconds} s`);
});
