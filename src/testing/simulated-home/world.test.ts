import assert from "node:assert/strict";
import { test } from "node:test";
import { microsFromIso } from "../../lib/time.ts";
import { connectClient, eventOf, type Message, type ProtocolClient } from "../protocol-client.ts";
import { createSimulatedHome, type SimulatedHome, type SimulatedHomeOptions } from "./simulated-home.ts";

async function subscribed(home: SimulatedHome): Promise<ProtocolClient> {
  const client = await connectClient(home.url, home.token, { coalesce: true });
  await client.result("subscribe_events");
  return client;
}

/** Every event so far as "type entity old -> new", in the order of arrival. */
async function story(client: ProtocolClient): Promise<string[]> {
  await client.command("ping");
  return client.messages.flatMap((message) => {
    const event = eventOf(message);
    if (!event) return [];
    const { entity_id: id, action, old_state: old, new_state: now } = event.data as Record<string, string>;
    const state = (given: unknown): string => String((given as Message | null)?.state ?? null);
    return event.event_type === "state_changed"
      ? [`${id}: ${state(old)} -> ${state(now)}`]
      : [`${event.event_type} ${action ?? ""} ${id ?? ""}`.trim()];
  });
}

/** The states that a fresh home dumps, without what differs from run to run. */
async function dump(options: SimulatedHomeOptions): Promise<unknown> {
  await using home = await createSimulatedHome(options);
  await home.burst(500);
  const client = await connectClient(home.url, home.token);
  const states = await client.result<Message[]>("get_states");
  const entities = await client.result<Message[]>("config/entity_registry/list");
  client.close();
  return { states: states.map(({ entity_id, state, attributes }) => ({ entity_id, state, attributes })), entities };
}

test("the same seed gives the same home and the same walks, another seed another one", async () => {
  assert.deepEqual(await dump({ seed: 7 }), await dump({ seed: 7 }));
  assert.notDeepEqual(await dump({ seed: 7 }), await dump({ seed: 8 }));
});

test("the small home is a believable one", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  const devices = await client.result<Message[]>("config/device_registry/list");
  const entities = await client.result<Message[]>("config/entity_registry/list");
  const states = await client.result<Message[]>("get_states");
  assert.ok(devices.length >= 40 && states.length >= 130);
  assert.ok(devices.some((row) => row.manufacturer === "Philips" && row.area_id === "living_room"));
  assert.ok(devices.some((row) => typeof row.parent_device_id === "string"));
  assert.ok(entities.some((row) => row.disabled_by !== null) && entities.some((row) => row.hidden_by !== null));
  for (const category of ["config", "diagnostic"]) assert.ok(entities.some((row) => row.entity_category === category));
  const registered = new Set(entities.map((row) => row.entity_id));
  assert.ok(states.some((state) => !registered.has(state.entity_id)));
  assert.ok(states.some((state) => state.state === "unavailable"));
  assert.equal(new Set(states.map((state) => state.entity_id)).size, states.length);
});

test("sizes are kept: 5,000 entities on 300 devices", async () => {
  await using home = await createSimulatedHome({ entities: 5000, devices: 300 });
  assert.equal(home.stats.entities, 5000);
  assert.equal(home.registries.devices.size, 300);
});

test("a rename is an update, a removal and an addition; only the new id's times begin again", async () => {
  await using home = await createSimulatedHome({ commitIntervalMs: 0 });
  const client = await subscribed(home);
  home.change("sensor.desk_power", "12.5");
  home.change("sensor.desk_power", "13.5");
  const id = home.registryId("sensor.desk_power");
  home.rename("sensor.desk_power", "sensor.desk_consumption");
  assert.deepEqual((await story(client)).slice(-3), [
    "entity_registry_updated update sensor.desk_consumption",
    "sensor.desk_power: 13.5 -> null",
    "sensor.desk_consumption: null -> 13.5",
  ]);
  assert.deepEqual(client.events("entity_registry_updated").at(-1), {
    action: "update",
    entity_id: "sensor.desk_consumption",
    changes: { entity_id: "sensor.desk_power" },
    old_entity_id: "sensor.desk_power",
  });
  assert.equal(home.registryId("sensor.desk_consumption"), id);
  const state = client.events("state_changed").at(-1)!.new_state as Message;
  assert.equal(state.last_changed, state.last_updated);
  // The recorder keeps no removal, and the history moves along (seen on a real one).
  const rows = [...home.truth()].filter((row) => row.registryId === id);
  assert.deepEqual(
    rows.slice(-3).map((row) => [row.entityId, row.state]),
    [
      ["sensor.desk_power", "12.5"],
      ["sensor.desk_power", "13.5"],
      ["sensor.desk_consumption", "13.5"],
    ],
  );
  const history = await client.result<Record<string, { s: string }[]>>("history/history_during_period", {
    start_time: "2020-01-01T00:00:00+00:00",
    end_time: "2100-01-01T00:00:00+00:00",
    entity_ids: ["sensor.desk_power", "sensor.desk_consumption"],
  });
  assert.deepEqual(Object.keys(history), ["sensor.desk_consumption"]);
  assert.deepEqual(
    history["sensor.desk_consumption"]!.slice(-3).map((row) => row.s),
    ["12.5", "13.5", "13.5"],
  );
});

test("disabling removes the state; enabling restores it at once and reloads its config entry later", async () => {
  await using home = await createSimulatedHome({ reloadDelayMs: 10 });
  const client = await subscribed(home);
  home.disable("sensor.garden_strip_signal_strength");
  home.enable("sensor.garden_strip_signal_strength");
  await client.waitFor(() => client.events("state_changed").some((data) => data.entity_id === "switch.fountain"));
  const own = (await story(client)).filter((line) => line.includes("garden_strip"));
  const value = own[1]!.replace("sensor.garden_strip_signal_strength: ", "").replace(" -> null", "");
  assert.deepEqual(own, [
    "entity_registry_updated update sensor.garden_strip_signal_strength",
    `sensor.garden_strip_signal_strength: ${value} -> null`,
    "entity_registry_updated update sensor.garden_strip_signal_strength",
    "sensor.garden_strip_signal_strength: null -> unavailable",
    `sensor.garden_strip_signal_strength: unavailable -> ${value}`,
  ]);
});

test("a device's new name writes its entities again, with only friendly_name changed", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  const device = [...home.registries.devices.values()].find((row) => row.name === "Kitchen Climate")!;
  home.renameDevice(device.id, "Weather of the kitchen");
  await story(client);
  const changes = client.events("state_changed") as { old_state: Message; new_state: Message }[];
  assert.equal(changes.length, 4);
  for (const { old_state: old, new_state: now } of changes) {
    assert.equal(now.last_changed, old.last_changed);
    assert.notEqual(now.last_updated, old.last_updated);
    const { friendly_name: name, ...others } = now.attributes as Message;
    assert.match(String(name), /^Weather of the kitchen /);
    assert.deepEqual({ ...others, friendly_name: (old.attributes as Message).friendly_name }, old.attributes);
  }
});

test("reuse() gives the id to another registry entry", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  const before = home.registryId("sensor.desk_power");
  home.reuse("sensor.desk_power");
  assert.notEqual(home.registryId("sensor.desk_power"), before);
  const actions = client.waitFor(() => client.events("entity_registry_updated").length === 2);
  await actions;
  assert.deepEqual(
    client.events("entity_registry_updated").map((data) => data.action),
    ["remove", "create"],
  );
});

test("the same state again is no event, unless it is forced; new attributes keep last_changed", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.change("sensor.waste_calendar", "Glass");
  home.change("sensor.waste_calendar", "Glass");
  home.change("sensor.waste_calendar", "Glass", { note: 1 });
  home.change("sensor.waste_calendar", "Glass", { note: 1 }, true);
  await story(client);
  const [first, second, third, ...more] = client.events("state_changed").map((data) => data.new_state as Message);
  assert.equal(more.length, 0);
  assert.equal(second!.last_changed, first!.last_changed);
  assert.ok(String(second!.last_updated) > String(first!.last_updated));
  assert.equal(third!.last_changed, third!.last_updated);
});

test("each event's old state is the one before", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  await home.burst(2000);
  await story(client);
  const last = new Map<unknown, Message>();
  for (const { entity_id: id, old_state: old, new_state: now } of client.events("state_changed")) {
    const before = last.get(id);
    if (before) assert.deepEqual(old, before);
    last.set(id, now as Message);
  }
  assert.ok(last.size > 50);
});

test("a restart closes without a word, dumps a part, floods, and tells when it has started", async () => {
  await using home = await createSimulatedHome();
  const before = await subscribed(home);
  const messages = before.messages.length;
  const done = home.restart({ downMs: 30, startingMs: 60 });
  assert.equal(await before.closed, 1000);
  assert.equal(before.messages.length, messages);
  await assert.rejects(connectClient(home.url, home.token), "the port refuses while it is down");

  let client: ProtocolClient | undefined;
  while (!client) client = await connectClient(home.url, home.token, { coalesce: true }).catch(() => undefined);
  await client.result("subscribe_events");
  assert.equal((await client.result<Message>("get_config")).state, "NOT_RUNNING");
  const early = await client.result<Message[]>("get_states");
  assert.ok(early.length < 40, `${early.length} states`);
  await client.waitFor((message) => eventOf(message)?.event_type === "homeassistant_started");
  await done;

  const changes = client.events("state_changed") as { entity_id: string; old_state: Message; new_state: Message }[];
  const restored = changes.filter(({ new_state: now }) => (now.attributes as Message).restored === true);
  assert.ok(restored.length > 20 && restored.every(({ new_state: now }) => now.state === "unavailable"));
  assert.ok(changes.some(({ old_state: old, new_state: now }) => old === null && now.state !== "unavailable"));
  assert.equal((await client.result<Message>("get_config")).state, "RUNNING");
  const late = await client.result<Message[]>("get_states");
  assert.equal(
    late.length,
    new Set([...early, ...changes.map((change) => change.new_state)].map((s) => s.entity_id)).size,
  );
});

test("duplicateNext() and reverseNext() deliver twice and backwards", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.duplicateNext(1);
  for (const state of ["1", "2"]) home.change("sensor.train_delay", state);
  home.reverseNext(3);
  for (const state of ["3", "4", "5", "6"]) home.change("sensor.train_delay", state);
  await story(client);
  const states = client.events("state_changed").map((data) => (data.new_state as Message).state);
  assert.deepEqual(states, ["1", "1", "2", "5", "4", "3", "6"]);
});

test("setClockOffset() steps the home's clock, back as well", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  for (const [state, offset] of [
    ["1", 0],
    ["2", -3_600_000],
    ["3", 3_600_000],
  ] as const) {
    home.setClockOffset(offset);
    home.change("sensor.train_delay", state);
  }
  await story(client);
  const [first, second, third] = client
    .events("state_changed")
    .map((data) => microsFromIso(String((data.new_state as Message).last_updated)));
  assert.ok(second! < first! - 3_000_000_000 && third! > first! + 3_000_000_000);
});
