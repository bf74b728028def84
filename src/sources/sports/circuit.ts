import type { SourceFault } from "../../domain/game.ts";
import { createBackoff } from "../../lib/backoff.ts";

/** Failures in a row, over all leagues, after which a source is left alone for a while. */
export const FAILURES_TO_OPEN = 5;
export const OPEN_CAP_MS = 30 * 60_000;

/** Those that say something of the source as a whole; a league's own (an address that moved) do not. */
const GENERAL: ReadonlySet<SourceFault> = new Set(["blocked", "limited", "down"]);

/** Spares a source that refuses everybody: when open, one request after each pause finds out whether it is back. */
export interface Circuit {
  /** Milliseconds until a request may be made; 0: now. Asking when it is 0 takes the one trial of an open circuit. */
  waitMs(now: number): number;
  succeeded(): void;
  failed(fault: SourceFault, now: number, retryAfterMs: number | null): void;
  readonly open: boolean;
}

/** `firstMs` is the first pause; `now` in all calls is milliseconds of one clock that does not step. */
export function createCircuit(random: () => number, firstMs: number): Circuit {
  const backoff = createBackoff(firstMs, OPEN_CAP_MS, random);
  let failures = 0;
  let opensAt = 0;

  return {
    waitMs(now) {
      if (failures < FAILURES_TO_OPEN) return 0;
      if (now < opensAt) return opensAt - now;
      // Others wait for the outcome of this trial.
      opensAt = now + firstMs;
      return 0;
    },
    succeeded() {
      failures = 0;
      backoff.reset();
    },
    failed(fault, now, retryAfterMs) {
      if (!GENERAL.has(fault)) return;
      failures++;
      if (failures >= FAILURES_TO_OPEN) opensAt = now + Math.max(backoff.next(), retryAfterMs ?? 0);
    },
    get open() {
      return failures >= FAILURES_TO_OPEN;
    },
  };
}
