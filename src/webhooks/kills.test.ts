import assert from "node:assert/strict";
import { test } from "node:test";
import { killRepeatedly } from "../testing/webhook-kills.ts";

// `node e2e/webhooks-kills.ts` does the same a hundred times.
test("nothing is lost, invented or out of order when the process is killed at random moments", async (t) => {
  const { events, accepted } = await killRepeatedly(10);
  assert.ok(events > 0 && accepted >= events);
  t.diagnostic(`${events} events, ${accepted} arrivals`);
});
