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

test("sample() tells since when a series is in another unit: since the sample that came in it", () => {
  const { model, sampler } = sampling([]);
  const told = (value: string, times: { changed?: number; updated: number }, unit?: string) =>
    sampler.sample(state("sensor.a", value, times, unit === undefined ? {} : { unit_of_measurement: unit }));
  told("15.6", { updated: 0 }, "°C");
  told("60.08", { updated: 10 }, "°F");
  // Another attribute changed before the state was heard of.
  told("288.75", { changed: 20, updated: 25 }, "K");
  assert.deepEqual(model.units("sensor.a"), [
    [0, "°C"],
    [10, "°F"],
    [20, "K"],
  ]);
});

test("sample() takes a changed unit of the same text for one since the state was updated", () => {
  const { model, sampler } = sampling([]);
  sampler.sample(state("sensor.a", "0", { updated: 0 }, { unit_of_measurement: "kWh" }));
  sampler.sample(state("sensor.a", "0", { changed: 0, updated: 30 }, { unit_of_measurement: "Wh" }));
  assert.deepEqual(model.units("sensor.a"), [
    [0, "kWh"],
    [30, "Wh"],
  ]);
});

test("sample() waits for a number to say in which unit numbers are", () => {
  const { model, sampler } = sampling([]);
  const told = (value: string, updated: number, attributes = {}) =>
    sampler.sample(state("sensor.a", value, { updated }, attributes));
  told("unavailable", 0, { unit_of_measurement: "°C" });
  told("15.6", 10, { unit_of_measurement: "°C" });
  told("unavailable", 20);
  sampler.forget("sensor.a");
  told("unavailable", 30, { unit_of_measurement: "°F", device_class: "temperature" });
  assert.equal(model.traits("sensor.a").deviceClass, "temperature");
  told("60.08", 40, { unit_of_measurement: "°F" });
  assert.deepEqual(model.units("sensor.a"), [
    [0, "°C"],
    [40, "°F"],
  ]);
  told("7", 50);
  assert.equal(model.traits("sensor.a").unit, null);
});

test("sample() keeps for a meter what is unavailable without attributes", () => {
  const { model, sampler } = sampling([]);
  const told = (value: string, updated: number, attributes = {}) =>
    sampler.sample(state("sensor.a", value, { updated }, attributes));
  told("15.6", 10, { state_class: "total_increasing" });
  told("unavailable", 20);
  assert.equal(model.traits("sensor.a").stateClass, "total_increasing");
  sampler.forget("sensor.a");
  told("unknown", 30);
  assert.equal(model.traits("sensor.a").stateClass, "total_increasing");
  told("unavailable", 40, { state_class: "total" });
  assert.equal(model.traits("sensor.a").stateClass, "total");
  told("7", 50);
  assert.equal(model.traits("sensor.a").stateClass, null);
});

test("sample() tells with which context a state or an attribute changed, of what is recorded", () => {
  const noted: string[] = [];
  const model = createModelStore();
  const filter = createFilter({ exclude: { domains: ["camera"] } }, () => NOWHERE);
  const sampler = createSampler(model, filter, (entityId) => entityId, {
    note: ({ series, ts }, { id }, isActor) => noted.push(`${series} ${(ts - at(0)) / 1e6} ${id} ${isActor}`),
  });
  const change = (entityId: string, text: string, seconds: number, id: string | null, changed = seconds) =>
    sampler.sample({
      ...state(entityId, text, { updated: seconds, changed }, { level: seconds }),
      context: id === null ? null : { id, parentId: null, userId: null },
    });
  change("light.a", "on", 1, "A");
  change("light.a", "on", 2, "B", 1);
  change("automation.b", "on", 3, "C");
  change("camera.c", "idle", 4, "D");
  change("light.a", "off", 5, null);
  const [light, automation] = ["light.a", "automation.b"].map((subject) =>
    model.find({ measurement: "state", subject, field: "state" }),
  );
  assert.deepEqual(noted, [`${light} 1 A false`, `${light} 2 B false`, `${automation} 3 C true`]);
});
