import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span } from "../domain/sample.ts";
import { common, joined, lengthOf } from "./spans.ts";

const spans = (...list: [number, number][]): Span[] => list.map(([start, end]) => ({ start, end }));

test("joined() sorts, and makes one of spans that touch", () => {
  assert.deepEqual(joined(spans([5, 6], [1, 2], [2, 4], [3, 4], [6, 7])), spans([1, 4], [5, 7]));
});

test("common() is when both were", () => {
  assert.deepEqual(common(spans([0, 3], [5, 9]), spans([1, 2], [2.5, 6], [9, 10])), spans([1, 2], [2.5, 3], [5, 6]));
  assert.deepEqual(common(spans([0, 3]), []), []);
});

test("common() goes through long lists once", () => {
  const flapping = Array.from({ length: 500_000 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 }));
  assert.equal(lengthOf(common(flapping, flapping)), flapping.length);
});
