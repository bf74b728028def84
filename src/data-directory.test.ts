import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { keepDemoApart } from "./data-directory.ts";

function directory(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), "data-directory-test-"));
  t.after(() => rmSync(path, { recursive: true }));
  return path;
}

const DEMO = { demo: true, hasHome: true };
const HOME = { demo: false, hasHome: true };
const NO_HOME = { demo: false, hasHome: false };

test("keepDemoApart() keeps the demo out of a directory with the record of a home", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, HOME), false);
  writeFileSync(join(path, "timeseries.db"), "");
  assert.throws(() => keepDemoApart(path, DEMO), { code: "conflict", message: /it holds the record of a home/ });
  assert.equal(existsSync(join(path, "demo")), false);
  assert.equal(keepDemoApart(path, HOME), false);
});

test("keepDemoApart() keeps a home out of the demo's directory, which may be looked at", (t) => {
  const path = directory(t);
  assert.equal(keepDemoApart(path, DEMO), false);
  writeFileSync(join(path, "timeseries.db"), "");
  assert.equal(keepDemoApart(path, DEMO), false);
  assert.throws(() => keepDemoApart(path, HOME), { code: "conflict", message: /which is the demo's/ });
  assert.equal(keepDemoApart(path, NO_HOME), true);
});
