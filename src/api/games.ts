import { AppError } from "../domain/errors.ts";
import { gameKey, type Team, type TrackedGame } from "../domain/game.ts";
import { isoOrNull, scoreOf, statusOf } from "../domain/game-json.ts";
import type { Micros } from "../domain/sample.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor } from "./cursors.ts";
import {
  bodyOf,
  everyGame,
  followedNow,
  GAME_STATUSES,
  GameSchema,
  isPlayed,
  type Listed,
  leagueOf,
  leagueQuery,
  listedStatus,
  namesIn,
  playsIn,
  Scores,
  type SportsSources,
} from "./game-lists.ts";
import { scheduleAnswer, scheduleOf } from "./game-schedule.ts";
import { readTimeline } from "./game-timeline.ts";
import { warningOf } from "./game-warning.ts";
import {
  answers,
  count,
  exactly,
  LIST_LIMIT_DEFAULT,
  LIST_LIMIT_MAX,
  listAnswer,
  listBody,
  listOf,
  listQuery,
  named,
  nullable,
  nullableText,
  nullableTime,
  queryChoice,
  queryList,
  queryText,
  text,
  time,
} from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["sports"];
const HOUR = 3_600_000_000;
const TEAM_LIST_LENGTH_MAX = 4_000;
const UPCOMING_HOURS_MAX = 24 * 366;

const filtered = { filtered_by_teams: Type.Array(Type.String(), { description: "Teams that the list is about" }) };
const warned = { warning: nullableText("Which leagues it cannot answer for, and why; null where all answer") };
const gamesAnswer = Type.Object({ ...listAnswer("games", GameSchema).properties, ...filtered, ...warned });
const gamesQuery = {
  ...leagueQuery,
  team_ids: queryList("Teams as nfl:sf, sf, an id or a full name; the followed ones without it", TEAM_LIST_LENGTH_MAX),
};
const id = exactly({ id: text("A game: 401547403, or nfl:401547403") });
const team = exactly({ team: text("A team: nfl:sf, sf, an id or a full name") });

const Timeline = exactly({
  game_id: text("Game"),
  league: text("League"),
  home_team: text("Abbreviation"),
  away_team: text("Abbreviation"),
  timeline: Type.Array(
    exactly({
      time: time("When it was seen"),
      home_score: nullable(Type.Integer()),
      away_score: nullable(Type.Integer()),
      period: nullable(Type.Integer()),
      quarter: nullable(Type.Integer({ description: "The same as period" })),
      time_remaining: nullableText("The clock as the provider showed it"),
      status: nullableText("The condition at that time"),
    }),
    { description: "Where score, period or condition changed" },
  ),
  final_score: Scores,
  duration_minutes: nullable(Type.Number({ description: "From the start that was seen to the end that was seen" })),
});

const HistoryGame = named("FollowedGame", {
  game_id: text("Game"),
  sport: text("The same as league"),
  league: text("League"),
  season: nullable(Type.Integer()),
  week: nullable(Type.Integer()),
  home_team: text("Abbreviation"),
  away_team: text("Abbreviation"),
  home_score: nullable(Type.Integer({ description: "Null where it is canceled" })),
  away_score: nullable(Type.Integer()),
  status: text(GAME_STATUSES.join(", ")),
  time: nullableTime("Kick-off"),
  period: nullable(Type.Integer()),
  quarter: nullable(Type.Integer({ description: "The same as period" })),
});

function historyRow(tracked: TrackedGame) {
  const { game, condition, started } = tracked;
  const score = scoreOf(tracked);
  return {
    game_id: game.id,
    sport: game.league,
    league: game.league,
    season: game.season,
    week: game.week,
    home_team: game.home.team.abbreviation,
    away_team: game.away.team.abbreviation,
    home_score: score?.home ?? null,
    away_score: score?.away ?? null,
    status: statusOf(condition, started),
    time: isoOrNull(game.start),
    period: game.period,
    quarter: game.period,
  };
}

/** Games of followed teams: now, soon, and as they were. */
export function gameRoutes(api: Api, sports: SportsSources, now: () => Micros = nowMicros): void {
  interface GamesQuery {
    readonly league?: string;
    readonly sport?: string;
    readonly team_ids?: string;
    readonly limit?: number;
    readonly cursor?: string;
  }

  /** One page of the games that fit, in order of kick-off. */
  function answer(kind: string, query: GamesQuery, fits: (listed: Listed) => boolean) {
    const { limit = LIST_LIMIT_DEFAULT, cursor, ...filter } = query;
    const league = leagueOf(sports, query);
    const named = query.team_ids === undefined ? null : listOf(query.team_ids);
    const names = named && namesIn(named);
    const isFollowed = followedNow(sports);
    const found = [...everyGame(sports)].filter(
      (listed) =>
        (league === undefined || listed.game.league === league) &&
        (names ? playsIn(listed.game, names) : isFollowed(listed.game)) &&
        fits(listed),
    );
    const position = ({ game }: Listed): string => `${String(game.start ?? 0).padStart(17, "0")} ${gameKey(game)}`;
    const sorted = found.sort((a, b) => (position(a) < position(b) ? -1 : 1));
    const after = cursor === undefined ? "" : String(decodeCursor([kind, filter], cursor));
    const rest = sorted.filter((listed) => position(listed) > after);
    const page = rest.slice(0, limit);
    const nextCursor = rest.length > limit ? encodeCursor([kind, filter], position(page.at(-1)!)) : null;
    const rows = page.map((listed) => bodyOf(listed, isFollowed));
    return {
      ...listBody("games", { rows, total: found.length, nextCursor }, limit),
      filtered_by_teams:
        named ?? sports.followed().map(({ league: of, id: known, text: as }) => `${of}:${known ?? as}`),
      warning: warningOf(sports, league, named),
    };
  }

  api.get(
    "/api/v1/games/live",
    {
      schema: {
        tags,
        summary: "Games that are being played",
        querystring: listQuery(gamesQuery),
        response: answers({ 200: gamesAnswer }),
      },
    },
    async ({ query }) => {
      const at = now();
      return answer("live", query, (listed) => isPlayed(listed, at));
    },
  );

  api.get(
    "/api/v1/games/upcoming",
    {
      schema: {
        tags,
        summary: "Games that begin soon",
        querystring: listQuery({
          ...gamesQuery,
          hours: Type.Optional(
            Type.Integer({ minimum: 1, maximum: UPCOMING_HOURS_MAX, default: 24, description: "How soon" }),
          ),
        }),
        response: answers({ 200: gamesAnswer }),
      },
    },
    async ({ query }) => {
      const [from, to] = [now(), now() + (query.hours ?? 24) * HOUR];
      return answer("upcoming", query, (listed) => {
        const { start } = listed.game;
        return listedStatus(listed) === "scheduled" && start !== null && start > from && start <= to;
      });
    },
  );

  api.get(
    "/api/v1/games/history",
    {
      schema: {
        tags,
        summary: "Games of followed teams as they were, the newest first",
        querystring: exactly({
          ...leagueQuery,
          team: queryText("One team: nfl:sf, sf, an id or a full name"),
          season: Type.Optional(Type.Integer({ minimum: 1800, maximum: 9999, description: "Year of the season" })),
          status: queryChoice([...GAME_STATUSES, "finished"], "finished is final"),
          page: Type.Optional(Type.Integer({ minimum: 1, maximum: 1_000_000, default: 1, description: "From 1 on" })),
          page_size: Type.Optional(
            Type.Integer({ minimum: 1, maximum: LIST_LIMIT_MAX, default: LIST_LIMIT_DEFAULT, description: "Rows" }),
          ),
        }),
        response: answers({
          200: exactly({
            games: Type.Array(HistoryGame),
            total: count("Games that the filter matches"),
            page: count("This page, from 1 on"),
            page_size: count("Rows of a page"),
            total_pages: count("Pages"),
          }),
        }),
      },
    },
    async ({ query }) => {
      const { page = 1, page_size = LIST_LIMIT_DEFAULT } = query;
      const league = leagueOf(sports, query);
      const names = query.team === undefined ? null : namesIn([query.team]);
      const status = query.status === "finished" ? "final" : query.status;
      const rows = [...sports.games()]
        .filter(({ game }) => league === undefined || game.league === league)
        .filter(({ game }) => query.season === undefined || game.season === query.season)
        .filter(({ game }) => names === null || playsIn(game, names))
        .filter(({ condition, started }) => status === undefined || statusOf(condition, started) === status)
        .sort((a, b) => (b.game.start ?? 0) - (a.game.start ?? 0));
      return {
        games: rows.slice((page - 1) * page_size, page * page_size).map(historyRow),
        total: rows.length,
        page,
        page_size,
        total_pages: Math.ceil(rows.length / page_size),
      };
    },
  );

  api.get(
    "/api/v1/games/:id",
    { schema: { tags, summary: "One game", params: id, response: answers({ 200: GameSchema }, 404) } },
    async ({ params }) => bodyOf(find(params.id), followedNow(sports)),
  );

  for (const url of ["/api/v1/games/:id/timeline", "/api/v1/games/timeline/:id"]) {
    api.get(
      url,
      {
        schema: {
          tags,
          summary: "How a game went, by the scores that were recorded",
          params: id,
          querystring: exactly(leagueQuery),
          response: answers({ 200: Timeline }, 404),
        },
      },
      async ({ params, query }) => {
        const league = leagueOf(sports, query);
        const reference = league === undefined || params.id.includes(":") ? params.id : `${league}:${params.id}`;
        return readTimeline(sports.samples, find(reference), now());
      },
    );
  }

  for (const url of ["/api/v1/schedule/:team", "/api/v1/games/schedule/:team"]) {
    api.get(
      url,
      {
        schema: {
          tags,
          summary: "A team's season with record and points",
          description: "Pre-season games are listed and do not count.",
          params: team,
          querystring: exactly({
            ...leagueQuery,
            season: Type.Optional(Type.Integer({ minimum: 1800, maximum: 9999, description: "Year; the present one" })),
          }),
          response: answers({ 200: scheduleAnswer }, 404, 503),
        },
      },
      async ({ params, query }) => {
        const found: Team = await sports.team(params.team, leagueOf(sports, query));
        return scheduleOf(sports, found, query.season ?? null);
      },
    );
  }

  function find(reference: string): Listed {
    const known = sports.game(reference);
    if (!known) throw new AppError("not_found", `Cannot find game "${reference}"`);
    return known;
  }
}
