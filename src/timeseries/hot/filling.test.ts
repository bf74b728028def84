import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../../lib/log.ts";
import { createFilling } from "./filling.ts";
import type { FillStep } from "./fills.ts";

/** A writer that answers each step when it is told to. */
function writer() {
  const asked: { answer(filling: readonly string[], needsFold?: boolean): void; fail(): void }[] = [];
  const step = () =>
    new Promise<FillStep>((resolve, reject) => {
      asked.push({
        answer: (filling, needsFold = false) => resolve({ end: 0, needsFold, filling }),
        fail: () => reject(new Error("disk is full")),
      });
    });
  return { asked, step };
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

function filling({ step }: ReturnType<typeof writer>, fold = async () => {}) {
  return createFilling({ step, fold, queued: () => {}, log: silentLog() });
}

test("settled() waits for the last step, also of a target that lost its samples meanwhile", async () => {
  const { asked, step } = writer();
  const fills = filling({ asked, step });
  await fills.settled();
  fills.start(["a"]);
  let isSettled = false;
  const settled = fills.settled().then(() => {
    isSettled = true;
  });
  asked[0]!.answer(["a"]);
  await turn();
  fills.start(["b"]);
  asked[1]!.answer([]);
  await turn();
  assert.equal(isSettled, false);
  asked[2]!.answer([]);
  await settled;
  assert.deepEqual([asked.length, fills.targets], [3, []]);
});

test("settled() keeps nobody waiting for a disk that refuses, and rejects on closing", async () => {
  const { asked, step } = writer();
  const fills = filling({ asked, step });
  fills.start(["a"]);
  const settled = fills.settled();
  asked[0]!.fail();
  await settled;
  await fills.settled();
  assert.deepEqual(fills.targets, ["a"]);
  await fills.close();
  await assert.rejects(fills.settled(), { code: "unavailable" });
  const others = writer();
  const closing = filling(others);
  closing.start(["a"]);
  const refused = assert.rejects(closing.settled(), { code: "unavailable" });
  const closed = closing.close();
  others.asked[0]!.answer(["a"]);
  await Promise.all([refused, closed]);
  assert.equal(others.asked.length, 1);
});

test("the log is folded where a step asks for it, before the next one", async () => {
  const { asked, step } = writer();
  const order: string[] = [];
  const fills = filling({ asked, step }, async () => void order.push(`fold after ${asked.length}`));
  fills.start(["a"]);
  asked[0]!.answer(["a"], true);
  await turn();
  asked[1]!.answer([]);
  await fills.settled();
  assert.deepEqual([order, asked.length], [["fold after 1"], 2]);
});
