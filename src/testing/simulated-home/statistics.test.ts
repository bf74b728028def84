import assert from "node:assert/strict";
import { test } from "node:test";
import type { RecordedState } from "./recorder.ts";
import { compileStatistics } from "./statistics.ts";

const HOUR = 3_600_000;
const START = 1_795_518_000_000;

/** Rows of one entity, given as minutes after the start of the hour and states. */
function rows(...given: [number, string | null][]): RecordedState[] {
  return given.map(([minute, state]) => {
    const at = (START + minute * 60_000) * 1000;
    return { entityId: "sensor.a", registryId: null, state, lastChanged: at, lastUpdated: at, attributesJson: "{}" };
  });
}

test("five minutes: the mean is weighted by time and begins with the first value", () => {
  const [first, second] = compileStatistics(rows([1, "10"], [3, "20"]), false, 300_000, (START + HOUR) * 1000);
  assert.equal(first!.mean, 15);
  assert.deepEqual([first!.min, first!.max], [10, 20]);
  assert.deepEqual([second!.mean, second!.min], [20, 20]);
});

test("hours: the plain average of the 5-minute means; texts are carried over", () => {
  const [hour] = compileStatistics(
    rows([0, "10"], [20, "unavailable"], [30, "20"]),
    false,
    HOUR,
    (START + HOUR) * 1000,
  );
  assert.equal(hour!.mean, 15);
  assert.deepEqual([hour!.start, hour!.end, hour!.sum], [START, START + HOUR, null]);
});

test("meters: the first value is the zero point, and below nine tenths a new cycle begins at 0", () => {
  const [hour, next] = compileStatistics(
    rows([0, "100"], [10, "103"], [20, "5"], [70, "6"]),
    true,
    HOUR,
    (START + 2 * HOUR) * 1000,
  );
  assert.deepEqual([hour!.sum, hour!.state, hour!.change, hour!.mean], [8, 5, 8, null]);
  assert.deepEqual([next!.sum, next!.state, next!.change], [9, 6, 1]);
});

test("an hour that is not over has no row", () => {
  assert.deepEqual(compileStatistics(rows([0, "10"]), false, HOUR, (START + HOUR / 2) * 1000), []);
});
