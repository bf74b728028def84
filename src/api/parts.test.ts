import assert from "node:assert/strict";
import { test } from "node:test";
import { startRecorded } from "../testing/recorded-api.ts";

const HOUR = 3_600_000_000;
/** 2026-10-20T00:00:00Z. */
const T0 = Date.UTC(2026, 9, 20) * 1000;

test("an entity without samples has not those of the one that was called so before", async (t) => {
  const { api, store, home } = await startRecorded(t);
  const devices = [
    { id: "broken", name: "Broken", manufacturer: "Acme" },
    { id: "spare", name: "Spare", manufacturer: "Philips" },
  ];
  await home.applyRegistry("device", devices, T0);
  // The successor is disabled, as some are by default, and so never has a state.
  const renamed = { id: "uuid1", entity_id: "sensor.power_old", device_id: "broken", platform: "zha" };
  const disabled = { disabled_by: "integration" };
  const successor = { id: "uuid2", entity_id: "sensor.power", device_id: "spare", platform: "hue", ...disabled };
  await home.applyRegistry("entity", [{ ...renamed, entity_id: "sensor.power" }], T0);
  const series = store.series({ measurement: "state", subject: "uuid1", field: "state" }, "sensor.power", T0);
  store.append(series, T0, 5);
  store.append(series, T0 + HOUR, "unavailable");
  await home.applyRegistry("entity", [renamed], T0 + 2 * HOUR);
  store.rename("state", "uuid1", "sensor.power_old", T0 + 2 * HOUR);
  const span = `start=${T0 / 1000}&end=${(T0 + 3 * HOUR) / 1000}`;
  const get = async (path: string) => (await api.inject(`${path}${path.includes("?") ? "&" : "?"}${span}`)).json();

  const before = await get("/api/v1/history?entity_id=sensor.power");
  assert.deepEqual(
    before.series.map((one: { current_entity_id: string; samples: unknown[] }) => [
      one.current_entity_id,
      one.samples.length,
    ]),
    [["sensor.power_old", 2]],
  );

  await home.applyRegistry("entity", [renamed, successor], T0 + 2 * HOUR);
  for (const name of ["sensor.power", "uuid2"]) {
    const { series } = await get(`/api/v1/history?entity_id=${name}`);
    const head = { entity_id: name, ...(name === "uuid2" ? { current_entity_id: "sensor.power" } : {}) };
    assert.deepEqual(series, [{ ...head, field: "state", unit: null, samples: [] }]);
  }
  const at = `at=${T0 / 1000}`;
  const { states } = (await api.inject(`/api/v1/states?${at}&entity_id=sensor.power,sensor.power_old`)).json();
  assert.deepEqual(
    states.map((state: { entity_id: string }) => state.entity_id),
    ["sensor.power_old"],
  );
  assert.equal((await api.inject(`/api/v1/states/sensor.power?${at}`)).statusCode, 404);
  const statistics = await get("/api/v1/statistics?device_id=spare");
  assert.deepEqual(statistics.series[0].buckets, []);
  const group = await get("/api/v1/statistics?device_id=spare&group_by=home&types=count&period=day");
  assert.equal(group.series[0].buckets[0].count, 0);
  assert.equal((await get("/api/v1/events/stats?device_id=spare")).total_events, 0);
  assert.equal((await get("/api/integrations/hue/performance")).total_events, 0);
  const reliability = await get("/api/devices/reliability");
  assert.equal(reliability.total_events_analyzed, 2);
  assert.deepEqual(
    reliability.reliability_data.map((row: { manufacturer: string }) => row.manufacturer),
    ["Acme"],
  );
});
