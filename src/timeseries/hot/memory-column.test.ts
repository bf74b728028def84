import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../domain/sample.ts";
import { unpackSamples } from "./columns.ts";
import { DAY_MICROS, dayOf } from "./day.ts";
import { Blocks, Column } from "./memory-column.ts";

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Value>(0, -1.5, 21.5, Number.NEGATIVE_INFINITY) },
  fc.constantFrom<Value>("on", "", null),
);
/** As samples come: forward, backward or anyhow, some of them again; of more than many blocks have. */
const order = fc.constantFrom(
  (i: number) => i,
  (i: number) => -i,
  (i: number) => (i * 7919) % 1009,
  (i: number) => (i % 5 === 0 ? 1000 - i : i),
  (i: number) => (i < 100 ? 2000 + i : i),
);
const samples = fc
  .tuple(order, fc.constantFrom(1, DAY_MICROS / 90), fc.array(value, { maxLength: 400, size: "max" }))
  .map(([order, every, values]) => values.map((value, i) => [order(i) * every + 0, value] as const));

test("a column has its samples in the order of time, however they came and whoever shares its memory", () => {
  fc.assert(
    fc.property(samples, fc.nat(), fc.nat(), fc.nat(500), (list, one, other, limit) => {
      const memory = new Blocks();
      const columns = [new Column(memory), new Column(memory)];
      const known = new Map<number, Value>();
      for (const [ts, value] of list) {
        for (const column of columns) assert.equal(column.insert(ts, value), !known.has(ts));
        if (!known.has(ts)) known.set(ts, value);
      }
      const sorted = [...known].sort(([a], [b]) => a - b);
      const columnsOf = (rows: typeof sorted) => ({ ts: rows.map(([ts]) => ts), values: rows.map(([, v]) => v) });
      const timeOf = (place: number) => (sorted.length === 0 ? place : sorted[place % sorted.length]![0]);
      const [start, end] = [timeOf(one), timeOf(other)].sort((a, b) => a - b) as [number, number];
      for (const column of columns) {
        assert.deepEqual(column.slice(-1e15, 1e15, 1e9), columnsOf(sorted));
        const within = sorted.filter(([ts]) => ts >= start && ts < end).slice(0, limit);
        assert.deepEqual(column.slice(start, end, limit), columnsOf(within));
        const before = sorted.filter(([ts]) => ts < end);
        const isText = (value: Value) => typeof value === "string";
        assert.deepEqual(
          column.before(end, () => true),
          columnsOf(before.slice(-1)),
        );
        assert.deepEqual(column.before(end, isText), columnsOf(before.filter(([, value]) => isText(value)).slice(-1)));
        for (const ts of [start, end, start + 0.5, -1e15]) assert.equal(column.has(ts), known.has(ts));
        const count = sorted.length;
        const packed = { ts: new Float64Array(count), numbers: new Float64Array(count), texts: [] };
        let at = 0;
        for (const piece of column.pieces()) {
          column.copy(piece, packed, at);
          const next = at + piece.to - piece.from;
          assert.ok(packed.ts.subarray(at, next).every((ts) => dayOf(ts) === piece.day));
          at = next;
        }
        assert.deepEqual(unpackSamples(packed), columnsOf(sorted));
        if (sorted.length === 0) continue;
        assert.deepEqual([column.firstTs, column.lastTs, column.lastValue], [sorted[0]![0], ...sorted.at(-1)!]);
      }
    }),
    { numRuns: 500 },
  );
});
