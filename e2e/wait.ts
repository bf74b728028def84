import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "./failure.ts";

const POLL_EVERY_MS = 50;

export interface WaitOptions {
  readonly timeoutMs: number;
  readonly pollEveryMs?: number;
}

/**
 * Asks again and again until the answer is neither undefined, null nor false, and returns it. After `timeoutMs` it
 * throws a Failure that names `what` and, when the last try threw, why. An error of `probe` means "not yet".
 */
export async function waitUntil<Answer>(
  what: string,
  probe: () => Answer | Promise<Answer>,
  options: WaitOptions,
): Promise<NonNullable<Exclude<Answer, false>>> {
  const deadline = performance.now() + options.timeoutMs;
  for (;;) {
    let fault = "";
    try {
      const answer = await probe();
      if (answer !== undefined && answer !== null && answer !== false) {
        return answer as NonNullable<Exclude<Answer, false>>;
      }
    } catch (error) {
      if (error instanceof Failure && error.cause === ABANDONED) throw error;
      fault = `: ${error instanceof Error ? error.message : error}`;
    }
    if (performance.now() > deadline) {
      throw new Failure(`Waited ${options.timeoutMs / 1000} s in vain for ${what}${fault}`);
    }
    await sleep(options.pollEveryMs ?? POLL_EVERY_MS);
  }
}

const ABANDONED = Symbol("waiting makes no sense any more");

/** Thrown by a probe that knows that its condition can never come true, such as "the process has ended". */
export function abandon(message: string): Failure {
  return new Failure(message, { cause: ABANDONED });
}
