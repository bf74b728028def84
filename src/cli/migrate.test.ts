import assert from "node:assert/strict";
import { cpSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { readConfig } from "../config.ts";
import { AppError } from "../domain/errors.ts";
import { silentLog } from "../lib/log.ts";
import { openStore } from "../timeseries/store.ts";
import { migrate } from "./migrate.ts";
import { seal } from "./seal.ts";

/** The commands on a data directory that nobody has made yet; `printed` are their lines. */
function fresh(t: TestContext) {
  const parent = mkdtempSync(join(tmpdir(), "ha-ingestor-cli-"));
  t.after(() => rmSync(parent, { recursive: true }));
  const print = t.mock.method(console, "log", () => {});
  const config = readConfig({ DATA_DIR: join(parent, "data") }, { dataDir: "./data" });
  const run = (...argument: string[]) => migrate(argument, config, { force: false });
  return { config, run, printed: () => print.mock.calls.map((call) => String(call.arguments[0])) };
}

test("migrate upgrade makes what is absent, so that it may come before the first start", (t) => {
  const { run, printed } = fresh(t);
  run("current");
  run("upgrade", "head");
  run("downgrade", "-1");
  run("current");
  run("upgrade");
  assert.match(printed()[0]!, /does not exist yet: the next start makes it$/);
  assert.deepEqual(
    printed()
      .slice(1)
      .map((line) => line.includes("newest")),
    [true, false, false, true],
  );
});

test("migrate downgrade drops devices that were added by hand with --force alone", (t) => {
  const { run, config } = fresh(t);
  run("upgrade");
  const database = new DatabaseSync(config.metadataFile);
  t.after(() => database.close());
  database.exec(
    `INSERT INTO devices (device_id, sort_name, name, labels, manual, updated_at, search_text, raw)
     VALUES ('hand', 'by hand', 'By hand', '[]', 1, 0, '', '{}')`,
  );
  run("downgrade", "001");
  const refused = /Cannot downgrade to (base|-1): it drops a device that was added by hand; make a backup first, /;
  assert.throws(() => run("downgrade", "base"), refused);
  assert.throws(() => run("downgrade", "-1"), refused);
  assert.equal(database.prepare("SELECT name FROM devices").get()?.name, "By hand");
  migrate(["downgrade", "base"], config, { force: true });
  run("upgrade");
  assert.deepEqual(database.prepare("SELECT name FROM devices").all(), []);
});

test("migrate downgrade drops where entities were before they moved with --force alone", (t) => {
  const { run, config } = fresh(t);
  run("upgrade");
  const database = new DatabaseSync(config.metadataFile);
  t.after(() => database.close());
  database.exec(
    `INSERT INTO entities (key, entity_id, registered, labels, updated_at, search_text, raw)
     VALUES ('e1', 'light.a', 1, '[]', 0, '', '{}');
     INSERT INTO entity_places (key, until, area_id) VALUES ('e1', 5, 'hall'), ('e1', 6, 'attic')`,
  );
  const refused = /Cannot downgrade to (002|-1): it drops where an entity was before it moved; make a backup first, /;
  assert.throws(() => run("downgrade", "002"), refused);
  assert.throws(() => run("downgrade", "-1"), refused);
  migrate(["downgrade", "-1"], config, { force: true });
  run("upgrade");
  assert.deepEqual(database.prepare("SELECT key FROM entity_places").all(), []);
  assert.equal(database.prepare("SELECT count(*) AS n FROM entities").get()!.n, 1);
});

test("commands for what is there say so where nothing is", async (t) => {
  const { run, config } = fresh(t);
  const absent = (error: unknown) => error instanceof AppError && /"[^"]*data[^"]*" does not exist/.test(error.message);
  assert.throws(() => run("downgrade", "-1"), absent);
  assert.throws(() => run("stamp", "head"), absent);
  await assert.rejects(seal([], config), absent);
});

test("seal leaves it as it was whether the last run was stopped or went down", async (t) => {
  const { config } = fresh(t);
  const run = (directory: string) =>
    openStore({
      directory,
      commitSeconds: 1,
      settings: config.sqlite,
      log: silentLog(),
      durableUntil: () => 1_000_000,
    });
  mkdirSync(config.dataDir, { recursive: true });
  await (await run(config.dataDir)).close();
  await seal([], config);
  const second = await run(config.dataDir);
  assert.deepEqual(second.lastRun, { durableUntil: 1_000_000, stoppedCleanly: true });
  // As a crash at this moment leaves it.
  const crashed = `${config.dataDir}-crashed`;
  cpSync(config.dataDir, crashed, { recursive: true });
  await second.close();
  await seal([], { ...config, dataDir: crashed });
  await using third = await run(crashed);
  assert.equal(third.lastRun.stoppedCleanly, false);
});
