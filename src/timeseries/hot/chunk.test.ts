import assert from "node:assert/strict";
import { test } from "node:test";
import type { Gap, HourlyRollup } from "../../domain/gaps.ts";
import { Chunk } from "./chunk.ts";
import type { LedgerChange } from "./ledger.ts";

const gap = (id: number, added: number): LedgerChange => ({ kind: "gap", gap: { id, added } as Gap });
const progress = (id: number, part: "plan" | "position", text: string | null): LedgerChange => ({
  kind: "progress",
  id,
  part,
  text,
});
const rollup: LedgerChange = { kind: "rollup", rollup: { series: 1, start: 0 } as HourlyRollup };

test("record() keeps the last word on each gap and part, in the place of the first, and all else", () => {
  const chunk = new Chunk(1);
  for (const change of [gap(1, 0), progress(1, "plan", "p"), rollup, gap(2, 0), progress(1, "position", "a")]) {
    chunk.record(change);
  }
  for (const change of [gap(1, 5), progress(1, "position", "b"), rollup, progress(2, "position", "c")]) {
    chunk.record(change);
  }
  assert.deepEqual(chunk.packed().changes, [
    gap(1, 5),
    progress(1, "plan", "p"),
    rollup,
    gap(2, 0),
    progress(1, "position", "b"),
    rollup,
    progress(2, "position", "c"),
  ]);
});
