import { AppError, messageOf } from "../domain/errors.ts";
import {
  type FollowedTeam,
  type Game,
  type GameEvent,
  type GameStore,
  gameKey,
  type LeagueId,
  type Scoreboard,
  type ScoreSource,
  SourceFailure,
  type SportsStatus,
  type Team,
  type TeamStore,
} from "../domain/game.ts";
import { findTeam, findTeamOfSome, foldName, namesOf, readTeamName, type TeamName } from "../domain/team-names.ts";
import type { Outbox } from "../domain/webhook.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { createBook, type Draft } from "./book.ts";
import { newEvent, sourceEvent, storedGame } from "./events.ts";
import { createFollowed, FOLLOWED_MAX, type WatchedName } from "./followed.ts";
import { type GameSamples, writeSamples } from "./series.ts";
import { createTeamHistory } from "./team-history.ts";

/**
 * Games that are looked at and stored together: 2 to 4 ms of the main thread. A game tells fewer than ten things at
 * once, and the outbox takes a thousand.
 */
const GAMES_AT_ONCE = 50;

export interface SportsOptions {
  readonly source: ScoreSource;
  readonly outbox: Outbox;
  readonly samples: GameSamples;
  /** SPORTS_TEAMS. */
  readonly configured: readonly TeamName[];
  readonly log: Logger;
}

/** A team as a webhook names it. */
export interface WatchedTeam {
  readonly league: string | null;
  readonly team: string;
}

export interface Sports extends GameStore, TeamStore {
  status(): SportsStatus;
  /**
   * Follows the teams that webhooks name as long as they do, so that who asks to be told of a team need not follow it
   * as well. A name that fits no team is left out, with a line in the log. Resolves to false where one is left out only
   * because its league is not named and the source cannot be asked: call again later.
   */
  watch(teams: readonly WatchedTeam[]): Promise<boolean>;
  /** The leagues whose games are known: somebody follows a team of them, or a webhook names one. */
  followedLeagues(): readonly LeagueId[];
  close(): Promise<void>;
}

/**
 * Follows teams: what scoreboards say goes through the tracker, what happened to the outbox together with what is
 * remembered, and the scores to the store. Rejects when what was remembered cannot be read.
 */
export async function createSports(options: SportsOptions): Promise<Sports> {
  const { source, outbox, samples, configured, log } = options;
  const book = createBook(await outbox.storedGames());
  if (book.damaged > 0) log.warn(`${book.damaged} stored games cannot be read and begin anew`);
  const history = createTeamHistory();
  for (const { game } of [...book.all()].sort((a, b) => a.seenAt - b.seenAt)) history.learn(game);
  /** Followed names that fit no team, which the log says once. */
  const namesOfNone = new Set<string>();
  const counters = { scoreboards: 0, events: 0, games_forgotten: 0 };
  const failing = new Set(await outbox.failingSources());
  const followed = createFollowed({
    stored: await outbox.followedTeams(),
    configured,
    teams: source.teams,
    formerly: history.formerly,
    save: (teams) => outbox.saveFollowedTeams(teams),
  });

  async function take(scoreboard: Scoreboard): Promise<void> {
    const { games } = scoreboard;
    for (const game of games) history.learn(game);
    // The source answers; at the start it may not have. Scores do not wait for its list of teams.
    void resolveFollowed([scoreboard.league]);
    for (let at = 0; at < games.length; at += GAMES_AT_ONCE) {
      const some = { ...scoreboard, games: games.slice(at, at + GAMES_AT_ONCE) };
      await store(book.draft(some, followed.follows));
    }
    counters.scoreboards++;
  }

  const otherNamesOf = (team: Team): string[] => [...history.formerNamesOf(team), ...followed.watchedAs(team)];

  /** A game's events and what is remembered of it go in one transaction, or not at all. */
  async function store(drafts: readonly Draft[]): Promise<void> {
    const changed = drafts.filter((draft) => draft.changed);
    const forgottenGames = book.excess(drafts);
    const events = changed.flatMap((draft) =>
      draft.events.map((event) => newEvent(event, draft.tracked, otherNamesOf)),
    );
    if (changed.length > 0) {
      await outbox.commit({ games: changed.map(({ tracked }) => storedGame(tracked)), forgottenGames, events });
    }
    book.keep(drafts, forgottenGames);
    for (const { tracked } of drafts) writeSamples(samples, tracked);
    counters.events += events.length;
    counters.games_forgotten += forgottenGames.length;
    for (const event of drafts.flatMap((draft) => draft.events)) log.info(lineOf(event));
  }

  const feed = source.listen({
    leagues: followed.leagues,
    follows: followed.follows,
    known: book.ofLeague,
    take,
    isFailing: (league) => failing.has(league),
    async sourceChanged(league, status) {
      const isFailing = status.failuresInARow > 0;
      await outbox.commit({ sources: [{ league, failing: isFailing }], events: [sourceEvent(status, nowMicros())] });
      if (isFailing) failing.add(league);
      else failing.delete(league);
    },
  });

  /** The provider's list, else the teams that were seen playing. */
  async function teamsOf(league: LeagueId): Promise<readonly Team[]> {
    try {
      return await source.teams(league);
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      const seen = seenTeams(league);
      if (seen.length > 0) return seen;
      throw new AppError("unavailable", `Cannot read the teams of "${league}": ${error.message}`, { cause: error });
    }
  }

  function seenTeams(league: LeagueId): Team[] {
    const games: Game[] = [...book.ofLeague(league).map(({ game }) => game), ...feed.current()];
    const teams = games.filter((game) => game.league === league).flatMap(({ home, away }) => [home.team, away.team]);
    return [...new Map(teams.map((team) => [team.id, team])).values()];
  }

  function followedTeam(text: string, league?: LeagueId): Team | undefined {
    const wanted = foldName(text);
    for (const entry of followed.all()) {
      if (entry.id === null || (league !== undefined && entry.league !== league)) continue;
      const one = history.lastSeen(entry.league, entry.id) ?? teamOf(entry, entry.id);
      if ([entry.text, ...namesOf(one)].some((name) => foldName(name) === wanted)) return one;
    }
    return undefined;
  }

  async function team(text: string, league?: LeagueId): Promise<Team> {
    const named = readTeamName(text, league, source);
    if (named) {
      const found =
        findTeamOfSome(seenTeams(named.league), named.text) ??
        findTeam(await teamsOf(named.league), named.text) ??
        history.formerly(named.league, named.text);
      if (found) return found;
      throw new AppError("not_found", `Cannot find one team "${named.text}" in league "${named.league}"`);
    }
    const known = followedTeam(text);
    if (known) return known;
    let fault: unknown;
    for (const { id } of source.leagues) {
      try {
        const found = findTeam(await teamsOf(id), text);
        if (found) return found;
      } catch (error) {
        fault = error;
        // Where one league's list is missing another may know the team, unless the source refuses everybody.
        if (isOutage(error)) break;
      }
    }
    for (const { id } of source.leagues) {
      const found = history.formerly(id, text);
      if (found) return found;
    }
    if (fault !== undefined) throw fault;
    throw new AppError("not_found", `Cannot find a team "${text}"; name its league, as in "nfl:sf"`);
  }

  function game(reference: string) {
    const at = reference.lastIndexOf(":");
    const league = at < 1 ? undefined : source.parseLeague(reference.slice(0, at));
    const id = reference.slice(at + 1);
    if (at >= 0 && league === undefined) return undefined;
    const tracked =
      league === undefined
        ? [...book.all()]
            .filter((one) => one.game.id === id)
            .sort((a, b) => (b.game.start ?? 0) - (a.game.start ?? 0))[0]
        : book.get(gameKey({ league, id }));
    if (tracked) return { game: tracked.game, tracked };
    const current = [...feed.current()].find((one) => one.id === id && (league === undefined || one.league === league));
    return current && { game: current, tracked: null };
  }

  void resolveFollowed(followed.leagues());
  feed.refresh();

  /** Finds the teams that are known as text only, and says what would otherwise be silence: a name that fits none. */
  async function resolveFollowed(leagues: readonly LeagueId[]): Promise<void> {
    for (const league of leagues.filter(followed.isUnresolved)) {
      try {
        for (const { text, configured } of followed.resolveAll(league, await source.teams(league))) {
          const name = `${league}:${text}`;
          if (namesOfNone.has(name)) continue;
          namesOfNone.add(name);
          const remedy = configured ? ": see SPORTS_TEAMS" : "";
          log.warn(`No team of ${league} is called "${text}", or more than one is${remedy}`);
        }
      } catch (error) {
        // Until the source has a list the scoreboards name teams as well, though not in all ways.
        if (!(error instanceof SourceFailure)) log.error({ err: error }, "Cannot look up the followed teams");
      }
    }
  }

  return {
    games: () => book.all(),
    game,
    current: () => feed.current(),
    async schedule(of, season) {
      const known = [...book.ofLeague(of.league)]
        .map((tracked) => tracked.game)
        .filter((one) => one.home.team.id === of.id || one.away.team.id === of.id);
      let told: readonly Game[] | null = null;
      try {
        told = await source.schedule(of, season);
      } catch (error) {
        if (!(error instanceof SourceFailure)) throw error;
      }
      const all = new Map((told ?? []).map((one) => [one.id, one]));
      // Games of years are remembered, and the provider's present season is the one of what it tells.
      const wanted = season ?? lastSeason(told ?? []) ?? lastSeason(known);
      // What is remembered here is newer than a schedule, which is asked for once an hour.
      for (const one of known) if (one.season === wanted || all.has(one.id)) all.set(one.id, one);
      return { games: [...all.values()], complete: told !== null };
    },
    leagues: source.leagues,
    parseLeague: source.parseLeague,
    teams: teamsOf,
    team,
    followedTeam,
    followed: followed.list,
    followedLeagues: followed.leagues,
    async follow(league, text) {
      const entry = await followed.follow({ league, text });
      feed.refresh();
      return entry;
    },
    async unfollow(league, text) {
      const found = await followed.unfollow({ league, text });
      feed.refresh();
      return found;
    },
    async watch(teams) {
      const names: WatchedName[] = [];
      let complete = true;
      for (const { league: given, team: text } of teams.slice(0, FOLLOWED_MAX)) {
        const league = given === null ? undefined : source.parseLeague(given);
        try {
          const found = await team(text, league);
          const named = readTeamName(text, league, source);
          names.push({ league: found.league, text: named?.text ?? text, team: found });
        } catch (error) {
          const unavailable = error instanceof AppError && error.code === "unavailable";
          const named = unavailable ? readTeamName(text, league, source) : undefined;
          if (named) names.push({ ...named, team: null });
          else log.warn(`A webhook asks for team "${text}", which cannot be followed: ${messageOf(error)}`);
          if (unavailable && !named) complete = false;
        }
      }
      followed.watch(names);
      feed.refresh();
      return complete;
    },
    status: () => ({
      followed: followed.list().length,
      leagues: feed.status(),
      counters: { ...counters, ...feed.counters },
    }),
    close: () => feed.close(),
  };
}

/** What is known of a followed team that has not been seen playing. */
function teamOf({ league, abbreviation, name, text }: FollowedTeam, id: string): Team {
  const names = { abbreviation: abbreviation ?? text, name: name ?? abbreviation ?? text };
  return { league, id, ...names, shortName: null, location: null, logo: null, color: null, alternateColor: null };
}

/** "score_changed: SF 7 at SEA 3 (nfl:401547403)", "game_canceled: SF at SEA (nfl:401547403)" */
function lineOf({ type, game, score }: GameEvent): string {
  const [away, home] = [game.away.team.abbreviation, game.home.team.abbreviation];
  const sides = score ? `${away} ${score.away} at ${home} ${score.home}` : `${away} at ${home}`;
  return `${type}: ${sides} (${gameKey(game)})`;
}

function lastSeason(games: readonly Game[]): number | null {
  return games.reduce<number | null>(
    (last, { season }) => (season === null ? last : Math.max(last ?? season, season)),
    null,
  );
}

/** Not only this question fails, but any other would, too. */
function isOutage(error: unknown): boolean {
  const { cause } = error as { cause?: unknown };
  return cause instanceof SourceFailure && ["blocked", "limited", "down"].includes(cause.fault);
}
