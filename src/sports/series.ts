import { gameKey, type TrackedGame } from "../domain/game.ts";
import type { Value } from "../domain/sample.ts";
import type { SampleSink } from "../domain/store.ts";

/** Scores over time: measurement "game", subject "nfl:401547403". */
export const GAME_MEASUREMENT = "game";

/** What of the store is used. */
export type GameSamples = Pick<SampleSink, "series" | "last" | "append">;

/**
 * Writes what a look at a game found, at the time of the look, wherever it differs from the last sample. Before the
 * start only the status is written: there is no score yet.
 */
export function writeSamples(samples: GameSamples, tracked: TrackedGame): void {
  const { game, score, started, condition, seenAt } = tracked;
  const values: Record<string, Value> = { status: condition };
  if (started) {
    values.home_score = score.home;
    values.away_score = score.away;
    values.period = game.period;
    values.clock = game.clock;
    values.home_win_probability = game.homeWinProbability;
    values.home_shootout_score = game.home.shootoutScore;
    values.away_shootout_score = game.away.shootoutScore;
  }
  for (const [field, value] of Object.entries(values)) {
    // Null would end the series, and that a provider leaves something out ends nothing.
    if (value === null) continue;
    const series = samples.series({ measurement: GAME_MEASUREMENT, subject: gameKey(game), field }, null, seenAt);
    if (samples.last(series)?.value !== value) samples.append(series, seenAt, value);
  }
}
