import assert from "node:assert/strict";
import { test } from "node:test";
import { createDroppedTime } from "./dropped-time.ts";

const DAY = 86_400_000_000;
const HOUR = 3_600_000_000;

test("refuses() counts what is older than what was dropped, and notes() says so for an hour", () => {
  let now = 1000.5 * DAY;
  const dropped = createDroppedTime(600 * DAY, () => now);
  assert.equal(dropped.refuses(600 * DAY), false);
  assert.deepEqual(dropped.notes(), []);
  assert.equal(dropped.refuses(600 * DAY - 1), true);
  assert.equal(dropped.refused, 1);
  assert.equal(dropped.notes().length, 1);
  assert.match(dropped.notes()[0]!, /^1 samples were not taken since the start, the last one of 1971-08-23T23:59:59/);
  now += 2 * HOUR;
  assert.deepEqual(dropped.notes(), []);
});

test("refuses() takes what comes for the present day, whatever was noted as dropped", () => {
  const dropped = createDroppedTime(1030 * DAY, () => 1000.5 * DAY);
  assert.equal(dropped.refuses(1000 * DAY), false);
  assert.equal(dropped.refuses(1000 * DAY - 1), true);
});

test("refuses() refuses nothing where nothing was dropped", () => {
  assert.equal(createDroppedTime(null, () => 0).refuses(-5 * DAY), false);
});
