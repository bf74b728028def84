import assert from "node:assert/strict";
import { test } from "node:test";
import { apiOptions, createStatesDouble, entityRow, stateOf } from "../testing/api-doubles.ts";
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
