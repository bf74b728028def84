import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../domain/sample.ts";
import { type ThinnedSample, Thinner, thinHistory } from "./thinner.ts";

const EVERY_10 = { minIntervalMicros: 10, deadband: 0 };

function run(rule: typeof EVERY_10, samples: readonly (readonly [number, Value])[], until: number) {
  const thinner = new Thinner(rule, undefined);
  const stored = samples.flatMap(([ts, value]) => thinner.take(ts, value));
  return [...stored, ...thinner.due(until)].map(({ ts, value }) => [ts, value]);
}

test("take() stores the first of a burst at once and the last when its interval ends", () => {
  const burst = [0, 1, 2, 3].map((ts) => [ts, ts] as const);
  assert.deepEqual(run(EVERY_10, burst, 9), [[0, 0]]);
  assert.deepEqual(run(EVERY_10, burst, 10), [
    [0, 0],
    [3, 3],
  ]);
});

test("take() begins the next interval where one with a held sample ended", () => {
  const samples = [0, 4, 12, 19, 35].map((ts) => [ts, `${ts}`] as const);
  assert.deepEqual(
    run(EVERY_10, samples, 100).map(([ts]) => ts),
    [0, 4, 19, 35],
  );
});

test("take() ends a series at once, after what was held back", () => {
  assert.deepEqual(
    run(
      EVERY_10,
      [
        [0, 1],
        [2, 5],
        [3, null],
      ],
      3,
    ),
    [
      [0, 1],
      [2, 5],
      [3, null],
    ],
  );
});

test("take() takes a number within the deadband for the stored one, and never bridges a text", () => {
  const rule = { minIntervalMicros: 0, deadband: 0.5 };
  const values = [20, 20.4, 20.5, 20.1, "unavailable", 20.4, 20.2];
  const stored = run(
    rule,
    values.map((value, ts) => [ts, value] as const),
    100,
  );
  assert.deepEqual(
    stored.map(([, value]) => value),
    [20, 20.5, "unavailable", 20.4],
  );
});

test("take() forgets a spike that is over before its interval ends", () => {
  const rule = { minIntervalMicros: 10, deadband: 1 };
  assert.deepEqual(
    run(
      rule,
      [
        [0, 20],
        [1, 90],
        [2, 20.5],
      ],
      100,
    ),
    [[0, 20]],
  );
});

test("take() ignores a sample that it has seen, and passes on what comes late", () => {
  assert.deepEqual(
    run(
      EVERY_10,
      [
        [5, 1],
        [7, 2],
        [7, 2],
        [3, 9],
      ],
      8,
    ),
    [
      [5, 1],
      [3, 9],
    ],
  );
});

test("what is in force at the end of an interval is what is stored, with at most one sample in each", () => {
  const changes = fc.array(fc.tuple(fc.integer({ min: 1, max: 15 }), fc.integer({ min: 0, max: 9 })), { minLength: 1 });
  fc.assert(
    fc.property(changes, (steps) => {
      let ts = 0;
      const samples = steps.map(([wait, value]) => {
        ts += wait;
        return [ts, value] as const;
      });
      const thinner = new Thinner(EVERY_10, undefined);
      const stored: ThinnedSample[] = samples.flatMap(([at, value]) => thinner.take(at, value));
      stored.push(...thinner.due(Number.POSITIVE_INFINITY));
      assert.equal(stored.at(-1)!.value, samples.at(-1)![1]);
      assert.equal(stored.at(-1)!.ts, samples.at(-1)![0]);
      // Two neighbours may be near each other, three never are.
      for (let i = 2; i < stored.length; i++) assert.ok(stored[i]!.ts - stored[i - 2]!.ts >= 10);
      const known = new Set(samples.map(([at]) => at));
      for (const sample of stored) assert.ok(known.has(sample.ts));
    }),
  );
});

test("thinHistory() adds nothing where the same samples were thinned live", () => {
  const samples = [0, 3, 6, 12, 14, 40, 44].map((ts): ThinnedSample => ({ ts, value: ts }));
  const thinner = new Thinner(EVERY_10, undefined);
  const live = [...samples.flatMap(({ ts, value }) => thinner.take(ts, value)), ...thinner.flush()];
  const stored = { ts: live.map(({ ts }) => ts), values: live.map(({ value }) => value) };
  const added = samples.filter(({ ts }) => !stored.ts.includes(ts));
  assert.ok(added.length > 0);
  assert.deepEqual(thinHistory(EVERY_10, stored, added), []);
  assert.deepEqual(thinHistory(EVERY_10, { ts: [], values: [] }, samples), live);
});

test("thinHistory() stores what a rule would have held back until the end of the series", () => {
  const first: ThinnedSample = { ts: 0, value: 1 };
  const last: ThinnedSample = { ts: 4, value: 2 };
  const end: ThinnedSample = { ts: 6, value: null };
  const thinner = new Thinner(EVERY_10, undefined);
  const live = [first, last, end].flatMap(({ ts, value }) => thinner.take(ts, value));
  assert.deepEqual(live, [first, last, end]);
  const stored = { ts: [first.ts, end.ts], values: [first.value, end.value] };
  assert.deepEqual(thinHistory(EVERY_10, stored, [last]), [last]);
});
