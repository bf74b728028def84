import assert from "node:assert/strict";
import { test } from "node:test";
import { type Part, pastSeries, planBudget, planParts, rawCutoffs, reckonedDay, rollupCutoff } from "./plan.ts";

const TODAY = 1000;

function part(firstDay: number, endDay: number, bytes = 10): Part {
  return { path: `${firstDay}-${endDay}`, firstDay, endDay, maxTs: 0, rows: 1, bytes };
}

const limits = (...days: readonly (readonly [raw: number, rollup: number])[]) =>
  new Map(days.map(([rawDays, rollupDays], series) => [series, { rawDays, rollupDays }]));

const lastDays = (count: number, last = TODAY) => Array.from({ length: count }, (_, i) => last - i);

test("reckonedDay() is the newest day with samples, today at the latest", () => {
  assert.equal(reckonedDay(TODAY, lastDays(100)), TODAY);
  assert.equal(reckonedDay(TODAY, lastDays(100, TODAY - 3)), TODAY - 3);
  assert.equal(reckonedDay(TODAY, lastDays(100, TODAY + 40)), TODAY);
});

test("reckonedDay() is not a day that few others confirm", () => {
  const aheadByAYear = [TODAY, TODAY - 1, ...lastDays(100, TODAY - 400)];
  assert.equal(reckonedDay(TODAY, aheadByAYear), TODAY - 400);
  assert.equal(reckonedDay(TODAY, [...lastDays(6), ...lastDays(100, TODAY - 400)]), TODAY - 400);
  assert.equal(reckonedDay(TODAY, [...lastDays(7), ...lastDays(100, TODAY - 400)]), TODAY);
  // A sample often, but one a day.
  assert.equal(reckonedDay(TODAY, Array(100).fill(TODAY)), Number.NEGATIVE_INFINITY);
  assert.equal(reckonedDay(TODAY, []), Number.NEGATIVE_INFINITY);
});

test("reckonedDay() is confirmed by days with pauses, as of a service that runs at weekends", () => {
  const weekends = lastDays(60).filter((day) => day % 7 < 2);
  assert.equal(reckonedDay(TODAY, weekends), weekends[0]);
  assert.equal(
    reckonedDay(
      TODAY,
      lastDays(100).filter((day) => day % 7 === 0),
    ),
    Number.NEGATIVE_INFINITY,
  );
});

test("planParts() drops what is past for all series, and names what is past for some", () => {
  const parts = [part(890, 900), part(899, 901), part(969, 970), part(970, 971), part(999, 1000)];
  const { dropped, mixed } = planParts(parts, rawCutoffs(TODAY, limits([100, 0], [30, 0])));
  assert.deepEqual(
    dropped.map(({ path }) => path),
    ["890-900"],
  );
  assert.deepEqual(
    mixed.map(({ path }) => path),
    ["899-901", "969-970"],
  );
});

test("planParts() drops nothing while a series is kept for ever, or nothing is known of any", () => {
  const parts = [part(0, 1), part(999, 1000)];
  const forEver = planParts(parts, rawCutoffs(TODAY, limits([0, 0], [30, 0])));
  assert.deepEqual([forEver.dropped.length, forEver.mixed.length], [0, 1]);
  const empty = planParts(parts, rawCutoffs(TODAY, new Map()));
  assert.deepEqual([empty.dropped.length, empty.mixed.length], [0, 0]);
});

test("pastSeries() names series of which every day of the part is past, and keeps unknown ones", () => {
  const content = { series: [0, 1, 7], rows: [5, 6, 7], bytes: [50, 60, 70] };
  const cutoffs = rawCutoffs(TODAY, limits([100, 0], [30, 0]));
  assert.deepEqual(pastSeries(part(940, 970), content, cutoffs), { series: [1], rows: 6, bytes: 60 });
  assert.deepEqual(pastSeries(part(940, 971), content, cutoffs).series, []);
});

test("planBudget() takes the oldest parts until enough is freed", () => {
  const parts = [part(3, 4), part(1, 2), part(2, 3)];
  assert.deepEqual(
    planBudget(parts, 11).map(({ path }) => path),
    ["1-2", "2-3"],
  );
  assert.deepEqual(planBudget(parts, 0), []);
  assert.equal(planBudget(parts, 1_000).length, 3);
});

test("rollupCutoff() does not go into a part that is kept", () => {
  assert.equal(rollupCutoff(TODAY, 30, [part(960, 975)]), 960);
  assert.equal(rollupCutoff(TODAY, 30, [part(970, 975), part(940, 970)]), 970);
  assert.equal(rollupCutoff(TODAY, 0, []), Number.NEGATIVE_INFINITY);
});
