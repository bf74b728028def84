import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../domain/sample.ts";
import { apiOptions, entityRow } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

const T0 = 1795518243577164;
const START = "1795518243577.164";
const END = "1795518253577.164";

interface Answer {
  readonly series: {
    readonly entity_id?: string;
    readonly current_entity_id?: string;
    readonly field: string;
    readonly unit: string | null;
    readonly former_units?: { readonly until: number; readonly unit: string }[];
    readonly samples: [number, Value][];
  }[];
  readonly warnings?: readonly string[];
  readonly next_cursor: string | null;
  readonly code?: string;
  readonly message?: string;
}

async function started(t: { after(end: () => unknown): void }) {
  const options = apiOptions();
  const api = await createApi(options);
  t.after(() => api.close());
  const get = async (query: string) => {
    const response = await api.inject(`/api/v1/history?${query}`);
    return { status: response.statusCode, body: response.json() as Answer };
  };
  return { ...options, get };
}

/** One sample a second, from T0 on. */
const seconds = (values: readonly Value[]): [Micros, Value][] => values.map((value, i) => [T0 + i * 1_000_000, value]);

test("GET /api/v1/history answers samples in epoch milliseconds with fraction, unit and values as they are", async (t) => {
  const { samples, get } = await started(t);
  samples.add("sensor.hall", "state", "°C", seconds([21.5, "unavailable", null, "", 'a"b', 1e-7, "007"]));
  const { status, body } = await get(`entity_id=sensor.hall&start=${START}&end=${END}`);
  assert.equal(status, 200);
  const values = [21.5, "unavailable", null, "", 'a"b', 1e-7, "007"];
  const expected = values.map((value, i) => [(T0 + i * 1_000_000) / 1000, value]);
  assert.deepEqual(body, {
    series: [{ entity_id: "sensor.hall", field: "state", unit: "°C", samples: expected }],
    next_cursor: null,
  });
});

/** T0 and so many seconds after it, as parameters, answers and sentences have them. */
const millis = (second: number): number => (T0 + second * 1_000_000) / 1000;
const SECONDS = ["2026-11-24T11:04:03.577164Z", "2026-11-24T11:04:04.577164Z", "2026-11-24T11:04:05.577164Z"];

const UNIT_CASES: readonly { name: string; query: string; former: [number, string][]; warnings: string[] }[] = [
  {
    name: "tells which samples are in a former unit",
    query: `start=${millis(0)}&end=${millis(9)}`,
    former: [
      [1, "°C"],
      [2, "°F"],
    ],
    warnings: [
      `sensor.hall: samples before ${SECONDS[1]} are in °C, not in K`,
      `sensor.hall: samples from ${SECONDS[1]} to ${SECONDS[2]} are in °F, not in K`,
    ],
  },
  {
    name: "tells it of the samples in the answer alone",
    query: `start=${millis(1)}&end=${millis(9)}`,
    former: [[2, "°F"]],
    warnings: [`sensor.hall: samples from ${SECONDS[1]} to ${SECONDS[2]} are in °F, not in K`],
  },
  {
    name: "tells it of a page",
    query: `start=${millis(0)}&end=${millis(9)}&limit=1`,
    former: [[1, "°C"]],
    warnings: [`sensor.hall: samples before ${SECONDS[1]} are in °C, not in K`],
  },
  {
    name: "tells it of what is thinned out",
    query: `start=${millis(1)}&end=${millis(9)}&points=10`,
    former: [[2, "°F"]],
    warnings: [`sensor.hall: samples from ${SECONDS[1]} to ${SECONDS[2]} are in °F, not in K`],
  },
  {
    name: "tells it of what was in force at the start",
    query: `start=${millis(1.5)}&end=${millis(9)}&include_start=true`,
    former: [[2, "°F"]],
    warnings: [`sensor.hall: samples from ${SECONDS[1]} to ${SECONDS[2]} are in °F, not in K`],
  },
  {
    name: "tells nothing after the last change",
    query: `start=${millis(2)}&end=${millis(9)}`,
    former: [],
    warnings: [],
  },
];

for (const { name, query, former, warnings } of UNIT_CASES) {
  test(`GET /api/v1/history ${name}`, async (t) => {
    const { samples, get } = await started(t);
    samples.add("sensor.hall", "state", "K", seconds([15.6, 60.08, 288.75, 288.8]), [
      { until: T0 + 1_000_000, unit: "°C" },
      { until: T0 + 2_000_000, unit: "°F" },
    ]);
    const { body } = await get(`entity_id=sensor.hall&${query}`);
    const expected = former.map(([second, unit]) => ({ until: millis(second), unit }));
    assert.deepEqual(body.series[0]!.former_units, former.length === 0 ? undefined : expected);
    assert.equal(body.series[0]!.unit, "K");
    assert.deepEqual(body.warnings, warnings.length === 0 ? undefined : warnings);
  });
}

test("GET /api/v1/history takes another spelling of a unit for the same one", async (t) => {
  const { samples, get } = await started(t);
  const [micro, mu] = ["\u00b5g/m³", "\u03bcg/m³"];
  const each = seconds([400, 0.4, 12, 13, 14]);
  samples.add("sensor.dust", "state", mu, each, [{ until: T0 + 2_000_000, unit: micro }]);
  samples.add("sensor.air", "state", "ppm", each, [
    { until: T0 + 1_000_000, unit: micro },
    { until: T0 + 2_000_000, unit: mu },
  ]);
  const { body } = await get(`entity_id=sensor.dust,sensor.air&start=${START}&end=${END}`);
  const [dust, air] = body.series;
  assert.deepEqual([dust!.unit, dust!.former_units], [mu, undefined]);
  assert.deepEqual(air!.former_units, [{ until: millis(2), unit: mu }]);
  assert.deepEqual(body.warnings, [`sensor.air: samples before ${SECONDS[2]} are in ${mu}, not in ppm`]);
});

test("GET /api/v1/history does not warn of a former unit that is the present one again, and counts what is too much", async (t) => {
  const { samples, get } = await started(t);
  const former = Array.from({ length: 98 }, (_, i) => ({ until: T0 + (i + 1) * 1000, unit: i % 2 ? "kW" : "W" }));
  const each = Array.from({ length: 100 }, (_, i): [Micros, Value] => [T0 + i * 1000, i]);
  for (const name of ["sensor.a", "sensor.b"]) samples.add(name, "state", "W", each, former);
  const { body } = await get(`entity_id=sensor.a,sensor.b&start=${START}&end=${END}`);
  assert.equal(body.series[0]!.former_units!.length, 98);
  assert.equal(body.warnings!.length, 51);
  assert.match(body.warnings![0]!, /^sensor.a: samples from .* to .* are in kW, not in W$/);
  assert.equal(body.warnings![50], "48 more times in former units are not told here");
});

test("GET /api/v1/history is half-open", async (t) => {
  const { samples, get } = await started(t);
  samples.add("sensor.hall", "state", null, seconds([1, 2, 3]));
  const { body } = await get(`entity_id=sensor.hall&start=${START}&end=${(T0 + 2_000_000) / 1000}`);
  assert.deepEqual(
    body.series[0]!.samples.map(([, value]) => value),
    [1, 2],
  );
});

test("GET /api/v1/history include_start gives the value in force, with its own time", async (t) => {
  const { samples, get } = await started(t);
  samples.add("sensor.hall", "state", null, seconds([1, 2, 3]));
  const start = (T0 + 1_500_000) / 1000;
  const { body } = await get(`entity_id=sensor.hall&start=${start}&end=${END}&include_start=true`);
  assert.deepEqual(body.series[0]!.samples, [
    [(T0 + 1_000_000) / 1000, 2],
    [(T0 + 2_000_000) / 1000, 3],
  ]);
  const without = await get(`entity_id=sensor.hall&start=${start}&end=${END}`);
  assert.equal(without.body.series[0]!.samples.length, 1);
});

for (const more of ["", "&points=5", "&limit=1"])
  test(`GET /api/v1/history include_start gives no earlier sample where one comes exactly at start${more}`, async (t) => {
    const { samples, get } = await started(t);
    samples.add("sensor.hall", "state", null, seconds([1, 2]));
    const start = (T0 + 1_000_000) / 1000;
    const { body } = await get(`entity_id=sensor.hall&start=${start}&end=${END}&include_start=true${more}`);
    assert.deepEqual([body.series[0]!.samples, body.next_cursor], [[[start, 2]], null]);
  });

test("GET /api/v1/history keeps the order of entities and fields, and each entity once", async (t) => {
  const { samples, get } = await started(t);
  for (const entity of ["light.hall", "light.kitchen"]) {
    for (const field of ["state", "brightness", "color_temp"]) samples.add(entity, field, null, seconds([1]));
  }
  const span = `&start=${START}&end=${END}`;
  const shape = async (query: string) => {
    const { body } = await get(query + span);
    return body.series.map(({ entity_id, field }) => `${entity_id} ${field}`);
  };
  assert.deepEqual(await shape("entity_id=light.kitchen,light.hall,light.kitchen"), [
    "light.kitchen state",
    "light.hall state",
  ]);
  assert.deepEqual(await shape("entity_id=,light.hall,,"), ["light.hall state"], "nothing between commas is nothing");
  assert.deepEqual(await shape("entity_id=light.hall&fields=color_temp,state"), [
    "light.hall state",
    "light.hall color_temp",
  ]);
  assert.deepEqual(await shape("entity_id=light.hall&fields=*"), [
    "light.hall state",
    "light.hall brightness",
    "light.hall color_temp",
  ]);
  assert.deepEqual(await shape("entity_id=light.hall&fields=nope"), []);
});

test("GET /api/v1/history gives a known entity without samples an empty series, and 404 names an unknown one", async (t) => {
  const { home, samples, get } = await started(t);
  home.entityRows.set("light.new", entityRow("light.new"));
  samples.add("light.gone", "state", null, []);
  for (const [query, known] of [
    ["light.new", "light.new"],
    ["light.gone", "light.gone"],
    ["light.new&fields=*", "light.new"],
  ]) {
    const { body } = await get(`entity_id=${query}`);
    assert.deepEqual(body, {
      series: [{ entity_id: known, field: "state", unit: null, samples: [] }],
      next_cursor: null,
    });
  }
  const { status, body } = await get("entity_id=light.new,light.nope");
  assert.equal(status, 404);
  assert.deepEqual(body, { code: "not_found", message: 'Cannot find entity "light.nope"' } as unknown);
});

test("GET /api/v1/history finds an entity by an old name and by its registry id", async (t) => {
  const { samples, home, get } = await started(t);
  samples.add("light.hall", "state", null, seconds([1]));
  samples.names.set("light.old", "light.hall");
  home.entityRows.set("light.hall", entityRow("light.hall"));
  for (const name of ["light.old", "id_of_light.hall"]) {
    const { body } = await get(`entity_id=${name}&start=${START}&end=${END}`);
    assert.equal(body.series[0]!.entity_id, name);
    assert.equal(body.series[0]!.current_entity_id, "light.hall");
    assert.equal(body.series[0]!.samples.length, 1);
  }
});

test("GET /api/v1/history by the registry id of a removed entity does not answer for who has its name now", async (t) => {
  const { samples, home, get } = await started(t);
  samples.add("light.hall", "state", null, seconds([1, 2]));
  samples.addSubject("state", "old_id", "state", seconds([3]));
  home.entityRows.set("light.hall", entityRow("light.hall"));
  home.entityRows.set("old_id", entityRow("light.hall", { id: "old_id", removed_at: "2026-11-24T12:00:00.000000Z" }));
  const { body } = await get(`entity_id=old_id&start=${START}&end=${END}`);
  assert.deepEqual(
    body.series.map(({ entity_id, current_entity_id, samples }) => [entity_id, current_entity_id, samples.length]),
    [["old_id", undefined, 1]],
  );
});

test("GET /api/v1/history reads what is no entity", async (t) => {
  const { samples, get } = await started(t);
  samples.addSubject("weather", "open-meteo", "temperature", seconds([3.5]));
  samples.addSubject("weather", "open-meteo", "humidity", seconds([80]));
  const span = `&start=${START}&end=${END}`;
  const { body } = await get(`measurement=weather&subject=open-meteo&fields=temperature${span}`);
  assert.deepEqual(body.series, [
    { measurement: "weather", subject: "open-meteo", field: "temperature", unit: null, samples: [[T0 / 1000, 3.5]] },
  ] as unknown);
  const all = await get(`measurement=weather&subject=open-meteo${span}`);
  assert.deepEqual(
    all.body.series.map(({ field }) => field),
    ["humidity", "temperature"],
  );
  assert.equal((await get("measurement=weather&subject=nope")).status, 404);
});

const REFUSED: readonly [query: string, message: RegExp][] = [
  ["", /"entity_id"/],
  ["measurement=weather", /"subject"/],
  ["subject=x", /"measurement"/],
  ["entity_id=a.b&measurement=weather&subject=x", /not both/],
  ["entity_id=", /entity_id/],
  ["entity_id=,", /"entity_id" names no entity/],
  ["entity_id=%20", /"entity_id" names no entity/],
  [`entity_id=${Array.from({ length: 201 }, (_, i) => `a.b${i}`).join(",")}`, /201 are given, 200/],
  ["entity_id=light.hall&start=yesterday", /"start" must be ISO 8601 with zone/],
  ["entity_id=light.hall&end=2026-11-24T11:04:03", /"end" must be ISO 8601 with zone/],
  ["entity_id=light.hall&start=5&end=5", /"start" must be before "end"/],
  ["entity_id=light.hall&limit=10001", /"limit"/],
  ["entity_id=light.hall&limit=0", /"limit"/],
  ["entity_id=light.hall&include_start=1", /"include_start"/],
  ["entity_id=light.hall&cursor=nonsense", /"cursor"/],
  ["entity_id=light.hall&types=mean", /"types"/],
];
for (const [query, message] of REFUSED) {
  test(`GET /api/v1/history refuses ?${query.slice(0, 60)}`, async (t) => {
    const { status, body } = await (await started(t)).get(query);
    assert.equal(status, 400);
    assert.equal(body.code, "invalid");
    assert.match(body.message!, message);
  });
}

test("GET /api/v1/history refuses a cursor of another query and takes another limit", async (t) => {
  const { samples, get } = await started(t);
  samples.add("light.hall", "state", null, seconds([1, 2, 3]));
  const query = `entity_id=light.hall&start=${START}`;
  const first = await get(`${query}&end=${END}&limit=1`);
  const cursor = first.body.next_cursor;
  assert.equal((await get(`${query}&end=1795518253577&cursor=${cursor}`)).status, 400);
  assert.equal((await get(`${query}&end=${END}&fields=*&cursor=${cursor}`)).status, 400);
  const second = await get(`${query}&end=${END}&limit=9&cursor=${cursor}`);
  assert.deepEqual(
    second.body.series[0]!.samples.map(([, value]) => value),
    [2, 3],
  );
});

test("GET /api/v1/history keeps the span of the first page, whatever the time is now", async (t) => {
  const { samples, get } = await started(t);
  const now = Date.now() * 1000;
  const recent: [Micros, Value][] = [1, 2, 3].map((value) => [now - 4_000_000 + value * 1_000_000, value]);
  samples.add("light.hall", "state", null, recent);
  const first = await get("entity_id=light.hall&limit=1");
  await get(`entity_id=light.hall&limit=1&cursor=${first.body.next_cursor}`);
  const [one, two] = samples.requests;
  assert.equal(one!.end, two!.end);
  assert.equal(two!.start, recent[0]![0] + 1);
});

test("GET /api/v1/history goes on within no other series: between two pages, entities may exchange their names", async (t) => {
  const { samples, get } = await started(t);
  for (const name of ["sensor.one", "sensor.two"]) {
    samples.add(name, "state", null, seconds([1, 2, 3, 4]));
  }
  const query = `entity_id=sensor.one,sensor.two&start=${START}&end=${END}`;
  const within = (await get(`${query}&limit=2`)).body.next_cursor;
  const between = (await get(`${query}&limit=4`)).body.next_cursor;
  samples.names.set("sensor.one", "sensor.two");
  samples.names.set("sensor.two", "sensor.one");
  const refused = await get(`${query}&cursor=${within}`);
  assert.equal(refused.status, 409);
  const { body } = await get(`${query}&cursor=${between}`);
  assert.equal(body.series[0]!.samples.length, 4);
});

test("GET /api/v1/history goes on from a cursor with its parameters in another order", async (t) => {
  const { samples, get } = await started(t);
  samples.add("sensor.hall", "state", null, seconds([1, 2, 3]));
  const { body } = await get(`entity_id=sensor.hall&start=${START}&end=${END}&limit=2`);
  const rest = await get(`cursor=${body.next_cursor}&limit=2&end=${END}&start=${START}&entity_id=sensor.hall`);
  assert.deepEqual([rest.status, rest.body.series?.[0]?.samples.length], [200, 1]);
});

/** Per series: how many samples before the span, and within. */
const HOMES = fc.array(fc.record({ before: fc.boolean(), within: fc.nat(12) }), { minLength: 1, maxLength: 9 });

test("GET /api/v1/history: pages of any size put together are the whole, with nothing missing or twice", async (t) => {
  await fc.assert(
    fc.asyncProperty(HOMES, fc.integer({ min: 1, max: 25 }), fc.boolean(), async (home, limit, includeStart) => {
      const { samples, get } = await started(t);
      home.forEach(({ before, within }, i) => {
        const values = seconds(Array.from({ length: within }, (_, n) => n));
        const entity = `light.n${Math.floor(i / 2)}`;
        const field = i % 2 ? "brightness" : "state";
        samples.add(entity, field, null, before ? [[T0 - 5_000_000, "before"], ...values] : values);
      });
      const ids = [...new Set(home.map((_, i) => `light.n${Math.floor(i / 2)}`))].join(",");
      const query = `entity_id=${ids}&fields=*&start=${START}&end=${END}&include_start=${includeStart}`;
      const whole = await get(query);
      assert.equal(whole.body.next_cursor, null);

      const joined = new Map<string, unknown[]>();
      let cursor: string | null = null;
      do {
        const { body }: { body: Answer } = await get(
          `${query}&limit=${limit}${cursor === null ? "" : `&cursor=${cursor}`}`,
        );
        const count = body.series.reduce((sum, { samples }) => sum + samples.length, 0);
        assert.ok(count <= limit);
        if (body.next_cursor !== null) assert.equal(count, limit);
        for (const { entity_id, field, samples } of body.series) {
          const key = `${entity_id} ${field}`;
          joined.set(key, [...(joined.get(key) ?? []), ...samples]);
        }
        cursor = body.next_cursor;
      } while (cursor !== null);
      const expected = whole.body.series.map(({ entity_id, field, samples }) => [`${entity_id} ${field}`, samples]);
      assert.deepEqual([...joined], expected);
    }),
    { numRuns: 60 },
  );
});

/** Of some entities the numbers and texts of so many seconds, a text as long as it says. */
const LONG_TEXTS = fc.array(
  fc.array(fc.oneof(fc.constant(null), fc.integer({ min: 0, max: 3_000_000 })), { maxLength: 12 }),
  { minLength: 1, maxLength: 8 },
);

test("GET /api/v1/history ends pages where texts get long, with nothing missing or twice", async (t) => {
  let pages = 0;
  await fc.assert(
    fc.asyncProperty(LONG_TEXTS, fc.integer({ min: 1, max: 40 }), async (home, limit) => {
      const { samples, get } = await started(t);
      for (const [i, lengths] of home.entries()) {
        const values = lengths.map((length, n) => (length === null ? n : `${n}`.padEnd(length, "x")));
        samples.add(`light.n${i}`, "state", null, seconds(values));
      }
      const ids = home.map((_, i) => `light.n${i}`).join(",");
      const query = `entity_id=${ids}&start=${START}&end=${END}9&limit=${limit}`;
      const found = home.map((): [number, string | number][] => []);
      for (let cursor = ""; ; pages++) {
        const { body } = await get(`${query}${cursor}`);
        const texts = body.series.flatMap(({ samples }) => samples.map(([, value]) => `${value}`.length));
        assert.ok(texts.length <= limit);
        assert.ok(texts.slice(0, -1).reduce((sum, length) => sum + length, 0) <= 8_000_000 + 20);
        for (const { entity_id, samples } of body.series) {
          const of = found[Number(entity_id?.slice("light.n".length))]!;
          of.push(...samples.map(([ts, value]): [number, number] => [ts, `${value}`.length]));
        }
        if (body.next_cursor === null) break;
        cursor = `&cursor=${body.next_cursor}`;
      }
      const expected = home.map((lengths) =>
        seconds(lengths.map((length, n) => Math.max(length ?? 0, `${n}`.length))).map(([ts, value]) => [
          ts / 1000,
          value,
        ]),
      );
      assert.deepEqual(found, expected);
    }),
    {
      numRuns: 15,
      examples: [
        [
          [
            [3_000_000, 3_000_000, 3_000_000, null],
            [null, 5_000_000],
          ],
          40,
        ],
        // Texts that are longer than their part of the room, before ones that together are not.
        [
          [
            [1_362_946, 2_809_288],
            [null, null, 2_286_637, null, 1_465_730, null, 2_362_627],
            [2_500_000],
            [2_500_000],
            [2_500_000],
            [400_000, 400_000, 400_000, 400_000],
          ],
          40,
        ],
        [
          [
            [171_376, null],
            [null, null, 2_268_105],
            [],
            [],
            [863_528, null, null, null, null, 2_584_990, null, 1_855_389],
            [1_362_946, 2_809_288],
            [null, null, 2_286_637, null, 1_465_730, null, 2_362_627],
            [],
          ],
          12,
        ],
      ],
      // To look for a smaller case takes gigabytes.
      endOnFailure: true,
    },
  );
  assert.ok(pages > 1, `${pages} pages had another one behind them`);
});

test("GET /api/v1/history of 200 busy entities reads little more than it answers", async (t) => {
  const { samples, get } = await started(t);
  const ids = Array.from({ length: 200 }, (_, i) => `sensor.n${i}`);
  for (const id of ids)
    samples.add(
      id,
      "state",
      null,
      Array.from({ length: 500 }, (_, n) => [T0 + n, n]),
    );
  const { body } = await get(`entity_id=${ids.join(",")}&start=${START}&end=${END}`);
  assert.equal(body.series.length, 20);
  assert.ok(samples.requests.length <= 40, `${samples.requests.length} series were read`);
  assert.notEqual(body.next_cursor, null);
});
