import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { UsedBytes } from "./used-bytes.ts";

test("usageOf() goes without a folder that only another user may read, such as lost+found", (t) => {
  if (process.platform === "win32") return t.skip("rights are other ones there");
  const directory = mkdtempSync(join(tmpdir(), "used-bytes-test-"));
  chmodSync(directory, 0o755);
  for (const [folder, bytes] of [
    ["archive/2026/11", 4_096],
    ["before-restore-20261124T070000Z", 8_192],
    ["lost+found", 65_536],
  ] as const) {
    mkdirSync(join(directory, folder), { recursive: true });
    writeFileSync(join(directory, folder, "file"), "x".repeat(bytes));
  }
  // Root may do everything, so a process of somebody else has to ask.
  const isRoot = process.getuid?.() === 0;
  chmodSync(join(directory, "lost+found"), isRoot ? 0o700 : 0);
  t.after(() => {
    chmodSync(join(directory, "lost+found"), 0o700);
    rmSync(directory, { recursive: true });
  });
  const ask = `
    const { usageOf } = await import(${JSON.stringify(join(import.meta.dirname, "used-bytes.ts"))});
    if (${isRoot}) process.setuid(65534);
    console.log(JSON.stringify(await usageOf(${JSON.stringify(directory)})));`;
  const { stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", ask], { encoding: "utf8" });
  assert.equal(stderr, "");
  const { bytes, asideBytes } = JSON.parse(stdout) as UsedBytes;
  assert.ok(asideBytes > 0 && bytes > asideBytes && bytes < 65_536, stdout);
});
