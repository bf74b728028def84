import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { GROUPINGS } from "../domain/home-store.ts";
import type { Value } from "../domain/sample.ts";
import { silentLog } from "../lib/log.ts";
import { openTestHome } from "../metadata/testing.ts";
import { apiOptions } from "../testing/api-doubles.ts";
import { openStore } from "../timeseries/store.ts";
import { createApi } from "./server.ts";

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
const T0 = Date.UTC(2026, 9, 12) * 1000;

interface Answer {
  readonly series: {
    readonly key: string | null;
    readonly name: string | null;
    readonly field: string;
    readonly unit: string | null;
    readonly buckets: { readonly start: number; readonly [figure: string]: unknown }[];
  }[];
  readonly warnings?: string[];
  readonly next_cursor: string | null;
  readonly message?: string;
}

/** The API on a real home and a real store. */
async function started(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "groups-test-"));
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
    log: silentLog(),
  });
  const { home } = await openTestHome(t);
  const place = () => ({ timeZone: "UTC", name: "Home" });
  const api = await createApi({ ...apiOptions(), samples: store, home, place });
  t.after(async () => {
    await api.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const get = async (query: string) => {
    const response = await api.inject(`/api/v1/statistics?${query}`);
    return { status: response.statusCode, body: response.json() as Answer };
  };
  const append = (
    subject: string,
    name: string,
    unit: string | null,
    samples: readonly (readonly [number, Value])[],
  ) => {
    const series = store.series({ measurement: "state", subject, field: "state" }, name, T0 - DAY);
    store.describe(series, { unit, deviceClass: null, stateClass: null }, T0);
    for (const [hours, value] of samples) store.append(series, T0 + hours * HOUR, value);
    return series;
  };
  return { store, home, get, append };
}

const span = (hours: number) => `start=${T0 / 1000}&end=${(T0 + hours * HOUR) / 1000}`;
const seconds = (hours: number): number => (T0 + hours * HOUR) / 1e6;

/** Two floors with three areas, two devices, and a home of three entities and one that was removed. */
async function furnished(t: TestContext) {
  const opened = await started(t);
  const { home, append } = opened;
  await home.applyRegistry(
    "floor",
    [
      { floor_id: "up", name: "Upstairs" },
      { floor_id: "down", name: "Downstairs" },
    ],
    T0,
  );
  const areas = [
    { area_id: "attic", name: "Attic", floor_id: "up" },
    { area_id: "bath", name: "bathroom", floor_id: "up" },
    { area_id: "hall", name: "Hall", floor_id: "down" },
  ];
  await home.applyRegistry("area", areas, T0);
  await home.applyRegistry(
    "label",
    [
      { label_id: "warm", name: "Warm" },
      { label_id: "cold", name: "Cold" },
    ],
    T0,
  );
  const devices = (areaOfHub: string, more = {}) => [
    { id: "hub", name: "Hub", manufacturer: "Acme", model: "One", area_id: areaOfHub, ...more },
    { id: "old", name_by_user: "An old one", manufacturer: "", area_id: "hall" },
  ];
  const entities = [
    { id: "e1", entity_id: "sensor.one", platform: "hue", device_id: "hub", labels: ["warm", "cold"] },
    { id: "e2", entity_id: "sensor.two", platform: "mqtt", device_id: "old", labels: ["warm"] },
    { id: "e3", entity_id: "light.three", platform: "hue" },
    { id: "e4", entity_id: "light.gone", platform: "mqtt", device_id: "old" },
  ];
  await home.applyRegistry("device", devices("attic"), T0);
  await home.applyRegistry("entity", entities, T0);
  await home.applyRegistry("entity", entities.slice(0, 3), T0 + HOUR);
  // The hub went from the attic to the bathroom at 10:20, and to the hall at 12:00.
  await home.applyRegistry("device", devices("bath", { modified_at: seconds(10 + 1 / 3) }), T0 + 11 * HOUR);
  await home.applyRegistry("device", devices("hall", { modified_at: seconds(12) }), T0 + 12.5 * HOUR);
  append("e1", "sensor.one", "°C", [
    [0, 10],
    [10.25, 20],
    [10.5, 40],
    [12, 50],
    [13, 60],
  ]);
  append("e2", "sensor.two", "°C", [[0, 20]]);
  append("e3", "light.three", null, [[0, "on"]]);
  append("e4", "light.gone", null, [[0.5, "off"]]);
  // Nobody knows this one.
  append("switch.stray", "switch.stray", null, [[1, "on"]]);
  return opened;
}

const EXPECTED: Readonly<
  Record<string, readonly (readonly [key: string | null, name: string | null, count: number])[]>
> = {
  area: [
    ["attic", "Attic", 2],
    ["bath", "bathroom", 1],
    ["hall", "Hall", 4],
    [null, null, 2],
  ],
  floor: [
    ["down", "Downstairs", 4],
    ["up", "Upstairs", 3],
    [null, null, 2],
  ],
  device: [
    ["old", "An old one", 2],
    ["hub", "Hub", 5],
    [null, null, 2],
  ],
  domain: [
    ["light", "light", 2],
    ["sensor", "sensor", 6],
    ["switch", "switch", 1],
  ],
  label: [
    ["cold", "Cold", 5],
    ["warm", "Warm", 6],
    [null, null, 3],
  ],
  integration: [
    ["hue", "hue", 6],
    ["mqtt", "mqtt", 2],
    [null, null, 1],
  ],
  manufacturer: [
    ["Acme", "Acme", 5],
    [null, null, 4],
  ],
  model: [
    ["One", "One", 5],
    [null, null, 4],
  ],
};

for (const by of GROUPINGS) {
  test(`GET /api/v1/statistics group_by=${by} has each entity where it belongs, or belonged`, async (t) => {
    const { get } = await furnished(t);
    const { status, body } = await get(`group_by=${by}&period=day&types=count&${span(24)}`);
    assert.equal(status, 200);
    const found = body.series.map(({ key, name, buckets }) => [key, name, buckets[0]!.count]);
    assert.deepEqual(found, EXPECTED[by]);
    const all = await get(`group_by=${by}&period=day&types=count,durations&${span(24)}`);
    assert.deepEqual(
      all.body.series.map(({ key, name, buckets }) => [key, name, buckets[0]!.count]),
      found,
    );
  });
}

test("GET /api/v1/statistics group_by=area weighs what was in force while it was there", async (t) => {
  const { get } = await furnished(t);
  const { body } = await get(`group_by=area&entity_id=sensor.one&period=hour&types=mean,count,change&${span(14)}`);
  const told = (key: string) =>
    body.series
      .find((group) => group.key === key)!
      .buckets.map(({ start, mean, count, change }) => [(start - T0 / 1000) / 3_600_000, mean, count, change]);
  assert.deepEqual(
    body.series.map(({ key, unit }) => [key, unit]),
    [
      ["attic", "°C"],
      ["bath", "°C"],
      ["hall", "°C"],
    ],
  );
  // From 10:00 to 10:20: 10 for 15 minutes, and 20 for 5.
  assert.deepEqual(told("attic").at(-1), [10, 12.5, 1, 10]);
  // To 11:00: 20 for 10 minutes more, and 40.
  assert.deepEqual(told("bath"), [
    [10, 35, 1, 20],
    [11, 40, 0, 0],
  ]);
  assert.deepEqual(told("hall"), [
    [12, 50, 1, 10],
    [13, 60, 1, 10],
  ]);
  const means = await get(`group_by=area&entity_id=sensor.one&period=hour&types=mean&${span(14)}`);
  assert.deepEqual(
    means.body.series.map(({ buckets }) => buckets.map(({ start, mean }) => [start, mean])),
    body.series.map(({ buckets }) => buckets.map(({ start, mean }) => [start, mean])),
  );
});

test("GET /api/v1/statistics group_by=floor takes no notice of a move upstairs", async (t) => {
  const { get } = await furnished(t);
  const { body } = await get(`group_by=floor&entity_id=sensor.one&period=day&types=count,mean&${span(24)}`);
  const mean = (10 * 10.25 + 20 * 0.25 + 40 * 1.5) / 12;
  assert.deepEqual(
    body.series.map(({ key, buckets }) => [key, buckets[0]!.count, Number((buckets[0]!.mean as number).toFixed(9))]),
    [
      ["down", 2, Number(((50 + 60 * 11) / 12).toFixed(9))],
      ["up", 3, Number(mean.toFixed(9))],
    ],
  );
});

test("GET /api/v1/statistics of areas names those alone in which an entity was in the span", async (t) => {
  const { get } = await furnished(t);
  const later = `start=${(T0 + 12 * HOUR) / 1000}&end=${(T0 + 14 * HOUR) / 1000}`;
  const { body } = await get(`group_by=area&entity_id=sensor.one&types=mean&${later}`);
  assert.deepEqual(
    body.series.map(({ key }) => key),
    ["hall"],
  );
  // Nothing is known of the time, but where it was is.
  const before = `start=${(T0 - 2 * DAY) / 1000}&end=${(T0 - DAY) / 1000}`;
  const { body: empty } = await get(`group_by=area&entity_id=sensor.one&types=mean&${before}`);
  assert.deepEqual(
    empty.series.map(({ key, buckets }) => [key, buckets]),
    [["attic", []]],
  );
});

test("GET /api/v1/statistics group_by adds up what filters choose, also what was removed", async (t) => {
  const { get } = await furnished(t);
  const { body } = await get(`group_by=integration&device_id=old&period=day&types=count&${span(24)}`);
  assert.deepEqual(
    body.series.map(({ key, buckets }) => [key, buckets[0]!.count]),
    [["mqtt", 2]],
  );
  const found = await get(`group_by=device&q=r.one&period=day&types=count&${span(24)}`);
  assert.deepEqual(
    found.body.series.map(({ key }) => key),
    ["hub"],
  );
});

test("GET /api/v1/statistics of groups follows a rename, and an entity that is asked for by an old name", async (t) => {
  const { home, store, get } = await furnished(t);
  await home.applyRegistry("entity", [{ id: "e1", entity_id: "number.uno", device_id: "hub" }], T0 + 20 * HOUR);
  store.rename("state", "e1", "number.uno", T0 + 20 * HOUR);
  for (const name of ["sensor.one", "number.uno", "e1"]) {
    const { body } = await get(`group_by=domain&entity_id=${name}&period=day&types=count&${span(24)}`);
    assert.deepEqual(
      body.series.map(({ key, buckets }) => [key, buckets[0]!.count]),
      [["number", 5]],
    );
  }
});

test("GET /api/v1/statistics of groups finds an entity whose series does not go by the registry's id", async (t) => {
  const { append, get } = await furnished(t);
  append("sensor.two", "sensor.two", null, [[2, 21]]);
  const { body } = await get(`group_by=device&period=day&types=count&${span(24)}`);
  assert.deepEqual(
    body.series.map(({ key, buckets }) => [key, buckets[0]!.count]),
    [
      ["old", 3],
      ["hub", 5],
      [null, 2],
    ],
  );
});

test("GET /api/v1/statistics says which groups mix units, where figures have one", async (t) => {
  const { append, home, get } = await furnished(t);
  append("e5", "sensor.power", "W", [[0, 100]]);
  await home.bulkUpsert("entity", [Buffer.from('[{"id": "e5", "entity_id": "sensor.power", "area_id": "attic"}]')]);
  const mixed = (groups: string) =>
    `Figures mix the units of members, in ${groups}: choose members of one unit, for example by "device_class"`;
  const { body } = await get(`group_by=area&period=day&types=mean&${span(24)}`);
  assert.deepEqual(body.warnings, [mixed("Attic")]);
  assert.deepEqual(
    body.series.map(({ key, unit }) => [key, unit]),
    [
      ["attic", null],
      ["bath", "°C"],
      ["hall", null],
      [null, null],
    ],
  );
  assert.deepEqual((await get(`group_by=home&period=day&types=mean&${span(24)}`)).body.warnings, [mixed("Home")]);
  for (const by of ["area", "home"]) {
    const counts = await get(`group_by=${by}&period=day&types=count,durations&${span(24)}`);
    assert.equal(counts.body.warnings, undefined);
  }
});

test("GET /api/v1/statistics of a group whose members spell their unit in two ways is in that unit", async (t) => {
  const { append, get } = await furnished(t);
  append("d1", "sensor.dust_1", "\u00b5g/m³", [[0, 10]]);
  append("d2", "sensor.dust_2", "\u03bcg/m³", [[0, 20]]);
  for (const by of ["domain", "home"]) {
    const { body } = await get(`group_by=${by}&entity_id=sensor.dust_1,sensor.dust_2&types=mean&${span(1)}`);
    assert.deepEqual([body.series[0]!.unit, body.warnings], ["\u03bcg/m³", undefined]);
  }
});

test("GET /api/v1/statistics of groups leaves out what would mix two units of a member, where it was then", async (t) => {
  const { store, append, get } = await furnished(t);
  const one = append("e1", "sensor.one", "°C", []);
  store.describe(one, { unit: "°F", deviceClass: null, stateClass: null }, T0 + 10.5 * HOUR);
  const { body } = await get(`group_by=area&entity_id=sensor.one&types=max,count&${span(11)}`);
  const at10 = body.series.map(({ key, buckets }) => {
    const { max, count } = buckets.find(({ start }) => start === (T0 + 10 * HOUR) / 1000)!;
    return [key, max, count];
  });
  assert.deepEqual(at10, [
    ["attic", 20, 1],
    ["bath", undefined, 1],
  ]);
  assert.equal(body.warnings!.length, 2);
  const means = await get(`group_by=area&entity_id=sensor.one&types=mean&${span(11)}`);
  assert.deepEqual(
    means.body.series.map(({ buckets }) => buckets.length),
    [11, 0],
  );
});

test("GET /api/v1/statistics pages by whole groups", async (t) => {
  const { get } = await furnished(t);
  const query = `group_by=domain&types=count&${span(3400)}`;
  const first = await get(query);
  assert.deepEqual(
    first.body.series.map(({ key }) => key),
    ["light", "sensor"],
  );
  const second = await get(`${query}&cursor=${first.body.next_cursor}`);
  assert.deepEqual(
    [second.body.series.map(({ key, buckets }) => [key, buckets[1]!.count]), second.body.next_cursor],
    [[["switch", 1]], null],
  );
  const areas = `group_by=area&types=count&${span(3400)}`;
  const found: (string | null)[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const { body } = await get(`${areas}${cursor === "" ? "" : `&cursor=${cursor}`}`);
    found.push(...body.series.map(({ key }) => key));
    assert.ok(body.series.every(({ buckets }) => buckets.some(({ count }) => (count as number) > 0)));
    cursor = body.next_cursor;
  }
  assert.deepEqual(found, ["attic", "bath", "hall", null]);
});

test("GET /api/v1/statistics refuses groups of what is no entity, and too many moves", async (t) => {
  const { home, store, append, get } = await furnished(t);
  store.append(store.series({ measurement: "cpu", subject: "host=a", field: "idle" }, null, T0), T0, 1);
  const { status, body } = await get(`group_by=area&measurement=cpu&subject=host%3Da&${span(24)}`);
  assert.deepEqual([status, body.message], [400, 'What is no entity has no area: of it, "group_by" can be home alone']);
  const rows = (area: string) =>
    Array.from({ length: 101 }, (_, i) => ({ id: `m${i}`, entity_id: `light.m${i}`, area_id: area }));
  for (const { id, entity_id } of rows("")) append(id, entity_id, null, [[0, "on"]]);
  for (let move = 0; move <= 100; move++) {
    await home.applyRegistry("entity", rows(`area_${move}`), T0 + 13 * HOUR + move * 1e6);
  }
  const moved = await get(`group_by=area&types=count&${span(24)}`);
  const state = "102 of the entities moved within the span, 10102 times together";
  const remedy = "choose fewer, a shorter span or longer periods";
  assert.deepEqual([moved.status, moved.body.message], [400, `Cannot add up so many parts: ${state}; ${remedy}`]);
  const few = await get(`group_by=area&types=count&period=day&entity_id=light.m1,light.m2&${span(24)}`);
  assert.deepEqual([few.status, few.body.series.length], [200, 101]);
});
