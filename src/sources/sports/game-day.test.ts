import assert from "node:assert/strict";
import { test } from "node:test";
import { microsFromIso } from "../../lib/time.ts";
import { daysAround, gameDay } from "./game-day.ts";

for (const [moment, day] of [
  ["2026-11-30T04:59:00Z", "2026-11-29"],
  ["2026-11-30T05:00:00Z", "2026-11-30"],
  ["2026-07-04T03:59:00Z", "2026-07-03"],
  ["2026-07-04T04:00:00Z", "2026-07-04"],
  // On these two days the clocks in New York change.
  ["2026-03-08T04:59:00Z", "2026-03-07"],
  ["2026-03-09T03:59:00Z", "2026-03-08"],
  ["2026-11-02T04:59:00Z", "2026-11-01"],
] as const) {
  test(`gameDay() of ${moment} is ${day}`, () => assert.equal(gameDay(microsFromIso(moment)), day));
}

test("daysAround() is today, yesterday and tomorrow in the East, over months and years", () => {
  assert.deepEqual(daysAround(microsFromIso("2027-01-01T04:00:00Z")), ["2026-12-31", "2026-12-30", "2027-01-01"]);
  assert.deepEqual(daysAround(microsFromIso("2026-11-01T12:00:00Z")), ["2026-11-01", "2026-10-31", "2026-11-02"]);
});
