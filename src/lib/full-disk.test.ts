import assert from "node:assert/strict";
import { tmpdir } from "node:os";
import { test } from "node:test";
import { fullDiskRemedy } from "./full-disk.ts";

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
