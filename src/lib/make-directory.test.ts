import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { makeDirectory } from "./make-directory.ts";

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "make-directory-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("makeDirectory() makes what is not there, and takes what is", (t) => {
  const parent = temporary(t);
  const deep = join(parent, "a/b/c");
  makeDirectory(deep);
  makeDirectory(deep);
  assert.ok(statSync(deep).isDirectory());
  symlinkSync(deep, join(parent, "link"));
  makeDirectory(join(parent, "link"));
  makeDirectory(join(parent, "link/d"));
  assert.ok(existsSync(join(deep, "d")));
});

test("makeDirectory() throws where a file or a link to nothing is in the way", (t) => {
  const parent = temporary(t);
  writeFileSync(join(parent, "file"), "");
  symlinkSync(join(parent, "nothing"), join(parent, "link"));
  for (const [name, code] of [
    ["file", "EEXIST"],
    ["file/a", "ENOTDIR"],
    ["file/a/b", "ENOTDIR"],
    ["link", "EEXIST"],
    ["link/a", "EEXIST"],
  ] as const) {
    assert.throws(() => makeDirectory(join(parent, name)), { code }, name);
  }
});

test("makeDirectory() throws where the system makes no directories", (t) => {
  if (!existsSync("/proc/self")) return t.skip("this system has no /proc");
  assert.throws(() => makeDirectory("/proc/nope"), { code: "ENOENT" });
  assert.throws(() => makeDirectory("/proc/nope/deep"), { code: "ENOENT" });
});
