import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../../domain/sample.ts";
import type { BucketFigures } from "../../domain/statistics.ts";
import { type Carried, changeBetween, DURATION_STATES_MAX, NOTHING, type SeriesKind, Walk } from "./accumulate.ts";
import { summarize } from "./build.ts";

/** The bucket [0, 60) of these samples. */
function bucket(
  samples: readonly (readonly [Micros, Value])[],
  carried: Carried = NOTHING,
  kind: SeriesKind = "plain",
): BucketFigures | null {
  const walk = new Walk(kind, carried);
  walk.begin(0);
  for (const [ts, value] of samples) walk.sample(ts, value);
  return walk.end(60).figures();
}

const twenty: Carried = { ...NOTHING, value: 20, number: 20 };

const CASES: {
  name: string;
  samples: [Micros, Value][];
  carried?: Carried;
  kind?: SeriesKind;
  figures: Partial<BucketFigures> | null;
}[] = [
  { name: "nothing at all", samples: [], figures: null },
  {
    name: "a number carried in",
    samples: [],
    carried: twenty,
    figures: { count: 0, mean: 20, min: 20, max: 20, first: 20, last: 20, sum: null, change: 0, weight: 60 },
  },
  {
    name: "a mean weighted by time",
    samples: [[45, 40]],
    carried: twenty,
    figures: { mean: 25, min: 20, max: 40, first: 20, last: 40, change: 20, sum: 40, count: 1 },
  },
  {
    name: "nothing before the first sample",
    samples: [[30, 10]],
    figures: { mean: 10, weight: 30, change: 0, first: 10 },
  },
  {
    name: "no carried number where a sample comes at the start",
    samples: [[0, 5]],
    carried: twenty,
    figures: { min: 5, max: 5, first: 5, change: -15 },
  },
  {
    name: "no number of a meter below 0",
    kind: "meter",
    samples: [
      [10, 12],
      [20, -1],
      [40, 15],
      [50, -5],
    ],
    figures: { count: 4, mean: 13.5, weight: 20, min: 12, max: 15, first: 12, last: 15, sum: 27, change: 3 },
  },
  {
    name: "no number where a text is in force",
    samples: [
      [20, "unavailable"],
      [40, 30],
    ],
    carried: twenty,
    figures: { mean: 25, weight: 40, change: 10, durations: new Map([["unavailable", 20]]) },
  },
  {
    name: "text alone",
    samples: [[15, "off"]],
    carried: { ...NOTHING, value: "on" },
    figures: {
      count: 1,
      mean: null,
      min: null,
      change: null,
      durations: new Map([
        ["on", 15],
        ["off", 45],
      ]),
    },
  },
  {
    name: "nothing after the end of an entity",
    samples: [[30, null]],
    carried: twenty,
    figures: { weight: 30, count: 1, durations: null },
  },
  {
    name: "infinity is no number",
    samples: [[30, Number.POSITIVE_INFINITY]],
    carried: twenty,
    figures: { weight: 30, max: 20, sum: null },
  },
  {
    name: "a change over an outage, from the last number before it",
    samples: [[30, 26]],
    carried: { ...NOTHING, value: "unavailable", number: 20 },
    figures: { change: 6, first: 26, weight: 30 },
  },
  {
    name: "a meter that begins anew",
    samples: [
      [10, 25],
      [20, 3],
      [30, 4],
    ],
    carried: twenty,
    kind: "meter",
    figures: { change: 5 + 3 + 1 },
  },
];
for (const { name, samples, carried, kind, figures } of CASES) {
  test(`a bucket has ${name}`, () => {
    const found = bucket(samples, carried, kind);
    if (figures === null || found === null) return assert.equal(found, figures);
    const named = Object.fromEntries(Object.keys(figures).map((key) => [key, found[key as keyof BucketFigures]]));
    assert.deepEqual(named, figures);
  });
}

const CHANGES: [SeriesKind, before: number, after: number, change: number][] = [
  ["plain", 10, 4, -6],
  ["meter", 10, 12, 2],
  ["meter", 10, 9, -1],
  ["meter", 10, 8.99, 8.99],
  ["meter", 10, 0, 0],
  ["meter", 10, -1, 0],
  ["meter", -1, 5, 0],
  ["meter", 0, 0, 0],
];
for (const [kind, before, after, change] of CHANGES) {
  test(`changeBetween() of a ${kind} from ${before} to ${after} is ${change}`, () => {
    assert.equal(changeBetween(kind, before, after), change);
  });
}

test("a bucket does not tell texts of more than 255 characters apart", () => {
  const walk = new Walk("plain");
  walk.begin(0);
  for (const [at, length] of [255, 256, 60_000, 3].entries()) walk.sample(at * 10, "x".repeat(length));
  const figures = walk.end(50).figures();
  assert.deepEqual([...figures!.durations!.keys()], ["x".repeat(255), "xxx"]);
  assert.equal(figures!.otherDuration, 20);
});

test("a bucket tells the longest texts apart, and adds up the others", () => {
  const walk = new Walk("plain");
  walk.begin(0);
  const texts = DURATION_STATES_MAX + 8;
  let at = 0;
  for (let i = 1; i <= texts; i++) {
    walk.sample(at, `text ${i}`);
    at += i;
  }
  const figures = walk.end(at).figures();
  assert.equal(figures?.durations?.size, DURATION_STATES_MAX);
  assert.equal(figures.durations.get(`text ${texts}`), texts);
  assert.equal(figures.durations.has("text 8"), false);
  assert.equal(figures.otherDuration, (8 * 9) / 2);
});

test("an hour of statistics counts what a meter rose by since our last number, and hours after it do not", () => {
  const hour = (start: Micros, last: number, change: number | null) => {
    return { start, end: start + 10, mean: null, min: null, max: null, last, change };
  };
  const changeOf = (carried: Carried, hours: readonly [last: number, change: number | null][], kind: SeriesKind) => {
    const walk = new Walk(kind, carried);
    walk.begin(0);
    for (const [i, [last, change]] of hours.entries()) walk.foreign(hour(10 + i * 10, last, change));
    return walk.end(60).change;
  };
  const ours: Carried = { ...NOTHING, value: "unavailable", number: 100 };
  assert.equal(changeOf(ours, [[106, 4]], "meter"), 6);
  // Its sum was corrected by hand.
  assert.equal(
    changeOf(
      ours,
      [
        [106, 4],
        [107, -999],
      ],
      "meter",
    ),
    6 - 999,
  );
  assert.equal(changeOf(ours, [[106, null]], "meter"), 6);
  // It began anew: after 102, and in the hour.
  assert.equal(changeOf(ours, [[3, 1]], "meter"), 3);
  assert.equal(changeOf(ours, [[3, 5]], "meter"), 5);
  assert.equal(changeOf({ ...NOTHING, number: 100 }, [[106, 4]], "meter"), 4);
  assert.equal(changeOf(ours, [[106, 4]], "plain"), 4);
});

/** Walks along numbers and the cycles that are told with them; answers the changes of each ten. */
function changesOf(samples: readonly (readonly [ts: Micros, number: number, cycle?: Micros])[], end: Micros) {
  const walk = new Walk("plain");
  const changes: (number | null)[] = [];
  for (let start = 0; start < end; start += 10) {
    walk.begin(start);
    for (const sample of samples) if (sample[0] >= start && sample[0] < start + 10) walk.sample(...sample);
    changes.push(walk.end(start + 10).change);
  }
  return changes;
}

for (const { name, samples, changes } of [
  {
    name: "begins at 0 in another cycle",
    samples: [
      [0, 5, 1],
      [5, 7],
      [10, 2, 2],
      [15, 3],
    ],
    changes: [2, 2 + 1],
  },
  {
    name: "goes on in the same one, told again",
    samples: [
      [0, 5, 1],
      [10, 7, 1],
      [20, 4, 1],
    ],
    changes: [0, 2, -3],
  },
  {
    name: "goes on in the first one that is told",
    samples: [
      [0, 5],
      [10, 7, 1],
    ],
    changes: [0, 2],
  },
  {
    name: "may fall below 0 in a new one",
    samples: [
      [0, 5, 1],
      [10, -2, 2],
    ],
    changes: [0, -2],
  },
  {
    name: "knows no order of cycles",
    samples: [
      [0, 5, 2],
      [10, 3, 1],
      [20, 4, 2],
    ],
    changes: [0, 3, 4],
  },
] as const satisfies { samples: Parameters<typeof changesOf>[0]; [more: string]: unknown }[]) {
  test(`a total ${name}`, () => assert.deepEqual(changesOf(samples, changes.length * 10), changes));
}

test("summaries of a total are added up as its samples are, whatever the cycle before them", () => {
  const number = fc.integer({ min: -20, max: 20 });
  const cycle = fc.option(fc.integer({ min: 1, max: 3 }), { nil: undefined, freq: 2 });
  const samples = fc.array(fc.tuple(number, cycle), { minLength: 1, maxLength: 20 });
  fc.assert(
    fc.property(samples, fc.array(fc.nat(20), { maxLength: 5 }), (told, cuts) => {
      const end = told.length;
      const whole = new Walk("plain");
      whole.begin(0);
      for (const [ts, [value, cycle]] of told.entries()) whole.sample(ts, value, cycle);
      const added = new Walk("plain");
      added.begin(0);
      const borders = [...new Set([0, ...cuts.filter((cut) => cut < end), end])].sort((a, b) => a - b);
      for (const [i, start] of borders.slice(0, -1).entries()) {
        const until = borders[i + 1]!;
        const own = told.slice(start, until);
        const columns = { ts: own.map((_, at) => start + at), values: own.map(([value]) => value) };
        const resets = {
          ts: own.flatMap(([, cycle], at) => (cycle === undefined ? [] : start + at)),
          values: own.flatMap(([, cycle]) => (cycle === undefined ? [] : new Date(cycle).toISOString())),
        };
        const [summary] = summarize({ kind: "plain", columns, silences: [], resets }, [start, until]);
        added.summary(summary!);
      }
      assert.equal(added.end(end).change, whole.end(end).change);
      assert.equal(added.carried.number, whole.carried.number);
    }),
    { numRuns: 2_000 },
  );
});
