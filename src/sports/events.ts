import {
  type GameEvent,
  type GameEventType,
  gameKey,
  type LeagueStatus,
  type Score,
  type Side,
  type Team,
  type TrackedGame,
} from "../domain/game.ts";
import { gameBody, isoOrNull, statusOf } from "../domain/game-json.ts";
import type { Micros } from "../domain/sample.ts";
import { namesOf } from "../domain/team-names.ts";
import type { NewEvent, StoredGame } from "../domain/webhook.ts";
import { isoFromMicros } from "../lib/time.ts";

/** Moments among the details of events; they leave as ISO 8601. */
const MOMENTS: ReadonlySet<string> = new Set(["previous_start", "start"]);

/** The only ones whose difference to the score before is their own. */
const SCORING: ReadonlySet<GameEventType> = new Set(["score_changed", "score_corrected", "final_corrected"]);

/** What a game's event says to webhooks: `data` for new receivers, flat fields for those of the original. */
export function newEvent(
  event: GameEvent,
  tracked: TrackedGame,
  otherNamesOf: (team: Team) => readonly string[],
): NewEvent {
  const { game, score, previousScore, details } = event;
  const sides = [game.home.team, game.away.team];
  return {
    type: event.type,
    key: event.id,
    orderKey: gameKey(game),
    at: event.at,
    league: game.league,
    teams: sides.flatMap((team) => [...namesOf(team), ...otherNamesOf(team)]),
    fields: {
      game_id: game.id,
      league: game.league.toUpperCase(),
      home_team: shortOf(game.home),
      away_team: shortOf(game.away),
      score,
      status: statusOf(tracked.condition, tracked.started),
      ...(score && SCORING.has(event.type) ? differences(previousScore, score) : {}),
    },
    data: {
      // The state after all events of this look.
      game: gameBody(game, tracked, true),
      game_sequence: event.sequence,
      score,
      previous_score: previousScore,
      last_play: game.lastPlay?.text ?? null,
      ...Object.fromEntries(
        Object.entries(details).map(([name, value]) => [
          name,
          MOMENTS.has(name) ? isoOrNull(value as Micros | null) : value,
        ]),
      ),
    },
  };
}

function differences(before: Score, now: Score) {
  const [home, away] = [now.home - before.home, now.away - before.away];
  return {
    home_diff: home,
    away_diff: away,
    score_diff: { home, away },
    previous_score: before,
    current_score: now,
  };
}

/** Receivers of the original compare with lower case. */
function shortOf({ team }: Side): string {
  return team.abbreviation.toLowerCase();
}

export function storedGame(tracked: TrackedGame): StoredGame {
  return { id: gameKey(tracked.game), json: JSON.stringify(tracked) };
}

/** A league's source began to fail, or answers again. */
export function sourceEvent(status: LeagueStatus, at: Micros): NewEvent {
  const { league, state, reason, failuresInARow, lastSuccessAt } = status;
  const failing = failuresInARow > 0;
  return {
    type: failing ? "source_degraded" : "source_recovered",
    orderKey: `source:sports:${league}`,
    at,
    league,
    data: {
      source: "sports",
      league,
      state,
      reason,
      last_success_at: isoOrNull(lastSuccessAt),
      at: isoFromMicros(at),
    },
  };
}
