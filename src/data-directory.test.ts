import assert from "node:assert/strict";
import { existsSync, mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { keepDemoApart } from "./data-directory.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "data-directory-test-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const DEMO = { demo: true, hasHome: true, isRecorded: false };
const HOME = { demo: false, hasHome: true, isRecorded: false };
const NO_HOME = { demo: false, hasHome: false, isRecorded: true };

test("keepDemoApart() keeps the demo out of a directory with the record of a home", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, HOME), false);
  const recorded = { ...DEMO, isRecorded: true };
  assert.throws(() => keepDemoApart(path, recorded), { code: "conflict", message: /it holds the record of a home/ });
  assert.equal(existsSync(join(path, "demo")), false);
  assert.equal(keepDemoApart(path, { ...HOME, isRecorded: true }), false);
});

test("keepDemoApart() lets the demo into a directory in which no home was recorded, and into its own of before", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, DEMO), false);
  const own = join(directory(t), "data-demo");
  mkdirSync(own);
  assert.equal(keepDemoApart(own, { ...DEMO, isRecorded: true }), false);
  assert.ok(existsSync(join(own, "demo")));
});

test("keepDemoApart() keeps a home out of the demo's directory, which may be looked at", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, DEMO), false);
  assert.equal(keepDemoApart(path, { ...DEMO, isRecorded: true }), false);
  assert.throws(() => keepDemoApart(path, HOME), { code: "conflict", message: /which is the demo's/ });
  assert.equal(keepDemoApart(path, NO_HOME), true);
});
