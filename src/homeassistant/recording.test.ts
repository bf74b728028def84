import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import type { HomeConnection } from "../domain/connection.ts";
import { silentLog } from "../lib/log.ts";
import { microsFromIso } from "../lib/time.ts";
import { listStatistics, readHistory, readStatistics } from "./history.ts";
import type { Raw } from "./messages.ts";
import { createOddMessages } from "./odd-messages.ts";
import { type Peer, type RecordingListener, recordingListener, startScriptedHome } from "./scripted-home.ts";
import { createSession } from "./session.ts";

/** The session on what a real Home Assistant 2026.11.0 said. */

const RECORDING = join(
  import.meta.dirname,
  "../../../shared/fixtures/homeassistant/real-2026.11.0/websocket-transcript.jsonl",
);

interface Line {
  readonly conn?: string;
  readonly dir?: "in" | "out" | "open" | "close";
  readonly msg?: Raw | readonly Raw[];
}

/** One connection of the recording: each command with its answer, and the frames that carry events. */
interface Recorded {
  readonly commands: Map<unknown, Raw>;
  readonly results: Map<unknown, Raw>;
  readonly frames: (readonly Raw[])[];
}

function recorded(t: TestContext, name: string): Recorded | undefined {
  if (!existsSync(RECORDING)) {
    t.skip("…/shared/fixtures is absent");
    return undefined;
  }
  const connection: Recorded = { commands: new Map(), results: new Map(), frames: [] };
  for (const text of readFileSync(RECORDING, "utf8").trim().split("\n")) {
    const line = JSON.parse(text) as Line;
    if (line.conn !== name || line.msg === undefined) continue;
    const messages = (Array.isArray(line.msg) ? line.msg : [line.msg]) as readonly Raw[];
    if (line.dir === "out") for (const message of messages) connection.commands.set(message.id, message);
    if (line.dir !== "in") continue;
    for (const message of messages) if (message.type === "result") connection.results.set(message.id, message);
    if (messages.some((message) => message.type === "event")) connection.frames.push(messages);
  }
  return connection;
}

interface RawEvent {
  readonly event_type: string;
  readonly time_fired: string;
  readonly data: Record<string, Record<string, unknown> | null> & { entity_id: string };
}

function eventsOf({ frames }: Recorded, eventType: string): RawEvent[] {
  return frames
    .flat()
    .filter((message) => message.type === "event")
    .map((message) => message.event as RawEvent)
    .filter((event) => event.event_type === eventType);
}

interface Replayed {
  readonly listener: RecordingListener;
  readonly odd: Readonly<Record<string, number>>;
}

/** Runs a session against the recording: commands get the recorded answers, then come the recorded frames. */
async function replay(
  recording: Recorded,
  meanwhile?: (connection: HomeConnection) => Promise<void>,
): Promise<Replayed> {
  const answers = Object.fromEntries(
    [...recording.commands].map(([id, command]) => [String(command.type), recording.results.get(id)?.result]),
  );
  const home = await startScriptedHome({ answers });
  const listener = recordingListener();
  const seen = Promise.withResolvers<void>();
  const session = createSession({
    url: home.url,
    token: "good",
    verifySsl: true,
    log: silentLog(),
    listener: { ...listener, statisticsGenerated: () => seen.resolve() },
  });
  session.start();
  while (listener.connections.length === 0) await new Promise((resolve) => setTimeout(resolve, 2));
  const peer = home.peers[0]!;
  for (const frame of recording.frames) {
    const known = frame.flatMap((message) => translated(recording, peer, message));
    if (known.length > 0) peer.send(known.length === 1 ? known[0] : known);
  }
  peer.send(peer.event("recorder_hourly_statistics_generated", {}));
  await seen.promise;
  await meanwhile?.(listener.connections[0]!);
  const { oddMessages } = session.status();
  await session.close();
  await home.close();
  return { listener, odd: oddMessages };
}

/** The message with the id under which our session subscribed to its event; none for events it did not ask for. */
function translated(recording: Recorded, peer: Peer, message: Raw): Raw[] {
  const id = peer.subscriptions.get(String(recording.commands.get(message.id)?.event_type));
  return message.type === "event" && id !== undefined ? [{ ...message, id }] : [];
}

for (const name of ["main", "main, after restart"]) {
  test(`a session takes in every event of the recording "${name}"`, async (t) => {
    const recording = recorded(t, name);
    if (!recording) return;
    const raw = eventsOf(recording, "state_changed");
    assert.ok(raw.length > 150, `only ${raw.length} events were found in the recording`);
    const { listener, odd } = await replay(recording);
    assert.deepEqual(odd, {});
    assert.deepEqual(
      listener.changes.map((change) => [
        change.entityId,
        change.oldState && [change.oldState.read()?.state, change.oldState.lastUpdated],
        change.newState && [change.newState.state, change.newState.lastUpdated],
        change.timeFired,
      ]),
      raw.map(({ data, time_fired }) => [
        data.entity_id,
        data.old_state && [data.old_state.state, microsFromIso(String(data.old_state.last_updated))],
        data.new_state && [data.new_state.state, microsFromIso(String(data.new_state.last_updated))],
        microsFromIso(time_fired),
      ]),
    );
    const registryEvents = ["area", "floor", "label", "device", "entity"].reduce(
      (sum, kind) => sum + eventsOf(recording, `${kind}_registry_updated`).length,
      eventsOf(recording, "component_loaded").length,
    );
    assert.equal(listener.registryEvents.length, registryEvents);
  });
}

test("the recording's rename is seen, and removal and empty text are told apart", async (t) => {
  const recording = recorded(t, "main");
  if (!recording) return;
  const { listener } = await replay(recording);
  const renames = listener.registryEvents.filter((event) => event.oldEntityId !== null);
  assert.deepEqual(
    renames.map(({ oldEntityId, id }) => [oldEntityId, id]),
    [
      ["sensor.outside_temperature", "sensor.garden_temperature"],
      ["sensor.garden_temperature", "sensor.outside_temperature"],
    ],
  );
  const meter = listener.changes.filter((change) => change.entityId === "sensor.external_meter");
  const states = meter.map((change) => change.newState?.state ?? null);
  assert.ok(states.includes(""), "the empty text is a state");
  assert.equal(states.at(-1), null, "the deletion is a removal");
});

test("the connection reads all of the recorded home", async (t) => {
  const recording = recorded(t, "main");
  if (!recording) return;
  const { odd } = await replay(recording, async (connection) => {
    assert.equal(connection.isAdmin, true);
    const { config, states, registries, entitySources } = await connection.readSnapshot();
    assert.deepEqual(config, {
      version: "2026.11.0",
      locationName: "Test Home",
      timeZone: "Europe/Amsterdam",
      latitude: 52.37,
      longitude: 4.89,
      elevation: 2,
      state: "RUNNING",
    });
    assert.equal(states.length, 172);
    const counts = Object.fromEntries(Object.entries(registries).map(([kind, rows]) => [kind, rows?.length]));
    assert.deepEqual(counts, { area: 3, floor: 0, label: 0, config_entry: 7, device: 77, entity: 139 });
    assert.equal(entitySources?.get("zone.home"), "zone");
  });
  assert.deepEqual(odd, {});
});

test("history of the recording has the times of the live events to the microsecond", async (t) => {
  const live = recorded(t, "main");
  const query = recorded(t, "query");
  if (!live || !query) return;
  const changes = eventsOf(live, "state_changed");
  let compared = 0;
  let removals = 0;
  for (const [id, command] of query.commands) {
    const result = query.results.get(id);
    if (command.type !== "history/history_during_period" || result?.success !== true) continue;
    const span = { start: 0, end: Number.MAX_SAFE_INTEGER / 2 };
    const odd = createOddMessages(silentLog());
    const history = await readHistory(async () => result.result, ["any.thing"], span, { attributes: true }, odd);
    assert.deepEqual(odd.counts(), {});
    for (const [entityId, rows] of history) {
      const told = changes.filter((event) => event.data.entity_id === entityId);
      const byTime = new Map(told.map((event) => [timeOf(event), event.data.new_state]));
      for (const row of rows) {
        const event = byTime.get(row.lastUpdated);
        // The rows before the connection, and those of the load that the recording leaves out, have no live event.
        if (event === undefined) continue;
        assert.equal(row.state, event?.state ?? null);
        if (event) assert.equal(row.lastChanged, microsFromIso(String(event.last_changed)));
        compared++;
        if (row.state === null) removals++;
      }
      // The other way round: what was told of an entity that is not part of the load is all there.
      if (
        command.significant_changes_only === false &&
        command.minimal_response !== true &&
        !entityId.includes("load")
      ) {
        const known = new Set(rows.map((row) => row.lastUpdated));
        const asked = told.filter((event) => timeOf(event) < microsFromIso(String(command.end_time)));
        for (const event of asked) assert.ok(known.has(timeOf(event)), `${entityId} lacks ${event.time_fired}`);
      }
    }
  }
  assert.ok(compared > 50, `only ${compared} rows were compared`);
  assert.ok(removals > 0, "no removal was compared");
});

function timeOf({ data, time_fired }: RawEvent): number {
  return microsFromIso(data.new_state ? String(data.new_state.last_updated) : time_fired);
}

test("statistics of the recording are read", async (t) => {
  const query = recorded(t, "query");
  if (!query) return;
  const answerTo = (type: string, period?: string) => {
    const [id] = [...query.commands].find(([, command]) => command.type === type && command.period === period)!;
    return query.results.get(id)!.result;
  };
  const odd = createOddMessages(silentLog());
  const span = { start: 0, end: Number.MAX_SAFE_INTEGER / 2 };
  const hours = await readStatistics(
    async () => answerTo("recorder/statistics_during_period", "hour"),
    ["x"],
    span,
    odd,
  );
  const outdoor = hours.get("kitchen_sink:temperature_outdoor")!;
  assert.ok(outdoor.length > 20);
  for (const row of outdoor) {
    assert.equal(row.end - row.start, 3600e6);
    assert.equal(row.start % 3600e6, 0);
    assert.ok(row.min! <= row.mean! && row.mean! <= row.max!);
    assert.equal(row.sum, null);
  }
  const list = await listStatistics(async () => answerTo("recorder/list_statistic_ids"), odd);
  const energy = list.find((statistic) => statistic.id === "kitchen_sink:energy_consumption_kwh");
  assert.deepEqual(energy, { id: "kitchen_sink:energy_consumption_kwh", unit: "kWh", hasSum: true });
  assert.deepEqual(odd.counts(), {});
});
