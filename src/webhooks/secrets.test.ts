import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openVault } from "./secrets.ts";
import { removeDirectory, SECRET, temporaryDirectory } from "./testing.ts";

const MODULE = new URL("./secrets.ts", import.meta.url).href;

test("openVault() makes its key whole or not at all, so that a start without room for it spoils no later one", {
  skip: process.platform === "win32",
}, (t) => {
  const directory = temporaryDirectory();
  t.after(() => removeDirectory(directory));
  const file = join(directory, "webhooks.key");
  const script = `import(${JSON.stringify(MODULE)}).then(({ openVault }) => openVault(${JSON.stringify(file)}))`;
  // No file may have a single byte, as on a disk that is full.
  const { status } = spawnSync("sh", ["-c", 'ulimit -f 0; exec "$0" -e "$1"', process.execPath, script]);
  assert.notEqual(status, 0, "there was room");
  const sealed = openVault(file).seal("wh_1", SECRET);
  assert.equal(openVault(file).open("wh_1", sealed), SECRET);
  assert.deepEqual(readdirSync(directory), ["webhooks.key"]);
  assert.equal(statSync(file).mode & 0o777, 0o600);
  assert.match(readFileSync(file, "utf8"), /^[\w+/]{43}=\n$/);
});
