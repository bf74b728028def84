import assert from "node:assert/strict";
import { test } from "node:test";
import { apiOptions, createStatesDouble, entityRow, GAPS, stateOf } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

/** Names in an order that is not theirs. */
const MANY = Array.from({ length: 2_500 }, (_, i) => {
  const number = (i * 1_009) % 2_500;
  return stateOf(`${number % 2 ? "light" : "sensor"}.n${number}`, String(number), { friendly_name: `Lamp ${number}` });
});

async function started(t: { after(end: () => unknown): void }) {
  const options = apiOptions({ states: createStatesDouble(MANY) });
  const api = await createApi(options);
  t.after(() => api.close());
  const get = async (query: string) => (await api.inject(`/api/v1/states${query}`)).json();
  return { options, get };
}

interface Answer {
  readonly states: { readonly entity_id: string }[];
  readonly total: number;
  readonly count: number;
  readonly next_cursor: string | null;
}

for (const limit of [1000, 100, 999, 7]) {
  test(`GET /api/v1/states gives every state once, in order, in pages of ${limit}`, async (t) => {
    const { get } = await started(t);
    const seen: string[] = [];
    let cursor = "";
    do {
      const page: Answer = await get(`?limit=${limit}&domain=light${cursor}`);
      assert.equal(page.total, 1_250);
      assert.equal(page.count, page.states.length);
      assert.ok(page.count <= limit);
      seen.push(...page.states.map((state) => state.entity_id));
      cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
    } while (cursor !== "");
    const expected = MANY.map((state) => state.entityId).filter((id) => id.startsWith("light."));
    assert.deepEqual(seen, expected.sort());
  });
}

const FILTERS: readonly [query: string, ids: readonly string[]][] = [
  ["?entity_id=sensor.n4,light.n1,light.nope", ["light.n1", "sensor.n4"]],
  ["?entity_id=sensor.n4,light.n1&domain=sensor", ["sensor.n4"]],
  ["?domain=sensor,light&q=N2499", ["light.n2499"]],
  ["?q=lamp%202498", ["sensor.n2498"]],
  ["?domain=ligh", []],
  ["?area_id=attic", ["light.n3", "light.n5"]],
  ["?area_id=nowhere", []],
];
for (const [query, ids] of FILTERS) {
  test(`GET /api/v1/states${query} gives ${ids.length} states`, async (t) => {
    const { options, get } = await started(t);
    for (const id of ["light.n3", "light.n5", "light.without_state"]) {
      options.home.entityRows.set(id, entityRow(id, { area_id: "attic" }));
    }
    const page: Answer = await get(query);
    assert.deepEqual(
      page.states.map((state) => state.entity_id),
      ids,
    );
    assert.equal(page.total, ids.length);
  });
}

test("GET /api/v1/states refuses a cursor of another filter", async (t) => {
  const { get } = await started(t);
  const page: Answer = await get("?domain=light&limit=5");
  assert.equal((await get(`?domain=sensor&limit=5&cursor=${page.next_cursor}`)).code, "invalid");
  assert.equal((await get(`?domain=light&limit=9&cursor=${page.next_cursor}`)).count, 9);
});

const AT = Date.UTC(2026, 10, 24, 12) * 1000;
const SECOND = 1_000_000;

/** A lamp that is switched, dimmed and removed, a sensor that comes later, and one that is never recorded. */
function recorded(samples: ReturnType<typeof apiOptions>["samples"]): void {
  samples.add("light.hall", "state", null, [
    [AT, "off"],
    [AT + 10 * SECOND, "on"],
    [AT + 30 * SECOND, null],
  ]);
  samples.add("light.hall", "brightness", null, [
    [AT + 10 * SECOND, 80],
    [AT + 12 * SECOND, 90],
    [AT + 20 * SECOND, null],
  ]);
  samples.add("sensor.hall", "state", "°C", [[AT + 5 * SECOND, 21.5]]);
}

const MOMENTS = [
  { name: "before everything", seconds: -1, states: {} },
  { name: "at the very time of a change", seconds: 0, states: { "light.hall": ["off", {}] } },
  {
    name: "with the attributes in force",
    seconds: 12,
    states: {
      "light.hall": ["on", { brightness: 90 }],
      "sensor.hall": ["21.5", { unit_of_measurement: "°C" }],
    },
  },
  {
    name: "after an attribute went away",
    seconds: 25,
    states: { "light.hall": ["on", {}], "sensor.hall": ["21.5", { unit_of_measurement: "°C" }] },
  },
  {
    name: "after an entity was removed",
    seconds: 31,
    states: { "sensor.hall": ["21.5", { unit_of_measurement: "°C" }] },
  },
];
for (const { name, seconds, states } of MOMENTS) {
  test(`GET /api/v1/states?at= ${name}`, async (t) => {
    const { options, get } = await started(t);
    recorded(options.samples);
    const answer = await get(`?at=${(AT + seconds * SECOND) / 1000}`);
    const found = answer.states.map((state: { entity_id: string; state: string; attributes: object }) => [
      state.entity_id,
      [state.state, state.attributes],
    ]);
    assert.deepEqual(Object.fromEntries(found), states);
    assert.equal(answer.total, Object.keys(states).length);
  });
}

test("GET /api/v1/states?at= warns where a file could not be read", async (t) => {
  const { options, get } = await started(t);
  recorded(options.samples);
  const { read } = options.samples;
  const warnings = ["archive/2026/11/2026-11-23.parquet is missing"];
  options.samples.read = async (requests) => (await read(requests)).map((columns) => ({ ...columns, warnings }));
  const moment = `at=${(AT + 12 * SECOND) / 1000}`;
  assert.deepEqual((await get(`?${moment}`)).warnings, warnings);
  assert.deepEqual((await get(`/light.hall?${moment}`)).warnings, warnings);
  assert.equal((await get("")).warnings, undefined);
});

test("GET /api/v1/states?at= says of a moment that is still to come that its states are what is known now", async (t) => {
  const { options, get } = await started(t);
  options.samples.add("light.hall", "state", null, [[AT, "off"]]);
  const warnings = ["9998-01-01T00:00:00.000000Z is still to come: these are the states as far as they are known now"];
  const list = await get("?at=9998-01-01T00:00:00Z");
  assert.deepEqual([list.states[0].state, list.warnings], ["off", warnings]);
  const one = await get("/light.hall?at=9998-01-01T00:00:00Z");
  assert.deepEqual([one.state, one.warnings], ["off", warnings]);
  assert.equal((await get(`?at=${Date.now()}`)).warnings, undefined);
});

test("GET /api/v1/states?at= says when what was in force began, and no more than is known", async (t) => {
  const { options, get } = await started(t);
  recorded(options.samples);
  assert.deepEqual(await get(`/light.hall?at=${(AT + 13 * SECOND) / 1000}`), {
    entity_id: "light.hall",
    state: "on",
    attributes: { brightness: 90 },
    last_changed: "2026-11-24T12:00:10.000000Z",
    last_updated: "2026-11-24T12:00:12.000000Z",
    last_reported: "2026-11-24T12:00:12.000000Z",
    context: null,
  });
  assert.equal((await get(`/light.hall?at=${(AT - 1) / 1000}`)).code, "not_found");
  assert.equal((await get("/light.hall?at=yesterday")).code, "invalid");
});

test("GET /api/v1/states?at= knows no state from before Home Assistant was down", async (t) => {
  const options = apiOptions({ states: createStatesDouble([]) });
  const down = { start: AT + 15 * SECOND, end: AT + 18 * SECOND };
  const status = {
    ...options.status,
    gaps: () => [
      { ...GAPS[0]!, downtime: down },
      { ...GAPS[0]!, downtime: null },
    ],
  };
  const api = await createApi({ ...options, status });
  t.after(() => api.close());
  recorded(options.samples);
  options.samples.add("switch.hall", "state", null, [
    [AT, "on"],
    [AT + 18 * SECOND, "on"],
  ]);
  const at = async (seconds: number) => {
    const answer = (await api.inject(`/api/v1/states?at=${(AT + seconds * SECOND) / 1000}`)).json() as Answer;
    return answer.states.map((state) => state.entity_id);
  };
  // The downtime begins with the last that was heard.
  options.samples.add("switch.attic", "state", null, [[AT + 15 * SECOND, "on"]]);
  assert.deepEqual(await at(14), ["light.hall", "sensor.hall", "switch.hall"]);
  assert.deepEqual(await at(16), []);
  assert.deepEqual(await at(19), ["switch.hall"]);
});

test("GET /api/v1/states?at= pages and filters as the current states do", async (t) => {
  const { options, get } = await started(t);
  for (let i = 0; i < 25; i++) options.samples.add(`sensor.n${i}`, "state", null, [[AT, i]]);
  recorded(options.samples);
  const seen: string[] = [];
  let cursor = "";
  do {
    const page: Answer = await get(`?at=${AT / 1000}&domain=sensor&limit=10${cursor}`);
    assert.equal(page.total, 25);
    seen.push(...page.states.map((state) => state.entity_id));
    cursor = page.next_cursor === null ? "" : `&cursor=${page.next_cursor}`;
  } while (cursor !== "");
  assert.deepEqual(seen, Array.from({ length: 25 }, (_, i) => `sensor.n${i}`).sort());
});
