import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { Compile } from "typebox/compile";
import type { Webhooks } from "../domain/webhook.ts";
import { silentLog } from "../lib/log.ts";
import { apiOptions, createWebhooksDouble } from "../testing/api-doubles.ts";
import { resolved } from "../testing/openapi.ts";
import { startReceiver } from "../webhooks/testing.ts";
import { openWebhooks } from "../webhooks/webhooks.ts";
import { createApi, createSportsApi } from "./server.ts";

const EXAMPLE = {
  url: "https://example.com/hook",
  events: ["game_started", "score_changed"],
  secret: "secret_key_16+_chars",
  team: "sf",
};
const REGISTER = "/api/v1/webhooks/register";

async function setup(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-webhook-routes-"));
  const receiver = await startReceiver();
  const webhooks = await openWebhooks({
    directory,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    allow: [`127.0.0.1:${receiver.port}`],
    retrySeconds: [60],
    timeoutSeconds: 5,
    version: "0.0.0",
    log: silentLog(),
  });
  const api = await createSportsApi({ ...apiOptions(), webhooks });
  t.after(async () => {
    await api.close();
    await webhooks.close();
    await receiver.close();
    rmSync(directory, { recursive: true });
  });
  const post = (url: string, payload?: object) => api.inject({ method: "POST", url, ...(payload ? { payload } : {}) });
  const register = async (more: object = {}): Promise<string> => {
    const { statusCode, body, json } = await post(REGISTER, { ...EXAMPLE, url: receiver.url, ...more });
    assert.equal(statusCode, 201, body);
    return json().webhook_id;
  };
  return { api, post, register, receiver, webhooks };
}

test("the seed's examples work word for word: register, list, delete", async (t) => {
  const { api, post } = await setup(t);
  const registered = await post(REGISTER, EXAMPLE);
  assert.equal(registered.statusCode, 201);
  const { webhook_id, message, warning: _, ...rest } = registered.json();
  assert.deepEqual(rest, { url: EXAMPLE.url, events: EXAMPLE.events, team: "sf" });
  assert.equal(typeof message, "string");
  const list = await api.inject("/api/v1/webhooks/list");
  assert.equal(list.statusCode, 200);
  const [item] = list.json().webhooks;
  assert.equal(item.secret, "***");
  assert.ok(!list.body.includes(EXAMPLE.secret));
  for (const field of ["id", "url", "events", "team", "created_at", "total_calls", "failed_calls", "enabled"]) {
    assert.ok(field in item, field);
  }
  assert.deepEqual([item.last_success, item.last_failure], [null, null]);
  const remove = () => api.inject({ method: "DELETE", url: `/api/v1/webhooks/${webhook_id}` });
  assert.equal((await remove()).statusCode, 204);
  assert.equal((await remove()).statusCode, 404);
});

const REFUSED: readonly [name: string, more: object, message: RegExp][] = [
  ["a short secret", { secret: "15_characters__" }, /"secret".*at least 16 characters/],
  ["a whsec_ secret that is no base64", { secret: "whsec_!!!!!!!!!!!!!!!" }, /"secret".*base64/],
  ["an unknown event", { events: ["game_started", "goal"] }, /"events" holds "goal"/],
  ["a wildcard that means nothing", { events: ["goal_*"] }, /"events"/],
  ["no events", { events: [] }, /"events" must be a list of 1 to 50/],
  ["events as a text", { events: "game_started" }, /"events" must be a list/],
  ["no URL", { url: undefined }, /"url" is missing/],
  ["what is no URL", { url: "hook" }, /"url" cannot be used: "hook" is no URL/],
  ["another scheme", { url: "ftp://example.com/" }, /"url".*http/],
  ["credentials in the URL", { url: "https://a:b@example.com/" }, /"url".*password/],
  ["a private address", { url: "http://192.168.1.5/" }, /"url".*private address; name it in WEBHOOK_ALLOW/],
  ["a local name", { url: "http://homeassistant.local:8123/api/webhook/x" }, /"url".*WEBHOOK_ALLOW/],
  ["state changes of the whole home", { events: ["state_changed"] }, /"entity" or "area"/],
  ["sport against league", { sport: "nfl", league: "nhl" }, /"sport" and "league"/],
  ["an unknown field", { colour: "red" }, /Unknown field "colour"/],
];
test("register refuses what cannot be, and names the field", async (t) => {
  const { api, post } = await setup(t);
  for (const [name, more, message] of REFUSED) {
    const { statusCode, json, body } = await post(REGISTER, { ...EXAMPLE, ...more });
    assert.equal(statusCode, 400, `${name}: ${body}`);
    assert.match(json().message, message, name);
    assert.ok(!body.includes(EXAMPLE.secret), name);
  }
  assert.deepEqual((await api.inject("/api/v1/webhooks/list")).json(), {
    webhooks: [],
    count: 0,
    total: 0,
    limit: 100,
    next_cursor: null,
  });
});

test("a name that does not resolve is accepted with a warning, a generated secret is shown once", async (t) => {
  const { api, post } = await setup(t);
  const answer = await post(REGISTER, { url: "https://no-such-host.invalid/", events: ["game.*", "game_start"] });
  assert.equal(answer.statusCode, 201);
  assert.match(answer.json().warning, /does not resolve/);
  assert.deepEqual(answer.json().events, ["game_*", "game_started"]);
  assert.match(answer.json().secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
  assert.ok(!(await api.inject("/api/v1/webhooks/list")).body.includes("whsec_"));
});

test("PATCH changes what is given and keeps the rest", async (t) => {
  const { api, register } = await setup(t);
  const id = await register({ league: "NFL" });
  const patch = (payload: object) => api.inject({ method: "PATCH", url: `/api/v1/webhooks/${id}`, payload });
  assert.equal((await patch({ secret: "another_secret_16+" })).statusCode, 400);
  const changed = (await patch({ team: null, events: ["game_*"], description: "lights" })).json();
  assert.deepEqual(
    [changed.team, changed.league, changed.events, changed.description],
    [null, "nfl", ["game_*"], "lights"],
  );
  assert.equal((await patch({ url: "http://10.0.0.1/" })).statusCode, 400);
  assert.deepEqual((await api.inject(`/api/v1/webhooks/${id}`)).json(), changed);
});

test("a test event is sent, listed with its attempt, shown with its body, and replayed", async (t) => {
  const { api, post, register, receiver } = await setup(t);
  const id = await register();
  const sent = await post(`/api/v1/webhooks/${id}/test`);
  assert.equal(sent.statusCode, 202);
  await receiver.has(1);
  assert.equal(receiver.received[0]!.json.type, "webhook.test");
  const list = async (query = "") => (await api.inject(`/api/v1/webhooks/${id}/deliveries${query}`)).json();
  while ((await list("?state=delivered")).total === 0);
  const page = await list("?limit=1");
  assert.deepEqual([page.count, page.total, page.next_cursor], [1, 1, null]);
  assert.equal(page.deliveries[0].attempts[0].status, 204);
  const { body } = (await api.inject(`/api/v1/webhooks/deliveries/${page.deliveries[0].id}`)).json();
  assert.equal(body, receiver.received[0]!.body);
  assert.equal((await post(`/api/v1/webhooks/deliveries/${page.deliveries[0].id}/replay`)).statusCode, 202);
  await receiver.has(2);
  const first = await list("?limit=1");
  const second = await list(`?limit=1&cursor=${first.next_cursor}`);
  assert.deepEqual([first.deliveries[0].cause, second.deliveries[0].cause], ["replay", "test"]);
  assert.equal(second.next_cursor, null);
});

for (const type of ["application/json", "application/octet-stream"]) {
  test(`a secret is generated for who sends an empty body and names it ${type}`, async (t) => {
    const { api, register } = await setup(t);
    const url = `/api/v1/webhooks/${await register()}/rotate`;
    const headers = { "content-type": type, "content-length": "0" };
    const { statusCode, body } = await api.inject({ method: "POST", url, headers });
    assert.equal(statusCode, 200, body);
  });
}

test("disable, enable, rotate and a replay of a time", async (t) => {
  const { api, post, register, receiver, webhooks } = await setup(t);
  const id = await register();
  assert.equal((await post(`/api/v1/webhooks/${id}/disable`)).json().enabled, false);
  assert.equal((await post(`/api/v1/webhooks/${id}/test`)).statusCode, 409);
  await webhooks.commit({
    events: [{ type: "game_started", orderKey: "nfl:1", at: 1_000_000, league: "nfl", teams: ["sf"], data: {} }],
  });
  assert.equal((await post(`/api/v1/webhooks/${id}/enable`)).json().enabled, true);
  assert.match((await post(`/api/v1/webhooks/${id}/rotate`)).json().secret, /^whsec_/);
  assert.equal((await post(`/api/v1/webhooks/${id}/rotate`, { secret: "short" })).statusCode, 400);
  const span = { start: "1970-01-01T00:00:01Z", end: "2000" };
  const replay = await post(`/api/v1/webhooks/${id}/replay`, span);
  assert.deepEqual([replay.statusCode, replay.json()], [202, { replayed: 1 }]);
  await receiver.has(1);
  assert.equal(receiver.received[0]!.json.event, "game_started");
  assert.equal((await post(`/api/v1/webhooks/${id}/replay`, { ...span, start: "3000" })).statusCode, 400);
  const unknown = ["enable", "disable", "rotate", "test", "replay"].map((name) =>
    post(`/api/v1/webhooks/wh_none/${name}`, name === "replay" ? span : undefined),
  );
  for (const { statusCode } of await Promise.all(unknown)) assert.equal(statusCode, 404);
  assert.equal((await api.inject("/api/v1/webhooks/wh_none/deliveries")).statusCode, 404);
});

const MOMENTS: readonly [name: string, start: unknown, expected: number | RegExp][] = [
  ["a number", 1000, 1_000_000],
  ["a number before 1970", -1, -1000],
  ["a text of digits", "999.5", 999_500],
  ["a time with zone", "1970-01-01T01:00:01+01:00", 1_000_000],
  ["the end itself", 2000, /"end\\" must be after/],
  ["a number with a fraction", 999.5, /"start\\" must be text .* or a whole number from .*, not 999\.5/],
  ["a number beyond all calendars", 1e15, /"start\\" must be/],
  ["what is no moment", true, /"start\\" must be/],
];

for (const [name, start, expected] of MOMENTS) {
  test(`a replay ${typeof expected === "number" ? "begins at" : "refuses to begin at"} ${name}`, async (t) => {
    const asked: number[] = [];
    const replaySpan: Webhooks["replaySpan"] = async (_id, span) => asked.push(span.start);
    const api = await createSportsApi({ ...apiOptions(), webhooks: { ...createWebhooksDouble(), replaySpan } });
    t.after(() => api.close());
    const payload = { start, end: 2000 };
    const { statusCode, body } = await api.inject({ method: "POST", url: "/api/v1/webhooks/wh_1/replay", payload });
    assert.equal(statusCode, typeof expected === "number" ? 202 : 400, body);
    if (typeof expected === "number") assert.deepEqual(asked, [expected]);
    else assert.match(body, expected);
  });
}

test("dead letters are listed for all webhooks", async (t) => {
  const { api, post, register, receiver, webhooks } = await setup(t);
  receiver.answer = (_request, response) => response.writeHead(410).end("gone <script>");
  const id = await register();
  await post(`/api/v1/webhooks/${id}/test`);
  await receiver.has(1);
  const dead = async () => (await api.inject("/api/v1/webhooks/dead-letters")).json();
  while ((await dead()).total === 0);
  assert.deepEqual((await dead()).deliveries[0].attempts[0].response_excerpt, "gone <script>");
  assert.equal((await webhooks.get(id)).enabled, false);
});

test("both ports have the routes, and the documents describe what is answered", async (t) => {
  const { post, register, webhooks, receiver } = await setup(t);
  const id = await register();
  await post(`/api/v1/webhooks/${id}/test`);
  await receiver.has(1);
  const data = await createApi({ ...apiOptions(), webhooks });
  t.after(() => data.close());
  const document = resolved((await data.inject("/openapi.json")).json());
  const examples: Readonly<Record<string, string>> = {
    "/api/v1/webhooks/list": "/api/v1/webhooks/list",
    "/api/v1/webhooks/{webhook_id}": `/api/v1/webhooks/${id}`,
    "/api/v1/webhooks/{webhook_id}/deliveries": `/api/v1/webhooks/${id}/deliveries`,
    "/api/v1/webhooks/deliveries/{delivery_id}": "/api/v1/webhooks/deliveries/1",
    "/api/v1/webhooks/dead-letters": "/api/v1/webhooks/dead-letters",
  };
  for (const [path, url] of Object.entries(examples)) {
    const answer = await data.inject(url);
    assert.equal(answer.statusCode, 200, answer.body);
    const { schema } = document.paths[path].get.responses["200"].content["application/json"];
    assert.deepEqual(Compile(schema).Errors(answer.json()), [], path);
  }
  const queued: Readonly<Record<string, string>> = {
    "/api/v1/webhooks/{webhook_id}/test": `/api/v1/webhooks/${id}/test`,
    "/api/v1/webhooks/deliveries/{delivery_id}/replay": "/api/v1/webhooks/deliveries/1/replay",
  };
  for (const [path, url] of Object.entries(queued)) {
    const answer = await post(url);
    assert.equal(answer.statusCode, 202, answer.body);
    const { schema } = document.paths[path].post.responses["202"].content["application/json"];
    const names = [schema.properties.delivery.properties, answer.json().delivery].map(Object.keys);
    assert.deepEqual(names[0], names[1], path);
    assert.deepEqual(Compile(schema).Errors(answer.json()), [], path);
  }
  assert.equal(document.paths["/webhooks/list"], undefined);
  assert.equal((await data.inject("/webhooks/list")).statusCode, 200);
});
