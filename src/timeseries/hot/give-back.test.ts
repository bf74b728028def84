import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setImmediate as immediate, setTimeout as sleep } from "node:timers/promises";
import { DATABASE_FILE, openForWriting } from "./database.ts";
import { freePages } from "./pages.ts";
import { writerCommands } from "./writer.ts";

const SETTINGS = { busyTimeoutSeconds: 60, cacheSize: -2000, synchronous: "OFF" } as const;
const DAY = 20_000;

/** A file with 12,000 free pages, and the writer in this thread. */
function rig(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "give-back-test-"));
  const file = join(directory, DATABASE_FILE);
  {
    using db = openForWriting(file, SETTINGS);
    db.exec("CREATE TABLE much AS SELECT zeroblob(24000000); DROP TABLE much");
  }
  const other = new DatabaseSync(file);
  const { configure, load, watch, archive, close } = writerCommands;
  configure!({ directory, settings: SETTINGS });
  load!(null);
  t.after(() => {
    close!(null);
    other.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const dropDay = (): void => {
    watch!(DAY);
    archive!({ change: { day: DAY, file: null, obsolete: [] } });
  };
  return { other, dropDay, close: () => close!(null) };
}

test("free pages are given back without waiting for another program's lock in SQLite", async (t) => {
  const { other, dropDay } = rig(t);
  assert.ok(freePages(other) > 10_000);
  dropDay();
  other.exec("BEGIN IMMEDIATE");
  const start = performance.now();
  await sleep(50);
  assert.ok(performance.now() - start < 30_000, "the thread goes on");
  other.exec("ROLLBACK");
  for (let turn = 0; freePages(other) > 2_048; turn++) {
    assert.ok(turn < 1_000, `${freePages(other)} pages are free still`);
    await sleep(5);
  }
});

test("a file that was closed meanwhile is not opened again to give pages back", async (t) => {
  const { other, dropDay, close } = rig(t);
  dropDay();
  close();
  for (let turn = 0; turn < 5; turn++) await immediate();
  // Alone: an open connection would keep its own lock on the file.
  other.exec("PRAGMA locking_mode = EXCLUSIVE; PRAGMA journal_mode = DELETE");
  assert.ok(freePages(other) > 10_000);
});
