import type { Game, GameDay, LeagueId } from "../../domain/game.ts";
import { type NhlScore, SOURCE, scoreFor, withScore } from "./nhl-games.ts";
import type { ScoreRequests } from "./requests.ts";

export const NHL_BASE_URL = "https://api-web.nhle.com/v1";

/**
 * Another source's word on games that the first one named: asked while that one fails, and about finals. Rejects as a
 * ScoreProvider does.
 */
export interface SecondSource {
  readonly name: string;
  covers(league: LeagueId): boolean;
  /** The games it knows of the given ones, as it sees them, under the ids they were given with. */
  look(games: readonly Game[], day: GameDay, signal: AbortSignal): Promise<readonly Game[]>;
}

/** The league's own scores. */
export function createNhl(requests: ScoreRequests, baseUrl: string = NHL_BASE_URL): SecondSource {
  const base = baseUrl.replace(/\/+$/, "");
  return {
    name: SOURCE,
    covers: (league) => league === "nhl",
    async look(games, day, signal) {
      const url = `${base}/score/${day}`;
      const { value } = await requests.get({ url, kind: "nhl", league: "nhl" }, signal);
      return games.flatMap((game) => seen(game, value) ?? []);
    },
  };
}

function seen(game: Game, scores: readonly NhlScore[]): Game | undefined {
  const score = scoreFor(game, scores);
  return score && withScore(game, score);
}
