import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { openStore, type Store } from "./store.ts";

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "gaps-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

function open(directory: string, durableUntil?: () => number | null, now = () => 5000): Promise<Store> {
  const given = durableUntil === undefined ? {} : { durableUntil };
  return openStore({ directory, commitSeconds: 1000, settings: SETTINGS, log: silentLog(), now, ...given });
}

/** The files as a crash would leave them now. */
function crash(t: TestContext, directory: string): string {
  const copy = temporary(t);
  cpSync(directory, copy, { recursive: true });
  return copy;
}

test("the ledger is read at once, and is the same after a start", async (t) => {
  const directory = temporary(t);
  const store = await open(directory);
  const first = store.gaps.open("first_start", 100);
  const second = store.gaps.open("socket_closed", 200);
  assert.deepEqual(
    store.gaps.list().map(({ id }) => id),
    [second.id, first.id],
  );
  assert.equal(first.openedAt, 5000);
  store.gaps.saveProgress(second.id, "plan", "what");
  store.gaps.saveProgress(second.id, "position", "where");
  const change = { end: 300, state: "filling", added: 7, done: 1, total: 2, note: "a note" } as const;
  assert.deepEqual(store.gaps.update(second.id, change), { ...second, ...change });
  store.gaps.update(first.id, { state: "partial", closedAt: 400, missingEntities: ["a.b"] });
  const told = store.gaps.list();
  await store.close();

  const again = await open(directory);
  t.after(() => again.close());
  assert.deepEqual(again.gaps.list(), told);
  assert.equal(again.gaps.progress(second.id, "plan"), "what");
  assert.equal(again.gaps.progress(second.id, "position"), "where");
  assert.equal(again.gaps.progress(first.id, "plan"), null);
  again.gaps.update(second.id, { state: "filled", closedAt: 500 });
  assert.equal(again.gaps.progress(second.id, "plan"), null);
  assert.equal(again.gaps.open("stopped", 600).id, second.id + 1);
  assert.throws(() => again.gaps.update(99, {}), RangeError);
});

test("a crash takes progress along with the samples that came before it, never the samples alone", async (t) => {
  const directory = temporary(t);
  const store = await open(directory);
  t.after(() => store.close());
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "a.b", 1);
  const { id } = store.gaps.open("crash", 100);
  store.append(series, 10, 1);
  store.gaps.saveProgress(id, "position", "1");
  await store.flush();
  store.append(series, 11, 2);
  store.gaps.saveProgress(id, "position", "2");
  const left = await open(crash(t, directory));
  t.after(() => left.close());
  assert.equal(left.gaps.progress(id, "position"), "1");
  assert.equal(left.last(series)?.ts, 10);
});

test("lastRun tells up to when everything heard is on disk, and how the run ended", async (t) => {
  const directory = temporary(t);
  let heard: number | null = null;
  const store = await open(directory, () => heard);
  assert.deepEqual(store.lastRun, { durableUntil: null, stoppedCleanly: false });
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "a.b", 1);
  heard = 10;
  store.append(series, 10, 1);
  await store.flush();
  heard = 20;
  store.append(series, 20, 2);
  const crashed = await open(crash(t, directory));
  assert.deepEqual(crashed.lastRun, { durableUntil: 10, stoppedCleanly: false });
  await crashed.close();
  heard = 30;
  await store.close();

  const stopped = await open(directory, () => null);
  assert.deepEqual(stopped.lastRun, { durableUntil: 30, stoppedCleanly: true });
  const killed = await open(crash(t, directory));
  assert.deepEqual(killed.lastRun, { durableUntil: 30, stoppedCleanly: false }, "a run that was started has not ended");
  await killed.close();
  await stopped.close();
});

test("a commit of which nobody knows how far it goes leaves durableUntil as it was", async (t) => {
  const directory = temporary(t);
  let heard: number | null = 10;
  const store = await open(directory, () => heard);
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "a.b", 1);
  store.append(series, 10, 1);
  await store.flush();
  heard = null;
  store.append(series, 11, 1);
  await store.close();
  const again = await open(directory);
  t.after(() => again.close());
  assert.equal(again.lastRun.durableUntil, 10);
});

test("names() gives the subjects of a measurement by their present names", async (t) => {
  const store = await open(temporary(t));
  t.after(() => store.close());
  const series = (measurement: string, subject: string, name: string | null) =>
    store.series({ measurement, subject, field: "state" }, name, 1);
  series("state", "1", "a.one");
  series("state", "2", "a.two");
  series("state", "3", "a.three");
  series("weather", "met", null);
  store.rename("state", "2", "a.renamed", 2);
  store.release("state", "3", 2);
  assert.deepEqual(
    [...store.names("state")],
    [
      ["a.one", "1"],
      ["a.renamed", "2"],
    ],
  );
});
