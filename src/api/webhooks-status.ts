import { Counter, Gauge, type Registry } from "prom-client";
import type { WebhookStatus } from "../domain/webhook.ts";

/** How the webhooks are; `unhealthy` while nothing can be stored, `degraded` while something was lost. */
export function webhooksBody(status: WebhookStatus) {
  return {
    status: status.fault !== null ? "unhealthy" : status.loss !== null ? "degraded" : "healthy",
    reason: status.fault ?? status.loss,
    webhooks: status.webhooks,
    enabled: status.enabled,
    on_hold: status.onHold,
    waiting: status.waiting,
    in_flight: status.inFlight,
    delivered: status.delivered,
    failed_attempts: status.failedAttempts,
    dead_letters: status.deadLetters,
    events: status.events,
    dropped: status.dropped,
  };
}

/** What `/ready` tells beside its verdict: the record of the home does not depend on webhooks. */
export function webhookNotes({ fault, loss }: WebhookStatus): string[] {
  const stuck = fault === null ? [] : [`Webhooks are told nothing new: ${fault}`];
  return loss === null ? stuck : [...stuck, loss];
}

export function webhookMetrics(registry: Registry, prefix: string, read: () => WebhookStatus): void {
  const registers = [registry];
  const gauge = (name: string, help: string, value: (status: WebhookStatus) => number): void => {
    new Gauge({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.set(value(read()));
      },
    });
  };
  const counter = (name: string, help: string, value: (status: WebhookStatus) => number): void => {
    new Counter({
      name: prefix + name,
      help,
      registers,
      collect() {
        this.reset();
        this.inc(value(read()));
      },
    });
  };
  new Gauge({
    name: `${prefix}webhooks`,
    help: "Registered webhooks by state; those on hold are enabled",
    labelNames: ["state"],
    registers,
    collect() {
      const { webhooks, enabled, onHold } = read();
      this.set({ state: "enabled" }, enabled - onHold);
      this.set({ state: "on_hold" }, onHold);
      this.set({ state: "disabled" }, webhooks - enabled);
    },
  });
  new Counter({
    name: `${prefix}webhook_attempts_total`,
    help: "Requests to receivers by outcome; delivered is any 2xx",
    labelNames: ["outcome"],
    registers,
    collect() {
      const { delivered, failedAttempts } = read();
      this.reset();
      this.inc({ outcome: "delivered" }, delivered);
      this.inc({ outcome: "failed" }, failedAttempts);
    },
  });
  gauge("webhook_deliveries_waiting", "Deliveries that have not arrived yet", ({ waiting }) => waiting);
  gauge("webhook_requests_in_flight", "Requests to receivers under way", ({ inFlight }) => inFlight);
  gauge("webhook_store_writable", "1 while the database of the webhooks takes writes", ({ fault }) =>
    fault === null ? 1 : 0,
  );
  counter("webhook_dead_letters_total", "Deliveries that were given up", ({ deadLetters }) => deadLetters);
  counter("webhook_events_total", "Events that were committed", ({ events }) => events);
  counter("webhook_dropped_total", "State changes dropped since too many waited", ({ dropped }) => dropped);
}
