import type { Micros } from "./sample.ts";

/**
 * Everything that can be told to a webhook, by the name that stands in `event` and in `X-Webhook-Event`. The body's
 * `type` is the same with a dot ("game.started"); names of the original ("game_start") are accepted where a user
 * writes one.
 */
export const EVENT_TYPES = [
  "game_scheduled",
  "game_rescheduled",
  "game_started",
  "score_changed",
  "score_corrected",
  "period_changed",
  "halftime",
  "game_delayed",
  "game_resumed",
  "game_suspended",
  "game_postponed",
  "game_canceled",
  "game_ended",
  "final_corrected",
  "state_changed",
  "gap_opened",
  "gap_closed",
  "source_degraded",
  "source_recovered",
  "mirror_lagging",
  "webhook_disabled",
  "webhook_test",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** The events that have no game and no entity; all of one subject are told in order. */
export type SystemEventType = Extract<
  EventType,
  "gap_opened" | "gap_closed" | "source_degraded" | "source_recovered" | "mirror_lagging"
>;

/** Something that happened, as whoever noticed it hands it over. */
export interface NewEvent {
  readonly type: EventType;
  /**
   * What makes this event this one, e.g. "nfl:401547 score 7:0". An event whose key is known already is not stored
   * again, so that whoever repeats itself after a crash tells nobody twice. Without one each event is another.
   */
  readonly key?: string;
  /** Events of one order key reach each webhook in the order of their commit: "nfl:401547", an entity_id, … */
  readonly orderKey: string;
  /** When it happened (not when it was noticed). */
  readonly at: Micros;
  /** League id, e.g. "nfl". */
  readonly league?: string;
  /**
   * Every name that a user may call one of the teams by: "nfl:25", "nfl:sf", "sf", "San Francisco 49ers". Compared
   * without regard to case; blanks, "-", "_" and ":" are the same.
   */
  readonly teams?: readonly string[];
  readonly entityId?: string;
  /** Ids or names of the areas that it belongs to. */
  readonly areas?: readonly string[];
  /** State before and after, of `state_changed`. */
  readonly from?: string | null;
  readonly to?: string | null;
  /**
   * Fields of the body's top level beside `data`, for receivers of the original: game_id, home_team, score, … Names
   * that the envelope has itself (id, type, event, event_type, timestamp, sequence, data) are ignored.
   */
  readonly fields?: Readonly<Record<string, unknown>>;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A game as its tracker keeps it; nobody else looks inside. */
export interface StoredGame {
  readonly id: string;
  readonly json: string;
}

/** A followed team as its owner keeps it; nobody else looks inside. */
export interface StoredTeam {
  /** Unique, e.g. "nfl:25". */
  readonly id: string;
  readonly json: string;
}

export interface OutboxCommit {
  /** Stored under their ids, in place of what was there. */
  readonly games?: readonly StoredGame[];
  /** Ids of games to forget. */
  readonly forgottenGames?: readonly string[];
  readonly events: readonly NewEvent[];
}

/** Where events are handed over for good, together with the state that caused them. */
export interface Outbox {
  /**
   * Games, events and what has to be delivered in ONE transaction: all of it or nothing. Resolves once it would
   * survive a crash; from then on each event reaches every webhook that asked for it at least once, or is listed as
   * failed. Rejects `unavailable` when the disk refuses; committing again is right then. Calls are committed in the
   * order in which they were made.
   */
  commit(commit: OutboxCommit): Promise<void>;
  storedGames(): Promise<readonly StoredGame[]>;
  followedTeams(): Promise<readonly StoredTeam[]>;
  /** The whole list, in place of the former one. */
  saveFollowedTeams(teams: readonly StoredTeam[]): Promise<void>;
}
