import type { Game, Score, Side, Team } from "../domain/game.ts";
import { microsFromIso } from "../lib/time.ts";

/** Games for tests: San Francisco at Seattle, one look at a time. */

export const KICKOFF = microsFromIso("2026-11-29T21:05:00Z");
export const MINUTE = 60_000_000;
export const HOUR = 60 * MINUTE;

export function teamOf(id: string, abbreviation: string, name: string, league = "nfl"): Team {
  return {
    league,
    id,
    abbreviation,
    name,
    shortName: name.split(" ").at(-1)!,
    location: name.split(" ").slice(0, -1).join(" "),
    logo: null,
    color: null,
    alternateColor: null,
  };
}

export const SF = teamOf("25", "SF", "San Francisco 49ers");
export const SEA = teamOf("26", "SEA", "Seattle Seahawks");

interface LookChanges extends Partial<Omit<Game, "home" | "away">> {
  readonly home?: Partial<Side>;
  readonly away?: Partial<Side>;
}

function sideOf(team: Team, changes: Partial<Side> = {}): Side {
  return { team, score: 0, shootoutScore: null, winner: null, record: null, ...changes };
}

/** Before the game, 0 to 0, unless the changes say otherwise. */
export function gameOf(changes: LookChanges = {}): Game {
  const { home, away, ...others } = changes;
  return {
    league: "nfl",
    id: "401547403",
    source: "espn",
    start: KICKOFF,
    timeValid: true,
    phase: "pre",
    completed: false,
    statusName: "SCHEDULED",
    detail: null,
    period: 0,
    periods: 4,
    clock: "0:00",
    home: sideOf(SEA, home),
    away: sideOf(SF, away),
    season: 2026,
    seasonType: 2,
    week: 12,
    venue: null,
    broadcasts: [],
    note: null,
    lastPlay: null,
    homeWinProbability: null,
    ...others,
  };
}

export function liveGame(home: number, away: number, changes: LookChanges = {}): Game {
  const { home: homeSide, away: awaySide, ...others } = changes;
  return gameOf({
    phase: "in",
    statusName: "IN_PROGRESS",
    period: 1,
    clock: "10:00",
    ...others,
    home: { score: home, ...homeSide },
    away: { score: away, ...awaySide },
  });
}

export function finalGame(home: number, away: number, changes: LookChanges = {}): Game {
  return liveGame(home, away, { phase: "post", completed: true, statusName: "FINAL", period: 4, ...changes });
}

/** An event as tests write it: "score_changed 7:0", and "game_canceled", which has no score. */
export function eventText(type: string, score: Score | null): string {
  return score ? `${type} ${score.home}:${score.away}` : type;
}
