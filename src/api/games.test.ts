import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { InjectOptions } from "fastify";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { apiOptions } from "../testing/api-doubles.ts";
import { finalGame, gameOf, HOUR, liveGame, MINUTE, SEA, SF, teamOf } from "../testing/games.ts";
import { resolved } from "../testing/openapi.ts";
import { createSportsDouble } from "../testing/sports-double.ts";
import type { SportsSources } from "./game-lists.ts";
import { createApi, createSportsApi } from "./server.ts";

const NOW = Date.now() * 1000;
const iso = (micros: number): string => new Date(micros / 1000).toISOString();
const KC = teamOf("12", "KC", "Kansas City Chiefs");
const DEN = teamOf("7", "DEN", "Denver Broncos");
const FULHAM = teamOf("370", "FUL", "Fulham", "epl");
const LIVERPOOL = teamOf("364", "LIV", "Liverpool", "epl");

/** A followed 49ers that play, have played and will play; two others that play; a provider that knows both leagues. */
async function served(t: TestContext) {
  const record = { wins: 9, losses: 2, ties: 1 };
  const played = liveGame(10, 14, { start: NOW - HOUR, period: 2, clock: "3:21", away: { record } });
  const others = liveGame(3, 0, { id: "2", start: NOW - HOUR, home: { team: KC }, away: { team: DEN } });
  const before = finalGame(20, 23, { id: "3", start: NOW - 170 * HOUR, home: { team: DEN }, season: 2026 });
  const next = gameOf({ id: "4", start: NOW + 3 * HOUR, home: { team: KC } });
  const later = gameOf({ id: "5", start: NOW + 100 * HOUR, home: { team: DEN }, away: { team: SF } });
  const preseason = finalGame(0, 40, { id: "6", start: NOW - 2000 * HOUR, seasonType: 1 });
  const lost = finalGame(30, 10, { id: "7", start: NOW - 400 * HOUR });
  const off = gameOf({ id: "8", start: NOW + 5 * HOUR, phase: "post", statusName: "POSTPONED", home: { team: DEN } });
  const soccer = liveGame(1, 1, {
    league: "epl",
    id: "9",
    start: NOW,
    home: { team: FULHAM },
    away: { team: LIVERPOOL },
  });
  const double = await createSportsDouble({
    configured: [
      { league: "nfl", text: "sf" },
      { league: "epl", text: "liv" },
    ],
    teams: { nfl: [SF, SEA, KC, DEN], epl: [FULHAM, LIVERPOOL] },
    schedules: { "25": [preseason, lost, before, later] },
  });
  await double.see("nfl", [gameOf({ start: NOW - HOUR }), others, before, next, off], NOW - 61 * MINUTE);
  await double.see("nfl", [liveGame(0, 7, { start: NOW - HOUR, clock: "9:00" })], NOW - 40 * MINUTE);
  await double.see("nfl", [liveGame(0, 7, { start: NOW - HOUR, clock: "8:00" })], NOW - 39 * MINUTE);
  await double.see("nfl", [played, others, before, next, off], NOW - MINUTE);
  await double.see("epl", [soccer], NOW - MINUTE);
  const sources = apiOptions();
  const api = await createApi({ ...sources, sports: double.sources });
  const sportsApi = await createSportsApi({ ...sources, sports: double.sources });
  t.after(() => Promise.all([api.close(), sportsApi.close()]));
  return { api, sportsApi, double };
}

interface Case {
  readonly name: string;
  readonly method?: "GET" | "POST" | "DELETE";
  readonly url: string;
  readonly body?: object;
  readonly status?: number;
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "GET /games/live lists what the followed teams play",
    url: "/api/v1/games/live",
    has: [
      '"id":"401547403","league":"nfl","status":"live"',
      '"score":{"home":10,"away":14}',
      '"record":{"wins":9,"losses":2,"ties":1}',
      '"period":{"current":2,"total":4,"time_remaining":"3:21"}',
      '"is_favorite":true',
      '"id":"9","league":"epl"',
      '"count":2,"total":2',
      '"filtered_by_teams":["nfl:25","epl:364"]',
    ],
    lacks: ['"id":"2"'],
  },
  {
    name: "GET /games/live of a league",
    url: "/api/v1/games/live?league=NFL",
    has: ['"count":1'],
    lacks: ['"league":"epl"'],
  },
  {
    name: "GET /games/live of teams that nobody follows",
    url: "/api/v1/games/live?team_ids=den",
    has: ['"id":"2"', '"is_favorite":false', '"filtered_by_teams":["den"]', '"count":1'],
  },
  {
    name: "GET /games/live by several names",
    url: "/api/v1/games/live?team_ids=NFL-SF,Fulham,nfl:12",
    has: ['"count":3'],
  },
  {
    name: "GET /games/live refuses an unknown league",
    url: "/api/v1/games/live?league=xfl",
    status: 400,
    has: ["nfl, ncaaf"],
  },
  {
    name: "GET /games/live pages",
    url: "/api/v1/games/live?limit=1",
    has: ['"count":1,"total":2,"limit":1,"next_cursor":"'],
  },
  {
    name: "GET /games/upcoming of a day",
    url: "/api/v1/games/upcoming",
    has: ['"id":"4"', '"status":"scheduled"', '"count":1'],
    lacks: ['"id":"8"'],
  },
  { name: "GET /games/upcoming of two hours", url: "/api/v1/games/upcoming?hours=2", has: ['"games":[]'] },
  {
    name: "GET /games/history is newest first",
    url: "/api/v1/games/history?team=sf",
    has: [
      '"games":[{"game_id":"8"',
      '"game_id":"3","sport":"nfl","league":"nfl","season":2026,"week":12,"home_team":"DEN","away_team":"SF","home_score":20,"away_score":23,"status":"final"',
      '"total":4,"page":1,"page_size":100,"total_pages":1',
    ],
  },
  {
    name: "GET /games/history of what has ended",
    url: "/api/v1/games/history?status=finished",
    has: ['"total":1', '"game_id":"3"'],
  },
  { name: "GET /games/history of a season", url: "/api/v1/games/history?season=1999", has: ['"total":0'] },
  { name: "GET /games/history of a sport", url: "/api/v1/games/history?sport=epl", has: ['"total":1'] },
  {
    name: "GET /games/history pages",
    url: "/api/v1/games/history?page=2&page_size=2&league=nfl",
    has: ['"total":4,"page":2,"page_size":2,"total_pages":2'],
  },
  {
    name: "GET /games/history refuses a status",
    url: "/api/v1/games/history?status=over",
    status: 400,
    has: ["canceled"],
  },
  { name: "GET /games/{id}", url: "/api/v1/games/401547403", has: ['"id":"401547403"', '"winner":null'] },
  { name: "GET /games/{id} with league", url: "/api/v1/games/NFL:3", has: ['"winner":"away"', '"condition":"final"'] },
  { name: "GET /games/{id} of a game that nobody follows", url: "/api/v1/games/nfl:2", has: ['"updated_at":null'] },
  {
    name: "GET /games/{id} knows no other",
    url: "/api/v1/games/nhl:3",
    status: 404,
    has: ['Cannot find game \\"nhl:3\\"'],
  },
  {
    name: "GET /games/{id}/timeline has a row for each change that tells",
    url: "/api/v1/games/401547403/timeline",
    has: [
      '"home_team":"SEA","away_team":"SF"',
      `{"time":"${iso(NOW - 61 * MINUTE)}","home_score":null,"away_score":null,"period":null,"quarter":null,"time_remaining":null,"status":"scheduled"}`,
      `{"time":"${iso(NOW - 40 * MINUTE)}","home_score":0,"away_score":7,"period":1,"quarter":1,"time_remaining":"9:00","status":"live"}`,
      `{"time":"${iso(NOW - MINUTE)}","home_score":10,"away_score":14,"period":2,"quarter":2,"time_remaining":"3:21","status":"live"}]`,
      '"final_score":null,"duration_minutes":null',
    ],
    lacks: ['"time_remaining":"8:00"'],
  },
  { name: "GET /games/timeline/{id}", url: "/api/v1/games/timeline/401547403?sport=nfl", has: ['"timeline":[{'] },
  {
    name: "GET /games/timeline/{id} in the wrong league",
    url: "/api/v1/games/timeline/401547403?sport=nhl",
    status: 404,
  },
  {
    name: "GET /schedule/{team} joins the provider's with ours and counts",
    url: "/api/v1/schedule/sf",
    has: [
      '"team":"SF","team_id":"25","team_name":"San Francisco 49ers","league":"nfl","season":2026,"record":"1-1"',
      '"games_played":2,"wins":1,"losses":1,"ties":0,"win_percentage":0.5,"points_for":33,"points_against":50,"point_differential":-17',
      '"games":[{"id":"6"',
      '"id":"401547403"',
      '"complete":true,"warning":null',
    ],
  },
  { name: "GET /games/schedule/{team}", url: "/api/v1/games/schedule/nfl-sf?season=2026", has: ['"record":"1-1"'] },
  { name: "GET /schedule/{team} knows no other", url: "/api/v1/schedule/nfl:xyz", status: 404 },
  {
    name: "GET /ha/game-status/{team} that plays",
    url: "/api/v1/ha/game-status/sf",
    has: [
      `{"team":"sf","league":"nfl","status":"playing","game_id":"401547403","opponent":"sea","start_time":"${iso(NOW - HOUR)}"`,
      '"is_home":false,"team_score":14,"opponent_score":10,"period":2,"clock":"3:21"',
    ],
  },
  {
    name: "GET /ha/game-status/{team} that nobody follows",
    url: "/api/v1/ha/game-status/kc?sport=nfl",
    has: ['"team":"kc"', '"status":"playing"', '"game_id":"2"'],
  },
  {
    name: "GET /ha/game-status/{team} of the other side of a followed game",
    url: "/api/v1/ha/game-status/ful",
    has: ['"status":"playing"'],
  },
  { name: "GET /ha/game-status/{team} knows no other", url: "/api/v1/ha/game-status/nfl:zzz", status: 404 },
  {
    name: "GET /ha/game-context/{team}",
    url: "/api/v1/ha/game-context/sf",
    has: ['"status":"playing","current_game":{"id":"401547403"', '"next_game":{"id":"4"', '"last_game":{"id":"3"'],
  },
  {
    name: "GET /teams of a league",
    url: "/api/v1/teams?league=nfl",
    has: ['"league":"nfl","teams":[', '"abbreviation":"KC"', '"count":4', '"is_followed":true', '"is_followed":false'],
  },
  { name: "GET /teams by name", url: "/api/v1/teams?league=nfl&q=city", has: ['"count":1', "Kansas City Chiefs"] },
  { name: "GET /teams by another's abbreviation", url: "/api/v1/teams?league=nfl&q=sfo", has: ['"count":1', "49ers"] },
  { name: "GET /teams without league", url: "/api/v1/teams", has: ['"league":null', '"count":6'] },
  { name: "GET /teams of a league that cannot be asked", url: "/api/v1/teams?league=nhl", status: 503, has: ["502"] },
  {
    name: "GET /teams/followed",
    url: "/api/v1/teams/followed",
    has: ['{"league":"nfl","id":"25","team":"sf","abbreviation":"SF","name":"San Francisco 49ers","configured":true}'],
  },
  {
    name: "POST /teams/followed",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: { team: "Kansas City Chiefs", league: "NFL" },
    status: 201,
    has: ['"id":"12"', '"configured":false'],
  },
  {
    name: "POST /teams/followed with league in the name",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: { team: "nfl:den" },
    status: 201,
  },
  {
    name: "POST /teams/followed of no team",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: { team: "nfl:xyz" },
    status: 404,
  },
  {
    name: "POST /teams/followed of an unknown league",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: { team: "nope:sf" },
    status: 400,
    has: ['There is no league \\"nope\\": known are nfl, ncaaf,'],
  },
  {
    name: "POST /teams/followed of a team of another league",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: { team: "nba:sf", league: "nfl" },
    status: 400,
    has: ['\\"nba:sf\\" is not of league \\"nfl\\"'],
  },
  {
    name: "DELETE /teams/followed of an unknown league",
    method: "DELETE",
    url: "/api/v1/teams/followed/nope:sf",
    status: 400,
    has: ["There is no league"],
  },
  {
    name: "POST /user/teams of an unknown league",
    method: "POST",
    url: "/api/v1/user/teams",
    body: { teams: ["nope:sf"] },
    status: 400,
    has: ["There is no league"],
  },
  {
    name: "GET /schedule of an unknown league",
    url: "/api/v1/schedule/nope:sf",
    status: 400,
    has: ['There is no league \\"nope\\": known are nfl, ncaaf,'],
  },
  {
    name: "GET /schedule of a team with its league in both places",
    url: "/api/v1/schedule/nfl:sf?league=nfl",
    has: ['"team_id":"25"'],
  },
  {
    name: "GET /ha/game-status of an unknown league",
    url: "/api/v1/ha/game-status/nope:sf",
    status: 400,
    has: ["There is no league"],
  },
  {
    name: "POST /teams/followed without team",
    method: "POST",
    url: "/api/v1/teams/followed",
    body: {},
    status: 400,
    has: ["team"],
  },
  {
    name: "DELETE /teams/followed of the configuration",
    method: "DELETE",
    url: "/api/v1/teams/followed/nfl:sf",
    status: 409,
  },
  { name: "DELETE /teams/followed of another", method: "DELETE", url: "/api/v1/teams/followed/nfl:den", status: 404 },
  { name: "DELETE /teams/followed without league", method: "DELETE", url: "/api/v1/teams/followed/sf", status: 400 },
  {
    name: "GET /user/teams",
    url: "/api/v1/user/teams?user_id=default",
    has: ['{"user_id":"default","nfl_teams":["sf"],"nhl_teams":[],"teams":['],
  },
  {
    name: "POST /user/teams replaces a league's",
    method: "POST",
    url: "/api/v1/user/teams",
    body: { nfl_teams: ["den", "KC"], teams: ["epl:ful"] },
    has: ['"nfl_teams":["sf","den","kc"],"nhl_teams":[]', '"success":true,"teams_saved":5'],
  },
  {
    name: "POST /user/teams of no team",
    method: "POST",
    url: "/api/v1/user/teams",
    body: { nfl_teams: ["xyz"] },
    status: 404,
  },
  {
    name: "GET /health tells of the sources",
    url: "/health",
    has: ['"sports":{"status":"healthy","reason":null,"followed":2,"leagues":[{"league":"nfl","state":"ok"'],
  },
];

for (const one of CASES) {
  test(`both ports: ${one.name}`, async (t) => {
    const { api, sportsApi } = await served(t);
    for (const server of [api, sportsApi]) {
      const request: InjectOptions = { method: one.method ?? "GET", url: one.url };
      const { statusCode, body } = await server.inject(one.body ? { ...request, payload: one.body } : request);
      assert.equal(statusCode, one.status ?? 200, body);
      for (const text of one.has ?? []) assert.ok(body.includes(text), `${text} is not in ${body}`);
      for (const text of one.lacks ?? []) assert.ok(!body.includes(text), `${text} is in ${body}`);
    }
  });
}

test("/openapi.json describes games and teams as they are answered", async (t) => {
  const { sportsApi } = await served(t);
  const document = resolved(
    (await sportsApi.inject("/openapi.json")).json<{
      paths: Record<string, { get?: { responses: Record<string, { content: Record<string, { schema: TSchema }> }> } }>;
    }>(),
  );
  const examples: Record<string, string> = {
    "/api/v1/games/live": "/api/v1/games/live",
    "/api/v1/games/upcoming": "/api/v1/games/upcoming?hours=200",
    "/api/v1/games/history": "/api/v1/games/history",
    "/api/v1/games/{id}": "/api/v1/games/3",
    "/api/v1/games/{id}/timeline": "/api/v1/games/401547403/timeline",
    "/api/v1/games/timeline/{id}": "/api/v1/games/timeline/401547403",
    "/api/v1/schedule/{team}": "/api/v1/schedule/sf",
    "/api/v1/games/schedule/{team}": "/api/v1/games/schedule/sf",
    "/api/v1/ha/game-status/{team}": "/api/v1/ha/game-status/sf",
    "/api/v1/ha/game-context/{team}": "/api/v1/ha/game-context/sf",
    "/api/v1/teams": "/api/v1/teams?league=nfl",
    "/api/v1/teams/followed": "/api/v1/teams/followed",
    "/api/v1/user/teams": "/api/v1/user/teams",
    "/health": "/health",
  };
  for (const [path, url] of Object.entries(examples)) {
    const schema = document.paths[path]!.get!.responses["200"]!.content["application/json"]!.schema;
    const faults = Compile(schema).Errors((await sportsApi.inject(url)).json());
    assert.deepEqual(faults, [], `${path} does not fit`);
  }
});

for (const schedules of [{ "25": [gameOf({ id: "5", start: NOW, season: 2026 })] }, {}, null]) {
  const told = schedules === null ? "is out of order" : `tells ${Object.values(schedules).flat().length} games`;
  test(`GET /schedule/{team} is of one season where the provider ${told}`, async (t) => {
    const double = await createSportsDouble({
      configured: [{ league: "nfl", text: "sf" }],
      teams: { nfl: [SF, SEA] },
      schedules,
    });
    const seen = [2025, 2026].map((season, i) => {
      const start = NOW - (400 - i * 390) * 24 * HOUR;
      return finalGame(3, 10, { id: `${season}`, start, season });
    });
    await double.see("nfl", seen, NOW);
    const api = await createApi({ ...apiOptions(), sports: double.sources });
    t.after(() => api.close());
    const present = (await api.inject("/api/v1/schedule/sf")).json();
    assert.deepEqual([present.season, present.record, present.statistics.points_for], [2026, "1-0", 10]);
    const former = (await api.inject("/api/v1/schedule/sf?season=2025")).json();
    assert.deepEqual([former.season, former.record], [2025, "1-0"]);
  });
}

test("GET /schedule/{team} says when the provider cannot be asked", async (t) => {
  const double = await createSportsDouble({ configured: [{ league: "nfl", text: "sf" }], schedules: null });
  await double.see("nfl", [finalGame(1, 2, { start: NOW - HOUR })], NOW);
  const api = await createSportsApi({ ...apiOptions(), sports: double.sources });
  t.after(() => api.close());
  const { record, complete, warning } = (await api.inject("/api/v1/schedule/sf")).json();
  assert.deepEqual([record, complete], ["1-0", false]);
  assert.match(warning, /cannot be asked/);
});

const LAD = teamOf("19", "LAD", "Los Angeles Dodgers", "mlb");
const GIANTS = teamOf("26", "SF", "San Francisco Giants", "mlb");
/** Of a name that two leagues have, while all that is known of games is a Dodgers' one against the Giants. */
const SAME_NAME: readonly (readonly [followed: readonly string[], asked: string, expected: string])[] = [
  [["nfl:sf", "mlb:lad"], "sf", "nfl"],
  [["mlb:lad", "nfl:sf"], "mlb:sf", "mlb"],
  [["mlb:lad"], "lad", "mlb"],
  [["mlb:sf"], "sf", "mlb"],
  [["mlb:san francisco giants"], "sf", "mlb"],
];
for (const [teams, asked, expected] of SAME_NAME) {
  for (const isSeen of [true, false]) {
    const name = `GET /ha/game-status/${asked} is of ${expected} where ${teams} are followed`;
    test(`${name}${isSeen ? "" : " and no game is known"}`, async (t) => {
      const double = await createSportsDouble({
        configured: teams.map((team) => ({ league: team.split(":")[0]!, text: team.split(":")[1]! })),
        teams: { nfl: [SF, SEA], mlb: [LAD, GIANTS] },
      });
      if (isSeen) {
        const game = liveGame(1, 0, { league: "mlb", start: NOW, home: { team: LAD }, away: { team: GIANTS } });
        await double.see("mlb", [game], NOW - MINUTE);
      }
      const api = await createApi({ ...apiOptions(), sports: double.sources });
      t.after(() => api.close());
      for (const route of ["ha/game-status", "ha/game-context"]) {
        const { league } = (await api.inject(`/api/v1/${route}/${asked}`)).json();
        assert.equal(league, expected, route);
      }
    });
  }
}

test("GET /games/{id}/timeline has the final score and how long it took", async (t) => {
  const double = await createSportsDouble({ configured: [{ league: "nfl", text: "*" }] });
  const start = NOW - 3 * HOUR;
  await double.see("nfl", [gameOf({ start })], start - MINUTE);
  await double.see("nfl", [liveGame(0, 0, { start })], start);
  await double.see("nfl", [finalGame(1, 2, { start })], start + 180 * MINUTE);
  const api = await createSportsApi({ ...apiOptions(), sports: double.sources });
  t.after(() => api.close());
  const { final_score, duration_minutes } = (await api.inject("/api/v1/games/nfl:401547403/timeline")).json();
  assert.deepEqual([final_score, duration_minutes], [{ home: 1, away: 2 }, 180]);
});

/** A sports port that follows San Francisco, or whom a test says. */
async function followed(t: TestContext, text = "sf") {
  const double = await createSportsDouble({
    configured: [{ league: "nfl", text }],
    teams: { nfl: [SF, SEA, KC, DEN] },
  });
  const api = await createSportsApi({ ...apiOptions(), sports: double.sources });
  t.after(() => api.close());
  const get = async (url: string) => (await api.inject(`/api/v1/${url}`)).json();
  return { ...double, get };
}

test("GET /games/{id} says of a delayed start the same, whether its teams are followed or not", async (t) => {
  for (const team of ["sf", "kc"]) {
    const { see, get } = await followed(t, team);
    await see("nfl", [gameOf({ start: NOW, statusName: "DELAYED" })], NOW);
    const { status, condition, period } = await get("games/401547403");
    assert.deepEqual([status, condition, period.current], ["scheduled", "delayed", null], team);
  }
});

test("a canceled game has no score in any route, nor has its event", async (t) => {
  const abandoned = liveGame(2, 0, { start: NOW, phase: "post", statusName: "ABANDONED" });
  for (const team of ["sf", "kc"]) {
    const { see, get, outbox } = await followed(t, team);
    await see("nfl", [liveGame(2, 0, { start: NOW })], NOW - 2 * MINUTE);
    await see("nfl", [abandoned], NOW - MINUTE);
    const { status, score } = await get("games/401547403");
    assert.deepEqual([status, score], ["canceled", null], team);
    const { games } = await get("games/history?status=canceled");
    if (team === "kc") continue;
    assert.deepEqual([games[0].home_score, games[0].away_score], [null, null]);
    assert.equal((await get("schedule/sf")).games[0].score, null);
    const { type, fields, data } = outbox.events.at(-1)!;
    assert.deepEqual([type, fields!.score, data.score], ["game_canceled", null, null]);
    assert.deepEqual(data.previous_score, { home: 2, away: 0 });
    assert.equal((data.game as { score: unknown }).score, null);
  }
});

const UNKNOWN_SCORES: readonly (readonly [home: number | null, away: number | null])[] = [
  [null, null],
  [null, 17],
  [-3, 7],
];

test("a game that has begun without a score that is known is shown without one", async (t) => {
  for (const [home, away] of UNKNOWN_SCORES) {
    const { see, get } = await followed(t, "kc");
    const scores = { home: { score: home }, away: { score: away } };
    await see("nfl", [liveGame(0, 0, { start: NOW - MINUTE, ...scores })], NOW);
    assert.equal((await get("games/401547403")).score, null);
    const { games } = await get("games/live?team_ids=sf");
    assert.deepEqual([games.length, games[0].score], [1, null]);
    await see("nfl", [finalGame(0, 0, { ...scores, away: { score: away, winner: true } })], NOW);
    const { score, winner } = await get("games/401547403");
    assert.deepEqual([score, winner], [null, "away"]);
  }
});

test("a game that has not begun is 0 to 0, also where its provider gives no score", async (t) => {
  for (const team of ["sf", "kc"]) {
    const { see, get } = await followed(t, team);
    await see("nfl", [gameOf({ home: { score: null }, away: { score: null } })], NOW);
    assert.deepEqual((await get("games/401547403")).score, { home: 0, away: 0 });
  }
});

test("a followed game whose score was never seen is shown without one, and none is recorded", async (t) => {
  const recorded = (double: { sources: { samples: SportsSources["samples"] } }): string[] =>
    double.sources.samples.seriesOfSubject("game", "nfl:401547403").map(({ field }) => field);
  for (const [home, away] of UNKNOWN_SCORES) {
    const odd = liveGame(0, 0, { start: NOW - MINUTE, home: { score: home }, away: { score: away } });
    const running = await followed(t);
    await running.see("nfl", [odd], NOW);
    assert.equal((await running.get("games/401547403")).score, null);
    assert.equal((await running.get("games/live")).games[0].score, null);
    const { status, team_score, opponent_score } = await running.get("ha/game-status/sf");
    assert.deepEqual([status, team_score, opponent_score], ["playing", null, null]);
    assert.equal((await running.get("ha/game-context/sf")).current_game.score, null);
    assert.deepEqual(recorded(running), []);

    const scheduled = await followed(t);
    await scheduled.see("nfl", [gameOf({ start: NOW - MINUTE })], NOW - 2 * MINUTE);
    await scheduled.see("nfl", [odd], NOW);
    assert.equal((await scheduled.get("games/401547403")).status, "scheduled");
    assert.deepEqual((await scheduled.get("games/live")).games, []);
    assert.deepEqual(recorded(scheduled), ["status"]);
  }
});

test("a suspended game is postponed in every route, with its condition and its score", async (t) => {
  const suspended = liveGame(3, 2, { start: NOW - HOUR, period: 7, phase: "post", statusName: "SUSPENDED" });
  for (const team of ["sf", "kc"]) {
    const { see, get, outbox, sources } = await followed(t, team);
    await see("nfl", [liveGame(3, 2, { start: NOW - HOUR, period: 7 })], NOW - MINUTE);
    await see("nfl", [suspended], NOW);
    const { status, condition, score, period, winner } = await get("games/401547403");
    assert.deepEqual([status, condition, score], ["postponed", "suspended", { home: 3, away: 2 }], team);
    assert.deepEqual([period.current, winner], [7, null]);
    assert.deepEqual((await get("games/live?team_ids=sf")).games, []);
    if (team === "kc") continue;
    assert.equal((await get("games/history?status=live")).total, 0);
    const { games } = await get("games/history?status=postponed");
    assert.deepEqual([games[0].status, games[0].home_score], ["postponed", 3]);
    const { type, fields } = outbox.events.at(-1)!;
    assert.deepEqual([type, fields!.status, fields!.score], ["game_suspended", "postponed", { home: 3, away: 2 }]);
    const recorded = sources.samples.seriesOfSubject("game", "nfl:401547403").find(({ field }) => field === "status")!;
    const [column] = await sources.samples.read([{ series: recorded.number, start: 0, end: NOW + 1, limit: 10 }]);
    assert.deepEqual(column!.values, ["live", "suspended"]);

    const again = { start: NOW + 20 * HOUR };
    await see("nfl", [gameOf(again)], NOW + MINUTE);
    assert.equal((await get("games/401547403")).status, "postponed");
    await see("nfl", [liveGame(3, 2, { ...again, period: 7 })], NOW + 2 * MINUTE);
    assert.equal((await get("games/401547403")).status, "live");
  }
});

test("the lists of live and upcoming games say which league they cannot answer for, and why", async (t) => {
  const double = await createSportsDouble({
    configured: [
      { league: "nfl", text: "sf" },
      { league: "epl", text: "liv" },
    ],
  });
  const api = await createSportsApi({ ...apiOptions(), sports: double.sources });
  t.after(() => api.close());
  const warnings = async (query = ""): Promise<string[]> => {
    const answers = await Promise.all(["live", "upcoming"].map((list) => api.inject(`/api/v1/games/${list}${query}`)));
    return answers.map((answer) => answer.json().warning);
  };
  for (const warning of await warnings()) assert.match(warning, /nfl \(waiting\): .*not .*asked.*epl \(waiting\)/);

  await double.see("nfl", [liveGame(0, 0, { start: NOW })], NOW);
  await double.see("epl", [], NOW);
  assert.deepEqual(await warnings(), [null, null]);

  double.block("epl");
  for (const query of ["", "?league=epl", "?sport=EPL", "?team_ids=nfl:sf,epl-liv", "?team_ids=liv"]) {
    for (const warning of await warnings(query)) {
      assert.match(warning, /epl \(blocked\): The source answers 403: it refuses us/, query);
      assert.doesNotMatch(warning, /nfl/, query);
    }
  }
  for (const query of ["?league=nfl", "?team_ids=nfl:sf", "?league=nfl&team_ids=liv", "?team_ids=nfl-sf"]) {
    assert.deepEqual(await warnings(query), [null, null], query);
  }
  for (const query of ["?league=nhl", "?team_ids=nfl:sf,nhl:bos"]) {
    for (const warning of await warnings(query)) assert.match(warning, /nhl: nobody follows/, query);
  }
  const { games, warning } = (await api.inject("/api/v1/games/live")).json();
  assert.deepEqual([games.length, typeof warning], [1, "string"]);
});
