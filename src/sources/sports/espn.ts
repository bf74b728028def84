import type { ScoreProvider } from "../../domain/game.ts";
import { SOURCE } from "./espn-games.ts";
import { leagueOf } from "./leagues.ts";
import type { ScoreRequests } from "./requests.ts";

export const ESPN_BASE_URL = "https://site.api.espn.com/apis/site/v2/sports";
/** Without a limit ESPN stops at 100; above 500 it was seen to shrink to 25 without a word. */
const GAMES_MAX = 500;
const TEAMS_MAX = 1000;

/**
 * ESPN's site API: every league, no key, no promise. A day at a time, since ranges of days answer 400 since September
 * 2026. `baseUrl` stands for everything before `/{sport}/{league}`.
 */
export function createEspn(requests: ScoreRequests, baseUrl: string = ESPN_BASE_URL): ScoreProvider {
  const base = baseUrl.replace(/\/+$/, "");
  return {
    name: SOURCE,
    covers: () => true,
    async scoreboard(league, day, signal) {
      const { path, groups } = leagueOf(league);
      const query = new URLSearchParams({ dates: day.replaceAll("-", ""), limit: String(GAMES_MAX) });
      if (groups !== undefined) query.set("groups", groups);
      const url = `${base}/${path}/scoreboard?${query}`;
      const { value, unchanged } = await requests.get({ url, kind: "games", league }, signal);
      return { ...value, truncated: value.games.length + value.skipped >= GAMES_MAX, unchanged };
    },
    async teams(league, signal) {
      const url = `${base}/${leagueOf(league).path}/teams?limit=${TEAMS_MAX}`;
      return (await requests.get({ url, kind: "teams", league }, signal)).value;
    },
    async schedule({ league, id }, season, signal) {
      const query = season === null ? "" : `?season=${season}`;
      const url = `${base}/${leagueOf(league).path}/teams/${encodeURIComponent(id)}/schedule${query}`;
      return (await requests.get({ url, kind: "games", league }, signal)).value.games;
    },
  };
}
