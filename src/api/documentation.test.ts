import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi, createSportsApi } from "./server.ts";

interface Operation {
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly { readonly name: string; readonly in: string; readonly description?: string }[];
  readonly requestBody?: unknown;
  readonly responses: Readonly<Record<string, Documented>>;
}

interface Documented {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema & { readonly $ref?: string } }>>;
}

interface OpenApi {
  readonly openapi: string;
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

async function documented(t: { after(end: () => unknown): void }) {
  const options = apiOptions();
  const api = await createApi(options);
  t.after(() => api.close());
  return { options, api, document: (await api.inject("/openapi.json")).json() as OpenApi };
}

function operations(document: OpenApi): [name: string, operation: Operation][] {
  return Object.entries(document.paths).flatMap(([path, methods]) =>
    Object.entries(methods).map(([method, operation]): [string, Operation] => [`${method} ${path}`, operation]),
  );
}

test("/openapi.json names every route but pages", async (t) => {
  const { document } = await documented(t);
  assert.equal(document.openapi, "3.1.0");
  const described = operations(document).map(([name]) => name);
  assert.deepEqual(described.filter((name) => !name.includes("/webhooks/")).sort(), [
    "delete /api/devices/{device_id}",
    "get /api/areas",
    "get /api/devices",
    "get /api/devices/{device_id}",
    "get /api/entities",
    "get /api/entities/{entity_id}",
    "get /api/integrations",
    "get /api/integrations/{platform}/analytics",
    "get /api/v1/dead-letters",
    "get /api/v1/filter/explain",
    "get /api/v1/gaps",
    "get /api/v1/history",
    "get /api/v1/mirrors",
    "get /api/v1/states",
    "get /api/v1/states/{entity_id}",
    "get /api/v1/statistics",
    "get /api/v1/stats",
    "get /api/v1/storage",
    "get /api/v1/stream",
    "get /health",
    "get /metrics",
    "get /openapi.json",
    "get /ping",
    "get /query",
    "get /ready",
    "post /api/devices",
    "post /api/v1/dead-letters/replay",
    "post /api/v2/write",
    "post /internal/devices/bulk_upsert",
    "post /internal/entities/bulk_upsert",
    "post /internal/retention",
    "post /internal/seal",
    "post /query",
    "post /write",
  ]);
});

/** Both ports have them. */
const WEBHOOK_ROUTES = [
  "delete /api/v1/webhooks/{webhook_id}",
  "get /api/v1/webhooks/dead-letters",
  "get /api/v1/webhooks/deliveries/{delivery_id}",
  "get /api/v1/webhooks/list",
  "get /api/v1/webhooks/{webhook_id}",
  "get /api/v1/webhooks/{webhook_id}/deliveries",
  "patch /api/v1/webhooks/{webhook_id}",
  "post /api/v1/webhooks/deliveries/{delivery_id}/replay",
  "post /api/v1/webhooks/register",
  "post /api/v1/webhooks/{webhook_id}/disable",
  "post /api/v1/webhooks/{webhook_id}/enable",
  "post /api/v1/webhooks/{webhook_id}/replay",
  "post /api/v1/webhooks/{webhook_id}/rotate",
  "post /api/v1/webhooks/{webhook_id}/test",
];

test("/openapi.json of both ports names every route of webhooks", async (t) => {
  const { document } = await documented(t);
  const sports = await createSportsApi(apiOptions());
  t.after(() => sports.close());
  const documents = [document, (await sports.inject("/openapi.json")).json() as OpenApi];
  for (const one of documents) {
    const described = operations(one).map(([name]) => name);
    assert.deepEqual(described.filter((name) => name.includes("/webhooks/")).sort(), WEBHOOK_ROUTES);
  }
});

test("/openapi.json is complete: summary, tag, described parameters, errors in the one form", async (t) => {
  const { document } = await documented(t);
  assert.deepEqual(Object.keys(document.components.securitySchemes!), ["token", "key"]);
  assert.deepEqual(Object.keys(document.components.schemas!), ["Error"]);
  for (const [name, operation] of operations(document)) {
    assert.ok(operation.summary, `${name} has no summary`);
    assert.equal(operation.tags?.length, 1, `${name} has no tag`);
    for (const parameter of operation.parameters ?? []) {
      assert.ok(parameter.description, `${name} does not describe ${parameter.name}`);
    }
    const isInfluxdb = operation.tags?.[0] === "line protocol";
    const bodiless = [
      "post /internal/retention",
      "post /internal/seal",
      "post /query",
      "post /api/v1/dead-letters/replay",
      "post /api/v1/webhooks/deliveries/{delivery_id}/replay",
      "post /api/v1/webhooks/{webhook_id}/disable",
      "post /api/v1/webhooks/{webhook_id}/enable",
      "post /api/v1/webhooks/{webhook_id}/test",
    ];
    const takesBody = /^(post|patch)/.test(name) && !bodiless.includes(name);
    assert.equal(operation.requestBody !== undefined, takesBody, `${name} does not describe its body`);
    const statuses = Object.keys(operation.responses);
    assert.ok(
      statuses.some((status) => status.startsWith("2")),
      `${name} has no good answer`,
    );
    for (const [status, { description, content }] of Object.entries(operation.responses)) {
      assert.ok(description && description !== "Default Response", `${name} does not describe ${status}`);
      const isError = !status.startsWith("2") && !(name === "get /ready" && status === "503");
      if (isError && isInfluxdb) assert.ok(content?.["application/json"], `${name} ${status}`);
      else if (isError)
        assert.equal(content?.["application/json"]?.schema.$ref, "#/components/schemas/Error", `${name} ${status}`);
    }
    for (const status of ["400", "401", "403", "5XX"]) assert.ok(statuses.includes(status), `${name} lacks ${status}`);
    if (name.includes("{")) assert.ok(statuses.includes("404"), `${name} lacks 404`);
  }
});

const EXAMPLES: Readonly<Record<string, string>> = {
  "/api/integrations/{platform}/analytics": "/api/integrations/hue/analytics",
  "/api/devices/{device_id}": "/api/devices/d1",
  "/api/entities/{entity_id}": "/api/entities/light.hall",
  "/api/v1/states/{entity_id}": "/api/v1/states/sensor.hall",
  "/api/v1/webhooks/deliveries/{delivery_id}": "/api/v1/webhooks/deliveries/1",
  "/api/v1/webhooks/{webhook_id}": "/api/v1/webhooks/wh_1",
  "/api/v1/webhooks/{webhook_id}/deliveries": "/api/v1/webhooks/wh_1/deliveries",
  "/api/v1/storage": "/api/v1/storage?retention=true",
  "/query": "/query?q=SHOW%20DATABASES",
  "/api/v1/filter/explain": "/api/v1/filter/explain?entity_id=light.hall",
  "/api/v1/history": "/api/v1/history?entity_id=light.hall,sensor.hall&start=0&end=10",
  "/api/v1/statistics": "/api/v1/statistics?entity_id=light.hall,sensor.hall&start=0&end=3600001",
};

test("/openapi.json describes what is answered: every GET fits its own schema", async (t) => {
  const { api, document, options } = await documented(t);
  options.samples.add("light.hall", "state", null, [[5_000, "on"]]);
  let checked = 0;
  for (const [name, operation] of operations(document)) {
    const schema = operation.responses["200"]?.content?.["application/json"]?.schema;
    if (!name.startsWith("get ") || schema === undefined) continue;
    const path = name.slice(4);
    const response = await api.inject(EXAMPLES[path] ?? path);
    assert.equal(response.statusCode, 200, `${name}: ${response.body}`);
    const faults = Compile(schema).Errors(response.json());
    assert.deepEqual(faults, [], `${name} does not fit`);
    checked++;
  }
  assert.equal(checked, 26);
});

test("/openapi.json of the sports API says what it is", async (t) => {
  const api = await createSportsApi(apiOptions());
  t.after(() => api.close());
  const document = (await api.inject("/openapi.json")).json() as OpenApi;
  const others = Object.keys(document.paths).filter((path) => !path.includes("/webhooks/"));
  assert.deepEqual(others.sort(), ["/health", "/openapi.json"]);
});

test("/docs asks nothing of anybody else", async (t) => {
  const { api } = await documented(t);
  for (const url of ["/docs/", "/docs/static/swagger-initializer.js"]) {
    const { statusCode, body, headers } = await api.inject(url);
    assert.equal(statusCode, 200);
    assert.doesNotMatch(body, /(src|href|url)\s*[=:]\s*["']?https?:/);
    assert.doesNotMatch(String(headers["content-security-policy"]), /https?:|upgrade-insecure/);
  }
  assert.match((await api.inject("/docs/static/swagger-initializer.js")).body, /"validatorUrl":null/);
});

test("docs/errors.md has a paragraph for every code", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
  const codes = [...text.matchAll(/^## `(\w+)` \((\d+(?:, \d+)*)\)$/gm)].map((match) => match[1]);
  const expected = ["invalid", "unauthorized", "forbidden", "not_found", "conflict", "too_large", "unavailable"];
  assert.deepEqual(codes, [...expected, "method_not_allowed", "unsupported_media_type", "timeout", "internal"]);
});
