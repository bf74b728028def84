import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Game, Score } from "../domain/game.ts";
import type { TeamName } from "../domain/team-names.ts";
import { silentLog } from "../lib/log.ts";
import { createScoreSource } from "../sources/sports/score-source.ts";
import { startFakeScoreboard } from "../testing/fake-scoreboard.ts";
import { SEQUENCES } from "../testing/game-sequences.ts";
import { eventText, finalGame, liveGame, SEA, SF, teamOf } from "../testing/games.ts";
import { startReceiver } from "../webhooks/testing.ts";
import { openWebhooks } from "../webhooks/webhooks.ts";
import { FOLLOWED_MAX } from "./followed.ts";
import { createSports, type Sports } from "./sports.ts";
import { followTeamsOf } from "./webhook-teams.ts";

/** The whole way: a scoreboard over HTTP, the tracker, the real outbox on disk, a receiver over HTTP. */

const NFL = "football/nfl";
const log = silentLog();

async function until(holds: () => boolean, what: () => string): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, what());
    await sleep(5);
  }
}

async function setup(t: TestContext, configured: readonly TeamName[] = [{ league: "nfl", text: "*" }]) {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-games-"));
  const board = await startFakeScoreboard();
  const receiver = await startReceiver();
  const open = () =>
    openWebhooks({
      directory,
      settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "NORMAL" },
      allow: [`127.0.0.1:${receiver.port}`],
      retrySeconds: [1],
      timeoutSeconds: 5,
      version: "1",
      log,
    });
  let webhooks = await open();
  let sports: Sports | undefined;
  const samples = { series: () => 0, last: () => undefined, append: () => undefined };

  /** Begins as after a start of the program. */
  async function start(): Promise<void> {
    if (sports) {
      await sports.close();
      await webhooks.close();
      webhooks = await open();
    }
    const source = createScoreSource({ baseUrl: board.baseUrl, userAgent: null, version: "1", pollSeconds: 0.01, log });
    sports = await createSports({ source, outbox: webhooks, samples, configured, log });
  }

  await start();
  t.after(async () => {
    await sports?.close();
    await webhooks.close();
    await board[Symbol.asyncDispose]();
    await receiver.close();
    rmSync(directory, { recursive: true });
  });
  return {
    board,
    receiver,
    webhooks: () => webhooks,
    sports: () => sports!,
    start,
    /** A whole round that began after this call. */
    async round() {
      const before = sports!.status().counters.scoreboards!;
      await until(
        () => sports!.status().counters.scoreboards! >= before + 2,
        () => JSON.stringify(sports!.status()),
      );
    },
  };
}

/** Those that need no minutes to be believed. */
const REPLAYED = Object.entries(SEQUENCES).filter(([name]) => !name.includes("confirmed"));
const STEPS = Math.max(...REPLAYED.map(([, looks]) => looks.length));

function gamesAt(step: number): Game[] {
  return REPLAYED.map(([, looks], i) => ({ ...(looks[step] ?? looks.at(-1)!)[0], id: `${1000 + i}` }));
}

for (const restartAt of [null, 2, 4]) {
  test(`whole games reach a receiver, each event once and in order${restartAt === null ? "" : `, over a restart at look ${restartAt}`}`, async (t) => {
    const { board, receiver, webhooks, start, round } = await setup(t);
    await webhooks().register({
      url: receiver.url,
      events: ["game_*", "score_*", "period_changed", "halftime", "final_corrected"],
    });
    for (let step = 0; step < STEPS; step++) {
      board.show(NFL, gamesAt(step));
      await round();
      if (step === restartAt) await start();
    }
    const expected = REPLAYED.map(([, looks]) => looks.flatMap(([, ...told]) => told));
    const told = () => REPLAYED.map((_, i) => eventsOf(receiver.received, `${1000 + i}`));
    const total = expected.flat().length;
    await until(
      () => receiver.received.length >= total,
      () => `${receiver.received.length} of ${total} arrived`,
    );
    await round();
    assert.deepEqual(
      Object.fromEntries(REPLAYED.map(([name], i) => [name, told()[i]])),
      Object.fromEntries(REPLAYED.map(([name], i) => [name, expected[i]])),
    );
  });
}

test("a webhook that names a team follows it until it is deleted", async (t) => {
  const { board, receiver, webhooks, sports } = await setup(t, []);
  board.showTeams(NFL, [SF, SEA]);
  const teams = followTeamsOf(webhooks(), sports(), log);
  assert.deepEqual(sports().status().leagues, []);
  const { webhook } = await teams.register({ url: receiver.url, events: ["score_changed"], team: "sf" });
  board.show(NFL, [liveGame(0, 0)]);
  await until(
    () => [...sports().games()].length === 1,
    () => "the game is not followed",
  );
  board.show(NFL, [liveGame(0, 7)]);
  await receiver.has(1);
  await teams.update(webhook.id, { team: "nfl-sea" });
  await teams.delete(webhook.id);
  await until(
    () => sports().status().leagues.length === 0,
    () => "the team is still followed",
  );
});

for (const restarts of [false, true]) {
  test(`a webhook goes on to hear of its team when that is renamed${restarts ? ", over a restart" : ""}`, async (t) => {
    const { board, receiver, webhooks, sports, start, round } = await setup(t, []);
    const renamed = teamOf(SF.id, "SAN", "San Jose Gold");
    board.showTeams(NFL, [SF, SEA]);
    board.show(NFL, [finalGame(3, 0, { id: "1" }), liveGame(0, 0)]);
    const { webhook } = await followTeamsOf(webhooks(), sports(), log).register({
      url: receiver.url,
      events: ["score_changed"],
      team: "nfl:sf",
    });
    await until(
      () => [...sports().games()].length === 2,
      () => "the games are not followed",
    );
    board.showTeams(NFL, [renamed, SEA]);
    board.show(NFL, [liveGame(0, 7, { away: { team: renamed } })]);
    await receiver.has(1);
    if (restarts) {
      await start();
      followTeamsOf(webhooks(), sports(), log);
      await round();
    }
    board.show(NFL, [liveGame(0, 14, { away: { team: renamed } })]);
    await receiver.has(2);
    assert.equal((await sports().team("sf", "nfl")).id, SF.id);
    assert.equal((await webhooks().get(webhook.id)).team, "nfl:sf");
  });
}

test("followTeamsOf() asks again for teams that the source could not be asked about", async (t) => {
  const { receiver, webhooks, sports } = await setup(t, []);
  const asked: number[] = [];
  // None is there, then the new one while the source is down, then the source is back.
  const answers = [true, false, true];
  const watch = async (teams: readonly unknown[]) => asked.push(teams.length) > 0 && answers.shift()!;
  const teams = followTeamsOf(webhooks(), { ...sports(), watch }, log, { againMs: 10 });
  await until(
    () => asked.length === 1,
    () => "it did not ask at the start",
  );
  await teams.register({ url: receiver.url, events: ["score_changed"], team: "sf" });
  await until(
    () => answers.length === 0,
    () => "it did not ask again",
  );
  assert.deepEqual(asked, [0, 1, 1]);
});

test("followTeamsOf() follows each team once, however many webhooks name it, and warns where there are too many", async (t) => {
  const { board, receiver, webhooks, sports } = await setup(t, []);
  board.showTeams(NFL, [SF, SEA]);
  let asked: readonly { readonly team: string }[] = [];
  const watch = async (teams: typeof asked) => {
    asked = teams;
    return true;
  };
  const teams = followTeamsOf(webhooks(), { ...sports(), watch }, log);
  const register = (team: string) => teams.register({ url: receiver.url, events: ["score_changed"], team });
  await Promise.all(Array.from({ length: FOLLOWED_MAX }, () => register("nfl:sea")));
  assert.equal((await register("nfl:sf")).warning, null);
  await until(
    () => asked.length === 2,
    () => `it asks for ${asked.length} teams`,
  );
  assert.deepEqual(asked.map(({ team }) => team).sort(), ["nfl:sea", "nfl:sf"]);

  const more = Array.from({ length: FOLLOWED_MAX - 2 }, (_, i) => register(`hockey/ahl:team ${i}`));
  assert.ok((await Promise.all(more)).every(({ warning }) => warning === null));
  assert.match((await register("nfl:49ers")).warning!, /200 teams already/);
  assert.equal((await register("NFL:SF")).warning, null);
});

test("followTeamsOf() refuses leagues that there are not, and warns of teams that are not there yet", async (t) => {
  const { board, receiver, webhooks, sports } = await setup(t, []);
  board.showTeams(NFL, [SF, SEA]);
  const teams = followTeamsOf(webhooks(), sports(), log);
  const register = (more: object) => teams.register({ url: receiver.url, events: ["game_*"], ...more });
  for (const [more, message] of [
    [{ league: "nope" }, /no league "nope": known are nfl, /],
    [{ team: "nope:sf" }, /no league "nope"/],
    [{ team: "nba:sf", league: "nfl" }, /"nba:sf" is not of league "nfl"/],
  ] as const) {
    await assert.rejects(register(more), { code: "invalid", message });
  }
  assert.deepEqual(await webhooks().list(), []);

  assert.match((await register({ league: "NFL" })).warning!, /nobody follows a team of league "nfl"/);
  const { webhook, warning } = await register({ league: "football/nfl", team: "football/nfl:sf" });
  assert.deepEqual([webhook.league, webhook.team, warning], ["nfl", "nfl:sf", null]);
  await until(
    () => sports().followedLeagues().length === 1,
    () => "the team is not followed",
  );
  assert.equal((await register({ league: "nfl" })).warning, null);
  assert.equal((await register({ team: "nfl:xyz" })).warning, 'Cannot find one team "xyz" in league "nfl"');
  // The source cannot be asked, which says nothing of the team.
  assert.equal((await register({ team: "epl:xyz" })).warning, null);

  await assert.rejects(teams.update(webhook.id, { league: "nba" }), { code: "invalid", message: /"nfl:sf" is not of/ });
  assert.equal((await teams.update(webhook.id, { description: "x", league: null })).webhook.league, null);
});

function eventsOf(received: readonly { readonly json: Readonly<Record<string, unknown>> }[], gameId: string): string[] {
  const ids = new Set<unknown>();
  return received.flatMap(({ json }) => {
    // Delivery is at least once; the id tells the second time from the first.
    if (json.game_id !== gameId || ids.has(json.id)) return [];
    ids.add(json.id);
    return [eventText(`${json.event}`, json.score as Score | null)];
  });
}
