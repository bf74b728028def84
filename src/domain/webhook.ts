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
  "mirror_recovered",
  "webhook_disabled",
  "webhook_test",
] as const;

export type EventType = (typeof EVENT_TYPES)[number];

/** The events that have no game and no entity; all of one subject are told in order. */
export type SystemEventType = Extract<
  EventType,
  "gap_opened" | "gap_closed" | "source_degraded" | "source_recovered" | "mirror_lagging" | "mirror_recovered"
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
   * without regard to case and accents; blanks, "-", "_" and ":" are the same.
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
  /** Leagues whose source begins or ceases to fail. */
  readonly sources?: readonly { readonly league: string; readonly failing: boolean }[];
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
  /** The leagues whose source failed, as far as was committed. */
  failingSources(): Promise<readonly string[]>;
  followedTeams(): Promise<readonly StoredTeam[]>;
  /** The whole list, in place of the former one. */
  saveFollowedTeams(teams: readonly StoredTeam[]): Promise<void>;
}

/** What a user says of a webhook. Names of events may be the original's, dotted, or patterns with "*". */
export interface WebhookInput {
  readonly url: string;
  readonly events: readonly string[];
  /** 16 characters or more; `whsec_` + base64 is a key in base64. Without one a secret is generated. */
  readonly secret?: string | null;
  readonly team?: string | null;
  readonly league?: string | null;
  /** Globs of entity ids. */
  readonly entity?: readonly string[];
  /** Ids or names of areas. */
  readonly area?: readonly string[];
  readonly from?: string | null;
  readonly to?: string | null;
  readonly description?: string | null;
}

export interface Registered {
  readonly webhook: WebhookRow;
  /** Only a secret that was generated, and only here. */
  readonly generatedSecret: string | null;
  /** What may be wrong though it was accepted: a host, area, entity or team is not known at present. */
  readonly warning: string | null;
}

/** A webhook as the API shows it. Times are ISO 8601 UTC. */
export interface WebhookRow {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly events: readonly string[];
  readonly team: string | null;
  readonly league: string | null;
  readonly entity: readonly string[];
  readonly area: readonly string[];
  readonly from: string | null;
  readonly to: string | null;
  readonly secret: "***";
  readonly enabled: boolean;
  readonly disabled_reason: string | null;
  /** Why nothing is sent to it for the moment, though it is enabled; it goes on by itself. */
  readonly on_hold: string | null;
  /** Deliveries that have not arrived yet. */
  readonly waiting: number;
  /** Attempts that were answered with 2xx, and those that were not. */
  readonly total_calls: number;
  readonly failed_calls: number;
  readonly last_success: string | null;
  readonly last_failure: string | null;
  /** What that one failed of. */
  readonly last_error: string | null;
  /** The first failure since the last success. */
  readonly failing_since: string | null;
  readonly created_at: string;
  readonly updated_at: string;
}

export interface AttemptRow {
  readonly number: number;
  readonly at: string;
  readonly duration_ms: number;
  /** Null when there was no answer. */
  readonly status: number | null;
  readonly error: string | null;
  /** The beginning of the answer's body, control characters replaced. */
  readonly response_excerpt: string | null;
}

/** One event on its way to one webhook. */
export interface DeliveryRow {
  readonly id: number;
  readonly webhook_id: string;
  /** The header `webhook-id`, the same on every attempt and replay. */
  readonly event_id: string;
  readonly event: EventType;
  /** The body's `sequence`. */
  readonly sequence: number;
  readonly cause: "event" | "replay" | "test";
  /** failed: no attempt is left; it is listed as a dead letter and can be replayed. */
  readonly state: "waiting" | "delivered" | "failed";
  readonly error: string | null;
  readonly next_attempt_at: string | null;
  readonly created_at: string;
  readonly finished_at: string | null;
  readonly attempts: readonly AttemptRow[];
}

export interface DeliveryPage {
  readonly rows: readonly DeliveryRow[];
  readonly total: number;
  /** The id before which the next page begins; null at the end. */
  readonly before: number | null;
}

export interface DeliveryQuery {
  /** Null: of every webhook. */
  readonly webhookId: string | null;
  readonly state?: DeliveryRow["state"] | undefined;
  /** Only those whose event was not sent to the webhook again since. */
  readonly givenUp?: boolean | undefined;
  readonly limit: number;
  /** Only deliveries below this id; the newest come first. */
  readonly before?: number | undefined;
}

/** Webhooks as their owner deals with them. What names a webhook or delivery that is not there is `not_found`. */
export interface Webhooks {
  /** `invalid` names the field; `conflict` when there are too many already. */
  register(input: WebhookInput): Promise<Registered>;
  /** Ascending by time of registration. */
  list(): Promise<readonly WebhookRow[]>;
  get(id: string): Promise<WebhookRow>;
  /** Fields that are absent stay; the secret is changed by `rotate` only. */
  update(id: string, change: Partial<WebhookInput>): Promise<Registered>;
  /** Deliveries that wait are cancelled; the log goes. */
  delete(id: string): Promise<void>;
  /**
   * A disabled webhook gets nothing: what waits is tried at once when it is enabled, what happens meanwhile comes by a
   * replay.
   */
  setEnabled(id: string, enabled: boolean): Promise<WebhookRow>;
  /** The former secret signs along for a day. Answers the new one when it was generated. */
  rotate(id: string, secret: string | null): Promise<{ secret: string | null; previousUntil: string }>;
  /** `conflict` when the webhook is disabled. */
  sendTest(id: string): Promise<DeliveryRow>;
  deliveries(query: DeliveryQuery): Promise<DeliveryPage>;
  /** With the body as it is sent. */
  delivery(id: number): Promise<DeliveryRow & { readonly body: string }>;
  /** The same id and body once more. */
  replay(deliveryId: number): Promise<DeliveryRow>;
  /**
   * Every event in [start, end) that the webhook's filter takes, in order, also what happened while it was disabled;
   * with `onlyFailed` those that never arrived. Answers how many; `too_large` when they are more than one replay takes.
   */
  replaySpan(id: string, span: { start: Micros; end: Micros; onlyFailed: boolean }): Promise<number>;
  /** At most some seconds old. */
  status(): WebhookStatus;
}

/** Figures of the delivery system, since the start unless they say otherwise. */
export interface WebhookStatus {
  readonly webhooks: number;
  readonly enabled: number;
  /** Of the enabled ones, those that get nothing for the moment. */
  readonly onHold: number;
  /** Deliveries that wait now, and requests under way now. */
  readonly waiting: number;
  readonly inFlight: number;
  readonly delivered: number;
  readonly failedAttempts: number;
  /** Deliveries that were given up. */
  readonly deadLetters: number;
  /** Events that were committed; those known by their key are not counted. */
  readonly events: number;
  /** State changes turned away because too many waited for the disk. */
  readonly dropped: number;
  /** Why nothing can be stored at present; null while all is well. */
  readonly fault: string | null;
  /** What was lost with a damaged database and how it comes back; null while nobody has to be told. */
  readonly loss: string | null;
}
