import type { Game, GameCondition, Score, Side, TrackedGame } from "./game.ts";
import { conditionOf, hasBegun, scoreSeen } from "./game-condition.ts";
import type { Micros } from "./sample.ts";

/** Games as others see them, over HTTP and in webhooks: names of the original where it had one. */

/** The original's words, with two for games that are not played; what they cannot say is in `condition`. */
export type GameStatus = "scheduled" | "live" | "final" | "postponed" | "canceled";

export function statusOf(condition: GameCondition, started: boolean): GameStatus {
  switch (condition) {
    case "final":
    case "postponed":
    case "canceled":
      return condition;
    // It goes on another day, so that nobody plays it now.
    case "suspended":
      return "postponed";
    case "scheduled":
    case "unclear":
      return "scheduled";
    case "delayed":
      return started ? "live" : "scheduled";
    default:
      return "live";
  }
}

/** A game with what is remembered of it; a game that is not followed is shown as it was last seen. */
export function gameBody(game: Game, tracked: TrackedGame | undefined, isFavorite: boolean) {
  const condition = tracked?.condition ?? conditionOf(game);
  const started = tracked?.started ?? hasBegun(game, condition);
  const score = tracked ? scoreOf(tracked) : scoreOfLook(game, condition);
  return {
    id: game.id,
    league: game.league,
    status: statusOf(condition, started),
    condition,
    start_time: isoOrNull(game.start),
    start_time_valid: game.timeValid,
    home_team: teamBody(game.home),
    away_team: teamBody(game.away),
    score: score && { home: score.home, away: score.away },
    shootout: shootoutOf(game),
    winner: condition === "final" ? winnerOf(game, score) : null,
    period: { current: started ? game.period : null, total: game.periods, time_remaining: started ? game.clock : null },
    detail: game.detail,
    season: game.season,
    season_type: game.seasonType,
    week: game.week,
    venue: game.venue,
    broadcasts: game.broadcasts,
    note: game.note,
    last_play: game.lastPlay?.text ?? null,
    home_win_probability: game.homeWinProbability,
    source: game.source,
    is_favorite: isFavorite,
    updated_at: isoOrNull(tracked?.seenAt ?? null),
  };
}

/** The score of a game that is remembered: 0 to 0 before the start, none where it is canceled. */
export function scoreOf({ condition, score }: TrackedGame): Score | null {
  return condition === "canceled" ? null : score;
}

/** Where only a look is known a game may have begun without a score, which must not be shown as 0 to 0. */
function scoreOfLook(game: Game, condition: GameCondition): Score | null {
  if (condition === "canceled") return null;
  const isAhead = condition !== "unclear" && !hasBegun(game, condition);
  return scoreSeen(game) ?? (isAhead ? { home: 0, away: 0 } : null);
}

export type GameBody = ReturnType<typeof gameBody>;

function teamBody({ team, record }: Side) {
  return {
    id: team.id,
    name: team.name,
    abbreviation: team.abbreviation,
    logo: team.logo,
    colors: { primary: colorOf(team.color), secondary: colorOf(team.alternateColor) },
    record: record && { wins: record.wins, losses: record.losses, ties: record.ties },
  };
}

function colorOf(hex: string | null): string | null {
  return hex === null ? null : `#${hex.replace(/^#/, "")}`;
}

function shootoutOf({ home, away }: Game): Score | null {
  if (home.shootoutScore === null && away.shootoutScore === null) return null;
  return { home: home.shootoutScore ?? 0, away: away.shootoutScore ?? 0 };
}

/** Who won: what the provider says, else the shoot-out, else the score. Null for a draw, and where none is known. */
export function winnerOf({ home, away }: Game, score: Score | null): "home" | "away" | null {
  if (home.winner !== away.winner && (home.winner === true || away.winner === true)) {
    return home.winner === true ? "home" : "away";
  }
  const shootout = (home.shootoutScore ?? 0) - (away.shootoutScore ?? 0);
  const difference = shootout !== 0 || score === null ? shootout : score.home - score.away;
  return difference === 0 ? null : difference > 0 ? "home" : "away";
}

/** ISO 8601 in UTC. Providers give whole minutes, and our own clock milliseconds. */
export function isoOrNull(micros: Micros | null): string | null {
  return micros === null ? null : new Date(Math.floor(micros / 1000)).toISOString();
}
