import assert from "node:assert/strict";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { DATABASE_FILE, openWebhookDatabase } from "./database.ts";
import { LOG_DAYS, LOG_DELIVERIES_MAX, LOG_EVENTS_MAX, openDeliveries } from "./deliveries.ts";
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

/** Events 1 to `count`, each with one delivery that has ended for each of the webhooks. */
function fill(database: DatabaseSync, count: number, webhooks: readonly string[]): void {
  database.exec(`
    WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${count})
    INSERT INTO events SELECT i, 'evt_' || i, 'score_changed', 'nfl:1', ${NOW}, '{"type":"score_changed"}', '{}' FROM n
  `);
  for (const webhook of webhooks) {
    database.exec(`
      INSERT INTO deliveries (webhook, event, cause, lane, state, created_at, finished_at)
        SELECT '${webhook}', sequence, 'event', 'nfl:1', 'delivered', at, at FROM events ORDER BY sequence
    `);
  }
}

test("prune() keeps the newest of too many deliveries, a step at a time", (t) => {
  const { database, count, deliveries } = setup(t);
  fill(database, LOG_DELIVERIES_MAX / 2 + 750, ["wh", "wh"]);
  assert.equal(deliveries.prune(NOW), true);
  while (deliveries.prune(NOW));
  assert.equal(count("deliveries"), LOG_DELIVERIES_MAX);
  assert.equal(count("events"), LOG_DELIVERIES_MAX / 2);
  const newest = deliveries.page({ webhookId: "wh", limit: 1 }).rows[0]!;
  assert.deepEqual([newest.id, newest.sequence], [LOG_DELIVERIES_MAX + 1_500, LOG_DELIVERIES_MAX / 2 + 750]);
});

test("prune() keeps the newest of too many events, though nobody asked for them", (t) => {
  const { database, deliveries, events } = setup(t);
  fill(database, LOG_EVENTS_MAX + 10, []);
  assert.equal(deliveries.prune(NOW), false);
  const [first] = events.between(0, NOW + 1);
  assert.equal(first!.sequence, 11);
});

test("prune() takes nothing for what never arrived because it was forgotten that it did", (t) => {
  const { database, deliveries, events } = setup(t);
  fill(database, LOG_DELIVERIES_MAX + 10, ["wh"]);
  // The first two wait for another webhook, whose receiver is dead, so that they are needed.
  for (const sequence of [1, 2]) deliveries.insert({ webhookId: "wh", sequence, cause: "event", lane: "a", at: NOW });
  while (deliveries.prune(NOW));
  const left = [...events.between(0, NOW + 1)].map(({ sequence }) => sequence);
  assert.deepEqual(left.slice(0, 3), [1, 2, 13]);
  assert.ok(left.every((sequence) => deliveries.isDone("wh", sequence)));
});

test("page() of what is given up leaves out what was sent again since", (t) => {
  const { deliveries, events } = setup(t);
  const sequences = [1, 2, 3].map((home) => events.insert(scoreEvent("1", home))!.sequence);
  const add = (sequence: number, state?: "delivered" | "failed"): number => {
    const { id } = deliveries.insert({ webhookId: "wh", sequence, cause: "event", lane: "nfl:1", at: NOW });
    if (state) deliveries.record({ ...result, deliveryId: id, at: NOW, state });
    return id;
  };
  const [first, second, third] = sequences.map((sequence) => add(sequence, "failed"));
  const givenUp = (before?: number) => {
    const { rows, total } = deliveries.page({ webhookId: null, state: "failed", givenUp: true, limit: 10, before });
    return [total, rows.map(({ id }) => id)];
  };
  assert.deepEqual(givenUp(), [3, [third, second, first]]);
  add(sequences[0]!, "delivered");
  const again = add(sequences[1]!, "failed");
  assert.deepEqual(givenUp(), [2, [again, third]]);
  assert.deepEqual(givenUp(again), [2, [third]]);
  add(sequences[1]!);
  assert.deepEqual(givenUp(), [1, [third]]);
  // All that failed is still there to be looked at.
  assert.equal(deliveries.page({ webhookId: "wh", state: "failed", limit: 10 }).total, 4);
});
