import type { StateChange } from "../domain/home.ts";
import type { ChangeFeed } from "../domain/ingest.ts";
import type { Logger } from "../lib/log.ts";

/** The feed's other end. Without listeners a change costs next to nothing. */
export interface FeedSource extends ChangeFeed {
  /** Calls that a listener answered by throwing; the first of each listener is logged. */
  readonly failures: number;
  publish(change: StateChange): void;
}

export function createFeed(log: Logger): FeedSource {
  const subscriptions = new Set<{ readonly listener: (change: StateChange) => void; failed: boolean }>();
  let failures = 0;
  let told = 0;
  return {
    get failures() {
      return failures;
    },
    get told() {
      return told;
    },
    subscribe(listener) {
      const subscription = { listener, failed: false };
      subscriptions.add(subscription);
      return () => {
        subscriptions.delete(subscription);
      };
    },
    publish(change) {
      told++;
      for (const subscription of subscriptions) {
        try {
          subscription.listener(change);
        } catch (error) {
          // A listener is another part's code; its mistake must not cost us or the other listeners a change.
          failures++;
          if (!subscription.failed) log.error({ err: error }, "A listener of live changes failed");
          subscription.failed = true;
        }
      }
    },
  };
}
