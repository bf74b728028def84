import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

async function read(t: TestContext, query: string) {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  const response = await api.inject(`/api/v1/gaps${query}`);
  return { status: response.statusCode, body: response.json() };
}

test("GET /api/v1/gaps lists interruptions, newest first", async (t) => {
  const { body } = await read(t, "");
  assert.equal(body.count, 3);
  assert.equal(body.total, 3);
  assert.equal(body.next_cursor, null);
  assert.deepEqual(
    body.gaps.map(({ id }: { id: number }) => id),
    [3, 2, 1],
  );
  assert.equal(body.gaps[0].to, null, "it goes on");
  assert.deepEqual(body.gaps[2], {
    id: 1,
    reason: "first_start",
    state: "partial",
    from: "2026-11-24T09:04:03.577164Z",
    to: "2026-11-24T11:04:03.577164Z",
    opened_at: "2026-11-24T11:04:03.577164Z",
    closed_at: "2026-11-24T11:04:13.577164Z",
    added: 5,
    hours_done: 2,
    hours_total: 2,
    missing_entities: ["sensor.hall"],
    note: null,
  });
});

for (const [query, ids] of [
  ["?state=open", [3]],
  ["?state=filling,partial", [2, 1]],
  ["?reason=crash", [2]],
  ["?reason=crash,first_start&state=open", []],
] as const) {
  test(`GET /api/v1/gaps${query} filters`, async (t) => {
    const { body } = await read(t, query);
    assert.deepEqual(
      body.gaps.map(({ id }: { id: number }) => id),
      ids,
    );
    assert.equal(body.total, ids.length);
  });
}

test("GET /api/v1/gaps pages by cursor, of the same query alone", async (t) => {
  const first = await read(t, "?limit=2");
  assert.equal(first.body.count, 2);
  assert.equal(first.body.total, 3);
  const second = await read(t, `?limit=2&cursor=${first.body.next_cursor}`);
  assert.deepEqual(
    second.body.gaps.map(({ id }: { id: number }) => id),
    [1],
  );
  assert.equal(second.body.next_cursor, null);
  assert.equal((await read(t, `?state=open&cursor=${first.body.next_cursor}`)).status, 400);
});

for (const query of ["?state=closed", "?reason=", "?limit=0", "?start=1"]) {
  test(`GET /api/v1/gaps${query} is refused`, async (t) => {
    const { status, body } = await read(t, query);
    assert.equal(status, 400);
    assert.equal(body.code, "invalid");
  });
}
