import type { LeagueId } from "../domain/game.ts";
import { splitTeamName } from "../domain/team-names.ts";
import type { SportsSources } from "./game-lists.ts";

type Asked = Pick<SportsSources, "followed" | "parseLeague" | "status">;

/**
 * What a list of games cannot answer for: each of its leagues whose source has not answered since the start, or did not
 * the last time, with the reason. Null where there is none. Without it a source that refuses us would look like a day
 * without games. The list is about one league, or about teams as they were named, or about those that are followed.
 */
export function warningOf(sports: Asked, league: LeagueId | undefined, teams: readonly string[] | null): string | null {
  const known = new Map(sports.status().leagues.map((one) => [one.league, one]));
  const asked = new Set(league === undefined ? leaguesOf(sports, teams, [...known.keys()]) : [league]);
  const faults = [...asked].flatMap((one) => {
    const status = known.get(one);
    if (!status) return [`${one}: nobody follows a team of it, so that nothing is known of its games`];
    const { state, reason } = status;
    if (state === "ok" || state === "empty") return [];
    return [`${one} (${state}): ${reason ?? "it has not been asked since the start"}`];
  });
  return faults.length === 0 ? null : `Games may be missing or out of date: ${faults.join("; ")}`;
}

/** A team that is named without its league may be of any. */
function leaguesOf(sports: Asked, teams: readonly string[] | null, all: readonly LeagueId[]): readonly LeagueId[] {
  if (teams === null) return sports.followed().map((team) => team.league);
  return teams.flatMap((text) => splitTeamName(text, sports.parseLeague)?.league ?? all);
}
