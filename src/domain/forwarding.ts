import type { Micros } from "./sample.ts";

/**
 * How a target of samples is. starting: nothing was sent yet; running: what was sent was taken; retrying: it does not
 * answer, or asks to wait, and is asked again with growing pauses; stopped: it refuses us (credentials, bucket,
 * settings) until someone changes that, and is asked again rarely.
 */
export const TARGET_STATES = ["starting", "running", "retrying", "stopped"] as const;
export type TargetState = (typeof TARGET_STATES)[number];

export interface QueryCounts {
  readonly asked: number;
  readonly failed: number;
  /** Time until the answers, all of them together. */
  readonly milliseconds: number;
}

export interface TargetStatus {
  readonly name: string;
  /** "archive": samples leave the hot tier once it has them; "mirror": a copy, which nothing is read from. */
  readonly role: "archive" | "mirror";
  /** Without credentials. */
  readonly url: string;
  readonly layout: string;
  /** As the server tells it; null before it answered, or where it tells none. */
  readonly version: string | null;
  readonly state: TargetState;
  /** Why it is not running; null while it is. */
  readonly reason: string | null;
  /** Queued samples that it has not acknowledged, at most. */
  readonly waiting: number;
  /** It is new or has lost its samples, and those of the hot tier are still being queued: more will wait. */
  readonly filling: boolean;
  /** Since when something has been waiting; null while nothing does. */
  readonly behindSince: Micros | null;
  readonly lastSuccessAt: Micros | null;
  /** Since the start: samples taken, batches taken, requests, of these the ones that failed. */
  readonly delivered: number;
  readonly batches: number;
  readonly requests: number;
  readonly failures: number;
  /** Questions that it was asked as the archive, since the start. */
  readonly queries: QueryCounts;
  /** Samples that it refused and that went to the dead letters, since the start. */
  readonly refused: number;
  /** Samples that were passed over because more waited than the queue holds, over all runs. */
  readonly skipped: number;
  /** Dead letters that are kept now, and those that were dropped since the start because there were too many. */
  readonly deadLetters: number;
  readonly deadLettersDropped: number;
}

/** A target lags when something has waited for it for longer than this: beyond a restart or an update of a server. */
export const LAGGING_MICROS = 300_000_000;

/** Whether a target has been behind for too long, for whatever reason. */
export function isLagging({ behindSince }: Pick<TargetStatus, "behindSince">, now: Micros): boolean {
  return behindSince !== null && now - behindSince > LAGGING_MICROS;
}

/** A line that a target refused. */
export interface DeadLetter {
  /** Grows with each. */
  readonly id: number;
  readonly target: string;
  readonly at: Micros;
  /** In the target's words. */
  readonly reason: string;
  /** As it was sent, without the line feed. */
  readonly line: string;
}

export interface DeadLetterQuestion {
  readonly target?: string;
  /** Only older ones than this id. */
  readonly before?: number;
  readonly limit: number;
}

/** Who brings samples to other servers. */
export interface Forwarding {
  /** In the order of the configuration, the archive first. */
  status(): readonly TargetStatus[];
  /** Newest first. */
  deadLetters(
    question: DeadLetterQuestion,
  ): Promise<{ readonly letters: readonly DeadLetter[]; readonly total: number }>;
  /**
   * Sends a target's dead letters again, the oldest first. Resolves with how many it took, which are gone from the list,
   * and how many it refused again. Rejects with `not_found` for an unknown target, `unavailable` when it cannot be asked.
   */
  replay(target: string): Promise<{ readonly taken: number; readonly refused: number }>;
}
