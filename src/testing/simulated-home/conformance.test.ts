import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { connectClient, type Message } from "../protocol-client.ts";
import { createSimulatedHome } from "./simulated-home.ts";

const RECORDING = join(
  import.meta.dirname,
  "../../../../shared/fixtures/homeassistant/real-2026.11.0/websocket-transcript.jsonl",
);
const ABSENT = "…/shared/fixtures is absent";

interface Line {
  readonly conn?: string;
  readonly dir?: string;
  readonly msg?: Message | Message[];
}

/** What the real one answered: results by the type of their command, and events by their type. */
function readRecording(): { results: Map<string, unknown[]>; events: Map<string, Message[]> } {
  const results = new Map<string, unknown[]>();
  const events = new Map<string, Message[]>();
  const asked = new Map<string, string>();
  for (const text of readFileSync(RECORDING, "utf8").trim().split("\n")) {
    const line = JSON.parse(text) as Line;
    for (const message of [line.msg ?? []].flat()) {
      const key = `${line.conn} ${message.id}`;
      if (line.dir === "out") asked.set(key, String(message.type));
      else if (message.type === "event") {
        const type = String((message.event as Message).event_type);
        events.set(type, [...(events.get(type) ?? []), message]);
      } else if (message.type === "result" && message.success === true) {
        const type = asked.get(key) ?? "";
        results.set(type, [...(results.get(type) ?? []), message.result]);
      }
    }
  }
  return { results, events };
}

/** The different lists of field names that occur, each in its order. */
function shapes(rows: readonly object[]): string[] {
  return [...new Set(rows.map((row) => Object.keys(row).join(", ")))].sort();
}

const LISTS: readonly (readonly [string, Message])[] = [
  ["config/device_registry/list", {}],
  ["config/entity_registry/list", {}],
  ["config_entries/get", {}],
  ["recorder/list_statistic_ids", {}],
  ["get_states", {}],
];

const OBJECTS: readonly (readonly [string, Message])[] = [
  ["auth/current_user", {}],
  ["get_config", {}],
  ["recorder/info", {}],
  ["config/device_registry/list_composite_splits", {}],
  ["config/area_registry/create", { name: "Studio", floor_id: "first_floor", labels: ["night"] }],
  ["config/floor_registry/create", { name: "Attic", level: 2 }],
  ["config/label_registry/create", { name: "Important", color: "red" }],
];

test("answers have the fields of the recorded ones, in their order", async (t) => {
  if (!existsSync(RECORDING)) return t.skip(ABSENT);
  const { results } = readRecording();
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  for (const [type, fields] of LISTS) {
    const real = (results.get(type) as object[][]).flat();
    const known = new Set(shapes(real));
    const unknown = shapes(await client.result<object[]>(type, fields)).filter((shape) => !known.has(shape));
    assert.deepEqual(unknown, [], `${type} has rows of a shape that the real one does not have`);
  }
  for (const [type, fields] of OBJECTS) {
    const real = Object.keys(results.get(type)![0] as object);
    assert.deepEqual(Object.keys(await client.result<object>(type, fields)), real, type);
  }
  const areas = await client.result<object[]>("config/area_registry/list");
  assert.deepEqual(shapes(areas), shapes((results.get("config/area_registry/list") as object[][]).flat()));
  const update = { entity_id: "sensor.desk_power", name: "Consumption" };
  const real = (results.get("config/entity_registry/update") as { entity_entry: object }[])[0]!;
  const ours = await client.result<typeof real>("config/entity_registry/update", update);
  assert.deepEqual(shapes([ours.entity_entry]), shapes([real.entity_entry]));
});

test("an entity source is an object with a domain, as recorded", async (t) => {
  if (!existsSync(RECORDING)) return t.skip(ABSENT);
  const { results } = readRecording();
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  const real = Object.values(results.get("entity/source")![0] as object);
  const ours = Object.values(await client.result<object>("entity/source"));
  assert.deepEqual(shapes(ours), shapes(real));
  assert.equal(ours.length, (await client.result<object[]>("get_states")).length);
});

test("events have the fields of the recorded ones", async (t) => {
  if (!existsSync(RECORDING)) return t.skip(ABSENT);
  const { events } = readRecording();
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  await client.result("subscribe_events");
  const area = home.createArea("Studio");
  home.registries.updateArea(area, { name: "Atelier" });
  home.registries.reorderAreas([...home.registries.areas.keys()].reverse());
  home.registries.createFloor({ name: "Attic" });
  home.registries.createLabel({ name: "Important" });
  const [device] = home.registries.devices.keys();
  home.registries.updateDevice(device!, { area_id: area, name_by_user: "Bridge", labels: ["important"] });
  home.rename("sensor.desk_power", "sensor.desk_consumption");
  home.removeRegistryEntry("sensor.desk_voltage");
  home.change("sensor.waste_calendar", "Nothing");
  await client.command("ping");

  for (const type of [
    "state_changed",
    "area_registry_updated",
    "floor_registry_updated",
    "label_registry_updated",
    "device_registry_updated",
    "entity_registry_updated",
  ]) {
    const shapesOf = (messages: readonly Message[]): string[] =>
      shapes(
        messages.map((message) => {
          const { event, ...outer } = message as { event: Message & { data: Message } };
          const { changes, new_state: state } = event.data as { changes?: object; new_state?: object };
          const inside = { ...event, ...event.data, ...changes, ...(state ? { state: 1, ...state } : {}) };
          return { ...outer, ...inside, context: 1, ...(event.context as object) };
        }),
      );
    const known = new Set(shapesOf(events.get(type)!));
    const ours = client.messages.filter((message) => (message.event as Message | undefined)?.event_type === type);
    assert.ok(ours.length > 0, type);
    assert.deepEqual(
      shapesOf(ours).filter((shape) => !known.has(shape)),
      [],
      `${type} has a shape that the real one does not have`,
    );
  }
});

test("a state_changed event is about as large as a real one", async (t) => {
  if (!existsSync(RECORDING)) return t.skip(ABSENT);
  const { events } = readRecording();
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  await client.result("subscribe_events", { event_type: "state_changed" });
  await home.burst(1000);
  await client.waitFor(() => client.events("state_changed").length === 1000);
  const mean = (messages: readonly Message[]): number => JSON.stringify(messages).length / messages.length;
  const ours = mean(client.messages.filter((message) => message.type === "event"));
  const real = mean(events.get("state_changed")!);
  assert.ok(ours > 0.8 * real && ours < 1.5 * real, `${ours} bytes, the real one ${real}`);
});
