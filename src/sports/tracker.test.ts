import assert from "node:assert/strict";
import { test } from "node:test";
import type { FinalConfirmation, Game, GameEvent, TrackedGame } from "../domain/game.ts";
import { SEQUENCES } from "../testing/game-sequences.ts";
import { eventText, finalGame, gameOf, KICKOFF, liveGame, MINUTE } from "../testing/games.ts";
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

function told(events: readonly GameEvent[]): string[] {
  return events.map(({ type, score }) => eventText(type, score));
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

test("track() rule 10: of an odd look only the times are remembered", () => {
  const odd = liveGame(-3, 7, { period: 2 });
  const before = follow([{ game: liveGame(3, 0), minute: 0 }]).tracked!;
  const seenAt = KICKOFF + MINUTE;
  const { tracked, events } = track(before, odd, { requestedAt: seenAt, receivedAt: seenAt });
  assert.deepEqual([tracked, events], [{ ...before, requestedAt: seenAt, seenAt }, []]);
  assert.equal(follow([{ game: odd, minute: 0 }]).tracked, undefined);
});

test("track() rule 10: an odd look of another source neither ends a game nor keeps that source from it", () => {
  const nhl = (game: Game): Game => ({ ...game, source: "nhl" });
  const { events } = follow([
    { game: liveGame(1, 0), minute: 0 },
    { game: nhl(finalGame(2, -1)), minute: 1 },
    { game: nhl(liveGame(2, -1)), minute: 7 * 60 },
    { game: nhl(liveGame(2, 0)), minute: 7 * 60 + 1 },
    { game: nhl(liveGame(3, 0)), minute: 7 * 60 + 2 },
  ]);
  assert.deepEqual(events.map(told), [[], [], [], [], ["score_changed 3:0"]]);
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

test("track() does not resume a game because another source is late with its end", () => {
  const late = [1, 2, 3, 4, 5].map((minute) => ({ game: liveGame(2, 1), minute: 90 + minute }));
  const { events, tracked } = follow([
    { game: liveGame(2, 1), minute: 0 },
    { game: { ...finalGame(2, 1), source: "nhl" }, minute: 90 },
    ...late,
    { game: finalGame(2, 1), minute: 96 },
  ]);
  assert.deepEqual(told(events.flat()), ["game_ended 2:1"]);
  assert.equal(tracked!.game.source, "espn");
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
