import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../domain/sample.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { Blocks, Column } from "./memory-column.ts";

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Value>(0, -1.5, 21.5, Number.NEGATIVE_INFINITY) },
  fc.constantFrom<Value>("on", "", null),
);
/** Mostly ascending, as samples come, with some that are late: of more samples than three blocks have. */
const samples = fc
  .array(fc.tuple(fc.nat(9), value), { minLength: 1, maxLength: 300, size: "max" })
  .map((list) => list.map(([early, value], i) => [early === 0 ? i * 10 - 9 * i : i * 10, value] as const));

test("a column has its samples in the order of time, however they came and whoever shares its memory", () => {
  fc.assert(
    fc.property(samples, fc.nat(300), fc.nat(300), (list, a, b) => {
      const memory = new Blocks();
      const columns = [new Column(memory), new Column(memory)];
      const known = new Map<number, Value>();
      for (const [ts, value] of list) {
        if (known.has(ts)) continue;
        known.set(ts, value);
        for (const column of columns) {
          if (column.length === 0 || ts > column.lastTs) column.push(ts, value);
          else column.insert(column.lowerBound(ts), ts, value);
        }
      }
      const sorted = [...known].sort(([one], [other]) => one - other);
      const times = sorted.map(([ts]) => ts);
      for (const column of columns) {
        assert.equal(column.length, sorted.length);
        assert.equal(column.lastTs, times.at(-1));
        assert.deepEqual(
          sorted.map((_sample, i) => [column.tsAt(i), column.valueAt(i)]),
          sorted,
        );
        for (const ts of [...times, -1, 5, 3_000]) assert.equal(column.lowerBound(ts), lowerBound(times, ts));
        const [from, to] = [Math.min(a, b), Math.max(a, b)].map((place) => Math.min(place, sorted.length));
        const part = sorted.slice(from, to);
        assert.deepEqual(column.slice(from!, to!), { ts: part.map(([ts]) => ts), values: part.map(([, v]) => v) });
      }
    }),
    { numRuns: 300 },
  );
});

test("columns take many pages of memory", () => {
  const memory = new Blocks();
  const columns = Array.from({ length: 700 }, () => new Column(memory));
  for (let i = 0; i < 200; i++) for (const [number, column] of columns.entries()) column.push(i, number * 1000 + i);
  for (const [number, column] of columns.entries()) {
    const { ts, values } = column.slice(0, 200);
    assert.deepEqual([ts.length, ts[199], values[0], values[199]], [200, 199, number * 1000, number * 1000 + 199]);
  }
});
