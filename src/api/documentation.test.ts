import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { TSchema } from "typebox";
import { Compile } from "typebox/compile";
import { GAP_REASONS, GAP_STATES } from "../domain/gaps.ts";
import { GROUPINGS } from "../domain/home-store.ts";
import { openTestHome } from "../metadata/testing.ts";
import { AT_MICROS, apiOptions } from "../testing/api-doubles.ts";
import { resolved } from "../testing/openapi.ts";
import { createSportsDouble } from "../testing/sports-double.ts";
import { GAME_STATUSES } from "./game-lists.ts";
import { createApi, createSportsApi } from "./server.ts";
import { STATISTICS_TYPES } from "./statistics-buckets.ts";

interface Operation {
  readonly operationId?: string;
  readonly summary?: string;
  readonly tags?: readonly string[];
  readonly parameters?: readonly {
    readonly name: string;
    readonly in: string;
    readonly required?: boolean;
    readonly description?: string;
    readonly schema: { readonly enum?: readonly string[] };
  }[];
  readonly requestBody?: { readonly required?: boolean } & Documented;
  readonly responses: Readonly<Record<string, Documented>>;
}

interface Documented {
  readonly description?: string;
  readonly content?: Readonly<Record<string, { readonly schema: TSchema & { readonly $ref?: string } }>>;
}

interface OpenApi {
  readonly openapi: string;
  readonly tags: readonly { readonly name: string; readonly description: string }[];
  readonly paths: Readonly<Record<string, Readonly<Record<string, Operation>>>>;
  readonly components: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
}

async function documented(t: { after(end: () => unknown): void }) {
  const options = apiOptions();
  const api = await createApi(options);
  t.after(() => api.close());
  return { options, api, document: (await api.inject("/openapi.json")).json() as OpenApi };
}

/** Both ports with everything that they can have. */
async function everything(t: { after(end: () => unknown): void }) {
  const options = { ...apiOptions(), sports: (await createSportsDouble()).sources };
  const apis = [await createApi(options), await createSportsApi(options)];
  t.after(() => Promise.all(apis.map((api) => api.close())));
  return Promise.all(
    apis.map(async (api) => ({ api, document: (await api.inject("/openapi.json")).json() as OpenApi })),
  );
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
    "delete /api/v1/setup/demo",
    "get /api/areas",
    "get /api/devices",
    "get /api/devices/reliability",
    "get /api/devices/{device_id}",
    "get /api/entities",
    "get /api/entities/{entity_id}",
    "get /api/integrations",
    "get /api/integrations/{platform}/analytics",
    "get /api/integrations/{platform}/performance",
    "get /api/v1/dead-letters",
    "get /api/v1/events",
    "get /api/v1/events/automation-trace/{context_id}",
    "get /api/v1/events/categories",
    "get /api/v1/events/search",
    "get /api/v1/events/stats",
    "get /api/v1/events/trace/{context_id}",
    "get /api/v1/events/{event_id}",
    "get /api/v1/filter/explain",
    "get /api/v1/gaps",
    "get /api/v1/history",
    "get /api/v1/mirrors",
    "get /api/v1/setup",
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
    "post /api/v1/events/search",
    "post /api/v1/setup/demo",
    "post /api/v1/setup/home-assistant",
    "post /api/v2/write",
    "post /internal/backup",
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
  for (const [name, operation] of operations(document)) {
    assert.ok(operation.summary, `${name} has no summary`);
    assert.equal(operation.tags?.length, 1, `${name} has no tag`);
    for (const parameter of operation.parameters ?? []) {
      assert.ok(parameter.description, `${name} does not describe ${parameter.name}`);
    }
    const isInfluxdb = operation.tags?.[0] === "line protocol";
    const bodiless = [
      "post /internal/backup",
      "post /internal/retention",
      "post /internal/seal",
      "post /api/v1/dead-letters/replay",
      "post /api/v1/setup/demo",
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

const NOUNS = [
  ...[
    "Area",
    "DeadLetter",
    "Delivery",
    "Device",
    "Entity",
    "Error",
    "Event",
    "FollowedGame",
    "FollowedTeam",
    "Game",
    "GameTeam",
  ],
  ...["Gap", "Integration", "Mirror", "Score", "State", "StatisticsBucket", "StoredSeries", "Team"],
  ...["TraceStep", "Webhook"],
  "WholeDelivery",
];

test("/openapi.json describes each noun once, by its name", async (t) => {
  const [data, sports] = await everything(t);
  assert.deepEqual(Object.keys(data!.document.components.schemas!).sort(), NOUNS);
  for (const { document } of [data!, sports!]) {
    const text = JSON.stringify(document);
    for (const noun of Object.keys(document.components.schemas!)) {
      assert.ok(text.includes(`{"$ref":"#/components/schemas/${noun}"}`), `nothing refers to ${noun}`);
    }
    const schemaOf = (path: string) =>
      document.paths[path]!.get!.responses["200"]!.content!["application/json"]!.schema;
    for (const path of ["/api/v1/games/{id}", "/api/v1/webhooks/{webhook_id}"]) {
      assert.match(schemaOf(path).$ref ?? "", /\/(Game|Webhook)$/);
    }
  }
});

const EVENT_SPAN = `start=${AT_MICROS / 1000 - 1}&end=${AT_MICROS / 1000 + 1}`;
const EXAMPLES: Readonly<Record<string, string>> = {
  "/api/integrations/{platform}/analytics": "/api/integrations/hue/analytics",
  "/api/integrations/{platform}/performance": `/api/integrations/hue/performance?${EVENT_SPAN}`,
  "/api/devices/reliability": `/api/devices/reliability?${EVENT_SPAN}`,
  "/api/devices/{device_id}": "/api/devices/d1",
  "/api/entities/{entity_id}": "/api/entities/light.hall",
  "/api/v1/states/{entity_id}": "/api/v1/states/sensor.hall",
  "/api/v1/webhooks/deliveries/{delivery_id}": "/api/v1/webhooks/deliveries/1",
  "/api/v1/webhooks/{webhook_id}": "/api/v1/webhooks/wh_1",
  "/api/v1/webhooks/{webhook_id}/deliveries": "/api/v1/webhooks/wh_1/deliveries",
  "/api/v1/storage": "/api/v1/storage?retention=true",
  "/query": "/query?q=SHOW%20DATABASES",
  "/api/v1/filter/explain": "/api/v1/filter/explain?entity_id=light.hall",
  "/api/v1/events": `/api/v1/events?${EVENT_SPAN}`,
  "/api/v1/events/search": `/api/v1/events/search?q=hall&fields=state,entity_id&${EVENT_SPAN}`,
  "/api/v1/events/stats": `/api/v1/events/stats?${EVENT_SPAN}`,
  "/api/v1/events/trace/{context_id}": "/api/v1/events/trace/01ABC",
  "/api/v1/events/automation-trace/{context_id}": "/api/v1/events/automation-trace/01ABC",
  "/api/v1/events/{event_id}": `/api/v1/events/${AT_MICROS}-id_of_light.hall`,
  "/api/v1/history": "/api/v1/history?entity_id=light.hall,sensor.hall&start=0&end=10",
  "/api/v1/statistics": "/api/v1/statistics?entity_id=light.hall,sensor.hall&start=0&end=3600001",
};

test("/openapi.json describes what is answered: every GET fits its own schema", async (t) => {
  const { api, document, options } = await documented(t);
  options.samples.add("light.hall", "state", null, [[5_000, "on"]]);
  let checked = 0;
  for (const [name, operation] of operations(resolved(document))) {
    const schema = operation.responses["200"]?.content?.["application/json"]?.schema;
    if (!name.startsWith("get ") || schema === undefined) continue;
    const path = name.slice(4);
    const response = await api.inject(EXAMPLES[path] ?? path);
    assert.equal(response.statusCode, 200, `${name}: ${response.body}`);
    const faults = Compile(schema).Errors(response.json());
    assert.deepEqual(faults, [], `${name} does not fit`);
    checked++;
  }
  assert.equal(checked, 36);
});

test("/openapi.json of the sports API says what it is", async (t) => {
  const api = await createSportsApi(apiOptions());
  t.after(() => api.close());
  const document = (await api.inject("/openapi.json")).json() as OpenApi;
  const others = Object.keys(document.paths).filter((path) => !path.includes("/webhooks/"));
  assert.deepEqual(others.sort(), ["/health", "/openapi.json"]);
});

/** What each list says of its elements, at whatever depth. */
function itemsIn(part: unknown): unknown[] {
  if (typeof part !== "object" || part === null) return [];
  const own = (part as { type?: unknown }).type === "array" ? [(part as { items?: unknown }).items] : [];
  return [...own, ...Object.values(part).flatMap(itemsIn)];
}

test("/openapi.json describes the elements of every list with a schema that generators of clients read", async (t) => {
  let lists = 0;
  for (const { document } of await everything(t)) {
    for (const items of itemsIn(document)) {
      assert.ok(typeof items === "object" && !Array.isArray(items), JSON.stringify(items));
      lists++;
    }
  }
  assert.ok(lists > 50, String(lists));
});

/** Every schema of a document with `anyOf`. */
function choicesIn(part: unknown): unknown[][] {
  if (typeof part !== "object" || part === null) return [];
  const { anyOf } = part as { anyOf?: unknown };
  return [...(Array.isArray(anyOf) ? [anyOf as unknown[]] : []), ...Object.values(part).flatMap(choicesIn)];
}

test("/openapi.json says of nothing that it is a choice with null: generators of clients read a type with null", async (t) => {
  for (const { document } of await everything(t)) {
    for (const choice of choicesIn(document)) {
      assert.ok(!choice.some((one) => (one as { type?: unknown }).type === "null"), JSON.stringify(choice));
    }
    const { Webhook, Game } = document.components.schemas as Record<string, { properties: Record<string, unknown> }>;
    assert.deepEqual(Webhook!.properties.team, { type: ["string", "null"], description: "Only games of this team" });
    const { oneOf } = Game!.properties.score as { oneOf: unknown };
    assert.deepEqual(oneOf, [{ $ref: "#/components/schemas/Score" }, { type: "null" }]);
  }
});

test("/openapi.json describes the tags of its operations, and no others", async (t) => {
  for (const { document } of await everything(t)) {
    const borne = operations(document).flatMap(([, { tags }]) => tags);
    assert.deepEqual(document.tags.map(({ name }) => name).sort(), [...new Set(borne)].sort());
    for (const { description } of document.tags) assert.ok(description);
  }
});

test("/openapi.json names each operation, and no two alike", async (t) => {
  for (const { document } of await everything(t)) {
    const ids = operations(document).map(([, { operationId }]) => operationId);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id ?? "", /^[a-z][A-Za-z0-9]+$/);
  }
});

test("/openapi.json names operations by method and path, so that programs made from it stay as they are", async (t) => {
  const { document } = await documented(t);
  const idOf = (method: string, path: string) => document.paths[path]![method]!.operationId;
  assert.equal(idOf("get", "/api/devices"), "getApiDevices");
  assert.equal(idOf("get", "/api/devices/{device_id}"), "getApiDevicesByDeviceId");
  assert.equal(idOf("post", "/internal/entities/bulk_upsert"), "postInternalEntitiesBulkUpsert");
  assert.equal(idOf("get", "/api/v1/dead-letters"), "getApiV1DeadLetters");
  assert.equal(idOf("get", "/openapi.json"), "getOpenapiJson");
});

test("/openapi.json describes no content of 204, and some of all else", async (t) => {
  for (const { document } of await everything(t)) {
    for (const [name, { responses }] of operations(document)) {
      for (const [status, { content }] of Object.entries(responses)) {
        assert.equal(content === undefined, status === "204", `${name} ${status}`);
      }
    }
  }
});

/** A path in which every parameter is `value`. */
const filled = (path: string, value: string): string => path.replace(/\{\w+\}/g, value);

test("/openapi.json describes what HTTP itself refuses of each operation", async (t) => {
  const text = { "content-type": "text/plain" };
  const huge = { "content-type": "application/json", "content-length": "99999999" };
  let refused = 0;
  for (const { api, document } of await everything(t)) {
    for (const [name, { responses }] of operations(document)) {
      const [method = "", path = ""] = name.split(" ");
      // It never ends, and takes no body.
      if (path === "/api/v1/stream") continue;
      const ask = async (url: string, more: object): Promise<void> => {
        const { statusCode, body } = await api.inject({ method: method.toUpperCase() as "GET", url, ...more });
        const isDescribed = String(statusCode) in responses;
        assert.ok(isDescribed, `${name} answers ${statusCode}, which it does not describe: ${body.slice(0, 200)}`);
        if (statusCode > 404) refused++;
      };
      await ask(filled(path, "x".repeat(1001)), {});
      if (method === "get") continue;
      await ask(filled(path, "1"), { headers: text, payload: "x" });
      await ask(filled(path, "1"), { headers: huge, payload: "{}" });
    }
  }
  assert.ok(refused > 50, String(refused));
});

test("/openapi.json asks for a body where there must be one, and nowhere else", async (t) => {
  const optional: string[] = [];
  for (const { api, document } of await everything(t)) {
    for (const [name, { requestBody }] of operations(document)) {
      if (requestBody === undefined) continue;
      const [method = "", path = ""] = name.split(" ");
      const url = path === "/query" ? "/query?q=SHOW%20DATABASES" : filled(path, "wh_1");
      const { statusCode, body } = await api.inject({ method: method.toUpperCase() as "POST", url });
      assert.equal(statusCode === 400, requestBody.required === true, `${name} without a body: ${statusCode} ${body}`);
      if (!requestBody.required) optional.push(name);
    }
  }
  assert.deepEqual([...new Set(optional)].sort(), [
    "post /api/v1/webhooks/{webhook_id}/rotate",
    "post /api/v2/write",
    "post /query",
    "post /write",
  ]);
});

test("/openapi.json says all ways in which clients of InfluxDB ask", async (t) => {
  const { document } = await documented(t);
  const namesOf = ({ parameters = [] }: Operation) => parameters.map(({ name }) => name);
  const { get, post } = document.paths["/query"]!;
  assert.deepEqual(namesOf(get!), ["q", "db", "u", "p"]);
  assert.deepEqual(namesOf(post!), ["q", "db", "u", "p"]);
  assert.equal(get!.requestBody, undefined);
  // A form may have it in place of the address.
  assert.deepEqual(
    [get, post].map((one) => one!.parameters![0]!.required),
    [true, false],
  );
  const form = post!.requestBody!.content!["application/x-www-form-urlencoded"]!.schema;
  assert.deepEqual(Object.keys((form as { properties?: object }).properties!), ["q", "db"]);
  const precision = document.paths["/write"]!.post!.parameters!.find(({ name }) => name === "precision");
  assert.deepEqual(precision?.schema.enum, ["ns", "n", "us", "u", "ms", "s", "m", "h"]);
});

test("/openapi.json says the words of every closed set", async (t) => {
  const choices: Readonly<Record<string, readonly string[]>> = {
    "/api/v1/statistics period": ["5minute", "hour", "day", "week", "month"],
    "/api/v1/statistics group_by": ["home", ...GROUPINGS],
    "/api/v1/games/history status": [...GAME_STATUSES, "finished"],
    "/api/v1/webhooks/{webhook_id}/deliveries state": ["waiting", "delivered", "failed"],
  };
  const lists: Readonly<Record<string, readonly string[]>> = {
    "/api/v1/statistics types": [...STATISTICS_TYPES],
    "/api/v1/gaps state": [...GAP_STATES],
    "/api/v1/gaps reason": [...GAP_REASONS],
  };
  const [data] = await everything(t);
  const parameterAt = (place: string) => {
    const [path = "", name] = place.split(" ");
    return data!.document.paths[path]!.get!.parameters!.find((one) => one.name === name)!;
  };
  for (const [place, words] of Object.entries(choices)) assert.deepEqual(parameterAt(place).schema.enum, words, place);
  for (const [place, words] of Object.entries(lists)) {
    for (const word of words) assert.match(parameterAt(place).description!, new RegExp(`\\b${word}\\b`), place);
  }
});

test("/openapi.json says how many points there can be of several series, as the history has it", async (t) => {
  const { api, document } = await documented(t);
  const points = document.paths["/api/v1/history"]!.get!.parameters!.find(({ name }) => name === "points")!;
  const [, most] = /times the series (\d+) at most/.exec(points.description!) ?? [];
  const ask = (number: number) => api.inject(`/api/v1/history?entity_id=light.hall,sensor.hall&points=${number}`);
  assert.equal((await ask(Number(most) / 2)).statusCode, 200);
  assert.equal((await ask(Number(most) / 2 + 1)).statusCode, 400);
});

test("/openapi.json says the columns that lists of the home are sorted by, as the store has them", async (t) => {
  const { document } = await documented(t);
  const { home } = await openTestHome(t);
  for (const noun of ["devices", "entities", "areas", "integrations"] as const) {
    const parameter = document.paths[`/api/${noun}`]!.get!.parameters!.find(({ name }) => name === "sort")!;
    let refusal = "";
    try {
      home[noun]({ limit: 1, sort: "colour" });
    } catch (error) {
      refusal = (error as Error).message;
    }
    const columns = /choose one of ([\w, ]+), with/.exec(refusal)?.[1];
    assert.ok(columns && parameter.description!.includes(`${noun} by ${columns}`), `${noun}: ${columns}`);
  }
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

test("/docs bears the name and the icon of this program, and no mark of what draws it", async (t) => {
  const { api } = await documented(t);
  const { body } = await api.inject("/docs/");
  assert.match(body, /<title>HA Ingestor<\/title>/);
  const [, icon] = /<link rel="icon"[^>]* href="\.(\/[^"]+)"/.exec(body)!;
  const { statusCode, headers, body: drawn } = await api.inject(`/docs${icon}`);
  assert.deepEqual([statusCode, headers["content-type"]], [200, "image/svg+xml"]);
  assert.match(drawn, /<title>HA Ingestor<\/title>/);
  // The bar on top has the mark, and an address that can be changed to no other.
  assert.match((await api.inject("/docs/static/swagger-initializer.js")).body, /"layout":"BaseLayout"/);
});

test("/docs works below another path: it loads and tries nothing outside of it", async (t) => {
  const { api } = await documented(t);
  for (const url of ["/docs", "/docs/"]) {
    const { body } = await api.inject(url);
    assert.match(body, /src="\.\/(docs\/)?static\//);
    assert.doesNotMatch(body, /(src|href)="\//);
  }
  const { servers } = (await api.inject("/docs/json")).json<{ servers: unknown }>();
  assert.deepEqual(servers, [{ url: "../" }]);
});

test("/docs opens with whatever parameters it is asked for, below another path too", async (t) => {
  const { api } = await documented(t);
  for (const path of ["/docs", "/docs/"]) {
    const { statusCode, headers } = await api.inject(`${path}?lang=en&x=/`);
    assert.equal(statusCode, 302, path);
    const there = `http://home.example/memory${path}`;
    assert.equal(new URL(String(headers.location), `${there}?lang=en&x=/`).href, there);
  }
});

test("docs/errors.md has a paragraph for every code", () => {
  const text = readFileSync(join(import.meta.dirname, "../../docs/errors.md"), "utf8");
  const codes = [...text.matchAll(/^## `(\w+)` \((\d+(?:, \d+)*)\)$/gm)].map((match) => match[1]);
  const expected = ["invalid", "unauthorized", "forbidden", "not_found", "conflict", "too_large", "unavailable"];
  assert.deepEqual(codes, [...expected, "method_not_allowed", "unsupported_media_type", "timeout", "internal"]);
});
