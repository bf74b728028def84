import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { DATABASE_FILE, openWebhookDatabase } from "./database.ts";
import { LOG_DAYS, LOG_DELIVERIES_MAX, openDeliveries } from "./deliveries.ts";
import { openEvents } from "./events.ts";
import { removeDirectory, SETTINGS, scoreEvent, temporaryDirectory } from "./testing.ts";

const DAY = 86_400_000_000;
const NOW = scoreEvent("1", 0).at;

function setup(t: TestContext) {
  const directory = temporaryDirectory();
  const database = openWebhookDatabase(join(directory, DATABASE_FILE), { ...SETTINGS, synchronous: "OFF" });
  t.after(() => {
    database.close();
    removeDirectory(directory);
  });
  database.exec(
    "INSERT INTO webhooks (id, url, filter, secret, enabled, created_at, updated_at) VALUES ('wh', '', '', x'', 1, 0, 0)",
  );
  const count = (table: string) => database.prepare(`SELECT count(*) AS n FROM ${table}`).get()!.n;
  return { database, count, deliveries: openDeliveries(database), events: openEvents(database) };
}

const result = { number: 1, durationMs: 5, status: 204, error: null, excerpt: null, nextAt: null } as const;

test("prune() forgets what ended long ago with its attempts and events, and keeps what waits", (t) => {
  const { count, deliveries, events } = setup(t);
  const add = (home: number, at: number, state?: "delivered" | "failed"): void => {
    const { sequence } = events.insert(scoreEvent("1", home, { at }))!;
    const { id } = deliveries.insert({ webhookId: "wh", sequence, cause: "event", lane: "nfl:1", at });
    if (state) deliveries.record({ ...result, deliveryId: id, at, state });
  };
  const old = NOW - (LOG_DAYS + 1) * DAY;
  add(1, old, "delivered");
  add(2, old, "failed");
  add(3, old);
  add(4, NOW, "delivered");
  assert.equal(deliveries.prune(NOW), false);
  assert.deepEqual([count("deliveries"), count("attempts"), count("events")], [2, 1, 2]);
  assert.deepEqual(
    [...deliveries.waiting()].map(({ lane }) => lane),
    ["nfl:1"],
  );
  // A number is never given again, so that receivers can trust their order.
  assert.equal(events.insert(scoreEvent("1", 5))!.sequence, 5);
});

test("prune() keeps the newest of too many, a step at a time", (t) => {
  const { database, count, deliveries, events } = setup(t);
  events.insert(scoreEvent("1", 1));
  database.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${LOG_DELIVERIES_MAX + 1_500})
    INSERT INTO deliveries (webhook, event, cause, lane, state, created_at, finished_at)
      SELECT 'wh', 1, 'event', 'a', 'delivered', ${NOW}, ${NOW} FROM n
  `);
  assert.equal(deliveries.prune(NOW), true);
  assert.equal(count("deliveries"), LOG_DELIVERIES_MAX + 500);
  assert.equal(deliveries.prune(NOW), false);
  assert.equal(deliveries.page({ webhookId: "wh", limit: 1 }).rows[0]!.id, LOG_DELIVERIES_MAX + 1_500);
});
