import assert from "node:assert/strict";
import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { create, list } from "tar";
import { createSimulatedHome } from "../testing/simulated-home/simulated-home.ts";

const SOURCES = join(import.meta.dirname, "..");
const CLI = join(import.meta.dirname, "main.ts");
const HOUR_MS = 3_600_000;
/** Nobody outside is to be asked. */
const ALONE = { PATH: process.env.PATH, WEATHER_PROVIDER: "off" };

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "backup-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

/** Runs a command in `directory`, whose data is in `data` unless `environment` says otherwise. */
function run(directory: string, words: string, environment: Readonly<Record<string, string>> = {}) {
  const { PATH, HOME } = process.env;
  const { status, stdout, stderr } = spawnSync(process.execPath, [CLI, ...words.split(" ")], {
    cwd: directory,
    env: { PATH, HOME, DATA_DIR: "data", ...environment },
    encoding: "utf8",
  });
  assert.doesNotMatch(stderr, /^ {4}at /m);
  return { status, stdout, stderr };
}

interface Service {
  readonly port: string;
  get(path: string, statuses?: readonly number[]): Promise<Record<string, unknown>>;
  post(path: string, body: string | object): Promise<void>;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

async function startService(t: TestContext, directory: string, environment: Readonly<Record<string, string>>) {
  const child = spawn(process.execPath, [join(SOURCES, "main.ts")], {
    cwd: directory,
    env: { ...ALONE, DATA_API_PORT: "0", SPORTS_DATA_PORT: "0", LOG_FORMAT: "json", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  const stop = async (signal: "SIGTERM" | "SIGKILL"): Promise<void> => {
    child.kill(signal);
    await ended;
  };
  t.after(() => stop("SIGKILL"));
  let said = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (text) => (said += text));
  const port = () => /"api":"data".*?"port":(\d+)/.exec(said)?.[1];
  while (port() === undefined || !said.includes('"api":"sports"')) {
    const [what] = await Promise.race([once(child.stdout, "data"), ended.then(() => [null])]);
    if (what === null) return assert.fail(said);
  }
  const url = `http://127.0.0.1:${port()}`;
  const service: Service = {
    port: port()!,
    async get(path, statuses = [200]) {
      const response = await fetch(url + path);
      const body = (await response.json()) as Record<string, unknown>;
      assert.ok(statuses.includes(response.status), JSON.stringify(body));
      return body;
    },
    async post(path, body) {
      const isText = typeof body === "string";
      const response = await fetch(url + path, {
        method: "POST",
        headers: isText ? {} : { "content-type": "application/json" },
        body: isText ? body : JSON.stringify(body),
      });
      assert.ok(response.ok, `${path}: ${await response.text()}`);
    },
    stop,
  };
  return service;
}

/** Lines of a series with a number each second, from a time in ms on. */
function lines(from: number, count: number, subject = "tank"): string {
  return Array.from({ length: count }, (_, i) => `level,device=${subject} value=${i}i ${from + i * 1000}`).join("\n");
}

/** All that a service answers of what it keeps. */
async function contentOf(service: Service) {
  const history = async (subject: string) => {
    const query = `measurement=level&subject=${subject}&fields=*&start=2020-01-01T00:00:00Z&limit=10000`;
    return (await service.get(`/api/v1/history?${query}`, [200, 404])).series ?? "unknown";
  };
  return {
    devices: await service.get("/api/devices?limit=1000"),
    entities: ((await service.get("/api/entities?limit=1000")).entities as Record<string, unknown>[]).map(
      ({ entity_id, name, area_id, device_id, registered }) => ({ entity_id, name, area_id, device_id, registered }),
    ),
    areas: await service.get("/api/areas"),
    webhooks: await service.get("/api/v1/webhooks/list"),
    tank: await history("device=tank"),
    well: await history("device=well"),
  };
}

interface Gap {
  readonly state: string;
  readonly reason: string;
  readonly from: string;
  readonly added: number;
}

/** The only backup in a folder. */
function backupIn(directory: string): string {
  const names = readdirSync(directory);
  assert.equal(names.length, 1, names.join());
  assert.match(names[0]!, /^ha-ingestor-\d{8}T\d{6}Z\.tar\.gz$/);
  return join(directory, names[0]!);
}

test("backup beside a service that is written to gives back all that it had", { timeout: 120_000 }, async (t) => {
  const directory = temporary(t);
  const home = await createSimulatedHome({ port: 0, entities: 60, token: "right" });
  t.after(() => home.close());
  writeFileSync(join(directory, "token"), "right\n");
  const service = await startService(t, directory, { HA_URL: home.url, HA_TOKEN_FILE: "token", DATA_DIR: "data" });
  while (Number((await service.get("/api/entities?limit=1")).total) < 50) await new Promise(setImmediate);
  await service.post("/api/v1/webhooks/register", {
    ...{ url: "https://example.com/hook", events: ["game_started"], secret: "secret_key_of_24_characters", team: "sf" },
  });
  const now = Math.floor(Date.now() / HOUR_MS) * HOUR_MS;
  await service.post("/write?precision=ms", lines(now - 30 * 24 * HOUR_MS, 2_000));
  const { PATH, HOME } = process.env;
  const beside = { env: { PATH, HOME, DATA_DIR: "data", DATA_API_PORT: service.port }, cwd: directory };
  // The samples lie in a file of the archive, and others in memory.
  assert.match(
    spawnSync(process.execPath, [CLI, "seal"], { ...beside, encoding: "utf8" }).stdout,
    /^2000 samples went/,
  );
  await service.post("/write?precision=ms", lines(now - HOUR_MS, 1_000));
  const before = await contentOf(service);

  const backup = spawn(process.execPath, [CLI, "backup", "--to", "kept"], { ...beside, stdio: "pipe" });
  const ended = once(backup, "exit");
  let said = "";
  for (const stream of [backup.stdout, backup.stderr]) stream.on("data", (text) => (said += text));
  let written = 0;
  for (; backup.exitCode === null; written += 10) {
    await service.post("/write?precision=ms", lines(now - 2 * HOUR_MS + written * 1000, 10, "well"));
  }
  assert.deepEqual(await ended, [0, null], said);
  const file = backupIn(join(directory, "kept"));
  assert.match(said, /^Wrote ".*\/kept\/ha-ingestor-.*" \([\d.]+ MB\): \d+ devices, \d+ entities, 1 webhooks, \d+ sam/);
  if (process.platform !== "win32") assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.deepEqual(
    readdirSync(join(directory, "data")).filter((name) => /^backup/.test(name)),
    [],
  );
  const killedAt = Date.now();
  assert.equal(await home.burst(600), 600);
  await service.stop("SIGKILL");

  const other = { DATA_DIR: "other/data" };
  const whole = run(directory, `restore --dry-run ${file}`, other);
  assert.match(whole.stdout, /is whole: \d+ devices, \d+ entities, 1 webhooks, \d+ samples, made by HA Ingestor /);
  assert.equal(existsSync(join(directory, "other")), false);
  const restored = run(directory, `restore ${file}`, other);
  assert.deepEqual([restored.status, restored.stderr], [0, ""]);
  assert.match(restored.stdout, /^Restored \d+ devices, [^\n]*\n$/);
  assert.match(run(directory, "verify", other).stdout, /^1 files with 2000 samples, all whole$/m);
  for (const name of ["metadata", "timeseries", "webhooks"]) {
    const database = new DatabaseSync(join(directory, `other/data/${name}.db`), { readOnly: true });
    assert.equal(database.prepare("PRAGMA integrity_check").get()?.integrity_check, "ok");
    database.close();
  }
  const again = await startService(t, directory, other);
  const after = await contentOf(again);
  const well = (content: typeof before) =>
    content.well === "unknown" ? 0 : (content.well as { samples: unknown[] }[])[0]!.samples.length;
  assert.ok(well(after) <= written && well(before) === 0, `${well(after)} of ${written}`);
  assert.deepEqual({ ...after, well: [] }, { ...before, well: [] });
  await again.stop("SIGKILL");

  // What came after the backup is in Home Assistant's recorder.
  home.commitRecorder();
  const connected = await startService(t, directory, { ...other, HA_URL: home.url, HA_TOKEN_FILE: "token" });
  const gaps = async () => (await connected.get("/api/v1/gaps")).gaps as Gap[];
  const isOver = ({ state }: Gap) => state === "filled" || state === "partial";
  let found = await gaps();
  while (found.length < 2 || !found.every(isOver)) found = await gaps();
  const told = JSON.stringify(found);
  const last = found.find(({ reason }) => reason === "crash")!;
  assert.ok(last.state === "filled" && Date.parse(last.from) < killedAt, told);
  // The first start was still being filled when the backup was made, and goes on with the same.
  assert.ok(found.reduce((sum, { added }) => sum + added, 0) > 300, told);
});

/** A data directory with a device and some samples; answers the path of its backup. */
async function withBackup(t: TestContext) {
  const directory = temporary(t);
  const device = { device_id: "test_123", name: "Test Device", manufacturer: "Test Co", area_id: "living_room" };
  const service = await startService(t, directory, { DATA_DIR: "data" });
  await service.post("/api/devices", device);
  await service.post("/write?precision=ms", lines(Date.now() - HOUR_MS, 100));
  await service.stop("SIGTERM");
  const made = run(directory, "backup");
  assert.match(made.stdout, /: 1 devices, 0 entities, 0 webhooks, 100 samples\n$/, made.stderr);
  return { directory, file: backupIn(join(directory, "backups")) };
}

test("restore moves aside what is there, and no stale -wal is applied to what it puts there", async (t) => {
  const { directory, file } = await withBackup(t);
  const service = await startService(t, directory, { DATA_DIR: "data" });
  const refused = run(directory, `restore ${file}`);
  assert.match(refused.stderr, /^Cannot restore: .* is in use by process \d+ .*; stop the service first\n$/);
  assert.equal(refused.status, 1);
  const content = await contentOf(service);
  await service.post("/api/devices", { device_id: "later", name: "Later", manufacturer: "Test Co" });
  await service.post("/write?precision=ms", lines(Date.now() - HOUR_MS, 100, "well"));
  await new Promise((resolve) => setTimeout(resolve, 200));
  await service.stop("SIGKILL");
  assert.ok(statSync(join(directory, "data/metadata.db-wal")).size > 0, "what came last is in the log alone");
  writeFileSync(join(directory, "data/ha-ingestor.yaml"), "# my own\n");

  const restored = run(directory, `restore ${file}`);
  const before = /What was there is in "(.*)" now: delete it/.exec(restored.stdout)?.[1];
  assert.equal(restored.status, 0, restored.stderr);
  assert.ok(existsSync(join(before!, "metadata.db-wal")));
  assert.equal(readFileSync(join(directory, "data/ha-ingestor.yaml"), "utf8"), "# my own\n");
  const again = await startService(t, directory, { DATA_DIR: "data" });
  assert.deepEqual(await contentOf(again), content);
  await again.stop("SIGTERM");
});

test("restore refuses what is no whole backup, and changes nothing", async (t) => {
  const { directory, file } = await withBackup(t);
  const kept = () => readdirSync(join(directory, "data"), { recursive: true }).sort();
  const before = kept();
  const spoiled = join(directory, "spoiled.tar.gz");
  const spoil = (how: () => unknown, says: RegExp, words = `restore ${spoiled}`): void => {
    copyFileSync(file, spoiled);
    how();
    const { status, stdout, stderr } = run(directory, words);
    assert.deepEqual([status, stdout], [1, ""], stderr);
    assert.match(stderr, says);
  };
  const whole = readFileSync(file);
  const notWhole =
    /^Cannot restore ".*spoiled\.tar\.gz": spoiled\.tar\.gz cannot be unpacked: [^\n]*; nothing was changed\n$/;
  spoil(() => truncateSync(spoiled, Math.round(whole.length / 2)), notWhole);
  spoil(() => truncateSync(spoiled, whole.length - 1), notWhole, `restore --dry-run ${spoiled}`);
  const middle = whole.length >> 1;
  spoil(() => writeFileSync(spoiled, Buffer.from(whole).fill(0xff, middle, middle + 64)), notWhole);
  spoil(() => writeFileSync(spoiled, "no backup"), notWhole);
  const folder = join(directory, "own");
  mkdirSync(folder);
  const packed = (names: readonly string[]) =>
    create({ cwd: folder, gzip: true, file: spoiled, sync: true }, [...names]);
  writeFileSync(join(folder, "timeseries.db"), "no database".repeat(1000));
  spoil(() => packed(["timeseries.db"]), /: it is no backup: it has no backup\.json; nothing was changed\n$/);
  writeFileSync(join(folder, "backup.json"), '{"format":2,"made_by":"HA Ingestor 9.0.0"}');
  spoil(() => packed(["backup.json"]), /: it was made by HA Ingestor 9\.0\.0, whose backups this version cannot/);
  writeFileSync(join(folder, "backup.json"), '{"format":1}');
  spoil(() => packed(["backup.json", "timeseries.db"]), /: it is no backup: its backup\.json does not say who made it/);
  writeFileSync(join(folder, "backup.json"), '{"format":1,"made_by":"X","created_at":"2026-11-24T07:00:00.000Z"}');
  spoil(() => packed(["backup.json"]), /: it has no database, so nothing would be left of what is there; nothing was/);
  spoil(() => packed(["backup.json", "timeseries.db"]), /: timeseries\.db cannot be read: file is not a database/);
  spoil(() => {}, /^Cannot restore: ".*absent" does not exist/, "restore absent");
  spoil(() => {}, /^Cannot restore: say which file/, "restore");
  assert.deepEqual(kept(), before);
});

test("restore refuses a backup of a newer version, which this one could not start on", async (t) => {
  const { directory, file } = await withBackup(t);
  for (const name of ["metadata.db", "timeseries.db", "webhooks.db"]) {
    const folder = join(directory, name);
    mkdirSync(folder);
    spawnSync("tar", ["-xzf", file, "-C", folder]);
    const database = new DatabaseSync(join(folder, name));
    database.exec("INSERT INTO schema_migrations (revision, name) VALUES ('999', 'later')");
    database.close();
    const newer = join(directory, `${name}.tar.gz`);
    create({ cwd: folder, gzip: true, file: newer, sync: true }, readdirSync(folder));
    for (const words of ["restore", "restore --dry-run"]) {
      const { status, stderr } = run(directory, `${words} ${newer}`);
      const says = `: its ${name} is of a newer version than this program; nothing was changed\n`;
      assert.ok(status === 1 && stderr.endsWith(says), stderr);
    }
  }
});

test("restore refuses a backup that lists files outside of its archive, which the service would remove", async (t) => {
  const { directory, file } = await withBackup(t);
  const folder = join(directory, "own");
  mkdirSync(folder);
  spawnSync("tar", ["-xzf", file, "-C", folder]);
  const database = new DatabaseSync(join(folder, "timeseries.db"));
  const list = database.prepare(
    `INSERT INTO archive_files (path, first_day, end_day, rows, min_ts, max_ts, bytes, sha256, sealed_at, obsolete)
     VALUES (?, 0, 1, 0, 0, 0, 0, '', 0, 1)`,
  );
  list.run("1970/01/1970-01-01.parquet");
  list.run("../../1970-01-01.parquet");
  database.close();
  const spoiled = join(directory, "spoiled.tar.gz");
  create({ cwd: folder, gzip: true, file: spoiled, sync: true }, readdirSync(folder));
  for (const words of ["restore", "restore --dry-run"]) {
    const { status, stderr } = run(directory, `${words} ${spoiled}`);
    assert.equal(status, 1);
    assert.match(
      stderr,
      /: its timeseries\.db lists "\.\.\/\.\.\/1970-01-01\.parquet", which is no file of an archive; nothing/,
    );
  }
});

test("restore names what was packed and is not there any more, and its dry run takes that for not whole", async (t) => {
  const { directory, file } = await withBackup(t);
  const folder = join(directory, "own");
  mkdirSync(folder);
  spawnSync("tar", ["-xzf", file, "-C", folder]);
  const again = join(directory, "again.tar.gz");
  create(
    { cwd: folder, gzip: true, file: again, sync: true },
    readdirSync(folder).filter((name) => name !== "timeseries.db"),
  );
  const fault =
    "FAULT  timeseries.db is not there, though it was packed\nFAULT  0 samples are there, of 100 that were packed\n";
  const looked = run(directory, `restore --dry-run ${again}`);
  assert.deepEqual([looked.status, looked.stdout], [1, fault]);
  assert.match(looked.stderr, /^".*again\.tar\.gz" is not whole, as named above: 1 devices, .*, 0 samples, made by HA/);
  const restored = run(directory, `restore ${again}`);
  assert.ok(restored.status === 0 && restored.stdout.startsWith(fault), restored.stdout);
});

test("restore names what is not as it was packed, also where SQLite finds nothing wrong with it", async (t) => {
  const { directory, file } = await withBackup(t);
  const folder = join(directory, "own");
  mkdirSync(folder);
  spawnSync("tar", ["-xzf", file, "-C", folder]);
  const database = readFileSync(join(folder, "metadata.db"));
  const letter = database.lastIndexOf('"manufacturer":"Test Co"');
  assert.ok(letter > 0, "the row's JSON is there as text");
  database[letter + 2]! ^= 1;
  writeFileSync(join(folder, "metadata.db"), database);
  rmSync(join(folder, "webhooks.key"));
  const again = join(directory, "again.tar.gz");
  create({ cwd: folder, gzip: true, file: again, sync: true }, readdirSync(folder));
  const faults = "FAULT  metadata.db is not as it was packed\nFAULT  webhooks.key is not there, though it was packed\n";
  const looked = run(directory, `restore --dry-run ${again}`);
  assert.deepEqual([looked.status, looked.stdout], [1, faults]);
  const restored = run(directory, `restore ${again}`);
  assert.ok(restored.status === 0 && restored.stdout.startsWith(faults), restored.stdout);
});

test("backup says before it copies anything that it cannot write into the folder", async (t) => {
  const { directory, file } = await withBackup(t);
  const { status, stderr } = run(directory, `backup --to ${file}`);
  assert.equal(status, 1);
  assert.match(stderr, /^Cannot write to the directory ".*tar\.gz" as user .*; choose another --to, or give the user/);
});

test("restore takes nothing out of a backup but what backup puts there, and no links", async (t) => {
  const { directory, file } = await withBackup(t);
  const folder = join(directory, "own");
  mkdirSync(folder);
  spawnSync("tar", ["-xzf", file, "-C", folder]);
  writeFileSync(join(folder, "api-token"), "mine");
  symlinkSync("/etc", join(folder, "archive"));
  const spoiled = join(directory, "spoiled.tar.gz");
  create({ cwd: folder, gzip: true, file: spoiled, sync: true }, readdirSync(folder));
  const restored = run(directory, `restore ${spoiled}`);
  assert.equal(restored.status, 0, restored.stderr);
  const names = readdirSync(join(directory, "data"));
  assert.ok(names.includes("metadata.db") && !names.includes("api-token") && !names.includes("archive"), names.join());
});

test("a restore that did not come to its end keeps the service from starting, until one does", async (t) => {
  const { directory, file } = await withBackup(t);
  // It ended after the old files were moved aside.
  writeFileSync(join(directory, "data/restore-under-way.json"), "{}");
  rmSync(join(directory, "data/metadata.db"));
  const { PATH } = process.env;
  const start = () =>
    spawnSync(process.execPath, [join(SOURCES, "main.ts")], {
      cwd: directory,
      env: { PATH, DATA_API_PORT: "0", SPORTS_DATA_PORT: "0", LOG_LEVEL: "fatal" },
      encoding: "utf8",
    });
  assert.match(start().stderr, /^A restore into ".*data" did not come to its end: run it again .*before-restore-\*\n$/);
  assert.equal(existsSync(join(directory, "data/metadata.db")), false);
  assert.equal(run(directory, `restore ${file}`).status, 0);
  const service = await startService(t, directory, { DATA_DIR: "data" });
  assert.equal((await service.get("/api/devices")).total, 1);
});

test("backup and restore remove what such commands left that were killed, and nothing else", async (t) => {
  const { directory, file } = await withBackup(t);
  const paths = (folder: string, names: readonly string[]) => names.map((name) => join(directory, folder, name));
  const left = [
    ...paths("backups", ["ha-ingestor-20261124T070000Z.tar.gz.part", "ha-ingestor-looked-at-a1B2c3"]),
    ...paths("data", ["backup-20261124T070000Z", "restore-unpacked-a1B2c3"]),
  ];
  const others = [
    ...paths("backups", ["ha-ingestor-20261124T070000Z.tar.gz", "ha-ingestor.tar.gz.part", "restore-photos"]),
    ...paths("data", ["backup-mine", "restore-backup"]),
  ];
  // Of commands that may be under way.
  const fresh = [
    ...paths("backups", ["ha-ingestor-20261124T080000Z.tar.gz.part", "ha-ingestor-looked-at-x1B2c3"]),
    ...paths("data", ["backup-20261124T080000Z"]),
  ];
  for (const path of [...left, ...others, ...fresh]) {
    if (path.includes(".tar.gz")) writeFileSync(path, "packed");
    else mkdirSync(path);
    if (!fresh.includes(path)) utimesSync(path, 0, Date.now() / 1000 - 13 * 3600);
  }
  assert.equal(run(directory, "backup").status, 0);
  assert.equal(run(directory, `restore --dry-run ${file}`).status, 0);
  assert.equal(run(directory, `restore ${file}`).status, 0);
  assert.deepEqual(left.filter(existsSync), []);
  assert.deepEqual(
    [...others, ...fresh].filter((path) => !existsSync(path)),
    [],
  );
});

test("backup says which settings must be those of the service, where that cannot be asked", async (t) => {
  const directory = temporary(t);
  const service = await startService(t, directory, { DATA_DIR: "data", API_TOKEN: "right" });
  const DATA_API_PORT = service.port;
  const cases: [Record<string, string>, RegExp][] = [
    [{ DATA_API_PORT }, /: a token is needed; API_TOKEN or API_TOKEN_FILE must be that of the service\n$/],
    [{ DATA_API_PORT, API_TOKEN: "other" }, /: it has another token; API_TOKEN or API_TOKEN_FILE must be that of the/],
    [{ DATA_API_PORT, HOST: "127.0.0.2" }, /ECONNREFUSED .*; HOST and DATA_API_PORT must be those of the service\n$/],
  ];
  for (const [environment, says] of cases) {
    const { status, stderr } = run(directory, "backup", environment);
    assert.equal(status, 1);
    assert.match(stderr, says);
  }
  assert.equal(run(directory, "backup", { DATA_API_PORT, API_TOKEN: "right" }).status, 0);
});

test("backup has the database of the home also where DATABASE_URL puts it elsewhere, and no token", async (t) => {
  const directory = temporary(t);
  const elsewhere = { DATA_DIR: "data", DATABASE_URL: "sqlite:///home/metadata.db" };
  const service = await startService(t, directory, elsewhere);
  await service.post("/api/devices", { device_id: "d", name: "Device", manufacturer: "Test Co" });
  await service.stop("SIGTERM");
  writeFileSync(join(directory, "data/api-token"), "mine");
  assert.equal(run(directory, "backup", elsewhere).status, 0);
  const file = backupIn(join(directory, "backups"));
  const names: string[] = [];
  await list({ file, onReadEntry: ({ path }) => names.push(path) });
  assert.deepEqual(names.sort(), ["backup.json", "metadata.db", "timeseries.db", "webhooks.db", "webhooks.key"]);
  rmSync(join(directory, "home"), { recursive: true });
  assert.equal(run(directory, `restore ${file}`, elsewhere).status, 0);
  assert.ok(existsSync(join(directory, "home/metadata.db")) && !existsSync(join(directory, "data/metadata.db")));
});

test("backup and restore take a timeseries.db of which a damaged part was mended and set aside", async (t) => {
  const directory = temporary(t);
  const from = Date.now() - 48 * HOUR_MS;
  const service = await startService(t, directory, { DATA_DIR: "data" });
  await service.post("/write?precision=ms", lines(from, 5_000));
  // Something has to be old enough for the log to be folded.
  await service.post("/write?precision=ms", lines(from - 30 * 24 * HOUR_MS, 1, "well"));
  await service.post("/internal/seal", {});
  await service.stop("SIGTERM");
  const path = join(directory, "data/timeseries.db");
  const database = new DatabaseSync(path);
  const leaves = database
    .prepare("SELECT pageno FROM dbstat WHERE name GLOB 'samples_*' AND pagetype = 'leaf' ORDER BY pageno")
    .all();
  const pageBytes = database.prepare("PRAGMA page_size").get()!.page_size as number;
  database.close();
  const bytes = readFileSync(path);
  const page = (leaves[leaves.length >> 1]!.pageno as number) - 1;
  writeFileSync(path, bytes.fill(0x77, page * pageBytes, (page + 1) * pageBytes));

  const again = await startService(t, directory, { DATA_DIR: "data" });
  const before = (await contentOf(again)).tank;
  assert.match(JSON.stringify((await again.get("/ready", [503])).notes), /was damaged: \d+ of them were saved/);
  await again.stop("SIGTERM");
  const made = run(directory, "backup");
  assert.equal(made.status, 0, made.stderr);
  const file = backupIn(join(directory, "backups"));
  assert.equal(run(directory, `restore ${file}`, { DATA_DIR: "other" }).status, 0);
  const restored = await startService(t, directory, { DATA_DIR: "other" });
  assert.deepEqual((await contentOf(restored)).tank, before);
  await restored.stop("SIGTERM");

  // Damage that nothing has set aside is refused as ever.
  const index = new DatabaseSync(path);
  const root = index.prepare("SELECT rootpage FROM sqlite_schema WHERE name = 'series'").get()!.rootpage as number;
  index.close();
  writeFileSync(path, readFileSync(path).fill(0x77, (root - 1) * pageBytes, root * pageBytes));
  assert.match(run(directory, "backup").stderr, /^Cannot back up: timeseries\.db (is damaged|cannot be read): /);
});

test("backup takes the archive along where timeseries.db was lost, and the next start has it at once", async (t) => {
  const directory = temporary(t);
  const service = await startService(t, directory, { DATA_DIR: "data" });
  await service.post("/api/devices", { device_id: "d", name: "Device", manufacturer: "Test Co" });
  await service.post("/write?precision=ms", lines(Date.now() - 30 * 24 * HOUR_MS, 100));
  await service.post("/internal/seal", {});
  const { tank } = await contentOf(service);
  await service.stop("SIGTERM");
  for (const name of readdirSync(join(directory, "data"))) {
    if (name.startsWith("timeseries.db")) rmSync(join(directory, "data", name));
  }
  assert.equal(run(directory, "backup --to stopped").status, 0);
  const file = backupIn(join(directory, "stopped"));
  assert.equal(run(directory, `restore ${file}`, { DATA_DIR: "other" }).status, 0);

  for (const DATA_DIR of ["data", "other"]) {
    const again = await startService(t, directory, { DATA_DIR });
    const running = { DATA_DIR, DATA_API_PORT: again.port };
    assert.equal(run(directory, `backup --to of-${DATA_DIR}`, running).status, 0);
    const names: string[] = [];
    const file = backupIn(join(directory, `of-${DATA_DIR}`));
    await list({ file, onReadEntry: ({ path }) => names.push(path) });
    assert.equal(names.filter((name) => name.endsWith(".parquet")).length, 1, names.join());
    // Long before a minute has passed.
    const signal = AbortSignal.timeout(20_000);
    while ((await contentOf(again)).tank === "unknown") signal.throwIfAborted();
    assert.deepEqual((await contentOf(again)).tank, tank);
    await again.stop("SIGTERM");
  }
});

test("backup refuses a damaged database, and says so", async (t) => {
  const { directory } = await withBackup(t);
  const path = join(directory, "data/metadata.db");
  const bytes = readFileSync(path);
  // https://sqlite.org/fileformat.html#page_size
  const page = bytes.readUInt16BE(16);
  bytes.fill(0xff, page, 2 * page);
  writeFileSync(path, bytes);
  const { status, stderr } = run(directory, "backup");
  assert.equal(status, 1);
  assert.match(stderr, /^Cannot back up: metadata\.db is damaged: |^Cannot back up: metadata\.db cannot be read: /);
  assert.equal(readdirSync(join(directory, "backups")).length, 1);
  assert.deepEqual(
    readdirSync(join(directory, "data")).filter((name) => /^backup/.test(name)),
    [],
  );
});

test("restore takes no folder for a file of a backup, and no file for its archive", async (t) => {
  const { directory, file } = await withBackup(t);
  const spoiled = join(directory, "spoiled.tar.gz");
  const folder = join(directory, "own");
  mkdirSync(join(folder, "webhooks.key/inside"), { recursive: true });
  mkdirSync(join(folder, "ha-ingestor.yaml"));
  spawnSync("tar", ["-xzf", file, "-C", folder, "backup.json", "metadata.db"]);
  const { sha256: _, ...about } = JSON.parse(readFileSync(join(folder, "backup.json"), "utf8"));
  writeFileSync(join(folder, "backup.json"), JSON.stringify(about));
  writeFileSync(join(folder, "archive"), "no folder");
  create({ cwd: folder, gzip: true, file: spoiled, sync: true }, readdirSync(folder));
  const restored = run(directory, `restore ${spoiled}`);
  const names = readdirSync(join(directory, "data"));
  assert.ok(names.includes("metadata.db"), restored.stderr);
  for (const name of ["webhooks.key", "ha-ingestor.yaml", "archive"]) assert.ok(!names.includes(name), name);
});
