import type { Micros } from "./sample.ts";

/** A league by our short id ("nfl", "epl"), or by ESPN's own path where we have none ("hockey/ahl"). */
export type LeagueId = string;

/** A team as its provider describes it; `id` is the provider's and unique within the league only. */
export interface Team {
  readonly league: LeagueId;
  readonly id: string;
  /** As shown ("SF"). Not unique: Manchester United and Mansfield are both MAN. */
  readonly abbreviation: string;
  readonly name: string;
  readonly shortName: string | null;
  readonly location: string | null;
  readonly logo: string | null;
  /** Six hex digits without "#". */
  readonly color: string | null;
  readonly alternateColor: string | null;
}

/** One of the two sides of a game. */
export interface Side {
  readonly team: Team;
  /** Null where the provider gives none that is a number. Before a game providers say 0. */
  readonly score: number | null;
  readonly shootoutScore: number | null;
  /** Set by the provider after the end; a level score may have a winner (shoot-out, aggregate). */
  readonly winner: boolean | null;
  readonly record: SeasonRecord | null;
}

/** A team's season so far; `ties` are draws in soccer and losses in overtime in hockey. */
export interface SeasonRecord {
  readonly wins: number;
  readonly losses: number;
  readonly ties: number;
}

export interface Play {
  readonly text: string;
  readonly teamId: string | null;
}

/** One look at a game: what a provider said in one answer. Odd values are null; nothing is guessed. */
export interface Game {
  readonly league: LeagueId;
  /** The provider's, stable over postponements and placeholders. */
  readonly id: string;
  /** Which provider's scores these are; scores of two are never mixed within a game. */
  readonly source: string;
  readonly start: Micros | null;
  /** False while the time of day is still open. */
  readonly timeValid: boolean;
  /** The provider's state; null when it is none of the three. */
  readonly phase: "pre" | "in" | "post" | null;
  readonly completed: boolean;
  /** Without prefix: "HALFTIME", "FINAL_PEN". Kept as text: an unknown name breaks nothing. */
  readonly statusName: string | null;
  /** For people: "8:41 - 4th", "Final/OT". */
  readonly detail: string | null;
  readonly period: number | null;
  /** How many periods it has without overtime; null where that is not known. */
  readonly periods: number | null;
  readonly clock: string | null;
  readonly home: Side;
  readonly away: Side;
  readonly season: number | null;
  /** 1 pre-season, 2 regular, 3 post-season, as ESPN numbers them for North American leagues. */
  readonly seasonType: number | null;
  readonly week: number | null;
  readonly venue: string | null;
  readonly broadcasts: readonly string[];
  readonly note: string | null;
  readonly lastPlay: Play | null;
  /** From 0 to 1. */
  readonly homeWinProbability: number | null;
}

/** What a look at a game means. `unclear`: its fields contradict each other or say nothing known. */
export type GameCondition =
  | "scheduled"
  | "live"
  | "halftime"
  | "delayed"
  | "suspended"
  | "postponed"
  | "canceled"
  | "final"
  | "unclear";

export type GameEventType =
  | "game_scheduled"
  | "game_rescheduled"
  | "game_started"
  | "score_changed"
  | "score_corrected"
  | "period_changed"
  | "halftime"
  | "game_delayed"
  | "game_resumed"
  | "game_suspended"
  | "game_postponed"
  | "game_canceled"
  | "game_ended"
  | "final_corrected";

/** Scores of both sides. */
export interface Score {
  readonly home: number;
  readonly away: number;
}

/** Something that happened in a game. */
export interface GameEvent {
  /** The same for the same happening, however often it is detected: a hash of game, type, scores and sequence. */
  readonly id: string;
  readonly type: GameEventType;
  /** Counts the events of its game from 1. */
  readonly sequence: number;
  /** When it was seen, by our clock; providers do not say when it happened. */
  readonly at: Micros;
  readonly game: Game;
  /** Null for `game_canceled`: a canceled game has none. */
  readonly score: Score | null;
  readonly previousScore: Score;
  /** What else the type has to say, e.g. `previous_period`, `previous_start`; JSON, named as over HTTP. */
  readonly details: Readonly<Record<string, unknown>>;
}

/** What is remembered of a game between looks and over restarts. Plain JSON. */
export interface TrackedGame {
  /** As last accepted: its score, condition and start are those that events have told of. */
  readonly game: Game;
  /** Never `unclear`: such looks change nothing. */
  readonly condition: Exclude<GameCondition, "unclear">;
  /** Events so far. */
  readonly sequence: number;
  /** The start was told, or the game was first seen after it. */
  readonly started: boolean;
  /** The highest period told of. */
  readonly period: number;
  /** The period after which a half-time was last told of; null without one. */
  readonly halftimeAfter: number | null;
  /** The score that counts now; 0 to 0 before the start and where it is canceled. */
  readonly score: Score;
  /** When the last look was asked for and taken. */
  readonly requestedAt: Micros;
  readonly seenAt: Micros;
  readonly startedAt: Micros | null;
  readonly endedAt: Micros | null;
  /** A backward step that waits for further looks to confirm it. */
  readonly doubt: Doubt | null;
}

export interface Doubt {
  readonly condition: GameCondition;
  readonly looks: number;
  readonly since: Micros;
}

/** "nfl:401547403": unique over all leagues; the subject of a game's series and the order key of its events. */
export function gameKey(game: { readonly league: LeagueId; readonly id: string }): string {
  return `${game.league}:${game.id}`;
}

/** "nfl:25": unique over all leagues. */
export function teamKey(team: { readonly league: LeagueId; readonly id: string }): string {
  return `${team.league}:${team.id}`;
}

/** What one answer of a provider holds. */
export interface ScoreAnswer {
  readonly games: readonly Game[];
  /** Events of a shape that is no game of two teams; they are left out. */
  readonly skipped: number;
  /** The provider may hold more games than it gave. */
  readonly truncated: boolean;
  /** The provider said that nothing changed since the last answer, which this is. */
  readonly unchanged: boolean;
}

/** A calendar day in US Eastern time, "2026-11-24": what providers file games under. */
export type GameDay = string;

/**
 * Where scores come from. Every call rejects with a SourceFailure for whatever the provider does wrong, and ends when
 * the signal aborts. Another provider is another file in `sources/sports/`.
 */
export interface ScoreProvider {
  readonly name: string;
  covers(league: LeagueId): boolean;
  scoreboard(league: LeagueId, day: GameDay, signal: AbortSignal): Promise<ScoreAnswer>;
  teams(league: LeagueId, signal: AbortSignal): Promise<readonly Team[]>;
  /** A team's whole season as far as the provider tells it; `season` null: the present one. */
  schedule(team: Team, season: number | null, signal: AbortSignal): Promise<readonly Game[]>;
}

/** How a provider fails: what helps differs, so they are told apart everywhere. */
export type SourceFault = "blocked" | "bad_request" | "limited" | "malformed" | "too_large" | "down";

export class SourceFailure extends Error {
  readonly fault: SourceFault;
  /** How long the provider asks us to stay away. */
  readonly retryAfterMs: number | null;

  constructor(fault: SourceFault, message: string, options: ErrorOptions & { retryAfterMs?: number | null } = {}) {
    super(message, options);
    this.name = "SourceFailure";
    this.fault = fault;
    this.retryAfterMs = options.retryAfterMs ?? null;
  }
}

/** One league's games, asked for together. */
export interface Scoreboard {
  readonly league: LeagueId;
  readonly games: readonly Game[];
  readonly requestedAt: Micros;
  readonly receivedAt: Micros;
  /** By game id: another source's word on finals of this scoreboard. */
  readonly confirmations: ReadonlyMap<string, FinalConfirmation>;
}

export interface FinalConfirmation {
  readonly source: string;
  readonly agrees: boolean;
  readonly score: Score;
}

/** Who hears of scores. `take` resolves once everything in it is durable; the next poll of the league waits for it. */
export interface ScoreListener {
  /** Leagues in which somebody is followed; only these are asked for. */
  leagues(): readonly LeagueId[];
  follows(game: Game): boolean;
  /** Another source may speak for a game that the first one no longer tells of: what is known of it. */
  known(league: LeagueId): readonly TrackedGame[];
  take(scoreboard: Scoreboard): Promise<void>;
  /** What `sourceChanged` was last told of a league, also before a restart. */
  isFailing(league: LeagueId): boolean;
  /** A league's source began or ceased to fail. */
  sourceChanged(league: LeagueId, status: LeagueStatus): Promise<void>;
}

/** How a league's source is. `empty`: it answers, and has no game. `waiting`: not asked yet. */
export type LeagueState = "waiting" | "ok" | "empty" | SourceFault;

/** So many failures in a row are an outage: it is told, and a second source is asked. */
export const FAILURES_TO_TELL = 3;

export interface LeagueStatus {
  readonly league: LeagueId;
  readonly state: LeagueState;
  /** For people; null while all is well. */
  readonly reason: string | null;
  /** Which source the last good answer came from; null before. */
  readonly source: string | null;
  readonly games: number;
  readonly failuresInARow: number;
  readonly lastSuccessAt: Micros | null;
  readonly nextPollAt: Micros | null;
}

export interface SportsStatus {
  readonly followed: number;
  readonly leagues: readonly LeagueStatus[];
  /** Since the start. */
  readonly counters: Readonly<Record<string, number>>;
}

/** Everything about scores that is outside: which leagues there are, who plays in them, and what happens. */
export interface ScoreSource {
  readonly leagues: readonly { readonly id: LeagueId; readonly name: string }[];
  /** Our id of a league in any case, or by ESPN's path; undefined when it is none. */
  parseLeague(text: string): LeagueId | undefined;
  /** Remembered for a day. Rejects with a SourceFailure when it cannot be had and none is remembered. */
  teams(league: LeagueId): Promise<readonly Team[]>;
  /** Remembered for an hour. Rejects with a SourceFailure. */
  schedule(team: Team, season: number | null): Promise<readonly Game[]>;
  /** Begins to ask. */
  listen(listener: ScoreListener): ScoreFeed;
}

/** A running score source. */
export interface ScoreFeed {
  /** Who is followed changed: begins with new leagues at once and leaves those that nobody follows any more. */
  refresh(): void;
  /** The last known games of the followed leagues' days, whoever plays. */
  current(): Iterable<Game>;
  status(): readonly LeagueStatus[];
  readonly counters: Readonly<Record<string, number>>;
  /** Ends requests and waits for what is being taken. */
  close(): Promise<void>;
}

/** The text that stands for every team of a league. */
export const ALL_TEAMS = "*";

/** A team that the household follows: by the provider's id once that is known, until then as it was written. */
export interface FollowedTeam {
  readonly league: LeagueId;
  /** Null until the text is resolved, and for ALL_TEAMS. */
  readonly id: string | null;
  readonly text: string;
  readonly abbreviation: string | null;
  readonly name: string | null;
  /** Named in the configuration: it cannot be given up over HTTP. */
  readonly configured: boolean;
}

/** A game, and what is remembered of it where it is followed. */
export interface KnownGame {
  readonly game: Game;
  readonly tracked: TrackedGame | null;
}

/** Games as they are known: those of followed teams, from memory. */
export interface GameStore {
  games(): Iterable<TrackedGame>;
  /**
   * By "401547403" or "nfl:401547403", the league in any form; also one that is not followed, while it is current. Of a
   * bare id that two leagues share, the game that began last.
   */
  game(reference: string): KnownGame | undefined;
  /** Games of the followed leagues' last scoreboards, whoever plays. */
  current(): Iterable<Game>;
  /**
   * The season of a team, null for the present one: the provider's schedule where it can be had, joined with what is
   * known here.
   */
  schedule(team: Team, season: number | null): Promise<{ readonly games: readonly Game[]; readonly complete: boolean }>;
}

/** Teams, and which of them are followed. */
export interface TeamStore {
  readonly leagues: readonly { readonly id: LeagueId; readonly name: string }[];
  /** Our id of a league in any case, or by ESPN's path; undefined when it is none. */
  parseLeague(text: string): LeagueId | undefined;
  /** `unavailable` while the provider cannot be asked and nothing is remembered. */
  teams(league: LeagueId): Promise<readonly Team[]>;
  /**
   * The team that a text means: "sf", "nfl:sf", "nfl-sf", the provider's id, a full name, in any case. Without a
   * league the followed teams come first, then every league in order. `not_found` otherwise; `invalid` at once where the
   * text names a league that there is not, or another than `league`.
   */
  team(text: string, league?: LeagueId): Promise<Team>;
  /** The same of the followed teams alone, from memory. */
  followedTeam(text: string, league?: LeagueId): Team | undefined;
  followed(): readonly FollowedTeam[];
  /** Durable when it resolves. Following twice is following once. `invalid` beyond FOLLOWED_MAX. */
  follow(league: LeagueId, text: string): Promise<FollowedTeam>;
  /** False when it was not followed; `conflict` for one of the configuration. */
  unfollow(league: LeagueId, text: string): Promise<boolean>;
}
