import assert from "node:assert/strict";
import { test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

test("GET /api/v1/storage pages through series and looks at retention only when asked", async (t) => {
  const options = apiOptions();
  const api = await createApi(options);
  t.after(() => api.close());
  const first = (await api.inject("/api/v1/storage?limit=1")).json();
  assert.deepEqual([first.count, first.total, first.series[0].entity_id], [1, 2, "sensor.hall"]);
  assert.equal(first.retention, null);
  assert.equal(first.forecast.text, "At this rate 2.1 GB a year");
  const second = (await api.inject(`/api/v1/storage?limit=1&retention=true&cursor=${first.next_cursor}`)).json();
  assert.deepEqual([second.series[0].entity_id, second.series[0].archive_rows], [null, 500]);
  assert.equal(second.next_cursor, null);
  assert.deepEqual([second.retention.dry_run, second.retention.rows], [true, 333_000]);
  assert.equal((await api.inject("/api/v1/storage?cursor=x")).statusCode, 400);
});

test("GET /api/v1/storage shows every series once that did not change while pages were read", async (t) => {
  const options = apiOptions();
  const report = await options.retention.storage();
  const usage = (series: number, bytes: number) => ({ series, hotRows: 0, archiveRows: 0, rollupRows: series, bytes });
  let series = [usage(1, 900), usage(2, 800), usage(3, 700), usage(4, 700), usage(5, 600)];
  const storage = async () => ({ ...report, series });
  const api = await createApi({ ...options, retention: { ...options.retention, storage } });
  t.after(() => api.close());
  const page = async (query: string) => (await api.inject(`/api/v1/storage?limit=3${query}`)).json();
  const shown = (answer: { series: { rollup_rows: number }[] }) => answer.series.map((row) => row.rollup_rows);
  const first = await page("");
  assert.deepEqual(shown(first), [1, 2, 3]);
  series = [usage(6, 950), usage(5, 910), usage(1, 900), usage(2, 800), usage(3, 700), usage(4, 700)];
  const second = await page(`&cursor=${first.next_cursor}`);
  assert.deepEqual([shown(second), second.next_cursor], [[4], null]);
});

test("POST /internal/retention changes nothing with dry_run", async (t) => {
  const api = await createApi(apiOptions());
  t.after(() => api.close());
  const done = (await api.inject({ method: "POST", url: "/internal/retention" })).json();
  assert.equal(done.dry_run, false);
  const preview = (await api.inject({ method: "POST", url: "/internal/retention?dry_run=true" })).json();
  assert.equal(preview.dry_run, true);
  assert.equal(preview.dropped[0].reason, "age");
  assert.equal((await api.inject({ method: "POST", url: "/internal/retention?dry=true" })).statusCode, 400);
});
