import type { GameDay } from "../../domain/game.ts";
import type { Micros } from "../../domain/sample.ts";

/** Where days of games end, whatever their league. */
const ZONE = "America/New_York";

/** The day under which a moment's games are filed: one that starts at 22:00 in Seattle belongs to that evening. */
export function gameDay(at: Micros): GameDay {
  return dateOf(at).toString();
}

/** Today first, then yesterday, whose late games are still played, and tomorrow. */
export function daysAround(at: Micros): readonly [GameDay, GameDay, GameDay] {
  const today = dateOf(at);
  return [today.toString(), today.subtract({ days: 1 }).toString(), today.add({ days: 1 }).toString()];
}

function dateOf(at: Micros): Temporal.PlainDate {
  return Temporal.Instant.fromEpochMilliseconds(Math.floor(at / 1000))
    .toZonedDateTimeISO(ZONE)
    .toPlainDate();
}
