import assert from "node:assert/strict";
import { test } from "node:test";
import { createFilter } from "./filter.ts";
import { parseRetentionRules } from "./retention-rules.ts";
import { createSampler } from "./sampler.ts";
import { at, createModelStore, state } from "./scenario.ts";

const NOWHERE = { id: null, platform: null, devices: [], areas: [], labels: [] };

function retention(rules: readonly object[]) {
  return { retention: parseRetentionRules(rules, { rawDays: 365, rollupDays: 0 }) };
}

function sampling(rules: readonly object[]) {
  const model = createModelStore();
  const filter = createFilter(retention(rules), () => NOWHERE);
  return { model, filter, sampler: createSampler(model, filter, (entityId) => entityId) };
}

test("sample() holds back what a rule thins out, and release() stores it when its interval is over", () => {
  const { model, sampler } = sampling([{ domains: "sensor", min_interval_seconds: 60 }]);
  for (const second of [0, 10, 20]) sampler.sample(state("sensor.a", `${second}`, { updated: second }));
  for (const second of [0, 10]) sampler.sample(state("light.a", `${second}`, { updated: second }));
  assert.deepEqual(model.samples("sensor.a"), [[0, 0]]);
  assert.equal(model.samples("light.a")?.length, 2);
  assert.equal(sampler.heldSince(), at(20));
  sampler.release(at(59));
  assert.equal(model.samples("sensor.a")?.length, 1);
  sampler.release(at(60));
  assert.deepEqual(model.samples("sensor.a"), [
    [0, 0],
    [20, 20],
  ]);
  assert.equal(sampler.heldSince(), Number.POSITIVE_INFINITY);
});

test("sample() does not store twice, or late, what is held back when an entity is forgotten", () => {
  const { model, sampler } = sampling([{ min_interval_seconds: 60 }]);
  for (const second of [0, 10, 20]) {
    sampler.forget("sensor.a");
    sampler.sample(state("sensor.a", `${second}`, { updated: second }, { gain: second }));
    sampler.forget("sensor.a");
    sampler.sample(state("sensor.a", `${second}`, { updated: second }, { gain: second }));
  }
  sampler.release(Number.POSITIVE_INFINITY);
  for (const field of ["state", "gain"]) {
    assert.deepEqual(model.samples("sensor.a", field), [
      [0, 0],
      [20, 20],
    ]);
  }
});

test("a rule that goes gives back what it held, and end() comes after it", () => {
  const { model, filter, sampler } = sampling([{ min_interval_seconds: 60 }]);
  for (const second of [0, 10]) sampler.sample(state("sensor.a", `${second}`, { updated: second }));
  filter.reload({});
  sampler.sample(state("sensor.a", "11", { updated: 11 }));
  filter.reload(retention([{ min_interval_seconds: 60 }]));
  sampler.sample(state("sensor.a", "12", { updated: 12 }));
  sampler.end("sensor.a", at(13));
  assert.deepEqual(model.samples("sensor.a"), [
    [0, 0],
    [10, 10],
    [11, 11],
    [12, 12],
    [13, null],
  ]);
});
