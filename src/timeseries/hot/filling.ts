import { setTimeout as wait } from "node:timers/promises";
import { AppError } from "../../domain/errors.ts";
import { createBackoff } from "../../lib/backoff.ts";
import type { Logger } from "../../lib/log.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import type { FillStep } from "./fills.ts";

const RETRY_FIRST_MS = 1_000;
const RETRY_CAP_MS = 60_000;

export interface FillingOptions {
  /** A step of `WriterCommands.fill`, once what goes first is done. */
  readonly step: () => Promise<FillStep>;
  readonly fold: () => Promise<void>;
  /** The queue ends with this number now. */
  readonly queued: (end: number) => void;
  readonly log: Logger;
}

/** Brings what the hot tier has to the queue of targets that are to get it, step by step, for as long as it takes. */
export interface Filling {
  /** Names of the targets for which more is to be queued. */
  readonly targets: readonly string[];
  /** There is something to do for these targets, at the latest when the writer has done what it was called for before. */
  start(targets: readonly string[]): void;
  /**
   * Resolves when everything that the hot tier has is queued, or cannot be at present. Rejects (`unavailable`) on closing.
   */
  settled(): Promise<void>;
  /** Ends it; it goes on after the next start. */
  close(): Promise<void>;
}

export function createFilling({ step, fold, queued, log }: FillingOptions): Filling {
  const closing = new AbortController();
  const { signal } = closing;
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS);
  let targets: readonly string[] = [];
  let running: Promise<void> | undefined;
  /** Somebody began another one since the step under way was asked for. */
  let again = false;
  let failed = false;
  const waiters: { resolve(): void; reject(error: Error): void }[] = [];

  function settle(): void {
    for (const { resolve } of waiters.splice(0)) resolve();
  }

  async function run(): Promise<void> {
    while (!signal.aborted) {
      try {
        again = false;
        const next = await step();
        queued(next.end);
        targets = next.filling;
        if (next.needsFold) await fold();
        failed = false;
        backoff.reset();
        if (targets.length === 0 && !again) break;
      } catch (error) {
        if (signal.aborted) break;
        const reason = sqliteReason(error);
        if (!failed) log.warn({ targets }, `Cannot queue what was recorded before for others; tried again: ${reason}`);
        failed = true;
        settle();
        await wait(backoff.next(), undefined, { signal, ref: false }).catch(() => {});
      }
    }
    running = undefined;
    settle();
  }

  return {
    get targets() {
      return targets;
    },
    start(names) {
      targets = [...new Set([...targets, ...names])];
      again = true;
      running ??= run();
    },
    settled() {
      if (signal.aborted) return Promise.reject(closed());
      if (running === undefined || failed) return Promise.resolve();
      return new Promise((resolve, reject) => waiters.push({ resolve, reject }));
    },
    async close() {
      closing.abort();
      for (const { reject } of waiters.splice(0)) reject(closed());
      await running;
    },
  };
}

const closed = (): AppError => new AppError("unavailable", "What is to be queued for others waits for the next start");
