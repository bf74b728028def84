import assert from "node:assert/strict";
import { mkdtempSync, rmSync, utimesSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { FilterRules } from "./ingest/filter-rules.ts";
import { silentLog } from "./lib/log.ts";
import { watchRules } from "./watched-files.ts";

const LOOK_MS = 10;

async function until(condition: () => boolean): Promise<void> {
  for (let i = 0; i < 1_000 && !condition(); i++) await sleep(LOOK_MS);
  assert.ok(condition());
}

/** Rules that are watched, of a file that begins with `text`. */
function watched(t: TestContext, text?: string) {
  const dataDir = mkdtempSync(join(tmpdir(), "watched-files-test-"));
  const file = join(dataDir, "ha-ingestor.yaml");
  const write = (text: string) => writeFileSync(file, text);
  if (text !== undefined) write(text);
  const seen: FilterRules[] = [];
  const keep = { rawDays: 365, rollupDays: 0 };
  const rules = watchRules({ dataDir, keep }, (next) => seen.push(next), silentLog(), LOOK_MS);
  t.after(() => {
    rules.close();
    rmSync(dataDir, { recursive: true });
  });
  return { file, write, seen, rules };
}

const GOOD = "filter:\n  exclude:\n    domains: [light]\n";
const FAULTY = "filter:\n  exclud:\n    domains: [light]\n";

test("watchRules() follows the file, keeps to the rules before a faulty one, and says what is wrong with it", async (t) => {
  const { file, write, seen, rules } = watched(t);
  assert.equal(rules.fault(), null);
  write(GOOD);
  await until(() => seen.length === 1);
  assert.equal(rules.fault(), null);
  write(FAULTY);
  await until(() => rules.fault() !== null);
  assert.match(rules.fault()!, /exclud/);
  assert.equal(seen.length, 1);
  rmSync(file);
  await until(() => rules.fault() === null);
  assert.equal(seen.length, 2);
});

test("watchRules() tells of mirrors that would keep the next start from succeeding", async (t) => {
  const { write, rules } = watched(t);
  write("mirrors:\n  - name: grafana\n");
  await until(() => rules.fault() !== null);
  assert.match(rules.fault()!, /mirrors\[0\]\.url: must be an address/);
});

test("watchRules() sees what was written within the tick of the clock in which the file was looked at", async (t) => {
  const { file, write, rules } = watched(t, "");
  const setBack = () => utimesSync(file, 1_800_000_000, 1_800_000_000);
  setBack();
  await sleep(LOOK_MS * 10);
  write(FAULTY);
  setBack();
  await until(() => rules.fault() !== null);
});
