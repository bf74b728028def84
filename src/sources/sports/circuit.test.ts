import assert from "node:assert/strict";
import { test } from "node:test";
import { createCircuit, FAILURES_TO_OPEN, OPEN_CAP_MS } from "./circuit.ts";

const always = () => 1;

test("createCircuit() opens after failures in a row, and lets one trial through after each pause", () => {
  const circuit = createCircuit(always, 60_000);
  for (let i = 1; i < FAILURES_TO_OPEN; i++) circuit.failed("down", 0, null);
  assert.equal(circuit.waitMs(0), 0);
  circuit.failed("down", 0, null);
  assert.equal(circuit.open, true);
  assert.equal(circuit.waitMs(0), 60_000);
  assert.equal(circuit.waitMs(59_000), 1_000);
  assert.equal(circuit.waitMs(60_000), 0);
  assert.equal(circuit.waitMs(60_000), 60_000, "a second trial beside the first");
  circuit.failed("down", 61_000, null);
  assert.equal(circuit.waitMs(61_000), 120_000);
  circuit.succeeded();
  assert.equal(circuit.waitMs(61_000), 0);
  assert.equal(circuit.open, false);
});

test("createCircuit() stays away as long as it is asked to, and for half an hour at most without that", () => {
  const circuit = createCircuit(always, 60_000);
  for (let i = 0; i < FAILURES_TO_OPEN; i++) circuit.failed("limited", 0, 500_000);
  assert.equal(circuit.waitMs(0), 500_000);
  for (let i = 0; i < 20; i++) circuit.failed("blocked", 0, null);
  assert.equal(circuit.waitMs(0), OPEN_CAP_MS);
});

test("createCircuit() does not judge a source by one league's address", () => {
  const circuit = createCircuit(always, 60_000);
  for (let i = 0; i < 50; i++) circuit.failed(i % 2 ? "bad_request" : "malformed", 0, null);
  assert.equal(circuit.waitMs(0), 0);
});
