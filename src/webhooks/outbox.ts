import type { Micros } from "../domain/sample.ts";
import type { NewEvent } from "../domain/webhook.ts";
import {
  type Deliveries,
  type NewDelivery,
  WAITING_ALWAYS,
  WAITING_MAX,
  WAITING_PER_WEBHOOK_MAX,
  type WaitingDelivery,
} from "./deliveries.ts";
import type { Dispatcher } from "./dispatcher.ts";
import type { Events } from "./events.ts";
import { foldFacts } from "./filters.ts";
import type { Registrations } from "./registrations.ts";

/** What a transaction brings, for the time after it. */
export interface Added {
  readonly deliveries: WaitingDelivery[];
  readonly perWebhook: Map<string, number>;
  events: number;
  turnedAway: number;
}

export function newAdded(): Added {
  return { deliveries: [], perWebhook: new Map(), events: 0, turnedAway: 0 };
}

export interface OutboxOptions {
  readonly registrations: Pick<Registrations, "all">;
  readonly events: Pick<Events, "insert">;
  readonly deliveries: Pick<Deliveries, "insert" | "insertFailed">;
  /** What waits already. */
  readonly dispatcher: () => Pick<Dispatcher, "waiting" | "waitingOf">;
  readonly micros: () => Micros;
}

/** From events to deliveries, within a transaction. */
export interface Outbox {
  /** Stores events, and one delivery of each for every webhook that wants it. One that is stored already is left out. */
  insert(list: readonly NewEvent[], added: Added): void;
  /** One delivery, which is given up at once where too many wait. */
  queue(delivery: NewDelivery, added: Added): void;
}

export function createOutbox({ registrations, events, deliveries, dispatcher, micros }: OutboxOptions): Outbox {
  function queue(delivery: NewDelivery, added: Added): void {
    const { waiting: dispatched, waitingOf } = dispatcher();
    const waiting = waitingOf(delivery.webhookId) + (added.perWebhook.get(delivery.webhookId) ?? 0);
    const all = dispatched + added.deliveries.length;
    if (waiting >= WAITING_PER_WEBHOOK_MAX || (all >= WAITING_MAX && waiting >= WAITING_ALWAYS)) {
      const whose = waiting >= WAITING_PER_WEBHOOK_MAX ? waiting : `${all} of all webhooks'`;
      deliveries.insertFailed(delivery, `not tried: ${whose} deliveries are waiting already`);
      added.turnedAway++;
      return;
    }
    added.perWebhook.set(delivery.webhookId, (added.perWebhook.get(delivery.webhookId) ?? 0) + 1);
    added.deliveries.push(deliveries.insert(delivery));
  }

  return {
    insert(list, added) {
      for (const event of list) {
        const stored = events.insert(event);
        if (!stored) continue;
        added.events++;
        const { sequence, orderKey: lane } = stored;
        const facts = foldFacts(stored.facts);
        for (const { id, enabled, compiled } of registrations.all.values()) {
          if (!enabled || !compiled.matches(facts)) continue;
          queue({ webhookId: id, sequence, cause: "event", lane, at: micros() }, added);
        }
      }
    },
    queue,
  };
}
