import type { Game, LeagueId, Team } from "../domain/game.ts";
import { isoOrNull } from "../domain/game-json.ts";
import type { Micros } from "../domain/sample.ts";
import { foldName } from "../domain/team-names.ts";
import { nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import {
  bodyOf,
  everyGame,
  foldedNames,
  followedNow,
  GameSchema,
  isPlayed,
  type Listed,
  leagueOf,
  leagueQuery,
  listedStatus,
  SEEN_WITHIN,
  type SportsSources,
} from "./game-lists.ts";
import { answers, exactly, nullable, nullableText, nullableTime, text } from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["sports"];
const HOUR = 3_600_000_000;
/** A game that begins within so long is "upcoming". */
const UPCOMING_WITHIN = 4 * HOUR;
const STATUSES = "playing, upcoming (begins within 4 hours) or none";

const params = exactly({ team: text("A team: nfl:sf, sf, an id or a full name") });

const GameStatusAnswer = exactly({
  team: text("Abbreviation, lower case"),
  league: text("League"),
  status: text(STATUSES),
  game_id: nullableText("The game that is played or comes next"),
  opponent: nullableText("Abbreviation, lower case"),
  start_time: nullableTime("Kick-off"),
  is_home: nullable(Type.Boolean()),
  team_score: nullable(Type.Integer({ description: "While it is played" })),
  opponent_score: nullable(Type.Integer()),
  period: nullable(Type.Integer()),
  clock: nullableText("As the provider shows it"),
});

const GameContextAnswer = exactly({
  team: text("Abbreviation, lower case"),
  league: text("League"),
  status: text(STATUSES),
  current_game: nullable(GameSchema),
  next_game: nullable(GameSchema),
  last_game: nullable(GameSchema),
});

/** Small answers for sensors that ask often; of a followed team they come from memory alone. */
export function gameStatusRoutes(api: Api, sports: SportsSources, now: () => Micros = nowMicros): void {
  api.get(
    "/api/v1/ha/game-status/:team",
    {
      schema: {
        tags,
        summary: "What a team is doing, for a REST sensor",
        params,
        querystring: exactly(leagueQuery),
        response: answers({ 200: GameStatusAnswer }, 404, 503),
      },
    },
    async ({ params: { team: name }, query }) => {
      const team = await find(name, leagueOf(sports, query));
      const { status, current, next } = contextOf(team);
      const shown = current ?? next;
      const playing = current?.tracked ? current : null;
      const sides = shown && sidesOf(shown.game, team);
      return {
        team: team.abbreviation.toLowerCase(),
        league: team.league,
        status,
        game_id: shown?.game.id ?? null,
        opponent: sides?.other.team.abbreviation.toLowerCase() ?? null,
        start_time: isoOrNull(shown?.game.start ?? null),
        is_home: sides?.isHome ?? null,
        team_score: playing && sides ? playing.tracked!.score[sides.isHome ? "home" : "away"] : null,
        opponent_score: playing && sides ? playing.tracked!.score[sides.isHome ? "away" : "home"] : null,
        period: current?.game.period ?? null,
        clock: current?.game.clock ?? null,
      };
    },
  );

  api.get(
    "/api/v1/ha/game-context/:team",
    {
      schema: {
        tags,
        summary: "A team's game that is played, the next and the last one",
        params,
        querystring: exactly(leagueQuery),
        response: answers({ 200: GameContextAnswer }, 404, 503),
      },
    },
    async ({ params: { team: name }, query }) => {
      const team = await find(name, leagueOf(sports, query));
      const { status, current, next, last } = contextOf(team);
      const body = (listed: Listed | undefined) => (listed ? bodyOf(listed, followedNow(sports)) : null);
      return {
        team: team.abbreviation.toLowerCase(),
        league: team.league,
        status,
        current_game: body(current),
        next_game: body(next),
        last_game: body(last),
      };
    },
  );

  /** A followed team, else one of the games that are known, without asking anybody; only else by the provider's list. */
  async function find(name: string, league: LeagueId | undefined): Promise<Team> {
    const followed = sports.followedTeam(name, league);
    if (followed) return followed;
    const wanted = foldName(name);
    const found = new Map<string, Team>();
    for (const { game, tracked } of everyGame(sports)) {
      if (!tracked || (league !== undefined && game.league !== league)) continue;
      for (const { team } of [game.home, game.away]) {
        if (foldedNames(team).includes(wanted)) {
          found.set(`${team.league}:${team.id}`, team);
        }
      }
    }
    const [only] = found.values();
    return only && found.size === 1 ? only : sports.team(name, league);
  }

  function contextOf(team: Team) {
    const at = now();
    const games = [...everyGame(sports)]
      .filter(({ game }) => game.league === team.league && plays(game, team))
      .sort((a, b) => (a.game.start ?? 0) - (b.game.start ?? 0));
    const current = games.findLast((listed) => isPlayed(listed, at));
    const next = games.find((listed) => listed !== current && isAhead(listed, at));
    const last = games.findLast(({ tracked }) => tracked?.condition === "final");
    const soon = next?.game.start != null && next.game.start - at <= UPCOMING_WITHIN;
    return { status: current ? "playing" : soon ? "upcoming" : "none", current, next, last };
  }
}

/** Also one that should have begun some hours ago and has not. */
function isAhead(listed: Listed, at: Micros): boolean {
  const { start } = listed.game;
  return listedStatus(listed) === "scheduled" && start !== null && start > at - SEEN_WITHIN;
}

function plays({ home, away }: Game, { id }: Team): boolean {
  return home.team.id === id || away.team.id === id;
}

function sidesOf(game: Game, { id }: Team) {
  const isHome = game.home.team.id === id;
  return { isHome, other: isHome ? game.away : game.home };
}
