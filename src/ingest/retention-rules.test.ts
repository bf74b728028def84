import assert from "node:assert/strict";
import { test } from "node:test";
import { createFilter } from "./filter.ts";
import { parseRetentionRules } from "./retention-rules.ts";

const DEFAULTS = { rawDays: 365, rollupDays: 0 };
const NOWHERE = { id: null, platform: null, devices: [], areas: [], labels: [] };

test("parseRetentionRules() fills in the defaults", () => {
  assert.deepEqual(parseRetentionRules(null, DEFAULTS), []);
  assert.deepEqual(parseRetentionRules([{ domains: "light", raw_days: 30 }, { min_interval_seconds: 0.5 }], DEFAULTS), [
    { domains: ["light"], rawDays: 30, rollupDays: 0, thinning: null },
    { rawDays: 365, rollupDays: 0, thinning: { minIntervalMicros: 500_000, deadband: 0 } },
  ]);
});

test("parseRetentionRules() tells all faults together, each with its path", () => {
  const input = [
    { raw_days: -1, labels: [""] },
    { raw_days: 30, rollup_days: 7 },
    { raw_days: 0, rollup_days: 30 },
    { deadband: "much", colour: "red" },
    "all",
  ];
  assert.throws(
    () => parseRetentionRules(input, DEFAULTS),
    (error: Error) => {
      for (const part of [
        "retention[0].raw_days: must be a whole number from 0 to 36500",
        "retention[0].labels[0]: must be a text",
        "retention[1]: rollups must be kept at least as long as raw samples (7 days is less than 30)",
        "retention[2]: rollups must be kept at least as long as raw samples (30 days is less than 0 (for ever))",
        "retention[3].deadband: must be a number from 0",
        "retention[3].colour: unknown; known are entities, entity_globs, domains, areas, labels, devices, integrations, " +
          "measurements, raw_days, rollup_days, min_interval_seconds, deadband",
        "retention[4]: must be a mapping",
      ]) {
        assert.ok(error.message.includes(part), `${part} is not in ${error.message}`);
      }
      return true;
    },
  );
});

test("retentionOf() gives the first rule that matches, by entity, belonging or measurement", () => {
  const facts = (entityId: string) => (entityId === "light.hall" ? { ...NOWHERE, areas: ["hall"] } : NOWHERE);
  const retention = parseRetentionRules(
    [
      { measurements: ["weather"], raw_days: 1 },
      { areas: "hall", raw_days: 2 },
      { entity_globs: "sensor.*_rssi", raw_days: 3 },
      { raw_days: 4 },
    ],
    DEFAULTS,
  );
  const filter = createFilter({ retention }, facts);
  const days = (measurement: string, name: string | null) => filter.retentionOf({ measurement, name })?.rawDays;
  assert.equal(days("weather", null), 1);
  assert.equal(days("system", null), 4);
  assert.equal(days("state", "light.hall"), 2);
  assert.equal(days("state", "sensor.hall_rssi"), 3);
  assert.equal(days("state", "sensor.hall"), 4);
  assert.equal(filter.retentionAsksHome, true);
  filter.reload({});
  assert.equal(days("state", "light.hall"), undefined);
  assert.equal(filter.retentionAsksHome, false);
});
