import assert from "node:assert/strict";
import { type TestContext, test } from "node:test";
import type { Archive, ArchivedSeries } from "../../domain/archive.ts";
import type { Micros, Span, Value } from "../../domain/sample.ts";

const DAY = 86_400_000_000;
/** 2026-11-24T00:00:00Z. */
const T0 = Date.UTC(2026, 10, 24) * 1000;
const EVERYTHING = { start: T0 - 1000 * DAY, end: T0 + 1000 * DAY, limit: 1_000_000, includeStart: false };

/** An archive over a hot tier, both empty at first, and a way to put samples into the hot tier. */
export interface ArchiveFixture {
  readonly archive: Archive;
  /** The series of a subject. */
  series(subject: string): ArchivedSeries;
  /** Resolves when the hot tier holds them durably. */
  put(subject: string, samples: readonly (readonly [Micros, Value])[]): Promise<void>;
  /** As after a restart of the program; what was archived must be there. Undefined where nothing lasts. */
  reopen?(): Promise<ArchiveFixture>;
}

const VALUES: { name: string; value: Value }[] = [
  { name: "a fraction", value: 21.5 },
  { name: "zero", value: 0 },
  { name: "a negative number", value: -40 },
  { name: "the largest safe integer", value: Number.MAX_SAFE_INTEGER },
  { name: "2^53 + 2", value: 2 ** 53 + 2 },
  { name: "a large number", value: 1e300 },
  { name: "the smallest number", value: 5e-324 },
  { name: "infinity", value: Number.POSITIVE_INFINITY },
  { name: "minus infinity", value: Number.NEGATIVE_INFINITY },
  { name: "text", value: "on" },
  { name: "text that looks like a number", value: "007" },
  { name: "empty text", value: "" },
  { name: "text with NUL", value: "a\0b\0" },
  { name: "an emoji", value: "☀️🏠" },
  { name: "255 characters", value: "ä".repeat(255) },
  { name: "null", value: null },
];

/** Holds an engine to the promises of `Archive`. A new engine is one more line in the list that calls this. */
export function testArchive(name: string, open: (t: TestContext) => Promise<ArchiveFixture>): void {
  const day = (number: number): Span => ({ start: T0 + number * DAY, end: T0 + (number + 1) * DAY });

  async function rows(
    { archive, series }: ArchiveFixture,
    subject: string,
    question: object = {},
  ): Promise<[Micros, Value][]> {
    const [columns] = await archive.read([{ series: series(subject), ...EVERYTHING, ...question }]);
    assert.equal(columns!.warnings, undefined);
    return columns!.ts.map((ts, i) => [ts, columns!.values[i]!]);
  }

  test(`${name}: an empty archive answers with nothing`, async (t) => {
    const fixture = await open(t);
    const { archive, series } = fixture;
    assert.deepEqual(await rows(fixture, "a", { includeStart: true }), []);
    assert.equal(await archive.append(day(0)), 0);
    const [{ periods } = { periods: [] }] = await archive.aggregate([{ series: series("a"), edges: [T0, T0 + 1] }]);
    assert.deepEqual(periods, [{ samples: 0, numbers: 0, sum: 0, min: null, max: null, first: null, last: null }]);
    assert.equal(await archive.dropBefore(T0), T0);
    const { oldest, newest, samples, healthy } = archive.health();
    assert.deepEqual({ oldest, newest, samples, healthy }, { oldest: null, newest: null, samples: 0, healthy: true });
  });

  test(`${name}: append() keeps every kind of value, at the borders of a day and over a restart`, async (t) => {
    let fixture = await open(t);
    const samples = VALUES.map(({ value }, i): [Micros, Value] => [T0 + i, value]);
    samples.push([T0 + DAY - 1, "last"]);
    await fixture.put("a", samples);
    await fixture.put("a", [[T0 + DAY, "next day"]]);
    assert.equal(await fixture.archive.append(day(0)), samples.length);
    for (let round = 0; round < 2; round++) {
      assert.deepEqual(await rows(fixture, "a", { end: T0 + DAY }), samples);
      const { oldest, newest, samples: count } = fixture.archive.health();
      assert.deepEqual({ oldest, newest, count }, { oldest: T0, newest: T0 + DAY - 1, count: samples.length });
      if (fixture.reopen) fixture = await fixture.reopen();
    }
  });

  test(`${name}: append() takes a time once, and the one that was archived first stays`, async (t) => {
    const fixture = await open(t);
    await fixture.put("a", [
      [T0 + 5, "first"],
      [T0 + 7, 1],
    ]);
    assert.equal(await fixture.archive.append(day(0)), 2);
    assert.equal(await fixture.archive.append(day(0)), 0);
    await fixture.put("a", [
      [T0 + 5, "second"],
      [T0 + 6, "late"],
    ]);
    await fixture.archive.append(day(0));
    assert.deepEqual(await rows(fixture, "a"), [
      [T0 + 5, "first"],
      [T0 + 6, "late"],
      [T0 + 7, 1],
    ]);
    assert.equal(fixture.archive.health().samples, 3);
  });

  test(`${name}: append() leaves what is outside of the span`, async (t) => {
    const fixture = await open(t);
    for (const number of [0, 1, 2]) await fixture.put("a", [[T0 + number * DAY + 3, number]]);
    assert.equal(await fixture.archive.append(day(1)), 1);
    assert.deepEqual(await rows(fixture, "a"), [[T0 + DAY + 3, 1]]);
    assert.equal(await fixture.archive.append({ start: T0 - 100 * DAY, end: T0 + 100 * DAY }), 2);
    assert.deepEqual(
      (await rows(fixture, "a")).map(([, value]) => value),
      [0, 1, 2],
    );
  });

  test(`${name}: read() is half-open, stops at its limit and finds the value in force`, async (t) => {
    const fixture = await open(t);
    await fixture.put(
      "a",
      [0, 10, 20, 30].map((unit) => [T0 + (unit * DAY) / 10, unit]),
    );
    await fixture.put("b", [[T0 + 1, "other"]]);
    await fixture.archive.append({ start: T0, end: T0 + 10 * DAY });
    const cases: { ask: object; expected: number[] }[] = [
      { ask: { start: 10, end: 20 }, expected: [10] },
      { ask: { start: 0, end: 10 }, expected: [0] },
      { ask: { start: 1, end: 10 }, expected: [] },
      { ask: { start: 30, end: 10 }, expected: [] },
      { ask: { start: 0, end: 99, limit: 2 }, expected: [0, 10] },
      { ask: { start: 0, end: 99, limit: 0 }, expected: [] },
      { ask: { start: 15, end: 99, limit: 1, includeStart: true }, expected: [10, 20] },
      { ask: { start: 20, end: 99, includeStart: true }, expected: [10, 20, 30] },
      { ask: { start: 25, end: 99, limit: 0, includeStart: true }, expected: [20] },
      { ask: { start: 0, end: 5, includeStart: true }, expected: [0] },
      { ask: { start: 500, end: 600, includeStart: true }, expected: [30] },
    ];
    for (const { ask, expected } of cases) {
      const { start, end, ...rest } = ask as { start: number; end: number };
      const found = await rows(fixture, "a", { start: T0 + (start * DAY) / 10, end: T0 + (end * DAY) / 10, ...rest });
      assert.deepEqual(
        found.map(([, value]) => value),
        expected,
        JSON.stringify(ask),
      );
    }
  });

  test(`${name}: read() stops where its texts get too long, and says where`, async (t) => {
    const fixture = await open(t);
    const samples = Array.from({ length: 3_000 }, (_, i): [Micros, Value] => {
      return [T0 + (i * DAY) / 1_000, i % 3 === 0 ? i : `${i}`.padEnd(i % 100, "ä")];
    });
    await fixture.put("a", samples);
    await fixture.archive.append({ start: T0, end: T0 + 10 * DAY });
    const found: Value[] = [];
    for (let start = T0, parts = 0; ; parts++) {
      const question = { series: fixture.series("a"), ...EVERYTHING, start, charactersMax: 20_000 };
      const [{ values, cutAt } = { values: [] }] = await fixture.archive.read([question]);
      found.push(...values);
      if (cutAt === undefined) {
        assert.ok(parts >= 4, `${parts} parts`);
        break;
      }
      assert.ok(cutAt > start && values.length > 0);
      assert.ok(values.reduce((sum: number, value) => sum + `${value}`.length, 0) < 30_000);
      start = cutAt;
    }
    assert.deepEqual(
      found,
      samples.map(([, value]) => value),
    );
    const first = { ...EVERYTHING, start: T0 + DAY / 1_000, charactersMax: 0, includeStart: true };
    assert.deepEqual(
      (await rows(fixture, "a", first)).map(([, value]) => value),
      samples.slice(0, 2).map(([, value]) => value),
    );
  });

  test(`${name}: read() answers in the order of the questions, also for what it does not know`, async (t) => {
    const fixture = await open(t);
    await fixture.put("a", [[T0, "a"]]);
    await fixture.put("b", [[T0, "b"]]);
    await fixture.archive.append(day(0));
    const questions = ["unknown", "b", "a", "b"].map((subject) => ({ series: fixture.series(subject), ...EVERYTHING }));
    const answers = await fixture.archive.read(questions);
    assert.deepEqual(
      answers.map(({ values }) => values),
      [[], ["b"], ["a"], ["b"]],
    );
  });

  test(`${name}: aggregate() condenses what read() gives`, async (t) => {
    const fixture = await open(t);
    const samples: [Micros, Value][] = [];
    // 40 days, so that engines which work by month have more than one piece.
    for (let i = 0; i < 400; i++)
      samples.push([T0 + (i * DAY) / 10, i % 9 === 0 ? "off" : i % 13 === 0 ? null : i / 4]);
    await fixture.put("a", samples);
    await fixture.archive.append({ start: T0, end: T0 + 100 * DAY });
    const edges = [T0 - DAY, T0 + DAY / 4, T0 + 3 * DAY, T0 + 3 * DAY + 1, T0 + 39 * DAY];
    const [answer] = await fixture.archive.aggregate([{ series: fixture.series("a"), edges }]);
    const expected = edges.slice(1).map((end, i) => {
      const within = samples.filter(([ts]) => ts >= edges[i]! && ts < end);
      const numbers = within.flatMap(([, value]) => (typeof value === "number" ? [value] : []));
      return {
        samples: within.length,
        numbers: numbers.length,
        sum: numbers.reduce((sum, value) => sum + value, 0),
        min: numbers.length === 0 ? null : Math.min(...numbers),
        max: numbers.length === 0 ? null : Math.max(...numbers),
        first: numbers[0] ?? null,
        last: numbers.at(-1) ?? null,
      };
    });
    assert.deepEqual(answer!.periods, expected);
  });

  test(`${name}: dropBefore() forgets old samples and touches nothing newer`, async (t) => {
    let fixture = await open(t);
    const samples = [0, 1, 2, 3].map((number): [Micros, Value] => [T0 + number * DAY + 5, number]);
    await fixture.put("a", samples);
    await fixture.archive.append({ start: T0, end: T0 + 10 * DAY });
    const ts = T0 + 2 * DAY;
    const left = await fixture.archive.dropBefore(ts);
    assert.ok(left <= ts);
    for (let round = 0; round < 2; round++) {
      const found = await rows(fixture, "a");
      assert.deepEqual(
        found.filter(([time]) => time >= ts),
        samples.slice(2),
      );
      assert.ok(found.every(([time]) => time >= left));
      assert.deepEqual(
        found,
        samples.filter(([time]) => time >= left),
      );
      if (fixture.reopen) fixture = await fixture.reopen();
    }
    // A sample older than what was dropped may still come, and goes with the next drop.
    await fixture.put("a", [[T0 + 9, "late"]]);
    await fixture.archive.append({ start: T0, end: T0 + 10 * DAY });
    assert.deepEqual((await rows(fixture, "a"))[0], [T0 + 9, "late"]);
    assert.equal(await fixture.archive.dropBefore(ts), ts);
    assert.deepEqual(await rows(fixture, "a"), samples.slice(2));
  });

  test(`${name}: append() twice at a time is as good as once`, async (t) => {
    const fixture = await open(t);
    const samples = Array.from({ length: 300 }, (_, i): [Micros, Value] => [T0 + i * 3_000_000_000, i]);
    await fixture.put("a", samples);
    const span = { start: T0, end: T0 + 30 * DAY };
    const [first, second] = await Promise.all([fixture.archive.append(span), fixture.archive.append(span)]);
    assert.equal(first + second, samples.length);
    assert.deepEqual(await rows(fixture, "a"), samples);
  });
}
