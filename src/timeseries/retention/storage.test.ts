import assert from "node:assert/strict";
import { test } from "node:test";
import { DAY_MICROS } from "../hot/day.ts";
import { type StorageSources, storageReport } from "./storage.ts";

const TODAY = 20_000;
const NOON = TODAY * DAY_MICROS + DAY_MICROS / 2;
const table = { series: Int32Array.of(1), rows: Float64Array.of(10), bytes: 4_096 };

/** Days of the hot tier, and days with rollups, as seen at noon. */
function tiers(days: readonly number[], rolled: readonly number[]) {
  const sources: StorageSources = {
    at: NOON,
    directoryBytes: 0,
    tables: {
      freeBytes: 0,
      log: table,
      days: days.map((day) => ({ ...table, day })),
      rollups: [table],
      rolledDays: rolled.length,
      oldestRolled: rolled[0] ?? null,
      newestRolled: rolled.at(-1) ?? null,
    },
    parts: [],
    contents: [],
    inMemory: () => false,
  };
  return Object.fromEntries(storageReport(sources).tiers.map(({ tier, oldest, newest }) => [tier, [oldest, newest]]));
}

test("storageReport() tells times of tables by the borders of their days, and none that is to come", () => {
  const { memory, hot, rollups } = tiers([TODAY - 2, TODAY], [TODAY - 3, TODAY - 1]);
  assert.deepEqual(memory, [null, null]);
  assert.deepEqual(hot, [(TODAY - 2) * DAY_MICROS, NOON]);
  assert.deepEqual(rollups, [(TODAY - 3) * DAY_MICROS, TODAY * DAY_MICROS]);
});

test("storageReport() tells no time to come of days that lie ahead", () => {
  const { hot, rollups } = tiers([TODAY + 2], [TODAY + 2]);
  assert.deepEqual(
    [hot, rollups],
    [
      [NOON, NOON],
      [NOON, NOON],
    ],
  );
});

test("storageReport() tells no time of tables without days", () => {
  const { hot, rollups } = tiers([], []);
  assert.deepEqual(
    [hot, rollups],
    [
      [null, null],
      [null, null],
    ],
  );
});
