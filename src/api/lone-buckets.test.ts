import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { LoneFigure } from "../domain/statistics.ts";
import { loneBucketWriter } from "./lone-buckets.ts";

/** What JSON.stringify makes of the buckets; it has no word for infinity. */
function expected(figure: LoneFigure, figures: readonly number[], borders: readonly number[], until: number): string {
  return JSON.stringify(
    figures.flatMap((value, i) =>
      !Number.isFinite(value) || borders[i]! >= until
        ? []
        : [{ start: borders[i]! / 1000, end: borders[i + 1]! / 1000, [figure]: value }],
    ),
  );
}

test("buckets are written as JSON.stringify writes them, whatever was written before", () => {
  const write = loneBucketWriter();
  const value = fc.oneof(fc.double(), fc.integer(), fc.constantFrom(Number.NaN, -0, 0, Number.POSITIVE_INFINITY));
  const borders = fc.oneof(
    fc.constant([0, 3_600_000_000, 7_200_000_000, 10_800_000_000]),
    fc
      .uniqueArray(fc.integer({ min: -1e15, max: 2e15 }), { minLength: 2, maxLength: 12 })
      .map((list) => list.sort((a, b) => a - b)),
  );
  const question = borders.chain((borders) =>
    fc.record({
      borders: fc.constant(borders),
      figure: fc.constantFrom<LoneFigure>("mean", "count"),
      figures: fc.array(value, { minLength: borders.length - 1, maxLength: borders.length - 1 }),
      until: fc.constantFrom(borders[0]!, borders[1]!, borders[1]! - 1, Number.MAX_SAFE_INTEGER),
    }),
  );
  fc.assert(
    fc.property(fc.array(question, { minLength: 1, maxLength: 4 }), (questions) => {
      for (const { figure, figures, borders, until } of questions) {
        const text = write(figure, Float64Array.from(figures), borders, until);
        assert.equal(text, expected(figure, figures, borders, until));
      }
    }),
    { numRuns: 1_000 },
  );
});

test("more buckets than are kept are written as well", () => {
  const borders = Array.from({ length: 10_001 }, (_, i) => i * 3_600_000_000);
  const figures = Array.from({ length: 10_000 }, (_, i) => i / 7);
  const write = loneBucketWriter();
  for (let i = 0; i < 2; i++) {
    const text = write("mean", Float64Array.from(figures), borders, Number.MAX_SAFE_INTEGER);
    assert.equal(text, expected("mean", figures, borders, Number.MAX_SAFE_INTEGER));
  }
});
