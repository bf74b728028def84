import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../domain/sample.ts";
import { allAtOnce } from "../../testing/all-at-once.ts";
import { unpackValues } from "./columns.ts";
import { DAY_MICROS, dayOf } from "./day.ts";
import { Generation } from "./memory.ts";

const value = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom<Value>(0, -0, 21.5, 1e300, Number.POSITIVE_INFINITY) },
  fc.constantFrom<Value>("on", "unavailable", "", null),
);
const samples = fc.array(fc.record({ series: fc.constantFrom(1, 2), ts: fc.nat(40), value }), { maxLength: 60 });

test("a generation keeps the first value of each time, numbers and texts, in the order of time", () => {
  fc.assert(
    fc.property(samples, fc.nat(40), fc.nat(40), fc.nat(10), (list, start, end, limit) => {
      const generation = new Generation();
      const model = new Map([1, 2].map((series) => [series, new Map<number, Value>()]));
      for (const { series, ts, value } of list) {
        const known = model.get(series)!;
        assert.equal(generation.insert(series, ts, value), !known.has(ts));
        if (!known.has(ts)) known.set(ts, value);
      }
      const { ranges } = allAtOnce(generation.packed());
      const lastValues = unpackValues(ranges.last);
      for (const [series, known] of model) {
        const all = [...known].sort(([a], [b]) => a - b);
        const within = all.filter(([ts]) => ts >= start && ts < end).slice(0, limit);
        const columnsOf = (rows: typeof all) => ({
          ts: rows.map(([ts]) => ts),
          values: rows.map(([, value]) => value),
        });
        assert.deepEqual(generation.slice(series, { start, end }, limit), columnsOf(within));
        const before = all.filter(([ts]) => ts < start);
        assert.deepEqual(generation.before(series, start), columnsOf(before.slice(-1)));
        const isText = (value: Value) => typeof value === "string";
        const texts = before.filter(([, value]) => isText(value));
        assert.deepEqual(generation.before(series, start, isText), columnsOf(texts.slice(-1)));
        const place = ranges.series.indexOf(series);
        assert.equal(place === -1, all.length === 0);
        if (place !== -1) assert.deepEqual([ranges.firstTs[place], lastValues[place]], [all[0]![0], all.at(-1)![1]]);
      }
      assert.equal(
        generation.size,
        [...model.values()].reduce((sum, { size }) => sum + size, 0),
      );
    }),
    { numRuns: 500 },
  );
});

test("packed() has all samples in the order of day, series and time", () => {
  const moment = fc.integer({ min: -3, max: 3 }).chain((day) => fc.nat(3).map((ts) => day * DAY_MICROS + ts - 2));
  const list = fc.array(fc.tuple(fc.constantFrom(9, 1, 200_000), moment, value), { maxLength: 60 });
  fc.assert(
    fc.property(list, (samples) => {
      const generation = new Generation();
      const kept = samples.filter(([series, ts, value]) => generation.insert(series, ts, value));
      const { series, samples: packed } = allAtOnce(generation.packed());
      assert.deepEqual(
        Array.from(unpackValues(packed), (value, i) => [series[i], packed.ts[i], value]),
        kept.toSorted((a, b) => dayOf(a[1]) - dayOf(b[1]) || a[0] - b[0] || a[1] - b[1]),
      );
    }),
    { numRuns: 500 },
  );
});
