import { AppError } from "../domain/errors.ts";
import {
  ALL_TEAMS,
  type Game,
  type GameStore,
  type LeagueId,
  type SportsStatus,
  type Team,
  type TeamStore,
  type TrackedGame,
  teamKey,
} from "../domain/game.ts";
import { conditionOf, hasBegun, isUnderWay } from "../domain/game-condition.ts";
import { type GameBody, type GameStatus, gameBody, statusOf } from "../domain/game-json.ts";
import type { Micros } from "../domain/sample.ts";
import type { SampleReader } from "../domain/store.ts";
import { foldName, namesOf, readLeague } from "../domain/team-names.ts";
import { exactly, named, nullable, nullableText, nullableTime, queryText, text } from "./schemas.ts";
import { Type } from "./type.ts";

/** What the routes of games and teams ask. */
export interface SportsSources extends GameStore, TeamStore {
  readonly samples: Pick<SampleReader, "read" | "seriesOfSubject">;
  readonly status: () => SportsStatus;
}

export const GAME_STATUSES = ["scheduled", "live", "final", "postponed", "canceled"] as const;

const ScoreSchema = named("Score", {
  home: Type.Integer({ description: "Of the home side" }),
  away: Type.Integer({ description: "Of the away side" }),
});
export const Scores = nullable(ScoreSchema);

const TeamSchema = named("GameTeam", {
  id: text("The provider's, unique within the league"),
  name: text("Full name"),
  abbreviation: text("As shown; not unique"),
  logo: nullableText("Address of a picture"),
  colors: exactly({ primary: nullableText("Like #aa0000"), secondary: nullableText("Like #b3995d") }),
  record: nullable(
    exactly({
      wins: Type.Integer(),
      losses: Type.Integer(),
      ties: Type.Integer({ description: "Draws in soccer, losses in overtime in hockey" }),
    }),
  ),
});

export const GameSchema = named("Game", {
  id: text("The provider's; league and id together are unique"),
  league: text("Our id of the league, or ESPN's path of one without"),
  status: text(`${GAME_STATUSES.join(", ")}; a suspended game, which goes on another day, is postponed`),
  condition: text("scheduled, live, halftime, delayed, suspended, postponed, canceled, final, or unclear"),
  start_time: nullableTime("Kick-off"),
  start_time_valid: Type.Boolean({ description: "False while the time of day is open" }),
  home_team: TeamSchema,
  away_team: TeamSchema,
  score: Type.Union([ScoreSchema, Type.Null()], {
    description: "0 to 0 before the start; null where it is canceled, or has begun and no score is known",
  }),
  shootout: Scores,
  winner: nullableText("home or away; null before the end and for a draw"),
  period: exactly({
    current: nullable(Type.Integer()),
    total: nullable(Type.Integer({ description: "Without overtime" })),
    time_remaining: nullableText("The clock as the provider shows it; in soccer the time played"),
  }),
  detail: nullableText("For people: 8:41 - 4th, Final/OT"),
  season: nullable(Type.Integer()),
  season_type: nullable(Type.Integer({ description: "1 pre-season, 2 regular, 3 post-season in North America" })),
  week: nullable(Type.Integer()),
  venue: nullableText("Where it is played"),
  broadcasts: Type.Array(Type.String()),
  note: nullableText("E.g. Doubleheader - Game 1"),
  last_play: nullableText("The last play, in soccer the last goal"),
  home_win_probability: nullable(Type.Number({ description: "0 to 1" })),
  source: text("Whose scores these are"),
  is_favorite: Type.Boolean({ description: "One of the two is followed" }),
  updated_at: nullableTime("When it was last seen; null for one that nobody follows"),
});

/** Both names of the parameter; the original's was `sport`. */
export const leagueQuery = {
  league: queryText("League, e.g. nfl, or ESPN's path"),
  sport: queryText("The same as league"),
};

/** The league that a query names; undefined without one, `invalid` for one that is none. */
export function leagueOf(store: TeamStore, query: { league?: string; sport?: string }): LeagueId | undefined {
  const { league = query.sport } = query;
  if (query.league !== undefined && query.sport !== undefined && query.league !== query.sport) {
    throw new AppError("invalid", 'Give "league" or "sport", not both');
  }
  return league === undefined ? undefined : readLeague(league, store);
}

/** A game that is remembered, or one of the present scoreboards. */
export interface Listed {
  readonly game: Game;
  readonly tracked: TrackedGame | null;
}

/** Remembered ones first, then those that nobody follows. */
export function* everyGame(store: GameStore): Generator<Listed> {
  const known = new Set<string>();
  for (const tracked of store.games()) {
    known.add(`${tracked.game.league}:${tracked.game.id}`);
    yield { game: tracked.game, tracked };
  }
  for (const game of store.current()) {
    const key = `${game.league}:${game.id}`;
    if (known.has(key)) continue;
    known.add(key);
    yield { game, tracked: null };
  }
}

/** Teams whose names are kept in the form in which they are compared. */
const FOLDED_MAX = 5_000;
const folded = new Map<string, readonly string[]>();

/** Every name of a team, as they are compared. */
export function foldedNames(team: Team): readonly string[] {
  const key = `${teamKey(team)} ${team.abbreviation} ${team.name} ${team.shortName}`;
  const known = folded.get(key);
  if (known) return known;
  if (folded.size >= FOLDED_MAX) folded.clear();
  const names = namesOf(team).map(foldName);
  folded.set(key, names);
  return names;
}

/** Whether one of the two goes by one of these names. */
export function playsIn({ home, away }: Game, names: ReadonlySet<string>): boolean {
  return [home, away].some(({ team }) => foldedNames(team).some((name) => names.has(name)));
}

export function namesIn(texts: readonly string[]): ReadonlySet<string> {
  return new Set(texts.map(foldName));
}

/** Tells of a game whether one of the two is followed now. */
export function followedNow(store: TeamStore): (game: Game) => boolean {
  const teams = store.followed();
  const keys = new Set(
    teams.map((team) => (team.text === ALL_TEAMS ? `${team.league}:*` : `${team.league}:${team.id}`)),
  );
  return ({ league, home, away }) =>
    keys.has(`${league}:*`) || keys.has(teamKey(home.team)) || keys.has(teamKey(away.team));
}

export function bodyOf({ game, tracked }: Listed, isFollowed: (game: Game) => boolean): GameBody {
  return gameBody(game, tracked ?? undefined, isFollowed(game));
}

/** A game that no source has told of for so long is not shown as played. */
export const SEEN_WITHIN = 6 * 3_600_000_000;

export function isPlayed({ game, tracked }: Listed, now: Micros): boolean {
  if (tracked) return tracked.started && isUnderWay(tracked.condition) && now - tracked.seenAt < SEEN_WITHIN;
  return isUnderWay(conditionOf(game)) && hasBegun(game);
}

export function listedStatus({ game, tracked }: Listed): GameStatus {
  return tracked ? statusOf(tracked.condition, tracked.started) : statusOf(conditionOf(game), hasBegun(game));
}
