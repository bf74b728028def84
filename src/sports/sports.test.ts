import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { type Game, type ScoreListener, type ScoreSource, SourceFailure, type Team } from "../domain/game.ts";
import { foldName, type TeamName } from "../domain/team-names.ts";
import { silentLog } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { daysAround } from "../sources/sports/game-day.ts";
import { createScoreSource } from "../sources/sports/score-source.ts";
import { type FakeScoreboard, startFakeScoreboard } from "../testing/fake-scoreboard.ts";
import { finalGame, gameOf, HOUR, liveGame, SEA, SF, teamOf } from "../testing/games.ts";
import { createOutboxDouble, type OutboxDouble } from "../testing/outbox-double.ts";
import { openStore, type Store } from "../timeseries/store.ts";
import { createSports, type Sports } from "./sports.ts";

const NFL = "football/nfl";
const NOW = Date.now() * 1000;

async function until(holds: () => boolean): Promise<void> {
  const deadline = performance.now() + 10_000;
  while (!holds()) {
    assert.ok(performance.now() < deadline, "it did not come to hold within 10 s");
    await sleep(5);
  }
}

interface Bench {
  readonly board: FakeScoreboard;
  readonly outbox: OutboxDouble;
  readonly store: Store;
  /** Begins as after a start of the program. */
  start(configured?: readonly TeamName[]): Promise<Sports>;
  /** Resolves after a whole round that began after this call. */
  round(): Promise<void>;
  told(): string[];
}

async function bench(t: TestContext): Promise<Bench> {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-sports-"));
  const log = silentLog();
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "NORMAL" } as const;
  const store = await openStore({ directory, commitSeconds: 60, settings, log });
  const board = await startFakeScoreboard();
  const outbox = createOutboxDouble();
  let running: Sports | undefined;
  t.after(async () => {
    await running?.close();
    await board[Symbol.asyncDispose]();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const { baseUrl, nhlBaseUrl } = board;
  return {
    board,
    outbox,
    store,
    async start(configured = [{ league: "nfl", text: "sf" }]) {
      await running?.close();
      const source = createScoreSource({
        baseUrl,
        nhlBaseUrl,
        userAgent: "test/1 (+https://test)",
        version: "1",
        pollSeconds: 0.01,
        log,
      });
      running = await createSports({ source, outbox, samples: store, configured, log });
      return running;
    },
    async round() {
      const before = running!.status().counters.scoreboards!;
      // The first of the two may have been asked for before the board changed.
      await until(() => running!.status().counters.scoreboards! >= before + 2);
    },
    told: () => outbox.events.map(({ type, fields }) => `${type} ${JSON.stringify(fields?.score)}`),
  };
}

const LIVE = { start: NOW - HOUR } as const;

test("createSports() asks for nothing while nobody is followed", async (t) => {
  const { board, start } = await bench(t);
  const sports = await start([]);
  await sleep(50);
  assert.equal(board.asked.length, 0);
  assert.deepEqual(sports.status().leagues, []);
});

test("createSports() tells a game once, over restarts, and writes its scores", async (t) => {
  const { board, outbox, store, start, round, told } = await bench(t);
  board.showTeams(NFL, [SF, SEA]);
  board.show(NFL, [gameOf({ start: NOW + 60_000_000 })]);
  await start();
  await round();
  assert.deepEqual(told(), []);
  board.show(NFL, [liveGame(0, 7, LIVE)]);
  await until(() => outbox.events.length >= 2);
  await round();
  assert.deepEqual(told(), ['game_started {"home":0,"away":7}', 'score_changed {"home":0,"away":7}']);

  await start();
  await round();
  board.show(NFL, [liveGame(3, 7, { ...LIVE, period: 2, clock: "1:00" })]);
  await round();
  board.show(NFL, [finalGame(3, 7, LIVE)]);
  await round();
  assert.deepEqual(told().slice(2), [
    'period_changed {"home":3,"away":7}',
    'score_changed {"home":3,"away":7}',
    'game_ended {"home":3,"away":7}',
  ]);
  const event = outbox.events[3]!;
  assert.equal(event.orderKey, "nfl:401547403");
  assert.deepEqual(event.fields, {
    game_id: "401547403",
    league: "NFL",
    home_team: "sea",
    away_team: "sf",
    score: { home: 3, away: 7 },
    status: "live",
    home_diff: 3,
    away_diff: 0,
    score_diff: { home: 3, away: 0 },
    previous_score: { home: 0, away: 7 },
    current_score: { home: 3, away: 7 },
  });
  for (const name of ["nfl:25", "nfl:sf", "sf", "San Francisco 49ers", "sfo"])
    assert.ok(event.teams!.includes(name), name);

  const series = store.seriesOfSubject("game", "nfl:401547403");
  assert.deepEqual(series.map(({ field }) => field).sort(), ["away_score", "clock", "home_score", "period", "status"]);
  const read = async (field: string) => {
    const { number } = series.find((one) => one.field === field)!;
    return (await store.read([{ series: number, start: 0, end: NOW + 10 * HOUR, limit: 100 }]))[0]!.values;
  };
  assert.deepEqual(await read("home_score"), [0, 3]);
  assert.deepEqual(await read("away_score"), [7]);
  assert.deepEqual(await read("status"), ["scheduled", "live", "final"]);
});

test("createSports() tells again what the disk refused, and nothing of it twice", async (t) => {
  const { board, outbox, start, round, told } = await bench(t);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  const sports = await start();
  await round();
  outbox.broken = true;
  board.show(NFL, [liveGame(0, 7, LIVE)]);
  await until(() => sports.status().counters.not_taken! > 0);
  assert.deepEqual(told(), []);
  outbox.broken = false;
  await until(() => outbox.events.length > 0);
  assert.deepEqual(told(), ['score_changed {"home":0,"away":7}']);
});

test("createSports() asks once for two teams of a league and tells their game once", async (t) => {
  const begin = nowMicros();
  const { board, outbox, start, round } = await bench(t);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  await start([
    { league: "nfl", text: "sf" },
    { league: "nfl", text: "Seattle Seahawks" },
  ]);
  await round();
  board.show(NFL, [liveGame(0, 7, LIVE)]);
  await round();
  assert.equal(outbox.events.length, 1);
  const scoreboards = board.asked.filter(({ path }) => path.endsWith("/scoreboard"));
  assert.deepEqual(new Set(scoreboards.map(({ path }) => path)), new Set(["/sports/football/nfl/scoreboard"]));
  const days = new Set(scoreboards.map(({ query }) => query.get("dates")));
  // It may become midnight in the East meanwhile.
  const around = [begin, nowMicros()].flatMap(daysAround).map((day) => day.replaceAll("-", ""));
  assert.ok(days.size >= 3, [...days].join());
  for (const day of days) assert.ok(around.includes(day!), `${day} is none of ${around}`);
  for (const { query, headers } of scoreboards) {
    assert.match(query.get("dates")!, /^\d{8}$/);
    assert.equal(query.get("limit"), "500");
    assert.equal(headers["user-agent"], "test/1 (+https://test)");
  }
  assert.ok(scoreboards.some(({ headers }) => headers["if-none-match"] !== undefined));
});

test("createSports() does not tell of games that nobody follows, and follows a whole league by *", async (t) => {
  const { board, outbox, start, round } = await bench(t);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  await start([{ league: "nfl", text: "bos" }]);
  await round();
  board.show(NFL, [liveGame(0, 7, LIVE)]);
  await round();
  assert.equal(outbox.games.size, 0);
  await start([{ league: "nfl", text: "*" }]);
  await round();
  board.show(NFL, [liveGame(0, 14, LIVE)]);
  await round();
  assert.deepEqual(
    outbox.events.map(({ type }) => type),
    ["score_changed"],
  );
});

test("createSports() follows over HTTP at once, keeps that over a restart and gives it up again", async (t) => {
  const { board, start, round } = await bench(t);
  board.showTeams(NFL, [SF, SEA]);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  const sports = await start([]);
  assert.equal((await sports.follow("nfl", "49ers")).id, "25");
  await sports.follow("nfl", "SF");
  await assert.rejects(() => sports.follow("nfl", "nobody"), /Cannot find one team "nobody"/);
  await round();
  assert.equal([...sports.games()].length, 1);
  const again = await start([{ league: "nfl", text: "sea" }]);
  assert.deepEqual(
    again.followed().map(({ league, text, id, configured }) => [league, text, id, configured]),
    [
      ["nfl", "sea", null, true],
      ["nfl", "SF", "25", false],
    ],
  );
  await assert.rejects(() => again.unfollow("nfl", "sea"), /SPORTS_TEAMS/);
  assert.equal(await again.unfollow("nfl", "san francisco 49ers"), true);
  assert.equal(await again.unfollow("nfl", "sf"), false);
});

test("createSports() follows a team that is known as text only while its provider has no list", async (t) => {
  const { board, start, round } = await bench(t);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  const sports = await start([]);
  assert.equal((await sports.follow("nfl", "sf")).id, null);
  await round();
  assert.equal(sports.followed()[0]!.id, "25");
});

test("createSports() finds teams by any name once the source answers that did not at the start", async (t) => {
  const { outbox, store } = await bench(t);
  let teams: readonly Team[] | undefined;
  let listener: ScoreListener | undefined;
  const source: ScoreSource = {
    leagues: [{ id: "nfl", name: "NFL" }],
    parseLeague: (text) => (text.toLowerCase() === "nfl" ? "nfl" : undefined),
    teams: async () => teams ?? Promise.reject(new SourceFailure("down", "no answer")),
    schedule: async () => [],
    listen(given) {
      listener = given;
      return { refresh() {}, current: () => [], status: () => [], counters: {}, async close() {} };
    },
  };
  const look = async (game: Game): Promise<void> => {
    const at = Date.now() * 1000;
    const moments = { requestedAt: at, receivedAt: at, confirmations: new Map() };
    await listener!.take({ league: "nfl", games: [game], ...moments });
  };
  const configured = [{ league: "nfl", text: "49ers" }];
  const sports = await createSports({ source, outbox, samples: store, configured, log: silentLog() });
  t.after(() => sports.close());
  assert.equal(await sports.watch([{ league: null, team: "nfl:Seattle" }]), true);
  await look(liveGame(0, 0, LIVE));
  teams = [SF, SEA];
  await look(liveGame(0, 0, LIVE));
  await until(() => sports.followed()[0]!.id === SF.id);
  await look(liveGame(0, 0, LIVE));
  await look(liveGame(0, 7, LIVE));
  assert.ok(outbox.events[0]!.teams!.includes("nfl:Seattle"));
});

test("createSports() follows the teams that webhooks name, as long as they do", async (t) => {
  const { board, start, round } = await bench(t);
  board.showTeams(NFL, [SF, SEA]);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  const sports = await start([]);
  await sports.watch([
    { league: null, team: "sf" },
    { league: "NFL", team: "sea" },
    { league: null, team: "nfl-sea" },
  ]);
  await round();
  assert.equal([...sports.games()].length, 1);
  assert.deepEqual(sports.followed(), []);
  await sports.watch([]);
  assert.deepEqual(sports.status().leagues, []);
});

test("events of a team bear every name by which a webhook found it", async (t) => {
  const { board, outbox, start, round } = await bench(t);
  board.showTeams(NFL, [SF, SEA]);
  board.show(NFL, [liveGame(0, 0, LIVE)]);
  const sports = await start([]);
  const asked = ["nfl:San Francisco 49ers", "NFL:49ers", "nfl:San Francisco", "nfl:sf", "49ers"];
  await sports.watch(asked.map((team) => ({ league: null, team })));
  await round();
  board.show(NFL, [liveGame(0, 7, LIVE)]);
  await until(() => outbox.events.length > 0);
  const names = new Set(outbox.events[0]!.teams!.map(foldName));
  assert.deepEqual(
    asked.filter((name) => !names.has(foldName(name))),
    [],
  );
});

test("watch() says that it could not ask for a team whose league is not named", async (t) => {
  const { board, start } = await bench(t);
  const sports = await start([]);
  board.fault = { cut: true };
  assert.equal(await sports.watch([{ league: null, team: "sf" }]), false);
  // The scoreboards themselves name a team of a known league.
  assert.equal(await sports.watch([{ league: null, team: "nfl:sf" }]), true);
});

test("createSports() resolves teams by any name, and says what it does not know", async (t) => {
  const { board, start } = await bench(t);
  board.showTeams(NFL, [SF, SEA]);
  board.showTeams("baseball/mlb", [teamOf("26", "SF", "San Francisco Giants", "mlb")]);
  for (const path of ["football/college-football", "basketball/nba", "basketball/wnba", "hockey/nhl"]) {
    board.showTeams(path, []);
  }
  board.showTeams("basketball/mens-college-basketball", []);
  const sports = await start([]);
  for (const text of [
    "sf",
    "SF",
    "nfl:sf",
    "nfl-sf",
    "NFL:25",
    "football/nfl:SF",
    "San Francisco 49ers",
    "49ers",
    "sfo",
  ]) {
    assert.equal((await sports.team(text)).name, "San Francisco 49ers", text);
  }
  assert.equal((await sports.team("mlb:sf")).name, "San Francisco Giants");
  assert.equal((await sports.team("giants")).name, "San Francisco Giants");
  assert.equal((await sports.team("sf", "mlb")).name, "San Francisco Giants");
  await assert.rejects(() => sports.team("nfl:xyz"), { code: "not_found" });
  await assert.rejects(() => sports.team("epl:mnc"), { code: "unavailable" });
});

test("team() refuses an unknown league at once, and asks for one by ESPN's path", async (t) => {
  const { board, start } = await bench(t);
  board.showTeams("hockey/ahl", [teamOf("9", "ABB", "Abbotsford Heat", "hockey/ahl")]);
  const sports = await start([]);
  await assert.rejects(() => sports.team("nope:sf"), { code: "invalid", message: /no league "nope": known are nfl, / });
  await assert.rejects(() => sports.team("nba:sf", "nfl"), { code: "invalid" });
  assert.equal(board.asked.length, 0);
  assert.equal((await sports.team("hockey/ahl:abb")).id, "9");
});

const FAULTS = [
  ["blocked", { status: 403 }, /403/],
  ["bad_request", { status: 400, body: '{"code":400}' }, /400/],
  ["limited", { status: 429 }, /429/],
  ["down", { status: 502 }, /502/],
  ["down", { cut: true }, /cannot be reached/],
  ["malformed", { body: "<html>" }, /no JSON/],
  ["malformed", { body: "[]" }, /another shape/],
  ["too_large", { body: `{"x":"${"x".repeat(10 * 1024 * 1024)}"}` }, /10 MiB/],
] as const;

for (const [state, fault, reason] of FAULTS) {
  test(`createSports() tells "${state}" (${JSON.stringify(fault).slice(0, 30)}) and its end apart`, async (t) => {
    const { board, outbox, start, round } = await bench(t);
    board.show(NFL, [liveGame(0, 0, LIVE)]);
    const sports = await start();
    await round();
    assert.equal(sports.status().leagues[0]!.state, "ok");
    board.fault = fault;
    await until(() => sports.status().leagues[0]!.failuresInARow >= 3);
    await until(() => outbox.events.length === 1);
    const [league] = sports.status().leagues;
    assert.equal(league!.state, state);
    assert.match(league!.reason!, reason);
    assert.equal([...sports.games()][0]!.condition, "live");
    board.fault = null;
    board.show(NFL, []);
    await until(() => sports.status().leagues[0]!.state === "empty");
    assert.deepEqual(
      outbox.events.map(({ type, data }) => [type, data.state]),
      [
        ["source_degraded", state],
        ["source_recovered", "empty"],
      ],
    );
  });
}

test("createSports() tells of a source that is back over a restart, and of one that still fails no second time", async (t) => {
  const { board, outbox, start } = await bench(t);
  const told = () => outbox.events.map(({ type }) => type);
  board.fault = { status: 502 };
  await start();
  await until(() => told().length === 1);
  const sports = await start();
  await until(() => sports.status().leagues[0]!.failuresInARow >= 4);
  assert.deepEqual(told(), ["source_degraded"]);
  board.fault = null;
  await start();
  await until(() => told().length === 2);
  assert.equal(told()[1], "source_recovered");
  const last = await start();
  await until(() => last.status().leagues[0]!.state === "empty");
  assert.equal(told().length, 2);
});

test("createSports() ends without waiting for a source that hangs", async (t) => {
  const { board, start } = await bench(t);
  board.fault = { hang: true };
  const asked = board.nextRequest(({ path }) => path.endsWith("/scoreboard"));
  const sports = await start();
  await asked;
  await sports.close();
});

test("createSports() skips what is no game, and goes on with the rest", async (t) => {
  const { board, start, round } = await bench(t);
  const odd = [null, 5, "x", [], {}, { id: "1", competitions: [{ competitors: [{ type: "athlete" }] }] }];
  board.show(NFL, [...odd.map((raw) => ({ raw })), liveGame(0, 0, LIVE)]);
  const sports = await start();
  await round();
  assert.equal([...sports.games()].length, 1);
  assert.ok(sports.status().counters.skipped_events! >= odd.length);
});
