import { parseHttpDate } from "../lib/http-date.ts";

/** When a failed delivery is tried again. */

/** Seconds after each failed attempt, as Standard Webhooks proposes: ten attempts in about three days. */
export const DEFAULT_RETRY_SECONDS: readonly number[] = [
  5,
  5 * 60,
  30 * 60,
  2 * 3600,
  5 * 3600,
  10 * 3600,
  14 * 3600,
  20 * 3600,
  24 * 3600,
];

/** Each wait is longer by up to this share of it, so that those who failed together do not come back together. */
const JITTER = 0.2;
/** Who asks to be left alone is left alone for so long at most. */
export const RETRY_AFTER_MAX_MS = 24 * 3600 * 1000;
/** Answers that mean "too much": the next attempt waits at least so long. */
const SLOW_DOWN = new Set([429, 502, 504]);
const SLOW_DOWN_MS = 60_000;

export interface Failure {
  /** How many attempts have failed, this one included. */
  readonly attempts: number;
  /** Null when there was no answer. */
  readonly status: number | null;
  /** From the answer's Retry-After; null without. */
  readonly retryAfterMs: number | null;
}

/** Milliseconds until the next attempt; null when the schedule has no further one. */
export function nextWait(failure: Failure, schedule: readonly number[], random: () => number): number | null {
  const seconds = schedule[failure.attempts - 1];
  if (seconds === undefined) return null;
  const step = seconds * 1000 * (1 + JITTER * random());
  const slow = failure.status !== null && SLOW_DOWN.has(failure.status) ? SLOW_DOWN_MS : 0;
  // A schedule that a user made shorter than a minute is meant so; asking for patience in words is another matter.
  const least = failure.retryAfterMs ?? Math.min(slow, longest(schedule));
  return Math.round(Math.max(step, Math.min(least, RETRY_AFTER_MAX_MS)));
}

/** With these Retry-After speaks of the whole receiver, not of the one request (RFC 9110, RFC 6585). */
const OF_THE_RECEIVER = new Set([429, 503]);

/** Milliseconds for which a receiver asks for no request at all. */
export function pauseAfter({ status, retryAfterMs }: Omit<Failure, "attempts">): number {
  const isMeant = status !== null && OF_THE_RECEIVER.has(status);
  return isMeant ? Math.min(retryAfterMs ?? 0, RETRY_AFTER_MAX_MS) : 0;
}

function longest(schedule: readonly number[]): number {
  return Math.max(0, ...schedule) * 1000;
}

/** Retry-After: whole seconds, or an HTTP date that is compared with the answer's own `Date`. Null for anything else. */
export function parseRetryAfter(value: string | undefined, answeredAt: string | undefined, now: number): number | null {
  const text = value?.trim() ?? "";
  if (/^\d{1,10}$/.test(text)) return Math.min(Number(text) * 1000, RETRY_AFTER_MAX_MS);
  const until = parseHttpDate(text);
  if (Number.isNaN(until)) return null;
  const from = parseHttpDate(answeredAt ?? "");
  return Math.max(0, Math.min(until - (Number.isNaN(from) ? now : from), RETRY_AFTER_MAX_MS));
}
