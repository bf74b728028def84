import { isLagging, type TargetStatus } from "../domain/forwarding.ts";
import type { Micros } from "../domain/sample.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { OpenWebhooks } from "./webhooks.ts";

const LOOK_MS = 10_000;
/** One that lags has recovered once nothing waits for longer than this: well below what makes it lag. */
const RECOVERED_MICROS = 60_000_000;

/**
 * Looks at the servers that get samples, and tells webhooks once when one begins to lag and once when it has caught
 * up. What was told is not kept over a restart: one that still lags is told of again. Answers what ends it.
 */
export function tellOfMirrors(targets: () => readonly TargetStatus[], tell: OpenWebhooks["tell"]): () => void {
  const look = createMirrorWatch(tell);
  const timer = setInterval(() => look(targets(), nowMicros()), LOOK_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** The function to be called with how the targets are at a time. */
export function createMirrorWatch(tell: OpenWebhooks["tell"]) {
  const lagging = new Map<string, Micros>();
  return (targets: readonly TargetStatus[], now: Micros): void => {
    for (const target of targets) {
      const { name, behindSince } = target;
      const since = lagging.get(name);
      if (since === undefined && isLagging(target, now)) {
        lagging.set(name, behindSince!);
        void tell("mirror_lagging", `mirror ${name}`, dataOf(target, behindSince), { at: now });
      } else if (since !== undefined && (behindSince === null || now - behindSince <= RECOVERED_MICROS)) {
        lagging.delete(name);
        void tell("mirror_recovered", `mirror ${name}`, dataOf(target, since), { at: now });
      }
    }
  };
}

function dataOf({ name, role, url, state, reason, waiting, skipped }: TargetStatus, since: Micros | null) {
  return {
    ...{ mirror: name, role, url, state, reason, waiting, skipped },
    behind_since: since === null ? null : isoFromMicros(since),
  };
}
