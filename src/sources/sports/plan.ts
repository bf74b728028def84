import type { Game, TrackedGame } from "../../domain/game.ts";
import { conditionOf, isUnderWay } from "../../domain/game-condition.ts";
import type { Micros } from "../../domain/sample.ts";

const SECOND = 1_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;

/** Names under which a game that is "in" stands still. */
const BREAKS = /^(HALFTIME|END_PERIOD|END_OF_REGULATION)/;
/** A game that has not begun so long after its time waits for something else than the whistle. */
const EXPECTED_FOR = HOUR;

/** How urgent the games of a league are, the most urgent first. */
export type Urgency = "live" | "break" | "soon" | "idle";

/** Whether a game is worth a look between the rounds over all days: it is played, or about to be. */
export function urgencyOf(game: Game, now: Micros, condition = conditionOf(game)): Urgency {
  if (isUnderWay(condition)) {
    return condition === "live" && !BREAKS.test(game.statusName ?? "") ? "live" : "break";
  }
  if (condition !== "scheduled" || game.start === null || !game.timeValid) return "idle";
  const until = (game.start - now) / 1000;
  if (until <= 0) return until > -EXPECTED_FOR ? "live" : until > -3 * EXPECTED_FOR ? "soon" : "idle";
  return until <= 2 * HOUR ? "soon" : "idle";
}

/**
 * How long to wait before the next look at a league, in milliseconds: 15 to 30 s while a game is played or overdue, a
 * minute in breaks, 5 minutes within two hours of a start, else 30 to 60 minutes; never beyond the next such limit.
 * `games` are as last shown, and `remembered` what is known of those that were being played.
 */
export function nextWaitMs(
  games: readonly Game[],
  remembered: readonly Pick<TrackedGame, "game" | "condition">[],
  now: Micros,
  random: () => number,
): number {
  const urgencies = new Set([
    ...games.map((game) => urgencyOf(game, now)),
    ...remembered.map(({ game, condition }) => urgencyOf(game, now, condition)),
  ]);
  if (urgencies.has("live")) return 15 * SECOND + random() * 15 * SECOND;
  const starts = games.flatMap((game) =>
    conditionOf(game) === "scheduled" && game.timeValid && game.start !== null && game.start > now
      ? [(game.start - now) / 1000]
      : [],
  );
  const untilStart = Math.min(Number.POSITIVE_INFINITY, ...starts);
  // Some seconds into the game, since providers do not show a start at once.
  const atStart = untilStart + 5 * SECOND + random() * 5 * SECOND;
  if (urgencies.has("break")) return Math.min(55 * SECOND + random() * 10 * SECOND, atStart);
  if (urgencies.has("soon")) return Math.min(4.5 * MINUTE + random() * MINUTE, atStart);
  return Math.min(30 * MINUTE + random() * 30 * MINUTE, Math.max(untilStart - 2 * HOUR, MINUTE));
}
