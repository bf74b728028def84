import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY_MICROS } from "../../lib/calendar.ts";
import { CycleReader, cycleOf } from "./cycles.ts";

const AT = Date.UTC(2026, 10, 30, 8) * 1000;

for (const { value, cycle } of [
  { value: "2026-11-30T08:00:00+00:00", cycle: AT },
  { value: "2026-11-30T09:00:00+01:00", cycle: AT },
  { value: "2026-11-30T08:00:00.000001+00:00", cycle: AT + 1 },
  { value: "2026-11-30T08:00:00", cycle: AT },
  { value: "today", cycle: undefined },
  { value: "", cycle: undefined },
  { value: null, cycle: undefined },
  { value: AT, cycle: undefined },
]) {
  test(`cycleOf() of ${JSON.stringify(value)} is ${cycle}`, () => assert.equal(cycleOf(value), cycle));
}

test("CycleReader tells once what was told up to a number, the last of it, and nothing of what tells none", () => {
  const values = ["2026-11-30T07:00:00Z", "2026-11-30T08:00:00Z", null, "2026-11-30T09:00:00Z"];
  const reader = new CycleReader({ ts: [1, 2, 3, 7], values });
  assert.deepEqual(
    [0, 3, 4, 7, 8].map((ts) => reader.ofNumberAt(ts)),
    [undefined, AT, undefined, AT + 3_600_000_000, undefined],
  );
});

test("CycleReader forgets at midnight UTC what no number of the day before came with", () => {
  const reader = new CycleReader({ ts: [DAY_MICROS - 1], values: ["2026-11-30T08:00:00Z"] });
  assert.equal(reader.ofNumberAt(DAY_MICROS), undefined);
});
