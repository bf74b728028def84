import { type Game, gameKey, type Team } from "../domain/game.ts";
import { conditionOf } from "../domain/game-condition.ts";
import { winnerOf } from "../domain/game-json.ts";
import { bodyOf, followedNow, GameSchema, type SportsSources } from "./game-lists.ts";
import { count, exactly, nullable, nullableText, text } from "./schemas.ts";
import { Type } from "./type.ts";

const PRE_SEASON = 1;

export const scheduleAnswer = exactly({
  team: text("Abbreviation"),
  team_id: text("The provider's"),
  team_name: text("Full name"),
  league: text("League"),
  season: nullable(Type.Integer({ description: "Year" })),
  record: text("Wins, losses and, where there are any, ties: 12-4-1"),
  statistics: exactly({
    games_played: count("Games that have ended, without pre-season"),
    wins: count("Won, by shoot-out too"),
    losses: count("Lost"),
    ties: count("Drawn"),
    win_percentage: Type.Number({ description: "0 to 1; a tie counts half" }),
    points_for: count("Points, goals or runs"),
    points_against: count("Of the opponents"),
    point_differential: Type.Integer(),
  }),
  games: Type.Array(GameSchema),
  complete: Type.Boolean({ description: "False while the provider cannot be asked: only what was seen here" }),
  warning: nullableText("What is missing"),
});

/** A team's season: games in order, and what came of those that have ended. */
export async function scheduleOf(sports: SportsSources, team: Team, season: number | null) {
  const { games, complete } = await sports.schedule(team, season);
  const sorted = [...games].sort((a, b) => (a.start ?? 0) - (b.start ?? 0));
  const statistics = statisticsOf(sorted, team);
  const isFollowed = followedNow(sports);
  const { wins, losses, ties } = statistics;
  return {
    team: team.abbreviation,
    team_id: team.id,
    team_name: team.name,
    league: team.league,
    season: season ?? sorted.at(-1)?.season ?? null,
    record: ties > 0 ? `${wins}-${losses}-${ties}` : `${wins}-${losses}`,
    statistics,
    games: sorted.map((game) => bodyOf({ game, tracked: sports.game(gameKey(game))?.tracked ?? null }, isFollowed)),
    complete,
    warning: complete ? null : "The provider cannot be asked now; these are the games that were followed here",
  };
}

function statisticsOf(games: readonly Game[], team: Team) {
  let [wins, losses, ties, pointsFor, pointsAgainst] = [0, 0, 0, 0, 0];
  for (const game of games) {
    const { home, away } = game;
    if (game.seasonType === PRE_SEASON || conditionOf(game) !== "final") continue;
    if (home.score === null || away.score === null) continue;
    const isHome = home.team.id === team.id;
    const winner = winnerOf(game, { home: home.score, away: away.score });
    if (winner === null) ties++;
    else if ((winner === "home") === isHome) wins++;
    else losses++;
    pointsFor += isHome ? home.score : away.score;
    pointsAgainst += isHome ? away.score : home.score;
  }
  const played = wins + losses + ties;
  return {
    games_played: played,
    wins,
    losses,
    ties,
    win_percentage: played === 0 ? 0 : Math.round(((wins + ties / 2) / played) * 1000) / 1000,
    points_for: pointsFor,
    points_against: pointsAgainst,
    point_differential: pointsFor - pointsAgainst,
  };
}
