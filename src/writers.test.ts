import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { silentLog } from "./lib/log.ts";
import { shareThread } from "./lib/worker-rpc.ts";
import type { DatabaseSettings } from "./metadata/database.ts";
import { openHome } from "./metadata/home.ts";
import { openStore } from "./timeseries/store.ts";

const T0 = 1_795_478_400_000_000;

const moduleOf = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
/** The thread of all writes, with a way to end it. */
const MORTAL = `
  import { serveParts } from ${moduleOf("./lib/worker-rpc.ts")};
  import { writerCommands as home } from ${moduleOf("./metadata/writer-commands.ts")};
  import { writerCommands as samples } from ${moduleOf("./timeseries/hot/writer.ts")};
  serveParts({ home, samples, end: { die: () => process.exit(3) } });
`;

const SETTINGS: DatabaseSettings = { busyTimeoutSeconds: 1000, cacheSize: -2000, synchronous: "FULL" };

const WRITERS = new URL("./writers.worker.ts", import.meta.url);
const MORTAL_WRITERS = new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`);

/** A home and a store that the same thread writes, and what another program opens of them. */
async function open(file: URL, log = silentLog(), storeTimeoutSeconds = SETTINGS.busyTimeoutSeconds) {
  await using opening = new AsyncDisposableStack();
  const directory = mkdtempSync(join(tmpdir(), "writers-test-"));
  opening.defer(() => rmSync(directory, { recursive: true, force: true }));
  const writers = shareThread(file);
  const metadata = join(directory, "metadata.db");
  const home = opening.use(await openHome({ file: metadata, log, settings: SETTINGS, startWriter: writers("home") }));
  const store = opening.use(
    await openStore({
      ...{ directory, log, commitSeconds: 1000, startWriter: writers("samples") },
      settings: { ...SETTINGS, busyTimeoutSeconds: storeTimeoutSeconds },
    }),
  );
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
  // The writers may be at something of their own, such as the rollups after a fold.
  const patient = { timeout: 10_000 };
  const otherHome = opening.use(new DatabaseSync(metadata, patient));
  const otherStore = opening.use(new DatabaseSync(join(directory, "timeseries.db"), patient));
  const opened = opening.move();
  const die = async (): Promise<void> => {
    const end = writers<{ die(argument: null): void }>("end")(() => undefined);
    await assert.rejects(end.call("die", null), /ended with code 3/);
  };
  return { home, store, series, otherHome, otherStore, die, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

test("who locks the database of the one holds up nothing of the other", async () => {
  await using rig = await open(WRITERS);
  const { home, store, series, otherHome, otherStore } = rig;
  await store.flush();

  otherHome.exec("BEGIN IMMEDIATE");
  const area = home.applyRegistry("area", [{ area_id: "den", name: "Den" }], T0);
  store.append(series, T0, 1);
  await store.flush();
  await store.fold();
  otherHome.exec("ROLLBACK");
  assert.equal((await area).added.length, 1);

  otherStore.exec("BEGIN IMMEDIATE");
  store.append(series, T0 + 1, 2);
  const flushed = store.flush();
  const folded = store.fold();
  await home.applyRegistry("area", [], T0);
  otherStore.exec("ROLLBACK");
  await flushed;
  await folded;
  assert.equal(store.status().waiting, 0);
});

test("who locks one database when the thread dies holds up nothing of the other", { timeout: 20_000 }, async () => {
  await using rig = await open(MORTAL_WRITERS);
  const { home, store, series, otherHome, otherStore, die } = rig;

  otherHome.exec("BEGIN IMMEDIATE");
  await die();
  store.append(series, T0, 1);
  await store.flush();
  while (home.health().reason !== null) await immediate();
  otherHome.exec("ROLLBACK");

  otherStore.exec("BEGIN IMMEDIATE");
  await die();
  store.append(series, T0 + 1, 2);
  const flushed = store.flush();
  await home.applyRegistry("area", [{ area_id: "den", name: "Den" }], T0);
  otherStore.exec("ROLLBACK");
  await flushed;
});

test("a thread that dies at a bulk upsert leaves nothing of it, and the next one is kept", {
  timeout: 20_000,
}, async () => {
  await using rig = await open(MORTAL_WRITERS);
  const { home, otherHome, die } = rig;
  const body = () => [new TextEncoder().encode(JSON.stringify(Array.from({ length: 20_000 }, (_, id) => ({ id }))))];
  otherHome.exec("BEGIN IMMEDIATE");
  const upsert = assert.rejects(home.bulkUpsert("device", body()), /Cannot store device rows: .*ended with code 3/);
  await die();
  await upsert;
  otherHome.exec("ROLLBACK");
  assert.equal(home.counts().devices, 0);
  assert.deepEqual(await home.bulkUpsert("device", body()), { upserted: 20_000, failed: [] });
  assert.equal(home.counts().devices, 20_000);
});

test("a stop waits for another program's lock only where it has to write", { timeout: 20_000 }, async () => {
  const told: string[] = [];
  const tell = (what: unknown, text = String(what)): void => void told.push(text);
  const log = Object.assign(silentLog(), { warn: tell, error: tell });
  await using rig = await open(WRITERS, log, 0.02);
  const { home, store, series, otherHome, otherStore } = rig;
  otherHome.exec("BEGIN IMMEDIATE");
  otherStore.exec("BEGIN IMMEDIATE");
  store.append(series, T0, 1);

  await store.close();
  assert.match(told.shift()!, /Cannot write samples/);
  assert.deepEqual(told, ["Samples were lost at the end"], "the file was closed");
  await home.close();
  assert.equal(told.length, 1);
});

test("home and samples are written by one thread, and by another one when it dies", { timeout: 20_000 }, async () => {
  const errors: string[] = [];
  const log = Object.assign(silentLog(), { error: (_: unknown, text: string) => void errors.push(text) });
  await using rig = await open(MORTAL_WRITERS, log);
  const { home, store, series, die } = rig;
  const areas = () => home.areas({ limit: 10 }).rows.map(({ area_id }) => area_id);
  const rooms: { area_id: string; name: string }[] = [];

  for (let death = 0; death < 3; death++) {
    rooms.push({ area_id: `room_${death}`, name: `Room ${death}` });
    await home.applyRegistry("area", rooms, T0 + death);
    store.append(series, T0 + death, death);
    await store.flush();
    assert.deepEqual(
      areas(),
      rooms.map(({ area_id }) => area_id),
    );
    await die();
    assert.match(home.health().reason!, /the writing thread has ended/);
  }
  // Without a write, which may not come for an hour.
  while (home.health().reason !== null) await immediate();
  await home.applyRegistry("area", [], T0 + 10);
  assert.equal(home.health().reason, null);
  assert.equal(errors.length, 6, "each death was told by both");
  const [columns] = await store.read([{ series, start: T0, end: T0 + 100, limit: 100 }]);
  assert.deepEqual([...columns!.values], [0, 1, 2]);
});
