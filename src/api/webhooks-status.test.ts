import assert from "node:assert/strict";
import { test } from "node:test";
import type { WebhookStatus } from "../domain/webhook.ts";
import { apiOptions, createWebhooksDouble, TELLING } from "../testing/api-doubles.ts";
import { createApi, createSportsApi } from "./server.ts";

const optionsOf = (more: Partial<WebhookStatus>) =>
  apiOptions({ webhooks: createWebhooksDouble({ ...TELLING, ...more }) });

const CASES: readonly [
  more: Partial<WebhookStatus>,
  status: string,
  reason: string | null,
  notes: readonly string[],
][] = [
  [{}, "healthy", null, []],
  [{ fault: "disk is full" }, "unhealthy", "disk is full", ["Webhooks are told nothing new: disk is full"]],
  [{ loss: "webhooks.db was damaged" }, "degraded", "webhooks.db was damaged", ["webhooks.db was damaged"]],
];
for (const [more, status, reason, notes] of CASES) {
  test(`/health of both ports and /ready tell of webhooks that are ${status}`, async (t) => {
    const data = await createApi(optionsOf(more));
    const sports = await createSportsApi(optionsOf(more));
    t.after(() => Promise.all([data.close(), sports.close()]));
    for (const api of [data, sports]) {
      const { webhooks } = (await api.inject("/health")).json().dependencies;
      assert.deepEqual(webhooks, {
        status,
        reason,
        webhooks: 7,
        enabled: 5,
        on_hold: 1,
        waiting: 12,
        in_flight: 3,
        delivered: 900,
        failed_attempts: 30,
        dead_letters: 2,
        events: 450,
        dropped: 4,
      });
    }
    const ready = await data.inject("/ready");
    assert.equal(ready.statusCode, 200, "the record of the home does not depend on webhooks");
    for (const note of notes) assert.ok(ready.json().notes.includes(note), ready.body);
  });
}

test("/metrics counts deliveries by outcome, and webhooks by state", async (t) => {
  const api = await createApi(optionsOf({}));
  t.after(() => api.close());
  const { body } = await api.inject("/metrics");
  for (const line of [
    'webhooks{state="enabled"} 4',
    'webhooks{state="on_hold"} 1',
    'webhooks{state="disabled"} 2',
    'webhook_attempts_total{outcome="delivered"} 900',
    'webhook_attempts_total{outcome="failed"} 30',
    "webhook_deliveries_waiting 12",
    "webhook_requests_in_flight 3",
    "webhook_dead_letters_total 2",
    "webhook_events_total 450",
    "webhook_dropped_total 4",
    "webhook_store_writable 1",
  ]) {
    assert.ok(body.includes(`\nha_ingestor_${line}\n`), line);
  }
});
