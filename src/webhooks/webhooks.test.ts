import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { copyFileSync, mkdirSync, readdirSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { asOldState, type State, type StateChange } from "../domain/home.ts";
import type { ChangeFeed } from "../domain/ingest.ts";
import { silentLog } from "../lib/log.ts";
import { DATABASE_FILE, KEY_FILE } from "./database.ts";
import {
  openCommands,
  removeDirectory,
  SECRET,
  SETTINGS,
  scoreEvent,
  startReceiver,
  temporaryDirectory,
} from "./testing.ts";
import { type HomeReceiver, openWebhooks } from "./webhooks.ts";

async function setup(t: TestContext) {
  const directory = temporaryDirectory();
  const receiver = await startReceiver();
  t.after(async () => {
    await receiver.close();
    removeDirectory(directory);
  });
  const open = (allow = ["127.0.0.1"], idleMs = 30_000, home: HomeReceiver | null = null) =>
    openWebhooks({
      home,
      directory,
      settings: SETTINGS,
      allow,
      retrySeconds: [60],
      timeoutSeconds: 5,
      version: "1.2.3",
      log: silentLog(),
      idleMs,
    });
  return { directory, receiver, open };
}

function feed(): Pick<ChangeFeed, "subscribe"> & { emit(change: StateChange): void } {
  const listeners = new Set<(change: StateChange) => void>();
  return {
    subscribe(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    emit(change) {
      for (const listener of listeners) listener(change);
    },
  };
}

const AT = 1_795_518_243_577_164;

function change(entityId: string, from: string | null, to: string | null, attributes = {}, at = AT): StateChange {
  const state = (text: string): State => ({
    entityId,
    state: text,
    attributes,
    lastChanged: at,
    lastUpdated: at,
    lastReported: at,
    context: { id: "01ABC", parentId: null, userId: null },
  });
  return {
    entityId,
    oldState: from === null ? null : asOldState(state(from)),
    newState: to === null ? null : state(to),
    timeFired: at,
  };
}

test("openWebhooks() sends from its own thread, and goes on after a restart", async (t) => {
  const { receiver, open } = await setup(t);
  const first = await open();
  const { webhook } = await first.register({ url: receiver.url, events: ["score_changed"], secret: SECRET });
  const sources = ["nfl", "nhl"].map((league) => ({ league, failing: true }));
  await first.commit({ events: [scoreEvent("1", 7)], games: [{ id: "nfl:1", json: "{}" }], sources });
  await first.commit({ events: [], sources: [{ league: "nhl", failing: false }] });
  await first.saveFollowedTeams([
    { id: "nfl:25", json: "b" },
    { id: "nhl:1", json: "a" },
  ]);
  await receiver.has(1);
  assert.equal(receiver.received[0]!.headers["user-agent"], "HA-Ingestor/1.2.3");
  await first.close();
  const second = await open();
  t.after(() => second.close());
  assert.deepEqual(
    (await second.list()).map(({ id }) => id),
    [webhook.id],
  );
  assert.deepEqual(await second.storedGames(), [{ id: "nfl:1", json: "{}" }]);
  assert.deepEqual(await second.failingSources(), ["nfl"]);
  assert.deepEqual(
    (await second.followedTeams()).map(({ id }) => id),
    ["nfl:25", "nhl:1"],
  );
  await second.commit({ events: [scoreEvent("1", 7), scoreEvent("1", 8)] });
  await receiver.has(2);
  assert.deepEqual(
    receiver.received.map(({ json }) => json.sequence),
    [1, 2],
  );
});

test("watch() tells of the state changes that somebody asks for, in order, and of no others", async (t) => {
  const { receiver, open } = await setup(t);
  const webhooks = await open();
  t.after(() => webhooks.close());
  const changes = feed();
  webhooks.watch(changes, (entityId) => (entityId === "light.kitchen" ? ["kitchen"] : []));
  changes.emit(change("light.kitchen", "off", "on"));
  await webhooks.register({
    url: receiver.url,
    events: ["state_changed"],
    entity: ["light.*"],
    area: ["Kitchen"],
    to: "on",
    secret: SECRET,
  });
  changes.emit(change("light.kitchen", "off", "on", { brightness: 255 }));
  changes.emit(change("light.kitchen", "on", "on", { brightness: 128 }, AT + 1));
  changes.emit(change("light.hall", "off", "on"));
  changes.emit(change("light.kitchen", "on", "off", {}, AT + 2));
  changes.emit(change("switch.kitchen", "off", "on"));
  changes.emit(change("light.kitchen", null, "on", { note: "x".repeat(30_000), brightness: 255 }, AT + 3));
  const lists = [...new Array(3)].map((_, i) => [`list${i}`, "x".repeat(6_000)]);
  changes.emit(change("light.kitchen", "off", "on", { brightness: 0, ...Object.fromEntries(lists) }, AT + 4));
  await receiver.has(3);
  const [first, second, third] = receiver.received;
  assert.equal(first!.json.type, "state.changed");
  assert.deepEqual(
    [first!.json.entity_id, first!.json.from_state, first!.json.to_state, first!.json.timestamp],
    ["light.kitchen", "off", "on", "2026-11-24T11:04:03.577164Z"],
  );
  const { new_state } = first!.json.data as { new_state: Record<string, unknown> };
  assert.deepEqual(new_state.attributes, { brightness: 255 });
  // A body that is too large keeps what fits.
  assert.equal(second!.json.truncated, true);
  const cut = second!.json.data as { old_state: null; new_state: Record<string, unknown> };
  assert.deepEqual([cut.old_state, cut.new_state.state, cut.new_state.attributes], [null, "on", { brightness: 255 }]);
  assert.ok(second!.body.length < 1_000);
  // Of two states that are too large together, both are there, with some of their attributes.
  const states = third!.json.data as Record<"old_state" | "new_state", Record<string, unknown>>;
  assert.deepEqual([states.old_state.state, states.new_state.state], ["off", "on"]);
  for (const { attributes } of Object.values(states).filter((value) => typeof value === "object")) {
    assert.equal(Object.keys(attributes as object).length, 2);
    assert.equal((attributes as { brightness: number }).brightness, 0);
  }
  assert.ok(third!.body.length <= 20_000);
});

test("watch() tells of a state whose attributes nest without end, and of those after it", {
  timeout: 30_000,
}, async (t) => {
  const { receiver, open } = await setup(t);
  const webhooks = await open();
  t.after(() => webhooks.close());
  const changes = feed();
  webhooks.watch(changes, () => []);
  await webhooks.register({ url: receiver.url, events: ["state_changed"], entity: ["light.*"], secret: SECRET });
  const nested = (levels: number): unknown => JSON.parse("[".repeat(levels) + "]".repeat(levels));
  changes.emit(change("light.hall", "off", "on", { endless: nested(100_000) }));
  changes.emit(change("light.hall", "on", "off", { deep: nested(200) }, AT + 1));
  await receiver.has(2);
  const told = receiver.received.map(({ json }) => json.data as { new_state: Record<string, unknown> });
  assert.deepEqual(
    told.map(({ new_state }) => [new_state.state, new_state.attributes]),
    [
      ["on", {}],
      ["off", { deep: nested(200) }],
    ],
  );
});

test("watch() keeps what a disabled webhook asks for, so that a replay brings it", async (t) => {
  const { receiver, open } = await setup(t);
  const webhooks = await open(["127.0.0.1"], 20);
  t.after(() => webhooks.close());
  const changes = feed();
  webhooks.watch(changes, () => []);
  const { webhook } = await webhooks.register({
    url: receiver.url,
    events: ["state_changed"],
    entity: ["light.*"],
    secret: SECRET,
  });
  await webhooks.setEnabled(webhook.id, false);
  changes.emit(change("light.hall", "off", "on"));
  changes.emit(change("light.hall", "on", "off", {}, AT + 1));
  while (webhooks.status().events < 2) await new Promise((resolve) => setTimeout(resolve, 5));
  await webhooks.setEnabled(webhook.id, true);
  changes.emit(change("light.hall", "off", "on", {}, AT + 2));
  await receiver.has(1);
  const span = { start: AT, end: AT + 3, onlyFailed: true };
  while ((await webhooks.get(webhook.id)).waiting > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  assert.equal(await webhooks.replaySpan(webhook.id, span), 2);
  await receiver.has(3);
  assert.deepEqual(
    receiver.received.map(({ json }) => [json.from_state, json.to_state]),
    [
      ["off", "on"],
      ["off", "on"],
      ["on", "off"],
    ],
  );
});

test("Home Assistant gets nothing before it is told that it may, also after a restart", async (t) => {
  const { open, receiver } = await setup(t);
  const home = { origin: `127.0.0.1:${receiver.port}`, verifySsl: true };
  {
    const webhooks = await open(["127.0.0.1"], 30_000, home);
    const { webhook } = await webhooks.register({ url: receiver.url, events: ["score_changed"], secret: SECRET });
    assert.match(webhook.on_hold!, /not known yet/);
    await webhooks.commit({ events: [scoreEvent("1", 7)] });
    webhooks.holdHome("Home Assistant is STARTING");
    assert.equal((await webhooks.get(webhook.id)).on_hold, "Home Assistant is STARTING");
    await webhooks.close();
  }
  assert.equal(receiver.received.length, 0);
  const webhooks = await open(["127.0.0.1"], 30_000, home);
  t.after(() => webhooks.close());
  webhooks.holdHome(null);
  await receiver.has(1);
  assert.equal((await webhooks.list())[0]!.on_hold, null);
});

test("tell() sends what concerns the program itself", async (t) => {
  const { receiver, open } = await setup(t);
  const webhooks = await open();
  t.after(() => webhooks.close());
  await webhooks.register({ url: receiver.url, events: ["gap_*", "source.degraded"], secret: SECRET });
  await webhooks.tell("gap_opened", "gap 1", { id: 1, reason: "socket_closed" }, { key: "1" });
  await webhooks.tell("gap_opened", "gap 1", { id: 1, reason: "crash" }, { key: "1" });
  await webhooks.tell("mirror_lagging", "influxdb", {});
  await webhooks.tell("source_degraded", "espn", { reason: "blocked" });
  await receiver.has(2);
  assert.deepEqual(receiver.received.map(({ json }) => json.event).sort(), ["gap_opened", "source_degraded"]);
});

/** Threads that Node knows of, by what holds the process. */
const threads = () => process.getActiveResourcesInfo().filter((resource) => resource === "MessagePort").length;

test("rest() ends the thread at once where there is no webhook, and leaves it where there is one", async (t) => {
  const { receiver, open } = await setup(t);
  const before = threads();
  const webhooks = await open();
  t.after(() => webhooks.close());
  await webhooks.rest();
  assert.equal(threads(), before);
  await webhooks.register({ url: receiver.url, events: ["gap_opened"], secret: SECRET });
  const awake = threads();
  await webhooks.rest();
  assert.equal(threads(), awake);
});

test("openWebhooks() lets its thread sleep while there is no webhook, and wakes it when it is asked", async (t) => {
  const { receiver, open } = await setup(t);
  const before = threads();
  const webhooks = await open(["127.0.0.1"], 20);
  t.after(() => webhooks.close());
  const awake = threads();
  assert.ok(awake > before);
  while (threads() > before) await new Promise((resolve) => setTimeout(resolve, 5));
  await webhooks.tell("gap_opened", "gap 1", {});
  assert.equal(threads(), before, "nobody is told, so nobody is woken");
  assert.deepEqual(await webhooks.list(), []);
  await webhooks.register({ url: receiver.url, events: ["gap_opened"], secret: SECRET });
  await webhooks.tell("gap_opened", "gap 2", {});
  await receiver.has(1);
  await new Promise((resolve) => setTimeout(resolve, 100));
  assert.equal(threads(), awake, "with a webhook the thread stays");
});

test("openWebhooks() refuses a wrong WEBHOOK_ALLOW and a database that it may not read", async (t) => {
  const { directory, open } = await setup(t);
  await assert.rejects(open(["a b"]), /WEBHOOK_ALLOW holds "a b"/);
  mkdirSync(join(directory, DATABASE_FILE));
  await assert.rejects(open(), (error: AppError) => {
    assert.equal(error.code, "unavailable");
    assert.match(error.message, /Cannot open the database ".*webhooks.db": unable to open database file/);
    return true;
  });
});

const DAMAGES: readonly [name: string, damage: (bytes: Buffer) => Buffer][] = [
  ["no database at all", () => Buffer.from("no database ".repeat(1_000))],
  ["random bytes in its pages", (bytes) => Buffer.concat([bytes.subarray(0, 4096), randomBytes(bytes.length - 4096)])],
  [
    "random bytes in one page of many",
    (bytes) => Buffer.concat([bytes.subarray(0, 8192), randomBytes(4096), bytes.subarray(12_288)]),
  ],
  ["cut off in the middle", (bytes) => bytes.subarray(0, Math.floor(bytes.length / 2))],
  ["cut off within its first page", (bytes) => bytes.subarray(0, 300)],
];
for (const [name, damage] of DAMAGES) {
  test(`openWebhooks() moves a damaged database aside, starts with a new one and says so: ${name}`, async (t) => {
    const { directory, open, receiver } = await setup(t);
    const file = join(directory, DATABASE_FILE);
    {
      const webhooks = await open();
      for (let i = 0; i < 20; i++) {
        await webhooks.register({
          url: receiver.url,
          events: ["gap_opened"],
          secret: SECRET,
          description: "d".repeat(400),
        });
      }
      assert.equal(webhooks.status().loss, null);
      await webhooks.close();
    }
    const sound = readFileSync(file);
    const damaged = damage(sound);
    writeFileSync(file, damaged);
    {
      const webhooks = await open();
      assert.deepEqual(await webhooks.list(), []);
      await webhooks.register({ url: receiver.url, events: ["gap_opened"], secret: SECRET });
      await webhooks.tell("gap_opened", "gap 1", {});
      await receiver.has(1);
      assert.match(webhooks.status().loss!, /damaged and is now ".*webhooks.db.corrupt-\d{8}T\d{6}Z"/);
      await webhooks.close();
    }
    const [aside] = readdirSync(directory).filter((one) => /^webhooks\.db\.corrupt-\w+$/.test(one));
    assert.ok(readFileSync(join(directory, aside!)).equals(damaged), "nothing of it is lost");
    {
      // Whoever has not seen it sees it after the next start as well.
      const webhooks = await open();
      t.after(() => webhooks.close());
      assert.equal((await webhooks.list()).length, 1);
      assert.match(webhooks.status().loss!, /damaged/);
      renameSync(join(directory, aside!), join(directory, "looked-at.db"));
      assert.equal(webhooks.status().loss, null);
    }
    // A backup comes back with its secrets, since the key is where it was.
    const backup = temporaryDirectory();
    t.after(() => removeDirectory(backup));
    writeFileSync(join(backup, DATABASE_FILE), sound);
    copyFileSync(join(directory, KEY_FILE), join(backup, KEY_FILE));
    await using restored = openCommands({ directory: backup });
    const rows = restored.commands.list(null);
    assert.deepEqual([rows.length, rows.every(({ enabled }) => enabled)], [20, true]);
  });
}

test("after close() calls are refused as unavailable", async (t) => {
  const { open } = await setup(t);
  const webhooks = await open();
  await webhooks.close();
  await assert.rejects(webhooks.list(), (error) => error instanceof AppError && error.code === "unavailable");
});

test("close() ends the thread for good, also while a webhook is being registered", async (t) => {
  const { receiver, open } = await setup(t);
  const before = threads();
  const webhooks = await open();
  const registering = webhooks.register({ url: receiver.url, events: ["gap_opened"], secret: SECRET });
  await Promise.allSettled([webhooks.close(), registering]);
  assert.equal(threads(), before);
});
