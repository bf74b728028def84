import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import { pino } from "pino";
import type { Gap } from "../domain/gaps.ts";
import type { Value } from "../domain/sample.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import {
  assertHoldsTruth,
  type Recorder,
  samplesOf,
  startRecorder,
  temporaryDirectory,
} from "../testing/recorded-home.ts";
import { gauge, still } from "../testing/simulated-home/kinds.ts";
import { createSimulatedHome, type SimulatedHome } from "../testing/simulated-home/simulated-home.ts";
import { valueOfState } from "./normalize.ts";

/** History shows everything at once. */
const PROMPT = { commitIntervalMs: 0 };

test("the first start reads what Home Assistant's recorder still has", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await home.burst(5000);
  home.remove("sensor.waste_calendar");
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  const [gap, ...others] = await recorder.closed();
  assert.deepEqual(others, []);
  assert.equal(gap!.reason, "first_start");
  assert.equal(gap!.state, "filled");
  assert.ok(gap!.added > 4000);
  assert.equal(gap!.done, gap!.total);
  await assertHoldsTruth(recorder.store, home, (id) => id === "sensor.waste_calendar");
});

test("a closed socket opens a gap that is filled with what happened meanwhile", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  await home.burst(500);
  await home.refuseConnections(true);
  home.cutSockets();
  await recorder.until(() => recorder.session.status().state !== "connected", "the end of the connection");
  await home.burst(3000);
  await home.refuseConnections(false);
  await recorder.live();
  await home.burst(200);
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "socket_closed");
  assert.equal(gap!.state, "filled");
  assert.ok(gap!.start < gap!.end);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

/** The data directory of a program that had heard all of the home, and so many changes, when it was stopped. */
async function recorded(t: TestContext, home: SimulatedHome, changes = 0): Promise<string> {
  const directory = temporaryDirectory(t);
  await using recorder = await startRecorder(home, { directory });
  await recorder.closed();
  await home.burst(changes);
  await recorder.caughtUp();
  return directory;
}

test("a stop, and all that happened until the next start", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const directory = await recorded(t, home, 300);
  await home.burst(2000);
  await using recorder = await startRecorder(home, { directory });
  await home.burst(100);
  const [gap, first] = await recorder.closed();
  assert.equal(gap!.reason, "stopped");
  assert.equal(first!.reason, "first_start");
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("a crash: what was not on disk comes back", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let copy: string;
  {
    // Nothing is committed by the clock, so the crash takes all that came after the flush.
    const options = { directory: temporaryDirectory(t), store: { commitSeconds: 3600 } };
    await using recorder = await startRecorder(home, options);
    await recorder.closed();
    await home.burst(300);
    await recorder.caughtUp();
    await home.burst(300);
    await recorder.until(() => recorder.store.status().waiting > 50, "samples that wait");
    copy = recorder.crash(t);
  }
  await home.burst(500);
  await using recorder = await startRecorder(home, { directory: copy });
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "crash");
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("recovery mode is no home: nothing is taken for gone, and what was missed is read once it is over", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const directory = await recorded(t, home);
  await home.burst(500);
  home.recoveryMode(true);
  await using recorder = await startRecorder(home, { directory });
  await recorder.until(() => recorder.session.status().connectionAttempts > 2, "another attempt");
  const { state, reason } = recorder.session.status();
  assert.ok(state === "waiting" || state === "connecting", state);
  assert.match(reason ?? "", /recovery mode/);
  assert.equal(recorder.home.entity("sensor.waste_calendar")?.removed_at, null);
  home.recoveryMode(false);
  await recorder.live();
  const [gap, first] = await recorder.closed();
  assert.deepEqual([gap!.reason, gap!.state, first!.reason], ["stopped", "filled", "first_start"]);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("a gap waits for a recorder that failed to start", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const directory = await recorded(t, home);
  await home.burst(500);
  home.failRecorder(true);
  await using recorder = await startRecorder(home, { directory });
  await recorder.until(() => recorder.sleeps.length > 3, "attempts to fill the gap");
  assert.equal(recorder.store.gaps.list()[0]!.state, "filling");
  home.failRecorder(false);
  const [gap] = await recorder.closed();
  assert.deepEqual([gap!.reason, gap!.state, gap!.note], ["stopped", "filled", null]);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("another home in the place of the one recorded so far is told of, and takes over nothing of its entries", async (t) => {
  await using first = await createSimulatedHome(PROMPT);
  await using second = await createSimulatedHome({ ...PROMPT, seed: 2 });
  const directory = temporaryDirectory(t);
  const lines: string[] = [];
  const log = pino({ level: "warn" }, { write: (line: string) => void lines.push(line) });
  for (const home of [first, first, second]) {
    assert.deepEqual(lines, [], "said of the same home");
    await using recorder = await startRecorder(home, { directory, log });
    await recorder.closed();
    await recorder.caughtUp();
    await assertHoldsTruth(recorder.store, home, (entityId) => home.registryId(entityId) === null);
  }
  assert.equal(lines.length, 1);
  assert.match(lines[0]!, /another Home Assistant than the one recorded so far, of which none of \d+ entities is here/);
});

/** An entity is created at once and shows these states; answers its name and the subject of its series. */
function create(home: SimulatedHome, entityId: string, registered: boolean, states: readonly string[]): string {
  home.addEntity({
    entityId,
    kind: still(entityId.slice(0, entityId.indexOf(".")), "off"),
    registered,
    name: entityId,
  });
  for (const state of states) home.change(entityId, state);
  return home.registryId(entityId) ?? entityId;
}

const POWER = { deviceClass: "power", min: 0, max: 100, step: 5, decimals: 1 };

/** What the home's recorder has of a name, as [time, value]. */
function truthOf(home: SimulatedHome, entityId: string): [number, Value][] {
  const rows = [...home.truth()].filter((row) => row.entityId === entityId);
  return rows.map(({ state, lastUpdated }) => [lastUpdated, state === null ? null : (valueOfState(state) ?? null)]);
}

test("entities that came before a crash and went before the next start come back", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let copy: string;
  const subjects: string[] = [];
  const [loose, helper, left] = ["sensor.loose", "input_boolean.helper", "input_boolean.left_out"] as const;
  {
    const options = { directory: temporaryDirectory(t), store: { commitSeconds: 3600 } };
    await using recorder = await startRecorder(home, options);
    await recorder.closed();
    await recorder.caughtUp();
    subjects.push(create(home, loose, false, ["v0", "v1", "v2", "v3", "v4"]));
    subjects.push(create(home, helper, true, ["on"]));
    home.setArea(helper, home.createArea("Attic"));
    create(home, left, true, ["on"]);
    home.setArea(left, home.createArea("Cellar"));
    await recorder.until(() => recorder.home.entity(left)?.area_name === "Cellar", "an area in the database");
    await recorder.until(() => recorder.home.entity(loose) !== undefined, "an entity in the database");
    // Who writes rows of entities by hand may give them names that Home Assistant's history refuses.
    await recorder.home.bulkUpsert("entity", [Buffer.from(JSON.stringify([{ entity_id: "sensor.By-Hand" }]))]);
    copy = recorder.crash(t);
  }
  home.remove(loose);
  for (const entityId of [helper, left]) home.removeRegistryEntry(entityId);
  await using recorder = await startRecorder(home, { directory: copy, rules: { exclude: { areas: ["Cellar"] } } });
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "crash");
  assert.deepEqual([gap!.state, gap!.missingEntities], ["filled", []]);
  for (const [index, entityId] of [loose, helper].entries()) {
    const truth = truthOf(home, entityId);
    assert.equal(truth.at(-1)![1], null);
    assert.deepEqual(await samplesOf(recorder.store, subjects[index]!), truth, entityId);
    assert.equal(recorder.store.seriesOfEntity(entityId)[0]?.subject, subjects[index]);
  }
  assert.equal(recorder.store.names("state").has(loose), false, "nobody goes by its name now");
  assert.deepEqual(recorder.store.seriesOfEntity(left), [], "left out by where it belonged");
});

test("entities that came and went in an outage are found, as far as Home Assistant names them", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const options = { directory: temporaryDirectory(t), rules: { exclude: { entity_globs: ["*.private"] } } };
  await using recorder = await startRecorder(home, options);
  await recorder.closed();
  const helper = "input_boolean.guest";
  const sensor = "sensor.guest_power";
  await outage(home, recorder, async () => {
    create(home, helper, true, ["on", "off"]);
    create(home, "input_boolean.private", true, ["on", "off"]);
    home.addEntity({ entityId: sensor, kind: gauge({ ...POWER, unit: "W" }), registered: false });
    home.setClockOffset(600_000);
    home.change(sensor, "17.5");
    await home.burst(50);
    for (const entityId of [helper, "input_boolean.private"]) home.removeRegistryEntry(entityId);
    home.remove(sensor);
  });
  const [gap] = recorder.store.gaps.list();
  assert.deepEqual([gap!.state, gap!.note], ["filled", null]);
  for (const entityId of [helper, sensor]) {
    assert.deepEqual(await samplesOf(recorder.store, entityId), truthOf(home, entityId), entityId);
    assert.equal(recorder.store.seriesOfEntity(entityId)[0]?.subject, entityId);
  }
  assert.deepEqual(recorder.store.seriesOfEntity("input_boolean.private"), []);
  // What came and went while it was heard has its series already.
  const heard = create(home, "input_boolean.heard", true, ["on", "off"]);
  await recorder.caughtUp();
  home.removeRegistryEntry("input_boolean.heard");
  await recorder.until(() => !recorder.home.states.get("input_boolean.heard"), "the removal");
  await outage(home, recorder, () => undefined);
  assert.deepEqual(await samplesOf(recorder.store, heard), truthOf(home, "input_boolean.heard"));
  assert.deepEqual(await samplesOf(recorder.store, "input_boolean.heard"), []);
});

test("the first start reads sensors that are gone and have statistics", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  home.setClockOffset(-600_000);
  home.addEntity({ entityId: "sensor.sold_car", kind: gauge({ ...POWER, unit: "km" }), registered: false });
  home.setClockOffset(0);
  home.remove("sensor.sold_car");
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const samples = await samplesOf(recorder.store, "sensor.sold_car");
  assert.deepEqual(samples, truthOf(home, "sensor.sold_car"));
  assert.equal(samples.length, 2);
});

test("a restart of Home Assistant in the middle of a burst", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  home.startLoad({ ratePerSecond: 2000 });
  await recorder.until(() => recorder.ingest.status().changes > 500, "some changes");
  await home.restart({ downMs: 100, startingMs: 300 });
  await recorder.live();
  home.stopLoad();
  const [gap, ...others] = await recorder.closed();
  assert.equal(gap!.reason, "socket_closed");
  assert.equal(others.length, 1, "the start is one gap");
  assert.equal(others[0]!.state, "filled");
  assertTellsOfDowntime(gap!, recorder, home);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

/** The gap is partial, names every entity that the home has, and says between which rows nothing was recorded. */
function assertTellsOfDowntime(gap: Gap, recorder: Recorder, home: SimulatedHome): void {
  assert.equal(gap.state, "partial");
  const present = [...recorder.home.states.values()].map(({ entityId }) => entityId);
  const unnamed = new Set(present).difference(new Set(gap.missingEntities));
  assert.deepEqual([...unnamed], [], "entities that are not named");
  const [, from, to] = /^Home Assistant restarted: nothing is recorded between (\S+) and (\S+)$/.exec(gap.note!)!;
  const rows = [...home.truth()].map(({ lastUpdated }) => lastUpdated).sort((a, b) => a - b);
  const restartedAt = rows.findIndex((at) => isoFromMicros(at) === to);
  assert.ok(restartedAt > 0, gap.note!);
  assert.equal(from, isoFromMicros(rows[restartedAt - 1]!), "the last row before it");
  assert.deepEqual(gap.downtime, { start: rows[restartedAt - 1], end: rows[restartedAt] });
}

test("a connection that ends while Home Assistant starts is an interruption, also where nothing of before is read", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const starting = home.restart({ downMs: 0, startingMs: 1_500 });
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), backfillDays: 0 });
  await recorder.live();
  await home.refuseConnections(true);
  home.cutSockets();
  await recorder.until(() => recorder.session.status().state !== "connected", "the end of the connection");
  const missed = ["below_horizon", "above_horizon", "below_horizon"];
  for (const state of missed) home.change("sun.sun", state);
  await home.refuseConnections(false);
  await starting;
  await recorder.live();
  const gaps = await recorder.closed();
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ["socket_closed"],
  );
  const states = (await samplesOf(recorder.store, home.registryId("sun.sun") ?? "sun.sun")).map(([, value]) => value);
  assert.deepEqual(states.slice(-missed.length), missed);
});

test("a restart of Home Assistant while we were away is seen in its history", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const directory = await recorded(t, home, 100);
  await home.burst(200);
  await home.restart({ downMs: 50, startingMs: 50 });
  await home.burst(200);
  await using recorder = await startRecorder(home, { directory });
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "stopped");
  assertTellsOfDowntime(gap!, recorder, home);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("an outage in which every state changes is no restart of Home Assistant: the gap is filled", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [repeating] = movingEntities(home);
  home.change(repeating!, "7");
  await outage(home, recorder, () => {
    for (const { entityId } of [...recorder.home.states.values()]) {
      if (entityId !== repeating) home.change(entityId, "another");
    }
    // A sensor that tells its value whether it is another one or not (force_update).
    for (let times = 0; times < 3; times++) home.change(repeating!, "7", undefined, true);
  });
  const [gap] = recorder.store.gaps.list();
  assert.ok([...recorder.home.states.values()].every(({ lastChanged }) => lastChanged > gap!.start));
  assert.deepEqual([gap!.state, gap!.missingEntities, gap!.note], ["filled", [], null]);
  await assertHoldsTruth(recorder.store, home);
});

test("a frozen Home Assistant is half-open, and what it did not send is read", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  home.freeze();
  await home.burst(200);
  await recorder.until(() => recorder.session.status().state !== "connected", "the end of the connection");
  home.thaw();
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "half_open");
  await recorder.live();
  await recorder.closed();
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

/** Ends the connection, lets `happen` happen, and connects again. */
async function outage(home: SimulatedHome, recorder: Recorder, happen: () => Promise<void> | void): Promise<void> {
  await recorder.caughtUp();
  await home.refuseConnections(true);
  home.cutSockets();
  await recorder.until(() => recorder.session.status().state !== "connected", "the end of the connection");
  await happen();
  await home.refuseConnections(false);
  await recorder.live();
  await recorder.closed();
  await recorder.caughtUp();
}

test("renames, removals and a name that changed hands in an outage", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [renamed, removed, reused] = movingEntities(home);
  await outage(home, recorder, async () => {
    home.change(renamed!, "1001");
    home.rename(renamed!, "sensor.under_another_name");
    home.change("sensor.under_another_name", "1002");
    home.change(removed!, "1003");
    home.removeRegistryEntry(removed!);
    home.change(reused!, "1004");
    home.reuse(reused!);
    home.change(reused!, "1005");
    home.remove("sensor.waste_calendar");
    await home.burst(500);
  });
  await assertHoldsTruth(recorder.store, home);
  const series = recorder.store.seriesOfEntity("sensor.under_another_name");
  assert.equal(series[0]?.subject, home.registryId("sensor.under_another_name"));
});

test("names that go from one entity to the next in an outage keep the rows of each apart", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [replaced, successor, next, renamed] = movingEntities(home) as [string, string, string, string];
  await outage(home, recorder, async () => {
    for (const [i, id] of [replaced, successor, next, renamed].entries()) home.change(id, String(1001 + i));
    home.removeRegistryEntry(replaced);
    // To a name with a history of its own: each of the two keeps the history that it had.
    home.rename(successor, replaced);
    home.change(replaced, "2001");
    home.rename(next, successor);
    home.change(successor, "2002");
    home.addEntity({ entityId: next, kind: still("sensor", "2003"), name: "A new one" });
    // To a name without one: the history moves along.
    home.rename(renamed, "sensor.under_another_name");
    home.addEntity({ entityId: renamed, kind: still("sensor", "2004"), name: "Another new one" });
    for (const id of [replaced, successor, next, renamed]) home.registries.updateEntity(id, { icon: "mdi:eye" });
    home.change(replaced, "3001");
    await home.burst(100);
  });
  await assertHoldsTruth(recorder.store, home);
});

test("a name that changed hands shortly before an outage brings its new owner nothing of the former one", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [replaced, successor, readded, left] = movingEntities(home) as [string, string, string, string];
  home.change(replaced, "1001");
  home.removeRegistryEntry(replaced);
  home.rename(successor, replaced);
  home.change(readded, "1002");
  home.reuse(readded);
  home.change(readded, "1003");
  home.change(left, "1004");
  home.removeRegistryEntry(left);
  const known = () => recorder.store.seriesOfEntity(readded)[0]?.subject === home.registryId(readded);
  await recorder.until(known, "the new entry");
  home.change(readded, "1005");
  await outage(home, recorder, async () => {
    home.registries.updateEntity(readded, { icon: "mdi:eye" });
    home.addEntity({ entityId: left, kind: still("sensor", "1006"), name: "A new one" });
    await home.burst(100);
  });
  await assertHoldsTruth(recorder.store, home);
  await outage(home, recorder, () => home.reuse(readded));
  await assertHoldsTruth(recorder.store, home);
});

test("who takes, in an outage, a name that was free since shortly before gets nothing of its former owner", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [replaced, successor] = movingEntities(home) as [string, string];
  home.change(replaced, "1001");
  home.removeRegistryEntry(replaced);
  await recorder.until(() => recorder.home.states.get(replaced) === undefined, "the removal");
  home.change(successor, "1002");
  await outage(home, recorder, () => {
    home.rename(successor, replaced);
    home.change(replaced, "1003");
  });
  await assertHoldsTruth(recorder.store, home);
});

test("who takes, in an outage, a name whose owner went as the last thing before it gets nothing of that end", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [left] = movingEntities(home) as [string];
  home.removeRegistryEntry(left);
  await recorder.until(() => recorder.home.states.get(left) === undefined, "the removal");
  await outage(home, recorder, () =>
    home.addEntity({ entityId: left, kind: still("sensor", "1001"), name: "A new one" }),
  );
  await assertHoldsTruth(recorder.store, home);
});

test("names that change hands in an outage of a Home Assistant whose registry tells no times keep rows apart", async (t) => {
  await using home = await createSimulatedHome({ ...PROMPT, version: "2024.3.3" });
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [renamed, removed, reused, replaced, successor] = movingEntities(home) as [
    string,
    string,
    string,
    string,
    string,
  ];
  await outage(home, recorder, () => {
    for (const [i, id] of [renamed, removed, reused, replaced, successor].entries()) home.change(id, String(1001 + i));
    home.rename(renamed, "sensor.under_another_name");
    home.addEntity({ entityId: renamed, kind: still("sensor", "2001"), name: "A new one" });
    home.removeRegistryEntry(removed);
    home.reuse(reused);
    home.change(reused, "2002");
    home.removeRegistryEntry(replaced);
    home.rename(successor, replaced);
    home.change(replaced, "2003");
  });
  await assertHoldsTruth(recorder.store, home);
});

test("a name that changes hands while a gap is filled keeps each owner's rows apart", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const [replaced, successor, readded] = movingEntities(home) as [string, string, string];
  const directory = temporaryDirectory(t);
  const started: { recorder?: Recorder } = {};
  let isChanged = false;
  const pause = async (ms: number) => {
    if (ms < 9_000 || isChanged || started.recorder?.store.gaps.list()[0]?.reason !== "socket_closed") return;
    isChanged = true;
    home.removeRegistryEntry(replaced);
    home.rename(successor, replaced);
    home.change(replaced, "2001");
    home.reuse(readded);
    home.change(readded, "2002");
    // The registry is read half a second after its last event.
    const known = () => started.recorder!.store.seriesOfEntity(readded)[0]?.subject === home.registryId(readded);
    await started.recorder!.until(known, "the new entry");
  };
  await using recorder = await startRecorder(home, { directory, pause });
  started.recorder = recorder;
  await recorder.closed();
  await outage(home, recorder, async () => {
    for (const [i, id] of [replaced, successor, readded].entries()) home.change(id, String(1001 + i));
    await home.burst(100);
  });
  assert.ok(isChanged);
  await assertHoldsTruth(recorder.store, home);
});

test("a name that came to another entity a moment ago brings its former owner nothing while a gap is filled", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const [readded] = movingEntities(home) as [string];
  const started: { recorder?: Recorder } = {};
  let isChanged = false;
  const pause = async (ms: number) => {
    if (ms < 9_000 || isChanged || started.recorder?.store.gaps.list()[0]?.reason !== "socket_closed") return;
    isChanged = true;
    // Whose it is now is known only when the list of entities has come.
    home.slowRegistries(300);
    home.reuse(readded);
    home.change(readded, "2002");
    await started.recorder!.until(() => started.recorder!.home.states.get(readded) === undefined, "the removal");
  };
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), pause });
  started.recorder = recorder;
  await recorder.closed();
  await outage(home, recorder, () => home.change(readded, "1001"));
  assert.ok(isChanged);
  await assertHoldsTruth(recorder.store, home);
});

/** Registered sensors of numbers. */
function movingEntities(home: SimulatedHome): string[] {
  const ids: string[] = [];
  for (const { entityId, registryId, state } of home.truth()) {
    if (registryId !== null && entityId.startsWith("sensor.") && Number.isFinite(Number(state))) ids.push(entityId);
  }
  return [...new Set(ids)];
}

test("what Home Assistant's recorder excludes leaves the gap partial, and is named", async (t) => {
  const excluded = "sensor.waste_calendar";
  await using home = await createSimulatedHome({ ...PROMPT, recorderExcludes: [excluded] });
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  // Changed before the gap, and heard.
  home.change(excluded, "Glass, today");
  const heard = () => recorder.home.states.get(excluded)!;
  // A gap begins in whole milliseconds, so it may begin before what was heard in the same one.
  await recorder.until(() => heard().state === "Glass, today" && nowMicros() > heard().lastUpdated, "the change");
  await outage(home, recorder, () => home.change(movingEntities(home)[0]!, "41"));
  const [before] = recorder.store.gaps.list();
  assert.deepEqual([before!.state, before!.missingEntities], ["filled", []]);
  await outage(home, recorder, async () => {
    await home.burst(100);
    home.change(excluded, "never recorded");
  });
  const gaps = recorder.store.gaps.list();
  const [gap, first] = [gaps[0], gaps.at(-1)];
  assert.equal(gap!.state, "partial");
  assert.deepEqual(gap!.missingEntities, [excluded]);
  assert.equal(first!.state, "partial");
  // Its present state is stored all the same.
  const samples = await samplesOf(recorder.store, home.registryId(excluded) ?? excluded);
  assert.deepEqual(
    samples.map(([, value]) => value),
    ["Paper, tomorrow", "Glass, today", "never recorded"],
  );
  await assertHoldsTruth(recorder.store, home);
});

test("a recorder that has not committed yet is waited for", async (t) => {
  await using home = await createSimulatedHome({ commitIntervalMs: 3_600_000 });
  let pauses = 0;
  const pause = (ms: number) => {
    if (ms >= 9_000 && ++pauses % 3 === 0) home.commitRecorder();
  };
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), pause });
  await recorder.closed();
  await outage(home, recorder, async () => void (await home.burst(300)));
  const [gap] = recorder.store.gaps.list();
  assert.equal(gap!.state, "filled");
  await assertHoldsTruth(recorder.store, home);
});

test("what a stalled recorder never wrote leaves the gap partial, and is named", async (t) => {
  await using home = await createSimulatedHome({ commitIntervalMs: 3_600_000 });
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  const [changed, quiet] = movingEntities(home) as [string, string];
  for (const entityId of [changed, quiet]) home.change(entityId, "41");
  home.commitRecorder();
  await outage(home, recorder, () => home.change(changed, "42"));
  const [gap] = recorder.store.gaps.list();
  assert.deepEqual([gap!.state, gap!.missingEntities], ["partial", [changed]]);
  assert.match(gap!.note!, /recorder lacks the last state of 1 entity that changed in it/);
});

test("a backfill that is killed goes on where it was", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  // Three days in the past, some changes each hour.
  for (let hour = -72; hour <= 0; hour++) {
    home.setClockOffset(hour * 3_600_000);
    await home.burst(100);
  }
  const started: { recorder?: Recorder; copy?: string } = {};
  const pause = async () => {
    const { recorder, copy } = started;
    const gap = recorder?.store.gaps.list()[0];
    if (recorder === undefined || copy !== undefined || gap === undefined || gap.done < 3 || gap.done > 60) return;
    await recorder.store.flush();
    started.copy = recorder.crash(t);
  };
  {
    await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), backfillDays: 4, pause });
    started.recorder = recorder;
    await recorder.closed();
    await assertHoldsTruth(recorder.store, home);
  }
  await using recorder = await startRecorder(home, { directory: started.copy!, backfillDays: 4 });
  const first = recorder.store.gaps.list().at(-1)!;
  assert.equal(first.state, "filling");
  assert.ok(first.added > 0);
  await recorder.closed();
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
  assert.ok(recorder.store.gaps.list().at(-1)!.added > first.added);
});

test("windows grow where there is little, so that a decade back costs few questions", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await home.burst(500);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), backfillDays: 3650 });
  await recorder.closed();
  await assertHoldsTruth(recorder.store, home);
  const groups = Math.ceil(home.stats.entities / 50);
  assert.ok(recorder.ingest.backfillStatus()!.questions < 250 * groups);
});

test("samples that the store turned away come back when it takes them again", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let full = false;
  const store = { memorySamplesMax: 1500, foldSamples: 100, maxPages: () => (full ? 1 : 1_000_000) };
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), store });
  await recorder.closed();
  full = true;
  await recorder.until(() => {
    void home.burst(20);
    return recorder.store.status().dropped > 0;
  }, "a sample that is turned away");
  full = false;
  await recorder.until(() => recorder.store.gaps.list()[0]!.reason === "queue_overflow", "a gap");
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "queue_overflow");
  assert.equal(gap!.state, "filled");
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("more events than may wait for a snapshot: the newest are taken, the gap brings back the others", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  home.slowRegistries(300);
  // Nothing of the past is asked for, so that the overflow has to open a gap of its own.
  const options = { directory: temporaryDirectory(t), backfillDays: 0, queueEventsMax: 100 };
  await using recorder = await startRecorder(home, options);
  await recorder.until(() => recorder.session.status().state === "connected", "a connection");
  for (let rounds = 0; recorder.ingest.status().dropped < 200; rounds++) {
    await home.burst(30);
    await recorder.until(() => recorder.ingest.status().changes > rounds * 20, "the changes");
  }
  home.slowRegistries(0);
  await recorder.live();
  const gaps = await recorder.closed();
  assert.deepEqual(
    gaps.map(({ reason, state }) => `${reason} ${state}`),
    ["queue_overflow filled"],
  );
  assert.ok(recorder.ingest.status().snapshots > 1, "another snapshot is read");
  assert.ok(gaps[0]!.added > 0);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("events out of order and events that come twice lose nothing and leave the newest state", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  home.duplicateNext(50);
  await home.burst(50);
  await recorder.caughtUp();
  assert.equal(recorder.store.gaps.list().length, 1, "an event that comes twice is none that was missed");
  home.reverseNext(40);
  await home.burst(40);
  await recorder.caughtUp();
  await recorder.closed();
  await assertHoldsTruth(recorder.store, home);
});

test("a sleep and a jump of the clock are gaps", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let slept = 0;
  let jumped = 0;
  const readClocks = () => {
    const now = performance.now();
    return { wall: now + slept + jumped, awake: now, running: now + slept };
  };
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), readClocks });
  await recorder.closed();
  slept = 60_000;
  await recorder.until(() => recorder.store.gaps.list()[0]!.reason === "asleep", "a gap");
  jumped = -7_000;
  await recorder.until(() => recorder.store.gaps.list()[0]!.reason === "clock_jump", "a gap");
  const gaps = await recorder.closed();
  assert.deepEqual(
    gaps.map(({ reason }) => reason),
    ["clock_jump", "asleep", "first_start"],
  );
});

test("after a minute in which the home says nothing samples of others are stored", async (t) => {
  t.mock.timers.enable({ apis: ["setInterval"] });
  await using home = await createSimulatedHome(PROMPT);
  let passed = 0;
  const readClocks = () => ({ wall: passed, awake: passed, running: passed });
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), readClocks });
  await recorder.closed();
  const { store, ingest } = recorder;
  const heard = ingest.heardUntil()!;
  while (ingest.heardUntil() === heard) {
    // As the clocks of a machine: with half a microsecond.
    passed += 99.6005;
    t.mock.timers.tick(50);
  }
  assert.equal(Number.isSafeInteger(ingest.heardUntil()), true);
  const weather = store.series({ measurement: "weather", subject: "home", field: "temperature" }, "home", heard);
  store.append(weather, heard, 21.5);
  await store.flush();
  assert.equal(store.status().writable, true);
  assert.equal(store.status().waiting, 0);
});

test("events that get lost are noticed by the next one of the entity, as one gap, and come back", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let losing = 0;
  const loses = () => losing-- > 0;
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), loses });
  await recorder.closed();
  const [first, second] = movingEntities(home) as [string, string];
  losing = 2;
  home.change(first, "2001");
  home.change(second, "2002");
  await recorder.until(() => losing <= 0, "two changes");
  home.change(first, "2003");
  home.change(second, "2004");
  await recorder.until(() => recorder.store.gaps.list().length === 2, "a gap");
  const [gap] = await recorder.closed();
  assert.equal(gap!.reason, "missed_event");
  assert.equal(gap!.added >= 2, true);
  assert.equal(recorder.store.gaps.list().length, 2);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("an entity that is renamed in the moment in which it is created is no event that got lost", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  home.addEntity({ entityId: "sensor.first_name", kind: still("sensor", "1"), integration: "demo", name: "New" });
  home.rename("sensor.first_name", "sensor.second_name");
  await recorder.caughtUp();
  assert.equal(recorder.store.gaps.list().length, 1);
  await assertHoldsTruth(recorder.store, home);
});

test("an event that got lost comes back although its entity was renamed or removed since", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let losing = 0;
  const loses = () => losing-- > 0;
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), loses });
  await recorder.closed();
  const entities = movingEntities(home).slice(0, 3) as [string, string, string];
  losing = 3;
  for (const entityId of entities) home.change(entityId, "2001");
  await recorder.until(() => losing <= 0, "three changes");
  for (const entityId of entities) home.change(entityId, "2002");
  const [renamed, removed, kept] = entities;
  home.rename(renamed, "sensor.under_another_name");
  home.removeRegistryEntry(removed);
  home.change(kept, "2003");
  await recorder.until(() => recorder.store.gaps.list().length === 2, "a gap");
  await recorder.closed();
  assert.equal(recorder.store.gaps.list().length, 2);
  await recorder.caughtUp();
  await assertHoldsTruth(recorder.store, home);
});

test("attributes are after an outage what they would be without it", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  let losing = false;
  const loses = () => losing;
  await using recorder = await startRecorder(home, { directory: temporaryDirectory(t), loses });
  await using witness = await startRecorder(home, { directory: temporaryDirectory(t) });
  await recorder.closed();
  await witness.closed();
  const [sensor] = movingEntities(home) as [string];
  home.change(sensor, "1", { level: 1, room: "hall" });
  await recorder.caughtUp();
  losing = true;
  home.change(sensor, "1", { level: 2, room: "hall" });
  home.change(sensor, "2", { level: 2 });
  home.change(sensor, "3", { level: 3 });
  home.change(sensor, "unavailable", {});
  home.change(sensor, "4", { level: 3, room: "hall" });
  await witness.caughtUp();
  home.cutSockets();
  await recorder.until(() => recorder.session.status().state !== "connected", "the end of the connection");
  losing = false;
  await recorder.live();
  await recorder.closed();
  await recorder.caughtUp();
  const subject = home.registryId(sensor)!;
  for (const field of ["state", "level", "room"]) {
    const heard = await samplesOf(witness.store, subject, field);
    assert.ok(heard.length > 2);
    assert.deepEqual(await samplesOf(recorder.store, subject, field), heard, field);
  }
});

/** A recorder of a home in which something happens at each long pause, so that its present is known. */
async function startBusyRecorder(home: SimulatedHome, directory: string): Promise<Recorder> {
  const started: { recorder?: Recorder } = {};
  const pause = async (ms: number) => {
    if (ms < 9_000) return;
    await home.burst(10);
    await started.recorder!.caughtUp();
  };
  started.recorder = await startRecorder(home, { directory, pause });
  return started.recorder;
}

test("Home Assistant's clock steps, and nothing is lost or taken for missing", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startBusyRecorder(home, temporaryDirectory(t));
  await recorder.closed();
  for (const hours of [2, -1, 0]) {
    home.setClockOffset(hours * 3_600_000);
    await home.burst(100);
    await outage(home, recorder, async () => void (await home.burst(100)));
  }
  await assertHoldsTruth(recorder.store, home);
  assert.deepEqual([...new Set(recorder.store.gaps.list().map((gap) => gap.state))], ["filled"]);
});

test("Home Assistant's clock is set back in an outage, and what it recorded by it is read", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  await using recorder = await startBusyRecorder(home, temporaryDirectory(t));
  await recorder.closed();
  await home.burst(100);
  await outage(home, recorder, async () => {
    await home.burst(100);
    home.setClockOffset(-3_600_000);
    await home.burst(2000);
  });
  await assertHoldsTruth(recorder.store, home);
  assert.equal(recorder.store.gaps.list()[0]!.state, "filled");
});

test("where our clock is days behind Home Assistant's, the first start and a stop lose nothing", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  home.setClockOffset(3 * 86_400_000);
  await home.burst(500);
  const directory = temporaryDirectory(t);
  for (let starts = 0; starts < 2; starts++) {
    await using recorder = await startRecorder(home, { directory, backfillDays: 1 });
    await recorder.closed();
    await recorder.caughtUp();
    await assertHoldsTruth(recorder.store, home);
    await recorder.stop();
    home.setClockOffset(8 * 86_400_000);
    await home.burst(500);
  }
});
