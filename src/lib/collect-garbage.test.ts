import assert from "node:assert/strict";
import { test } from "node:test";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { collectGarbage, collectWhenQuiet, isWorthAPause } from "./collect-garbage.ts";

test("collectGarbage() does nothing where Node was started without --expose-gc", () => {
  assert.equal(globalThis.gc, undefined);
  collectGarbage();
});

test("isWorthAPause() wants the more the longer the pause is", () => {
  const MB = 1_000_000;
  for (const [bytes, left, worth] of [
    [11, 0, false],
    [12, 0, true],
    [46, 35, false],
    [47, 35, true],
    [399, 300, false],
    [400, 300, true],
  ] as const) {
    assert.equal(isWorthAPause(bytes * MB, left * MB), worth, `${bytes} of ${left}`);
  }
});

const physical = () => getHeapStatistics().total_physical_size;

test("collectWhenQuiet() gives back what a flood took, once it is over", { timeout: 60_000 }, async () => {
  setFlagsFromString("--expose-gc");
  globalThis.gc = runInNewContext("gc");
  const before = physical();
  let flood: object[] | undefined = Array.from({ length: 500_000 }, (_, index) => ({ index, text: `${index}` }));
  assert.ok(physical() > before + 30_000_000 && flood.length > 0);
  flood = undefined;
  collectWhenQuiet(50);
  while (physical() > before + 10_000_000) await new Promise((resolve) => setTimeout(resolve, 10));
});
