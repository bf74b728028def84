import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import fc from "fast-check";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { BucketFigures, GroupsRequest, Stay } from "../../domain/statistics.ts";
import { PERIODS, type Period, periodBorders } from "../../lib/calendar.ts";
import { silentLog } from "../../lib/log.ts";
import { openStore, type Store } from "../store.ts";
import { comparable, cyclesOf, figuresOf, withDigitsOf } from "./brute-force.ts";

const HOUR = 3_600_000_000;
const DAY = 24 * HOUR;
/** Clocks change in Amsterdam on the second day. */
const T0 = Date.UTC(2026, 9, 24) * 1000;
const DAYS = 4;
const GROUPS = 3;

interface Clock {
  now: Micros;
  timeZone: string;
}

/** A store in a folder of its own, whose days are archived and dropped when a test says so. */
async function openOne(clock: Clock, rawDays = 0) {
  const directory = mkdtempSync(join(tmpdir(), "groups-test-"));
  const open = () =>
    openStore({
      directory,
      commitSeconds: 1000,
      settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
      log: silentLog(),
      now: () => clock.now,
      timeZone: () => clock.timeZone,
      archive: { hotDays: 0, firstMs: 1e9 },
      retention: {
        firstMs: 1e9,
        checkMs: 1e9,
        policy: { limits: () => ({ rawDays, rollupDays: 0 }), blocked: () => null, budgetBytes: 0 },
      },
    });
  const opened = {
    store: await open(),
    async reopen() {
      await opened.store.close();
      opened.store = await open();
    },
    async [Symbol.asyncDispose]() {
      await opened.store.close();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  return opened;
}

const KINDS = ["state", "state", "energy", "energy"] as const;
/** A total with a `last_reset`. */
const TOTAL = 1;

function makeSeries(store: Store): SeriesNumber[] {
  return KINDS.map((field, i) => {
    const number = store.series({ measurement: "state", subject: `s${i}`, field }, `sensor.s${i}`, T0);
    const stateClass = field === "energy" ? "total_increasing" : i === TOTAL ? "total" : "measurement";
    store.describe(number, { unit: null, deviceClass: null, stateClass }, T0);
    return number;
  });
}

/** Figures of parts of a bucket as those of one: plainly, of what docs/statistics.md says of groups. */
function added(parts: readonly (BucketFigures | null)[]): BucketFigures | null {
  const known = parts.filter((part) => part !== null);
  if (known.length === 0) return null;
  const each = <T>(of: (part: BucketFigures) => T | null): T[] => known.flatMap((part) => of(part) ?? []);
  const sum = (numbers: readonly number[]): number => numbers.reduce((total, one) => total + one, 0);
  const orNull = (numbers: readonly number[]): number | null => (numbers.length === 0 ? null : sum(numbers));
  const weight = sum(each((part) => part.weight));
  const durations = new Map<string, number>();
  for (const [text, micros] of each((part) => part.durations).flatMap((one) => [...one])) {
    durations.set(text, (durations.get(text) ?? 0) + micros);
  }
  return {
    count: sum(each((part) => part.count)),
    weight,
    mean: weight === 0 ? null : sum(each((part) => (part.mean === null ? null : part.mean * part.weight))) / weight,
    min: weight === 0 ? null : Math.min(...each((part) => part.min)),
    max: weight === 0 ? null : Math.max(...each((part) => part.max)),
    first: null,
    last: null,
    sum: orNull(each((part) => part.sum)),
    change: orNull(each((part) => part.change)),
    durations: known.some((part) => part.durations !== null) ? durations : null,
    otherDuration: sum(each((part) => part.otherDuration)),
  };
}

/** The same but for last digits, and for what should cancel out. */
function assertAlike(actual: unknown, wanted: unknown, message = "other figures"): void {
  assert.deepEqual(withDigitsOf(wanted, actual), wanted, message);
}

/** Compares the two lone figures with all figures, and answers these. */
async function figuresBothWays(store: Store, request: GroupsRequest) {
  const all = await store.groups(request);
  const means = await store.groupFigure(request, "mean");
  const counts = await store.groupFigure(request, "count");
  assert.deepEqual([means.warnings, counts.warnings], [all.warnings, all.warnings]);
  for (const [group, buckets] of all.series.entries()) {
    const unknown = (bucket: number) => all.unknown[group]!.has(bucket);
    assertAlike(
      [...means.series[group]!],
      buckets.map((one) => one?.mean ?? Number.NaN),
    );
    assert.deepEqual(
      [...counts.series[group]!],
      buckets.map((one, i) => one?.count ?? (unknown(i) ? Number.NaN : 0)),
    );
  }
  return all;
}

/** Home Assistant was down for a minute from then on, as its history shows afterwards. */
function goDown(store: Store, start: Micros): void {
  const gap = store.gaps.open("socket_closed", start);
  const end = start + 60_000_000;
  store.gaps.update(gap.id, { end, state: "partial", closedAt: end, downtime: { start, end } });
}

const value = fc.oneof(
  { arbitrary: fc.integer({ min: -10, max: 200 }).map((half) => half / 2), weight: 8 },
  { arbitrary: fc.constantFrom("on", "off", "unavailable", null), weight: 3 },
);
/** Often on a border. */
const time = fc.oneof(
  fc.integer({ min: 0, max: DAYS * DAY - 1 }),
  fc.integer({ min: 0, max: DAYS * 24 * 12 - 1 }).map((n) => n * 300_000_000),
);
const step = fc.record({
  samples: fc.array(fc.tuple(fc.nat(KINDS.length - 1), time, value), { maxLength: 40 }),
  resets: fc.array(fc.tuple(time, fc.constantFrom("2026-10-24T00:00:00+00:00", "2026-10-25T00:00:00+00:00", null)), {
    maxLength: 6,
  }),
  downtimes: fc.array(time, { maxLength: 1 }),
  next: fc.constantFrom("nothing", "fold", "roll up", "seal", "restart"),
});
const group = fc.nat(GROUPS - 1);
/** Where each series was until when, and last. */
const places = fc.array(
  fc.record({ moves: fc.array(fc.tuple(time, group), { maxLength: 4 }), last: group, also: fc.option(group) }),
  { minLength: KINDS.length, maxLength: KINDS.length },
);
const question = fc.record({
  period: fc.constantFrom(...PERIODS),
  start: fc.integer({ min: -DAY, max: DAYS * DAY }),
  length: fc.integer({ min: 1, max: 2 * DAY }),
});
const zone = fc.constantFrom("UTC", "Europe/Amsterdam", "Asia/Kolkata", "Australia/Lord_Howe");

/** One after the other without a gap between, from ever to ever. */
function staysOf({ moves, last }: { readonly moves: readonly [Micros, number][]; readonly last: number }): Stay[] {
  const ends = new Map(moves.map(([offset, group]) => [T0 + offset, group]));
  let start = Number.NEGATIVE_INFINITY;
  const stays: Stay[] = [];
  for (const [end, group] of [...[...ends].sort((a, b) => a[0] - b[0]), [Number.POSITIVE_INFINITY, last] as const]) {
    stays.push({ group, start, end });
    start = end;
  }
  return stays;
}

test("groups() counts each moment of a series where it was then, wherever its samples are", {
  timeout: 300_000,
}, async () => {
  const property = fc.asyncProperty(
    fc.array(step, { minLength: 1, maxLength: 5 }),
    places,
    zone,
    fc.constantFrom(DAYS, 2.3),
    fc.array(question, { minLength: 3, maxLength: 6 }),
    async (steps, wentTo, timeZone, nowDays, questions) => {
      const clock = { now: T0 + nowDays * DAY, timeZone };
      await using opened = await openOne(clock);
      const numbers = makeSeries(opened.store);
      const key = { measurement: "state", subject: `s${TOTAL}`, field: "last_reset" };
      const resetsOfTotal = opened.store.series(key, `sensor.s${TOTAL}`, T0);
      const model = KINDS.map(() => new Map<Micros, Value>());
      const told = new Map<Micros, Value>();
      const silences = new Set<Micros>();
      for (const { samples, resets, downtimes, next } of steps) {
        for (const [offset, reset] of resets) {
          opened.store.append(resetsOfTotal, T0 + offset, reset);
          if (!told.has(T0 + offset)) told.set(T0 + offset, reset);
        }
        for (const offset of downtimes) {
          goDown(opened.store, T0 + offset);
          silences.add(T0 + offset + 1);
        }
        for (const [series, offset, sample] of samples) {
          opened.store.append(numbers[series]!, T0 + offset, sample);
          if (!model[series]!.has(T0 + offset)) model[series]!.set(T0 + offset, sample);
        }
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
      const all = model.map((samples) => [...samples].sort((a, b) => a[0] - b[0]).filter(([ts]) => ts < clock.now));
      for (const { period, start, length } of questions) {
        const borders = periodBorders(period, T0 + start, T0 + start + length, timeZone);
        const until = clock.now;
        const members = numbers.map((series, i) => ({ series, stays: staysOf(wentTo[i]!) }));
        const byDays = isByDays(period);
        const request = { borders, until, byDays, groups: GROUPS, members };
        const { series, warnings, unknown } = await figuresBothWays(opened.store, request);
        assert.deepEqual([warnings, unknown.every(({ size }) => size === 0)], [[], true]);
        const partOf = (i: number, from: Micros, to: Micros): BucketFigures | null => {
          if (to <= from) return null;
          const cycles = i === TOTAL ? cyclesOf(all[i]!, told) : undefined;
          return figuresOf(all[i]!, from, to, KINDS[i] === "energy", KINDS[i] === "state" ? silent : [], cycles);
        };
        for (const [g, buckets] of series.entries()) {
          const wanted = buckets.map((_, bucket) =>
            added(
              members.flatMap(({ stays }, i) =>
                stays
                  .filter((stay) => stay.group === g)
                  .map((stay) =>
                    partOf(i, Math.max(stay.start, borders[bucket]!), Math.min(stay.end, borders[bucket + 1]!, until)),
                  ),
              ),
            ),
          );
          assertAlike(buckets.map(comparable), wanted.map(comparable), `group ${g} by ${period}`);
        }
        // All groups together are the home.
        const home = await opened.store.statistics({ series: numbers, borders, until, byDays, group: true });
        const together = borders.slice(1).map((_, bucket) => added(series.map((buckets) => buckets[bucket]!)));
        assertAlike(together.map(comparable), home.series[0]!.map(comparable));
        // A second group all the time, as of a second label, changes nothing in the others.
        const twice = members.map(({ series, stays }, i) => {
          const { also } = wentTo[i]!;
          const second = { group: GROUPS, start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };
          return { series, stays: also === null ? stays : [...stays, second] };
        });
        const more = await figuresBothWays(opened.store, { ...request, groups: GROUPS + 1, members: twice });
        assertAlike(
          more.series.slice(0, GROUPS).map((one) => one.map(comparable)),
          series.map((one) => one.map(comparable)),
        );
        const also = numbers.filter((_, i) => wentTo[i]!.also !== null);
        const whole = await opened.store.statistics({ series: also, borders, until, group: true });
        assertAlike(more.series[GROUPS]!.map(comparable), whole.series[0]!.map(comparable));
      }
    },
  );
  await fc.assert(property, { numRuns: 20, endOnFailure: true });
});

const MOVED = T0 + 12 * HOUR + HOUR / 3;
/** From group 0 to group 1. */
const isByDays = (period: Period) => period !== "5minute" && period !== "hour";

const move = (series: SeriesNumber, at = MOVED) => ({
  series,
  stays: [
    { group: 0, start: Number.NEGATIVE_INFINITY, end: at },
    { group: 1, start: at, end: Number.POSITIVE_INFINITY },
  ],
});

for (const timeZone of ["UTC", "Asia/Kolkata"])
  test(`groups() counts an hour whose samples were dropped where it begins, and loses nothing: in ${timeZone}`, async () => {
    const clock = { now: T0 + 5 * DAY + HOUR, timeZone };
    await using opened = await openOne(clock, 3);
    const { store } = opened;
    const [plain, , meter] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
    for (let quarter = 0; quarter < 5 * 96; quarter++) {
      for (const series of [plain, meter]) store.append(series, T0 + quarter * (HOUR / 4) + 60_000_000, quarter);
    }
    // Retention counts from a day that a week of days with samples confirms.
    const running = store.series({ measurement: "system", subject: "process", field: "running" }, null, T0);
    for (const ts of [T0 - DAY, clock.now]) store.append(running, ts, 1);
    await store.fold();
    await store.rollUp();
    await store.seal();
    const ask = async (period: "5minute" | "hour" | "day" | "month") => {
      const borders = periodBorders(period, T0, T0 + 2 * DAY, timeZone);
      const asked = { borders, until: clock.now, byDays: isByDays(period) };
      const request = { ...asked, groups: 2, members: [move(plain), move(meter)] };
      const home = await store.statistics({ ...asked, series: [plain, meter], group: true });
      const answer = await figuresBothWays(store, request);
      const together = borders.slice(1).map((_, bucket) => added(answer.series.map((buckets) => buckets[bucket]!)));
      assertAlike(together.map(comparable), home.series[0]!.map(comparable));
      return answer;
    };
    const exact = await ask("month");
    // Of each series: two quarters of the hour that it moved in came before that.
    assert.equal(exact.series[0]![0]!.count, 2 * (12 * 4 + 2));
    assert.ok((await store.retain({ dryRun: false })).rows > 0);
    const byHours = await ask("month");
    assert.deepEqual([byHours.warnings, byHours.series[0]![0]!.count], [[], 2 * (13 * 4)]);
    for (const period of ["hour", "day"] as const) assert.deepEqual((await ask(period)).warnings, []);
    const fine = await ask("5minute");
    assert.match(fine.warnings[0]!, /^2 days are left out/);
    assert.ok(fine.series.every((buckets) => buckets.every((figures) => figures === null)));
  });

test("groups() counts an hour of Home Assistant's statistics where it begins", async () => {
  const clock = { now: T0 + 22 * HOUR, timeZone: "UTC" };
  await using opened = await openOne(clock);
  const { store } = opened;
  const [plain, , meter] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
  for (const hour of [11, 12, 13]) {
    const start = T0 + hour * HOUR;
    store.addRollups([
      { series: plain, start, mean: hour, min: 10, max: 30, last: null, increase: null },
      { series: meter, start, mean: null, min: null, max: null, last: 15 + hour, increase: 1 },
    ]);
  }
  store.append(plain, T0 + 20 * HOUR, 50);
  await store.flush();
  const borders = [T0, T0 + DAY];
  for (const state of ["under way", "over"]) {
    const request = { borders, until: clock.now, groups: 2, members: [move(plain), move(meter)] };
    const { series } = await figuresBothWays(store, request);
    const until = state === "over" ? 24 : 22;
    assertAlike(
      series.map(([figures]) => [figures!.mean, figures!.weight / HOUR, figures!.change]),
      [
        [11.5, 2, 2],
        [(13 + 50 * (until - 20)) / (until - 19), until - 19, 1],
      ],
      state,
    );
    clock.now = T0 + DAY + HOUR;
    await store.fold();
    await store.rollUp();
  }
});

test("days of zones of half an hour count an hour of Home Assistant's statistics where it begins", async () => {
  const timeZone = "Asia/Kolkata";
  const clock = { now: T0 + 4 * DAY, timeZone };
  await using opened = await openOne(clock);
  const { store } = opened;
  const [plain, , meter] = makeSeries(store) as [SeriesNumber, SeriesNumber, SeriesNumber];
  for (let hour = 0; hour < 48; hour++) {
    const start = T0 + hour * HOUR;
    store.addRollups([
      { series: plain, start, mean: hour, min: hour, max: hour, last: null, increase: null },
      { series: meter, start, mean: null, min: null, max: null, last: 2 * hour, increase: 2 },
    ]);
  }
  await store.flush();
  // Midnight is at 18:30, so the hour from 18:00 belongs to the day before it.
  const borders = periodBorders("day", T0, T0 + DAY, timeZone);
  const members = [move(plain), move(meter)];
  const request = { borders, until: clock.now, byDays: true, groups: 2, members };
  for (const state of ["in memory", "folded", "rolled up"]) {
    const { series, warnings } = await figuresBothWays(store, request);
    assert.deepEqual(warnings, []);
    const [before, after] = series.map((buckets) =>
      buckets.map((one) => one && [one.mean, one.weight / HOUR, one.change]),
    );
    // The move at 12:30 belongs to the hour in which it was, too.
    assert.deepEqual(before, [[6, 13, 26], null], state);
    assert.deepEqual(
      after,
      [
        [15.5, 6, 12],
        [30.5, 24, 48],
      ],
      state,
    );
    const home = await store.statistics({
      series: [plain, meter],
      borders,
      until: clock.now,
      byDays: true,
      group: true,
    });
    assert.deepEqual(
      home.series[0]!.map((one) => one?.change),
      [38, 48],
    );
    if (state === "in memory") await store.fold();
    else await store.rollUp();
  }
  const { warnings } = await store.groups({ ...request, byDays: false });
  assert.match(warnings.join(), /left out/);
});

test("groups() leaves out a bucket of which a member's part is unknown, in its group alone", async () => {
  const clock = { now: T0 + DAY, timeZone: "UTC" };
  await using opened = await openOne(clock);
  const { store } = opened;
  const [plain, other] = makeSeries(store) as [SeriesNumber, SeriesNumber];
  // Of the one nothing is kept but an hour.
  store.addRollups([{ series: plain, start: T0, mean: 1, min: 1, max: 1, last: null, increase: null }]);
  store.append(other, T0 - DAY, 7);
  await store.flush();
  const borders = periodBorders("5minute", T0, T0 + HOUR, "UTC");
  const always = { start: Number.NEGATIVE_INFINITY, end: Number.POSITIVE_INFINITY };
  const members = [
    move(plain, T0 + HOUR / 2 + 1),
    { series: other, stays: [0, 1, 2].map((group) => ({ group, ...always })) },
  ];
  const { series, warnings } = await figuresBothWays(store, { borders, until: clock.now, groups: 3, members });
  assert.match(warnings[0]!, /^1 day is left out/);
  // It moved within the bucket of 00:30.
  const known = series.map((buckets) => buckets.flatMap((figures, bucket) => (figures === null ? [] : bucket)));
  assert.deepEqual(known, [
    [7, 8, 9, 10, 11],
    [0, 1, 2, 3, 4, 5],
    [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11],
  ]);
});
