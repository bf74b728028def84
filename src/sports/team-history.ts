import { type Game, type LeagueId, type Team, teamKey } from "../domain/game.ts";
import { findTeamOfSome, foldName, namesOf } from "../domain/team-names.ts";

/**
 * What teams were called before. Providers rename a team and keep its id; what users wrote down (SPORTS_TEAMS, the
 * `team` of a webhook) goes on to mean it, unless another team of the league bears the name by now.
 */
export interface TeamHistory {
  /** Takes the names of both sides; games come in the order in which they were seen. */
  learn(game: Game): void;
  /** The team with this id as it was last seen playing. */
  lastSeen(league: LeagueId, id: string): Team | undefined;
  /** Former names of a team that nobody else has now, in every form in which users write them. */
  formerNamesOf(team: Team): string[];
  /** The team, as it is now, that was once called so. */
  formerly(league: LeagueId, text: string): Team | undefined;
}

/** Of one team; placeholders change theirs often. */
const NAMES_MAX = 8;

export function createTeamHistory(): TeamHistory {
  /** By team, as it was called, the present one last. */
  const known = new Map<string, Team[]>();

  function learn(team: Team): void {
    const names = known.get(teamKey(team)) ?? [];
    if (names.length > 0 && isCalledAlike(names.at(-1)!, team)) return;
    const others = names.filter((one) => !isCalledAlike(one, team));
    known.set(teamKey(team), [...others, team].slice(-NAMES_MAX));
  }

  const present = (league: LeagueId): Team[] =>
    [...known.values()].map((all) => all.at(-1)!).filter((team) => team.league === league);

  return {
    learn(game) {
      learn(game.home.team);
      learn(game.away.team);
    },
    lastSeen: (league, id) => known.get(teamKey({ league, id }))?.at(-1),
    formerNamesOf(team) {
      const former = (known.get(teamKey(team)) ?? []).slice(0, -1);
      if (former.length === 0) return [];
      const others = present(team.league).filter(({ id }) => id !== team.id);
      const taken = new Set(others.flatMap(namesOf).map(foldName));
      return former.flatMap(namesOf).filter((name) => !taken.has(foldName(name)));
    },
    formerly(league, text) {
      const now = present(league);
      if (findTeamOfSome(now, text)) return undefined;
      return now.find((team) => {
        const former = (known.get(teamKey(team)) ?? []).slice(0, -1);
        return former.some((one) => findTeamOfSome([one], text));
      });
    },
  };
}

function isCalledAlike(one: Team, other: Team): boolean {
  return one.abbreviation === other.abbreviation && one.name === other.name && one.shortName === other.shortName;
}
