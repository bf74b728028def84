import assert from "node:assert/strict";
import { test } from "node:test";
import { createHomeGate } from "./home-gate.ts";
import { createTestClock } from "./testing.ts";

function setup() {
  const clock = createTestClock();
  let held: string | null = "nobody has told yet";
  const gate = createHomeGate((reason) => {
    held = reason;
  }, clock.after);
  return { clock, gate, held: () => held };
}

test("the gate opens a moment after Home Assistant says RUNNING, and closes with the connection", () => {
  const { clock, gate, held } = setup();
  gate.connectionIs("connecting");
  assert.match(held()!, /not connected/);
  gate.connectionIs("connected");
  assert.match(held()!, /has not told yet/);
  gate.homeIs("STARTING");
  assert.match(held()!, /is STARTING/);
  gate.homeIs("RUNNING");
  assert.match(held()!, /is STARTING/);
  clock.advance(1_999);
  assert.match(held()!, /is STARTING/);
  // Its settings changed, which does not begin the moment anew.
  gate.homeIs("RUNNING");
  clock.advance(1);
  assert.equal(held(), null);
  gate.homeIs("RUNNING");
  assert.equal(held(), null);
  gate.connectionIs("waiting");
  assert.match(held()!, /not connected/);
});

test("the gate stays closed where the connection is lost in that moment, and for an answer that comes too late", () => {
  const { clock, gate, held } = setup();
  gate.connectionIs("connected");
  gate.homeIs("RUNNING");
  gate.connectionIs("waiting");
  clock.advance(60_000);
  assert.match(held()!, /not connected/);
  gate.homeIs("RUNNING");
  clock.advance(60_000);
  assert.match(held()!, /not connected/);
});

test("the gate is open where the connection tells nothing of Home Assistant", () => {
  for (const state of ["unconfigured", "refused"] as const) {
    const { gate, held } = setup();
    gate.connectionIs("connecting");
    gate.connectionIs(state);
    assert.equal(held(), null, state);
  }
});

test("close() leaves nothing under way", () => {
  const { clock, gate } = setup();
  gate.connectionIs("connected");
  gate.homeIs("RUNNING");
  gate.close();
  assert.deepEqual(clock.waits(), []);
});
