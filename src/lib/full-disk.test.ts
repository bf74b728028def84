import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fullDiskRemedy, isFullDisk, roomRemedy } from "./full-disk.ts";

test("fullDiskRemedy() names the directory, what is free, and the remedy", () => {
  const remedy = fullDiskRemedy("/data", () => 20_480);
  assert.match(
    remedy!,
    /^The disk that holds "\/data" is full: 20 KiB are free\. .*RAW_RETENTION_DAYS or DISK_BUDGET_MB/,
  );
});

test("fullDiskRemedy() says nothing where there is room, or no such directory", () => {
  assert.equal(
    fullDiskRemedy("/data", () => 1_048_576),
    null,
  );
  assert.equal(fullDiskRemedy(tmpdir()), null);
  assert.equal(fullDiskRemedy("/no/such/directory"), null);
});

test("isFullDisk() finds the want of room in what the system, SQLite and a process of ours say, however far down", () => {
  for (const facts of [{ code: "ENOSPC" }, { errcode: 13 }, { code: "unavailable", reason: "ENOSPC" }]) {
    const failure = Object.assign(new Error("no"), facts);
    assert.equal(isFullDisk(new Error("Cannot archive", { cause: failure })), true, JSON.stringify(facts));
  }
  assert.equal(isFullDisk(Object.assign(new Error("no"), { code: "EACCES", errcode: 14, reason: "EACCES" })), false);
});

test("roomRemedy() is that of a full disk, also where what failed has given back what it had taken", () => {
  const full = Object.assign(new Error("no"), { code: "ENOSPC" });
  assert.equal(roomRemedy(new Error("no"), tmpdir()), null);
  assert.match(roomRemedy(full, tmpdir())!, /^Free some room on that disk, /);
});
