import assert from "node:assert/strict";
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { assertNotRestoring, replaceData } from "./replace.ts";

const { existsSync, fsyncSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } =
  fs;

/** What a stopped service had, without settings and webhooks; what came last is in a -wal. */
const OLD = ["metadata.db", "metadata.db-wal", "timeseries.db", "archive/2026/10.parquet"];
const COPY = ["metadata.db", "timeseries.db", "webhooks.db", "webhooks.key", "archive/2026/09.parquet"];

function write(folder: string, names: readonly string[], text: string): void {
  for (const name of names) {
    for (const path of [folder, join(folder, "archive"), join(folder, "archive/2026")])
      if (!existsSync(path)) mkdirSync(path);
    writeFileSync(join(folder, name), text);
  }
}

/** Every file below a folder with its text. */
function read(folder: string): Record<string, string> {
  const entries = readdirSync(folder, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
  const paths = entries.map((entry) => join(entry.parentPath, entry.name));
  return Object.fromEntries(paths.map((path) => [path.slice(folder.length + 1), readFileSync(path, "utf8")]).sort());
}

function files(names: readonly string[], text: string): Record<string, string> {
  return Object.fromEntries(names.map((name) => [name, text]).sort());
}

/** Renamings that fail, counted from 0, for a reason that passes; or from one on everything, as when the power goes. */
type Trouble = { readonly refused: number } | { readonly powerUntil: number };

/** Puts `text` in place of what is there. */
function restore(dataDir: string, text: string, now: number, trouble: Trouble = { refused: -1 }) {
  const copy = join(dataDir, "copy");
  rmSync(copy, { recursive: true, force: true });
  write(copy, COPY, text);
  let renamed = 0;
  let isDead = false;
  const living = <T extends unknown[]>(work: (...given: T) => void) => {
    return (...given: T): void => {
      if (isDead) throw new Error("the power is gone");
      work(...given);
    };
  };
  Object.assign(fs, {
    rmSync: living(rmSync),
    renameSync: living((from: string, to: string) => {
      const number = renamed++;
      if ("refused" in trouble && number === trouble.refused) throw new Error("busy");
      isDead = "powerUntil" in trouble && number === trouble.powerUntil;
      if (isDead) throw new Error("the power is gone");
      renameSync(from, to);
    }),
    // What the disk has by then is another matter, and would take seconds.
    fsyncSync() {},
  });
  syncBuiltinESMExports();
  try {
    return replaceData(copy, { dataDir, metadataFile: join(dataDir, "metadata.db") }, now);
  } catch (error) {
    assert.match(String(error), "refused" in trouble ? /: busy; nothing was changed$/ : /the power is gone$/);
    return "cut off" as const;
  } finally {
    Object.assign(fs, { rmSync, renameSync, fsyncSync });
    syncBuiltinESMExports();
    rmSync(copy, { recursive: true });
  }
}

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "replace-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

test("replaceData() keeps what was there in one folder, wherever and however often it is cut off", (t) => {
  const directory = temporary(t);
  const dataDir = join(directory, "data");
  // Each name that is moved, and the mark of a restore under way.
  const renamings = OLD.length + COPY.length + 1;
  for (let first = 0; first < renamings; first++) {
    for (let second = 0; second < renamings; second++) {
      rmSync(dataDir, { recursive: true, force: true });
      write(dataDir, OLD, "old");
      assert.equal(restore(dataDir, "first", 1_000_000, { powerUntil: first }), "cut off");
      if (first === 0) assert.doesNotThrow(() => assertNotRestoring(dataDir));
      else
        assert.throws(() => assertNotRestoring(dataDir), /run it again .* is in ".*before-restore-19700101T001640Z"$/);
      // Going on takes fewer renamings, so it may come to its end.
      const isOver = restore(dataDir, "second", 2_000_000, { powerUntil: second }) !== "cut off";
      const before = restore(dataDir, "third", 3_000_000);
      assert.doesNotThrow(() => assertNotRestoring(dataDir));

      const where = `cut off at ${first}, then at ${second}`;
      const folders = readdirSync(dataDir).filter((name) => name.startsWith("before-restore-"));
      const contents = folders.sort().map((name) => read(join(dataDir, name)));
      const expected = isOver ? [files(OLD, "old"), files(COPY, "second")] : [files(OLD, "old")];
      assert.deepEqual(contents, expected, where);
      assert.equal(before, join(dataDir, folders.at(-1)!));
      for (const name of folders) rmSync(join(dataDir, name), { recursive: true });
      assert.deepEqual(read(dataDir), files(COPY, "third"), where);
    }
  }
});

test("replaceData() deletes nothing that its owner put back after it was cut off", (t) => {
  const dataDir = temporary(t);
  write(dataDir, OLD, "old");
  assert.equal(restore(dataDir, "first", 1_000_000, { powerUntil: OLD.length + 2 }), "cut off");
  const before = join(dataDir, "before-restore-19700101T001640Z");
  for (const name of readdirSync(before)) {
    rmSync(join(dataDir, name), { recursive: true, force: true });
    renameSync(join(before, name), join(dataDir, name));
  }
  assert.equal(restore(dataDir, "second", 2_000_000), before);
  assert.deepEqual(read(before), files(OLD, "old"));
});

test("replaceData() leaves everything as it was where something cannot be moved aside, such as a mount", (t) => {
  const dataDir = temporary(t);
  write(dataDir, OLD, "old");
  for (let refused = 1; refused <= OLD.length; refused++) {
    assert.equal(restore(dataDir, "new", 1_000_000, { refused }), "cut off");
    assert.deepEqual(read(dataDir), files(OLD, "old"));
    assert.deepEqual(
      readdirSync(dataDir).filter((name) => name.startsWith("before")),
      [],
    );
  }
});
