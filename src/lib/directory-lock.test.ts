import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DirectoryHeld, lockDirectory } from "./directory-lock.ts";

const LOCK = JSON.stringify(new URL("./directory-lock.ts", import.meta.url).href);

test("lockDirectory() names a lock file that is damaged, and the remedy", () => {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-lock-"));
  writeFileSync(join(directory, "lock.db"), "no database ".repeat(1_000));
  assert.throws(() => lockDirectory(directory), /lock\.db" is damaged: delete it, it holds nothing$/);
  rmSync(directory, { recursive: true });
});

test("lockDirectory() refuses a second process by name, until the first is killed", async () => {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-lock-"));
  const script = `import(${LOCK}).then(({ lockDirectory }) => { globalThis.held = lockDirectory(${JSON.stringify(directory)}); console.log("held"); setInterval(() => {}, 1000); });`;
  const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
  try {
    await once(child.stdout, "data");
    assert.throws(
      () => lockDirectory(directory),
      (error: unknown) => {
        assert.ok(error instanceof DirectoryHeld);
        assert.equal(error.owner?.pid, child.pid);
        assert.match(error.message, new RegExp(`process ${child.pid} on `));
        return true;
      },
    );
    child.kill("SIGKILL");
    await once(child, "exit");
    lockDirectory(directory)[Symbol.dispose]();
  } finally {
    child.kill("SIGKILL");
    rmSync(directory, { recursive: true });
  }
});
