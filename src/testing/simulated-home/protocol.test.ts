import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient, type Message } from "../protocol-client.ts";
import { createSimulatedHome } from "./simulated-home.ts";

test("authentication: a wrong token gets auth_invalid, then close code 1000", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, "not-a-token");
  assert.deepEqual(client.messages.at(-1), { type: "auth_invalid", message: "Invalid access token or password" });
  assert.equal(await client.closed, 1000);
});

test("authentication: who says nothing is closed with code 1000", async () => {
  await using home = await createSimulatedHome({ authTimeoutMs: 20 });
  const client = await connectClient(home.url, null);
  assert.equal(await client.closed, 1000);
  assert.deepEqual(client.messages, [{ type: "auth_required", ha_version: "2026.11.0" }]);
});

test("ids must grow: a used one is id_reuse, and the connection goes on", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  await client.command("ping");
  client.socket.send('{"id":1,"type":"get_config"}');
  const refused = await client.waitFor((message) => message.type === "result");
  assert.deepEqual(refused, {
    id: 1,
    type: "result",
    success: false,
    error: { code: "id_reuse", message: "Identifier values have to increase." },
  });
  assert.deepEqual(await client.command("ping"), { id: 2, type: "pong" });
});

test("an array of commands in one frame is answered command by command", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  client.socket.send('[{"id":31,"type":"ping"},{"id":32,"type":"get_config"}]');
  await client.waitFor((message) => message.id === 32);
  assert.deepEqual(client.messages.at(-2), { id: 31, type: "pong" });
});

test("a frame that is no JSON closes with code 1000 and no message", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  const before = client.messages.length;
  client.socket.send("{nonsense");
  assert.equal(await client.closed, 1000);
  assert.equal(client.messages.length, before);
});

test("errors come in Home Assistant's words", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  const start = "2026-11-24T11:03:54.918380+00:00";
  const cases: [string, Message, Message][] = [
    ["no_such/command", {}, { code: "unknown_command", message: "Unknown command." }],
    [
      "history/history_during_period",
      { start_time: "yesterday?", entity_ids: ["sensor.a"] },
      { code: "invalid_start_time", message: "Invalid start_time" },
    ],
    [
      "history/history_during_period",
      { start_time: start },
      { code: "invalid_format", message: "required key not provided at 'entity_ids'. Got None" },
    ],
    ["config/entity_registry/get", { entity_id: "sensor.nothing" }, { code: "not_found", message: "Entity not found" }],
    ["unsubscribe_events", { subscription: 4711 }, { code: "not_found", message: "Subscription not found." }],
  ];
  for (const [type, fields, error] of cases) assert.deepEqual((await client.command(type, fields)).error, error);
});

test("without admin rights only the open event types can be subscribed, and registries only be read", async () => {
  await using home = await createSimulatedHome();
  const guest = await connectClient(home.url, home.guestToken);
  assert.equal((await guest.result<Message>("auth/current_user")).is_admin, false);
  assert.equal((await guest.command("subscribe_events", { event_type: "state_changed" })).success, true);
  assert.equal((await guest.command("config/entity_registry/list")).success, true);
  for (const [type, fields] of [
    ["subscribe_events", { event_type: "homeassistant_started" }],
    ["subscribe_events", {}],
    ["config/area_registry/create", { name: "Attic" }],
  ] as const) {
    assert.deepEqual((await guest.command(type, fields)).error, { code: "unauthorized", message: "Unauthorized" });
  }
});

test("coalescing: one turn's events are one array, a single change comes alone", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token, { coalesce: true });
  await client.result("subscribe_events", { event_type: "state_changed" });
  const before = client.frames.length;
  await home.burst(300);
  await client.waitFor(() => client.events("state_changed").length === 300);
  home.change("input_number.heating_limit", "17.0");
  await client.waitFor(() => client.events("state_changed").length === 301);
  assert.deepEqual(client.frames.slice(before), [300, 0]);
});

test("without coalescing every message has a frame of its own", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  await client.result("subscribe_events", { event_type: "state_changed" });
  const before = client.frames.length;
  await home.burst(100);
  await client.waitFor(() => client.events("state_changed").length === 100);
  assert.deepEqual(client.frames.slice(before), Array(100).fill(0));
});

test("unsubscribe_events ends the events", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  await client.result("subscribe_events", { event_type: "state_changed" });
  await client.result("unsubscribe_events", { subscription: 1 });
  await home.burst(10);
  await client.command("ping");
  assert.equal(client.events("state_changed").length, 0);
});

test("version 2024.3.3 lacks what came later", async () => {
  await using home = await createSimulatedHome({ version: "2024.3.3" });
  const client = await connectClient(home.url, home.token);
  const [state] = await client.result<Message[]>("get_states");
  assert.equal("last_reported" in state!, false);
  const [entity] = await client.result<Message[]>("config/entity_registry/list");
  assert.equal("created_at" in entity! || "config_subentry_id" in entity! || "categories" in entity!, false);
  assert.equal("has_entity_name" in entity!, true);
  const devices = await client.result<Message[]>("config/device_registry/list");
  assert.equal(
    devices.some((row) => "parent_device_id" in row || "model_id" in row),
    false,
  );
  for (const type of ["config/category_registry/list", "config/device_registry/list_composite_splits"]) {
    const { error } = await client.command(type, { scope: "automation" });
    assert.equal((error as Message).code, "unknown_command");
  }
});

test("GET /api/ answers with the token only", async () => {
  await using home = await createSimulatedHome();
  const headers = { authorization: `Bearer ${home.token}` };
  assert.deepEqual(await (await fetch(`${home.url}/api/`, { headers })).json(), { message: "API running." });
  assert.equal((await fetch(`${home.url}/api/`)).status, 401);
  assert.equal((await fetch(`${home.url}/manifest.json`)).status, 200);
});
