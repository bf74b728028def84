import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { SourceFailure } from "../domain/game.ts";
import type { StoredTeam } from "../domain/webhook.ts";
import { upgrade } from "../lib/migrate.ts";
import { gameOf, SEA, SF } from "../testing/games.ts";
import { webhookMigrations } from "../webhooks/database.ts";
import { openSportsRows } from "../webhooks/sports-rows.ts";
import { createFollowed, FOLLOWED_MAX } from "./followed.ts";

const nothing = {
  formerly: () => undefined,
  stored: [],
  configured: [],
  teams: async () => [SF, SEA],
  save: async () => undefined,
};

test("createFollowed() keeps the whole list, one change after the other", async () => {
  const saved: (readonly StoredTeam[])[] = [];
  const followed = createFollowed({ ...nothing, save: async (teams) => void saved.push(teams) });
  await Promise.all([
    followed.follow({ league: "nfl", text: "sf" }),
    followed.follow({ league: "nfl", text: "sea" }),
    followed.follow({ league: "nfl", text: "49ers" }),
  ]);
  assert.deepEqual(
    saved
      .at(-1)!
      .map(({ id }) => id)
      .sort(),
    ["nfl:25", "nfl:26"],
  );
  const again = createFollowed({ ...nothing, stored: saved.at(-1)! });
  assert.deepEqual(again.list(), followed.list());
});

test("createFollowed() goes on with a team of the configuration that is followed by hand as well, and says so", async () => {
  const followed = createFollowed({ ...nothing, configured: [{ league: "nfl", text: "sf" }] });
  followed.resolveAll("nfl", [SF, SEA]);
  assert.equal((await followed.follow({ league: "nfl", text: "49ers" })).configured, true);
  assert.equal((await followed.follow({ league: "nfl", text: "sea" })).configured, false);
  await assert.rejects(() => followed.unfollow({ league: "nfl", text: "sf" }), { code: "conflict" });
  assert.equal(await followed.unfollow({ league: "nfl", text: "sea" }), true);
});

test("createFollowed() changes nothing that the disk refuses, and goes on", async () => {
  let broken = true;
  const save = async () => {
    if (broken) throw new Error("disk full");
  };
  const followed = createFollowed({ ...nothing, save });
  await assert.rejects(() => followed.follow({ league: "nfl", text: "sf" }), /disk full/);
  assert.deepEqual(followed.list(), []);
  broken = false;
  await followed.follow({ league: "nfl", text: "sf" });
  assert.equal(followed.list().length, 1);
});

test("createFollowed() follows so many teams and no more", async () => {
  const unknown = async () => {
    throw new SourceFailure("down", "down");
  };
  const followed = createFollowed({ ...nothing, teams: unknown });
  for (let i = 0; i < FOLLOWED_MAX; i++) await followed.follow({ league: "nfl", text: `team ${i}` });
  await assert.rejects(() => followed.follow({ league: "nfl", text: "one more" }), { code: "invalid" });
  await followed.follow({ league: "nfl", text: "team 7" });
});

test("createFollowed() keeps one of two names that turn out to be one team, and goes on with changes", async () => {
  using database = new DatabaseSync(":memory:");
  upgrade(database, webhookMigrations());
  const rows = openSportsRows(database);
  const down = async () => {
    throw new SourceFailure("down", "down");
  };
  const followed = createFollowed({ ...nothing, teams: down, save: async (teams) => rows.saveTeams(teams) });
  for (const text of ["sf", "49ers"]) await followed.follow({ league: "nfl", text });
  followed.resolveAll("nfl", [SF, SEA]);
  await followed.follow({ league: "nfl", text: "26" });
  assert.deepEqual(
    rows.teams().map(({ id }) => id),
    ["nfl:25", "nfl:26"],
  );
  assert.equal(await followed.unfollow({ league: "nfl", text: "sf" }), true);
  assert.deepEqual(
    followed.list().map(({ text }) => text),
    ["26"],
  );
});

test("createFollowed() leaves out stored teams that cannot be read", () => {
  const stored = ["", "null", "{}", '{"league":"nfl"}'].map((json, i) => ({ id: `${i}`, json }));
  assert.deepEqual(createFollowed({ ...nothing, stored }).list(), []);
});

test("createFollowed() does not take a team of one league for one of another", () => {
  const followed = createFollowed({ ...nothing, configured: [{ league: "mlb", text: "sf" }] });
  assert.equal(followed.follows(gameOf()), false);
  followed.watch([{ league: "nfl", text: "sf", team: null }]);
  assert.equal(followed.follows(gameOf()), true);
  followed.watch([]);
  assert.equal(followed.follows(gameOf()), false);
});
