import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { withRows } from "./page.ts";
import type { Row } from "./table.ts";

const PAGE = readFileSync(join(import.meta.dirname, "../../docs/reliability.md"), "utf8");
const GOOD: Row = {
  name: "kill -9",
  done: "7 kills",
  verdict: { events: 3, lost: 0, doubled: 0, invented: 0, wrong: 0, examples: [] },
  gaps: [],
  seconds: 1,
  rssMb: [100, 101],
};

test("withRows() puts a run in the place of the one before, and leaves the rest of the page", () => {
  const once = withRows(PAGE, [GOOD, { ...GOOD, done: "8 kills" }], "A machine.");
  assert.match(once, /A machine\.\n\n\| scenario .*\n\| ---.*\n.*7 kills \|\n.*8 kills \|\n\n<!-- end of rows -->/);
  assert.equal(withRows(once, [GOOD, { ...GOOD, done: "8 kills" }], "A machine."), once);
  const rest = (page: string) => page.replace(/<!-- rows.*<!-- end of rows -->/s, "");
  assert.equal(rest(once), rest(PAGE));
});

test("withRows() writes no run with a row that failed, and none that is not complete", () => {
  const lost = { ...GOOD, name: "burst", verdict: { ...GOOD.verdict!, lost: 1 } };
  assert.throws(() => withRows(PAGE, [GOOD, lost], "A machine."), /burst failed/);
  assert.throws(() => withRows("no place", [GOOD], "A machine."), /no "<!-- rows/);
});
