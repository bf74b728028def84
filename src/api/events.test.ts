import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Gap } from "../domain/gaps.ts";
import type { Value } from "../domain/sample.ts";
import { isoFromMicros } from "../lib/time.ts";
import { GAPS } from "../testing/api-doubles.ts";
import {
  type Answer,
  allPages,
  DAY,
  type Event,
  entity,
  HOUR,
  type Made,
  put,
  SECOND,
  type Store,
  span,
  started,
  T0,
} from "../testing/recorded-events.ts";
import { readNewestChanges, SCANNED_MAX } from "./newest-changes.ts";

/** Numbers that look like none in particular, always the same. */
function lcg(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
    return state / 2_147_483_648;
  };
}

for (const seed of [1, 2, 3]) {
  test(`GET /api/v1/events gives what a list of all changes says, page by page (${seed})`, async (t) => {
    const { store, get } = await started(t);
    const random = lcg(seed);
    const made: Made[] = [];
    const times = new Map<string, Set<number>>();
    const values = ["on", "off", 21.5, -3, null];
    for (let i = 0; i < 1_500; i++) {
      const entityId = `sensor.n${Math.floor(random() * 40)}`;
      // Bursts of one moment, busy hours, and days on which nothing happens.
      const day = [0, 0, 1, 5][Math.floor(random() * 4)]! * DAY;
      const after = random() < 0.3 ? day + 7 * HOUR : day + Math.floor(random() ** 4 * DAY);
      const known = times.get(entityId) ?? new Set();
      times.set(entityId, known);
      if (known.has(after)) continue;
      known.add(after);
      made.push([entityId, after, values[Math.floor(random() * values.length)]!]);
    }
    put(store, made.slice(0, 800));
    await store.fold();
    put(store, made.slice(800));
    const truth = made.map(([entityId, after, value]) => {
      const earlier = made.filter(([id, ts]) => id === entityId && ts < after).sort((a, b) => b[1] - a[1])[0];
      const old = earlier === undefined || earlier[2] === null ? null : String(earlier[2]);
      return { entityId, after, text: value === null ? null : String(value), old };
    });
    const shown = (events: readonly Event[]) =>
      events.map(({ entity_id, timestamp, old_state, new_state }) =>
        [entity_id, timestamp, old_state?.state ?? null, new_state?.state ?? null].join(" "),
      );
    for (const [limit, from, to] of [
      [100, 0, 6 * DAY],
      [7, 0, DAY],
      [1000, -DAY, 10 * DAY],
      [3, 7 * HOUR, 7 * HOUR + 1],
      [50, 2 * DAY, 5 * DAY],
    ] as const) {
      const expected = truth
        .filter(({ after }) => after >= from && after < to)
        .map(({ entityId, after, text, old }) => [entityId, isoFromMicros(T0 + after), old, text].join(" "));
      const events = await allPages(get, `?limit=${limit}&${span(from, to)}`);
      assert.deepEqual(shown(events).sort(), expected.sort(), `${limit} from ${from}`);
      const order = events.map(({ timestamp }) => timestamp);
      assert.deepEqual(order, [...order].sort().reverse());
      assert.equal(new Set(events.map(({ id }) => id)).size, events.length);
    }
    const ofTwo = await allPages(get, `?limit=10&entity_id=sensor.n3,sensor.n7&${span(0, 6 * DAY)}`);
    const expected = truth.filter(({ entityId }) => entityId === "sensor.n3" || entityId === "sensor.n7");
    assert.equal(ofTwo.length, expected.length);
    for (const event of ofTwo.slice(0, 20)) {
      const { attributes: _, ...one } = await get(`/${encodeURIComponent(event.id)}`);
      assert.deepEqual(one, event);
    }
    const stats = await get(`/stats?${span(0, 6 * DAY)}`);
    assert.equal(stats.total_events, truth.length);
    assert.equal(stats.unique_entities, times.size);
    const most = Math.max(...[...times.values()].map((known) => known.size));
    assert.equal((stats.top_entities as { count: number }[])[0]!.count, most);
  });
}

test("an event says what was in force before, since when and for how long, and when it is not known how long", async (t) => {
  const base = GAPS[2]!;
  const gaps: Gap[] = [
    { ...base, id: 1, state: "filled", start: T0 + 10 * SECOND, end: T0 + 20 * SECOND, missingEntities: [] },
    { ...base, id: 2, state: "partial", start: T0 + 40 * SECOND, end: T0 + 50 * SECOND, missingEntities: ["light.a"] },
    {
      ...{ ...base, id: 3, state: "partial", start: T0 + 80 * SECOND, end: T0 + 90 * SECOND, missingEntities: [] },
      downtime: { start: T0 + 80 * SECOND, end: T0 + 90 * SECOND },
    },
  ];
  const { store, get } = await started(t, gaps);
  const changes = ["on", "off", "on", "off", null, "on"];
  for (const entityId of ["light.a", "light.b"]) {
    put(
      store,
      changes.map((value, i): Made => [entityId, i * 30 * SECOND, value]),
    );
  }
  const told = async (entityId: string) =>
    (await get(`?entity_id=${entityId}&${span(0, HOUR)}`)).events
      .reverse()
      .map(({ old_state: old, new_state }) => [old?.state, old?.duration_seconds, new_state?.state]);
  assert.deepEqual(await told("light.b"), [
    [undefined, undefined, "on"],
    ["on", 30, "off"],
    ["off", 30, "on"],
    ["on", null, "off"],
    ["off", 30, undefined],
    [undefined, undefined, "on"],
  ]);
  assert.deepEqual((await told("light.a"))[2], ["off", null, "on"]);
});

const REGISTRY = [
  { id: "id_of_light.hall", entity_id: "light.hall", platform: "hue", original_name: "Ceiling", labels: ["night"] },
  { id: "id_of_sensor.rssi", entity_id: "sensor.rssi", platform: "hue", entity_category: "diagnostic" },
  { id: "id_of_number.delay", entity_id: "number.delay", platform: "hue", entity_category: "config" },
];

async function withRegistry(t: TestContext) {
  const tools = await started(t);
  await tools.home.applyRegistry("entity", REGISTRY, T0);
  put(tools.store, [
    ["light.hall", 0, "on"],
    ["light.hall", 5 * SECOND, "off"],
    ["sensor.rssi", SECOND, -60],
    ["sensor.rssi", 2 * SECOND, -61],
    ["sensor.rssi", 3 * SECOND, "unavailable"],
    ["number.delay", 4 * SECOND, 5],
    ["sensor.unlisted", 6 * SECOND, "Ceiling fan on"],
  ]);
  return tools;
}

const CHOICES: readonly [query: string, count: number][] = [
  ["", 7],
  ["domain=light", 2],
  ["domain=light,number", 3],
  ["platform=hue", 6],
  ["label=night", 2],
  ["entity_category=diagnostic", 3],
  ["exclude_category=diagnostic", 4],
  ["exclude_category=diagnostic,config", 3],
  ["exclude_category=none", 4],
  ["platform=hue&exclude_category=config", 5],
  ["entity_id=sensor.rssi,sensor.unlisted", 4],
  ["entity_id=sensor.rssi&exclude_category=diagnostic", 0],
  ["event_type=state_changed", 7],
];
for (const [query, count] of CHOICES) {
  test(`GET /api/v1/events?${query} chooses ${count} events, and /stats counts as many`, async (t) => {
    const { get } = await withRegistry(t);
    assert.equal((await get(`?${query}&${span(0, HOUR)}`)).count, count);
    assert.equal((await get(`/stats?${query}&${span(0, HOUR)}`)).total_events, count);
    assert.equal((await get(`?${query}&start_time=${T0 / 1000}&end_time=${(T0 + HOUR) / 1000}`)).count, count);
  });
}

test("GET /api/v1/events/stats counts an entity that was removed and added anew once", async (t) => {
  const { store, get } = await started(t);
  for (const [i, subject] of ["old", "new"].entries()) {
    const series = store.series({ measurement: "state", subject, field: "state" }, "light.hall", T0 + i * SECOND);
    for (let at = 0; at < 2; at++) store.append(series, T0 + i * SECOND + at, at);
  }
  put(store, [["light.other", 0, "on"]]);
  const { unique_entities, top_entities } = await get(`/stats?${span(0, HOUR)}`);
  assert.equal(unique_entities, 2);
  assert.deepEqual(top_entities, [
    { entity_id: "light.hall", count: 4 },
    { entity_id: "light.other", count: 1 },
  ]);
});

test("GET /api/v1/events/categories counts by category, of all or of what is chosen", async (t) => {
  const { get } = await withRegistry(t);
  const { categories, total_events } = await get(`/categories?${span(0, HOUR)}`);
  assert.deepEqual([categories, total_events], [{ config: 1, diagnostic: 3, none: 3 }, 7]);
  const ofSensors = await get(`/categories?entity_id=sensor.rssi&${span(0, HOUR)}`);
  assert.deepEqual(ofSensors.categories, { config: 0, diagnostic: 3, none: 0 });
});

const SEARCHES: readonly [q: string, fields: string | undefined, found: readonly string[]][] = [
  ["ceiling", undefined, ["sensor.unlisted", "light.hall", "light.hall"]],
  ["CEILING", "entity_id", ["light.hall", "light.hall"]],
  ["ceiling", "state", ["sensor.unlisted"]],
  ["rssi", "state", []],
  ["-6", "state", ["sensor.rssi", "sensor.rssi"]],
  ["unavail", undefined, ["sensor.rssi"]],
];
for (const [q, fields, found] of SEARCHES) {
  test(`searching events for "${q}" in ${fields ?? "all"} finds ${found.length}`, async (t) => {
    const { get, post } = await withRegistry(t);
    const asked = fields === undefined ? "" : `&fields=${fields}`;
    const { events } = await get(`/search?q=${encodeURIComponent(q)}${asked}&${span(0, HOUR)}`);
    assert.deepEqual(
      events.map(({ entity_id }) => entity_id),
      found,
    );
    const body = { query: q, ...(fields === undefined ? {} : { fields: [fields] }) };
    const answer = await post({ ...body, start: isoFromMicros(T0), end: isoFromMicros(T0 + HOUR), limit: 2 });
    assert.deepEqual(answer.events, events.slice(0, 2));
    const inMillis = await post({ ...body, start_time: T0 / 1000, end: String((T0 + HOUR) / 1000), limit: 2 });
    assert.deepEqual(inMillis.events, answer.events);
  });
}

test("a search that finds little looks at a bounded number of changes, and its cursor goes on", async (t) => {
  const { store, get } = await started(t);
  const busy = entity(store, "sensor.busy");
  for (let i = 0; i < SCANNED_MAX * 1.2; i++) store.append(busy, T0 + i * 1000, i % 7);
  store.append(entity(store, "sensor.rare"), T0, "needle");
  const path = `/search?q=needle&fields=state&${span(0, HOUR)}`;
  const first = await get(path);
  assert.equal(first.count, 0);
  assert.notEqual(first.next_cursor, null);
  assert.deepEqual(
    (await allPages(get, path)).map(({ entity_id }) => entity_id),
    ["sensor.rare"],
  );
});

test("a busy day after a quiet night is read a part at a time, whole, and not over and over", async (t) => {
  const { store } = await started(t);
  const series = Array.from({ length: 300 }, (_, i) => entity(store, `sensor.s${i}`));
  for (let i = 0; i < 600; i++) for (const one of series) store.append(one, T0 + i * SECOND + one, i);
  // One that changes more often than all others together.
  const busiest = entity(store, "sensor.busiest");
  for (let i = 0; i < 30_000; i++) store.append(busiest, T0 + i * 20_000 + 7, i);
  let most = 0;
  let sum = 0;
  const counted = {
    ...store,
    read: async (requests: Parameters<Store["read"]>[0]) => {
      const answers = await store.read(requests);
      const count = answers.reduce((all, { ts }) => all + ts.length, 0);
      most = Math.max(most, count);
      sum += count;
      return answers;
    },
  } as Store;
  const wanted = { start: T0, end: T0 + DAY };
  const all = [...series, busiest];
  const none = { series: all, span: wanted, after: undefined, limit: 10, accepts: () => false };
  let after = undefined as Awaited<ReturnType<typeof readNewestChanges>>["next"];
  let looked = 0;
  const accepts = (): boolean => ++looked === 0;
  do after = (await readNewestChanges(counted, { ...none, after, accepts })).next;
  while (after !== undefined);
  assert.equal(looked, 300 * 600 + 30_000);
  assert.ok(most <= 100_000, `${most} samples at once`);
  assert.ok(sum < 3 * looked, `${sum} samples for ${looked}`);
});

test("a search in a home of very many entities asks a bounded number of them for a page", async () => {
  let asked = 0;
  const samples = {
    last: () => ({ ts: T0, value: 1 }),
    read: async (requests: readonly unknown[]) => {
      asked += requests.length;
      return requests.map(() => ({ ts: [], values: [] }));
    },
  } as unknown as Store;
  const series = Array.from({ length: 50_000 }, (_, i) => i + 1);
  const question = { series, span: { start: T0 - 30 * DAY, end: T0 }, limit: 10, accepts: () => true };
  let after = undefined as Awaited<ReturnType<typeof readNewestChanges>>["next"];
  let pages = 0;
  do {
    asked = 0;
    after = (await readNewestChanges(samples, { ...question, after })).next;
    pages++;
    assert.ok(asked <= SCANNED_MAX + series.length, `${asked} for a page`);
  } while (after !== undefined);
  assert.ok(pages > 1 && pages < 100, `${pages} pages`);
});

const REFUSED: readonly [path: string, status: number, message: RegExp][] = [
  ["?entity_id=light.nope", 404, /Cannot find entity "light.nope"/],
  ["?start=1&start_time=1", 400, /Give either "start" or "start_time"/],
  ["?start_time=noon", 400, /"start_time" must be ISO 8601/],
  ["/stats?end_time=noon", 400, /"end_time" must be ISO 8601/],
  ["?start=2&end=1", 400, /"start" must be before "end"/],
  ["?offset=5", 400, /offset/],
  ["?exclude_category=diagnostics", 400, /"exclude_category" must be of config, diagnostic, none, not "diagnostics"/],
  ["?event_type=call_service", 400, /event_type/],
  ["?cursor=abc", 400, /"cursor" does not belong to this query/],
  ["?limit=1001", 400, /limit/],
  ["/nothing", 404, /Cannot find event "nothing"/],
  ["/1-nothing", 404, /Cannot find event "1-nothing"/],
  ["/stats?period=1h&start=1", 400, /Give either "period" or "start"/],
  ["/stats?period=2h", 400, /period/],
  ["/search?q=a&fields=attributes", 400, /"fields" must be of entity_id, state/],
  ["/search", 400, /q/],
  ["/trace/x?max_depth=0", 400, /max_depth/],
];
for (const [path, status, message] of REFUSED) {
  test(`GET /api/v1/events${path} is ${status}`, async (t) => {
    const { ask } = await started(t);
    const answer = await ask(path);
    assert.equal(answer.status, status);
    assert.match(String(answer.body.message), message);
  });
}

const REFUSED_BODIES: readonly [body: object, message: RegExp][] = [
  [{ start: "soon" }, /^The field "start" must be ISO 8601/],
  [{ end: "soon" }, /^The field "end" must be ISO 8601/],
  [{ start: "2", end: "1" }, /^The field "start" must be before "end"/],
  [{ cursor: "abc" }, /^The field "cursor" does not belong to this query/],
  [{ limit: 0 }, /^The field "limit" must be/],
  [{ fields: ["attributes"] }, /^The field "fields" must be/],
];
for (const [body, message] of REFUSED_BODIES) {
  test(`POST /api/v1/events/search refuses ${JSON.stringify(body)} as a field of its body`, async (t) => {
    const { post } = await started(t);
    const answer = await post({ query: "a", ...body });
    assert.equal(answer.code, "invalid");
    assert.match(String(answer.message), message);
  });
}

test("events have the attributes of their moment where they are asked for", async (t) => {
  const { store, home, get, post } = await started(t);
  await home.applyRegistry("entity", REGISTRY, T0);
  const series = entity(store, "light.hall");
  store.describe(series, { unit: "lx", deviceClass: "illuminance", stateClass: null }, T0);
  put(store, [
    ["light.hall", 0, "off"],
    ["light.hall", 10, "on"],
    ["light.hall", 20, "off"],
    ["light.hall", 30, null],
  ]);
  const attribute = (field: string, samples: readonly (readonly [number, Value])[]): void => {
    const one = store.series({ measurement: "state", subject: "id_of_light.hall", field }, "light.hall", T0);
    for (const [after, value] of samples) store.append(one, T0 + after, value);
  };
  attribute("brightness", [
    [10, 80],
    [15, 90],
    [20, null],
  ]);
  attribute("effect", [[5, "none"]]);
  const classes = { unit_of_measurement: "lx", device_class: "illuminance" };
  const told = (answer: Answer) => answer.events.map((event) => (event as { attributes?: object }).attributes);
  const expected = [{}, { effect: "none", ...classes }, { brightness: 80, effect: "none", ...classes }, { ...classes }];
  assert.deepEqual(told(await get(`?include_attributes=true&${span(0, HOUR)}`)), expected);
  assert.deepEqual(told(await get(`?${span(0, HOUR)}`)), [undefined, undefined, undefined, undefined]);
  assert.deepEqual(told(await get(`/search?q=light&include_attributes=true&${span(0, HOUR)}`)), expected);
  const body = { query: "light", include_attributes: true, start: isoFromMicros(T0), end: isoFromMicros(T0 + HOUR) };
  assert.deepEqual(told(await post(body)), expected);
});

test("GET /api/v1/events has the name that an entity has now, of those that there are", async (t) => {
  const { store, get } = await started(t);
  put(store, [
    ["sensor.hall", 1 * SECOND, 21],
    ["light.kitchen", 2 * SECOND, "on"],
    ["sensor.gone", 3 * SECOND, 1],
  ]);
  const { events } = await get(`?${span(0, HOUR)}`);
  assert.deepEqual(
    events.map(({ entity_id, name }) => [entity_id, name]),
    [
      ["sensor.gone", null],
      ["light.kitchen", null],
      ["sensor.hall", "Hall temperature"],
    ],
  );
});
