import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { assertUsable, explained, keepDemoApart, missingDatabases } from "./data-directory.ts";
import { AppError } from "./domain/errors.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "data-directory-test-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const DEMO = { demo: true, hasHome: true, isRecorded: false };
const HOME = { demo: false, hasHome: true, isRecorded: false };
const NO_HOME = { demo: false, hasHome: false, isRecorded: true };

test("keepDemoApart() keeps the demo out of a directory with the record of a home", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, HOME), false);
  const recorded = { ...DEMO, isRecorded: true };
  assert.throws(() => keepDemoApart(path, recorded), { code: "conflict", message: /it holds the record of a home/ });
  assert.equal(existsSync(join(path, "demo")), false);
  assert.equal(keepDemoApart(path, { ...HOME, isRecorded: true }), false);
});

test("keepDemoApart() lets the demo into a directory in which no home was recorded, and into its own of before", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, DEMO), false);
  const own = join(directory(t), "data-demo");
  mkdirSync(own);
  assert.equal(keepDemoApart(own, { ...DEMO, isRecorded: true }), false);
  assert.ok(existsSync(join(own, "demo")));
});

test("keepDemoApart() keeps a home out of the demo's directory, which may be looked at", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, DEMO), false);
  assert.equal(keepDemoApart(path, { ...DEMO, isRecorded: true }), false);
  assert.throws(() => keepDemoApart(path, HOME), { code: "conflict", message: /which is the demo's/ });
  assert.equal(keepDemoApart(path, NO_HOME), true);
});

test("assertUsable() names all that this user cannot use, in one message", (t) => {
  const dataDir = directory(t);
  const place = { dataDir, metadataFile: join(dataDir, "metadata.db") };
  assert.doesNotThrow(() => assertUsable(place));
  for (const name of ["lock.db", "timeseries.db", "metadata.db"]) writeFileSync(join(dataDir, name), "");
  assert.doesNotThrow(() => assertUsable(place));
  mkdirSync(join(dataDir, "webhooks.db"));
  const isDirectory = {
    code: "unavailable",
    message: /^Cannot use "[^"]*webhooks\.db" as user [^:]+: no file; /,
  };
  assert.throws(() => assertUsable(place), isDirectory);
  rmSync(join(dataDir, "webhooks.db"), { recursive: true });

  if (process.platform === "win32") return;
  // Root may do everything, so a process of somebody else has to ask.
  const isRoot = process.getuid?.() === 0;
  for (const name of ["owner.json", "timeseries.db-shm"]) {
    writeFileSync(join(dataDir, name), "");
    chmodSync(join(dataDir, name), isRoot ? 0o600 : 0o400);
  }
  if (isRoot) for (const name of ["lock.db", "timeseries.db", "metadata.db"]) chmodSync(join(dataDir, name), 0o666);
  chmodSync(dataDir, 0o777);
  const ask = `
    const { assertUsable } = await import(${JSON.stringify(join(import.meta.dirname, "data-directory.ts"))});
    if (${isRoot}) process.setuid(65534);
    assertUsable(${JSON.stringify(place)});`;
  const { stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", ask], { encoding: "utf8" });
  const denied = ["owner.json", "timeseries.db-shm"].map((name) => `"${join(dataDir, name)}"`).join(", ");
  assert.match(
    stderr,
    new RegExp(`Cannot use ${denied} as user [^:]+: permission denied; give all of "${dataDir}" to `),
  );
});

test("missingDatabases() tells of those that are missing or empty beside others, not of a new directory", (t) => {
  const dataDir = directory(t);
  const place = { dataDir, metadataFile: join(dataDir, "metadata.db") };
  assert.deepEqual(missingDatabases(place), []);
  writeFileSync(join(dataDir, "metadata.db"), "a database");
  writeFileSync(join(dataDir, "webhooks.db"), "");
  assert.deepEqual(missingDatabases(place), ["timeseries.db", "webhooks.db"]);
});

test("explained() tells that another program has the lock, where rights are no matter", () => {
  const busy = Object.assign(new Error("database is locked"), { code: "ERR_SQLITE_ERROR", errcode: 5 });
  const error = explained("start", new Error("Cannot open the store: database is locked", { cause: busy })) as Error;
  assert.equal(
    error.message,
    "Cannot start: Cannot open the store: database is locked; another program kept it so for longer than SQLITE_TIMEOUT",
  );
});

test("explained() names the remedy of a full disk also where a step has given back what it had taken", () => {
  const full = Object.assign(new Error("database or disk is full"), { errcode: 13 });
  const { message } = explained("start", new Error("Cannot open: it is full", { cause: full })) as Error;
  assert.match(message, /^Cannot start: Cannot open: it is full; free some room on that disk/);
  const { message: told } = explained(
    "run backup",
    new AppError("unavailable", "Cannot copy", { cause: full }),
  ) as Error;
  assert.match(told, /^Cannot copy; free some room on that disk/);
  const denied = Object.assign(new Error("EACCES"), { code: "EACCES", syscall: "open" });
  assert.match((explained("start", denied) as Error).message, /^Cannot start: EACCES; see the files of DATA_DIR/);
});
