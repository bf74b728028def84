import assert from "node:assert/strict";
import { test } from "node:test";
import type { Span } from "../domain/sample.ts";
import { either, joined, lengthOf, without } from "./spans.ts";

const spans = (...list: [number, number][]): Span[] => list.map(([start, end]) => ({ start, end }));

test("joined() sorts, and makes one of spans that touch", () => {
  assert.deepEqual(joined(spans([5, 6], [1, 2], [2, 4], [3, 4], [6, 7])), spans([1, 4], [5, 7]));
});

test("either() is when one was", () => {
  assert.deepEqual(
    either(spans([0, 3], [5, 9]), spans([1, 2], [3, 4], [8, 10], [11, 12])),
    spans([0, 4], [5, 10], [11, 12]),
  );
  assert.deepEqual(either([], spans([1, 2])), spans([1, 2]));
});

test("without() is when the first one was alone", () => {
  const a = spans([0, 4], [5, 9], [10, 11]);
  assert.deepEqual(without(a, spans([-1, 1], [2, 3], [4, 6], [8, 12])), spans([1, 2], [3, 4], [6, 8]));
  assert.deepEqual(without(a, []), a);
  assert.deepEqual(without(a, spans([-5, 20])), []);
});

test("either() and without() go through long lists once", () => {
  const flapping = Array.from({ length: 500_000 }, (_, i) => ({ start: 2 * i, end: 2 * i + 1 }));
  assert.equal(lengthOf(either(flapping, flapping)), flapping.length);
  assert.deepEqual(without(flapping, flapping), []);
});
