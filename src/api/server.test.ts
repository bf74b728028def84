import assert from "node:assert/strict";
import { once } from "node:events";
import { connect } from "node:net";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setTimeout as sleep, setImmediate as turn } from "node:timers/promises";
import { gzipSync } from "node:zlib";
import type { InjectOptions } from "fastify";
import { pino } from "pino";
import { AppError } from "../domain/errors.ts";
import { WorkerFailure } from "../lib/worker-rpc.ts";
import { apiOptions, CONNECTED, entityRow, GAPS, INGESTING, STORING } from "../testing/api-doubles.ts";
import { exchange } from "../testing/raw-http.ts";
import type { Api } from "./api.ts";
import { BULK_BODY_BYTES_MAX } from "./internal.ts";
import { createApi, createSportsApi } from "./server.ts";

interface Case {
  readonly name: string;
  readonly method?: "GET" | "HEAD" | "POST" | "PUT" | "PATCH" | "DELETE" | "OPTIONS" | "QUERY";
  readonly url: string;
  readonly body?: unknown;
  readonly type?: string;
  readonly status: number;
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
}

const CASES: readonly Case[] = [
  {
    name: "GET / introduces the service",
    url: "/",
    status: 200,
    has: ["HA Ingestor", 'href="docs/"'],
    lacks: ["http://", "https://"],
  },
  {
    name: "GET /health names every dependency",
    url: "/health",
    status: 200,
    has: [
      '"status":"healthy","service":"ha-ingestor","version":"0.1.0"',
      '"journal_mode":"wal","database_size_mb":0.05,"wal_enabled":true',
      '"engine":"parquet"',
      '"influxdb":{"status":"disabled"}',
      '"home_assistant":{"status":"connected"',
    ],
    lacks: ["demo"],
  },
  { name: "GET /ready is ready", url: "/ready", status: 200, has: ['{"status":"ready","reasons":[],"notes":[]}'] },
  {
    name: "GET /metrics is Prometheus text",
    url: "/metrics",
    status: 200,
    has: [
      "ha_ingestor_ingest_changes_total 4700",
      "ha_ingestor_home_assistant_connected 1",
      "ha_ingestor_process_resident_memory_bytes",
      'ha_ingestor_event_loop_delay_seconds{statistic="p99"}',
      "ha_ingestor_store_waiting_samples 3",
    ],
  },
  {
    name: "GET /api/devices lists",
    url: "/api/devices",
    status: 200,
    has: ['"devices":[{"device_id":"d1"', '"count":2,"total":2,"limit":100,"next_cursor":null'],
  },
  {
    name: "GET /api/devices pages",
    url: "/api/devices?limit=1",
    status: 200,
    has: ['"count":1,"total":2,"limit":1,"next_cursor":"1"'],
    lacks: ['"d2"'],
  },
  {
    name: "GET /api/devices goes on",
    url: "/api/devices?limit=1&cursor=1",
    status: 200,
    has: ['"d2"', '"next_cursor":null'],
    lacks: ['"d1"'],
  },
  {
    name: "GET /api/devices refuses another's cursor",
    url: "/api/devices?cursor=x",
    status: 400,
    has: ['"code":"invalid"'],
  },
  {
    name: "GET /api/devices refuses limit=abc",
    url: "/api/devices?limit=abc",
    status: 400,
    has: ["limit", "a whole number from 1 to 1000", "abc"],
  },
  { name: "GET /api/devices refuses limit=0", url: "/api/devices?limit=0", status: 400, has: ["limit"] },
  { name: "GET /api/devices refuses limit=1001", url: "/api/devices?limit=1001", status: 400, has: ["limit"] },
  { name: "GET /api/devices refuses an empty limit", url: "/api/devices?limit=", status: 400, has: ["limit"] },
  { name: "GET /api/devices refuses limit=1.5", url: "/api/devices?limit=1.5", status: 400, has: ["limit"] },
  { name: "GET /api/devices refuses limit=1e2", url: "/api/devices?limit=1e2", status: 400, has: ["limit"] },
  {
    name: "GET /api/devices refuses a limit given twice",
    url: "/api/devices?limit=1&limit=2",
    status: 400,
    has: ["limit", "more than once"],
  },
  {
    name: "GET /api/devices refuses unknown parameters",
    url: "/api/devices?colour=red",
    status: 400,
    has: ['Unknown query parameter \\"colour\\"', "manufacturer"],
  },
  { name: "GET /api/devices refuses inherited names", url: "/api/devices?toString=1", status: 400, has: ["toString"] },
  {
    name: "GET /api/devices refuses include_removed=maybe",
    url: "/api/devices?include_removed=maybe",
    status: 400,
    has: ["include_removed", "true or false"],
  },
  { name: "GET /api/devices refuses an empty filter", url: "/api/devices?model=", status: 400, has: ["model"] },
  {
    name: "GET /api/devices refuses platform against integration",
    url: "/api/devices?platform=hue&integration=mqtt",
    status: 400,
    has: ["integration and platform"],
  },
  {
    name: "GET /api/devices/{id} answers one",
    url: "/api/devices/d1",
    status: 200,
    has: ['{"device_id":"d1"', '"area_name":"Living room"', '"entity_count":3'],
  },
  {
    name: "GET /api/devices/{id} knows no other",
    url: "/api/devices/nope",
    status: 404,
    has: ['{"code":"not_found","message":"Cannot find device \\"nope\\""}'],
  },
  { name: "GET /api/devices/{id} decodes the id", url: "/api/devices/a%2Fb%20c", status: 404, has: ["a/b c"] },
  { name: "GET /api/devices/{id} refuses parameters", url: "/api/devices/d1?x=1", status: 400, has: ['\\"x\\"'] },
  {
    name: "DELETE /api/devices/{id} minds no type of a body that is not there",
    method: "DELETE",
    url: "/api/devices/nope",
    body: "",
    status: 404,
    has: ['Cannot find device \\"nope\\"'],
  },
  {
    name: "POST /api/devices needs a body",
    method: "POST",
    url: "/api/devices",
    body: "",
    status: 400,
    has: ["it is empty, JSON is expected"],
  },
  {
    name: "POST /internal/seal refuses parameters",
    method: "POST",
    url: "/internal/seal?dry=true",
    status: 400,
    has: ['Unknown query parameter \\"dry\\"'],
  },
  {
    name: "POST /internal/retention refuses a body, which might say dry_run",
    method: "POST",
    url: "/internal/retention",
    body: { dry_run: true },
    status: 400,
    has: ["takes no body"],
  },
  {
    name: "a body does not hide that there is no such path",
    method: "POST",
    url: "/api/v1/webhook/register",
    body: { url: "https://example.com" },
    status: 404,
    has: ['Cannot find anything at \\"/api/v1/webhook/register\\"'],
  },
  {
    name: "a body does not hide that the path takes no such method",
    method: "POST",
    url: "/api/v1/history",
    body: { entity_id: "sun.sun" },
    status: 405,
    has: ['Cannot POST \\"/api/v1/history\\": it takes GET'],
  },
  {
    name: "what is no JSON hides that neither",
    method: "PUT",
    url: "/api/devices",
    body: "{",
    status: 405,
    has: ["it takes GET, HEAD, POST"],
  },
  {
    name: "nor does a body of another type",
    method: "POST",
    url: "/api/v1/write",
    body: "cpu usage=1",
    type: "application/x-www-form-urlencoded",
    status: 404,
    has: ['Cannot find anything at \\"/api/v1/write\\"'],
  },
  {
    name: "nor one of another type by a wrong method",
    method: "PUT",
    url: "/api/devices",
    body: "<device/>",
    type: "text/xml",
    status: 405,
    has: ["it takes GET, HEAD, POST"],
  },
  {
    name: "nor one that is too large",
    method: "POST",
    url: "/api/v1/history",
    body: "x".repeat(1_100_000),
    status: 405,
    has: ["it takes GET"],
  },
  {
    name: "a method that should have a body, and that no path takes, is 405 without one",
    method: "QUERY",
    url: "/api/devices",
    status: 405,
    has: ["it takes GET, HEAD, POST"],
  },
  {
    name: "POST /internal/seal takes an empty object",
    method: "POST",
    url: "/internal/seal",
    body: {},
    status: 200,
    has: [],
  },
  { name: "__proto__ is a name like any other", url: "/api/devices?__proto__=1", status: 400, has: ["Unknown query"] },
  {
    name: "GET /openapi.json refuses parameters",
    url: "/openapi.json?format=yaml",
    status: 400,
    has: ['Unknown query parameter \\"format\\"'],
  },
  { name: "GET /health takes any parameter", url: "/health?_=1", status: 200, has: ['"status":"healthy"'] },
  { name: "GET /ready takes any parameter", url: "/ready?_=1", status: 200, has: ['"status":"ready"'] },
  { name: "GET /metrics takes any parameter", url: "/metrics?collect[]=a", status: 200, has: ["# HELP"] },
  {
    name: "POST /internal/devices/bulk_upsert refuses parameters",
    method: "POST",
    url: "/internal/devices/bulk_upsert?replace=true",
    body: [],
    status: 400,
    has: ['Unknown query parameter \\"replace\\"'],
  },
  {
    name: "POST /api/devices takes JSON alone",
    method: "POST",
    url: "/api/devices",
    type: "text/plain",
    body: '{"device_id":"a","name":"A"}',
    status: 415,
    has: ['"code":"unsupported_media_type"', "send it as application/json"],
  },
  {
    name: "POST /api/devices adds (201)",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "test_123", name: "Test Device", manufacturer: "Test Co", area_id: "living_room" },
    status: 201,
    has: ['"device_id":"test_123","name":"Test Device","manufacturer":"Test Co"', '"manual":true'],
  },
  {
    name: "POST /api/devices refuses unknown fields",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "a", name: "b", colour: "red" },
    status: 400,
    has: ["colour"],
  },
  {
    name: "POST /api/devices refuses a missing name",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "a" },
    status: 400,
    has: ["name", "missing"],
  },
  {
    name: "POST /api/devices refuses an id of blanks alone",
    method: "POST",
    url: "/api/devices",
    body: { device_id: " \t", name: "b" },
    status: 400,
    has: ['The field \\"device_id\\" must be text of 1 to 255 characters that are not all blank'],
  },
  {
    name: "POST /api/devices refuses a name of blanks alone",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "a", name: " \u00a0" },
    status: 400,
    has: ['The field \\"name\\" must be text of 1 to 255 characters that are not all blank'],
  },
  {
    name: "POST /api/devices refuses a number as a name",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "a", name: 5 },
    status: 400,
    has: ["name", "text"],
  },
  {
    name: "POST /api/devices refuses HA's own",
    method: "POST",
    url: "/api/devices",
    body: { device_id: "d1", name: "x" },
    status: 409,
    has: ['"code":"conflict"'],
  },
  {
    name: "POST /api/devices refuses a list",
    method: "POST",
    url: "/api/devices",
    body: [],
    status: 400,
    has: ["must be a JSON object"],
  },
  {
    name: "POST /api/devices refuses malformed JSON",
    method: "POST",
    url: "/api/devices",
    body: '{"device_id":',
    status: 400,
    has: ['"code":"invalid"', "not JSON"],
  },
  {
    name: "POST /api/devices refuses another encoding than UTF-8",
    method: "POST",
    url: "/api/devices",
    body: Buffer.from('{"device_id":"a","name":"Küche"}', "latin1"),
    status: 400,
    has: ["it is not UTF-8"],
  },
  {
    name: "POST /api/devices refuses half a character",
    method: "POST",
    url: "/api/devices",
    body: String.raw`{"device_id":"a\ud800","name":"b"}`,
    status: 400,
    has: ['The field \\"device_id\\" holds half a character'],
  },
  {
    name: "POST /api/devices refuses __proto__",
    method: "POST",
    url: "/api/devices",
    body: '{"device_id":"a","name":"b","__proto__":{}}',
    status: 400,
    has: ['Unknown field \\"__proto__\\": known are device_id'],
  },
  {
    name: "POST /api/devices refuses constructor, whatever it holds",
    method: "POST",
    url: "/api/devices",
    body: '{"constructor":{"prototype":1},"device_id":"a","name":"b"}',
    status: 400,
    has: ['Unknown field \\"constructor\\": known are device_id'],
  },
  {
    name: "POST /api/devices refuses an empty body",
    method: "POST",
    url: "/api/devices",
    body: "",
    status: 400,
    has: ["empty"],
  },
  {
    name: "POST /api/devices refuses text",
    method: "POST",
    url: "/api/devices",
    body: "x=1",
    type: "application/x-www-form-urlencoded",
    status: 415,
    has: ['"code":"unsupported_media_type"'],
  },
  {
    name: "POST /api/devices refuses more than 1 MiB",
    method: "POST",
    url: "/api/devices",
    body: `"${"x".repeat(1024 * 1024)}"`,
    status: 413,
    has: ['"code":"too_large"'],
  },
  {
    name: "DELETE /api/devices/{id} refuses HA's own",
    method: "DELETE",
    url: "/api/devices/d1",
    status: 409,
    has: ['"code":"conflict"'],
  },
  {
    name: "DELETE /api/devices/{id} knows no other",
    method: "DELETE",
    url: "/api/devices/nope",
    status: 404,
    has: ['"code":"not_found"'],
  },
  {
    name: "GET /api/entities lists",
    url: "/api/entities?domain=light&device_id=d1",
    status: 200,
    has: ['"entities":[{"entity_id":"light.hall"', '"registered":true', '"total":3'],
  },
  {
    name: "GET /api/entities/{id} answers one",
    url: "/api/entities/light.hall",
    status: 200,
    has: ['"state":"on"', '"device_name":"Device d1"'],
  },
  {
    name: "GET /api/entities/{id} takes registry ids",
    url: "/api/entities/id_of_light.hall",
    status: 200,
    has: ['"entity_id":"light.hall"'],
  },
  { name: "GET /api/entities/{id} knows no other", url: "/api/entities/light.nope", status: 404, has: ["light.nope"] },
  {
    name: "GET /api/areas lists with counts",
    url: "/api/areas",
    status: 200,
    has: ['"areas":[{"area_id":"living_room"', '"device_count":2', '"next_cursor":null'],
  },
  {
    name: "GET /api/integrations lists with counts",
    url: "/api/integrations",
    status: 200,
    has: ['"integrations":[{"entry_id":"entry1"', '"entity_count":3'],
  },
  {
    name: "GET /api/integrations/{platform}/analytics counts",
    url: "/api/integrations/hue/analytics",
    status: 200,
    has: [
      '"platform":"hue","device_count":2,"entity_count":3',
      '"entity_breakdown":[{"domain":"light"',
      '"timestamp":"',
    ],
  },
  {
    name: "GET /api/integrations/{platform}/analytics knows no other",
    url: "/api/integrations/nope/analytics",
    status: 404,
    has: ['Cannot find integration \\"nope\\"'],
  },
  {
    name: "GET /api/v1/states/{id} answers one",
    url: "/api/v1/states/sensor.hall",
    status: 200,
    has: [
      '"state":"21.5"',
      '"last_changed":"2026-11-24T11:04:03.577164Z"',
      '"context":{"id":"01ABC","parent_id":null,"user_id":null}',
    ],
  },
  {
    name: "GET /api/v1/states/{id} knows no other",
    url: "/api/v1/states/sensor.nope",
    status: 404,
    has: ["sensor.nope"],
  },
  {
    name: "GET /api/v1/states/{id}?at= of a moment of which nothing is known is 404",
    url: "/api/v1/states/sensor.hall?at=2026-11-24T11:04:03Z",
    status: 404,
    has: ["at 2026-11-24T11:04:03Z"],
  },
  {
    name: "GET /api/v1/stats counts",
    url: "/api/v1/stats",
    status: 200,
    has: ['"changes":4700', '"waiting":3', '"event_loop_delay_ms":{"p50":', '"states":3'],
  },
  {
    name: "GET /api/v1/filter/explain explains",
    url: "/api/v1/filter/explain?entity_id=sensor.x",
    status: 200,
    has: ['"entity_id":"sensor.x","recorded":true,"reason":"no filter is configured"'],
  },
  {
    name: "GET /api/v1/filter/explain judges the entity of a registry id",
    url: "/api/v1/filter/explain?entity_id=id_of_light.hall",
    status: 200,
    has: ['"entity_id":"id_of_light.hall","current_entity_id":"light.hall","recorded":true'],
  },
  ...["foo", "a.b,c.d", "Sensor.X", "sensor.", "09a8d072", "sensor.a b"].map((entityId) => ({
    name: `GET /api/v1/filter/explain refuses "${entityId}"`,
    url: `/api/v1/filter/explain?entity_id=${encodeURIComponent(entityId)}`,
    status: 400,
    has: ['"code":"invalid"', `\\"${entityId}\\"`, "like sensor.hall"],
  })),
  {
    name: "GET /api/v1/filter/explain needs an entity",
    url: "/api/v1/filter/explain",
    status: 400,
    has: ["entity_id", "missing"],
  },
  {
    name: "POST /internal/devices/bulk_upsert reports",
    method: "POST",
    url: "/internal/devices/bulk_upsert",
    body: '[{"id":"a"}]',
    status: 200,
    has: ['"success":true,"upserted":1,"failed":[]'],
  },
  {
    name: "POST /internal/entities/bulk_upsert refuses an empty body",
    method: "POST",
    url: "/internal/entities/bulk_upsert",
    body: "",
    status: 400,
    has: ["empty"],
  },
  {
    name: "POST /internal/entities/bulk_upsert refuses another type",
    method: "POST",
    url: "/internal/entities/bulk_upsert",
    body: "a",
    type: "text/plain",
    status: 415,
    has: ["application/json"],
  },
  {
    name: "a slash at the end of a path changes nothing",
    url: "/api/devices/?limit=1",
    status: 200,
    has: ['"limit":1'],
  },
  {
    name: "unknown paths are 404",
    url: "/api/nope",
    status: 404,
    has: ['{"code":"not_found","message":"Cannot find anything at \\"/api/nope\\""}'],
  },
  {
    name: "unknown methods are 405",
    method: "PATCH",
    url: "/api/devices/d1",
    body: {},
    status: 405,
    has: ["method_not_allowed", "DELETE"],
  },
  { name: "HEAD of the stream is 405", method: "HEAD", url: "/api/v1/stream", status: 405 },
  { name: "OPTIONS is answered", method: "OPTIONS", url: "/api/devices", status: 204 },
  {
    name: "unknown methods are 405 with a slash at the end, too",
    method: "PUT",
    url: "/api/devices/?q=x",
    status: 405,
  },
  { name: "OPTIONS is answered with one, too", method: "OPTIONS", url: "/api/devices/d1/", status: 204 },
  { name: "HEAD is answered without a body", method: "HEAD", url: "/api/devices/d1", status: 200, lacks: ["d1"] },
  {
    name: "malformed escapes in a query are 400, and not text that nothing fits",
    url: "/api/devices?q=K%FCche",
    status: 400,
    has: ['{"code":"invalid","message":"Cannot read the query: after a \\"%\\" come two digits'],
  },
  { name: "so is a lone sign", url: "/api/devices?q=100%", status: 400, has: ["%25"] },
  { name: "well-formed ones are text", url: "/api/devices?q=100%25+K%C3%BCche", status: 200 },
  { name: "probes may send any", url: "/ready?%FF", status: 200 },
  { name: "so may clients of InfluxDB", method: "HEAD", url: "/ping?db=K%FCche", status: 204 },
  { name: "also where they write", method: "POST", url: "/write?db=K%FCche", status: 204 },
  { name: "malformed escapes are 400", url: "/api/devices/%ff", status: 400, has: ["well-formed URL"] },
  {
    name: "over-long ids are refused",
    url: `/api/devices/${"x".repeat(1_001)}`,
    status: 414,
    has: ['"code":"too_large"'],
  },
  { name: "long ids are taken", url: `/api/devices/${"x".repeat(1_000)}`, status: 404, has: ["Cannot find device"] },
  { name: "long ids are asked for by filters, too", url: `/api/entities?device_id=${"x".repeat(1_000)}`, status: 200 },
  { name: "over-long ones are 400 there", url: `/api/entities?device_id=${"x".repeat(1_001)}`, status: 400 },
];

function injection({ method = "GET", url, body, type }: Case): InjectOptions {
  if (body === undefined) return { method, url };
  const payload = typeof body === "string" || body instanceof Buffer ? body : JSON.stringify(body);
  return { method, url, payload, headers: { "content-type": type ?? "application/json" } };
}

for (const one of CASES) {
  test(`createApi(): ${one.name}`, async (t) => {
    const api = await createApi(apiOptions());
    t.after(() => api.close());
    const response = await api.inject(injection(one));
    assert.equal(response.statusCode, one.status, response.body);
    for (const part of one.has ?? []) assert.ok(response.body.includes(part), `${part} is not in ${response.body}`);
    for (const part of one.lacks ?? []) assert.ok(!response.body.includes(part), `${part} is in ${response.body}`);
    if (one.status >= 400 && one.method !== "HEAD") {
      assert.deepEqual(Object.keys(response.json()), ["code", "message"]);
      assert.equal(response.headers["content-type"], "application/json; charset=utf-8");
    }
    assert.equal(response.headers["x-content-type-options"], "nosniff");
  });
}

async function started(t: { after(end: () => unknown): void }, more: Parameters<typeof apiOptions>[0] = {}) {
  const options = apiOptions(more);
  const api = await createApi(options);
  t.after(() => api.close());
  return { api, options };
}

test("createApi() hands filters on under the contract's names", async (t) => {
  const { api, options } = await started(t);
  await api.inject(
    "/api/devices?manufacturer=P&model=M&area_id=a&platform=hue&label=l&q=x&sort=-name&include_removed=true&limit=7",
  );
  await api.inject(
    "/api/entities?domain=light&device_id=d&area_id=a&platform=p&label=l&entity_category=config&device_class=door",
  );
  assert.deepEqual(JSON.parse(JSON.stringify(options.home.asked)), [
    {
      limit: 7,
      sort: "-name",
      q: "x",
      includeRemoved: true,
      manufacturer: "P",
      model: "M",
      label: "l",
      integration: "hue",
      areaId: "a",
    },
    {
      limit: 100,
      domains: ["light"],
      platform: "p",
      label: "l",
      deviceId: "d",
      areaId: "a",
      entityCategory: "config",
      deviceClass: "door",
    },
  ]);
});

test("POST /api/devices answers 200 when the device was there, and DELETE removes it", async (t) => {
  const { api } = await started(t);
  const post = (name: string) =>
    api.inject({ method: "POST", url: "/api/devices", payload: { device_id: "a b", name } });
  const first = await post("One");
  assert.equal(first.statusCode, 201);
  assert.equal(first.headers.location, "/api/devices/a%20b");
  const second = await post("Two");
  assert.equal(second.statusCode, 200);
  assert.equal(second.json().name, "Two");
  const removed = await api.inject({ method: "DELETE", url: "/api/devices/a%20b" });
  assert.deepEqual([removed.statusCode, removed.body], [204, ""]);
  assert.equal((await api.inject("/api/devices/a%20b")).statusCode, 404);
});

test("POST /internal/*/bulk_upsert hands the bytes on and reports each bad row", async (t) => {
  const { api, options } = await started(t);
  options.home.bulkReport = { upserted: 2, failed: [{ index: 1, id: "light.x", message: "no platform" }] };
  const payload = `[ {"entity_id":"light.ü"}, {}, 5 ]${" ".repeat(2 * 1024 * 1024)}`;
  const headers = { "content-type": "application/json" };
  const response = await api.inject({ method: "POST", url: "/internal/entities/bulk_upsert", payload, headers });
  assert.equal(response.statusCode, 200);
  const { timestamp, ...report } = response.json();
  assert.match(timestamp, /Z$/);
  assert.deepEqual(report, { success: false, ...options.home.bulkReport });
  assert.deepEqual(options.home.bulk, [{ kind: "entity", text: payload }]);
});

test("POST /internal/*/bulk_upsert refuses a body that is too long, announced or not", async (t) => {
  const { api, options } = await started(t);
  const headers = { "content-type": "application/json" };
  const whole = Buffer.alloc(BULK_BODY_BYTES_MAX + 1, " ");
  for (const payload of [whole, Readable.from([whole.subarray(1), whole.subarray(0, 1)])]) {
    const response = await api.inject({ method: "POST", url: "/internal/devices/bulk_upsert", payload, headers });
    assert.equal(response.statusCode, 413);
    assert.equal(response.json().code, "too_large");
  }
  assert.deepEqual(options.home.bulk, []);
});

test("POST /internal/*/bulk_upsert takes four at a time, and again when they are done", async (t) => {
  const { api, options } = await started(t);
  const { promise: done, resolve: finish } = Promise.withResolvers<void>();
  let begun = 0;
  options.home.bulkUpsert = async () => {
    begun++;
    await done;
    return { upserted: 1, failed: [] };
  };
  const headers = { "content-type": "application/json" };
  const post = () => api.inject({ method: "POST", url: "/internal/devices/bulk_upsert", payload: "[{}]", headers });
  const taken = Array.from({ length: 4 }, post);
  while (begun < 4) await turn();
  const refused = await post();
  assert.equal(refused.statusCode, 503);
  assert.equal(refused.json().code, "unavailable");
  finish();
  for (const response of await Promise.all(taken)) assert.equal(response.statusCode, 200);
  assert.equal((await post()).statusCode, 200);
});

test("GET /ready answers 503 until the home was read once", async (t) => {
  const status = apiOptions().status;
  const { api } = await started(t, { status: { ...status, ingest: () => ({ ...INGESTING, homeKnown: false }) } });
  const response = await api.inject("/ready");
  assert.equal(response.statusCode, 503);
  assert.match(response.json().reasons[0], /are being read/);
});

test("GET /ready answers 503 with every reason, and notes beside them", async (t) => {
  const { api, options } = await started(t, {
    status: {
      homeAssistant: () => ({ ...CONNECTED, state: "refused", reason: "the token is not accepted: look at HA_TOKEN" }),
      ingest: () => ({ ...INGESTING, synchronizing: true }),
      store: () => ({ ...STORING, writable: false, reason: "disk is full", loss: "timeseries.db was damaged" }),
      lines: apiOptions().status.lines,
      gaps: () => GAPS,
      backfill: () => ({ filling: 2, questions: 3, rows: 200, samples: 100, failures: 1, rollups: 7 }),
      rulesFault: () => "Unknown key exclud",
      unknownNames: () => ['filter.include.areas: "kitchn"', 'retention[0].labels: "noisi"'],
      startFault: "Cannot use the demo's directory",
      targets: () => [],
      weather: () => null,
      engine: "parquet",
    },
  });
  options.home.failure = new Error("file is not a database");
  const response = await api.inject("/ready");
  assert.equal(response.statusCode, 503);
  assert.deepEqual(response.json(), {
    status: "not_ready",
    reasons: [
      "Home Assistant is refused: the token is not accepted: look at HA_TOKEN",
      "The time-series store takes no writes: disk is full",
      "The database of the home is unhealthy: file is not a database",
    ],
    notes: [
      "The program goes on as it was: Cannot use the demo's directory",
      "The rules of ha-ingestor.yaml are not followed, those before it are: Unknown key exclud",
      'The rules of ha-ingestor.yaml name what the home does not have: filter.include.areas: "kitchn", retention[0].labels: "noisi"',
      "A gap is being filled from Home Assistant's history (crash, 50 % of its span)",
      "The home is being read",
      "timeseries.db was damaged",
    ],
  });
  const health = await api.inject("/health");
  assert.equal(health.statusCode, 200);
  assert.equal(health.json().dependencies.sqlite.status, "unhealthy");
  assert.equal(health.json().dependencies.timeseries.status, "unhealthy");
});

test("GET /ready says beside each reason how to make room, where that is why", async (t) => {
  const full = new AppError("unavailable", "Cannot fold the log: the disk is full");
  const remedy = (error: unknown) => (error === full ? "Free some room" : null);
  const { status } = apiOptions();
  let storing = { ...STORING, writable: false, reason: "the disk is full", failure: full as unknown };
  const { api, options } = await started(t, { remedy, status: { ...status, store: () => storing } });
  options.home.failure = new Error("locked");
  const ready = async () => (await api.inject("/ready")).json();
  assert.deepEqual((await ready()).reasons, [
    "The time-series store takes no writes: the disk is full. Free some room",
    "The database of the home is unhealthy: locked",
  ]);
  storing = { ...STORING, reason: full.message, failure: full };
  options.home.failure = full;
  const { reasons, notes } = await ready();
  assert.deepEqual(reasons, [`The database of the home is unhealthy: ${full.message}. Free some room`]);
  assert.deepEqual(notes, [
    `Samples reach the disk, but stay in the log, which grows: ${full.message}. Free some room`,
  ]);
  assert.doesNotMatch((await api.inject("/health")).body, /failure/);
});

test("GET /ready notes a log that cannot be carried over, before it has no room left", async (t) => {
  const { status } = apiOptions();
  const reason = "Cannot fold the log: database or disk is full";
  const { api } = await started(t, { status: { ...status, store: () => ({ ...STORING, reason }) } });
  const response = await api.inject("/ready");
  assert.equal(response.statusCode, 200);
  assert.deepEqual(response.json().notes, [
    "Samples reach the disk, but stay in the log, which grows: Cannot fold the log: database or disk is full",
  ]);
});

test("createApi() marks a demo in the page, in /health, in the reference and in each answer", async (t) => {
  const { api } = await started(t, { demo: true });
  assert.match((await api.inject("/")).body, /DEMO/);
  assert.equal((await api.inject("/health")).json().demo, true);
  assert.match((await api.inject("/openapi.json")).json().info.title, /DEMO/);
  for (const url of ["/api/v1/states", "/api/devices/%ff"]) {
    assert.equal((await api.inject(url)).headers["x-demo"], "simulated home");
  }
});

const FAILURES: readonly [error: Error, status: number, body: object][] = [
  [
    new AppError("unavailable", "Cannot read: disk is gone"),
    503,
    { code: "unavailable", message: "Cannot read: disk is gone" },
  ],
  [new AppError("too_large", "Too much"), 413, { code: "too_large", message: "Too much" }],
  [
    new WorkerFailure({ name: "AppError", code: "unavailable", message: "Cannot write" }),
    503,
    { code: "unavailable", message: "Cannot write" },
  ],
  [
    new WorkerFailure({ name: "Error", code: "ERR_SQLITE_ERROR", message: "secret path" }),
    500,
    { code: "internal", message: "Internal error" },
  ],
  [new Error("secret path"), 500, { code: "internal", message: "Internal error" }],
  [Object.assign(new Error("secret path"), { statusCode: 500 }), 500, { code: "internal", message: "Internal error" }],
];
for (const [failure, status, body] of FAILURES) {
  test(`sendError() answers ${status} to a ${failure.name} "${failure.message}"`, async (t) => {
    const lines: string[] = [];
    const { api, options } = await started(t, { log: pino({}, { write: (line: string) => void lines.push(line) }) });
    options.home.failure = failure;
    const response = await api.inject("/api/devices");
    assert.equal(response.statusCode, status);
    assert.deepEqual(response.json(), body);
    assert.equal(response.headers["retry-after"], status === 503 ? "5" : undefined);
    // Logged whole when the caller cannot act on it, and only then.
    assert.equal(lines.length, status === 500 ? 1 : 0);
    if (status === 500) assert.match(lines[0]!, /secret path.*server\.test\.ts/);
  });
}

test("sendError() says beside what is unavailable how to make room, where that is why, in the form of each path", async (t) => {
  const full = new AppError("unavailable", "Cannot write");
  const lines = { ...apiOptions().lines, write: () => Promise.reject(full) };
  const { api, options } = await started(t, { lines, remedy: (error) => (error === full ? "Free some room" : null) });
  options.home.failure = full;
  const message = "Cannot write. Free some room";
  assert.deepEqual((await api.inject("/api/devices")).json(), { code: "unavailable", message });
  const write = { method: "POST", url: "/write", payload: "cpu v=1" } as const;
  assert.deepEqual((await api.inject(write)).json(), { error: message });
  options.home.failure = new AppError("not_found", "Cannot find it");
  assert.equal((await api.inject("/api/devices")).json().message, "Cannot find it");
});

async function listening(t: { after(end: () => unknown): void }): Promise<{ api: Api; port: number }> {
  const { api } = await started(t);
  const url = await api.listen({ host: "127.0.0.1", port: 0 });
  return { api, port: Number(new URL(url).port) };
}

test("createApi() refuses what is no HTTP in the same form", async (t) => {
  const { port } = await listening(t);
  const answer = await exchange(port, "THIS IS NOT HTTP\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 400 Bad Request\r\n/);
  assert.match(answer, /\r\n\r\n\{"code":"invalid","message":"Cannot read the request/);
});

for (const url of ["/api/devices", "/internal/entities/bulk_upsert"]) {
  test(`POST ${url} says that it takes no packed body`, async (t) => {
    const { api } = await started(t);
    const headers = { "content-type": "application/json", "content-encoding": "gzip" };
    const packed = await api.inject({ method: "POST", url, headers, payload: gzipSync("[]") });
    assert.deepEqual(packed.json(), {
      code: "unsupported_media_type",
      message: 'Cannot read the body: it is packed (Content-Encoding "gzip"); send it as it is',
    });
    assert.equal(packed.statusCode, 415);
    const plain = { ...headers, "content-encoding": "Identity" };
    assert.notEqual((await api.inject({ method: "POST", url, headers: plain, payload: "[]" })).statusCode, 415);
  });
}

test("createApi() lets go of a connection that brought no HTTP, also where the caller keeps it", async (t) => {
  const { api, port } = await listening(t);
  const socket = connect({ port, host: "127.0.0.1", allowHalfOpen: true }, () =>
    socket.write("THIS IS NOT HTTP\r\n\r\n"),
  );
  t.after(() => socket.destroy());
  await once(socket.resume(), "end");
  const held = () => new Promise<number>((resolve) => api.server.getConnections((_, count) => resolve(count)));
  const deadline = performance.now() + 10_000;
  while ((await held()) > 0) {
    assert.ok(performance.now() < deadline, "it is still held after 10 seconds");
    await sleep(100);
  }
});

test("createApi() refuses over-long addresses with 431, and takes 200 long entity ids", async (t) => {
  const { port } = await listening(t);
  const get = (path: string) => exchange(port, `GET ${path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n`);
  const answer = await get(`/api/v1/states?q=${"x".repeat(70_000)}`);
  assert.match(answer, /^HTTP\/1\.1 431 /);
  assert.match(answer, /\{"code":"too_large"/);
  const ids = Array.from({ length: 200 }, (_, i) => `sensor.${"x".repeat(240)}${i}`).join(",");
  assert.match(await get(`/api/v1/states?entity_id=${ids}`), /^HTTP\/1\.1 200 /);
});

test("createApi() answers a sender who reads after all of a large body of another type", async (t) => {
  const { port } = await listening(t);
  const body = "x".repeat(20 * 1024 * 1024);
  const answer = await exchange(
    port,
    `POST /api/devices HTTP/1.1\r\nHost: localhost\r\nContent-Type: text/xml\r\nContent-Length: ${body.length}\r\n\r\n${body}` +
      "GET /api/devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
  );
  const [, refusal, next] = answer.split("HTTP/1.1 ");
  assert.match(refusal!, /^415 /);
  assert.match(next!, /^200 /);
});

for (const chunked of [false, true]) {
  test(`createApi() answers a sender who reads after all of a body that is too large${chunked ? ", in chunks" : ""}`, async (t) => {
    const { port } = await listening(t);
    // More than the system takes in for a program that does not read.
    const body = "x".repeat(20 * 1024 * 1024);
    const framing = chunked
      ? `Transfer-Encoding: chunked\r\n\r\n${body.length.toString(16)}\r\n${body}\r\n0\r\n\r\n`
      : `Content-Length: ${body.length}\r\n\r\n${body}`;
    const answer = await exchange(
      port,
      `POST /api/devices HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n${framing}` +
        "GET /api/devices HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
    );
    const [, tooLarge, next] = answer.split("HTTP/1.1 ");
    assert.match(tooLarge!, /^413 /);
    assert.match(tooLarge!, /"Cannot read the body: it is larger than 1048576 bytes; send less at a time"/);
    assert.match(next!, /^200 /);
  });
}

test("createApi() bounds connections and slow senders", async (t) => {
  const { api } = await listening(t);
  assert.ok(api.server.maxConnections > 0);
  assert.ok(api.server.headersTimeout > 0 && api.server.headersTimeout <= 15_000);
  assert.ok(api.server.requestTimeout > 0);
  assert.ok(api.server.timeout > 0);
});

test("/metrics times requests by route, never by path", async (t) => {
  const { api } = await started(t);
  await api.inject("/api/devices/d1");
  await api.inject("/secret-path");
  const { body } = await api.inject("/metrics");
  assert.match(
    body,
    /http_request_duration_seconds_count\{method="GET",route="\/api\/devices\/:device_id",status="200"\} 1/,
  );
  assert.match(body, /route="unknown",status="404"\} 1/);
  assert.ok(!body.includes("secret-path"));
});

test("GET /api/entities/{id} tells a removed entity by removed_at", async (t) => {
  const { api, options } = await started(t);
  const removed = { removed_at: "2026-11-24T11:04:03.577164Z", state: null };
  options.home.entityRows.set("light.old", entityRow("light.old", removed));
  const response = await api.inject("/api/entities/light.old");
  assert.equal(response.statusCode, 200);
  assert.equal(response.json().removed_at, removed.removed_at);
});

test("createSportsApi() has health and the same errors", async (t) => {
  const { access, log, version, demo, webhooks, remedy } = apiOptions();
  const api = await createSportsApi({ access, log, version, demo, webhooks, remedy });
  t.after(() => api.close());
  const health = await api.inject("/health");
  assert.equal(health.statusCode, 200);
  assert.equal(health.json().service, "ha-ingestor");
  assert.deepEqual((await api.inject("/nope")).json(), {
    code: "not_found",
    message: 'Cannot find anything at "/nope"',
  });
  assert.equal((await api.inject({ url: "/health", headers: { host: "evil.example" } })).statusCode, 403);
});
