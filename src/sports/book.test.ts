import assert from "node:assert/strict";
import { test } from "node:test";
import type { Game, Scoreboard } from "../domain/game.ts";
import { gameOf, HOUR, KICKOFF, liveGame } from "../testing/games.ts";
import { createBook } from "./book.ts";
import { storedGame } from "./events.ts";

const everyone = () => true;

function board(games: readonly Game[], at = KICKOFF): Scoreboard {
  return { league: "nfl", games, requestedAt: at, receivedAt: at, confirmations: new Map() };
}

test("createBook() remembers only what was kept, and tells again what was not", () => {
  const book = createBook([]);
  book.keep(book.draft(board([gameOf()]), everyone), []);
  const [first] = book.draft(board([liveGame(0, 0)]), everyone);
  const [again] = book.draft(board([liveGame(0, 0)]), everyone);
  assert.deepEqual(again!.events, first!.events);
  assert.equal(book.get("nfl:401547403")!.condition, "scheduled");
  book.keep([again!], []);
  assert.deepEqual(book.draft(board([liveGame(0, 0)]), everyone)[0]!.events, []);
});

test("createBook() goes on from what was stored, and tells how much of that cannot be read", () => {
  const before = createBook([]);
  const drafts = before.draft(board([liveGame(7, 0)]), everyone);
  const damaged = ["", "{", "null", "[]", '{"game":{}}', '{"game":{"id":"1"},"condition":"live"}'];
  const after = createBook([
    ...drafts.map(({ tracked }) => storedGame(tracked)),
    ...damaged.map((json, i) => ({ id: `nfl:${i}`, json })),
  ]);
  assert.equal(after.damaged, damaged.length);
  assert.deepEqual([...after.all()], [drafts[0]!.tracked]);
  const [draft] = after.draft(board([liveGame(14, 0)], KICKOFF + HOUR), everyone);
  assert.deepEqual(
    draft!.events.map(({ type }) => type),
    ["score_changed"],
  );
});

test("createBook() writes a game again only when it changed", () => {
  const book = createBook([]);
  book.keep(book.draft(board([gameOf()]), everyone), []);
  const [same] = book.draft(board([gameOf()], KICKOFF + HOUR), everyone);
  assert.equal(same!.changed, false);
  const [other] = book.draft(board([gameOf({ venue: "Lumen Field" })], KICKOFF + HOUR), everyone);
  assert.equal(other!.changed, true);
});

test("createBook() forgets the games that began first, never those at hand", () => {
  const book = createBook([], 3);
  const games = [4, 1, 3].map((hours) => gameOf({ id: `${hours}`, start: KICKOFF + hours * HOUR }));
  book.keep(book.draft(board(games), everyone), []);
  const drafts = book.draft(
    board([0, 5].map((hours) => gameOf({ id: `${hours}`, start: KICKOFF + hours * HOUR }))),
    everyone,
  );
  const forgotten = book.excess(drafts);
  assert.deepEqual(forgotten, ["nfl:1", "nfl:3"]);
  book.keep(drafts, forgotten);
  assert.deepEqual([...book.all()].map(({ game }) => game.id).sort(), ["0", "4", "5"]);
});

test("createBook() leaves out who is not followed", () => {
  assert.deepEqual(
    createBook([]).draft(board([gameOf()]), () => false),
    [],
  );
});
