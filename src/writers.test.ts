import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { silentLog } from "./lib/log.ts";
import { shareThread } from "./lib/worker-rpc.ts";
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

const SETTINGS = { busyTimeoutSeconds: 1000, cacheSize: -2000, synchronous: "FULL" } as const;

test("who locks the database of the one holds up nothing of the other", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "writers-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const writers = shareThread(new URL("./writers.worker.ts", import.meta.url));
  const file = join(directory, "metadata.db");
  const log = silentLog();
  await using home = await openHome({ file, log, settings: SETTINGS, startWriter: writers("home") });
  await using store = await openStore({
    ...{ directory, log, commitSeconds: 1000, startWriter: writers("samples"), settings: SETTINGS },
  });
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
  await store.flush();
  using otherHome = new DatabaseSync(file);
  using otherStore = new DatabaseSync(join(directory, "timeseries.db"));

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

test("who locks one database when the thread dies holds up nothing of the other", { timeout: 20_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "writers-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const writers = shareThread(new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`));
  const file = join(directory, "metadata.db");
  const log = silentLog();
  await using home = await openHome({ file, log, settings: SETTINGS, startWriter: writers("home") });
  await using store = await openStore({
    ...{ directory, log, commitSeconds: 1000, startWriter: writers("samples"), settings: SETTINGS },
  });
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
  const die = async (): Promise<void> => {
    const end = writers<{ die(argument: null): void }>("end")(() => undefined);
    await assert.rejects(end.call("die", null), /ended with code 3/);
  };
  using otherHome = new DatabaseSync(file);
  using otherStore = new DatabaseSync(join(directory, "timeseries.db"));

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

test("a stop waits for another program's lock only where it has to write", { timeout: 20_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "writers-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const writers = shareThread(new URL("./writers.worker.ts", import.meta.url));
  const file = join(directory, "metadata.db");
  const told: string[] = [];
  const tell = (what: unknown, text = String(what)): void => void told.push(text);
  const log = Object.assign(silentLog(), { warn: tell, error: tell });
  const home = await openHome({ file, log, settings: SETTINGS, startWriter: writers("home") });
  const store = await openStore({
    ...{ directory, log, commitSeconds: 1000, startWriter: writers("samples") },
    settings: { ...SETTINGS, busyTimeoutSeconds: 0.02 },
  });
  using otherHome = new DatabaseSync(file);
  using otherStore = new DatabaseSync(join(directory, "timeseries.db"));
  otherHome.exec("BEGIN IMMEDIATE");
  otherStore.exec("BEGIN IMMEDIATE");
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
  store.append(series, T0, 1);

  await store.close();
  assert.match(told.shift()!, /Cannot write samples/);
  assert.deepEqual(told, ["Samples were lost at the end"], "the file was closed");
  await home.close();
  assert.equal(told.length, 1);
});

test("home and samples are written by one thread, and by another one when it dies", { timeout: 20_000 }, async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "writers-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const writers = shareThread(new URL(`data:text/javascript,${encodeURIComponent(MORTAL)}`));
  const errors: string[] = [];
  const log = Object.assign(silentLog(), { error: (_: unknown, text: string) => void errors.push(text) });
  await using home = await openHome({ file: join(directory, "metadata.db"), log, startWriter: writers("home") });
  await using store = await openStore({
    ...{ directory, log, commitSeconds: 1000, startWriter: writers("samples"), settings: SETTINGS },
  });
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "sensor.u", 1);
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
    const end = writers<{ die(argument: null): void }>("end")(() => undefined);
    await assert.rejects(end.call("die", null), /ended with code 3/);
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
