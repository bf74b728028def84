import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { silentLog } from "../lib/log.ts";
import { CommandError } from "./commands.ts";
import { createOddMessages } from "./odd-messages.ts";
import { type Ask, readConfig, readRegistry, readSnapshot, readStates } from "./registries.ts";
import { rawState } from "./scripted-home.ts";

const CONFIG = { version: "2024.3.3", time_zone: "Europe/Amsterdam", state: "RUNNING", latitude: 52, elevation: null };

/** Answers by type; a missing one is a command that this Home Assistant does not know. */
function answering(answers: Readonly<Record<string, unknown>>): Ask {
  return async (type) => {
    const answer = Object.hasOwn(answers, type) ? answers[type] : new CommandError(type, "unknown_command", "");
    if (answer instanceof Error) throw answer;
    return answer;
  };
}

const odd = () => createOddMessages(silentLog());

test("readSnapshot() of a Home Assistant that lacks registries has null for them", async () => {
  const ask = answering({
    get_config: CONFIG,
    get_states: [rawState("sun.sun", "above_horizon")],
    "config/area_registry/list": [{ area_id: "studio" }],
    "config/entity_registry/list": new CommandError("config/entity_registry/list", "unauthorized", ""),
  });
  const snapshot = await readSnapshot(ask, odd(), () => 42);
  assert.deepEqual(snapshot.registries, {
    area: [{ area_id: "studio" }],
    floor: null,
    label: null,
    config_entry: null,
    device: null,
    entity: null,
  });
  assert.equal(snapshot.entitySources, null);
  assert.equal(snapshot.states[0]?.entityId, "sun.sun");
  assert.equal(snapshot.readAt, 42);
  assert.deepEqual(snapshot.config, {
    version: "2024.3.3",
    locationName: null,
    timeZone: "Europe/Amsterdam",
    latitude: 52,
    longitude: null,
    elevation: null,
    state: "RUNNING",
  });
});

test("readSnapshot() asks for a long list when nothing else is to be answered, the states first", async () => {
  const long = ["get_states", "entity/source", "config/device_registry/list", "config/entity_registry/list"];
  const open = new Set<string>();
  const beside: string[][] = [];
  const ask: Ask = async (type) => {
    open.add(type);
    if ([...open].some((asked) => long.includes(asked))) beside.push([...open]);
    await new Promise((resolve) => setImmediate(resolve));
    open.delete(type);
    return type === "get_config" ? CONFIG : type === "entity/source" ? {} : [];
  };
  await readSnapshot(ask, odd(), () => 42);
  assert.deepEqual(
    beside,
    long.map((type) => [type]),
  );
});

test("a registry that failed for another reason is no missing one", async () => {
  for (const error of [new CommandError("x", "unknown_error", ""), new AppError("unavailable", "gone")]) {
    await assert.rejects(readRegistry(answering({ "config/area_registry/list": error }), "area", odd()), error);
  }
  await assert.rejects(readRegistry(answering({ "config/area_registry/list": {} }), "area", odd()), {
    code: "unavailable",
  });
});

test("readRegistry() keeps rows as they came and counts those without id", async () => {
  const rows = [
    { id: "e1", entity_id: "sensor.a", surprise: [1] },
    { id: null, entity_id: "sensor.b" },
    { id: "e2" },
    { id: "", entity_id: "sensor.c" },
    null,
    7,
  ];
  const counted = odd();
  const read = await readRegistry(answering({ "config/entity_registry/list": rows }), "entity", counted);
  assert.deepEqual(read, [rows[0]]);
  assert.deepEqual(counted.counts(), { "malformed registry row": 5 });
});

test("readStates() leaves out and counts what is no state", async () => {
  const counted = odd();
  const states = [rawState("sensor.a", "1"), { entity_id: "sensor.b" }, null];
  assert.equal((await readStates(answering({ get_states: states }), counted)).length, 1);
  assert.deepEqual(counted.counts(), { "malformed state": 2 });
  await assert.rejects(readStates(answering({ get_states: null }), counted), { code: "unavailable" });
});

test("readConfig() refuses what is no object", async () => {
  await assert.rejects(readConfig(answering({ get_config: null })), { code: "unavailable" });
});
