import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { SeriesNumber } from "../domain/series.ts";
import { silentLog } from "../lib/log.ts";
import { apiOptions, entityRow } from "../testing/api-doubles.ts";
import { startRecorded } from "../testing/recorded-api.ts";
import { openStore, type Store } from "../timeseries/store.ts";
import { createApi } from "./server.ts";

const HOUR = 3_600_000_000;
/** Midnight in Amsterdam, of the day of 25 hours in 2026. */
const T0 = Date.UTC(2026, 9, 24, 22) * 1000;

interface Bucket {
  readonly start: number;
  readonly end: number;
  readonly [figure: string]: unknown;
}

interface Answer {
  readonly period: string;
  readonly time_zone: string;
  readonly series: {
    readonly entity_id?: string;
    readonly key?: string;
    readonly name?: string;
    readonly field: string;
    readonly unit: string | null;
    readonly buckets: Bucket[];
  }[];
  readonly warnings?: string[];
  readonly next_cursor: string | null;
  readonly code?: string;
  readonly message?: string;
}

function series(store: Store, entityId: string, field = "state", unit: string | null = null): SeriesNumber {
  const number = store.series({ measurement: "state", subject: `id_of_${entityId}`, field }, entityId, T0);
  store.describe(number, { unit, deviceClass: null, stateClass: null }, T0);
  return number;
}

async function started(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "statistics-test-"));
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
    log: silentLog(),
    timeZone: () => "Europe/Amsterdam",
  });
  const options = { ...apiOptions(), samples: store };
  const api = await createApi(options);
  t.after(async () => {
    await api.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const ask = async (url: string) => {
    const response = await api.inject(url);
    return { status: response.statusCode, body: response.json() as Answer };
  };
  const get = (query: string) => ask(`/api/v1/statistics?${query}`);
  return { store, home: options.home, ask, get };
}

const span = (hours: number) => `start=${T0 / 1000}&end=${(T0 + hours * HOUR) / 1000}`;

test("GET /api/v1/statistics answers the worked example of docs/statistics.md", async (t) => {
  const { store, get } = await started(t);
  const hall = series(store, "sensor.hall", "state", "°C");
  const samples = [
    [-10, 20],
    [15, 22],
    [30, "unavailable"],
    [45, 21],
  ] as const;
  for (const [minutes, value] of samples) store.append(hall, T0 + (minutes * HOUR) / 60, value);
  const { status, body } = await get(`entity_id=sensor.hall&period=hour&${span(1)}`);
  assert.equal(status, 200);
  assert.deepEqual(body, {
    period: "hour",
    time_zone: "Europe/Amsterdam",
    series: [
      {
        entity_id: "sensor.hall",
        field: "state",
        unit: "°C",
        buckets: [
          {
            start: T0 / 1000,
            end: (T0 + HOUR) / 1000,
            mean: 21,
            min: 20,
            max: 22,
            first: 20,
            last: 21,
            count: 3,
            sum: 43,
            change: 1,
            durations: { unavailable: 900 },
          },
        ],
      },
    ],
    next_cursor: null,
  });
});

/** A meter in kWh that is in Wh, or in other units, since 15 minutes past the second hour. */
function changedMeter(store: Store, name: string, [before, after] = ["kWh", "Wh"]): void {
  const meter = store.series({ measurement: "state", subject: `id_of_${name}`, field: "state" }, name, T0);
  const traits = { deviceClass: "energy", stateClass: "total_increasing" };
  const readings = [
    [0, 1000],
    [0.5, 1002.66],
    [1.25, 1_002_660],
    [1.5, 1_003_000],
    [2.5, 1_004_000],
  ] as const;
  for (const [hours, value] of readings) store.append(meter, T0 + hours * HOUR, value);
  store.describe(meter, { ...traits, unit: before! }, T0);
  store.describe(meter, { ...traits, unit: after! }, T0 + 1.25 * HOUR);
}

const FORMER = "figures before 2026-10-24T23:15:00.000000Z are in kWh, not in Wh";
const MIXED = "Of buckets in which a unit changed only count and durations are told: other figures would mix two units";

test("GET /api/v1/statistics leaves out what would mix two units, and says which figures are in the former one", async (t) => {
  const { store, get } = await started(t);
  changedMeter(store, "sensor.meter");
  const { body } = await get(`entity_id=sensor.meter&period=hour&types=change,max,count&${span(3)}`);
  const [before, mixed, after] = body.series[0]!.buckets;
  assert.ok(Math.abs((before!.change as number) - 2.66) < 1e-9);
  assert.equal(before!.max, 1002.66);
  assert.deepEqual(mixed, { start: T0 / 1000 + 3_600_000, end: T0 / 1000 + 7_200_000, count: 2 });
  assert.deepEqual([after!.change, after!.max, after!.count], [1000, 1_004_000, 1]);
  assert.deepEqual(body.warnings, [`sensor.meter: ${FORMER}`, MIXED]);
});

test("GET /api/v1/statistics goes on where a unit was only spelled anew, as Home Assistant did with the micro sign", async (t) => {
  const { store, get } = await started(t);
  changedMeter(store, "sensor.dust", ["\u00b5g/m³", "\u03bcg/m³"]);
  for (const query of ["entity_id=sensor.dust", "group_by=home&entity_id=sensor.dust"]) {
    const { body } = await get(`${query}&period=hour&types=max,count&${span(3)}`);
    assert.deepEqual(
      body.series[0]!.buckets.map(({ max }) => max),
      [1002.66, 1_003_000, 1_004_000],
    );
    assert.equal(body.warnings, undefined);
  }
});

test("GET /api/v1/statistics of one figure alone leaves it out where two units would mix, but counts", async (t) => {
  const { store, get } = await started(t);
  changedMeter(store, "sensor.meter");
  const starts = async (types: string) => {
    const { body } = await get(`entity_id=sensor.meter&period=hour&types=${types}&${span(3)}`);
    return [body.series[0]!.buckets.map(({ start }) => (start - T0 / 1000) / 3_600_000), body.warnings];
  };
  assert.deepEqual(await starts("mean"), [
    [0, 2],
    [`sensor.meter: ${FORMER}`, MIXED],
  ]);
  assert.deepEqual(await starts("count"), [[0, 1, 2], undefined]);
  assert.deepEqual(await starts("count,durations"), [[0, 1, 2], undefined]);
});

test("GET /api/v1/statistics after a unit changed is as if it never had", async (t) => {
  const { store, get } = await started(t);
  changedMeter(store, "sensor.meter");
  const later = `start=${T0 / 1000 + 7_200_000}&end=${T0 / 1000 + 10_800_000}`;
  const { body } = await get(`entity_id=sensor.meter&period=hour&types=change&${later}`);
  assert.deepEqual([body.series[0]!.buckets[0]!.change, body.warnings], [1000, undefined]);
});

test("GET /api/v1/statistics of a group warns of members whose unit changed, and leaves out what would mix", async (t) => {
  const { store, get } = await started(t);
  changedMeter(store, "sensor.meter");
  const other = series(store, "sensor.other", "state", "Wh");
  for (let hour = 0; hour < 3; hour++) store.append(other, T0 + hour * HOUR, hour);
  const { body } = await get(`group_by=home&period=hour&types=change,count&${span(3)}`);
  assert.deepEqual(
    body.series[0]!.buckets.map(({ change, count }) => [typeof change, count]),
    [
      ["number", 3],
      ["undefined", 3],
      ["number", 2],
    ],
  );
  assert.deepEqual(body.warnings, [`sensor.meter: ${FORMER}`, MIXED]);
  const means = await get(`group_by=home&period=hour&types=mean&${span(3)}`);
  assert.equal(means.body.series[0]!.buckets.length, 2);
  const counts = await get(`group_by=home&period=hour&types=count&${span(3)}`);
  assert.deepEqual([counts.body.series[0]!.buckets.length, counts.body.warnings], [3, undefined]);
});

test("GET /api/v1/statistics leaves out the bucket that begins with another unit, not the one before", async (t) => {
  const { store, get } = await started(t);
  const hall = series(store, "sensor.hall", "state", "°C");
  for (const [hours, value] of [
    [0.5, 20],
    [1, 68],
    [2, 69],
  ] as const)
    store.append(hall, T0 + hours * HOUR, value);
  store.describe(hall, { unit: "°F", deviceClass: null, stateClass: null }, T0 + HOUR);
  const { body } = await get(`entity_id=sensor.hall&period=hour&types=last&${span(3)}`);
  assert.deepEqual(
    body.series[0]!.buckets.map(({ last }) => last),
    [20, undefined, 69],
  );
});

test("GET /api/v1/statistics leaves out a figure that is larger than a number can be", async (t) => {
  const { store, get } = await started(t);
  const hall = series(store, "sensor.hall", "state", null);
  for (const minutes of [0, 30]) store.append(hall, T0 + (minutes * HOUR) / 60, 1.7e308);
  const { body } = await get(`entity_id=sensor.hall&period=hour&${span(1)}&types=mean,max,sum`);
  assert.deepEqual(body.series[0]!.buckets, [{ start: T0 / 1000, end: (T0 + HOUR) / 1000, max: 1.7e308 }]);
  assert.deepEqual((await get(`entity_id=sensor.hall&period=hour&${span(1)}&types=mean`)).body.series[0]!.buckets, []);
});

test("GET /api/v1/statistics cuts days in the home's time zone: one of 25 hours", async (t) => {
  const { store, get } = await started(t);
  const hall = series(store, "sensor.hall");
  for (let hour = 0; hour < 49; hour++) store.append(hall, T0 + hour * HOUR, hour);
  const { body } = await get(`entity_id=sensor.hall&period=day&types=count,last&${span(49)}`);
  assert.deepEqual(
    body.series[0]!.buckets.map(({ start, end, count, last }) => [(end - start) / 3_600_000, count, last]),
    [
      [25, 25, 24],
      [24, 24, 48],
    ],
  );
});

test("GET /api/v1/statistics takes whole periods around the span", async (t) => {
  const { store, get } = await started(t);
  store.append(series(store, "sensor.hall"), T0, 1);
  const half = `start=${(T0 + HOUR / 2) / 1000}&end=${(T0 + 1.5 * HOUR) / 1000}`;
  const { body } = await get(`entity_id=sensor.hall&types=mean&${half}`);
  assert.deepEqual(
    body.series[0]!.buckets.map(({ start, end }) => [start, end]),
    [
      [T0 / 1000, (T0 + HOUR) / 1000],
      [(T0 + HOUR) / 1000, (T0 + 2 * HOUR) / 1000],
    ],
  );
});

const POINTS = [
  { points: 12, hours: 1, period: "5minute" },
  { points: 11, hours: 1, period: "hour" },
  { points: 48, hours: 48, period: "hour" },
  { points: 47, hours: 48, period: "day" },
  { points: 6, hours: 24 * 30, period: "week" },
  { points: 5, hours: 24 * 30, period: "month" },
];
for (const { points, hours, period } of POINTS) {
  test(`GET /api/v1/statistics points=${points} over ${hours} hours picks ${period}`, async (t) => {
    const { store, get } = await started(t);
    store.append(series(store, "sensor.hall"), T0, 1);
    const { body } = await get(`entity_id=sensor.hall&points=${points}&${span(hours)}`);
    assert.equal(body.period, period);
    assert.ok(body.series[0]!.buckets.length <= points);
  });
}

test("GET /api/v1/statistics group_by=home counts every sample of every entity", async (t) => {
  const { store, get } = await started(t);
  const [hall, gone] = [series(store, "sensor.hall"), series(store, "sensor.gone")];
  for (let i = 0; i < 10; i++) store.append(hall, T0 + i * HOUR, i);
  for (let i = 0; i < 5; i++) store.append(gone, T0 + i * HOUR, "on");
  store.append(series(store, "sensor.hall", "battery"), T0, 100);
  store.release("state", "id_of_sensor.gone", T0 + 6 * HOUR);
  const states = await get(`group_by=home&period=day&types=count&${span(49)}`);
  const expected = { key: "home", name: "Home", field: "state", unit: null };
  const { buckets, ...rest } = states.body.series[0]!;
  assert.deepEqual(rest, expected);
  assert.deepEqual(
    buckets.map(({ count }) => count),
    [15, 0],
  );
  const all = await get(`group_by=home&period=day&types=count&fields=*&${span(25)}`);
  assert.equal(all.body.series[0]!.buckets[0]!.count, 16);
  for (const [field, value] of [
    ["idle", 99],
    ["usage", 1],
  ] as const) {
    store.append(store.series({ measurement: "cpu", subject: "host=a", field }, null, T0), T0, value);
  }
  const cpu = "measurement=cpu&subject=host%3Da&group_by=home";
  const fields = await Promise.all(
    ["", "&fields=idle"].map(async (more) => (await get(`${cpu}${more}&${span(1)}`)).body.series[0]),
  );
  assert.deepEqual(
    fields.map((group) => [group!.field, group!.buckets[0]!.count]),
    [
      ["*", 2],
      ["idle", 1],
    ],
  );
});

test("GET /api/v1/statistics chooses by the filters of /api/entities", async (t) => {
  const { store, home, get } = await started(t);
  for (const name of ["light.hall", "light.kitchen", "sensor.hall"]) {
    store.append(series(store, name), T0, name === "sensor.hall" ? 1 : "on");
  }
  const { body } = await get(`area_id=living_room&domain=light,switch&types=durations&${span(1)}`);
  const filter = home.asked.at(-1) as { areaId?: string; domains?: string[]; includeRemoved?: boolean };
  assert.deepEqual([filter.areaId, filter.domains, filter.includeRemoved], ["living_room", ["light", "switch"], false]);
  assert.deepEqual(
    body.series.map(({ entity_id, buckets }) => [entity_id, buckets[0]!.durations]),
    [
      ["light.hall", { on: 3600 }],
      ["light.kitchen", { on: 3600 }],
      ["sensor.hall", undefined],
    ],
  );
});

test("GET /api/v1/statistics of a group goes on to count what was removed", async (t) => {
  const { store, home, get } = await started(t);
  for (const name of ["light.hall", "sensor.hall"]) store.append(series(store, name), T0, 1);
  const removedId = "id_of_light.hall";
  store.release("state", removedId, T0 + HOUR);
  // Its name has gone to another.
  const key = { measurement: "state", subject: "new_light", field: "state" };
  store.append(store.series(key, "light.hall", T0 + 2 * HOUR), T0 + 2 * HOUR, 1);
  home.entityRows.clear();
  home.entityRows.set("light.hall", entityRow("light.hall", { id: "new_light" }));
  home.entityRows.set("sensor.hall", entityRow("sensor.hall"));
  const removed = { id: removedId, removed_at: "2026-11-24T12:00:00.000000Z" };
  home.entityRows.set(removedId, entityRow("light.hall", removed));
  const { body } = await get(`group_by=home&area_id=living_room&types=count&${span(3)}`);
  assert.equal((home.asked.at(-1) as { includeRemoved?: boolean }).includeRemoved, true);
  assert.deepEqual(
    body.series[0]!.buckets.map(({ count }) => count),
    [2, 0, 1],
  );
});

test("GET /api/v1/statistics pages by whole series", async (t) => {
  const { store, get } = await started(t);
  const fields = ["state", "a", "b", "c"];
  for (const field of fields) store.append(series(store, "sensor.hall", field), T0, 1);
  const query = `entity_id=sensor.hall&fields=*&types=count&${span(3400)}`;
  const found: string[] = [];
  let cursor: string | null = null;
  let pages = 0;
  do {
    const { status, body } = await get(`${query}${cursor === null ? "" : `&cursor=${cursor}`}`);
    assert.equal(status, 200);
    found.push(...body.series.map(({ field }) => field));
    cursor = body.next_cursor;
    pages++;
  } while (cursor !== null);
  assert.deepEqual([pages, found], [2, ["state", "a", "b", "c"]]);
});

test("GET /api/v1/statistics and /api/v1/history refuse each other's cursors", async (t) => {
  const { store, get, ask } = await started(t);
  for (const field of ["state", "a", "b", "c"]) store.append(series(store, "sensor.hall", field), T0, 1);
  const query = `entity_id=sensor.hall&fields=*&${span(3400)}`;
  const history = await ask(`/api/v1/history?${query}&limit=1`);
  const statistics = await get(query);
  for (const [path, { body }] of [
    ["statistics", history],
    ["history", statistics],
  ] as const) {
    assert.ok(body.next_cursor !== null);
    const { status, body: refusal } = await ask(`/api/v1/${path}?${query}&cursor=${body.next_cursor}`);
    assert.deepEqual([status, refusal.code], [400, "invalid"], path);
  }
});

test("GET /api/v1/statistics cannot go on where the series of a cursor is gone, as /openapi.json says", async (t) => {
  const { api, home } = await startRecorded(t);
  const rows = ["a", "b"].map((name) => ({ id: `id_of_${name}`, entity_id: `light.${name}` }));
  await home.applyRegistry("entity", rows, T0);
  const query = `/api/v1/statistics?domain=light&${span(6000)}`;
  const { next_cursor } = (await api.inject(query)).json<Answer>();
  assert.equal((await api.inject(`${query}&cursor=${next_cursor}`)).statusCode, 200);
  await home.applyRegistry("entity", rows.slice(0, 1), T0 + HOUR);
  const { statusCode, body } = await api.inject(`${query}&cursor=${next_cursor}`);
  assert.deepEqual([statusCode, JSON.parse(body).code], [409, "conflict"]);
  const document = (await api.inject("/openapi.json")).json();
  assert.ok(Object.hasOwn(document.paths["/api/v1/statistics"].get.responses, statusCode));
});

const REFUSED = [
  { query: "entity_id=sensor.hall&period=minute", names: /"period" must be of 5minute, hour, day, week, month/ },
  { query: "entity_id=sensor.hall&types=median", names: /"types" must be of mean, .*"median"/ },
  { query: "entity_id=sensor.hall&group_by=planet", names: /"group_by" must be of home/ },
  { query: "entity_id=sensor.hall&period=day&points=5", names: /either "period" or "points"/ },
  { query: "entity_id=sensor.hall&start=0&end=4000000000000", names: /more than 10000 buckets of period "hour"/ },
  { query: "entity_id=sensor.hall&start=-62135596800000&end=253402300799000&period=5minute", names: /10000 buckets/ },
  { query: "entity_id=sensor.hall&points=2&start=0&end=4000000000000", names: /more than 2 buckets of period "month"/ },
  { query: "entity_id=sensor.hall&domain=light", names: /either "entity_id" or filters such as "domain"/ },
  { query: "", names: /^Say what to read: "entity_id", .*"subject", filters such as "domain", or "group_by"/ },
  { query: "measurement=weather", names: /^Say what to read: "entity_id", or "measurement" and "subject"$/ },
  { query: "entity_id=,", names: /"entity_id" names no entity/ },
  { query: "entity_id=sensor.hall&start=2026-11-24&end=now", names: /"end" must be ISO 8601/ },
];
for (const { query, names } of REFUSED) {
  test(`GET /api/v1/statistics?${query} is refused with the reason`, async (t) => {
    const { store, get } = await started(t);
    series(store, "sensor.hall");
    const { status, body } = await get(query);
    assert.equal(status, 400);
    assert.match(body.message ?? "", names);
  });
}

test("GET /api/v1/statistics of an unknown entity is 404", async (t) => {
  const { get } = await started(t);
  const { status, body } = await get("entity_id=sensor.none");
  assert.deepEqual([status, body.message], [404, 'Cannot find entity "sensor.none"']);
});
