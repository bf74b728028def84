import assert from "node:assert/strict";
import { test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { asOldState, type OldState, type State } from "../domain/home.ts";
import { at, createScenario, entry, state } from "./scenario.ts";

test("a snapshot fills index, current states, samples and the database, then saves", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.area = [{ area_id: "kitchen", name: "Kitchen" }];
  s.homeAssistant.registries.entity = [entry("light.kitchen", "id1")];
  s.homeAssistant.registries.label = null;
  s.homeAssistant.sources = new Map([["sun.sun", "sun"]]);
  s.homeAssistant.states = [
    state("light.kitchen", "on", { changed: 1, updated: 2 }, { brightness: 100, friendly_name: "Kitchen" }),
    state("sun.sun", "above_horizon", { updated: 3 }),
  ];
  await s.connectLive();
  await s.told("save");
  assert.deepEqual(s.home.calls, [
    "area 1",
    "floor 0",
    "config_entry 0",
    "device 0",
    "entity 1",
    "unregistered all sun.sun(sun)",
    "save",
  ]);
  assert.deepEqual(s.model.subjects(), ["id1", "sun.sun"]);
  assert.deepEqual(s.model.fields("id1"), ["state", "brightness"]);
  assert.deepEqual(s.model.samples("id1"), [[1, "on"]]);
  assert.deepEqual(s.model.samples("id1", "brightness"), [[2, 100]]);
  assert.equal(s.states.size, 2);
  assert.deepEqual(s.configs, ["RUNNING"]);
});

test("changes between subscription and snapshot: the dump's own is dropped, older ones are samples, newer ones follow", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.connect();
  s.ingest.disconnected("socket_closed", at(0));
  const release = s.hold();
  const first = state("sensor.a", "1", { updated: 1 }, { gain: 7 });
  s.change(first);
  s.change(state("sensor.a", "2", { updated: 2 }, { gain: 8 }));
  // The question is answered here: the dump holds "2".
  s.connect();
  s.ingest.changed({ entityId: "sensor.a", oldState: null, newState: first, timeFired: at(1) });
  s.ingest.changed({
    entityId: "sensor.a",
    oldState: asOldState(first),
    newState: s.homeAssistant.states[0]!,
    timeFired: at(2),
  });
  s.change(state("sensor.a", "3", { updated: 3 }, { gain: 7 }));
  assert.equal(s.ingest.status().synchronizing, true);
  release();
  await s.live();
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [2, 2],
    [3, 3],
  ]);
  assert.deepEqual(s.model.samples("id1", "gain"), [
    [1, 7],
    [2, 8],
    [3, 7],
  ]);
  assert.equal(s.states.get("sensor.a")?.state, "3");
  assert.equal(s.ingest.status().stale, 1);
});

test("changes that follow the dump by a clock that was set back meanwhile are the newest", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 100 }), state("sensor.b", "1", { updated: 100 })];
  const release = s.hold();
  s.connect();
  s.change(state("sensor.a", "2", { updated: 70 }));
  s.change(state("sensor.a", "3", { updated: 71 }));
  s.remove("sensor.b", 72);
  release();
  await s.live();
  assert.equal(s.states.get("sensor.b"), undefined);
  assert.equal(s.states.get("sensor.a")?.state, "3");
  assert.deepEqual(s.model.samples("id1"), [
    [70, 2],
    [71, 3],
    [100, 1],
  ]);
});

test("a partial dump at Home Assistant's start removes nothing; the complete one does", async () => {
  await using s = createScenario();
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 }), state("sensor.b", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.running = "NOT_RUNNING";
  s.homeAssistant.states = [];
  const release = s.hold();
  s.connect();
  release();
  await s.live();
  await s.told("unregistered some ");
  assert.equal(s.states.size, 2);
  assert.equal(s.model.samples("sensor.a")?.at(-1)?.[1], 1);

  s.homeAssistant.states = [state("sensor.a", "5", { updated: 5 })];
  s.homeAssistant.running = "RUNNING";
  s.ingest.configChanged();
  await s.until(() => s.states.get("sensor.b") === undefined, "the removal of sensor.b");
  await s.told("unregistered all sensor.a");
  assert.equal(s.states.get("sensor.a")?.state, "5");
  // When sensor.b went is unknown here: its series is ended by the backfill, not by a guess.
  assert.deepEqual(s.model.samples("sensor.b"), [[1, 1]]);
});

test("a start whose end nobody tells is asked for", async () => {
  await using s = createScenario();
  s.homeAssistant.running = "STARTING";
  await s.connectLive();
  s.homeAssistant.running = "RUNNING";
  await s.until(() => s.configs.at(-1) === "RUNNING", "RUNNING");
  assert.ok(s.asked.includes("config"));
});

test("configChanged() while running only reads the configuration", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.ingest.configChanged();
  await s.until(() => s.configs.length === 2, "the answer");
  assert.equal(s.ingest.status().snapshots, 1);
});

test("a failing snapshot is tried again with back-off while changes wait", async () => {
  await using s = createScenario();
  s.fail(3);
  s.connect();
  s.change(state("sensor.a", "1", { updated: 1 }));
  await s.live();
  assert.deepEqual(s.sleeps, [750, 1500, 3000]);
  assert.equal(s.ingest.status().snapshotFailures, 3);
  assert.deepEqual(s.model.samples("sensor.a"), [[1, 1]]);
});

test("a connection that ends during its snapshot abandons it", async () => {
  await using s = createScenario();
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  const release = s.hold();
  s.connect();
  s.change(state("sensor.a", "2", { updated: 2 }));
  s.disconnect();
  release();
  assert.equal(s.ingest.status().dropped, 1);
  assert.equal(s.ingest.status().synchronizing, false);
  await s.connectLive();
  assert.equal(s.ingest.status().snapshots, 1);
  assert.deepEqual(s.model.samples("sensor.a"), [[2, 2]]);
});

test("a rename carries the series along, and the removal of the old name is no end", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.old", "id1")];
  s.homeAssistant.states = [state("sensor.old", "15.6", { updated: 1 }, { gain: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id1")];
  s.event("update", "sensor.new", 5, "sensor.old");
  s.remove("sensor.old", 5.1);
  s.change(state("sensor.new", "15.6", { updated: 5.2 }, { gain: 1 }));
  assert.deepEqual(s.model.samples("id1"), [
    [1, 15.6],
    [5.2, 15.6],
  ]);
  assert.deepEqual(s.model.samples("id1", "gain"), [[1, 1]]);
  assert.deepEqual(s.model.calls, ["rename id1 sensor.new 5"]);
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.equal(s.states.get("sensor.old"), undefined);
  assert.ok(s.states.get("sensor.new"));
  await s.until(() => s.asked.includes("entity"), "a new list");
});

test("a rename between subscription and snapshot, known to the snapshot, keeps the states before it", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.old", "id1")];
  const first = state("sensor.old", "1", { updated: 1 });
  s.homeAssistant.states = [first];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id1", { modified_at: at(5) / 1e6 })];
  s.homeAssistant.states = [state("sensor.new", "2", { updated: 5.2 })];
  const release = s.hold();
  s.connect();
  const before = state("sensor.old", "2", { updated: 4 });
  s.ingest.changed({ entityId: "sensor.old", oldState: asOldState(first), newState: before, timeFired: at(4) });
  s.event("update", "sensor.new", 5, "sensor.old");
  s.ingest.changed({ entityId: "sensor.old", oldState: asOldState(before), newState: null, timeFired: at(5.1) });
  s.ingest.changed({
    entityId: "sensor.new",
    oldState: null,
    newState: s.homeAssistant.states[0]!,
    timeFired: at(5.2),
  });
  release();
  await s.live();
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [4, 2],
    [5.2, 2],
  ]);
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.equal(s.states.get("sensor.old"), undefined);
});

test("a rename that the first snapshot knows already gives the states before it to the entry", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id1")];
  s.homeAssistant.states = [state("sensor.new", "2", { updated: 5.2 })];
  const release = s.hold();
  s.connect();
  const before = state("sensor.old", "1", { updated: 3 });
  const after = state("sensor.old", "2", { updated: 4 });
  s.ingest.changed({ entityId: "sensor.old", oldState: asOldState(before), newState: after, timeFired: at(4) });
  s.event("update", "sensor.new", 5, "sensor.old");
  s.ingest.changed({ entityId: "sensor.old", oldState: asOldState(after), newState: null, timeFired: at(5.1) });
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.deepEqual(s.model.samples("id1")?.sort(), [
    [4, 2],
    [5.2, 2],
  ]);
});

test("an entity removed and set up again before the dump is there, and its series shows the break", async () => {
  await using s = createScenario();
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  const before = s.homeAssistant.states[0]!;
  const again = state("sensor.a", "1", { updated: 5 });
  s.homeAssistant.states = [again];
  const release = s.hold();
  s.connect();
  s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(before), newState: null, timeFired: at(4) });
  s.ingest.changed({ entityId: "sensor.a", oldState: null, newState: again, timeFired: at(5) });
  release();
  await s.live();
  assert.equal(s.states.get("sensor.a"), again);
  assert.deepEqual(s.model.samples("sensor.a"), [
    [1, 1],
    [4, null],
    [5, 1],
  ]);
});

test("an entry and its state that go between subscription and snapshot end under the entry's id", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  const before = s.homeAssistant.states[0]!;
  s.homeAssistant.registries.entity = [];
  s.homeAssistant.states = [];
  const release = s.hold();
  s.connect();
  s.event("remove", "sensor.a", 4);
  s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(before), newState: null, timeFired: at(4.1) });
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [4.1, null],
  ]);
});

test("a name that changes hands between subscription and snapshot gives its new owner nothing of the former one", async () => {
  for (const isKnown of [true, false]) {
    await using s = createScenario();
    const first = state("sensor.a", "1", { updated: 1 });
    if (isKnown) {
      s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
      s.homeAssistant.states = [first];
      await s.connectLive();
      s.disconnect();
    }
    s.homeAssistant.registries.entity = [entry("sensor.a", "id2")];
    const last = state("sensor.a", "9", { updated: 6 });
    s.homeAssistant.states = [last];
    const release = s.hold();
    s.connect();
    const second = state("sensor.a", "2", { updated: 2 });
    const own = state("sensor.a", "8", { updated: 5 });
    s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(first), newState: second, timeFired: at(2) });
    s.event("remove", "sensor.a", 3);
    s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(second), newState: null, timeFired: at(3.1) });
    s.event("create", "sensor.a", 4);
    s.ingest.changed({ entityId: "sensor.a", oldState: null, newState: own, timeFired: at(5) });
    s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(own), newState: last, timeFired: at(6) });
    release();
    await s.live();
    // What the former one had then, Home Assistant's history tells.
    assert.deepEqual(s.model.samples("id2"), [
      [5, 8],
      [6, 9],
    ]);
    assert.deepEqual(s.model.samples("id1"), isKnown ? [[1, 1]] : undefined);
    assert.equal(s.states.get("sensor.a"), last);
  }
});

test("names that two entities exchange between subscription and snapshot keep the states of each apart", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id2"), entry("sensor.b", "id1")];
  const [a, b] = [state("sensor.a", "20", { updated: 6 }), state("sensor.b", "10", { updated: 7 })];
  s.homeAssistant.states = [a, b];
  const release = s.hold();
  s.connect();
  const [one, two] = [state("sensor.a", "10", { updated: 1 }), state("sensor.b", "20", { updated: 1 })];
  const between = state("sensor.c", "10", { updated: 4 });
  const tell = (entityId: string, oldState: State | null, newState: State | null, seconds: number) =>
    s.ingest.changed({ entityId, oldState: oldState && asOldState(oldState), newState, timeFired: at(seconds) });
  tell("sensor.a", null, one, 1);
  tell("sensor.b", null, two, 1);
  s.event("update", "sensor.c", 3, "sensor.a");
  tell("sensor.a", one, null, 3.1);
  tell("sensor.c", null, between, 4);
  s.event("update", "sensor.a", 5, "sensor.b");
  tell("sensor.b", two, null, 5.1);
  tell("sensor.a", null, a, 6);
  s.event("update", "sensor.b", 6.5, "sensor.c");
  tell("sensor.c", between, null, 6.6);
  tell("sensor.b", null, b, 7);
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1", "id2"]);
  assert.deepEqual(s.model.samples("id1"), [[7, 10]]);
  assert.deepEqual(s.model.samples("id2"), [[6, 20]]);
  assert.deepEqual([...s.states.values()].map(({ entityId }) => entityId).sort(), ["sensor.a", "sensor.b"]);
});

test("an entity that is removed or renamed twice before the first snapshot has no series under a name of before", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.c", "id1")];
  s.homeAssistant.states = [state("sensor.c", "3", { updated: 6 })];
  const release = s.hold();
  s.connect();
  const tell = (entityId: string, value: string | null, seconds: number) => {
    const oldState = asOldState(state(entityId, "0", { updated: 0 }));
    const newState = value === null ? null : state(entityId, value, { updated: seconds });
    s.ingest.changed({ entityId, oldState: value === "new" ? null : oldState, newState, timeFired: at(seconds) });
  };
  tell("sensor.gone", "5", 1);
  tell("sensor.a", "1", 1);
  s.event("remove", "sensor.gone", 2);
  tell("sensor.gone", null, 2.1);
  s.event("update", "sensor.b", 3, "sensor.a");
  tell("sensor.a", null, 3.1);
  tell("sensor.b", "new", 3.2);
  tell("sensor.b", "2", 4);
  s.event("update", "sensor.c", 5, "sensor.b");
  tell("sensor.b", null, 5.1);
  tell("sensor.c", "new", 5.2);
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.deepEqual(
    [...s.states.values()].map(({ entityId }) => entityId),
    ["sensor.c"],
  );
});

test("a state that was dumped before its name came to another owner, or to none, is no sample of that", async () => {
  for (const isTaken of [true, false]) {
    await using s = createScenario();
    s.homeAssistant.registries.entity = isTaken ? [entry("sensor.a", "id2")] : [];
    const old = state("sensor.a", "1", { updated: 2 });
    s.homeAssistant.states = [old];
    const release = s.hold();
    s.connect();
    const own = state("sensor.a", "8", { updated: 5 });
    s.event("remove", "sensor.a", 3);
    s.ingest.changed({ entityId: "sensor.a", oldState: asOldState(old), newState: null, timeFired: at(3.1) });
    if (isTaken) s.event("create", "sensor.a", 4);
    if (isTaken) s.ingest.changed({ entityId: "sensor.a", oldState: null, newState: own, timeFired: at(5) });
    release();
    await s.live();
    await s.told("save");
    assert.deepEqual(s.model.subjects(), isTaken ? ["id2"] : []);
    assert.deepEqual(s.model.samples("id2"), isTaken ? [[5, 8]] : undefined);
    assert.equal(s.states.get("sensor.a"), isTaken ? own : undefined);
    assert.ok(s.home.calls.includes("unregistered all "), "none without entry is listed");
  }
});

test("an entry that goes right after the list that has it ends under its id", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1"), entry("sensor.b", "id2")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 2 }), state("sensor.b", "2", { updated: 2 })];
  const [a, b] = s.homeAssistant.states.map(asOldState) as [OldState, OldState];
  const release = s.hold();
  s.connect();
  s.event("remove", "sensor.a", 3);
  s.ingest.changed({ entityId: "sensor.a", oldState: a, newState: null, timeFired: at(3.1) });
  s.event("update", "sensor.c", 4, "sensor.b");
  s.ingest.changed({ entityId: "sensor.b", oldState: b, newState: null, timeFired: at(4.1) });
  const renamed = state("sensor.c", "3", { updated: 4.2 });
  s.ingest.changed({ entityId: "sensor.c", oldState: null, newState: renamed, timeFired: at(4.2) });
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1", "id2"]);
  assert.deepEqual(s.model.samples("id1"), [
    [2, 1],
    [3.1, null],
  ]);
  assert.deepEqual(s.model.samples("id2"), [
    [2, 2],
    [4.2, 3],
  ]);
});

test("an entry that comes back at Home Assistant's start and goes before the list is read ends under its id", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1"), entry("sensor.b", "id2")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 }), state("sensor.b", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  // The states were read before anything was loaded, the list after all of this.
  s.homeAssistant.running = "STARTING";
  s.homeAssistant.states = [];
  s.homeAssistant.registries.entity = [entry("sensor.c", "id2")];
  const release = s.hold();
  s.connect();
  s.change(state("sensor.a", "unavailable", { updated: 5 }));
  s.change(state("sensor.b", "unavailable", { updated: 5 }));
  s.remove("sensor.b", 6);
  s.change(state("sensor.b", "2", { updated: 7 }));
  s.event("remove", "sensor.a", 8);
  s.remove("sensor.a", 8);
  s.event("update", "sensor.c", 9, "sensor.b");
  s.remove("sensor.b", 9);
  s.change(state("sensor.c", "2", { updated: 9 }));
  release();
  await s.live();
  assert.deepEqual(s.model.subjects(), ["id1", "id2"]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [5, "unavailable"],
    [8, null],
  ]);
  assert.deepEqual(s.model.samples("id2"), [
    [1, 1],
    [5, "unavailable"],
    [6, null],
    [7, 2],
    [9, 2],
  ]);
});

test("an entity that lost its registry entry and kept its state goes on without one", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [];
  s.homeAssistant.states = [state("sensor.a", "2", { updated: 5 })];
  await s.connectLive();
  await s.told("unregistered some sensor.a");
  s.change(state("sensor.a", "3", { updated: 6 }));
  assert.deepEqual(s.model.samples("sensor.a"), [
    [5, 2],
    [6, 3],
  ]);
  assert.deepEqual(s.model.samples("id1"), [[1, 1]]);
});

test("a state that appears under the name of a removed entry is another subject, also when no removal was told", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [];
  s.event("remove", "sensor.a", 4);
  const fresh = state("sensor.a", "9", { updated: 5 });
  s.ingest.changed({ entityId: "sensor.a", oldState: null, newState: fresh, timeFired: at(5) });
  assert.deepEqual(s.model.samples("sensor.a"), [[5, 9]]);
  assert.deepEqual(s.model.samples("id1"), [[1, 1]]);
});

test("a device that Home Assistant 2026.8 splits at its start leaves the series of its entities as they are", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.device = [{ id: "composite" }];
  s.homeAssistant.registries.entity = [
    entry("sensor.a", "id1", { device_id: "composite" }),
    entry("sensor.b", "id2", { device_id: "composite" }),
  ];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 }), state("sensor.b", "10", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.device = [{ id: "one" }, { id: "other" }];
  s.homeAssistant.registries.entity = [
    entry("sensor.a", "id1", { device_id: "one" }),
    entry("sensor.b", "id2", { device_id: "other" }),
  ];
  s.homeAssistant.states = [state("sensor.a", "2", { updated: 5 }), state("sensor.b", "20", { updated: 5 })];
  await s.connectLive();
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [5, 2],
  ]);
  assert.deepEqual(s.model.samples("id2"), [
    [1, 10],
    [5, 20],
  ]);
  assert.deepEqual(s.model.subjects(), ["id1", "id2"]);
  assert.deepEqual(s.model.calls, [], "nothing is renamed, released or handed on");
  assert.deepEqual(s.ingest.facts("sensor.b").devices, ["other"]);
});

test("a rename in an outage is seen in the snapshot", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.old", "id1")];
  s.homeAssistant.states = [state("sensor.old", "1", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id1", { modified_at: at(50) / 1e6 })];
  s.homeAssistant.states = [state("sensor.new", "2", { updated: 60 })];
  await s.connectLive();
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [60, 2],
  ]);
  assert.deepEqual(s.model.calls, ["rename id1 sensor.new 50"]);
  assert.equal(s.states.get("sensor.old"), undefined);
});

test("a name that a Home Assistant has again, restored from a backup, is taken up since it was heard", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1", { modified_at: at(1) / 1e6 })];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.b", "id1", { modified_at: at(50) / 1e6 })];
  s.event("update", "sensor.b", 50, "sensor.a");
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1", { modified_at: at(1) / 1e6 })];
  s.homeAssistant.states = [state("sensor.a", "2", { updated: 60 })];
  await s.connectLive();
  assert.equal(s.model.calls[0], "rename id1 sensor.b 50");
  assert.match(s.model.calls[1]!, /^rename id1 sensor.a /);
});

for (const [what, entities] of [
  ["another name", [entry("sensor.new", "id1", { modified_at: at(50) / 1e6 })]],
  ["no entry any more", []],
] as const) {
  test(`an entity that has ${what} when Home Assistant is met starting leaves no series under its old name`, async () => {
    await using s = createScenario();
    s.homeAssistant.registries.entity = [entry("sensor.old", "id1")];
    s.homeAssistant.states = [state("sensor.old", "1", { updated: 1 })];
    await s.connectLive();
    s.disconnect();
    s.homeAssistant.running = "STARTING";
    s.homeAssistant.registries.entity = [...entities];
    s.homeAssistant.states = [];
    await s.connectLive();
    s.homeAssistant.running = "RUNNING";
    s.ingest.configChanged();
    await s.live();
    assert.deepEqual(s.model.subjects(), ["id1"]);
    assert.equal(s.states.get("sensor.old"), undefined);
  });
}

test("names that two entities exchanged in an outage come out right", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1"), entry("sensor.b", "id2")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 }), state("sensor.b", "2", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [
    entry("sensor.b", "id1", { modified_at: at(52) / 1e6 }),
    entry("sensor.a", "id2", { modified_at: at(51) / 1e6 }),
  ];
  s.homeAssistant.states = [state("sensor.a", "4", { updated: 60 }), state("sensor.b", "3", { updated: 60 })];
  await s.connectLive();
  assert.deepEqual(s.model.calls, ["rename id2 sensor.a 51", "rename id1 sensor.b 52"]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [60, 3],
  ]);
  assert.deepEqual(s.model.samples("id2"), [
    [1, 2],
    [60, 4],
  ]);
});

test("a removal ends the state and every live attribute, once", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("light.a", "id1")];
  s.homeAssistant.states = [state("light.a", "on", { updated: 1 }, { brightness: 10, color_temp_kelvin: null })];
  await s.connectLive();
  s.change(state("light.a", "on", { changed: 1, updated: 2 }, { brightness: 10, effect: "rainbow" }));
  s.change(state("light.a", "on", { changed: 1, updated: 3 }, { brightness: 10 }));
  s.remove("light.a", 4);
  s.remove("light.a", 5);
  assert.deepEqual(s.model.samples("id1"), [
    [1, "on"],
    [4, null],
  ]);
  assert.deepEqual(s.model.samples("id1", "brightness"), [
    [1, 10],
    [4, null],
  ]);
  assert.deepEqual(s.model.samples("id1", "effect"), [
    [2, "rainbow"],
    [3, null],
  ]);
  assert.equal(s.model.samples("id1", "color_temp_kelvin"), undefined);
  assert.equal(s.states.size, 0);
});

test("a removed registry entry: its last state ends under its id, its name is free, and a reuse inherits nothing", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [];
  s.event("remove", "sensor.a", 4);
  s.remove("sensor.a", 4.1);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [4.1, null],
  ]);
  assert.deepEqual(s.model.calls, ["release id1 4"]);

  s.homeAssistant.registries.entity = [entry("sensor.a", "id2")];
  s.event("create", "sensor.a", 6);
  s.change(state("sensor.a", "5", { updated: 6.1 }));
  assert.equal(s.states.get("sensor.a"), undefined);
  await s.until(() => s.model.samples("id2") !== undefined, "the new series");
  assert.deepEqual(s.model.samples("id2"), [[6.1, 5]]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [4.1, null],
  ]);
  assert.deepEqual(s.model.subjects(), ["id1", "id2"]);
});

test("a name reused in an outage belongs to the new entry", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  await s.told("save");
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id2")];
  s.homeAssistant.states = [state("sensor.a", "2", { updated: 60 })];
  await s.connectLive();
  assert.deepEqual(s.model.samples("id1"), [[1, 1]]);
  assert.deepEqual(s.model.samples("id2"), [[60, 2]]);
  await s.until(() => s.model.calls.includes("release id1 900"), "the release");
});

test("a created entity's states wait for its registry id, in order", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id9")];
  s.event("create", "sensor.new", 1);
  s.change(state("sensor.new", "1", { updated: 1.1 }, { gain: 1 }));
  s.change(state("sensor.new", "2", { updated: 1.2 }, { gain: 2 }));
  s.change(state("sensor.other", "3", { updated: 1.3 }));
  assert.deepEqual(s.model.subjects(), ["sensor.other"]);
  await s.until(() => s.states.get("sensor.new") !== undefined, "the list");
  assert.deepEqual(s.model.samples("id9"), [
    [1.1, 1],
    [1.2, 2],
  ]);
  assert.deepEqual(s.model.samples("id9", "gain"), [
    [1.1, 1],
    [1.2, 2],
  ]);
  assert.deepEqual(s.model.subjects(), ["id9", "sensor.other"]);
});

test("a created entity that is renamed before any list has it keeps what it was under its first name", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.second", "id9")];
  s.event("create", "sensor.first", 1);
  s.change(state("sensor.first", "1", { updated: 1.1 }));
  s.event("update", "sensor.second", 1.2, "sensor.first");
  s.remove("sensor.first", 1.3);
  s.change(state("sensor.second", "1", { updated: 1.4 }));
  await s.until(() => s.states.get("sensor.second") !== undefined, "the list");
  assert.deepEqual(s.model.subjects(), ["id9"]);
  assert.deepEqual(s.model.samples("id9"), [
    [1.1, 1],
    [1.4, 1],
  ]);
  assert.equal(s.states.get("sensor.first"), undefined);
});

test("a created entity that is renamed to the name of one that came and went before any list loses nothing of either", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.wanted", "id9")];
  s.event("create", "sensor.wanted", 1);
  s.change(state("sensor.wanted", "1", { updated: 1.1 }));
  s.event("remove", "sensor.wanted", 1.2);
  s.remove("sensor.wanted", 1.2);
  s.event("create", "sensor.first", 1.3);
  s.change(state("sensor.first", "2", { updated: 1.4 }));
  s.event("update", "sensor.wanted", 1.5, "sensor.first");
  s.remove("sensor.first", 1.6);
  s.change(state("sensor.wanted", "2", { updated: 1.7 }));
  await s.until(() => s.states.get("sensor.wanted")?.state === "2", "the list");
  assert.deepEqual(s.model.samples("id9"), [
    [1.1, 1],
    [1.2, null],
    [1.4, 2],
    [1.7, 2],
  ]);
});

test("a created entry that the list does not hold any more lets its states go", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.event("create", "sensor.brief", 1);
  s.change(state("sensor.brief", "1", { updated: 1.1 }));
  await s.until(() => s.states.get("sensor.brief") !== undefined, "the state");
  s.change(state("sensor.brief", "2", { updated: 1.2 }));
  assert.deepEqual(s.model.samples("sensor.brief"), [
    [1.1, 1],
    [1.2, 2],
  ]);
});

test("states that wait for a registry id outlive a reconnect", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.new", "id9")];
  s.event("create", "sensor.new", 1);
  s.change(state("sensor.new", "1", { updated: 1.1 }));
  s.disconnect();
  s.homeAssistant.states = [state("sensor.new", "2", { updated: 5 })];
  await s.connectLive();
  assert.deepEqual(s.model.samples("id9"), [
    [1.1, 1],
    [5, 2],
  ]);
});

test("a created entity's states wait for the list of entities, whatever list comes before it", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [];
  s.event("remove", "sensor.a", 2);
  s.remove("sensor.a", 2.1);
  await s.until(() => s.asked.includes("entity"), "the list without it");
  // Set up again, it gets the id back that it had.
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.registryEvent({ kind: "device", action: "create", id: "d1", oldEntityId: null, timeFired: at(3) });
  s.event("create", "sensor.a", 3);
  s.change(state("sensor.a", "2", { updated: 3.1 }));
  await s.until(() => s.states.get("sensor.a") !== undefined, "the state");
  assert.deepEqual(s.asked.slice(-2), ["device", "entity"]);
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [2.1, null],
    [3.1, 2],
  ]);
});

test("a created entity's states that wait as a snapshot comes go by the snapshot's list of entities", async () => {
  await using s = createScenario();
  s.homeAssistant.running = "STARTING";
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.event("create", "sensor.a", 1);
  s.change(state("sensor.a", "1", { updated: 1.1 }));
  s.homeAssistant.running = "RUNNING";
  s.ingest.configChanged();
  await s.live();
  assert.deepEqual(s.model.calls, []);
  assert.deepEqual(s.model.samples("id1"), [[1.1, 1]]);
});

test("an entity announced while the list of entities is on its way waits for the next one", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.event("update", "sensor.other", 1);
  const release = s.hold();
  await s.until(() => s.held.length === 1, "the read");
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.event("create", "sensor.a", 2);
  s.change(state("sensor.a", "1", { updated: 2.1 }));
  release();
  await s.until(() => s.states.get("sensor.a") !== undefined, "the state");
  assert.deepEqual(s.model.calls, []);
  assert.deepEqual(s.model.samples("id1"), [[2.1, 1]]);
});

test("an entity without registry entry that gets one keeps its series", async () => {
  await using s = createScenario();
  s.homeAssistant.states = [state("sensor.plain", "1", { updated: 1 }, { gain: 1 })];
  await s.connectLive();
  assert.deepEqual(s.model.subjects(), ["sensor.plain"]);
  s.homeAssistant.registries.entity = [entry("sensor.plain", "id3")];
  s.event("create", "sensor.plain", 2);
  s.change(state("sensor.plain", "2", { updated: 2.1 }, { gain: 1 }));
  await s.until(() => s.states.get("sensor.plain")?.state === "2", "the new state");
  assert.deepEqual(s.model.calls, ["rekey sensor.plain id3"]);
  assert.deepEqual(s.model.samples("id3"), [
    [1, 1],
    [2.1, 2],
  ]);
  assert.deepEqual(s.model.samples("id3", "gain"), [[1, 1]]);
  assert.deepEqual(s.model.subjects(), ["id3"]);
});

test("an entity renamed onto the name of one without entry does not take over its series", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.b", "id1")];
  s.homeAssistant.states = [state("sensor.plain", "1", { updated: 1 }), state("sensor.b", "2", { updated: 1 })];
  await s.connectLive();
  s.disconnect();
  s.homeAssistant.registries.entity = [entry("sensor.plain", "id1")];
  s.homeAssistant.states = [state("sensor.plain", "3", { updated: 9 })];
  await s.connectLive();
  assert.deepEqual(s.model.samples("sensor.plain"), [[1, 1]]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 2],
    [9, 3],
  ]);
});

test("an attribute is stored again after a restart only if it differs, and ends if it went away meanwhile", async () => {
  const before = createScenario();
  before.homeAssistant.registries.entity = [entry("light.a", "id1")];
  before.homeAssistant.states = [
    state("light.a", "on", { updated: 1 }, { brightness: 10, effect: "rainbow", transition: 3 }),
  ];
  await before.connectLive();
  await before[Symbol.asyncDispose]();

  await using s = createScenario({ store: before.model });
  s.homeAssistant.registries = before.homeAssistant.registries;
  s.homeAssistant.states = [state("light.a", "on", { changed: 1, updated: 50 }, { brightness: 10, transition: 4 })];
  await s.connectLive();
  assert.deepEqual(before.model.samples("id1"), [[1, "on"]]);
  assert.deepEqual(before.model.samples("id1", "brightness"), [[1, 10]]);
  assert.deepEqual(before.model.samples("id1", "transition"), [
    [1, 3],
    [50, 4],
  ]);
  assert.deepEqual(before.model.samples("id1", "effect"), [
    [1, "rainbow"],
    [50, null],
  ]);
  assert.equal(before.model.refused, 0);
});

test("the same change twice is stored once", async () => {
  await using s = createScenario();
  await s.connectLive();
  const change = s.change(state("sensor.a", "1", { updated: 1 }, { gain: 1 }));
  s.ingest.changed(change);
  assert.deepEqual(s.model.samples("sensor.a"), [[1, 1]]);
  assert.deepEqual(s.model.samples("sensor.a", "gain"), [[1, 1]]);
  assert.equal(s.ingest.status().changes, 2);
  assert.equal(s.ingest.status().samples, 2);
});

test("unit, device class and state class follow the state", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.change(state("sensor.p", "1", { updated: 1 }, { unit_of_measurement: "W", device_class: "power" }));
  assert.deepEqual(s.model.traits("sensor.p"), { unit: "W", deviceClass: "power", stateClass: null });
  s.change(state("sensor.p", "1", { changed: 1, updated: 2 }, { unit_of_measurement: "kW", state_class: 7 }));
  assert.deepEqual(s.model.traits("sensor.p"), { unit: "kW", deviceClass: null, stateClass: null });
});

test("a filtered entity is a current state without samples; reload() begins and ends it", async () => {
  await using s = createScenario({ rules: { exclude: { domains: ["sensor"] } } });
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.change(state("sensor.a", "2", { updated: 2 }));
  assert.equal(s.states.get("sensor.a")?.state, "2");
  assert.deepEqual(s.model.subjects(), []);
  assert.equal(s.ingest.status().filtered, 1);
  s.ingest.reload({});
  assert.deepEqual(s.model.samples("sensor.a"), [[2, 2]]);
  s.ingest.reload({ include: { domains: ["light"] } });
  s.change(state("sensor.a", "3", { updated: 3 }));
  assert.deepEqual(s.model.samples("sensor.a"), [[2, 2]]);
});

test("a filter by area follows the registries while connected", async () => {
  await using s = createScenario({ rules: { include: { areas: ["kitchen"] } } });
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1", { area_id: "kitchen" })];
  s.event("update", "sensor.a", 2);
  await s.until(() => s.ingest.filter.explain("sensor.a").recorded, "the new area");
  // As after reload(): what is recorded from now on begins with its present state.
  assert.deepEqual(s.model.samples("id1"), [[1, 1]]);
  s.change(state("sensor.a", "2", { updated: 3 }));
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [3, 2],
  ]);
  // The entry goes first, its state a moment later: that still ends the series.
  s.homeAssistant.registries.entity = [];
  s.event("remove", "sensor.a", 4);
  s.remove("sensor.a", 4.1);
  assert.deepEqual(s.model.samples("id1")?.at(-1), [4.1, null]);
});

test("registry events in a crowd are read once, after a silence", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using s = createScenario();
  await s.connectLive();
  s.event("update", "sensor.a", 1);
  t.mock.timers.tick(150);
  s.event("update", "sensor.b", 2);
  t.mock.timers.tick(150);
  assert.deepEqual(s.asked, ["snapshot"]);
  t.mock.timers.tick(50);
  assert.deepEqual(s.asked, ["snapshot", "entity"]);
});

test("a crowd of registry events that does not end is read after 300 ms", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  let now = 0;
  t.mock.method(performance, "now", () => now);
  await using s = createScenario();
  await s.connectLive();
  for (now = 0; now < 300; now += 100) {
    assert.deepEqual(s.asked, ["snapshot"]);
    s.event("update", "sensor.a", now);
    t.mock.timers.tick(100);
  }
  assert.deepEqual(s.asked, ["snapshot", "entity"]);
});

test("a registry event during a long read makes for another read, one at a time", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using s = createScenario();
  await s.connectLive();
  const release = s.hold();
  s.event("update", "sensor.a", 1);
  t.mock.timers.tick(200);
  s.event("update", "sensor.b", 2);
  t.mock.timers.tick(200);
  assert.deepEqual(s.asked, ["snapshot", "entity"]);
  release();
  await s.until(() => s.home.calls.filter((call) => call === "entity 0").length === 2, "the first list");
  t.mock.timers.tick(200);
  assert.deepEqual(s.asked, ["snapshot", "entity", "entity"]);
});

test("a rename during a read outlives the older list that the read brings", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.old", "id1")];
  s.homeAssistant.states = [state("sensor.old", "1", { updated: 1 })];
  await s.connectLive();
  s.event("update", "sensor.old", 2);
  const release = s.hold();
  await s.until(() => s.held.length === 1, "the read");
  s.homeAssistant.registries.entity = [entry("sensor.new", "id1")];
  s.event("update", "sensor.new", 3, "sensor.old");
  s.remove("sensor.old", 3.1);
  s.change(state("sensor.new", "1", { updated: 3.2 }));
  release();
  await s.until(() => s.home.calls.filter((call) => call === "entity 1").length === 2, "the older list");
  s.change(state("sensor.new", "2", { updated: 4 }));
  assert.deepEqual(s.model.subjects(), ["id1"]);
  assert.deepEqual(s.model.calls, ["rename id1 sensor.new 3"]);
  assert.deepEqual(s.model.samples("id1"), [
    [1, 1],
    [3.2, 1],
    [4, 2],
  ]);
});

test("a registry that cannot be read is tried again", async () => {
  await using s = createScenario();
  await s.connectLive();
  s.fail(1);
  s.homeAssistant.registries.area = [{ area_id: "attic", name: "Attic" }];
  s.registryEvent({ kind: "area", action: "create", id: "attic", oldEntityId: null, timeFired: at(1) });
  await s.told("area 1");
  assert.deepEqual(s.asked, ["snapshot", "area", "area"]);
});

test("entities without registry entry that come and go live reach the database together", async () => {
  await using s = createScenario();
  await s.connectLive();
  await s.told("save");
  s.change(state("geo_location.a", "1", { updated: 1 }));
  s.change(state("geo_location.b", "1", { updated: 1 }));
  s.remove("geo_location.a", 2);
  await s.told("gone geo_location.a");
  // What came and went is noted too: its history can be asked for.
  const expected = ["unregistered some geo_location.a,geo_location.b", "gone geo_location.a"];
  assert.deepEqual(s.home.calls.slice(-2), expected);
});

test("who owns an entity without registry entry that appears is asked, of several at once, and the filter follows", async (t) => {
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await using s = createScenario({ rules: { include: { integrations: ["group"] } } });
  await s.connectLive();
  s.homeAssistant.sources = new Map([
    ["group.a", "group"],
    ["group.b", "group"],
  ]);
  s.change(state("group.a", "on", { updated: 1 }));
  s.change(state("group.b", "off", { updated: 2 }));
  s.change(state("sensor.of_a_script", "1", { updated: 3 }));
  t.mock.timers.tick(200);
  await s.until(() => s.model.samples("group.b") !== undefined, "the owners");
  t.mock.timers.tick(200);
  await s.told("unregistered some group.a(group),group.b(group),sensor.of_a_script");
  assert.deepEqual(s.model.samples("group.a"), [[1, "on"]]);
  assert.deepEqual(s.model.samples("group.b"), [[2, "off"]]);
  assert.equal(s.model.samples("sensor.of_a_script"), undefined);
  assert.equal(s.asked.filter((what) => what === "sources").length, 1);
});

test("a state without registry entry under a name that just became free is noted once the database knows it is free", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  await s.connectLive();
  await s.told("save");
  s.homeAssistant.registries.entity = [entry("sensor.b", "id1")];
  const release = s.hold();
  s.event("update", "sensor.b", 2, "sensor.a");
  s.remove("sensor.a", 2);
  s.change(state("sensor.b", "1", { updated: 2 }));
  s.change(state("sensor.a", "other", { updated: 2.1 }));
  // Too early: in the database the name still is that of the entry.
  await s.told("unregistered some sensor.a");
  s.home.calls.length = 0;
  release();
  await s.told("unregistered some sensor.a");
  assert.deepEqual(s.home.calls, ["entity 1", "unregistered some sensor.a"]);
});

test("a state that a bulk upsert gave an entry goes on without one once Home Assistant's list lacks it", async () => {
  await using s = createScenario();
  s.homeAssistant.sources = new Map([["sun.sun", "sun"]]);
  s.homeAssistant.states = [state("sun.sun", "above_horizon", { updated: 1 })];
  await s.connectLive();
  await s.told("save");
  await s.home.applyRegistry("entity", [entry("sun.sun", "sun.sun")]);
  s.home.calls.length = 0;
  s.event("update", "light.other", 2);
  await s.told("unregistered some sun.sun(sun)");
  assert.deepEqual(s.home.calls, ["entity 0", "unregistered some sun.sun(sun)"]);
  assert.deepEqual(s.model.calls, []);
});

test("the database's refusal is tried again and does not hold up samples", async () => {
  await using s = createScenario();
  s.homeAssistant.registries.entity = [entry("sensor.a", "id1")];
  s.homeAssistant.states = [state("sensor.a", "1", { updated: 1 })];
  s.home.refusals.push(new AppError("unavailable", "disk is full"), new AppError("invalid", "odd rows"));
  await s.connectLive();
  assert.deepEqual(s.model.samples("id1"), [[1, 1]]);
  await s.told("save");
  // "area" was refused as full, then as invalid, which no repeat would mend.
  assert.deepEqual(s.home.calls.slice(0, 2), ["floor 0", "label 0"]);
});

test("the feed hears every change, and a listener that throws is counted", async () => {
  await using s = createScenario({ rules: { include: { domains: ["light"] } } });
  const heard: string[] = [];
  s.ingest.feed.subscribe(() => {
    throw new Error("broken");
  });
  const stop = s.ingest.feed.subscribe((change) => heard.push(change.entityId));
  await s.connectLive();
  s.change(state("sensor.a", "1", { updated: 1 }));
  stop();
  s.change(state("sensor.b", "1", { updated: 1 }));
  assert.deepEqual(heard, ["sensor.a"]);
  assert.equal(s.ingest.status().feedFailures, 2);
});

test("more changes than may wait are dropped and another snapshot is read", async () => {
  await using s = createScenario();
  const last = state("sensor.a", "7", { updated: 7 });
  const release = s.hold();
  s.connect();
  const change = { entityId: "sensor.a", oldState: null, newState: last, timeFired: last.lastUpdated };
  for (let n = 0; n < 200_001; n++) s.ingest.changed(change);
  s.homeAssistant.states = [last];
  release();
  await s.live();
  assert.equal(s.ingest.status().dropped, 200_000);
  assert.equal(s.ingest.status().snapshots, 2);
  assert.equal(s.states.get("sensor.a")?.state, "7");
});

test("the home is known once the database has a whole snapshot", async () => {
  await using s = createScenario();
  s.home.refusals.push(new AppError("unavailable", "disk is full"));
  assert.equal(s.ingest.status().homeKnown, false);
  await s.connectLive();
  assert.equal(s.ingest.status().homeKnown, false);
  await s.told("save");
  await s.until(() => s.ingest.status().homeKnown, "known");
  s.disconnect();
  assert.equal(s.ingest.status().homeKnown, true);
});
