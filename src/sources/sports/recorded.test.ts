import assert from "node:assert/strict";
import { test } from "node:test";
import type { TrackedGame } from "../../domain/game.ts";
import { microsFromIso } from "../../lib/time.ts";
import { track } from "../../sports/tracker.ts";
import { eventText } from "../../testing/games.ts";
import { recording, recordings, recordingsAbsent } from "../../testing/recorded-sports.ts";
import { parseGame, parseGames, parseTeam, parseTeams } from "./espn-games.ts";
import { parseNhlScores } from "./nhl-games.ts";

/** Without the recordings the test is there and says why it does not run. */
function recordedTest(name: string, run: () => void): void {
  test(name, (t) => (recordingsAbsent ? t.skip(recordingsAbsent) : run()));
}

/** Recorded polls through parser and tracker; what each tells, e.g. "EGY@AUS game_started 0:1". */
function replay(folder: string): string[][] {
  const tracked = new Map<string, TrackedGame>();
  return recordings(folder).map((file) => {
    const [, date, hours, minutes, seconds] = /_(\d{4}-\d\d-\d\d)T(\d\d)(\d\d)(\d\d)Z/.exec(file)!;
    const at = microsFromIso(`${date}T${hours}:${minutes}:${seconds}Z`);
    return parseGames("worldcup", recording(file))!.games.flatMap((game) => {
      const result = track(tracked.get(game.id), game, { requestedAt: at, receivedAt: at });
      if (result.tracked) tracked.set(game.id, result.tracked);
      return result.events.map(
        ({ type, score }) => `${game.away.team.abbreviation}@${game.home.team.abbreviation} ${eventText(type, score)}`,
      );
    });
  });
}

recordedTest("recorded answers: every file is taken by every parser without throwing", () => {
  const files = recordings();
  assert.ok(files.length >= 48);
  for (const file of files) {
    const answer = recording(file);
    parseGames("nfl", answer);
    parseGame("nfl", answer);
    parseTeams("nfl", answer);
    parseTeam("nfl", answer);
    parseNhlScores(answer);
  }
});

recordedTest("recorded answers: an evening of the World Cup", () => {
  assert.deepEqual(replay("seq_soccer_worldcup_2026-07-03"), [
    [],
    ["EGY@AUS game_started 0:1", "EGY@AUS score_changed 0:1"],
    ["EGY@AUS period_changed 1:1", "EGY@AUS score_changed 1:1"],
    ["EGY@AUS game_ended 1:1"],
    ["CPV@ARG game_started 1:0", "CPV@ARG score_changed 1:0", "CPV@ARG halftime 1:0"],
    ["CPV@ARG period_changed 1:1", "CPV@ARG score_changed 1:1"],
    [
      "CPV@ARG score_changed 3:2",
      "CPV@ARG game_ended 3:2",
      "GHA@COL game_started 1:0",
      "GHA@COL score_changed 1:0",
      "GHA@COL halftime 1:0",
    ],
    ["GHA@COL game_ended 1:0"],
  ]);
});

recordedTest("recorded answers: four polls after the last game tell nothing", () => {
  assert.deepEqual(replay("seq_soccer_quiet_2026-08-20"), [[], [], [], []]);
});

recordedTest("recorded answers: games that vanish with the day have not ended", () => {
  assert.deepEqual(replay("seq_soccer_day_rollover_2026-07-01"), [
    [],
    [],
    ["COD@ENG game_started 2:1", "COD@ENG score_changed 2:1", "COD@ENG game_ended 2:1"],
  ]);
});

interface Expected {
  readonly id: string;
  readonly phase: string | null;
  readonly completed: boolean;
  readonly statusName: string | null;
  readonly period: number | null;
  readonly score: readonly [home: number | null, away: number | null];
}

const SHOWN: readonly (readonly [file: string, league: string, games: number, skipped: number, Expected])[] = [
  [
    "nfl_scoreboard_mixed_2022-09-11.json",
    "nfl",
    10,
    0,
    { id: "401437647", phase: "in", completed: false, statusName: "IN_PROGRESS", period: 4, score: [19, 10] },
  ],
  [
    "mlb_scoreboard_live_postponed_2025-06-04.json",
    "mlb",
    7,
    0,
    { id: "401695827", phase: "post", completed: false, statusName: "POSTPONED", period: 1, score: [0, 0] },
  ],
  [
    "soccer_team_schedule_score_objects.json",
    "mls",
    5,
    0,
    { id: "761499", phase: "post", completed: true, statusName: "FULL_TIME", period: 2, score: [2, 1] },
  ],
  [
    "nhl_scoreboard_live_finalot_2022-09-25.json",
    "nhl",
    6,
    0,
    { id: "401461562", phase: "post", completed: true, statusName: "FINAL", period: 4, score: [3, 2] },
  ],
];

for (const [file, league, count, skipped, expected] of SHOWN) {
  recordedTest(`recorded answers: ${file}`, () => {
    const parsed = parseGames(league, recording(file))!;
    assert.deepEqual([parsed.games.length, parsed.skipped], [count, skipped]);
    const game = parsed.games.find(({ id }) => id === expected.id)!;
    const { id, phase, completed, statusName, period } = game;
    assert.deepEqual({ id, phase, completed, statusName, period, score: [game.home.score, game.away.score] }, expected);
  });
}

recordedTest("recorded answers: a race is left out, its poll is not", () => {
  assert.deepEqual(parseGames("nascar", recording("nascar_scoreboard_pre_athletes.json")), { games: [], skipped: 1 });
});

recordedTest("recorded answers: a doubleheader is two games", () => {
  const { games } = parseGames("mlb", recording("mlb_scoreboard_doubleheader_2022-09-17.json"))!;
  const both = games.filter(({ home }) => home.team.abbreviation === "CLE");
  assert.deepEqual(
    both.map(({ id, phase }) => [id, phase]),
    [
      ["401423263", "post"],
      ["401356377", "pre"],
    ],
  );
});

recordedTest("recorded answers: the last goal, a shoot-out, a win probability", () => {
  const shootout = parseGames("worldcup", recording(recordings("seq_soccer_worldcup_2026-07-03")[3]!))!.games[0]!;
  assert.deepEqual([shootout.home.shootoutScore, shootout.away.shootoutScore, shootout.away.winner], [2, 4, true]);
  assert.match(shootout.lastPlay!.text, /^120' Penalty - Scored /);
  const nba = parseGame("nba", recording("nba_event_halftime.json"))!;
  assert.equal(nba.homeWinProbability, 0.978);
  assert.deepEqual(nba.lastPlay?.text, "End of the 2nd Quarter");
});

recordedTest("recorded answers: NHL's own scores", () => {
  const games = parseNhlScores(recording("nhl_official_score_2023-11-08.json"))!;
  assert.deepEqual(
    games.map(({ home, away, phase, completed, period }) => [away, home, phase, completed, period]),
    [
      [{ abbreviation: "OTT", score: 6 }, { abbreviation: "TOR", score: 3 }, "post", true, 3],
      [{ abbreviation: "FLA", score: 4 }, { abbreviation: "WSH", score: 3 }, "post", true, 4],
      [{ abbreviation: "LAK", score: 4 }, { abbreviation: "VGK", score: 1 }, "post", true, 3],
    ],
  );
});
