import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { test } from "node:test";
import { lowerPriority } from "./low-priority.ts";

for (const [niceness, expected] of [
  [-5, 10],
  [0, 10],
  [10, undefined],
  [15, undefined],
]) {
  test(`lowerPriority() makes of niceness ${niceness} ${expected ?? "the same"}`, () => {
    let set: number | undefined;
    lowerPriority(
      () => niceness!,
      (to) => {
        set = to;
      },
    );
    assert.equal(set, expected);
  });
}

test("lowerPriority() goes on where it is not allowed", () => {
  lowerPriority(
    () => 0,
    () => {
      throw Object.assign(new Error("permission denied"), { code: "EACCES" });
    },
  );
});

test("lowerPriority() leaves a process alone that was started with niceness 15", {
  skip: process.platform === "win32",
}, () => {
  const program = `
    import { getPriority } from "node:os";
    import { lowerPriority } from ${JSON.stringify(import.meta.resolve("./low-priority.ts"))};
    lowerPriority();
    console.log(getPriority());
  `;
  const run = ["-n", "15", process.execPath, "--input-type=module", "-e", program];
  assert.ok(Number(execFileSync("nice", run, { encoding: "utf8" })) >= 15);
});
