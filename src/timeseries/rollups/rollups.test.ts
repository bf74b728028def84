import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesKey, SeriesNumber } from "../../domain/series.ts";
import { PERIODS, type Period, periodBorders } from "../../lib/calendar.ts";
import { silentLog } from "../../lib/log.ts";
import { openStore, type Store } from "../store.ts";
import { comparable, cyclesOf, figuresOf, type Resets, withDigitsOf } from "./brute-force.ts";
import { createRollups } from "./rollups.ts";

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
/** Clocks change in Amsterdam on the second day. */
const T0 = Date.UTC(2026, 9, 24) * 1000;
const DAYS = 4;

interface Opened extends AsyncDisposable {
  readonly directory: string;
  store: Store;
  /** `meanwhile`: while the file is closed. */
  reopen(meanwhile?: () => void): Promise<void>;
}

/** A store in a folder of its own; the clock and the time zone can be moved. */
async function openOne(
  clock: { now: Micros; timeZone: string },
  rawDays: (series: SeriesKey) => number = () => 0,
): Promise<Opened> {
  const directory = mkdtempSync(join(tmpdir(), "rollups-test-"));
  const open = () =>
    openStore({
      directory,
      commitSeconds: 1000,
      settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
      log: silentLog(),
      now: () => clock.now,
      timeZone: () => clock.timeZone,
      // Days are archived when a test says so: by `seal`.
      archive: { hotDays: 0, firstMs: 1e9 },
      // As is dropped what is older: by `retain`.
      retention: {
        firstMs: 1e9,
        checkMs: 1e9,
        policy: {
          limits: (series) => ({ rawDays: rawDays(series), rollupDays: 0 }),
          blocked: () => null,
          budgetBytes: 0,
        },
      },
    });
  const opened: Opened = {
    directory,
    store: await open(),
    async reopen(meanwhile) {
      await opened.store.close();
      meanwhile?.();
      opened.store = await open();
    },
    async [Symbol.asyncDispose]() {
      await opened.store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return opened;
}

const KINDS = [
  { subject: "a", field: "state", stateClass: "measurement" },
  { subject: "a", field: "energy", stateClass: "total_increasing" },
  { subject: "cost", field: "state", stateClass: "total" },
] as const;
const TOTAL = KINDS.length - 1;

function makeSeries(store: Store): SeriesNumber[] {
  return KINDS.map(({ subject, field, stateClass }) => {
    const number = store.series({ measurement: "state", subject, field }, `sensor.${subject}`, T0);
    store.describe(number, { unit: null, deviceClass: null, stateClass }, T0);
    return number;
  });
}

/** Of the total. */
function makeResets(store: Store): SeriesNumber {
  return store.series({ measurement: "state", subject: "cost", field: "last_reset" }, "sensor.cost", T0);
}

/** Sums are taken in another order here and there, so their last digits may differ. */
const short = (number: number): number => Number(number.toPrecision(9));

type Samples = readonly (readonly [Micros, Value])[];

function wanted(
  samples: Samples,
  borders: readonly Micros[],
  until: Micros,
  meter: boolean,
  silences: readonly Micros[],
  resets?: Resets,
): unknown[] {
  const known = samples.filter(([ts]) => ts < until);
  return borders.slice(1).map((end, i) => {
    const start = borders[i]!;
    return start < until ? comparable(figuresOf(known, start, Math.min(end, until), meter, silences, resets)) : null;
  });
}

interface Expected {
  readonly samples: ReadonlyMap<SeriesNumber, Samples>;
  readonly meter?: SeriesNumber | undefined;
  readonly silences?: readonly Micros[];
  /** Whether nothing is known of the series in the bucket that begins there. */
  readonly isUnknown?: (border: Micros, series: SeriesNumber) => boolean;
}

/** Compares what is answered to a question, as all figures and as one alone, with brute force; answers the warnings. */
async function assertFigures(
  store: Store,
  request: Parameters<Store["statistics"]>[0],
  { samples, meter, silences = [], isUnknown = () => false }: Expected,
): Promise<readonly string[]> {
  const { series, borders, until } = request;
  const answer = await store.statistics(request);
  const means = await store.figure(request, "mean");
  const counts = await store.figure(request, "count");
  assert.deepEqual([means.warnings, counts.warnings], [answer.warnings, answer.warnings]);
  for (const [i, one] of series.entries()) {
    const expected = wanted(samples.get(one)!, borders, until, one === meter, silences);
    const buckets = answer.series[i]!;
    const known = expected.map((figures, at) => (isUnknown(borders[at]!, one) ? null : figures));
    assert.deepEqual(withDigitsOf(known, buckets.map(comparable)), known);
    const wantedMeans = buckets.map((bucket) => bucket?.mean ?? Number.NaN);
    assert.deepEqual(withDigitsOf(wantedMeans, [...means.series[i]!]), wantedMeans);
    assert.deepEqual(
      [...counts.series[i]!],
      buckets.map((bucket, at) => (isUnknown(borders[at]!, one) ? Number.NaN : (bucket?.count ?? 0))),
    );
  }
  return answer.warnings;
}

/** Days of a series and a meter with a sample each quarter of an hour, and of one that is quiet after its first. */
function appendQuarters(store: Store, days: number) {
  const [plain, meter] = makeSeries(store) as [SeriesNumber, SeriesNumber];
  const quiet = store.series({ measurement: "state", subject: "q", field: "state" }, "sensor.q", T0);
  const samples = new Map<SeriesNumber, [Micros, Value][]>();
  const append = (series: SeriesNumber, ts: Micros, value: Value): void => {
    samples.set(series, [...(samples.get(series) ?? []), [ts, value]]);
    store.append(series, ts, value);
  };
  for (let quarter = 0; quarter < days * 96; quarter++) {
    const ts = T0 + quarter * (HOUR / 4) + 60_000_000;
    append(plain, ts, 20 + (quarter % 50));
    append(meter, ts, quarter % 200);
  }
  append(quiet, T0, 7);
  return { plain, meter, quiet, samples, append };
}

/** Retention counts from a day that a week of days with samples confirms. */
function confirmDays(store: Store, now: Micros): void {
  const running = store.series({ measurement: "system", subject: "process", field: "running" }, null, T0);
  for (const ts of [T0 - DAY, now]) store.append(running, ts, 1);
}

const value = fc.oneof(
  { arbitrary: fc.integer({ min: -10, max: 200 }).map((half) => half / 2), weight: 8 },
  {
    arbitrary: fc.constantFrom("on", "unavailable", "", "__proto__", `long ${"☀\0".repeat(300)}`, "ä".repeat(256)),
    weight: 3,
  },
  { arbitrary: fc.constantFrom(null, Number.POSITIVE_INFINITY), weight: 1 },
);
/** Often on a border. */
const time = fc.oneof(
  fc.integer({ min: 0, max: DAYS * DAY - 1 }),
  fc.integer({ min: 0, max: DAYS * 24 * 12 - 1 }).map((n) => n * 300_000_000),
);
/** What the `last_reset` of a total becomes, with a sample or between two; undefined: it stays. */
const reset = fc.constantFrom(
  ...[undefined, undefined, undefined, null, "never", "2026-10-24T00:00:00+00:00", "2026-10-24T02:00:00+02:00"],
  ...["2026-10-25T01:00:00.001+02:00", "2026-10-26T00:00:00"],
);
const step = fc.record({
  samples: fc.array(fc.tuple(fc.constantFrom(0, 1), time, value), { maxLength: 25 }),
  totals: fc.array(fc.tuple(time, fc.option(value, { nil: undefined }), reset), { maxLength: 20 }),
  downtimes: fc.array(time, { maxLength: 2 }),
  next: fc.constantFrom("nothing", "fold", "roll up", "seal", "restart", "other zone"),
});
const zone = fc.constantFrom("UTC", "Europe/Amsterdam", "Asia/Kolkata", "Australia/Lord_Howe", "Pacific/Apia");
const question = fc.record({
  period: fc.constantFrom(...PERIODS),
  start: fc.integer({ min: -DAY, max: DAYS * DAY }),
  length: fc.integer({ min: 1, max: 2 * DAY }),
});

test("statistics() gives the figures of the samples wherever they are", { timeout: 300_000 }, async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 6 }),
    zone,
    zone,
    fc.constantFrom(DAYS, 2.3),
    fc.array(question, { minLength: 3, maxLength: 6 }),
    async (steps, firstZone, secondZone, nowDays, questions) => {
      const clock = { now: T0 + nowDays * DAY, timeZone: firstZone };
      await using opened = await openOne(clock);
      const numbers = makeSeries(opened.store);
      const resets = makeResets(opened.store);
      const model = KINDS.map(() => new Map<Micros, Value>());
      const told = new Map<Micros, Value>();
      const silences = new Set<Micros>();
      const append = (series: number, ts: Micros, sample: Value): void => {
        opened.store.append(numbers[series]!, ts, sample);
        if (!model[series]!.has(ts)) model[series]!.set(ts, sample);
      };
      for (const { samples, totals, downtimes, next } of steps) {
        for (const offset of downtimes) {
          goDown(opened.store, T0 + offset);
          silences.add(T0 + offset + 1);
        }
        for (const [series, offset, sample] of samples) append(series, T0 + offset, sample);
        for (const [offset, sample, reset] of totals) {
          const ts = T0 + offset;
          if (sample !== undefined) append(TOTAL, ts, sample);
          if (reset === undefined || told.has(ts)) continue;
          told.set(ts, reset);
          opened.store.append(resets, ts, reset);
        }
        if (next === "other zone") clock.timeZone = secondZone;
        if (next === "fold") await opened.store.fold();
        if (next === "roll up") {
          await opened.store.fold();
          await opened.store.rollUp();
        }
        if (next === "seal") {
          await opened.store.fold();
          await opened.store.seal();
        }
        if (next === "restart") await opened.reopen();
      }
      const silent = [...silences].sort((a, b) => a - b);
      const all = model.map((samples) => [...samples].sort((a, b) => a[0] - b[0]));
      const cycles = cyclesOf(all[TOTAL]!, told);
      for (const { period, start, length } of questions) {
        const borders = periodBorders(period, T0 + start, T0 + start + length, clock.timeZone);
        const request = { series: numbers, borders, until: clock.now, group: false };
        const { series, warnings } = await opened.store.statistics(request);
        assert.deepEqual(warnings, []);
        for (const [i, { field }] of KINDS.entries()) {
          const ends = field === "state" ? silent : [];
          const known = i === TOTAL ? cycles : undefined;
          const expected = wanted(all[i]!, borders, clock.now, field === "energy", ends, known);
          assert.deepEqual(withDigitsOf(expected, series[i]!.map(comparable)), expected, `${field} by ${period}`);
        }
        const counts = await opened.store.figure({ ...request, group: true }, "count");
        const whole = series[0]!.map((_, i) => series.reduce((sum, one) => sum + (one[i]?.count ?? 0), 0));
        assert.deepEqual([...counts.series[0]!], whole);
        const means = await opened.store.figure(request, "mean");
        for (const [i, buckets] of series.entries()) {
          const expected = buckets.map((bucket) => bucket?.mean ?? Number.NaN);
          assert.deepEqual(withDigitsOf(expected, [...means.series[i]!]), expected, `mean by ${period}`);
        }
      }
    },
  );
  // A sample older than a downtime comes after the downtime's day was built.
  const late: (typeof step extends fc.Arbitrary<infer Step> ? Step : never)[] = [
    {
      samples: [
        [1, 222_714_001_679, null],
        [1, 172_500_000_000, ""],
      ],
      totals: [],
      downtimes: [],
      next: "roll up",
    },
    {
      samples: [
        [0, 306_591_843_678, 46.5],
        [0, 15, 0],
      ],
      totals: [],
      downtimes: [237_900_000_000],
      next: "fold",
    },
  ];
  const week = { period: "week" as const, start: 208_617_069_020, length: 12 };
  await fc.assert(property, { numRuns: 40, endOnFailure: true, examples: [[late, "UTC", "UTC", DAYS, [week]]] });
});

/** Home Assistant was down for a minute from then on, as its history shows afterwards. */
function goDown(store: Store, start: Micros): void {
  const gap = store.gaps.open("socket_closed", start);
  const end = start + 60_000_000;
  store.gaps.update(gap.id, { end, state: "partial", closedAt: end, downtime: { start, end } });
}

for (const tier of ["tables", "archive"])
  test(`nothing is bridged over a downtime that becomes known later: ${tier}`, async () => {
    const clock = { now: T0 + 9 * DAY + HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const hall = store.series({ measurement: "state", subject: "hall", field: "state" }, "sensor.hall", T0);
    const level = store.series({ measurement: "state", subject: "hall", field: "level" }, "sensor.hall", T0);
    const rain = store.series({ measurement: "weather", subject: "here", field: "rain" }, null, T0);
    // Of the hall there is no sample on the day itself.
    for (const series of [hall, level, rain]) {
      store.append(series, series === hall ? T0 - HOUR : T0, 10);
      store.append(series, T0 + DAY + 18 * HOUR, 30);
    }
    const means = async (series: SeriesNumber) => {
      const request = { series: [series], borders: [T0, T0 + DAY, T0 + 2 * DAY], until: clock.now, group: false };
      const [figures] = (await opened.store.statistics(request)).series;
      const [lone] = (await opened.store.figure(request, "mean")).series;
      assert.deepEqual(
        figures!.map((bucket) => bucket?.mean ?? Number.NaN),
        [...lone!],
      );
      return figures!.map((bucket) => [bucket?.mean, short((bucket?.weight ?? 0) / HOUR)]);
    };
    const bridged = [
      [10, 24],
      [15, 24],
    ];
    const ended = [
      [10, 6],
      [30, 6],
    ];
    await store.fold();
    assert.equal(await store.rollUp(), 3);
    if (tier === "archive") assert.equal(await store.seal(), 6);
    assert.deepEqual(await means(hall), bridged);
    goDown(store, T0 + 6 * HOUR);
    assert.deepEqual(await means(hall), ended, "before the rollups are built again");
    assert.equal(await store.rollUp(), 3);
    assert.deepEqual(await means(hall), ended, "from rollups");
    assert.deepEqual(await means(rain), bridged, "the weather goes on");
    assert.deepEqual(await means(level), bridged, "an attribute that is told again unchanged has no new sample");
    await store.flush();
    await opened.reopen();
    assert.equal(await opened.store.rollUp(), 3);
    assert.deepEqual(await means(hall), ended, "after a restart");
  });

for (const tier of ["memory", "tables", "rollups", "archive"])
  test(`what came last before a downtime ends with it as well: ${tier}`, async () => {
    const clock = { now: T0 + 9 * DAY + HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const hall = store.series({ measurement: "state", subject: "hall", field: "state" }, "sensor.hall", T0);
    store.append(hall, T0, 10);
    store.append(hall, T0 + 6 * HOUR, 20);
    store.append(hall, T0 + DAY + 18 * HOUR, 30);
    goDown(store, T0 + 6 * HOUR);
    if (tier !== "memory") await store.fold();
    if (tier === "rollups" || tier === "archive") assert.equal(await store.rollUp(), 2);
    if (tier === "archive") assert.ok((await store.seal()) > 0);
    for (const borders of [
      [T0, T0 + DAY, T0 + 2 * DAY],
      [T0, T0 + 7 * HOUR, T0 + 2 * DAY],
    ]) {
      const request = { series: [hall], borders, until: clock.now, group: false };
      const [figures] = (await store.statistics(request)).series;
      assert.deepEqual(
        figures!.map((bucket) => [short(bucket?.mean ?? 0), short((bucket?.weight ?? 0) / HOUR), bucket?.count]),
        [
          [10, 6, 2],
          [30, 6, 1],
        ],
      );
      assert.deepEqual([...(await store.figure(request, "mean")).series[0]!].map(short), [10, 30]);
    }
    // The downtime lies before the question.
    const later = { series: [hall], borders: [T0 + 7 * HOUR, T0 + 8 * HOUR], until: clock.now, group: false };
    assert.deepEqual((await store.statistics(later)).series, [[null]]);
    assert.deepEqual([...(await store.figure(later, "mean")).series[0]!], [Number.NaN]);
  });

for (const tier of ["memory", "tables", "rollups", "archive"])
  test(`a total begins anew with another last_reset, also after it was unavailable: ${tier}`, async () => {
    const clock = { now: T0 + 9 * DAY + HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const [, , cost] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
    const resets = makeResets(store);
    const tell = (ts: Micros, value: Value, reset?: string | null): void => {
      store.append(cost, ts, value);
      if (reset !== undefined) store.append(resets, ts, reset);
    };
    const [first, second] = ["2026-10-24T00:00:00+00:00", "2026-10-25T08:30:00+00:00"];
    tell(T0 + HOUR, 0, first);
    tell(T0 + 20 * HOUR, 12);
    tell(T0 + 21 * HOUR, "unavailable", null);
    tell(T0 + 22 * HOUR, 13, first);
    tell(T0 + DAY + 8 * HOUR, "unavailable", null);
    tell(T0 + DAY + 9 * HOUR, 0.5, second);
    tell(T0 + DAY + 9 * HOUR + 1, 4);
    tell(T0 + DAY + 10 * HOUR, 3);
    if (tier !== "memory") await store.fold();
    if (tier === "rollups" || tier === "archive") assert.equal(await store.rollUp(), 2);
    if (tier === "archive") assert.ok((await store.seal()) > 0);
    await store.flush();
    for (const state of ["as it was written", "after a restart"]) {
      for (const { borders, changes } of [
        { borders: [0, DAY, 2 * DAY], changes: [13, 3] },
        { borders: [8, 9, 10, 11].map((hour) => DAY + hour * HOUR), changes: [undefined, 4, -1] },
        { borders: [DAY + 9 * HOUR, DAY + 9 * HOUR + 1, DAY + 10 * HOUR + 1], changes: [0.5, 2.5] },
        { borders: [21 * HOUR + 1, DAY + 8 * HOUR, DAY + 9 * HOUR + 1], changes: [1, 0.5] },
      ]) {
        const request = { series: [cost], borders: borders.map((at) => T0 + at), until: clock.now, group: false };
        const [figures] = (await opened.store.statistics(request)).series;
        assert.deepEqual(
          figures!.map((bucket) => bucket?.change ?? undefined),
          changes,
          `${state}: ${borders.map((at) => at / HOUR)}`,
        );
      }
      await opened.reopen();
    }
  });

for (const tier of ["memory", "tables", "rollups", "archive"])
  test(`a last_reset that comes between two numbers counts with the next one of its day: ${tier}`, async () => {
    const clock = { now: T0 + 9 * DAY + HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const [, , cost] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
    const resets = makeResets(store);
    for (const [hour, value] of [
      [1, 5],
      [11.5, 6],
      [20, 8],
      [30, 7],
    ] as const)
      store.append(cost, T0 + hour * HOUR, value);
    for (const [hour, reset] of [
      [1, "2026-10-24T01:00:00+00:00"],
      [10.5, "2026-10-24T10:30:00+00:00"],
      [23, "2026-10-24T23:00:00+00:00"],
    ] as const)
      store.append(resets, T0 + hour * HOUR, reset);
    if (tier !== "memory") await store.fold();
    if (tier === "rollups" || tier === "archive") assert.equal(await store.rollUp(), 2);
    if (tier === "archive") assert.ok((await store.seal()) > 0);
    for (const { borders, changes } of [
      { borders: [0, 24, 48], changes: [6 + 2, -1] },
      { borders: [11, 12, 21], changes: [6, 2] },
      { borders: [11.25, 11.75], changes: [6] },
      { borders: [29, 31], changes: [-1] },
    ]) {
      const request = { series: [cost], borders: borders.map((at) => T0 + at * HOUR), until: clock.now, group: false };
      const [figures] = (await store.statistics(request)).series;
      const found = figures!.map((bucket) => bucket?.change);
      assert.deepEqual(found, changes, `${borders}`);
    }
  });

test("a day that is added up again keeps what its last_reset told when that is lost", async () => {
  const clock = { now: T0 + DAY + HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock);
  const [plain, , cost] = makeSeries(opened.store) as [SeriesNumber, SeriesNumber, SeriesNumber];
  const resets = makeResets(opened.store);
  for (const [hour, value, reset] of [
    [1, 5, "2026-10-24T01:00:00+00:00"],
    [10, 2, "2026-10-24T10:00:00+00:00"],
  ] as const) {
    opened.store.append(cost, T0 + hour * HOUR, value);
    opened.store.append(resets, T0 + hour * HOUR, reset);
  }
  await opened.store.fold();
  await opened.store.rollUp();
  await opened.reopen(() => {
    // As after a damaged page that only these were on.
    using db = new DatabaseSync(join(opened.directory, "timeseries.db"));
    db.prepare("DELETE FROM samples_20261024 WHERE series = ?").run(resets);
  });
  opened.store.append(plain, T0 + 2 * HOUR, 20);
  await opened.store.fold();
  assert.equal(await opened.store.rollUp(), 1);
  const request = { series: [plain, cost], until: clock.now, group: false };
  for (const borders of [
    [T0, T0 + DAY],
    [T0 + 9 * HOUR, T0 + 11 * HOUR],
  ]) {
    const { series } = await opened.store.statistics({ ...request, borders });
    assert.deepEqual(series[1]![0]!.change, 2);
  }
  const [counts] = (await opened.store.figure({ ...request, borders: [T0, T0 + DAY] }, "count")).series;
  assert.deepEqual([...counts!], [1]);
});

async function filled(opened: Opened, days: number): Promise<SeriesNumber[]> {
  const numbers = makeSeries(opened.store);
  for (let hour = 0; hour < days * 24; hour++) {
    opened.store.append(numbers[0]!, T0 + hour * HOUR + 600_000_000, hour);
    opened.store.append(numbers[1]!, T0 + hour * HOUR + 600_000_000, hour % 30);
  }
  await opened.store.fold();
  return numbers;
}

const ask = (series: readonly SeriesNumber[], period: Period, until: Micros) => ({
  series,
  borders: periodBorders(period, T0, T0 + DAYS * DAY, "Europe/Amsterdam"),
  until,
  group: false,
});

test("rollUp() builds the days that are over, once, and again after late samples", async () => {
  const clock = { now: T0 + 3 * DAY + HOUR, timeZone: "Europe/Amsterdam" };
  await using opened = await openOne(clock);
  const [series] = await filled(opened, 3.5);
  assert.equal(await opened.store.rollUp(), 3);
  opened.store.append(series!, T0 + DAY + 1, 1000);
  assert.equal(await opened.store.rollUp(), 3, "the sample is in memory: the day's rollups stay, unused");
  const max = async () => {
    const {
      series: [figures],
    } = await opened.store.statistics(ask([series!], "day", clock.now));
    return figures!.map((bucket) => bucket?.max);
  };
  const before = await max();
  assert.equal(before[1], 1000);
  await opened.store.fold();
  assert.equal(await opened.store.rollUp(), 3);
  assert.deepEqual(await max(), before);
  await opened.reopen();
  assert.equal(await opened.store.rollUp(), 3);
  assert.deepEqual(await max(), before);
});

test("late samples of an archived day have their own series added up again, cut as before, and no other", async () => {
  const day = T0 / DAY;
  const cuts = [T0 + 22 * HOUR];
  const read: SeriesNumber[] = [];
  const stored: unknown[] = [];
  let isBusy = false;
  const unused = () => assert.fail("is not asked");
  const rollups = createRollups({
    stored: [[day, { cuts, statistics: false }]],
    timeZone: () => "Asia/Kolkata",
    now: () => T0 + 9 * DAY,
    log: silentLog(),
    tables: () => [day],
    isArchived: () => true,
    allSeries: () => Array.from({ length: 1000 }, (_, series) => series),
    async read([request]) {
      read.push(request!.series);
      return [{ ts: [T0 + HOUR], values: [7] }];
    },
    kind: () => "plain",
    resetsOf: () => undefined,
    memory: { days: unused, hasDay: () => isBusy, within: unused, before: unused },
    silences: () => [],
    isState: () => false,
    build: unused,
    async store({ summaries, builtCuts }) {
      stored.push([summaries.map(({ series }) => series), builtCuts]);
      return true;
    },
    reader: {
      ...{ aggregate: unused, means: unused, counts: unused, dayCounts: unused, daysWithHours: unused },
      seriesOfDay: async () => [3, 500],
    },
  });
  rollups.folded([day]);
  await rollups.catchUp();
  assert.deepEqual(read, [3, 500]);
  assert.deepEqual(stored, [
    [[], null],
    [[3, 500], cuts],
  ]);
  // What a day's table had may be in the archive by now, and files that are read again may hold anything.
  for (const change of ["sealed", "changed"] as const) {
    read.length = 0;
    isBusy = true;
    rollups.folded([day]);
    rollups[change]([day]);
    isBusy = false;
    await rollups.catchUp();
    assert.equal(read.length, 1000, change);
  }
  rollups.close();
});

test("rollUp() during a look builds what became due after that had passed it", async () => {
  const clock = { now: T0 + 3 * DAY + HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock);
  await filled(opened, 3.9);
  const first = opened.store.rollUp();
  clock.now += DAY;
  assert.equal(await opened.store.rollUp(), 4);
  await first;
});

test("hours of Home Assistant's statistics stand where there are no samples", async () => {
  const clock = { now: T0 + 3 * DAY + HOUR, timeZone: "Europe/Amsterdam" };
  await using opened = await openOne(clock);
  const [plain, meter] = makeSeries(opened.store);
  const hours = [0, 1, 2, 27].map((hour) => T0 - 2 * DAY + hour * HOUR);
  opened.store.addRollups(
    hours.map((start, i) => ({
      series: plain!,
      start,
      mean: 20 + i,
      min: 10,
      max: 30 + i,
      last: null,
      increase: null,
    })),
  );
  opened.store.addRollups(
    hours.map((start, i) => ({ series: meter!, start, mean: null, min: null, max: null, last: 5 + i, increase: 1 })),
  );
  opened.store.append(plain!, T0, 50);
  opened.store.append(meter!, T0 + HOUR, 9);
  await opened.store.flush();
  await opened.reopen();
  const borders = [T0 - 2 * DAY, T0 - DAY, T0, T0 + DAY];
  const request = { series: [plain!, meter!], borders, until: clock.now, group: false };
  const { series } = await opened.store.statistics(request);
  const [first, second, third] = series[0]!;
  assert.deepEqual([first?.mean, first?.weight, first?.count, first?.max], [21, 3 * HOUR, 0, 32]);
  assert.deepEqual([second?.mean, second?.weight], [23, HOUR]);
  assert.deepEqual([third?.mean, third?.change], [50, 0]);
  assert.deepEqual(
    series[1]!.map((figures) => figures?.change),
    [3, 1, 1],
  );
});

for (const tier of ["memory", "tables"])
  test(`hours of Home Assistant's statistics stand beside the samples of a day that is not built: ${tier}`, async () => {
    const clock = { now: T0 + 22 * HOUR + HOUR / 2, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const [plain, meter] = makeSeries(store);
    store.append(plain!, T0 - HOUR, 90);
    store.append(plain!, T0 + 20.75 * HOUR, 50);
    store.append(meter!, T0 + 20.75 * HOUR, 25);
    // Hour 20 has a sample of ours, and in 21 one is in force until Home Assistant goes down.
    for (const [i, hour] of [0, 1, 2, 19, 20].entries()) {
      const start = T0 + hour * HOUR;
      const figures = { mean: 20 + i, min: 10, max: 30 + i, last: null, increase: null };
      store.addRollups([
        { series: plain!, start, ...figures },
        { series: meter!, start, mean: null, min: null, max: null, last: 15 + i, increase: 1 },
      ]);
    }
    goDown(store, T0 + 21.5 * HOUR);
    await store.flush();
    if (tier === "tables") await store.fold();
    const asked = (period: Period, until: Micros, timeZone = "UTC") => ({
      ...{ series: [plain!, meter!], until, group: false },
      borders: periodBorders(period, T0 - DAY, T0 + DAY, timeZone),
    });
    const hours = await store.statistics(asked("hour", clock.now));
    const ofToday = hours.series[0]!.slice(24);
    const means: (number | undefined)[] = [20, 21, 22, ...new Array(16), 23, 50, 50, undefined, undefined];
    assert.deepEqual(
      ofToday.map((one) => one?.mean),
      means,
    );
    assert.deepEqual(
      [2, 19, 20, 21].map((hour) => ofToday[hour]?.weight),
      [HOUR, HOUR, HOUR / 4, HOUR / 2 + 1],
    );
    // From the 18 of hour 19, since hour 20 is ours, to the sample.
    assert.deepEqual(
      [0, 1, 2, 19, 20].map((hour) => hours.series[1]![24 + hour]?.change),
      [1, 1, 1, 1, 7],
    );
    const day = (await store.statistics(asked("day", clock.now))).series[0]![1];
    assert.equal(short(day!.mean!), short((20 + 21 + 22 + 23 + 50 * 0.75) / 4.75));

    const questions = [
      ...(["hour", "day", "5minute"] as const).map((period) => asked(period, T0 + DAY)),
      asked("day", T0 + DAY, "Asia/Kolkata"),
      { ...asked("hour", T0 + DAY), group: true },
    ];
    const answers = async () => {
      const all = [];
      for (const question of questions) {
        const { series } = await store.statistics(question);
        const lone = [await store.figure(question, "mean"), await store.figure(question, "count")];
        const wanted = (["mean", "count"] as const).map((figure) =>
          series.map((buckets) => buckets.map((one) => one?.[figure] ?? (figure === "count" ? 0 : Number.NaN))),
        );
        const found = lone.map((figure) => figure.series.map((buckets) => [...buckets]));
        assert.deepEqual(withDigitsOf(wanted, found), wanted);
        all.push(series.map((buckets) => buckets.map(comparable)));
      }
      return all;
    };
    const before = await answers();
    await store.fold();
    clock.now = T0 + DAY + HOUR;
    assert.equal(await store.rollUp(), 2);
    assert.deepEqual(withDigitsOf(before, await answers()), before);
  });

for (const { name, days } of [
  { name: "a number", days: [2, 3] },
  { name: "a text, then a number on another day", days: [3, 4] },
])
  for (const tier of ["memory", "tables", "rollups", "archive"])
    test(`a day is the same alone and after hours of Home Assistant's statistics: ${name}: ${tier}`, async () => {
      const clock = { now: T0 + 9 * DAY + HOUR, timeZone: "UTC" };
      await using opened = await openOne(clock);
      const { store } = opened;
      const [plain, , cost] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
      const resets = makeResets(store);
      const tell = (ts: Micros, value: Value): void => {
        for (const series of [plain, cost]) store.append(series, ts, value);
      };
      tell(T0 + 12 * HOUR, 10);
      store.append(resets, T0 + 12 * HOUR, "2026-10-24T00:00:00+00:00");
      for (const series of [plain, cost]) {
        const hour = { series, start: T0 + DAY + 5 * HOUR, mean: 15, min: 15, max: 15 };
        store.addRollups([{ ...hour, last: 20, increase: series === cost ? 3 : null }]);
      }
      const [before, day] = days as [number, number];
      if (before === 3) tell(T0 + 2 * DAY + HOUR, "unavailable");
      tell(T0 + before * DAY + 2 * HOUR, 25);
      store.append(resets, T0 + before * DAY + 2 * HOUR, "2026-10-26T00:00:00+00:00");
      tell(T0 + day * DAY + HOUR, 26);
      if (tier !== "memory") await store.fold();
      if (tier === "rollups" || tier === "archive") await store.rollUp();
      if (tier === "archive") assert.ok((await store.seal()) > 0);
      await store.flush();
      const ask = async (series: SeriesNumber, hours: readonly number[]) => {
        const borders = hours.map((at) => T0 + at * HOUR);
        const [figures] = (await store.statistics({ series: [series], borders, until: clock.now, group: false }))
          .series;
        return figures!.map(comparable);
      };
      for (const series of [plain, cost]) {
        const all = await ask(series, [0, 24, 48, 72, 96, 120]);
        for (let i = 0; i < 5; i++)
          assert.deepEqual(await ask(series, [i * 24, i * 24 + 24]), [all[i]], `${series} ${i}`);
        const hours = Array.from({ length: 121 }, (_, hour) => hour);
        const byHour = await ask(series, hours);
        for (let i = 0; i < 120; i++)
          assert.deepEqual(await ask(series, [i, i + 1]), [byHour[i]], `${series} hour ${i}`);
      }
    });

/** More series than are asked for at once: what memory has of the others is looked up later. */
function manySeries(store: Store, samples: Samples): SeriesNumber[] {
  return Array.from({ length: 200 }, (_, i) => {
    const number = store.series({ measurement: "state", subject: `n${i}`, field: "state" }, `sensor.n${i}`, T0);
    for (const [ts, value] of samples) store.append(number, ts, value);
    return number;
  });
}

for (const { figure, wanted } of [
  { figure: "mean", wanted: 7.5 },
  { figure: "count", wanted: 1 },
] as const) {
  test(`the ${figure} has the samples that come to the first table of their day while a question is answered`, async () => {
    await using opened = await openOne({ now: T0 + DAY + HOUR, timeZone: "UTC" });
    const { store } = opened;
    const series = manySeries(store, [
      [T0 + DAY - HOUR, 7],
      [T0 + DAY + HOUR / 2, 8],
    ]);
    const question = { series, borders: [T0 + DAY, T0 + DAY + HOUR], until: T0 + DAY + HOUR, group: false };
    const answers = [store.figure(question, figure), store.statistics(question)] as const;
    await store.fold();
    const [alone, all] = [await answers[0], await answers[1]];
    assert.deepEqual(new Set(alone.series.map(([bucket]) => bucket)), new Set([wanted]));
    assert.deepEqual(new Set(all.series.map(([bucket]) => bucket![figure])), new Set([wanted]));
  });
}

test("figures know what is in force since a late sample that is folded while a question is answered", async () => {
  await using opened = await openOne({ now: T0 + 2 * DAY, timeZone: "UTC" });
  const { store } = opened;
  const series = manySeries(store, [[T0 + HOUR, 1]]);
  await store.fold();
  await store.rollUp();
  await store.seal();
  // The archived day has a table again, and its rollups all that is in it.
  for (const one of series) store.append(one, T0 + 2 * HOUR, 2);
  await store.fold();
  await store.rollUp();
  for (const one of series) store.append(one, T0 + 3 * HOUR, 3);
  const start = T0 + DAY + HOUR;
  const answer = store.figure({ series, borders: [start, start + HOUR], until: T0 + 2 * DAY, group: false }, "mean");
  await store.fold();
  assert.deepEqual(new Set((await answer).series.map(([mean]) => mean)), new Set([3]));
});

test("a 5-minute bucket of a day that has only hours is left out, with a warning", async () => {
  const clock = { now: T0 + DAY, timeZone: "UTC" };
  await using opened = await openOne(clock);
  const [plain] = makeSeries(opened.store);
  opened.store.addRollups([{ series: plain!, start: T0, mean: 1, min: 1, max: 1, last: null, increase: null }]);
  await opened.store.flush();
  const borders = periodBorders("5minute", T0, T0 + HOUR, "UTC");
  const request = { series: [plain!], borders, until: clock.now, group: false };
  const { series, warnings } = await opened.store.statistics(request);
  assert.ok(series[0]!.every((figures) => figures === null));
  assert.match(warnings[0]!, /^1 day is left out/);
});

for (const timeZone of ["UTC", "America/St_Johns"])
  test(`hours of other series leave no day out: in ${timeZone}`, async () => {
    const clock = { now: T0 + 5 * DAY + HOUR, timeZone };
    await using opened = await openOne(clock);
    const { store } = opened;
    const [plain, meter] = makeSeries(store);
    const later = store.series({ measurement: "state", subject: "n", field: "state" }, "sensor.n", T0 + 4 * DAY);
    const samples = new Map<SeriesNumber, [Micros, Value][]>([
      [plain!, [[T0, 7]]],
      [later, [[T0 + 4 * DAY + HOUR, 3]]],
    ]);
    for (const [series, own] of samples) for (const [ts, value] of own) store.append(series, ts, value);
    const ofMeter = { series: meter!, mean: null, min: null, max: null, last: 5, increase: 1 };
    store.addRollups([1, 2].map((day) => ({ ...ofMeter, start: T0 + day * DAY + 3 * HOUR })));
    const downAt = T0 + 2 * DAY + 6 * HOUR;
    goDown(store, downAt);
    await store.fold();
    await store.rollUp();
    const fine = timeZone === "UTC" ? "5minute" : "day";
    const borders = periodBorders(fine, T0, T0 + 5 * DAY, timeZone);
    for (const series of samples.keys()) {
      const request = { series: [series], borders, until: clock.now, group: false };
      assert.deepEqual(await assertFigures(store, request, { samples, silences: [downAt + 1] }), []);
    }
    const all = { series: [plain!, later, meter!], borders, until: clock.now, group: false };
    const { warnings } = await store.statistics(all);
    assert.match(warnings[0]!, /^2 days are left out: the samples are no longer kept/);
    for (const figure of ["mean", "count"] as const) {
      assert.deepEqual((await store.figure(all, figure)).warnings, warnings);
    }
  });

test("days whose samples are dropped are left out of figures finer than an hour, and spoil no other day", async () => {
  const clock = { now: T0 + 5 * DAY + HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock, () => 3);
  const { store } = opened;
  const { plain, meter, quiet, samples, append } = appendQuarters(store, 5);
  const gone = store.series({ measurement: "state", subject: "g", field: "state" }, "sensor.g", T0);
  append(gone, T0, 7);
  append(gone, T0 + DAY, "unavailable");
  confirmDays(store, clock.now);
  await store.fold();
  await store.rollUp();
  await store.seal();
  assert.ok((await store.retain({ dryRun: false })).rows > 0);

  const series = [plain, meter, quiet, gone];
  const dropped = (border: Micros): boolean => border < T0 + 2 * DAY;
  const borders = periodBorders("5minute", T0, T0 + 5 * DAY, "UTC");
  const request = { series, borders, until: clock.now, group: false };
  const warnings = await assertFigures(store, request, { samples, meter, isUnknown: dropped });
  assert.match(warnings[0]!, /^2 days are left out/);
  const group = { ...request, group: true };
  const together = await store.statistics(group);
  const [meanOfAll] = (await store.figure(group, "mean")).series;
  const [countOfAll] = (await store.figure(group, "count")).series;
  for (const [at, figures] of together.series[0]!.entries()) {
    if (!dropped(borders[at]!)) assert.equal(countOfAll![at], figures?.count ?? 0);
    else assert.deepEqual([figures, meanOfAll![at], countOfAll![at]], [null, Number.NaN, Number.NaN]);
  }
  // By itself the quiet one has hours on the first day alone, and nothing came on the second.
  const alone = await store.statistics({ ...request, series: [quiet] });
  assert.match(alone.warnings[0]!, /^1 day is left out/);
  assert.deepEqual(
    alone.series[0]!.map((figures) => figures?.mean ?? null),
    borders.slice(1).map((_, at) => (borders[at]! < T0 + DAY ? null : 7)),
  );
  // A bucket of which a part is known only is none either.
  const halfHours = { ...request, borders: [T0 + 1.5 * DAY + HOUR / 2, T0 + 2.5 * DAY + HOUR / 2, T0 + 3 * DAY] };
  const halves = await store.statistics(halfHours);
  assert.deepEqual(
    halves.series.map(([first]) => first),
    [null, null, null, null],
  );
});

test("a total changes as its samples did where these are dropped", { timeout: 300_000 }, async () => {
  const own = fc.array(fc.tuple(time, fc.option(value, { nil: undefined }), reset), { minLength: 5, maxLength: 40 });
  /** Some whole hours, and some five minutes that hours of dropped days cannot be divided by. */
  const borders = fc.uniqueArray(
    fc.oneof(
      fc.nat(DAYS * 24).map((hour) => hour * 12),
      fc.nat(DAYS * 288),
    ),
    { minLength: 2, maxLength: 8 },
  );
  const property = fc.asyncProperty(
    own,
    zone,
    fc.boolean(),
    fc.array(borders, { minLength: 12, maxLength: 12 }),
    async (totals, timeZone, alone, questions) => {
      const clock = { now: T0 + DAYS * DAY + HOUR, timeZone };
      await using opened = await openOne(clock, ({ subject }) => (!alone || subject === "cost" ? 2 : 365));
      const { store } = opened;
      const [plain, , cost] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
      const resets = makeResets(store);
      const samples = new Map<Micros, Value>();
      const told = new Map<Micros, Value>();
      for (const [offset, sample, becomes] of totals) {
        const ts = T0 + offset;
        if (sample !== undefined && !samples.has(ts)) samples.set(ts, sample);
        if (becomes !== undefined && !told.has(ts)) told.set(ts, becomes);
      }
      for (const [ts, sample] of samples) store.append(cost, ts, sample);
      for (const [ts, becomes] of told) store.append(resets, ts, becomes);
      for (let day = 0; day < DAYS; day++) store.append(plain, T0 + day * DAY, day);
      confirmDays(store, clock.now);
      await store.fold();
      await store.rollUp();
      await store.seal();
      await store.retain({ dryRun: false, believeClock: true });
      const all = [...samples].sort((a, b) => a[0] - b[0]);
      const cycles = cyclesOf(all, told);
      for (const question of questions) {
        const borders = question.map((five) => T0 + five * 300_000_000).sort((a, b) => a - b);
        const request = { series: [cost], borders, until: clock.now, group: false };
        const { series, unknown } = await store.statistics(request);
        const expected = wanted(all, borders, clock.now, false, [], cycles).map((one, i) =>
          unknown[0]!.has(i) ? null : one,
        );
        assert.deepEqual(withDigitsOf(expected, series[0]!.map(comparable)), expected, `${borders}`);
      }
    },
  );
  await fc.assert(property, { numRuns: 25, endOnFailure: true });
});

test("days of which a rule dropped a series' samples are left out of its fine figures, and of no other's", async () => {
  const clock = { now: T0 + 5 * DAY + HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock, ({ field }) => (field === "energy" ? 3 : 365));
  const { store } = opened;
  const { plain, meter, quiet, samples, append } = appendQuarters(store, 5);
  confirmDays(store, clock.now);
  await store.fold();
  await store.rollUp();
  await store.seal();
  const { thinned } = await store.retain({ dryRun: false });
  assert.deepEqual(
    thinned.map(({ rows, series }) => [rows, series]),
    [
      [96, 1],
      [96, 1],
    ],
  );

  const isUnknown = (border: Micros, series: SeriesNumber): boolean => series === meter && border < T0 + 2 * DAY;
  const asked = { until: clock.now, group: false };
  const fine = periodBorders("5minute", T0, T0 + 5 * DAY, "UTC");
  const expected = { samples, meter, isUnknown };
  const alone = await assertFigures(store, { ...asked, series: [meter], borders: fine }, expected);
  assert.deepEqual(alone, [
    "2 days are left out: the samples are no longer kept, and figures by the hour cannot be divided so",
  ]);
  const all = { ...asked, series: [plain, meter, quiet], borders: fine };
  const beside = await assertFigures(store, all, expected);
  assert.deepEqual(
    beside,
    alone.map((warning) => warning.replace("left out", "left out for 1 of 3 series")),
  );
  const afternoon = fine.filter((border) => border >= T0 + 1.5 * DAY && border <= T0 + 2.25 * DAY);
  assert.equal((await assertFigures(store, { ...all, borders: afternoon }, expected)).length, 1);
  // Within one hour.
  const few = fine.filter((border) => border > T0 + 1.5 * DAY && border < T0 + 1.5 * DAY + HOUR);
  assert.equal((await assertFigures(store, { ...all, borders: few }, expected)).length, 1);
  const [together] = (await store.statistics({ ...all, group: true })).series;
  const [meanOfAll] = (await store.figure({ ...all, group: true }, "mean")).series;
  const [countOfAll] = (await store.figure({ ...all, group: true }, "count")).series;
  for (const [at, figures] of together!.entries()) {
    if (fine[at]! < T0 + 2 * DAY) assert.deepEqual([figures, meanOfAll![at], countOfAll![at]], [null, NaN, NaN]);
    else assert.deepEqual([figures?.mean, figures?.count ?? 0], [meanOfAll![at], countOfAll![at]]);
  }

  const hours = { ...asked, series: [plain, meter, quiet], borders: periodBorders("hour", T0, T0 + 5 * DAY, "UTC") };
  const known = { samples, meter };
  assert.deepEqual(await assertFigures(store, hours, known), []);
  // Until late samples are in the rollups, figures of their day are computed from samples.
  append(plain, T0 + HOUR, 1000);
  samples.get(plain)!.sort(([a], [b]) => a - b);
  for (const take of [() => store.flush(), () => store.fold(), () => store.rollUp(), () => store.seal()]) {
    await take();
    assert.deepEqual(await assertFigures(store, hours, known), []);
    assert.equal((await assertFigures(store, all, expected)).length, 1);
  }
});

for (const [name, rawDays] of [
  ["all samples", () => 3],
  ["a series' samples", ({ field }: SeriesKey) => (field === "energy" ? 3 : 365)],
] as const)
  test(`what is in force at a midnight within an hour is known where ${name} of the day were dropped`, async () => {
    const clock = { now: T0 + 5 * DAY + HOUR, timeZone: "Asia/Kolkata" };
    await using opened = await openOne(clock, rawDays);
    const { store } = opened;
    const { plain, meter, quiet, samples, append } = appendQuarters(store, 5);
    const texts = store.series({ measurement: "state", subject: "t", field: "energy" }, "sensor.t", T0);
    append(texts, T0, 5);
    for (const [i, text] of ["on", "off", "unavailable"].entries()) append(texts, T0 + 18.2 * HOUR + i * 60e6, text);
    confirmDays(store, clock.now);
    await store.fold();
    await store.rollUp();
    await store.seal();
    assert.ok((await store.retain({ dryRun: false })).rows > 0);
    for (const day of [0, 1, 2]) {
      const midnight = T0 + day * DAY + 18.5 * HOUR;
      for (const series of [[plain, meter, quiet, texts], [texts], [meter]]) {
        const request = { series, borders: [midnight, midnight + DAY], until: clock.now, group: false };
        assert.deepEqual(await assertFigures(store, request, { samples, meter }), []);
      }
    }
  });

test("what is in force after a day whose samples were dropped is known to a question from within its last hour", async () => {
  const clock = { now: T0 + 5 * DAY + HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock, ({ field }) => (field === "energy" ? 2 : 365));
  const { store } = opened;
  const { meter, samples } = appendQuarters(store, 5);
  const rare = (subject: string, of: [Micros, Value][]): SeriesNumber => {
    const series = store.series({ measurement: "state", subject, field: "energy" }, `sensor.${subject}`, T0);
    samples.set(series, of);
    for (const [ts, value] of of) store.append(series, ts, value);
    return series;
  };
  const minutes = (count: number): Micros => T0 + DAY + count * 60e6;
  const next = T0 + 3 * DAY;
  const series = [
    rare("text", [
      [T0, 34],
      [minutes(5), "007"],
    ]),
    rare("number", [
      [T0, 34],
      [minutes(5), 50],
    ]),
    rare("both", [
      [T0, 34],
      [minutes(5), 50],
      [minutes(7), "unavailable"],
      [next, 53],
    ]),
    rare("days", [
      [T0, 34],
      [minutes(5), 50],
      [minutes(1500), "unavailable"],
      [next, 53],
    ]),
  ];
  confirmDays(store, clock.now);
  await store.fold();
  await store.rollUp();
  await store.seal();
  assert.ok((await store.retain({ dryRun: false })).rows > 0);
  const borders = periodBorders("5minute", minutes(10), next + HOUR, "UTC");
  for (const one of series) {
    const isUnknown = (border: Micros): boolean => border < T0 + 2 * DAY || (one === series[3] && border < next);
    const request = { series: [one], borders, until: clock.now, group: false };
    await assertFigures(store, request, { samples, meter, isUnknown });
  }
});

for (const [name, spoil] of [
  ["cannot be read", (file: string) => writeFileSync(file, "rotten")],
  ["is missing", (file: string) => rmSync(file)],
] as const) {
  test(`a day whose file ${name} is left out of figures finer than an hour, and spoils no other day`, async () => {
    const clock = { now: T0 + 4 * DAY + HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const { store } = opened;
    const { plain, meter, quiet, samples } = appendQuarters(store, 4);
    await store.fold();
    await store.rollUp();
    await store.seal();
    const file = join(opened.directory, "archive/2026/10/2026-10-25.parquet");
    const whole = readFileSync(file);
    spoil(file);

    const isLost = (border: Micros): boolean => border >= T0 + DAY && border < T0 + 2 * DAY;
    const borders = periodBorders("5minute", T0, T0 + 4 * DAY, "UTC");
    const request = { series: [plain, meter, quiet], borders, until: clock.now, group: false };
    const warnings = await assertFigures(store, request, { samples, meter, isUnknown: isLost });
    assert.equal(warnings.length, 2);
    assert.match(warnings[0]!, /^The archive's file "2026\/10\/2026-10-25\.parquet" cannot be read/);
    assert.match(warnings[1]!, /^1 day is left out: the samples cannot be read/);
    // Hours and days have their rollups.
    const hours = { ...request, borders: periodBorders("hour", T0, T0 + 4 * DAY, "UTC") };
    assert.deepEqual(await assertFigures(store, hours, { samples, meter }), []);
    writeFileSync(file, whole);
    assert.deepEqual(await assertFigures(store, request, { samples, meter }), []);
  });
}

for (const texts of [90, 110, 250])
  test(`a meter's change is counted from its last number, ${texts} texts before: in memory, tables and archive`, async () => {
    const clock = { now: T0 + 2 * DAY + 4 * HOUR, timeZone: "UTC" };
    await using opened = await openOne(clock);
    const [, series] = makeSeries(opened.store);
    const hour = T0 + 2 * DAY + 2 * HOUR;
    const change = async (): Promise<number> => {
      const request = { series: [series!], borders: [hour, hour + HOUR], until: clock.now, group: false };
      return (await opened.store.statistics(request)).series[0]![0]!.change!;
    };
    const put = (from: Micros): void => {
      opened.store.append(series!, from, 100);
      for (let i = 1; i <= texts; i++) opened.store.append(series!, from + i * 20e6, i % 2 ? "unavailable" : "unknown");
    };
    const late = (): void => {
      opened.store.append(series!, T0 + 5 + appended++, 6);
    };
    let appended = 0;
    opened.store.append(series!, T0, 5);
    await opened.store.fold();
    await opened.store.rollUp();
    assert.ok((await opened.store.seal()) > 0);
    put(hour - 2 * HOUR);
    opened.store.append(series!, hour + 60e6, 112);
    assert.equal(await change(), 12);
    // An archived day whose rollups lack something: all tiers are asked for what came before.
    late();
    assert.equal(await change(), 12);
    await opened.store.fold();
    late();
    assert.equal(await change(), 12);
    // The day of the texts goes to the archive, and gets a late sample itself.
    clock.now += DAY;
    await opened.store.rollUp();
    assert.ok((await opened.store.seal()) > 0);
    opened.store.append(series!, hour + 2 * HOUR, 113);
    assert.equal(await change(), 12);
  });

test("a group adds up its series, and weighs means by time", async () => {
  const clock = { now: T0 + DAY, timeZone: "UTC" };
  await using opened = await openOne(clock);
  const [one, other] = makeSeries(opened.store);
  opened.store.append(one!, T0, 10);
  opened.store.append(other!, T0 + 18 * HOUR, 50);
  const request = {
    series: [one!, other!],
    borders: [T0, T0 + DAY],
    until: clock.now,
    group: true,
  };
  const { series } = await opened.store.statistics(request);
  const [figures] = series[0]!;
  assert.equal(series.length, 1);
  assert.equal(figures?.mean, (24 * 10 + 6 * 50) / 30);
  assert.deepEqual([figures?.count, figures?.min, figures?.max, figures?.sum], [2, 10, 50, 60]);
  assert.deepEqual([figures?.first, figures?.last], [null, null]);
});

test("figure() gives the mean or the count of statistics(), of series and of a group", async () => {
  const clock = { now: T0 + 3.2 * DAY, timeZone: "Europe/Amsterdam" };
  await using opened = await openOne(clock);
  const series = await filled(opened, 3.1);
  opened.store.append(series[0]!, T0 + 5 * HOUR + 1, "unavailable");
  opened.store.addRollups(
    [-30, -29, 27].map((hour) => ({
      ...{ series: series[1]!, start: T0 + hour * HOUR },
      ...{ mean: 7, min: 6, max: 8, last: null, increase: null },
    })),
  );
  await opened.store.fold();
  await opened.store.rollUp();
  opened.store.append(series[0]!, T0 + 1.5 * DAY + 1, 1000);
  for (const period of ["hour", "day", "5minute"] as const) {
    for (const group of [false, true]) {
      const request = { ...ask(series, period, clock.now), group };
      const all = await opened.store.statistics(request);
      for (const figure of ["mean", "count"] as const) {
        const one = await opened.store.figure(request, figure);
        assert.deepEqual(one.warnings, all.warnings);
        for (const [i, buckets] of all.series.entries()) {
          const expected = buckets.map((bucket) => bucket?.[figure] ?? (figure === "count" ? 0 : Number.NaN));
          assert.deepEqual([...one.series[i]!].map(short), expected.map(short), `${figure} by ${period}`);
        }
      }
    }
  }
});
