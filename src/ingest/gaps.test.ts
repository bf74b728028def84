import assert from "node:assert/strict";
import { test } from "node:test";
import {
  assertHoldsTruth,
  type Recorder,
  samplesOf,
  startRecorder,
  temporaryDirectory,
} from "../testing/recorded-home.ts";
import { createSimulatedHome, type SimulatedHome } from "../testing/simulated-home/simulated-home.ts";

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

test("a stop, and all that happened until the next start", async (t) => {
  await using home = await createSimulatedHome(PROMPT);
  const directory = temporaryDirectory(t);
  {
    await using recorder = await startRecorder(home, { directory });
    await recorder.closed();
    await home.burst(300);
    await recorder.caughtUp();
  }
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
  assert.match(gap!.note!, /^Home Assistant restarted/);
  assert.equal(others.length, 1, "the start is one gap");
  await recorder.caughtUp();
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
  await outage(home, recorder, async () => {
    await home.burst(100);
    home.change(excluded, "never recorded");
  });
  const [gap, first] = recorder.store.gaps.list();
  assert.equal(gap!.state, "partial");
  assert.deepEqual(gap!.missingEntities, [excluded]);
  assert.equal(first!.state, "partial");
  // Its present state is stored all the same.
  const samples = await samplesOf(recorder.store, home.registryId(excluded) ?? excluded);
  assert.deepEqual(
    samples.map(([, value]) => value),
    ["Paper, tomorrow", "never recorded"],
  );
  await assertHoldsTruth(recorder.store, home);
});
