import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, lstatSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { ALONE, run, temporary } from "./testing/program.ts";
import { createSimulatedHome } from "./testing/simulated-home/simulated-home.ts";

const REPOSITORY = join(import.meta.dirname, "..");

test("start.mjs says of an older Node what is needed, and where it comes from", () => {
  const older = 'Object.defineProperty(process.versions, "node", { value: "20.20.2" })';
  const preload = `data:text/javascript,${encodeURIComponent(older)}`;
  const start = join(import.meta.dirname, "start.mjs");
  const { status, stderr } = spawnSync(process.execPath, ["--import", preload, start], { encoding: "utf8" });
  assert.equal(status, 1);
  assert.match(stderr, /^HA Ingestor needs Node\.js 26, and this is 20\.20\.2: "npm ci" brings it [^\n]*\n$/);
});

/** Runs link-node.mjs where the Node that came along is this script of the shell, with npm's link to it or without. */
function linkNode(t: TestContext, script: string, isLinked: boolean, version = "20.20.2") {
  const root = temporary(t);
  const bundled = `node-${process.platform}-${process.arch}/bin/node`;
  const link = join(root, "node_modules/.bin/node");
  mkdirSync(join(root, "node_modules", dirname(bundled)), { recursive: true });
  mkdirSync(dirname(link));
  writeFileSync(join(root, "node_modules", bundled), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  if (isLinked) symlinkSync(`../${bundled}`, link);
  const here = `Object.defineProperty(process.versions, "node", { value: "${version}" })`;
  const preload = `data:text/javascript,${encodeURIComponent(here)}`;
  const { status, stderr } = spawnSync(
    process.execPath,
    ["--import", preload, join(import.meta.dirname, "link-node.mjs")],
    { cwd: root, encoding: "utf8" },
  );
  return { status, stderr, isLinked: lstatSync(link, { throwIfNoEntry: false }) !== undefined, link };
}

test("link-node.mjs makes the link that npm 9 removes, and leaves one that is there", (t) => {
  for (const isLinked of [false, true]) {
    const after = linkNode(t, "echo v26.10.0", isLinked);
    assert.deepEqual([after.status, after.stderr], [0, ""]);
    assert.equal(spawnSync(after.link, { encoding: "utf8" }).stdout, "v26.10.0\n");
  }
});

test("link-node.mjs says why the Node that came along does not run, and what helps", (t) => {
  const lacks = "echo node: error while loading shared libraries: libatomic.so.1: no such file >&2; exit 127";
  const told = linkNode(t, lacks, true);
  assert.deepEqual([told.status, told.isLinked], [1, false]);
  assert.match(
    told.stderr,
    /^The Node\.js that came along does not run here \(.*libatomic.*\): .*apt install libatomic1/,
  );
  assert.match(linkNode(t, "exit 1", true).stderr, /does not run here \(.*\): install Node\.js 26 yourself\n$/);
});

test("link-node.mjs leaves the scripts the system's Node where that is new enough", (t) => {
  const told = linkNode(t, "echo Bad luck >&2; exit 1", true, "26.0.0");
  assert.deepEqual([told.status, told.isLinked], [0, false]);
  assert.match(told.stderr, /\(Bad luck\): Node\.js 26\.0\.0 of this system is used in its place\n$/);
});

test("start.mjs starts although it cannot note that the compile cache is filled", (t) => {
  const root = temporary(t);
  cpSync(import.meta.dirname, join(root, "src"), { recursive: true });
  cpSync(join(REPOSITORY, "package.json"), join(root, "package.json"));
  const modules = join(REPOSITORY, "node_modules");
  mkdirSync(join(root, "node_modules"));
  for (const name of readdirSync(modules)) {
    if (name !== ".cache") symlinkSync(join(modules, name), join(root, "node_modules", name));
  }
  // As with a disk that is full, nothing can be written there.
  mkdirSync(join(root, `node_modules/.cache/ha-ingestor/filled-node-${process.versions.node}`), { recursive: true });
  const { status, stdout, stderr } = spawnSync(process.execPath, [join(root, "src/start.mjs"), "--version"], {
    encoding: "utf8",
  });
  assert.deepEqual([status, stderr], [0, ""]);
  assert.match(stdout, /^\d+\.\d+\.\d+\n$/);
});

test("main() makes the directories of DATA_DIR and DATABASE_URL, and ends with 0 on SIGTERM", async (t) => {
  const dir = temporary(t);
  const { child, ended, told, until } = run(t, dir, {
    DATA_DIR: "deep/data",
    DATABASE_URL: "sqlite+aiosqlite:///./other/metadata.db",
  });
  await until('"api":"sports"');
  assert.ok(existsSync(join(dir, "other/metadata.db")) && existsSync(join(dir, "deep/data/timeseries.db")), told.said);
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], told.said);
});

test("main() ends where the archive cannot be opened, with what is in its way", (t) => {
  const dir = temporary(t);
  writeFileSync(join(dir, "archive"), "no directory");
  const { status, signal, stderr } = spawnSync(process.execPath, [join(import.meta.dirname, "main.ts")], {
    env: { ...ALONE, DATA_DIR: dir, LOG_LEVEL: "fatal", DATA_API_PORT: "0", SPORTS_DATA_PORT: "0" },
    encoding: "utf8",
    timeout: 30_000,
  });
  assert.deepEqual([status, signal], [1, null]);
  assert.match(stderr, /^Cannot start: EEXIST: .*archive'; see the files of DATA_DIR and the rights to them\n$/);
});

test("main() records what it needs itself every SYSTEM_METRICS_SECONDS", async (t) => {
  const { told, until } = run(t, temporary(t), { SYSTEM_METRICS_SECONDS: "1" });
  await until('"api":"sports"');
  const port = /"api":"data".*?"port":(\d+)/.exec(told.said)?.[1];
  const question = "measurement=system&subject=process&fields=rss_bytes";
  const ask = async () => {
    const answer = await fetch(`http://127.0.0.1:${port}/api/v1/history?${question}`);
    return (await answer.json()) as { series?: { unit: string; samples: [number, number][] }[] };
  };
  // Unknown until the first look, whose sample is in no span that ends in the same millisecond.
  let [series] = (await ask()).series ?? [];
  while (!series?.samples.length) [series] = (await ask()).series ?? [];
  const [at, bytes] = series.samples[0]!;
  assert.equal(series.unit, "B");
  assert.ok(Math.abs(at - Date.now()) < 60_000 && bytes > 20_000_000, told.said);
});

test("main() records the weather where Home Assistant is, and says how that goes", async (t) => {
  const dir = temporary(t);
  const home = await createSimulatedHome({ port: 0, entities: 20, token: "right" });
  t.after(() => home.close());
  const asked: string[] = [];
  const time = Math.floor(Date.now() / 1000) - 60;
  const provider = createServer((request, response) => {
    asked.push(request.url!);
    response.end(JSON.stringify({ current_units: { temperature_2m: "°C" }, current: { time, temperature_2m: 3.4 } }));
  });
  provider.listen(0, "127.0.0.1");
  await once(provider, "listening");
  t.after(() => provider.close());
  writeFileSync(join(dir, "token"), "right");
  const { told, until } = run(t, dir, {
    ...{ HA_URL: home.url, HA_TOKEN_FILE: "token", WEATHER_PROVIDER: "open-meteo" },
    WEATHER_BASE_URL: `http://127.0.0.1:${(provider.address() as AddressInfo).port}`,
  });
  await until('"api":"sports"');
  const url = `http://127.0.0.1:${/"api":"data".*?"port":(\d+)/.exec(told.said)?.[1]}`;
  const question = "measurement=weather&subject=open-meteo&fields=temperature";
  let answer = await fetch(`${url}/api/v1/history?${question}`);
  while (answer.status === 404) answer = await fetch(`${url}/api/v1/history?${question}`);
  const { series } = (await answer.json()) as { series: { unit: string; samples: unknown[] }[] };
  assert.deepEqual([series[0]?.unit, series[0]?.samples], ["°C", [[time * 1000, 3.4]]]);
  assert.match(asked[0]!, /latitude=-?\d+\.\d+&longitude=-?\d+\.\d+/);
  const health = (await (await fetch(`${url}/health`)).json()) as { dependencies: { weather: { status: string } } };
  assert.equal(health.dependencies.weather.status, "healthy");
});

test("main() refuses a second service on the database of the home of another one, and so does migrate", async (t) => {
  const dir = temporary(t);
  const first = run(t, dir, { DATA_DIR: "one" });
  await first.until('"api":"sports"');
  const shared = { DATA_DIR: "two", DATABASE_URL: "sqlite:///one/metadata.db" };
  const second = run(t, dir, shared);
  assert.deepEqual(await second.ended, [1, null]);
  assert.match(second.told.said, /is in use by process \d+ .*: stop it, or choose another DATABASE_URL/);
  const { PATH } = process.env;
  const cli = join(import.meta.dirname, "cli/main.ts");
  const migrated = spawnSync(process.execPath, [cli, "migrate", "downgrade", "-1"], {
    cwd: dir,
    env: { PATH, ...shared },
  });
  assert.match(String(migrated.stderr), /^Cannot migrate: .* is in use by process \d+ /);
});

interface Stats {
  readonly timeseries: { readonly waiting: number };
}

test("main() brings samples to the disk first at a stop, not behind what metadata.db takes", async (t) => {
  const dir = temporary(t);
  const home = await createSimulatedHome({ port: 0, entities: 20 });
  t.after(() => home.close());
  const environment = { HA_URL: home.url, HA_TOKEN: home.token, DATA_DIR: "data", COMMIT_SECONDS: "600" };
  const { child, ended, told, until } = run(t, dir, environment);
  await until("The home is known");
  const port = /"api":"data".*?"port":(\d+)/.exec(told.said)?.[1];
  const waiting = async () => {
    const stats = (await (await fetch(`http://127.0.0.1:${port}/api/v1/stats`)).json()) as Stats;
    return stats.timeseries.waiting;
  };
  using metadata = new DatabaseSync(join(dir, "data/metadata.db"), { timeout: 5_000 });
  metadata.exec("BEGIN IMMEDIATE");
  const begun = await waiting();
  await home.burst(50);
  using samples = new DatabaseSync(join(dir, "data/timeseries.db"), { readOnly: true });
  const onDisk = () => samples.prepare("SELECT count(*) AS count FROM log").get()!.count as number;
  while ((await waiting()) < begun + 50) await new Promise((resume) => setTimeout(resume, 50));
  const before = onDisk();
  child.kill();
  const late = performance.now() + 10_000;
  while (onDisk() < before + 50 && performance.now() < late) await new Promise((resume) => setTimeout(resume, 50));
  assert.ok(onDisk() >= before + 50, "while the states wait for another program's lock");
  assert.equal(child.exitCode, null);
  metadata.exec("ROLLBACK");
  assert.deepEqual(await ended, [0, null]);
});

test("main() stops once where a signal comes again and again, as from a terminal and from npm", async (t) => {
  const { child, ended, told, until } = run(t, temporary(t), { DATA_DIR: "data" });
  await until('"api":"sports"');
  child.kill("SIGINT");
  await until("Stopping");
  // Also while Node takes itself down.
  const again = setInterval(() => child.kill("SIGINT"), 1);
  t.after(() => clearInterval(again));
  assert.deepEqual(await ended, [0, null], told.said);
  assert.match(told.said, /"Stopped"/);
});

test("main() stops in order where the signal comes while it starts", async (t) => {
  const { child, ended, told, until } = run(t, temporary(t), { DATA_DIR: "data" });
  await until("starts");
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], told.said);
  assert.match(told.said, /"Stopping"[\s\S]*"Stopped"/);
});

test("npm start ends with the program when npm is told to, and leaves nothing behind", async (t) => {
  const dir = temporary(t);
  const { child, ended, told, until } = run(t, REPOSITORY, { DATA_DIR: join(dir, "data") }, ["npm", "start"], true);
  await until('"api":"sports"');
  // The program has the same pipe: that is closed when it has ended, not before.
  const closed = once(child.stdout!, "end");
  child.kill("SIGTERM");
  await ended;
  const late = new Promise((resolve) => setTimeout(resolve, 10_000, "late").unref());
  assert.notEqual(await Promise.race([closed, late]), "late", "the program goes on without npm");
  assert.match(told.said, /"Stopped"/);
});

test("main() connects once HA_TOKEN_FILE holds a token that is not refused", async (t) => {
  const dir = temporary(t);
  const home = await createSimulatedHome({ port: 0, entities: 20, token: "right" });
  t.after(() => home.close());
  writeFileSync(join(dir, "token"), "wrong\n");
  const { told, until } = run(t, dir, { HA_URL: home.url, HA_TOKEN_FILE: "token" });
  await until("refuses HA_TOKEN");
  writeFileSync(join(dir, "token"), "right\n");
  await until("The home is known");
  assert.match(told.said, /HA_TOKEN_FILE holds another token[\s\S]*The home is known/);
  assert.doesNotMatch(told.said, /wrong|right/);
});

test("main() ends with one line where the data directory cannot be", async (t) => {
  const dir = temporary(t);
  writeFileSync(join(dir, "file"), "");
  const { ended, told } = run(t, dir, { DATA_DIR: "file", LOG_LEVEL: "error" });
  assert.deepEqual(await ended, [1, null]);
  assert.match(told.said, /^Cannot write to the directory ".*\/file" as user ".+": .*; choose another DATA_DIR.*\n$/);
});

test("main() ends with one line where something is in the way of a file", async (t) => {
  const dir = temporary(t);
  mkdirSync(join(dir, "data/timeseries.db"), { recursive: true });
  const { ended, told } = run(t, dir, { DATA_DIR: "data", LOG_LEVEL: "fatal" });
  assert.deepEqual(await ended, [1, null]);
  assert.match(told.said, /^Cannot use "[^"]*data\/timeseries\.db" as user [^:]+: no file; [^\n]*\n$/);
});

test("main() ends with one line where the system makes no directory", { timeout: 30_000 }, async (t) => {
  if (!existsSync("/proc/self")) return t.skip("this system has no /proc");
  const { ended, told } = run(t, temporary(t), { DATA_DIR: "/proc/nope/deep", LOG_LEVEL: "error" });
  assert.deepEqual(await ended, [1, null]);
  assert.match(
    told.said,
    /^Cannot write to the directory "\/proc\/nope\/deep" as user .*: ENOENT.*; choose another .*\n$/,
  );
});

test("main() ends with one line where the data directory may not be written", async (t) => {
  if (process.getuid?.() === 0) return t.skip("the superuser may write everywhere");
  const dir = temporary(t);
  mkdirSync(join(dir, "data"));
  chmodSync(join(dir, "data"), 0o555);
  const { ended, told } = run(t, dir, { DATA_DIR: "data", LOG_LEVEL: "error" });
  assert.deepEqual(await ended, [1, null]);
  assert.match(told.said, /^Cannot write to the directory ".*\/data" as user ".+": .*; choose another DATA_DIR.*\n$/);
});
