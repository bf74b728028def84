import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { get as httpGet, type IncomingMessage, type ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { asOldState, type StateChange } from "../domain/home.ts";
import { AT_MICROS, apiOptions, createFeedDouble, entityRow, stateOf } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";
import { createChangeStream } from "./stream.ts";

function change(entityId: string, from: string | null, to: string | null): StateChange {
  const state = (value: string | null) => (value === null ? null : stateOf(entityId, value));
  const before = state(from);
  return { entityId, oldState: before && asOldState(before), newState: state(to), timeFired: AT_MICROS };
}

interface Event {
  readonly id: string | undefined;
  readonly event: string | undefined;
  readonly data: Record<string, unknown>;
}

/** A listener over a real connection, event by event. */
class Listener {
  readonly response: IncomingMessage;
  readonly #parts: AsyncIterator<string>;
  #text = "";

  constructor(response: IncomingMessage) {
    this.response = response.setEncoding("utf8");
    this.#parts = this.response[Symbol.asyncIterator]();
  }

  static async open(url: string): Promise<Listener> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      httpGet(url, { agent: false }, resolve).on("error", reject);
    });
    return new Listener(response);
  }

  /** Undefined once the server has ended the stream. */
  async next(): Promise<Event | undefined> {
    for (;;) {
      const end = this.#text.indexOf("\n\n");
      if (end !== -1) {
        const lines = this.#text.slice(0, end).split("\n");
        this.#text = this.#text.slice(end + 2);
        const field = (name: string) => lines.find((line) => line.startsWith(`${name}: `))?.slice(name.length + 2);
        return { id: field("id"), event: field("event"), data: JSON.parse(field("data") ?? "{}") };
      }
      const { done, value } = await this.#parts.next();
      if (done) return undefined;
      this.#text += value;
    }
  }
}

async function started(t: TestContext) {
  const options = apiOptions();
  const api = await createApi(options);
  const base = await api.listen({ host: "127.0.0.1", port: 0 });
  const listeners: Listener[] = [];
  t.after(async () => {
    for (const { response } of listeners) response.destroy();
    await api.close();
  });
  const listen = async (query = ""): Promise<Listener> => {
    const listener = await Listener.open(`${base}/api/v1/stream${query}`);
    listeners.push(listener);
    return listener;
  };
  const status = async () => (await api.inject("/api/v1/stats")).json().stream;
  return { ...options, api, base, listen, status };
}

test("GET /api/v1/stream says hello, then each change as it happens", async (t) => {
  const { feed, listen } = await started(t);
  const listener = await listen();
  const { headers } = listener.response;
  assert.equal(headers["content-type"], "text/event-stream; charset=utf-8");
  assert.equal(headers["x-accel-buffering"], "no");
  assert.match(headers["cache-control"]!, /no-cache/);
  assert.equal(headers["x-content-type-options"], "nosniff");
  const hello = await listener.next();
  assert.equal(hello!.event, "hello");
  assert.deepEqual(hello!.data, {
    service: "ha-ingestor",
    version: "0.1.0",
    devices: 2,
    entities: 3,
    areas: 1,
    integrations: 1,
    states: 3,
  });

  feed.emit(change("light.hall", "off", "on"));
  feed.emit(change("light.new", null, "two\nlines"));
  feed.emit(change("light.hall", "on", null));
  const [first, second, third] = [await listener.next(), await listener.next(), await listener.next()];
  assert.deepEqual([first!.event, first!.id], ["state_changed", "1"]);
  assert.equal(first!.data.entity_id, "light.hall");
  assert.equal(first!.data.time_fired, "2026-11-24T11:04:03.577164Z");
  const state = first!.data.new_state as Record<string, unknown>;
  assert.deepEqual([state.state, state.last_changed], ["on", "2026-11-24T11:04:03.577164Z"]);
  assert.equal(second!.data.old_state, null);
  assert.equal((second!.data.new_state as { state: string }).state, "two\nlines");
  assert.equal(third!.data.new_state, null);
  assert.equal(third!.id, "3");
});

test("GET /api/v1/stream counts in its ids what happened while nobody listened", async (t) => {
  const { feed, listen, status } = await started(t);
  const nextId = async (listener: Listener) => {
    feed.emit(change("light.hall", "off", "on"));
    assert.equal((await listener.next())!.event, "hello");
    return (await listener.next())!.id;
  };
  feed.emit(change("light.hall", "on", "off"));
  const first = await listen();
  assert.equal(await nextId(first), "2");
  first.response.destroy();
  while ((await status()).clients > 0) await turn();
  for (let i = 0; i < 20; i++) feed.emit(change("light.hall", "on", "off"));
  assert.equal(await nextId(await listen()), "23");
});

const FILTERS: readonly [query: string, seen: readonly string[]][] = [
  ["", ["light.hall", "light.kitchen", "sensor.hall", "sensor.hall_rssi"]],
  ["?entity_id=light.kitchen,sensor.hall", ["light.kitchen", "sensor.hall"]],
  ["?entity_id=*.hall", ["light.hall", "sensor.hall"]],
  ["?entity_id=sensor.*", ["sensor.hall", "sensor.hall_rssi"]],
  ["?entity_id=s*h*l*i", ["sensor.hall_rssi"]],
  ["?entity_id=sensor.hall*hall_rssi", []],
  ["?entity_id=*", ["light.hall", "light.kitchen", "sensor.hall", "sensor.hall_rssi"]],
  ["?domain=sensor", ["sensor.hall", "sensor.hall_rssi"]],
  ["?domain=light&entity_id=*hall*", ["light.hall"]],
  ["?area_id=attic", ["light.kitchen"]],
];
for (const [query, seen] of FILTERS) {
  test(`GET /api/v1/stream${query} sends ${seen.length} of 4`, async (t) => {
    const { feed, home, listen } = await started(t);
    home.entityRows.set("light.kitchen", entityRow("light.kitchen", { area_id: "attic" }));
    const [all, listener] = [await listen(), await listen(query)];
    await all.next();
    await listener.next();
    for (const id of ["light.hall", "light.kitchen", "sensor.hall", "sensor.hall_rssi"])
      feed.emit(change(id, "a", "b"));
    const ids: unknown[] = [];
    for (let i = 0; i < seen.length; i++) ids.push((await listener.next())!.data.entity_id);
    assert.deepEqual(ids, seen);
    // The other one has everything, so what is not wanted would have been sent by now.
    for (let i = 0; i < 4; i++) await all.next();
    feed.emit(change(seen[0] ?? "light.last", "b", "c"));
    if (seen.length > 0) assert.equal((await listener.next())!.id, "5");
  });
}

test("GET /api/v1/stream refuses unknown parameters before it opens", async (t) => {
  const { api, feed } = await started(t);
  assert.equal((await api.inject("/api/v1/stream?entity=light.hall")).statusCode, 400);
  assert.equal(feed.listeners.size, 0);
});

test("GET /api/v1/stream listens only while somebody is there", async (t) => {
  const { feed, listen } = await started(t);
  assert.equal(feed.listeners.size, 0);
  const [one, two] = [await listen(), await listen()];
  await one.next();
  await two.next();
  assert.equal(feed.listeners.size, 1);
  one.response.destroy();
  two.response.destroy();
  while (feed.listeners.size > 0) await turn();
});

test("GET /api/v1/stream cuts off who does not read, and counts it; others get everything", async (t) => {
  const { feed, listen, status } = await started(t);
  const [slow, fast] = [await listen(), await listen()];
  await fast.next();
  slow.response.pause();
  const text = "x".repeat(100_000);
  let sent = 0;
  while ((await status()).dropped === 0) {
    feed.emit(change("sensor.hall", null, text));
    sent++;
    assert.equal((await fast.next())!.id, String(sent));
    assert.ok(sent < 1_000, "a client that does not read is kept");
  }
  assert.equal((await status()).clients, 1);
});

test("GET /api/v1/stream refuses the 101st listener", async (t) => {
  const { base, listen, status } = await started(t);
  for (let i = 0; i < 100; i++) await (await listen()).next();
  const refused = await fetch(`${base}/api/v1/stream`);
  assert.equal(refused.status, 503);
  assert.equal(((await refused.json()) as { code: string }).code, "unavailable");
  const { clients, refused: count } = await status();
  assert.deepEqual([clients, count], [100, 1]);
});

test("createApi(): close() ends streams", async (t) => {
  const { api, feed, listen } = await started(t);
  const listener = await listen();
  await listener.next();
  await api.close();
  assert.equal(await listener.next(), undefined);
  assert.equal(feed.listeners.size, 0);
});

test("createApi(): close() does not wait for a listener that does not read", async (t) => {
  const { api, feed, listen, status } = await started(t);
  const listener = await listen();
  await listener.next();
  listener.response.pause();
  // More than the socket takes, less than what is allowed to wait.
  const text = "x".repeat(900_000);
  for (let i = 0; i < 8 && (await status()).dropped === 0; i++) {
    feed.emit(change("sensor.hall", null, text));
    await turn();
  }
  t.mock.timers.enable({ apis: ["setTimeout"] });
  await api.close();
  assert.equal(feed.listeners.size, 0);
});

test("GET /api/v1/stream passes a burst on in order", async (t) => {
  const feed = createFeedDouble();
  const options = apiOptions();
  const api = await createApi({ ...options, feed });
  const base = await api.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => api.close());
  const listener = await Listener.open(`${base}/api/v1/stream`);
  await listener.next();
  for (let i = 1; i <= 2_500; i++) feed.emit(change("sensor.hall", null, String(i)));
  for (let i = 1; i <= 2_500; i++) {
    const event = await listener.next();
    assert.equal(event!.id, String(i));
    assert.equal((event!.data.new_state as { state: string }).state, String(i));
  }
});

test("GET /api/v1/stream keeps a listener that reads, however much comes at once", async (t) => {
  const { feed, listen, status } = await started(t);
  const listener = await listen();
  await listener.next();
  // What an integration with 4,000 entities tells when it is set up again.
  const text = "x".repeat(1_500);
  for (let i = 1; i <= 4_000; i++) feed.emit(change("sensor.hall", null, text));
  for (let i = 1; i <= 4_000; i++) assert.equal((await listener.next())?.id, String(i));
  feed.emit(change("sensor.hall", null, "x".repeat(5_000_000)));
  assert.equal((await listener.next())?.id, "4001");
  assert.equal((await status()).dropped, 0);
});

test("createChangeStream() cuts off who stays behind for more than five seconds", async (t) => {
  const feed = createFeedDouble();
  let now = 0;
  const stream = createChangeStream(feed, () => now);
  t.after(() => stream.close());
  const response = Object.assign(new EventEmitter(), {
    writableLength: 0,
    destroyed: false,
    writeHead() {},
    write() {},
    end() {},
    destroy() {
      response.destroyed = true;
    },
  });
  stream.open(response as unknown as ServerResponse, () => true, {}, {});
  const clientsAfter = async (seconds: number, waiting: number): Promise<number> => {
    now = seconds * 1_000;
    response.writableLength = waiting;
    feed.emit(change("light.hall", "off", "on"));
    await turn();
    return stream.status().clients;
  };
  assert.equal(await clientsAfter(0, 2_000_000), 1);
  assert.equal(await clientsAfter(5, 2_000_000), 1);
  response.emit("drain");
  assert.equal(await clientsAfter(6, 2_000_000), 1, "it had caught up in between");
  assert.equal(await clientsAfter(11, 2_000_000), 1);
  assert.equal(await clientsAfter(11.1, 2_000_000), 0);
  assert.equal(stream.status().dropped, 1);
});

test("createChangeStream() holds the bytes once that many listeners wait for", async (t) => {
  const feed = createFeedDouble();
  const stream = createChangeStream(feed);
  t.after(() => stream.close());
  const open = (wants: (change: StateChange) => boolean): unknown[] => {
    const written: unknown[] = [];
    const response = Object.assign(new EventEmitter(), {
      writableLength: 0,
      destroyed: false,
      writeHead() {},
      write: (part: unknown) => written.push(part),
      end() {},
    });
    stream.open(response as unknown as ServerResponse, wants, {}, {});
    return written;
  };
  const all = open(() => true);
  const alike = open(() => true);
  const other = open(({ entityId }) => entityId === "light.hall");
  feed.emit(change("light.hall", "off", "on"));
  feed.emit(change("light.attic", "off", "on"));
  await turn();
  assert.ok(all[1] instanceof Buffer && all[1] === alike[1], "the same object");
  assert.match(String(all[1]), /light\.hall[\s\S]*light\.attic/);
  assert.doesNotMatch(String(other[1]), /light\.attic/);
});
