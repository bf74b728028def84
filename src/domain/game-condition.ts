import type { Game, GameCondition, Score } from "./game.ts";

const CALLED_OFF = new Set(["CANCELED", "CANCELLED", "ABANDONED", "FORFEIT", "UNCONTESTED"]);
const DELAYED = new Set(["DELAYED", "DELAY", "RAIN_DELAY"]);
const HALFTIME = new Set(["HALFTIME", "HALFTIME_ET"]);
const BEFORE = new Set(["SCHEDULED", "TBD"]);
const AFTER = /^(FINAL|FULL_TIME)/;
const DURING = /^(IN_PROGRESS|HALFTIME|FIRST_HALF|SECOND_HALF|OVERTIME|END_PERIOD|SHOOTOUT)/;

/**
 * What a look at a game means. Phase and completion decide; names only tell apart what those two leave open, so a name
 * never seen before breaks nothing. A game has ended only after `post` and completed; a look that contradicts itself is
 * `unclear`.
 */
export function conditionOf({ phase, completed, statusName }: Game): GameCondition {
  const name = statusName ?? "";
  if (phase === null) return "unclear";
  // Providers call some of these completed, and they have no score that counts.
  if (CALLED_OFF.has(name)) return "canceled";
  if (name === "POSTPONED") return phase === "in" ? "unclear" : "postponed";
  if (name === "SUSPENDED") return phase === "pre" ? "unclear" : "suspended";
  if (phase === "post") return completed && !BEFORE.has(name) && !DURING.test(name) ? "final" : "unclear";
  if (completed) return "unclear";
  if (DELAYED.has(name)) return "delayed";
  if (phase === "pre") return AFTER.test(name) || DURING.test(name) ? "unclear" : "scheduled";
  if (BEFORE.has(name) || AFTER.test(name)) return "unclear";
  return HALFTIME.has(name) ? "halftime" : "live";
}

/** Being played, breaks and interruptions of the same day included. */
export function isUnderWay(condition: GameCondition): boolean {
  return condition === "live" || condition === "halftime" || condition === "delayed";
}

/** Whether a look shows a game after its start; of one that is postponed or canceled no start counts. */
export function hasBegun(game: Game, condition: GameCondition = conditionOf(game)): boolean {
  if (condition === "delayed") {
    // The first pitch may be what is delayed, although baseball calls that "in", in period 1.
    return game.phase === "in" && ((game.period ?? 0) > 1 || (game.home.score ?? 0) + (game.away.score ?? 0) > 0);
  }
  return condition === "live" || condition === "halftime" || condition === "suspended" || condition === "final";
}

/** The score of a look: of both sides, or null where one is missing or below zero. */
export function scoreSeen({ home, away }: Game): Score | null {
  if (home.score === null || away.score === null || home.score < 0 || away.score < 0) return null;
  return { home: home.score, away: away.score };
}
