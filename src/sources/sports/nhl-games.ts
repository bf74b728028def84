import type { Game } from "../../domain/game.ts";
import type { Micros } from "../../domain/sample.ts";
import { isSameAbbreviation } from "../../domain/team-names.ts";
import { microsFromIso } from "../../lib/time.ts";
import { type Json, numberOf, objectOf, textOf } from "../json.ts";

/**
 * Scores of the NHL's own API (`/score/{date}`). It has ids of its own, so that its games are matched to those of the
 * first source by teams and time.
 */

export const SOURCE = "nhl";
/** Two teams never meet twice within so short a time, and delays are shorter. */
const SAME_GAME_WITHIN = 12 * 3_600_000_000;

export interface NhlScore {
  readonly start: Micros | null;
  readonly home: { readonly abbreviation: string; readonly score: number | null };
  readonly away: { readonly abbreviation: string; readonly score: number | null };
  readonly phase: Game["phase"];
  readonly completed: boolean;
  readonly statusName: string | null;
  readonly period: number | null;
  readonly clock: string | null;
}

/** CRIT is the last minutes, still played; OVER is over and not yet official, so that the score may change. */
const PHASES: ReadonlyMap<string, Game["phase"]> = new Map([
  ["FUT", "pre"],
  ["PRE", "pre"],
  ["LIVE", "in"],
  ["CRIT", "in"],
  ["OVER", "in"],
  ["FINAL", "post"],
  ["OFF", "post"],
]);

/** Undefined when it is no answer of that API. */
export function parseNhlScores(answer: unknown): NhlScore[] | undefined {
  const { games } = objectOf(answer);
  return Array.isArray(games) ? games.flatMap((game) => scoreOf(objectOf(game)) ?? []) : undefined;
}

function scoreOf(game: Json): NhlScore | undefined {
  const [home, away] = [sideOf(game.homeTeam), sideOf(game.awayTeam)];
  if (!home || !away) return undefined;
  const start = microsFromIso(textOf(game.startTimeUTC) ?? "");
  const state = textOf(game.gameState) ?? "";
  const clock = objectOf(game.clock);
  const postponed = game.gameScheduleState === "PPD";
  const phase = postponed ? "post" : (PHASES.get(state) ?? null);
  return {
    start: Number.isFinite(start) ? start : null,
    home,
    away,
    phase,
    completed: phase === "post" && !postponed,
    statusName: postponed ? "POSTPONED" : phase === "post" ? "FINAL" : state === "OVER" ? "END_PERIOD" : null,
    period: numberOf(objectOf(game.periodDescriptor).number) ?? numberOf(game.period),
    clock: textOf(clock.timeRemaining),
  };
}

function sideOf(value: unknown): NhlScore["home"] | undefined {
  const team = objectOf(value);
  const abbreviation = textOf(team.abbrev);
  return abbreviation === null ? undefined : { abbreviation, score: numberOf(team.score) };
}

/** The score of a game that another source named; undefined when none, or more than one, fits. */
export function scoreFor(game: Game, scores: readonly NhlScore[]): NhlScore | undefined {
  const fitting = scores.filter(
    ({ home, away, start }) =>
      isSameAbbreviation(home.abbreviation, game.home.team.abbreviation) &&
      isSameAbbreviation(away.abbreviation, game.away.team.abbreviation) &&
      (start === null || game.start === null || Math.abs(start - game.start) <= SAME_GAME_WITHIN),
  );
  return fitting.length === 1 ? fitting[0] : undefined;
}

/** The game as this source sees it, under the id and teams of the first one. */
export function withScore(game: Game, score: NhlScore): Game {
  const { phase, completed, statusName, period, clock } = score;
  return {
    ...game,
    source: SOURCE,
    // Two providers may differ by some minutes, and that would look like another date.
    start: game.start ?? score.start,
    phase,
    completed,
    statusName,
    detail: null,
    period,
    clock,
    home: { ...game.home, score: score.home.score, winner: null },
    away: { ...game.away, score: score.away.score, winner: null },
    lastPlay: null,
    homeWinProbability: null,
  };
}
