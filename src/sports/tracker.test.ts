import assert from "node:assert/strict";
import { test } from "node:test";
import type { FinalConfirmation, Game, GameEvent, TrackedGame } from "../domain/game.ts";
import { finalGame, gameOf, HOUR, KICKOFF, liveGame, MINUTE, teamOf } from "../testing/games.ts";
import { track } from "./tracker.ts";

interface TestLook {
  readonly game: Game;
  /** Minutes after the kick-off. */
  readonly minute: number;
  readonly requestedAt?: number;
  readonly confirmation?: FinalConfirmation;
}

/** Runs looks one after the other, over JSON as a restart after each would, and tells the events of each. */
function follow(looks: readonly TestLook[]): { events: GameEvent[][]; tracked: TrackedGame | undefined } {
  let tracked: TrackedGame | undefined;
  const events: GameEvent[][] = [];
  for (const { game, minute, requestedAt, confirmation } of looks) {
    const receivedAt = KICKOFF + minute * MINUTE;
    const result = track(tracked, game, { requestedAt: requestedAt ?? receivedAt, receivedAt, confirmation });
    tracked = result.tracked && (JSON.parse(JSON.stringify(result.tracked)) as TrackedGame);
    events.push([...result.events]);
  }
  return { events, tracked };
}

/** "score_changed 7:0" */
function told(events: readonly GameEvent[]): string[] {
  return events.map(({ type, score }) => `${type} ${score.home}:${score.away}`);
}

/** Looks half a minute apart from the kick-off on, after a first one an hour before, and what each look tells. */
const SEQUENCES: Record<string, readonly (readonly [Game, ...string[]])[]> = {
  "1: the first look is a baseline, then changes are live": [
    [liveGame(7, 3, { period: 2 })],
    [liveGame(7, 3, { period: 2 })],
    [liveGame(7, 6, { period: 2 }), "score_changed 7:6"],
  ],
  "1: a game first seen after its end tells nothing": [[finalGame(7, 3)], [finalGame(7, 3)]],
  "2: pre, in, post": [
    [gameOf()],
    [liveGame(0, 0), "game_started 0:0"],
    [liveGame(0, 7), "score_changed 0:7"],
    [liveGame(0, 7, { period: 2 }), "period_changed 0:7"],
    [liveGame(0, 7, { period: 2, statusName: "HALFTIME" }), "halftime 0:7"],
    [liveGame(0, 7, { period: 3 }), "period_changed 0:7"],
    [finalGame(0, 7), "game_ended 0:7"],
    [finalGame(0, 7)],
  ],
  "2: a game missed whole": [
    [gameOf()],
    [finalGame(21, 17), "game_started 21:17", "score_changed 21:17", "game_ended 21:17"],
  ],
  "2: a game missed until half-time": [
    [gameOf()],
    [liveGame(1, 0, { statusName: "HALFTIME" }), "game_started 1:0", "score_changed 1:0", "halftime 1:0"],
    [liveGame(1, 0, { statusName: "HALFTIME" })],
    [liveGame(1, 0, { period: 2, statusName: "SECOND_HALF" }), "period_changed 1:0"],
    [liveGame(1, 0, { statusName: "HALFTIME" })],
  ],
  "2: a game first seen in its third period": [
    [gameOf()],
    [liveGame(0, 0, { period: 3 }), "game_started 0:0", "period_changed 0:0"],
  ],
  "3: several points, both sides at once": [
    [liveGame(0, 0)],
    [liveGame(14, 0), "score_changed 14:0"],
    [liveGame(17, 7), "score_changed 17:7"],
  ],
  "3: a score taken back, and given again": [
    [liveGame(7, 0)],
    [liveGame(0, 0), "score_corrected 0:0"],
    [liveGame(7, 0), "score_changed 7:0"],
  ],
  "3: the points of one side go to the other": [[liveGame(7, 0)], [liveGame(0, 7), "score_corrected 0:7"]],
  "3: a final is corrected": [
    [liveGame(20, 21)],
    [finalGame(20, 21), "game_ended 20:21"],
    [finalGame(23, 21), "final_corrected 23:21"],
    [finalGame(23, 21)],
  ],
  "4: one look back before the start is no news": [
    [liveGame(1, 0)],
    [gameOf({ home: { score: null }, away: { score: null } })],
    [liveGame(1, 0)],
    [gameOf()],
    [gameOf()],
    [liveGame(1, 0)],
  ],
  "4: a start that was none, confirmed": [
    [gameOf()],
    [liveGame(0, 0), "game_started 0:0"],
    [gameOf()],
    [gameOf()],
    [gameOf(), "game_delayed 0:0"],
    [gameOf()],
    [liveGame(0, 0), "game_resumed 0:0"],
  ],
  "4: an end that was none, confirmed": [
    [liveGame(3, 0)],
    [finalGame(3, 0), "game_ended 3:0"],
    [liveGame(3, 0)],
    [finalGame(3, 0)],
    [liveGame(3, 0)],
    [liveGame(3, 0)],
    [liveGame(3, 0), "game_resumed 3:0"],
    [finalGame(3, 3), "score_changed 3:3", "game_ended 3:3"],
  ],
  "4: a result does not go away": [
    [finalGame(3, 0)],
    [gameOf()],
    [gameOf()],
    [gameOf()],
    [gameOf()],
    [finalGame(3, 0)],
  ],
  "5: a delay before the start": [
    [gameOf()],
    [gameOf({ statusName: "DELAYED" }), "game_delayed 0:0"],
    [liveGame(0, 0), "game_started 0:0"],
  ],
  "5: rain in the first inning before a pitch, then in the fifth": [
    [gameOf({ period: 1 })],
    [liveGame(0, 0, { statusName: "RAIN_DELAY" }), "game_delayed 0:0"],
    [liveGame(0, 0), "game_started 0:0"],
    [liveGame(0, 1, { period: 5 }), "period_changed 0:1", "score_changed 0:1"],
    [liveGame(0, 1, { period: 5, statusName: "RAIN_DELAY" }), "game_delayed 0:1"],
    [liveGame(0, 1, { period: 5, statusName: "RAIN_DELAY" })],
    [liveGame(0, 1, { period: 5 }), "game_resumed 0:1"],
  ],
  "5: suspended, and resumed on another day": [
    [liveGame(3, 2, { period: 7 })],
    [liveGame(3, 3, { period: 7, phase: "post", statusName: "SUSPENDED" }), "score_changed 3:3", "game_suspended 3:3"],
    [gameOf({ start: KICKOFF + 20 * HOUR }), "game_rescheduled 3:3"],
    [gameOf({ start: KICKOFF + 20 * HOUR })],
    [liveGame(3, 3, { period: 7, start: KICKOFF + 20 * HOUR }), "game_resumed 3:3"],
    [finalGame(4, 3, { period: 9, start: KICKOFF + 20 * HOUR }), "score_changed 4:3", "game_ended 4:3"],
  ],
  "6: postponed, moved, still named so, and played": [
    [gameOf()],
    [gameOf({ phase: "post", statusName: "POSTPONED" }), "game_postponed 0:0"],
    [gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 1440 * HOUR }), "game_rescheduled 0:0"],
    [gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 1440 * HOUR })],
    [gameOf({ start: KICKOFF + 1440 * HOUR }), "game_rescheduled 0:0"],
    [gameOf({ start: KICKOFF + 1440 * HOUR })],
    [liveGame(0, 0, { start: KICKOFF + 1440 * HOUR }), "game_started 0:0"],
  ],
  "6: postponed with its new date at once": [
    [gameOf()],
    [
      gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 48 * HOUR }),
      "game_postponed 0:0",
      "game_rescheduled 0:0",
    ],
  ],
  "6: called off, whatever its name says of completion": [
    [gameOf()],
    [gameOf({ phase: "post", completed: true, statusName: "CANCELED" }), "game_canceled 0:0"],
    [gameOf({ phase: "post", completed: true, statusName: "CANCELED" })],
  ],
  "6: abandoned while it was played": [
    [liveGame(2, 0)],
    [liveGame(2, 0, { phase: "post", statusName: "ABANDONED" }), "game_canceled 0:0"],
  ],
  "6: washed out, and begun anew on another day": [
    [liveGame(2, 0)],
    [gameOf({ start: KICKOFF + 24 * HOUR }), "game_rescheduled 0:0"],
    [liveGame(0, 0, { start: KICKOFF + 24 * HOUR }), "game_started 0:0"],
  ],
  "7: ends of periods are no ends": [
    [liveGame(20, 20, { period: 4 })],
    [liveGame(20, 20, { period: 4, statusName: "END_PERIOD" })],
    [liveGame(20, 20, { period: 4, statusName: "END_OF_REGULATION" })],
    [liveGame(20, 20, { period: 5, statusName: "OVERTIME" }), "period_changed 20:20"],
    [liveGame(1, 1, { period: 5, statusName: "SHOOTOUT" }), "score_corrected 1:1"],
    [finalGame(1, 1, { period: 5, statusName: "FINAL_PEN" }), "game_ended 1:1"],
  ],
  "9: another way to write the same moment is no news; a new one is": [
    [gameOf()],
    [gameOf({ start: KICKOFF })],
    [gameOf({ start: KICKOFF + 15 * MINUTE }), "game_rescheduled 0:0"],
  ],
  "9: placeholders become teams, and an open time is set": [
    [gameOf({ home: { team: teamOf("900", "RD32", "Round of 32") }, timeValid: false })],
    [gameOf({ timeValid: false }), "game_scheduled 0:0"],
    [gameOf({ timeValid: false, start: KICKOFF + HOUR })],
    [gameOf({ start: KICKOFF + HOUR }), "game_scheduled 0:0"],
    [gameOf({ timeValid: false, start: KICKOFF + 48 * HOUR }), "game_rescheduled 0:0"],
  ],
  "10: looks that contradict themselves are no news": [
    [liveGame(7, 0)],
    [liveGame(9, 9, { statusName: "SCHEDULED" })],
    [liveGame(9, 9, { statusName: "FINAL" })],
    [liveGame(9, 9, { completed: true })],
    [finalGame(9, 9, { completed: false })],
    [finalGame(9, 9, { statusName: "SCHEDULED" })],
    [gameOf({ statusName: "FINAL" })],
    [liveGame(9, 9, { phase: null })],
    [liveGame(9, 9, { phase: "post", completed: false, statusName: "CUT" })],
    [liveGame(0, 0, { home: { score: null }, away: { score: null }, period: null, clock: null })],
    [liveGame(7, 0)],
  ],
  "10: names never seen before follow phase and completion": [
    [gameOf({ statusName: "WARMING_UP" })],
    [liveGame(0, 0, { statusName: "THIRD_HALF" }), "game_started 0:0"],
    [finalGame(0, 0, { statusName: null }), "game_ended 0:0"],
  ],
  "10: a provider that swaps the sides": [
    [liveGame(7, 3)],
    [swapped(liveGame(7, 3))],
    [swapped(liveGame(14, 3)), "score_changed 14:3"],
  ],
};

function swapped(game: Game): Game {
  return { ...game, home: game.away, away: game.home };
}

for (const [name, looks] of Object.entries(SEQUENCES)) {
  test(`track() rule ${name}`, () => {
    const { events } = follow(looks.map(([game], i) => ({ game, minute: i === 0 ? -60 : i / 2 })));
    assert.deepEqual(
      events.map(told),
      looks.map(([, ...expected]) => expected),
    );
    const all = events.flat();
    assert.deepEqual(
      all.map(({ sequence }) => sequence),
      all.map((_, i) => i + 1),
    );
    assert.equal(new Set(all.map(({ id }) => id)).size, all.length);
  });
}

test("track() begins with a look that is clear", () => {
  const { tracked } = follow([{ game: liveGame(1, 0, { statusName: "SCHEDULED" }), minute: 0 }]);
  assert.equal(tracked, undefined);
});

test("track() says who scored, from what, and by which play", () => {
  const lastPlay = { text: "Kittle 12 yd pass from Purdy", teamId: "25" };
  const { events } = follow([
    { game: liveGame(3, 0), minute: 0 },
    { game: liveGame(3, 7, { lastPlay }), minute: 1 },
    { game: liveGame(10, 14), minute: 2 },
  ]);
  const [changed, both] = events.flat();
  assert.deepEqual(changed!.previousScore, { home: 3, away: 0 });
  assert.deepEqual(changed!.details, { home_diff: 0, away_diff: 7, scored: "away" });
  assert.equal(changed!.game.lastPlay?.text, lastPlay.text);
  assert.deepEqual(both!.details, { home_diff: 7, away_diff: 7, scored: "both" });
});

test("track() rule 7: the winner is the provider's, else the shoot-out's, else the score's", () => {
  const winnerOf = (game: Game) =>
    follow([
      { game: gameOf(), minute: -1 },
      { game, minute: 1 },
    ])
      .events.flat()
      .at(-1);
  const level = finalGame(1, 1, { statusName: "FINAL_PEN", home: { shootoutScore: 2 }, away: { shootoutScore: 4 } });
  assert.equal(winnerOf(level)!.details.winner, "away");
  assert.equal(winnerOf(finalGame(1, 1, { home: { winner: true } }))!.details.winner, "home");
  assert.equal(winnerOf(finalGame(1, 2, { home: { winner: false }, away: { winner: true } }))!.details.winner, "away");
  assert.equal(winnerOf(finalGame(2, 1))!.details.winner, "home");
  assert.equal(winnerOf(finalGame(1, 1))!.details.winner, null);
});

test("track() rule 4: time alone or looks alone confirm nothing", () => {
  const quick = [0, 0.1, 0.2, 0.3, 0.4].map((minute) => ({ game: gameOf(), minute: 1 + minute }));
  const { events, tracked } = follow([{ game: liveGame(1, 0), minute: 0 }, ...quick]);
  assert.deepEqual(events.flat(), []);
  assert.equal(tracked!.condition, "live");
  const slow = [1, 5].map((minute) => ({ game: gameOf(), minute }));
  assert.deepEqual(follow([{ game: liveGame(1, 0), minute: 0 }, ...slow]).events.flat(), []);
});

test("track() rule 11: a change detected twice has the same ids, another one others", () => {
  const stored = follow([{ game: gameOf(), minute: -1 }]).tracked;
  const look = (minute: number) => ({ requestedAt: KICKOFF + minute * MINUTE, receivedAt: KICKOFF + minute * MINUTE });
  const ids = (game: Game, minute: number) => track(stored, game, look(minute)).events.map(({ id }) => id);
  assert.deepEqual(ids(liveGame(7, 0), 3), ids(liveGame(7, 0, { clock: "9:00" }), 4));
  assert.notDeepEqual(ids(liveGame(7, 0), 3), ids(liveGame(7, 3), 3));
  assert.notDeepEqual(ids(liveGame(7, 0), 3), ids({ ...liveGame(7, 0), league: "ncaaf" }, 3));
});

test("track() rule 12: a gap shorter than a game tells once what changed, a longer one only the end", () => {
  const live = { game: liveGame(0, 7), minute: 20 };
  const short = follow([live, { game: liveGame(10, 14, { period: 4 }), minute: 150 }]);
  assert.deepEqual(told(short.events.flat()), ["period_changed 10:14", "score_changed 10:14"]);
  const long = follow([live, { game: finalGame(10, 14), minute: 20 + 7 * 60 }]);
  assert.deepEqual(told(long.events.flat()), ["game_ended 10:14"]);
  const late = follow([
    { game: gameOf(), minute: -9000 },
    { game: finalGame(10, 14), minute: 2000 },
  ]);
  assert.deepEqual(told(late.events.flat()), ["game_ended 10:14"]);
});

test("track() rule 12: a start just missed after a long sleep is told", () => {
  const { events } = follow([
    { game: gameOf(), minute: -9000 },
    { game: liveGame(0, 0), minute: 5 },
  ]);
  assert.deepEqual(told(events.flat()), ["game_started 0:0"]);
});

test("track() rule 3: a final is not corrected days later", () => {
  const ended = [
    { game: liveGame(1, 0), minute: 0 },
    { game: finalGame(1, 0), minute: 90 },
  ];
  const later = (minutes: number) => follow([...ended, { game: finalGame(3, 0), minute: 90 + minutes }]).events[2]!;
  assert.deepEqual(told(later(23 * 60)), ["final_corrected 3:0"]);
  assert.deepEqual(later(25 * 60), []);
});

test("track() rule 13: a slow reply that was asked for earlier changes nothing", () => {
  const { events, tracked } = follow([
    { game: liveGame(0, 0), minute: 0 },
    { game: liveGame(7, 0), minute: 2 },
    { game: liveGame(0, 0), minute: 3, requestedAt: KICKOFF + MINUTE },
  ]);
  assert.deepEqual(told(events.flat()), ["score_changed 7:0"]);
  assert.deepEqual(tracked!.score, { home: 7, away: 0 });
});

test("track() rule 14: a clock that was set back does not stop anything", () => {
  const { events } = follow([
    { game: liveGame(0, 0), minute: 100 },
    { game: liveGame(7, 0), minute: 40 },
    { game: finalGame(7, 0), minute: 41 },
  ]);
  assert.deepEqual(told(events.flat()), ["score_changed 7:0", "game_ended 7:0"]);
});

test("track() never mixes the scores of two sources within a game", () => {
  const nhl = (game: Game): Game => ({ ...game, source: "nhl" });
  const mixed = follow([
    { game: liveGame(1, 0), minute: 0 },
    { game: nhl(liveGame(2, 0)), minute: 1 },
    { game: nhl(gameOf()), minute: 2 },
    { game: nhl(finalGame(2, 1)), minute: 3 },
  ]);
  assert.deepEqual(told(mixed.events.flat()), ["game_ended 2:1"]);
  const fromStart = follow([
    { game: gameOf(), minute: -5 },
    { game: nhl(liveGame(0, 0)), minute: 1 },
    { game: liveGame(1, 1), minute: 2 },
    { game: nhl(liveGame(1, 0)), minute: 3 },
  ]);
  assert.deepEqual(told(fromStart.events.flat()), ["game_started 0:0", "score_changed 1:0"]);
});

test("track() tells whether another source confirms a final", () => {
  const confirmation: FinalConfirmation = { source: "nhl", agrees: true, score: { home: 2, away: 1 } };
  const { events } = follow([
    { game: liveGame(2, 1), minute: 0 },
    { game: finalGame(2, 1), minute: 1, confirmation },
  ]);
  const { winner, confirmed, confirmed_by } = events.flat()[0]!.details;
  assert.deepEqual([winner, confirmed, confirmed_by], ["home", true, "nhl"]);
});
