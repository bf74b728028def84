import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { FilterRules } from "./ingest/filter-rules.ts";
import { silentLog } from "./lib/log.ts";
import { watchRules } from "./watched-files.ts";

const LOOK_MS = 10;

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !condition(); i++) await sleep(LOOK_MS);
  assert.ok(condition());
}

test("watchRules() follows the file, keeps to the rules before a faulty one, and says what is wrong with it", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "watched-files-test-"));
  const file = join(dataDir, "ha-ingestor.yaml");
  const seen: FilterRules[] = [];
  const keep = { rawDays: 365, rollupDays: 0 };
  const rules = watchRules({ dataDir, keep }, (next) => seen.push(next), silentLog(), LOOK_MS);
  t.after(() => {
    rules.close();
    rmSync(dataDir, { recursive: true });
  });
  assert.equal(rules.fault(), null);
  writeFileSync(file, "filter:\n  exclude:\n    domains: [light]\n");
  await until(() => seen.length === 1);
  assert.equal(rules.fault(), null);
  writeFileSync(file, "filter:\n  exclud:\n    domains: [light]\n");
  await until(() => rules.fault() !== null);
  assert.match(rules.fault()!, /exclud/);
  assert.equal(seen.length, 1);
  rmSync(file);
  await until(() => rules.fault() === null);
  assert.equal(seen.length, 2);
});

test("watchRules() sees what was written within the tick of the clock in which the file was looked at", async (t) => {
  const dataDir = mkdtempSync(join(tmpdir(), "watched-files-test-"));
  const file = join(dataDir, "ha-ingestor.yaml");
  const write = (text: string) => {
    writeFileSync(file, text);
    utimesSync(file, 1_800_000_000, 1_800_000_000);
  };
  write("");
  const seen: FilterRules[] = [];
  const keep = { rawDays: 365, rollupDays: 0 };
  const rules = watchRules({ dataDir, keep }, (next) => seen.push(next), silentLog(), LOOK_MS);
  t.after(() => {
    rules.close();
    rmSync(dataDir, { recursive: true });
  });
  await sleep(LOOK_MS * 10);
  write("filter:\n  exclud:\n    domains: [light]\n");
  await until(() => rules.fault() !== null);
});
