import assert from "node:assert/strict";
import { closeSync, mkdtempSync, openSync, rmSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { downgrade, readMigrations } from "../../lib/migrate.ts";
import { openForWriting } from "../hot/database.ts";
import { DAY_MICROS, dayOf } from "../hot/day.ts";
import type { Cycles } from "./cycles.ts";
import {
  eachCount,
  eachMean,
  hourCounter,
  hourDropper,
  hourStore,
  hoursWithin,
  lastNumberWithin,
  newestHour,
  type Prepare,
} from "./hours.ts";
import { hasDamagedHours } from "./old-hours.ts";
import { packHours, unpackHours } from "./pack.ts";
import { CYCLES, type Durations, LAST, ROLLUP_COLUMNS, type RollupRow, STATE, toSql } from "./row.ts";

const HOUR = 3_600_000_000;
const MIGRATIONS = readMigrations(join(import.meta.dirname, "../hot/migrations"));
const BEFORE_PACKING = "009";
const BEFORE_CYCLES = "014";

interface Opened {
  readonly folder: string;
  readonly db: DatabaseSync;
  readonly prepare: Prepare;
  /** `meanwhile`: while the file is closed. */
  reopen(meanwhile?: () => void): DatabaseSync;
}

function opened(t: TestContext): Opened {
  const folder = mkdtempSync(join(tmpdir(), "hours-test-"));
  const open = () =>
    openForWriting(join(folder, "timeseries.db"), { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" });
  let db = open();
  t.after(() => {
    db.close();
    rmSync(folder, { recursive: true });
  });
  return {
    folder,
    db,
    prepare(sql) {
      const statement = db.prepare(sql);
      statement.setReturnArrays(true);
      return statement;
    },
    reopen(meanwhile) {
      db.close();
      meanwhile?.();
      db = open();
      return db;
    },
  };
}

const decimal = fc
  .tuple(fc.integer({ min: -20_000_000, max: 20_000_000 }), fc.nat(8))
  .map(([units, digits]) => units / 10 ** digits);
const number = fc.oneof(
  { weight: 5, arbitrary: decimal },
  fc.integer({ min: 20, max: 23 }),
  fc.double({ noNaN: true }),
  fc.constantFrom(0, -0, 2 ** 53, -(2 ** 53), 1e300, Number.POSITIVE_INFINITY, 5e-324, 0.1 + 0.2),
);
const orNull = <T>(value: fc.Arbitrary<T>) => fc.option(value, { freq: 3 });
const micros = fc.integer({ min: 1, max: HOUR });
const durations: fc.Arbitrary<Durations> = fc
  .tuple(fc.dictionary(fc.oneof(fc.string(), fc.constantFrom("on", "off", "1", "__proto__")), micros), fc.nat(3))
  .map(([states, other]) => (other === 0 ? { states: { ...states } } : { states: { ...states }, other }));
const cycles: fc.Arbitrary<Cycles> = fc.record(
  {
    first: micros,
    before: orNull(fc.double({ noNaN: true, noDefaultInfinity: true }).map((one) => one + 0)),
    last: micros,
  },
  { noNullPrototype: true },
);
const rowOf = (start: number): fc.Arbitrary<RollupRow> =>
  fc.tuple(
    fc.constant(start),
    fc.nat(100_000),
    fc.nat(HOUR - 1),
    orNull(number),
    orNull(fc.nat(HOUR)),
    orNull(number),
    orNull(number),
    orNull(number),
    orNull(number),
    orNull(number),
    orNull(number),
    orNull(fc.oneof(fc.constant(0), fc.string())),
    orNull(durations),
    orNull(cycles),
  );
const rowsOf = (day: number): fc.Arbitrary<RollupRow[]> =>
  fc
    .uniqueArray(fc.nat(23), { maxLength: 24 })
    .chain((hours) => fc.tuple(...hours.sort((a, b) => a - b).map((hour) => rowOf(day * DAY_MICROS + hour * HOUR))));
const days = fc.integer({ min: -3, max: 3 });

test("unpackHours() gives the rows that were packed, to the last bit", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -100_000, max: 100_000 }).chain((day) => rowsOf(day).map((rows) => ({ day, rows }))),
      ({ day, rows }) => assert.deepEqual(unpackHours(day, packHours(day, rows)), rows),
    ),
    { numRuns: 2_000, endOnFailure: true },
  );
});

test("a day of a thermometer takes a fifth of what its rows took", () => {
  const rows = Array.from({ length: 24 }, (_, hour): RollupRow => {
    const level = (tenths: number) => Math.round(200 + 10 * Math.sin(hour / 4) + tenths) / 10;
    const offset = (hour * 987_654_321) % HOUR;
    const sum = Math.round(level(0) * 3600) / 10;
    return [
      hour * HOUR,
      360,
      offset,
      level(0) + 1 / 7,
      null,
      level(-3),
      level(3),
      level(0),
      level(1),
      sum,
      0.1,
      null,
      null,
      null,
    ];
  });
  const { hours, texts } = packHours(0, rows);
  assert.equal(texts, null);
  assert.ok(hours.length < 520, `${hours.length} bytes`);
  assert.deepEqual(unpackHours(0, { hours, texts }), rows);
  assert.ok(packHours(0, rows.slice(7, 8)).hours.length < 50, "an hour alone");
});

test("texts of a day are written once", () => {
  const states = { unavailable: 1_000_000, heating: HOUR - 1_000_000 };
  const rows = Array.from({ length: 24 }, (_, hour): RollupRow => {
    return [hour * HOUR, 2, 0, null, 0, null, null, null, null, null, null, "heating", { states }, null];
  });
  const packed = packHours(0, rows);
  assert.equal(packed.texts!.split("heating").length - 1, 1);
  assert.ok(packed.texts!.length / 24 < 35, `${packed.texts!.length} bytes`);
  assert.deepEqual(unpackHours(0, packed), rows);
});

test("bytes of another version are refused", () => {
  assert.throws(
    () => unpackHours(0, { hours: Uint8Array.of(2, 1, 0, 0, 0, 0, 0), texts: null }),
    /in version 2, not 1/,
  );
});

/** What a series' hours are, in a plain form. */
type Model = Map<number, RollupRow>;

function insertStatistics(db: DatabaseSync, series: number, row: RollupRow): RollupRow {
  const [start, , , mean, , min, max, , last, , increase] = row;
  db.prepare("INSERT OR REPLACE INTO statistics_hour VALUES (?, ?, ?, ?, ?, ?, ?)").run(
    ...[series, start, mean, min, max, last, increase],
  );
  return [start, 0, null, mean, null, min, max, null, last, null, increase, null, null, null];
}

test("hours are read as a list of rows would be, ours before Home Assistant's", async (t) => {
  // SQLite keeps neither a negative zero nor NaN; ours are not kept by it.
  const statistics = days.chain((day) => rowsOf(day).map((rows) => rows.map(withoutNegativeZeros)));
  const steps = fc.array(
    fc.record({
      series: fc.integer({ min: 1, max: 3 }),
      own: days.chain((day) => rowsOf(day).map((rows) => ({ day, rows }))),
      statistics,
    }),
    { maxLength: 6 },
  );
  const spans = fc.array(fc.tuple(fc.integer({ min: -80, max: 80 }), fc.nat(100)), { minLength: 1, maxLength: 5 });
  let run = 0;
  const { db, prepare } = opened(t);
  await fc.assert(
    fc.property(steps, spans, (history, asked) => {
      const first = run++ * 10;
      const own: Model[] = [];
      const foreign: Model[] = [];
      for (const {
        series,
        own: { day, rows },
        statistics,
      } of history) {
        own[series] ??= new Map();
        foreign[series] ??= new Map();
        const given = new Map(rows.map((row) => [row[0], row]));
        const isOfLess = [...own[series]!.values()].some(([start, count, offset]) => {
          if (dayOf(start) !== day || count === 0) return false;
          const [, countThen = 0, offsetThen = null] = given.get(start) ?? [];
          return count > countThen || offset! < offsetThen!;
        });
        assert.equal(hourStore(db, day)(first + series, rows), !isOfLess);
        if (!isOfLess) for (const row of rows) own[series]!.set(row[0], row);
        for (const row of statistics) foreign[series]!.set(row[0], insertStatistics(db, first + series, row));
      }
      for (let series = 1; series <= 3; series++) {
        const all = [...new Map([...(foreign[series] ?? []), ...(own[series] ?? [])]).values()].sort(
          (a, b) => a[0] - b[0],
        );
        for (const [from, length] of asked) {
          const span = { start: from * HOUR, end: (from + length) * HOUR };
          const expected = all.filter(([start]) => start >= span.start && start < span.end);
          assert.deepEqual(hoursWithin(prepare, first + series, span), expected);
          const means: number[][] = [];
          eachMean(prepare, first + series, span, (...mean) => means.push(mean));
          assert.deepEqual(
            means,
            expected.map(([start, , offset, mean, weight, , , , last, , , state]) => {
              const atEnd = offset === null || state !== null ? null : last;
              return [start + (offset ?? 0), mean ?? Number.NaN, weight ?? Number.NaN, atEnd ?? Number.NaN];
            }),
          );
          let counted = 0;
          eachCount(prepare, first + series, span, (start, count) => {
            counted += count;
            assert.ok(start >= span.start && start < span.end);
          });
          assert.equal(
            counted,
            expected.reduce((sum, [, count]) => sum + count, 0),
          );
          const newest = newestHour(prepare, first + series, span.start);
          const wanted = all.findLast(([start]) => start <= span.start);
          assert.deepEqual(
            newest && { ...newest, state: newest.state() },
            wanted && {
              start: wanted[0],
              last: wanted[LAST] ?? Number.NaN,
              endsWithLast: wanted[2] !== null && wanted[STATE] === null,
              state: wanted[STATE],
            },
          );
          const numbered = expected.findLast((row) => row[LAST] !== null);
          assert.deepEqual(
            lastNumberWithin(prepare, first + series, span),
            numbered && { start: numbered[0], last: numbered[LAST] },
          );
        }
      }
    }),
    { numRuns: 100, endOnFailure: true },
  );
});

const withoutCycles = (row: RollupRow): RollupRow => row.with(CYCLES, null) as RollupRow;

function withoutNegativeZeros(row: RollupRow): RollupRow {
  return row.map((value) => (Object.is(value, -0) ? 0 : value)) as RollupRow;
}

test("hourCounter() and hourDropper() count and delete the hours of one series before a day", (t) => {
  const { db, prepare } = opened(t);
  const one = (day: number): RollupRow => [day * DAY_MICROS, 1, 0, 1, null, 1, 1, 1, 1, 1, 0, null, null, null];
  for (const day of [-1, 0, 1]) {
    for (const series of [6, 7, 8]) hourStore(db, day)(series, [one(day)]);
    insertStatistics(db, 7, one(day));
  }
  assert.equal(hourCounter(db)(7, DAY_MICROS), 4);
  assert.equal(hourDropper(db)(7, DAY_MICROS), 4);
  const left = (series: number) =>
    hoursWithin(prepare, series, { start: -9 * DAY_MICROS, end: 9 * DAY_MICROS }).map(([start]) => start / DAY_MICROS);
  assert.deepEqual([6, 7, 8].map(left), [[-1, 0, 1], [1], [-1, 0, 1]]);
});

test("opening a file of revision 009 packs its hours, and leaves Home Assistant's", (t) => {
  const { db, prepare, reopen } = opened(t);
  downgrade(db, MIGRATIONS, BEFORE_PACKING);
  const rows = fc
    .sample(days.chain(rowsOf), { numRuns: 40, seed: 9 })
    .map((rows, i) => ({ series: i, rows: rows.map(withoutNegativeZeros).map(withoutCycles) }));
  const columns = ROLLUP_COLUMNS.replace(", cycles", "");
  const statement = db.prepare(
    `INSERT INTO rollup_hour (series, ${columns}, source) VALUES (${Array(15).fill("?").join()})`,
  );
  const insert = (series: number, row: RollupRow, source: string | null) =>
    statement.run(series, ...toSql(row).slice(0, -1), source);
  for (const { series, rows: hours } of rows) for (const row of hours) insert(series, row, null);
  const foreign: RollupRow = [9 * DAY_MICROS, 0, null, 1.5, null, 1, 2, null, 7, null, 0.5, null, null, null];
  insert(3, foreign, "home_assistant");
  const again = reopen();
  const all = { start: -9 * DAY_MICROS, end: 10 * DAY_MICROS };
  for (const { series, rows: hours } of rows) {
    assert.deepEqual(hoursWithin(prepare, series, all), series === 3 ? [...hours, foreign] : hours);
  }
  const tables = again.prepare("SELECT name FROM sqlite_schema WHERE name LIKE 'rollup_hour%'").all();
  assert.deepEqual(
    tables.map(({ name }) => name),
    ["rollup_hours"],
  );
  assert.deepEqual(
    again
      .prepare("SELECT DISTINCT series FROM rollup_hours ORDER BY 1")
      .all()
      .map(({ series }) => series),
    rows.flatMap(({ series, rows: hours }) => (hours.length > 0 ? series : [])),
  );
});

test("taking packed hours back leaves Home Assistant's, and days to be built anew where samples are kept", (t) => {
  const { db } = opened(t);
  const foreign: RollupRow = [9 * DAY_MICROS, 0, null, 1.5, null, 1, 2, null, 7, null, 0.5, null, null, null];
  insertStatistics(db, 3, foreign);
  hourStore(db, 5)(3, [[5 * DAY_MICROS, 1, 0, 1, null, 1, 1, 1, 1, 1, 0, null, null, null]]);
  db.exec(`
    CREATE TABLE samples_19700106 (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts)) WITHOUT ROWID;
    INSERT INTO archive_files VALUES ('1970/01/1970-01-08.parquet', 7, 8, 1, 0, 0, 1, '', 0, 0, NULL, NULL);
    INSERT INTO archive_files VALUES ('1970/01/1970-01-09.parquet', 8, 9, 1, 0, 0, 1, '', 0, 1, NULL, NULL);
    INSERT INTO rollup_days (day, cuts) VALUES (5, '[]'), (6, '[]'), (7, '[]'), (8, '[]');
  `);
  downgrade(db, MIGRATIONS, BEFORE_PACKING);
  assert.deepEqual(
    db
      .prepare("SELECT day FROM rollup_days WHERE cuts IS NULL ORDER BY day")
      .all()
      .map(({ day }) => day),
    [5, 7],
  );
  assert.deepEqual(
    { ...db.prepare("SELECT series, start, mean, source FROM rollup_hour").get() },
    { series: 3, start: 9 * DAY_MICROS, mean: 1.5, source: "home_assistant" },
  );
});

test("opening a file of revision 014 has days computed anew from the first last_reset on, where samples are kept", (t) => {
  const { db, reopen } = opened(t);
  downgrade(db, MIGRATIONS, BEFORE_CYCLES);
  db.exec(`
    CREATE TABLE samples_19700103 (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts)) WITHOUT ROWID;
    CREATE TABLE samples_19700106 (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts)) WITHOUT ROWID;
    INSERT INTO archive_files VALUES ('1970/01/1970-01-08.parquet', 7, 8, 1, 0, 0, 1, '', 0, 0, NULL, NULL);
    INSERT INTO rollup_days (day, cuts) VALUES (2, '[]'), (5, '[]'), (6, '[]'), (7, '[]');
    INSERT INTO series (number, measurement, subject, field, first_ts) VALUES
      (1, 'state', 'cost', 'state', 0), (2, 'state', 'cost', 'last_reset', ${5 * DAY_MICROS + HOUR});
  `);
  const due = "SELECT day FROM rollup_days WHERE cuts IS NULL ORDER BY day";
  assert.deepEqual(
    reopen()
      .prepare(due)
      .all()
      .map(({ day }) => day),
    [5, 7],
  );
});

for (const [what, place] of [
  ["a page's header", 0],
  ["a text", 1_800],
] as const)
  test(`damaged hours of before cost no samples, and are to be computed anew: ${what}`, (t) => {
    const { db, folder, reopen } = opened(t);
    downgrade(db, MIGRATIONS, BEFORE_PACKING);
    db.exec(`
    CREATE TABLE samples_19700106 (series INTEGER, ts INTEGER, value ANY, PRIMARY KEY (series, ts)) WITHOUT ROWID;
    INSERT INTO samples_19700106 VALUES (1, 432000000001, 5);
    INSERT INTO rollup_days (day, cuts) VALUES (5, '[]'), (6, '[]');
  `);
    const insert = db.prepare("INSERT INTO rollup_hour (series, start, count, durations) VALUES (1, ?, 1, ?)");
    for (let hour = 0; hour < 300; hour++) insert.run(5 * DAY_MICROS + hour * HOUR, '{"states":{}}'.padEnd(300));
    const { rootpage } = db.prepare("SELECT max(pageno) AS rootpage FROM dbstat WHERE name = 'rollup_hour'").get()!;
    const { page_size: bytes } = db.prepare("PRAGMA page_size").get()!;
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
    const damage = (): void => {
      const file = openSync(join(folder, "timeseries.db"), "r+");
      writeSync(file, Buffer.alloc(200, 0xff), 0, 200, (Number(rootpage) - 1) * Number(bytes) + place);
      closeSync(file);
    };
    for (const meanwhile of [damage, undefined]) {
      const again = reopen(meanwhile);
      assert.ok(hasDamagedHours(again));
      assert.equal(again.prepare("SELECT value FROM samples_19700106").get()?.value, 5);
      assert.deepEqual(
        again
          .prepare("SELECT day FROM rollup_days WHERE cuts IS NULL")
          .all()
          .map(({ day }) => day),
        [5],
      );
      assert.equal(again.prepare("SELECT count(*) AS n FROM rollup_hours").get()?.n, 0);
    }
  });
