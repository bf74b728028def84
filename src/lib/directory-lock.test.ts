import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DirectoryHeld, lockDirectory } from "./directory-lock.ts";

const LOCK = JSON.stringify(new URL("./directory-lock.ts", import.meta.url).href);

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
