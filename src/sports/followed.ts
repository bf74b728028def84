import { AppError } from "../domain/errors.ts";
import { ALL_TEAMS, type FollowedTeam, type Game, type LeagueId, SourceFailure, type Team } from "../domain/game.ts";
import { findTeam, findTeamOfSome, foldName, type TeamName } from "../domain/team-names.ts";
import type { StoredTeam } from "../domain/webhook.ts";

export const FOLLOWED_MAX = 200;

export interface WatchedName extends TeamName {
  readonly team: Team | null;
}

export interface FollowedOptions {
  readonly stored: readonly StoredTeam[];
  /** From the configuration. */
  readonly configured: readonly TeamName[];
  /** The whole list of a league; rejects with a SourceFailure. */
  readonly teams: (league: LeagueId) => Promise<readonly Team[]>;
  /** The team that was once called so; undefined for a name that a team has now. */
  readonly formerly: (league: LeagueId, text: string) => Team | undefined;
  readonly save: (teams: readonly StoredTeam[]) => Promise<void>;
}

/** Who is followed: by the configuration, over HTTP, and because a webhook names the team. */
export interface Followed {
  /** Without those that webhooks name. */
  list(): readonly FollowedTeam[];
  all(): readonly FollowedTeam[];
  leagues(): readonly LeagueId[];
  /** Whether one of the two plays. A team that is still known as text only is found by this, too. */
  follows(game: Game): boolean;
  /** Whether teams of the league are known as text only. */
  isUnresolved(league: LeagueId): boolean;
  /** Finds the teams that are known as text only in a league's whole list; answers those that it lacks. */
  resolveAll(league: LeagueId, teams: readonly Team[]): readonly FollowedTeam[];
  follow(name: TeamName): Promise<FollowedTeam>;
  unfollow(name: TeamName): Promise<boolean>;
  /** Teams that webhooks name, and which they are where that is known; they come and go with those. */
  watch(names: readonly WatchedName[]): void;
  /** How webhooks call a team, which need be no name of its own: some find it among all of its league ("Dallas"). */
  watchedAs(team: Team): string[];
}

export function createFollowed(options: FollowedOptions): Followed {
  let own = options.stored.flatMap(({ json }) => parseFollowed(json) ?? []);
  const configured = options.configured.map((name) => unresolved(name, true));
  let watched: FollowedTeam[] = [];
  let last: Promise<unknown> = Promise.resolve();

  const everyone = (): readonly FollowedTeam[] => [...configured, ...own, ...watched];

  /** One change after the other; what the disk refuses did not happen. */
  function change(next: () => Promise<FollowedTeam[]> | FollowedTeam[]): Promise<void> {
    const done = last.then(async () => {
      // Two names of one team, which was not known to be one when they were followed.
      const teams = unique(await next());
      await options.save(teams.map((team) => ({ id: keyOf(team), json: JSON.stringify(team) })));
      own = teams;
    });
    last = done.catch(() => undefined);
    return done;
  }

  async function resolve(name: TeamName): Promise<FollowedTeam> {
    if (name.text === ALL_TEAMS) return unresolved(name, false);
    let teams: readonly Team[];
    try {
      teams = await options.teams(name.league);
    } catch (error) {
      // The scoreboards name the teams as well; until then the text has to do.
      if (error instanceof SourceFailure) return unresolved(name, false);
      throw error;
    }
    const team = findTeam(teams, name.text);
    if (!team) {
      throw new AppError("not_found", `Cannot find one team "${name.text}" in league "${name.league}"`);
    }
    return resolved(unresolved(name, false), team);
  }

  /** The entry with the team's id, where one of the two is the team that it means. */
  function settle(entry: FollowedTeam, game: Game): FollowedTeam {
    if (entry.league !== game.league || !isText(entry)) return entry;
    const sides = [game.home.team, game.away.team];
    const former = (): Team | undefined => {
      const team = options.formerly(entry.league, entry.text);
      return sides.find(({ id }) => id === team?.id);
    };
    const team = findTeamOfSome(sides, entry.text) ?? former();
    return team ? resolved(entry, team) : entry;
  }

  return {
    list: () => unique([...configured, ...own]),
    all: everyone,
    leagues: () => [...new Set(everyone().map(({ league }) => league))],
    follows(game) {
      for (const entries of [configured, own, watched]) {
        for (const [i, entry] of entries.entries()) {
          const settled = settle(entry, game);
          // What it resolved to reaches the disk with the next change; after a restart it is found again.
          if (settled !== entry) entries[i] = settled;
          if (isMeant(settled, game)) return true;
        }
      }
      return false;
    },
    isUnresolved: (league) => everyone().some((entry) => entry.league === league && isText(entry)),
    resolveAll(league, teams) {
      const missing: FollowedTeam[] = [];
      for (const entries of [configured, own, watched]) {
        for (const [i, entry] of entries.entries()) {
          if (entry.league !== league || !isText(entry)) continue;
          const team = findTeam(teams, entry.text) ?? options.formerly(league, entry.text);
          if (team) entries[i] = resolved(entry, team);
          else missing.push(entry);
        }
      }
      return missing;
    },
    async follow(name) {
      const entry = await resolve(name);
      await change(() => {
        const kept = own.filter((team) => keyOf(team) !== keyOf(entry));
        if (kept.length >= FOLLOWED_MAX) {
          throw new AppError("invalid", `Cannot follow "${name.text}": ${FOLLOWED_MAX} teams are followed already`);
        }
        return [...kept, entry];
      });
      return { ...entry, configured: configured.some((team) => keyOf(team) === keyOf(entry)) };
    },
    async unfollow(name) {
      const isThat = (team: FollowedTeam): boolean => team.league === name.league && isCalled(team, name.text);
      // Also where it is followed by hand as well: it would go on being followed.
      if (configured.some(isThat)) {
        throw new AppError("conflict", `Cannot unfollow "${name.text}": the configuration (SPORTS_TEAMS) names it`);
      }
      const found = own.some(isThat);
      if (found) await change(() => own.filter((team) => !isThat(team)));
      return found;
    },
    watch(names) {
      const known = new Map(watched.map((team) => [`${team.league}:${team.text}`, team]));
      watched = names.map((name) => {
        if (name.team) return resolved(unresolved(name, false), name.team);
        return known.get(`${name.league}:${name.text}`) ?? unresolved(name, false);
      });
    },
    watchedAs: ({ league, id }) =>
      watched.flatMap((entry) =>
        entry.league === league && entry.id === id ? [entry.text, `${league}:${entry.text}`] : [],
      ),
  };
}

function unresolved({ league, text }: TeamName, configured: boolean): FollowedTeam {
  return { league, id: null, text, abbreviation: null, name: text === ALL_TEAMS ? "all teams" : null, configured };
}

function resolved(entry: FollowedTeam, { id, abbreviation, name }: Team): FollowedTeam {
  return { ...entry, id, abbreviation, name };
}

function isText({ id, text }: FollowedTeam): boolean {
  return id === null && text !== ALL_TEAMS;
}

function isMeant({ league, id, text }: FollowedTeam, game: Game): boolean {
  if (league !== game.league) return false;
  return text === ALL_TEAMS || (id !== null && (id === game.home.team.id || id === game.away.team.id));
}

function isCalled(team: FollowedTeam, text: string): boolean {
  const wanted = foldName(text);
  return [team.id, team.text, team.abbreviation, team.name].some((name) => name !== null && foldName(name) === wanted);
}

function keyOf({ league, id, text }: FollowedTeam): string {
  return `${league}:${id ?? foldName(text)}`;
}

function unique(teams: readonly FollowedTeam[]): FollowedTeam[] {
  const seen = new Set<string>();
  return teams.filter((team) => !seen.has(keyOf(team)) && seen.add(keyOf(team)));
}

/** What we wrote ourselves; undefined for what is none. */
function parseFollowed(json: string): FollowedTeam | undefined {
  try {
    const team = JSON.parse(json) as Partial<FollowedTeam> | null;
    if (typeof team?.league !== "string" || typeof team.text !== "string") return undefined;
    const { league, text, id = null, abbreviation = null, name = null } = team;
    return { league, text, id, abbreviation, name, configured: false };
  } catch {
    return undefined;
  }
}
