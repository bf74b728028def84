import assert from "node:assert/strict";
import { cpSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { SETTLED_GAPS_MAX } from "./gaps.ts";
import { openForWriting } from "./hot/database.ts";
import { createLedgerWriter } from "./hot/ledger.ts";
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
  t.after(() => store.close());
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

test("of a hundred closed gaps the names of what they lack are kept, of older ones their number", async (t) => {
  const directory = temporary(t);
  const names = Array.from({ length: 1_000 }, (_, n) => `sensor.number_${n}`);
  const store = await open(directory);
  t.after(() => store.close());
  const downtime = { start: 10, end: 20 };
  for (let n = 0; n < 102; n++) {
    const { id } = store.gaps.open("socket_closed", n);
    const note = id === 2 ? null : "a note";
    store.gaps.update(id, { state: "partial", closedAt: n, missingEntities: names, note, downtime });
  }
  const going = store.gaps.open("socket_closed", 1000);
  store.gaps.update(going.id, { state: "filled", closedAt: 1001 });
  const told = store.gaps.list();
  await store.close();
  const again = await open(directory);
  t.after(() => again.close());
  assert.deepEqual(again.gaps.list(), told);
  assert.deepEqual(
    told.slice(1).map(({ missingEntities }) => missingEntities.length),
    [...Array(100).fill(1_000), 0, 0],
  );
  const lost = "the names of 1000 missing entities are not kept any longer";
  assert.deepEqual([told.at(-1)?.note, told.at(-2)?.note, told.at(-3)?.note], [`a note; ${lost}`, lost, "a note"]);
  assert.deepEqual([told.at(-1)?.state, told.at(-1)?.downtime], ["partial", downtime], "the rest stays");
});

test("of gaps that are over the newest are kept, and those in which Home Assistant was down", async (t) => {
  const directory = temporary(t);
  const store = await open(directory);
  t.after(() => store.close());
  const open1 = store.gaps.open("missed_event", 1);
  const down2 = store.gaps.open("socket_closed", 2);
  store.gaps.update(down2.id, { state: "partial", closedAt: 3, downtime: { start: 2, end: 3 } });
  for (let n = 0; n < SETTLED_GAPS_MAX + 2; n++) {
    const { id } = store.gaps.open("socket_closed", 10 + n);
    store.gaps.update(id, { state: n === 0 ? "partial" : "filled", closedAt: 11 + n });
  }
  const kept = [open1.id, down2.id, ...Array.from({ length: SETTLED_GAPS_MAX }, (_, n) => n + 5)].reverse();
  const ids = (told: Store) => told.gaps.list().map(({ id }) => id);
  assert.deepEqual(ids(store), kept);
  await store.close();
  const again = await open(directory);
  t.after(() => again.close());
  assert.deepEqual(ids(again), kept);
  again.gaps.update(open1.id, { state: "filled", closedAt: 20_000 });
  assert.equal(again.gaps.list().length, SETTLED_GAPS_MAX + 1);
});

test("a downtime has its day added up anew once, not with each later word on its gap", async (t) => {
  const directory = temporary(t);
  const store = await open(directory);
  t.after(() => store.close());
  const told = store.gaps.open("socket_closed", 5);
  await store.close();
  using db = openForWriting(join(directory, "timeseries.db"), SETTINGS);
  const ledger = createLedgerWriter(db);
  db.exec("INSERT INTO rollup_days (day, cuts) VALUES (0, 'built')");
  const built = () => db.prepare("SELECT cuts FROM rollup_days WHERE day = 0").get()!.cuts;
  const gap = { ...told, downtime: { start: 10, end: 20 } };
  ledger.apply({ kind: "gap", gap });
  assert.equal(built(), null);
  db.exec("UPDATE rollup_days SET cuts = 'built'");
  ledger.apply({ kind: "gap", gap: { ...gap, note: "another note" } });
  assert.equal(built(), "built");
  ledger.apply({ kind: "gap", gap: { ...gap, downtime: { start: 11, end: 20 } } });
  assert.equal(built(), null);
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
  t.after(() => store.close());
  assert.deepEqual(store.lastRun, { durableUntil: null, stoppedCleanly: false });
  const series = store.series({ measurement: "state", subject: "u", field: "state" }, "a.b", 1);
  heard = 10;
  store.append(series, 10, 1);
  await store.flush();
  heard = 20;
  store.append(series, 20, 2);
  const crashed = await open(crash(t, directory));
  t.after(() => crashed.close());
  assert.deepEqual(crashed.lastRun, { durableUntil: 10, stoppedCleanly: false });
  await crashed.close();
  heard = 30;
  await store.close();

  const stopped = await open(directory, () => null);
  t.after(() => stopped.close());
  assert.deepEqual(stopped.lastRun, { durableUntil: 30, stoppedCleanly: true });
  const killed = await open(crash(t, directory));
  t.after(() => killed.close());
  assert.deepEqual(killed.lastRun, { durableUntil: 30, stoppedCleanly: false }, "a run that was started has not ended");
  await killed.close();
  await stopped.close();
});

test("a commit of which nobody knows how far it goes leaves durableUntil as it was", async (t) => {
  const directory = temporary(t);
  let heard: number | null = 10;
  const store = await open(directory, () => heard);
  t.after(() => store.close());
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
