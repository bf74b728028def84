import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout as wait } from "node:timers/promises";
import { silentLog } from "../../lib/log.ts";
import { startWorker } from "../../lib/worker-rpc.ts";
import { type InfluxDouble, RECORDED, startInfluxDouble } from "../../testing/influx-double.ts";
import type { WriterCommands, WriterOptions } from "../hot/writer-commands.ts";
import { openStore, type Store, type StoreOptions } from "../store.ts";
import type { ForwardSettings } from "./forwarding.ts";
import type { TargetSettings } from "./target-settings.ts";

const DAY = 86_400_000_000;
const T0 = Date.UTC(2026, 10, 24) * 1000;
const NOW = T0 + 3 * DAY;
const SERIES = 10;
/** Nobody listens there. */
const AWAY = "http://127.0.0.1:9";

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" } as const;

function mirrorAt(url: string, name = "copy"): TargetSettings {
  return {
    ...{ name, url, token: "secret", org: "home", bucket: "ha", database: null, retentionPolicy: null },
    ...{ username: null, password: null, version: 2, layout: "native", retentionDays: null },
    ...{ batchSamplesMax: 5_000, batchSeconds: 0 },
  };
}

function open(
  directory: string,
  mirrors: readonly TargetSettings[],
  more: Partial<StoreOptions> = {},
  forward: Partial<ForwardSettings> = {},
) {
  const options = { directory, commitSeconds: 1000, settings: SETTINGS, log: silentLog(), now: () => NOW, ...more };
  return openStore({ ...options, forward: { archive: null, mirrors, ...forward } });
}

function seriesOf(store: Store, i: number) {
  return store.series({ measurement: "state", subject: `u${i}`, field: "state" }, `sensor.u${i}`, T0);
}

/** A store without a mirror that has so many samples of three days, the last of them in its log; closed again. */
async function home(t: TestContext, samples: number): Promise<string> {
  const directory = mkdtempSync(join(tmpdir(), "filling-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  await using store = await open(directory, []);
  const step = Math.floor((3 * DAY) / samples);
  for (let i = 0; i < samples; i++) {
    store.append(seriesOf(store, i % SERIES), T0 + i * step, i);
    if (i % 10_000 === 9_999) await store.flush();
    if (i === samples - 1_000) await store.fold();
  }
  return directory;
}

async function until(what: string, condition: () => boolean): Promise<void> {
  for (let i = 0; i < 15_000; i++) {
    if (condition()) return;
    await new Promise((resolve) => setTimeout(resolve, 2));
  }
  assert.fail(`Waited in vain until ${what}`);
}

const status = (store: Store) => store.forwarding.status()[0]!;
const filled = (store: Store) => until("it is filled", () => !status(store).filling);

/** How many samples are queued, and how many different ones. */
function queued(directory: string): { readonly all: number; readonly different: number } {
  using db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  const { all, different } = db
    .prepare("SELECT count(*) AS 'all', count(DISTINCT series || ' ' || ts) AS different FROM outgoing")
    .get()!;
  return { all: Number(all), different: Number(different) };
}

test("a new mirror keeps neither the start nor commits waiting while what the hot tier has is queued", async (t) => {
  const samples = 300_000;
  const directory = await home(t, samples);
  const store = await open(directory, [mirrorAt(AWAY)]);
  t.after(() => store.close());
  assert.deepEqual([status(store).filling, status(store).waiting], [true, 0]);
  /** What was queued with each commit. */
  const queuedThen: number[] = [];
  for (let i = 0; status(store).filling; i++) {
    store.append(seriesOf(store, 0), NOW + i, i);
    await store.flush();
    queuedThen.push(status(store).waiting);
  }
  // Sixty steps at least: one that is under way comes before a commit, and one that was asked for already.
  assert.ok(queuedThen.length >= 20, `only ${queuedThen.length} commits`);
  const steps = queuedThen.map((waiting, i) => waiting - (queuedThen[i - 1] ?? 0));
  assert.ok(Math.max(...steps) <= 20_000, `${Math.max(...steps)} were queued between two commits`);
  assert.equal(status(store).waiting, samples + queuedThen.length);
  await store.close();
  const all = samples + queuedThen.length;
  assert.deepEqual(queued(directory), { all, different: all });
});

/** Opens with a mirror that is away, and commits without pause; tells how many samples wait after each commit. */
const CHILD = `
  const { openStore } = await import(process.argv[2]);
  const { silentLog } = await import(process.argv[3]);
  const store = await openStore(Object.assign(JSON.parse(process.argv[4]), { log: silentLog(), now: () => ${NOW} }));
  const series = store.series({ measurement: "state", subject: "u0", field: "state" }, "sensor.u0", 1);
  for (let i = Number(process.argv[5]); ; i++) {
    store.append(series, ${NOW} + i, i);
    await store.flush();
    const { filling, waiting } = store.forwarding.status()[0];
    process.stdout.write([i, filling, waiting].join(" ") + "\\n");
  }
`;

test("kill -9 in the middle of a fill loses nothing of it and doubles nothing", async (t) => {
  const samples = 150_000;
  const directory = await home(t, samples);
  const program = join(directory, "child.mjs");
  writeFileSync(program, CHILD);
  const modules = [import.meta.resolve("../store.ts"), import.meta.resolve("../../lib/log.ts")];
  const options = { directory, commitSeconds: 1000, settings: SETTINGS, foldSamples: 50 };
  const forward = { archive: null, mirrors: [mirrorAt(AWAY)] };
  let next = 0;
  let killedFilling = 0;
  for (let round = 0; round < 4; round++) {
    const settings = JSON.stringify({ ...options, forward });
    const child = spawn(process.execPath, [program, ...modules, settings, `${next}`], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    // Further each time.
    const enough = (samples / 6) * (round + 1) - Math.random() * 5_000;
    for await (const line of createInterface({ input: child.stdout })) {
      const [i, filling, waiting] = line.split(" ");
      next = Number(i) + 1;
      if (Number(waiting) < enough) continue;
      if (!child.killed && filling === "true") killedFilling++;
      child.kill("SIGKILL");
    }
    if (child.signalCode === null) await once(child, "exit");
    assert.equal(child.signalCode, "SIGKILL");
  }
  assert.ok(killedFilling >= 2, `${killedFilling} kills came in the middle`);
  const store = await open(directory, forward.mirrors);
  t.after(() => store.close());
  await filled(store);
  await store.close();
  const found = queued(directory);
  assert.equal(found.all, found.different, "nothing twice");
  // A commit may be on the disk that was not told of.
  assert.ok(found.all === samples + next || found.all === samples + next + 1, `${found.all} of ${samples + next}`);
});

test("a day goes to the archive after every new mirror has it in its queue", async (t) => {
  const samples = 60_000;
  const directory = await home(t, samples);
  // So many that to queue all of it takes longer than what else comes before a day goes.
  const mirrors = Array.from({ length: 12 }, (_, i) => mirrorAt(AWAY, `copy${i}`));
  await using store = await open(directory, mirrors, { archive: { hotDays: 0, firstMs: 1e9 } });
  assert.equal(await store.seal(), samples);
  assert.deepEqual(queued(directory), { all: mirrors.length * samples, different: samples });
});

test("a day that was about to be dropped stays when a target lost its samples, until it is looked at again", async (t) => {
  const directory = await home(t, 3_000);
  const options: WriterOptions = { directory, settings: SETTINGS, targets: [{ name: "copy", waitingMax: null }] };
  const file = new URL("../hot/writer.worker.ts", import.meta.url);
  const writer = startWorker<WriterCommands>(file, {}, assert.ifError);
  t.after(() => writer.terminate());
  await writer.call("configure", options);
  const { days } = await writer.call("load", null);
  for (;;) {
    const { filling, needsFold } = await writer.call("fill", {});
    if (needsFold) await writer.call("fold", { parts: [], lastBatch: await writer.call("sealLog", null) });
    if (filling.length === 0) break;
  }
  const batch = await writer.call("nextBatch", { target: "copy", limit: 10 });
  await writer.call("acknowledge", { target: "copy", last: batch!.last, letters: [] });
  const change = { day: days[0]!, file: null, obsolete: [] };
  await writer.call("watch", days[0]!);
  assert.equal(await writer.call("refillTarget", "copy"), true);
  assert.equal((await writer.call("archive", { change })).sealed, false);
  await writer.call("watch", days[0]!);
  assert.equal((await writer.call("archive", { change })).sealed, true);
});

test("on a disk with little room commits and the archive go on, and what is left is queued once there is more", async (t) => {
  const samples = 60_000;
  const directory = await home(t, samples);
  // Some megabytes more than the file has.
  let pages = 5_000;
  const more = { maxPages: () => pages, archive: { hotDays: 2, firstMs: 1e9 } };
  await using store = await open(directory, [mirrorAt(AWAY), mirrorAt(AWAY, "other")], more);
  store.append(seriesOf(store, 0), NOW, 1);
  await store.flush();
  assert.equal(await store.seal(), samples / 3);
  assert.deepEqual([status(store).filling, status(store).waiting], [true, 1]);
  pages = 1_000_000;
  await until("both are filled", () => store.forwarding.status().every(({ filling }) => !filling));
  const left = (2 * samples) / 3;
  assert.deepEqual(queued(directory), { all: 2 * left + 1, different: left + 1 });
});

test("a mirror that lost its bucket while it is filled gets all of it again", async (t) => {
  const samples = 40_000;
  const directory = await home(t, samples);
  const double = await startInfluxDouble("2.7.12");
  t.after(() => double[Symbol.asyncDispose]());
  let bucket: Set<string> | undefined = new Set();
  let isLost = false;
  double.others = (method, url) => {
    if (method === "POST" && url === "/api/v2/buckets") bucket = new Set();
    return { status: 200, body: '{"orgs":[{"id":"0123"}]}' };
  };
  double.answer = (lines) => {
    // After the first batch that is taken.
    if (bucket !== undefined && bucket.size > 0 && !isLost) {
      bucket = undefined;
      isLost = true;
    }
    for (const line of lines) bucket?.add(line);
    return bucket === undefined ? RECORDED.noBucket : RECORDED.taken;
  };
  const sleep = () => new Promise((resolve) => setImmediate(resolve));
  await using store = await open(directory, [mirrorAt(double.url)], {}, { sleep });
  await until("it has all", () => bucket?.size === samples);
  await filled(store);
  await until("nothing waits", () => status(store).waiting === 0);
  assert.ok(isLost);
});

/** Its bucket can be deleted and made; undefined while it is gone. */
interface Server {
  readonly double: InfluxDouble;
  bucket: Set<string> | undefined;
  /** Before it answers that the bucket is not there, and that it has made it. */
  missed(): void;
  made(): void;
}

/** A server whose bucket is gone, and a closed store whose mirror there had everything. */
async function deleted(t: TestContext, samples: number) {
  const directory = await home(t, samples);
  const double = await startInfluxDouble("2.7.12");
  t.after(() => double[Symbol.asyncDispose]());
  const server: Server = { double, bucket: new Set(), missed() {}, made() {} };
  double.answer = (lines) => {
    for (const line of lines) server.bucket?.add(line);
    if (server.bucket !== undefined) return RECORDED.taken;
    server.missed();
    return RECORDED.noBucket;
  };
  double.others = (method, url) => {
    if (method === "POST" && url === "/api/v2/buckets") {
      server.bucket = new Set();
      server.made();
    }
    return { status: 200, body: '{"orgs":[{"id":"0123"}]}' };
  };
  const store = await open(directory, [mirrorAt(double.url)]);
  t.after(() => store.close());
  await until("it has all", () => server.bucket?.size === samples);
  await until("nothing waits", () => !status(store).filling && status(store).waiting === 0);
  await store.close();
  server.bucket = undefined;
  return { directory, server, mirrors: [mirrorAt(double.url)] };
}

/** The next start brings what was recorded before the bucket was gone. */
async function assertFilled(directory: string, mirrors: readonly TargetSettings[], server: Server, samples: number) {
  await using store = await open(directory, mirrors);
  await until("nothing waits", () => !status(store).filling && status(store).waiting === 0);
  const isOld = (line: string): boolean => Number(line.slice(line.lastIndexOf(" ") + 1, -3)) < NOW;
  assert.equal([...server.bucket!].filter(isOld).length, samples);
}

test("kill -9 as soon as a bucket is made anew: the next start fills it", async (t) => {
  const samples = 3_000;
  const { directory, server, mirrors } = await deleted(t, samples);
  const program = join(directory, "child.mjs");
  writeFileSync(program, CHILD);
  const modules = [import.meta.resolve("../store.ts"), import.meta.resolve("../../lib/log.ts")];
  const options = { directory, commitSeconds: 1000, settings: SETTINGS, forward: { archive: null, mirrors } };
  const child = spawn(process.execPath, [program, ...modules, JSON.stringify(options), "0"], {
    stdio: ["ignore", "ignore", "inherit"],
  });
  server.made = () => child.kill("SIGKILL");
  await once(child, "exit");
  assert.equal(child.signalCode, "SIGKILL");
  await assertFilled(directory, mirrors, server, samples);
});

for (const maker of ["us", "others"]) {
  test(`a stop while the disk refuses to queue what a bucket lost: the next start fills the one that ${maker} made`, async (t) => {
    const samples = 3_000;
    const { directory, server, mirrors } = await deleted(t, samples);
    using other = new DatabaseSync(join(directory, "timeseries.db"), { timeout: 5_000 });
    server.missed = () => {
      if (!other.isTransaction) other.exec("BEGIN IMMEDIATE");
    };
    if (maker === "others") server.double.others = () => RECORDED.unauthorized;
    // Whatever fails is not tried again.
    const sleep = (ms: number, signal: AbortSignal) => wait(ms > 0 ? DAY / 1000 : 0, undefined, { signal });
    const settings = { ...SETTINGS, busyTimeoutSeconds: 0.05 };
    const store = await open(directory, mirrors, { settings }, { sleep });
    t.after(() => store.close());
    store.append(seriesOf(store, 0), NOW, 1);
    await store.flush();
    await until("the disk refuses", () => status(store).reason?.includes("locked") === true);
    if (maker === "others") server.bucket = new Set();
    server.missed = () => {};
    other.exec("ROLLBACK");
    await store.close();
    await assertFilled(directory, mirrors, server, samples);
  });
}

test("a mirror that is taken out of the file while it is to be filled anew leaves nothing behind", async (t) => {
  const samples = 3_000;
  const { directory, server, mirrors } = await deleted(t, samples);
  server.double.others = () => RECORDED.unauthorized;
  {
    await using store = await open(directory, mirrors);
    store.append(seriesOf(store, 0), NOW, 1);
    await store.flush();
    await until("it is missed", () => status(store).state === "stopped");
  }
  await (await open(directory, [])).close();
  using db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
  for (const table of ["forward_targets", "fills", "outgoing"]) {
    assert.equal(db.prepare(`SELECT count(*) AS count FROM ${table}`).get()?.count, 0, table);
  }
});
