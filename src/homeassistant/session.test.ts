import assert from "node:assert/strict";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server, type Socket } from "node:net";
import { afterEach, test } from "node:test";
import fc from "fast-check";
import { pino } from "pino";
import type { WebSocket } from "ws";
import { CERTIFICATE, KEY } from "../testing/certificate.ts";
import {
  NO_ANSWER,
  type RecordingListener,
  rawChange,
  rawState,
  recordingListener,
  refusal,
  type Script,
  type ScriptedHome,
  startScriptedHome,
} from "./scripted-home.ts";
import { createSession, type HomeAssistantSession, type SessionOptions } from "./session.ts";
import type { Timing } from "./timing.ts";

/** Short waits, so that a test of a timeout is over soon; none of them decides a test that is not about it. */
const QUICK: Partial<Timing> = { retryFirstMs: 5, retryCapMs: 20, closeMs: 200 };

const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
});

async function home(script?: Script): Promise<ScriptedHome> {
  const scripted = await startScriptedHome(script);
  closing.push(() => scripted.close());
  return scripted;
}

/** The address of a server that is no Home Assistant. */
async function listen(server: Server): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  closing.push(async () => server.close());
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

interface Started {
  readonly session: HomeAssistantSession;
  readonly listener: RecordingListener;
  /** Every line of the log, as JSON. */
  readonly lines: string[];
}

function start(url: string | null, options: Partial<SessionOptions> = {}): Started {
  const listener = recordingListener();
  const lines: string[] = [];
  const log = pino({ level: "debug" }, { write: (line: string) => lines.push(line) });
  const session = createSession({
    url,
    token: "good",
    verifySsl: true,
    log,
    listener,
    ...options,
    timing: { ...QUICK, ...options.timing },
  });
  closing.push(() => session.close());
  session.start();
  return { session, listener, lines };
}

/** Resolves as soon as the condition holds. */
async function until(condition: () => boolean, what: string): Promise<void> {
  const deadline = Date.now() + 5_000;
  while (!condition()) {
    if (Date.now() > deadline) assert.fail(`never came: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
}

const connected = (started: Started, times = 1): Promise<void> =>
  until(() => started.listener.connections.length >= times, `connection ${times}`);

test("start() without a url does nothing and says so", async () => {
  const { session, listener, lines } = start(null);
  assert.match(lines.join(""), /HA_URL is not set: nothing of a home is recorded/);
  assert.equal(session.status().state, "unconfigured");
  assert.equal(session.status().reason, "HA_URL is not set");
  assert.equal(session.status().connectionAttempts, 0);
  await session.close();
  assert.deepEqual(listener.calls, []);
});

test("start() without a token waits for useToken()", async () => {
  const ha = await home();
  const started = start(ha.url, { token: null });
  assert.equal(started.session.status().state, "unconfigured");
  assert.equal(started.session.status().reason, "HA_TOKEN is not set");
  started.session.useToken("good");
  await connected(started);
});

test("a connection authenticates, asks for coalescing first, and subscribes once to each event", async () => {
  const ha = await home({ answers: { "auth/current_user": { is_admin: true } } });
  const started = start(ha.url);
  await connected(started);
  const { received, subscriptions } = ha.peers[0]!;
  assert.deepEqual(received[0], { type: "auth", access_token: "good" });
  assert.deepEqual(received[1], { id: 1, type: "supported_features", features: { coalesce_messages: 1 } });
  assert.deepEqual([...subscriptions.keys()].sort(), [
    "area_registry_updated",
    "category_registry_updated",
    "component_loaded",
    "core_config_updated",
    "device_registry_updated",
    "entity_registry_updated",
    "floor_registry_updated",
    "homeassistant_started",
    "label_registry_updated",
    "recorder_hourly_statistics_generated",
    "state_changed",
  ]);
  const ids = received.slice(1).map((command) => command.id as number);
  assert.deepEqual(
    ids,
    ids.toSorted((a, b) => a - b),
  );
  assert.equal(new Set(ids).size, ids.length);
  const [connection] = started.listener.connections;
  assert.equal(connection?.haVersion, "2026.11.0");
  assert.equal(connection?.isAdmin, true);
  const status = started.session.status();
  assert.equal(status.state, "connected");
  assert.equal(status.reason, null);
  assert.equal(status.successfulConnections, 1);
  assert.equal(status.haVersion, "2026.11.0");
});

test("onState hears each state, and of a connection before the listener does", async () => {
  const ha = await home();
  const heard: string[] = [];
  const listener = recordingListener();
  const onState = (state: string): void => void heard.push(`${state} ${listener.connections.length}`);
  const started = start(ha.url, { listener, onState });
  await until(() => listener.connections.length === 1, "the first connection");
  ha.peers[0]!.socket.terminate();
  await until(() => listener.connections.length === 2, "the second connection");
  await started.session.close();
  assert.deepEqual(heard, ["connecting 0", "connected 0", "waiting 1", "connecting 1", "connected 1", "stopped 2"]);
});

test("a refusal repeats neither the token nor a text without end", async () => {
  const message = `Cannot take "wrong-token": ${"no ".repeat(100_000)}`;
  const ha = await home({ greet: (peer) => peer.send({ type: "auth_invalid", message }) });
  const started = start(ha.url, { token: "wrong-token" });
  await until(() => started.session.status().state === "refused", "refusal");
  const { reason } = started.session.status();
  assert.match(
    reason ?? "",
    /^Home Assistant refuses HA_TOKEN \("Cannot take "\*\*\*": no .{0,200}"\); it is not tried again/,
  );
  assert.doesNotMatch(started.lines.join(""), /wrong-token/);
});

test("a refused token is tried once, named in one line, and replaced by useToken()", async () => {
  const ha = await home();
  const started = start(ha.url, { token: "wrong-token" });
  await until(() => started.session.status().state === "refused", "refusal");
  // Many times the first wait: whatever would retry had its turn.
  await new Promise((resolve) => setTimeout(resolve, 20 * QUICK.retryFirstMs!));
  assert.equal(ha.peers.length, 1);
  assert.match(started.session.status().reason ?? "", /refuses HA_TOKEN/);
  assert.equal(started.lines.filter((line) => line.includes("HA_TOKEN")).length, 1);
  assert.deepEqual(started.listener.calls, []);

  started.session.useToken("good");
  await connected(started);
  const said = JSON.stringify(started.session.status()) + started.lines.join("");
  assert.doesNotMatch(said, /wrong-token|"good"/);
});

test("useToken() on an open connection opens a new one, and what is missed between the two is an interruption", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  started.session.useToken("good");
  await connected(started, 2);
  assert.deepEqual(started.listener.calls, ["connected", "disconnected socket_closed", "connected"]);
});

test("an old Home Assistant that lacks commands is connected to all the same", async () => {
  const missing = refusal("unknown_command");
  const ha = await home({
    answers: {
      supported_features: missing,
      "auth/current_user": missing,
      get_config: missing,
      "recorder/info": missing,
      "config_entries/subscribe": missing,
      get_states: [rawState("sun.sun", "above_horizon")],
    },
  });
  const started = start(ha.url);
  await connected(started);
  assert.equal(started.listener.connections[0]!.isAdmin, false);
  assert.equal((await started.listener.connections[0]!.readStates()).length, 1);
});

test("a token without administrator's rights is refused homeassistant_started only, and that is no fault", async () => {
  const ha = await home({
    answers: {
      "auth/current_user": { is_admin: false },
      "subscribe_events homeassistant_started": refusal("unauthorized"),
    },
  });
  const started = start(ha.url);
  await connected(started);
  assert.equal(started.listener.connections[0]!.isAdmin, false);
  ha.peers[0]!.send(ha.peers[0]!.event("core_config_updated", {}));
  await until(() => started.listener.calls.includes("configChanged"), "configChanged");
});

test("a connection without state_changed is none: it is tried again", async () => {
  let refusals = 1;
  const ha = await home({
    answers: { "subscribe_events state_changed": () => (refusals-- > 0 ? refusal("unknown_error") : null) },
  });
  const started = start(ha.url);
  await connected(started);
  assert.equal(ha.peers.length, 2);
  assert.deepEqual(started.listener.calls, ["connected"]);
});

test("events between a subscription and connected() come after it, in order, and none is lost", async () => {
  const ha = await home({
    answers: {
      "subscribe_events entity_registry_updated": (command: { id?: unknown }, peer: { send(frame: unknown): void }) => {
        const data = { action: "create", entity_id: "sensor.first" };
        // In one frame with the subscription's own answer, as HA may coalesce them.
        peer.send([
          { id: command.id, type: "result", success: true, result: null },
          { id: command.id, type: "event", event: { event_type: "entity_registry_updated", data } },
        ]);
        return NO_ANSWER;
      },
      "subscribe_events state_changed": (command: { id?: unknown }, peer: { send(frame: unknown): void }) => {
        const event = (micros: number) => ({
          id: command.id,
          type: "event",
          event: { event_type: "state_changed", data: rawChange("sensor.second", String(micros), micros) },
        });
        peer.send([{ id: command.id, type: "result", success: true, result: null }, event(1), event(2)]);
        peer.send(event(3));
        return NO_ANSWER;
      },
    },
  });
  const started = start(ha.url);
  await until(() => started.listener.changes.length === 3, "three changes");
  assert.deepEqual(started.listener.calls, [
    "connected",
    "entity create sensor.first",
    "changed sensor.second",
    "changed sensor.second",
    "changed sensor.second",
  ]);
  assert.deepEqual(
    started.listener.changes.map((change) => change.newState?.state),
    ["1", "2", "3"],
  );
});

test("frames of one message and of many are both understood", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const [peer] = ha.peers;
  peer!.send(peer!.event("state_changed", rawChange("sensor.a", "1")));
  peer!.send([1, 2, 3].map((micros) => peer!.event("state_changed", rawChange("sensor.b", "1", micros))));
  peer!.send([]);
  await until(() => started.listener.changes.length === 4, "four changes");
  assert.equal(started.session.status().eventsReceived, 4);
  assert.deepEqual(started.session.status().oddMessages, {});
});

test("every kind of event reaches the listener", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const peer = ha.peers[0]!;
  const configEntries = peer.received.find((command) => command.type === "config_entries/subscribe")?.id;
  const entry = { entry_id: "01", domain: "hue" };
  peer.send([
    peer.event("state_changed", { entity_id: "sensor.a", old_state: rawState("sensor.a", "1"), new_state: null }),
    peer.event("area_registry_updated", { action: "reorder", area_id: null }),
    peer.event("floor_registry_updated", { action: "reorder" }),
    peer.event("label_registry_updated", { action: "remove", label_id: "important" }),
    peer.event("device_registry_updated", { action: "update", device_id: "d1", changes: {} }),
    peer.event("entity_registry_updated", { action: "update", entity_id: "sensor.b", old_entity_id: "sensor.a" }),
    peer.event("category_registry_updated", { action: "create", scope: "automation", category_id: "c" }),
    peer.event("component_loaded", { component: "hue" }),
    { id: configEntries, type: "event", event: [{ type: null, entry }] },
    { id: configEntries, type: "event", event: [{ type: "removed", entry }] },
    peer.event("core_config_updated", {}),
    peer.event("homeassistant_started", {}),
    peer.event("recorder_hourly_statistics_generated", {}),
  ]);
  await until(() => started.listener.calls.includes("statisticsGenerated"), "the last event");
  assert.deepEqual(started.listener.calls, [
    "connected",
    "changed sensor.a",
    "area reorder null",
    "floor reorder null",
    "label remove important",
    "device update d1",
    "entity update sensor.b",
    "entity create null",
    "config_entry component_loaded null",
    "config_entry removed 01",
    "configChanged",
    "configChanged",
    "statisticsGenerated",
  ]);
  assert.equal(started.listener.changes[0]!.newState, null);
  const rename = started.listener.registryEvents.find((event) => event.id === "sensor.b");
  assert.equal(rename?.oldEntityId, "sensor.a");
  assert.equal(rename?.timeFired, Date.UTC(2026, 10, 24, 11, 4, 10) * 1000 + 1);
});

test("odd messages are counted by kind, logged once a kind, and end nothing", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const peer = ha.peers[0]!;
  const odd = [
    null,
    7,
    "text",
    {},
    { type: "surprise" },
    { type: "surprise" },
    { type: ["auth_ok"] },
    { type: "event" },
    { type: "event", id: 4711, event: {} },
    { type: "result", id: 4711, success: true },
    { type: "result", id: peer.subscriptions.get("state_changed"), success: false, error: { code: "unknown_error" } },
    peer.event("state_changed", null),
    peer.event("state_changed", { entity_id: "sensor.a", new_state: { entity_id: "sensor.a", state: 7 } }),
    peer.event("entity_registry_updated", { entity_id: "sensor.a" }),
  ];
  for (const message of odd) peer.send(JSON.stringify(message));
  peer.send([null, [{}], ...odd]);
  peer.send(peer.event("state_changed", rawChange("sensor.good", "1")));
  await until(() => started.listener.changes.length === 1, "the good change after them");
  assert.deepEqual(started.session.status().oddMessages, {
    "message without type": 12,
    "unknown message type": 4,
    "event of no subscription": 4,
    "result of no command": 2,
    "error of a subscription": 2,
    "malformed event": 6,
  });
  assert.equal(started.lines.filter((line) => line.includes("further ones are only counted")).length, 6);
  assert.deepEqual(started.listener.calls, ["connected", "changed sensor.good"]);
});

test("integers that a double does not hold are told as the texts that they are, single and in arrays", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const peer = ha.peers[0]!;
  const attributes = { steam_id: "LONG", nested: { ids: ["LONG"] }, volume: 0.1, count: 7 };
  const change = (entityId: string) => {
    const state = { ...rawState(entityId, "1"), attributes };
    const event = peer.event("state_changed", { entity_id: entityId, old_state: null, new_state: state });
    return JSON.stringify(event).replaceAll('"LONG"', "76561198000000001");
  };
  peer.send(change("sensor.single"));
  peer.send(`[${change("sensor.one")},${change("sensor.other")}]`);
  await until(() => started.listener.changes.length === 3, "the changes");
  for (const { newState } of started.listener.changes) {
    const id = "76561198000000001";
    assert.deepEqual(newState?.attributes, { steam_id: id, nested: { ids: [id] }, volume: 0.1, count: 7 });
  }
});

test("a connected session lives through any JSON", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const peer = ha.peers[0]!;
  const ids = fc.oneof(fc.constantFrom(...peer.subscriptions.values()), fc.anything());
  const message = fc.record({
    type: fc.constantFrom("event", "result", "auth_required", "x"),
    id: ids,
    event: fc.anything(),
  });
  const event = fc.record({ data: fc.anything(), time_fired: fc.anything() });
  const known = fc.record({ type: fc.constant("event"), id: fc.constantFrom(...peer.subscriptions.values()), event });
  const values = fc.sample(fc.oneof(fc.jsonValue(), message, known, fc.array(known, { maxLength: 3 })), 500);
  for (const value of values)
    peer.send(JSON.stringify(value, (_key, inner) => (typeof inner === "bigint" ? 0 : inner)));
  peer.send(peer.event("state_changed", rawChange("sensor.good", "1")));
  await until(() => started.listener.changes.at(-1)?.entityId === "sensor.good", "the good change after them");
  assert.deepEqual(started.listener.disconnections, []);
  assert.equal(peer.received.filter((command) => command.type === "auth").length, 1, "the token is sent once");
});

test("too many events before the subscriptions are confirmed end the connection as overflow", async () => {
  const ha = await home({
    answers: {
      get_config: NO_ANSWER,
      "subscribe_events state_changed": (command: { id?: unknown }, peer: { send(frame: unknown): void }) => {
        const change = { id: command.id, type: "event", event: { data: rawChange("sensor.a", "1") } };
        peer.send([{ id: command.id, type: "result", success: true }, ...Array.from({ length: 20_001 }, () => change)]);
        return NO_ANSWER;
      },
    },
  });
  const { session, listener } = start(ha.url, { timing: { retryFirstMs: 60_000 } });
  await until(() => session.status().reason !== null, "the end");
  assert.match(session.status().reason ?? "", /More than 20000 events/);
  assert.deepEqual(listener.calls, [], "nothing is told of a connection that never stood");
});

test("a connection that breaks is told as broken, without blaming a setting", async () => {
  const ha = await home();
  const started = start(ha.url, { timing: { retryFirstMs: 60_000 } });
  await connected(started);
  (ha.peers[0]!.socket as WebSocket & { _socket: Socket })._socket.destroy();
  await until(() => started.session.status().state === "waiting", "the end");
  assert.match(started.session.status().reason ?? "", /^The connection to Home Assistant broke$/);
});

test("a message above 64 MiB ends the connection as bad_message, and the reason says so", async () => {
  const ha = await home();
  const started = start(ha.url, { timing: { retryFirstMs: 60_000 } });
  await connected(started);
  ha.peers[0]!.send(`"${"x".repeat(64 * 1024 * 1024)}"`);
  await until(() => started.listener.disconnections.length === 1, "the end");
  assert.deepEqual(started.listener.disconnections, ["bad_message"]);
  assert.match(started.session.status().reason ?? "", /^Home Assistant sent a message of more than 64 MiB; see which/);
});

test("a frame that is no JSON ends the connection as bad_message, and another one is opened", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  ha.peers[0]!.send('{"id":5,"type":"event","event":{"event_ty');
  ha.peers[0]!.send(ha.peers[0]!.event("state_changed", rawChange("sensor.late", "1")));
  await connected(started, 2);
  assert.deepEqual(started.listener.calls, ["connected", "disconnected bad_message", "connected"]);
  assert.deepEqual(started.session.status().oddMessages, { "broken JSON": 1 });
});

for (const frame of ["a message", "several in one frame"]) {
  test(`bytes that are no UTF-8 cost a character, not the connection: ${frame}`, async () => {
    const ha = await home();
    const started = start(ha.url);
    await connected(started);
    const peer = ha.peers[0]!;
    const event = JSON.stringify(peer.event("state_changed", rawChange("sensor.a", "~")));
    const text = frame === "a message" ? event : `[${event},${event}]`;
    peer.socket.send(Buffer.from(text.replaceAll("~", "\xff"), "latin1"), { binary: false });
    await until(() => started.listener.changes.length > 0, "the change");
    for (const { newState } of started.listener.changes) assert.equal(newState?.state, "\ufffd");
  });
}

test("messages of one frame come in order, whatever they hold, up to one that is no JSON", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const peer = ha.peers[0]!;
  const values = ["1", "},{", '"}]', "ä\\", "5"];
  const events = values.map((value) => peer.event("state_changed", rawChange("sensor.a", value)));
  const whole = `[${events.map((event) => JSON.stringify(event)).join(", ")}]`;
  peer.socket.send(whole);
  peer.socket.send(whole.replaceAll("}, {", "},{"));
  peer.socket.send("[]");
  peer.socket.send(whole.replace('"5"', '5"'));
  await connected(started, 2);
  assert.deepEqual(
    started.listener.changes.map(({ newState }) => newState?.state),
    [...values, ...values, ...values.slice(0, -1)],
  );
  assert.deepEqual(started.session.status().oddMessages, { "broken JSON": 1 });
});

test("results are routed by id, whatever their order", async () => {
  const held: { id?: unknown }[] = [];
  const ha = await home({
    answers: {
      "config/area_registry/list": (command: { id?: unknown }) => {
        held.push(command);
        return NO_ANSWER;
      },
      "config/floor_registry/list": [{ floor_id: "attic" }],
    },
  });
  const started = start(ha.url);
  await connected(started);
  const [connection] = started.listener.connections;
  const areas = connection!.readRegistry("area");
  assert.deepEqual(await connection!.readRegistry("floor"), [{ floor_id: "attic" }]);
  ha.peers[0]!.send([{ id: held[0]!.id, type: "result", success: true, result: [{ area_id: "studio" }] }]);
  assert.deepEqual(await areas, [{ area_id: "studio" }]);
});

test("HA's errors become AppErrors that carry its code and message", async () => {
  const ha = await home({
    answers: {
      get_config: refusal("unknown_error"),
      get_states: refusal("unauthorized"),
      "history/history_during_period": refusal("invalid_start_time"),
    },
  });
  const started = start(ha.url);
  await connected(started);
  const connection = started.listener.connections[0]!;
  await assert.rejects(connection.readConfig(), { name: "CommandError", code: "unavailable", haCode: "unknown_error" });
  await assert.rejects(connection.readStates(), {
    code: "unauthorized",
    message: /"get_states".*"unauthorized" \("No."\)/,
  });
  await assert.rejects(connection.readHistory(["sun.sun"], { start: 1, end: 2 }, { attributes: true }), {
    code: "invalid",
  });
});

test("a command without an answer ends by its timeout; a late answer is counted", async () => {
  const ha = await home({ answers: { "config/area_registry/list": NO_ANSWER } });
  const started = start(ha.url, { timing: { bigReadMs: 20 } });
  await connected(started);
  await assert.rejects(started.listener.connections[0]!.readRegistry("area"), {
    code: "unavailable",
    message: /did not answer within/,
  });
  const id = ha.peers[0]!.received.at(-1)!.id;
  ha.peers[0]!.send({ id, type: "result", success: true, result: [] });
  await until(() => started.session.status().oddMessages["result of no command"] === 1, "the late answer");
  assert.equal(started.session.status().state, "connected");
});

test("commands are bounded, and rejected when the connection ends", async () => {
  const ha = await home({ answers: { "config/area_registry/list": NO_ANSWER } });
  const started = start(ha.url);
  await connected(started);
  const connection = started.listener.connections[0]!;
  const outcomes = Array.from({ length: 101 }, () => connection.readRegistry("area").catch((error: Error) => error));
  const tooMany = await outcomes[100];
  assert.match(String(tooMany), /100 commands wait/);
  ha.peers[0]!.socket.close(1000);
  for (const outcome of await Promise.all(outcomes.slice(0, 100))) {
    assert.ok(outcome instanceof Error && "code" in outcome && outcome.code === "unavailable");
    assert.match(outcome.message, /closed the connection/);
  }
  await assert.rejects(connection.readStates(), { code: "unavailable" });
});

test("a peer that answers no ping is left as half_open", async () => {
  const ha = await home({ answers: { ping: NO_ANSWER } });
  const started = start(ha.url, { timing: { pingEveryMs: 20, answerWithinMs: 20 } });
  await connected(started, 2);
  assert.deepEqual(started.listener.calls.slice(0, 3), ["connected", "disconnected half_open", "connected"]);
});

test("a peer that reads and writes nothing any more is left as half_open", async () => {
  const ha = await home();
  const started = start(ha.url, { timing: { pingEveryMs: 200, answerWithinMs: 200 } });
  await connected(started);
  ha.peers[0]!.socket.pause();
  await connected(started, 2);
  assert.deepEqual(started.listener.calls.slice(0, 3), ["connected", "disconnected half_open", "connected"]);
});

test("pings that are answered keep a silent connection", async () => {
  const ha = await home();
  const started = start(ha.url, { timing: { pingEveryMs: 10, answerWithinMs: 2_000 } });
  await connected(started);
  const pings = () => ha.peers[0]!.received.filter((command) => command.type === "ping").length;
  await until(() => pings() >= 10, "ten pings");
  assert.equal(started.session.status().state, "connected");
  assert.deepEqual(started.session.status().oddMessages, {});
});

test("a closed connection is told once, its close frame is answered, and it is opened again", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const closed = new Promise((resolve) => ha.peers[0]!.socket.once("close", resolve));
  ha.peers[0]!.socket.close(1000);
  assert.equal(await closed, 1000, "the close frame came back");
  await connected(started, 2);
  ha.peers[1]!.send(ha.peers[1]!.event("state_changed", rawChange("sensor.a", "1")));
  await until(() => started.listener.changes.length === 1, "a change on the second connection");
  assert.deepEqual(started.listener.calls, [
    "connected",
    "disconnected socket_closed",
    "connected",
    "changed sensor.a",
  ]);
  assert.equal(started.session.status().connectionAttempts, 2);
});

test("a listener may close the session while it is told of a connection", async () => {
  const ha = await home();
  const listener = recordingListener();
  const started = start(ha.url, {
    listener: {
      ...listener,
      connected(connection) {
        listener.connected(connection);
        void started.session.close();
      },
    },
  });
  await until(() => listener.disconnections.length === 1, "the end");
  assert.deepEqual(listener.calls, ["connected", "disconnected stopped"]);
});

test("close() says goodbye, is told as stopped, and ends for good", async () => {
  const ha = await home();
  const started = start(ha.url);
  await connected(started);
  const closed = new Promise((resolve) => ha.peers[0]!.socket.once("close", resolve));
  await started.session.close();
  assert.equal(await closed, 1000);
  started.session.useToken("good");
  started.session.start();
  await new Promise((resolve) => setTimeout(resolve, 20 * QUICK.retryFirstMs!));
  assert.equal(ha.peers.length, 1);
  assert.equal(started.session.status().state, "stopped");
  assert.deepEqual(started.listener.calls, ["connected", "disconnected stopped"]);
});

test("close() does not wait for a peer that does not listen", async () => {
  const ha = await home();
  const started = start(ha.url, { timing: { closeMs: 20 } });
  await connected(started);
  ha.peers[0]!.socket.pause();
  await started.session.close();
  assert.equal(started.session.status().state, "stopped");
});

test("waits grow while connections break at once, and one line tells of an outage", async () => {
  const started = start(await listen(createTcpServer((socket) => socket.destroy())), { random: () => 1 });
  await until(() => started.session.status().connectionAttempts >= 5, "five attempts");
  assert.equal(started.session.status().successfulConnections, 0);
  const warnings = started.lines.map((line) => JSON.parse(line)).filter((line) => line.level >= 40);
  assert.equal(warnings.length, 1);
});

for (const [steadyMs, waits] of [
  [60_000, ["0.1", "0.2"]],
  [0, ["0.1", "0.1"]],
] as const) {
  test(`the wait ${steadyMs ? "grows after a connection that broke at once" : "is the first again after a steady one"}`, async () => {
    const ha = await home();
    const started = start(ha.url, { random: () => 1, timing: { retryFirstMs: 100, retryCapMs: 400, steadyMs } });
    for (let times = 1; times <= 2; times++) {
      await connected(started, times);
      ha.peers[times - 1]!.socket.close(1000);
    }
    await until(() => started.listener.disconnections.length === 2, "two ends");
    const told = started.lines.flatMap((line) => /next attempt is in ([\d.]+) s/.exec(line)?.[1] ?? []);
    assert.deepEqual(told, waits);
  });
}

test("the wait is the first again after a steady connection in which the clock was set back", async () => {
  const ha = await home();
  let clock = 1_796_000_000_000_000;
  const timing = { retryFirstMs: 100, retryCapMs: 400, steadyMs: 0 };
  const started = start(ha.url, { random: () => 1, now: () => clock, timing });
  for (let times = 1; times <= 2; times++) {
    await connected(started, times);
    clock -= 3_600_000_000;
    ha.peers[times - 1]!.socket.close(1000);
  }
  await until(() => started.listener.disconnections.length === 2, "two ends");
  const told = started.lines.flatMap((line) => /next attempt is in ([\d.]+) s/.exec(line)?.[1] ?? []);
  assert.deepEqual(told, ["0.1", "0.1"]);
});

const ELSEWHERE = "https://elsewhere.example/?code=secret";
const STATUSES: [number, RegExp, path?: string, location?: string][] = [
  [404, /404.*HA_URL/],
  [403, /403.*banned/],
  [401, /401.*HA_URL/],
  [400, /400.*trusted_proxies.*HA_URL/],
  [502, /starting or down.*502/],
  [200, /200 in place of a WebSocket.*HA_URL/],
  [301, /redirects to https:\/\/elsewhere\.example; put the final address into HA_URL/],
  [302, /redirects; put the final address into HA_URL/, "", "/login"],
  // Copied from the browser: the path of a page.
  [302, /redirects; leave the path "\/lovelace\/0" out of HA_URL/, "/lovelace/0", "/"],
  [302, /redirects; leave the path "\/lovelace\/0" out of HA_URL/, "/lovelace/0", "http://{host}/"],
  [200, /200 in place of a WebSocket; leave the path "\/lovelace\/0" out of HA_URL/, "/lovelace/0/"],
  [404, /404; leave the path "\/lovelace" out of HA_URL/, "/lovelace/api/websocket"],
  [301, /redirects to https:\/\/elsewhere\.example; put the final address into HA_URL/, "/lovelace"],
];
for (const [status, wanted, path = "", location = ELSEWHERE] of STATUSES) {
  test(`an upgrade at "${path}" answered by ${status} is waited for with a reason: ${location}`, async () => {
    const server = createHttpServer((_request, response) => response.end());
    server.on("upgrade", ({ headers }, socket) => {
      const target = location.replace("{host}", headers.host!);
      socket.end(`HTTP/1.1 ${status} X\r\nLocation: ${target}\r\nContent-Length: 0\r\n\r\n`);
    });
    const started = start(`${await listen(server)}${path}`);
    await until(() => started.session.status().reason !== null, "a reason");
    assert.match(started.session.status().reason ?? "", wanted);
    assert.doesNotMatch(started.session.status().reason ?? "", /secret/);
  });
}

test("what cannot be reached is waited for with a reason that names HA_URL", async () => {
  const server = createTcpServer();
  const freed = await listen(server);
  await new Promise((resolve) => server.close(resolve));
  for (const [url, wanted] of [
    [freed, /ECONNREFUSED.*HA_URL/],
    ["http://no-such-home.invalid:8123", /(ENOTFOUND|EAI_AGAIN).*HA_URL/],
  ] as const) {
    const { session } = start(url);
    await until(() => session.status().reason !== null, "a reason");
    assert.match(session.status().reason ?? "", wanted);
  }
});

test("what is no Home Assistant is left with a reason", async () => {
  const ha = await home({ greet: (peer) => peer.send({ hello: "world" }) });
  const { session } = start(ha.url, { timing: { handshakeMs: 50 } });
  await until(() => session.status().reason !== null, "a reason");
  assert.match(session.status().reason ?? "", /does not speak as Home Assistant.*HA_URL/);
});

test("what accepts connections and then says nothing is left with a reason", async () => {
  const { session } = start(await listen(createTcpServer(() => undefined)), { timing: { handshakeMs: 50 } });
  await until(() => session.status().reason !== null, "a reason");
  assert.match(session.status().reason ?? "", /does not answer in time.*HA_URL/);
});

test("a certificate that is not trusted is refused, and accepted with verifySsl off", async () => {
  const ha = await home({ server: createHttpsServer({ key: KEY, cert: CERTIFICATE }) });
  const url = ha.url.replace("http:", "https:");
  const strict = start(url);
  await until(() => strict.session.status().reason !== null, "a reason");
  assert.match(strict.session.status().reason ?? "", /SELF_SIGNED.*HA_VERIFY_SSL/);
  await connected(start(url, { verifySsl: false }));
});

test("https where http is spoken is named so", async () => {
  const ha = await home();
  const { session } = start(ha.url.replace("http:", "https:"));
  await until(() => session.status().reason !== null, "a reason");
  assert.match(session.status().reason ?? "", /TLS failed.*https\? See HA_URL/);
});
