import assert from "node:assert/strict";
import { test } from "node:test";
import type { SampleColumns } from "../../domain/sample.ts";
import { DAY_MICROS } from "../hot/day.ts";
import type { AggregateRequest } from "./aggregate.ts";
import { type AnswersOptions, createAnswers } from "./answers.ts";
import type { RolledDay } from "./build.ts";
import { SERIES_AT_ONCE } from "./course.ts";

const HOUR = 3_600_000_000;

/** One series with rollups of the days 0 to 2, of which `counts` are asked. */
function answersOf(
  rolled: Map<number, RolledDay>,
  counts: AnswersOptions["reader"]["counts"],
  more: Partial<AnswersOptions> = {},
) {
  return createAnswers({
    rolled,
    tables: () => [],
    isArchived: () => true,
    memory: { days: () => [], hasDay: () => false, within: unused, before: () => ({ ts: [], values: [] }) },
    silences: () => [],
    isState: () => false,
    kind: () => "plain",
    resetsOf: () => undefined,
    read: unused,
    readWhole: unused,
    reader: { aggregate: unused, means: unused, dayCounts: unused, daysWithHours: unused, counts },
    ...more,
  });
}

const unused = () => assert.fail("is not asked");

const request = {
  series: [1],
  borders: [0, DAY_MICROS, 2 * DAY_MICROS],
  until: 9 * DAY_MICROS,
  groups: null,
  loose: new Set<number>(),
};

test("a day that is built anew while it is read is asked for again", async () => {
  const rolled = new Map<number, RolledDay>([0, 1, 2].map((day) => [day, { cuts: [], statistics: false }]));
  const asked: (readonly string[])[] = [];
  const { figure } = answersOf(rolled, async ({ stretches }) => {
    asked.push(stretches.map(({ from, start, end }) => `${from} ${start / DAY_MICROS} to ${end / DAY_MICROS}`));
    if (asked.length === 1) rolled.set(1, { cuts: [DAY_MICROS + HOUR], statistics: true });
    return Float64Array.of(asked.length, 7);
  });
  const { series } = await figure(request, "count");
  assert.deepEqual(asked, [["parts 0 to 2"], ["parts 0 to 1", "hours 1 to 2"]]);
  assert.deepEqual([...series[0]!], [2, 7]);
});

test("other days that are built meanwhile are no reason to ask again, and an end comes to it", async () => {
  const rolled = new Map<number, RolledDay>([0, 1, 2].map((day) => [day, { cuts: [], statistics: false }]));
  let asked = 0;
  let built = 2;
  const { figure } = answersOf(rolled, async () => {
    rolled.set(built, { cuts: [], statistics: false });
    return Float64Array.of(++asked, 0);
  });
  await figure(request, "count");
  assert.equal(asked, 1);
  built = 0;
  const { series } = await figure(request, "count");
  assert.deepEqual([asked, series[0]![0]], [6, 6]);
});

for (const { name, hasTable } of [
  { name: "memory", hasTable: false },
  { name: "a table that late samples make anew", hasTable: true },
]) {
  test(`a day that goes from ${name} to the archive while a question is answered is asked for again`, async () => {
    const sample: SampleColumns = { ts: [HOUR], values: [7] };
    const rolled = new Map<number, RolledDay>();
    let isArchived = false;
    const counts: AnswersOptions["reader"]["counts"] = async ({ borders, stretches, series }) => {
      const inTable = hasTable && !isArchived && stretches[0]!.from === "samples" ? 1 : 0;
      // After the first turn's samples were looked for: the day is folded, and archived.
      isArchived = true;
      rolled.set(0, { cuts: null, statistics: false });
      const found = series.map(({ memory }) => inTable + (memory?.ts.length ?? 0));
      return Float64Array.from({ length: series.length * (borders.length - 1) }, (_, i) => found[i] ?? 0);
    };
    const { figure } = answersOf(rolled, counts, {
      tables: () => (hasTable ? [0] : []),
      isArchived: () => isArchived,
      memory: {
        days: () => (hasTable || isArchived ? [] : [0]),
        hasDay: () => !hasTable && !isArchived,
        within: () => (hasTable || isArchived ? NONE : sample),
        before: () => NONE,
      },
      readWhole: async () => sample,
    });
    // One more than are asked for at once.
    const series = Array.from({ length: SERIES_AT_ONCE + 1 }, (_, i) => i + 1);
    const answer = await figure({ ...request, series, borders: [0, DAY_MICROS] }, "count");
    assert.deepEqual(new Set(answer.series.map(([count]) => count)), new Set([1]));
  });
}

/** One text was late on the day 0; the question begins with the day 1. */
function afterLate(late: SampleColumns, more: Partial<AnswersOptions>) {
  const rolled = new Map<number, RolledDay>([0, 1, 2].map((day) => [day, { cuts: [], statistics: false }]));
  const means = async ({ series }: AggregateRequest) => {
    const weights = new Float64Array(series.length);
    return { means: weights.map(() => Number.NaN), weights };
  };
  const { figure } = answersOf(rolled, async () => new Float64Array(24), {
    memory: { days: () => [0], hasDay: (day) => day === 0, within: () => late, before: () => NONE },
    reader: {
      aggregate: unused,
      means,
      dayCounts: unused,
      daysWithHours: unused,
      counts: async () => new Float64Array(24),
    },
    ...more,
  });
  return figure({ ...request, borders: [DAY_MICROS, 2 * DAY_MICROS] }, "mean");
}

const NONE: SampleColumns = { ts: [], values: [] };

test("samples are not looked for before a question because another series had a late one", async () => {
  await afterLate(NONE, { read: unused, readWhole: unused });
});

test("the last number of a series of texts is looked for day by day", async () => {
  const late = { ts: [HOUR], values: ["on"] };
  let asked = 0;
  const before = async () => [{ ts: [5 * HOUR - asked++], values: ["off"] }];
  const days: number[] = [];
  const readWhole: AnswersOptions["readWhole"] = async (_, { start }) => {
    days.push(start / DAY_MICROS);
    return late;
  };
  await afterLate(late, { read: before, readWhole });
  assert.equal(asked, 1);
  assert.deepEqual(new Set(days), new Set([0]));
});
