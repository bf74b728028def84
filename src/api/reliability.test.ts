import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Gap } from "../domain/gaps.ts";
import type { Value } from "../domain/sample.ts";
import { isoFromMicros } from "../lib/time.ts";
import { GAPS } from "../testing/api-doubles.ts";
import { startRecorded } from "../testing/recorded-api.ts";
import type { StoreOptions } from "../timeseries/store.ts";

const SECOND = 1_000_000;
const MINUTE = 60 * SECOND;
const HOUR = 60 * MINUTE;
/** 2026-10-20T00:00:00Z. */
const T0 = Date.UTC(2026, 9, 20) * 1000;

interface Row {
  readonly [name: string]: unknown;
  readonly device_count: number;
  readonly outages: number;
}

async function started(t: TestContext, gaps: readonly Gap[] = [], storing: Partial<StoreOptions> = {}) {
  const { api, store, home } = await startRecorded(t, { storing });
  for (const { id, downtime } of gaps) {
    const gap = store.gaps.open("crash", downtime!.start);
    store.gaps.update(gap.id, { state: "partial", end: downtime!.end, downtime, closedAt: downtime!.end });
    assert.ok(id > 0);
  }
  const get = async (path: string) => {
    const response = await api.inject(path);
    return { status: response.statusCode, body: response.json() };
  };
  /** [device, maker] and the entities of each, by the device's number. */
  const furnish = async (devices: readonly [id: string, maker: string | null, entities: readonly string[]][]) => {
    const rows = devices.map(([id, manufacturer]) => ({ id, manufacturer, model: "M", name: id }));
    await home.applyRegistry("device", rows, T0);
    const entities = devices.flatMap(([id, , list]) =>
      list.map((entityId) => ({ id: `id_of_${entityId}`, entity_id: entityId, device_id: id, platform: "hue" })),
    );
    await home.applyRegistry("entity", entities, T0);
  };
  /** [seconds after T0, value]. */
  const put = (entityId: string, samples: readonly (readonly [number, Value])[]): void => {
    const key = { measurement: "state", subject: `id_of_${entityId}`, field: "state" };
    const series = store.series(key, entityId, T0);
    for (const [seconds, value] of samples) store.append(series, T0 + seconds * SECOND, value);
  };
  return { store, get, furnish, put };
}

const span = (hours: number) => `start=${T0 / 1000}&end=${(T0 + hours * HOUR) / 1000}`;

test("GET /api/devices/reliability counts when all entities of a device were unavailable", async (t) => {
  const { get, furnish, put } = await started(t);
  await furnish([
    ["lamp", "Philips", ["light.a", "sensor.a_power"]],
    ["plug", "Philips", ["switch.b"]],
    ["hub", "Acme", ["sensor.c"]],
    ["nameless", null, ["sensor.d"]],
    ["blank", "", ["sensor.e"]],
    ["silent", "Quiet", ["sensor.never"]],
  ]);
  // Out together from 50 to 70 minutes, over a full hour's end, and from 180 to 300 minutes, through whole hours.
  put("light.a", [
    [0, "on"],
    [3000, "unavailable"],
    [4200, "on"],
    [9000, "unavailable"],
    [18_000, "on"],
  ]);
  put("sensor.a_power", [
    [0, 5],
    [1800, "unavailable"],
    [4500, 6],
    [10_800, "unavailable"],
    [18_000, 7],
  ]);
  // Out at the beginning, and at the end.
  put("switch.b", [
    [-60, "unavailable"],
    [600, "off"],
    [35_400, "unavailable"],
  ]);
  put("sensor.c", [
    [0, 1],
    [60, 2],
    [120, 3],
  ]);
  put("sensor.d", [
    [0, 1],
    [30, "unavailable"],
  ]);
  put("sensor.e", [[0, 1]]);
  const { body } = await get(`/api/devices/reliability?${span(10)}`);
  assert.deepEqual(
    { ...body, timestamp: null },
    {
      group_by: "manufacturer",
      start: "2026-10-20T00:00:00.000000Z",
      end: "2026-10-20T10:00:00.000000Z",
      total_events_in_period: 18,
      total_events_analyzed: 15,
      metadata_coverage_percentage: 83.33,
      reliability_data: [
        {
          manufacturer: "Philips",
          device_count: 2,
          entity_count: 3,
          event_count: 12,
          percentage: 80,
          // 20 and 120 minutes of one, 10 and 10 of the other, of 600 each.
          unavailable_percentage: 13.33,
          outages: 4,
          longest_outage_seconds: 7200,
          last_seen: "2026-10-20T09:50:00.000000Z",
        },
        {
          manufacturer: "Acme",
          device_count: 1,
          entity_count: 1,
          event_count: 3,
          percentage: 20,
          unavailable_percentage: 0,
          outages: 0,
          longest_outage_seconds: 0,
          last_seen: "2026-10-20T00:02:00.000000Z",
        },
      ],
      timestamp: null,
    },
  );
  const byModel = await get(`/api/devices/reliability?group_by=model&${span(10)}`);
  assert.deepEqual(
    byModel.body.reliability_data.map((row: Row) => [row.model, row.device_count]),
    [["M", 5]],
  );
  const performance = await get(`/api/integrations/hue/performance?${span(10)}`);
  assert.equal(performance.body.total_events, 18);
  assert.equal(performance.body.entity_count, 7);
  assert.equal(performance.body.events_per_minute, 0.03);
  // Minutes: 170 and 165 of the lamp's two, 20, 0, 599.5 and 0 of the others, of 3,600.
  assert.equal(performance.body.unavailable_percentage, 26.51);
});

test("outages end where nothing is known any more, and interruptions do not count", async (t) => {
  const downtime = { start: T0 + 2 * HOUR, end: T0 + 3 * HOUR };
  const { get, furnish, put, store } = await started(t, [{ ...GAPS[2]!, downtime }]);
  await furnish([["plug", "Philips", ["switch.b"]]]);
  put("switch.b", [
    [0, "on"],
    [5400, "unavailable"],
    [10_800, "unavailable"],
    [12_600, "off"],
  ]);
  await store.fold();
  const { body } = await get(`/api/devices/reliability?${span(4)}`);
  const [row] = body.reliability_data as Row[];
  // From 1:30 to 2:00 and from 3:00 to 3:30, of three hours.
  assert.deepEqual([row!.unavailable_percentage, row!.outages, row!.longest_outage_seconds], [33.33, 2, 1800]);
});

test("entities without a state neither keep a device available nor make it known", async (t) => {
  const { get, furnish, put } = await started(t);
  await furnish([["lamp", "Philips", ["light.a", "sensor.disabled", "sensor.enabled"]]]);
  put("light.a", [
    [1800, "on"],
    [7200, "unavailable"],
    [10_800, "on"],
  ]);
  // Gone before, and come after the outage; both out by themselves for a while.
  put("sensor.disabled", [
    [1800, 5],
    [5400, "unavailable"],
    [6000, null],
  ]);
  put("sensor.enabled", [
    [12_600, "unavailable"],
    [13_500, 6],
  ]);
  const { body } = await get(`/api/devices/reliability?${span(4)}`);
  const [row] = body.reliability_data as Row[];
  // From 2:00 to 3:00, of 3:30.
  assert.deepEqual(
    [row!.device_count, row!.entity_count, row!.unavailable_percentage, row!.outages, row!.longest_outage_seconds],
    [1, 3, 28.57, 1, 3600],
  );
});

test("nothing known is no availability", async (t) => {
  const { get, furnish, put } = await started(t);
  await furnish([["lamp", "Philips", ["light.a"]]]);
  put("light.a", [[12 * 3600, "on"]]);
  const performance = await get(`/api/integrations/hue/performance?${span(10)}`);
  assert.equal(performance.body.unavailable_percentage, null);
  assert.deepEqual((await get(`/api/devices/reliability?${span(10)}`)).body.reliability_data, []);
});

test("an outage in an hour of many texts counts", async (t) => {
  const { get, furnish, put, store } = await started(t);
  await furnish([["clock", "Philips", ["sensor.last_seen"]]]);
  // 20 seconds less than each of 50 other texts of the hour, which figures name 32 of.
  put("sensor.last_seen", [
    [0, "before"],
    ...Array.from({ length: 50 }, (_, i): [number, Value] => [3600 + i * 60, `text ${i}`]),
    [6600, "unavailable"],
    [6620, "after"],
  ]);
  await store.fold();
  const { body } = await get(`/api/devices/reliability?${span(3)}`);
  const [row] = body.reliability_data as Row[];
  assert.deepEqual([row!.outages, row!.longest_outage_seconds, row!.unavailable_percentage], [1, 20, 0.19]);
});

test("of days whose samples are dropped all is told but what hours do not say", async (t) => {
  const DAY = 24 * HOUR;
  const never = 1_000_000_000;
  const limits = () => ({ rawDays: 5, rollupDays: 0 });
  const { get, furnish, put, store } = await started(t, [], {
    now: () => T0 + 10 * DAY,
    archive: { hotDays: 1, firstMs: never },
    retention: { policy: { limits, blocked: () => null, budgetBytes: 0 }, firstMs: never, checkMs: never },
  });
  await furnish([["lamp", "Philips", ["light.a", "sensor.b"]]]);
  // By light.a alone for a part of an hour in which sensor.b is out throughout; by both for hours.
  put("light.a", [
    [0, "on"],
    [5 * 3600, "unavailable"],
    [7 * 3600, "off"],
    [8 * 3600 + 60, "unavailable"],
    [8 * 3600 + 120, "on"],
    [9 * 3600 + 60, "unavailable"],
    [9 * 3600 + 120, "on"],
  ]);
  put("sensor.b", [
    [0, 1],
    [4 * 3600, "unavailable"],
    [9 * 3600, 2],
  ]);
  // A day is believed to be past when others have come since.
  put(
    "sensor.other",
    Array.from({ length: 8 }, (_, day) => [(3 + day) * 86_400 - 1, day]),
  );
  await store.fold();
  await store.rollUp();
  await store.seal();
  assert.ok((await store.retain({ dryRun: false })).rows >= 10);

  const { body } = await get(`/api/devices/reliability?start=${T0 / 1000 + 1_800_000}&end=${(T0 + 10 * HOUR) / 1000}`);
  const [row] = body.reliability_data as Row[];

  // The half of an hour at the beginning is not known, nor is when light.a was out from 8:00 to 9:00, and in the next
  // hour, when sensor.b was available.
  assert.deepEqual(
    [body.total_events_in_period, row!.outages, row!.longest_outage_seconds, row!.unavailable_percentage],
    [8, 1, 7200, 25],
  );
  assert.equal(body.warnings.length, 2);
  assert.match(
    body.warnings[1],
    /^2 hours of entities are left out: the samples that would say when they were unavailable/,
  );
});

for (const { of, from, to, changes } of [
  { of: "hours", from: 0, to: 5 * 3600, changes: 40 },
  { of: "days", from: 50_000, to: 6 * 86_400 - 7_777, changes: 12 },
]) {
  test(`reliability of ${of} is what a look at every second says`, async (t) => {
    const never = 1_000_000_000;
    const { get, furnish, put, store } = await started(t, [], {
      now: () => T0 + 240 * HOUR,
      archive: { hotDays: 1, firstMs: never },
    });
    let state = 7;
    const random = (below: number): number => {
      state = (state * 16_807) % 2_147_483_647;
      return state % below;
    };
    const devices = Array.from({ length: 6 }, (_, d): [string, string, string[]] => [
      `d${d}`,
      `maker${d % 3}`,
      Array.from({ length: 1 + (d % 3) }, (_, e) => `sensor.d${d}_${e}`),
    ]);
    await furnish(devices);
    const unavailableAt = new Map<string, Uint8Array>();
    for (const entityId of devices.flatMap(([, , entities]) => entities)) {
      const times = [...new Set([0, ...Array.from({ length: changes }, () => random(to))])].sort((a, b) => a - b);
      const samples = times.map((at, i): [number, Value] => [
        at,
        i % 2 === 1 ? "unavailable" : ["on", 3, "x"][random(3)]!,
      ]);
      put(entityId, samples);
      const out = new Uint8Array(to);
      for (const [i, [at, value]] of samples.entries()) {
        if (value === "unavailable") out.fill(1, at, samples[i + 1]?.[0] ?? to);
      }
      unavailableAt.set(entityId, out);
    }
    await store.fold();
    await store.rollUp();
    await store.seal();
    const milliseconds = (second: number): number => T0 / 1000 + second * 1000;
    const { body } = await get(`/api/devices/reliability?start=${milliseconds(from)}&end=${milliseconds(to)}`);
    for (const row of body.reliability_data as Row[]) {
      let [out, outages, longest] = [0, 0, 0];
      const own = devices.filter(([, maker]) => maker === row.manufacturer);
      for (const [, , entities] of own) {
        let run = 0;
        for (let second = from; second < to; second++) {
          const isOut = entities.every((entityId) => unavailableAt.get(entityId)![second] === 1);
          if (isOut && run === 0) outages++;
          run = isOut ? run + 1 : 0;
          out += isOut ? 1 : 0;
          longest = Math.max(longest, run);
        }
      }
      assert.deepEqual(
        [row.unavailable_percentage, row.outages, row.longest_outage_seconds],
        [Math.round((out / ((to - from) * own.length)) * 10_000) / 100, outages, longest],
        String(row.manufacturer),
      );
    }
    assert.equal(body.reliability_data.length, 3);
    assert.equal(body.warnings, undefined);
  });
}

const REFUSED: readonly [path: string, status: number, message: RegExp][] = [
  ["/api/devices/reliability?group_by=area", 400, /group_by/],
  ["/api/devices/reliability?period=7d&start=1", 400, /Give either "period" or "start"/],
  [`/api/devices/reliability?start=${isoFromMicros(T0)}&end=${isoFromMicros(T0 + 32 * 24 * HOUR)}`, 400, /31 days/],
  ["/api/devices/reliability?start=4000000000000&end=4000000000001", 400, /lies in the future/],
  ["/api/integrations/nothing/performance", 404, /Cannot find integration "nothing"/],
];
for (const [path, status, message] of REFUSED) {
  test(`GET ${path} is ${status}`, async (t) => {
    const { get } = await started(t);
    const answer = await get(path);
    assert.equal(answer.status, status);
    assert.match(answer.body.message, message);
  });
}
