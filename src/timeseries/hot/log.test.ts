import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../domain/sample.ts";
import { downgrade, readMigrations, upgrade } from "../../lib/migrate.ts";
import { Chunk } from "./chunk.ts";
import { unpackValues } from "./columns.ts";
import { dayOf } from "./day.ts";
import { Log, type LogContent, packLog, readLog, valueAt } from "./log.ts";
import { sortLog } from "./log-order.ts";

type Sample = readonly [series: number, ts: number, value: Value];

const MIGRATIONS = readMigrations(join(import.meta.dirname, "migrations"));
const BEFORE_BATCHES = "005";

function openLog(): DatabaseSync {
  const db = new DatabaseSync(":memory:");
  upgrade(db, MIGRATIONS);
  return db;
}

function append(db: DatabaseSync, samples: readonly Sample[]): void {
  const chunk = new Chunk(4);
  for (const sample of samples) chunk.push(...sample);
  new Log(db).append(chunk.packed());
}

function contents(db: DatabaseSync): Sample[] {
  return samplesOf(readLog(db));
}

function samplesOf(log: LogContent): Sample[] {
  return Array.from(log.series, (series, place) => [series, log.ts[place]!, valueAt(log, place)]);
}

const rowsOf = (db: DatabaseSync): Sample[] =>
  db
    .prepare("SELECT series, ts, value FROM log")
    .all()
    .map(({ series, ts, value }) => [series, ts, value] as Sample);

const samples = fc.array(
  fc.tuple(
    fc.integer({ min: 1, max: 2_000_000 }),
    fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -5, max: 5 }), fc.constant(1_795_518_045_947_119)),
    fc.oneof(
      fc.double({ noNaN: true }).map((number) => number + 0),
      fc.string({ unit: "grapheme" }),
      fc.constantFrom(
        null,
        "a\0b",
        "9",
        "null",
        2 ** 53,
        -(2 ** 62),
        2 ** 63,
        1e300,
        Number.POSITIVE_INFINITY,
        Number.NEGATIVE_INFINITY,
      ),
    ),
  ),
  { maxLength: 30 },
);

test("the log gives back what was appended, in order, to us and to SQL", () => {
  fc.assert(
    fc.property(fc.array(samples, { maxLength: 3 }), (batches) => {
      using db = openLog();
      for (const batch of batches) append(db, batch);
      assert.deepEqual(contents(db), batches.flat());
      assert.deepEqual(rowsOf(db), batches.flat());
    }),
  );
});

test("a log of the time before batches is carried over, and back, to the last digit", () => {
  fc.assert(
    fc.property(samples, (rows) => {
      using db = new DatabaseSync(":memory:");
      upgrade(db, MIGRATIONS, BEFORE_BATCHES);
      const insert = db.prepare("INSERT INTO log (series, ts, value) VALUES (?, ?, ?)");
      for (const row of rows) insert.run(...row);
      upgrade(db, MIGRATIONS);
      assert.deepEqual(contents(db), rows);
      downgrade(db, MIGRATIONS, BEFORE_BATCHES);
      assert.deepEqual(rowsOf(db), rows);
    }),
  );
});

test("a long log of the time before batches becomes several of them", () => {
  using db = new DatabaseSync(":memory:");
  upgrade(db, MIGRATIONS, BEFORE_BATCHES);
  db.exec(`WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 25000)
           INSERT INTO log SELECT i % 7, i, i / 10.0 FROM n`);
  upgrade(db, MIGRATIONS);
  assert.deepEqual(
    contents(db),
    Array.from({ length: 25_000 }, (_, i) => [(i + 1) % 7, i + 1, (i + 1) / 10]),
  );
  assert.equal(db.prepare("SELECT count(*) AS batches FROM log_batches").get()?.batches, 3);
});

test("a row that was damaged where it stands costs its own samples alone", () => {
  for (const damage of [
    "replace(samples, ',', '<')",
    "substr(samples, 2)",
    "'[1,2]'",
    "replace(samples, '[2,', '[2.5,')",
    "replace(samples, '[2,0', '[2,null')",
    "''",
  ]) {
    using db = openLog();
    append(db, [[1, 1, 1]]);
    append(db, [
      [2, 2, 2],
      [2, 3, "x"],
    ]);
    append(db, [[3, 4, 3]]);
    db.exec(`UPDATE log_batches SET samples = ${damage} WHERE batch = 2`);
    assert.deepEqual(
      contents(db),
      [
        [1, 1, 1],
        [3, 4, 3],
      ],
      damage,
    );
    assert.equal(readLog(db).damaged, 2);
  }
});

test("sortLog() orders by day, series, time and arrival", () => {
  fc.assert(
    fc.property(samples, (batch) => {
      using db = openLog();
      append(db, batch);
      const sorted = sortLog(readLog(db));
      const expected = batch.toSorted((a, b) => dayOf(a[1]) - dayOf(b[1]) || a[0] - b[0] || a[1] - b[1]);
      assert.deepEqual(samplesOf(sorted), expected);
      const packed = packLog(sorted);
      assert.deepEqual(
        Array.from(unpackValues(packed.samples), (value, i) => [packed.series[i], packed.samples.ts[i], value]),
        expected,
      );
    }),
  );
});

test("remove() leaves what came after", () => {
  using db = openLog();
  const log = new Log(db);
  append(db, [[1, 1, 1]]);
  const { lastBatch } = log.read();
  append(db, [[1, 2, 2]]);
  log.remove(lastBatch);
  assert.deepEqual(contents(db), [[1, 2, 2]]);
  log.remove(log.read().lastBatch);
  assert.deepEqual(contents(db), []);
  assert.equal(log.read().lastBatch, 0);
});

test("what is kept of a flood is what the file has, whatever became of its transactions", () => {
  using db = openLog();
  const log = new Log(db);
  const flood = (count: number, first: number) => {
    const chunk = new Chunk(count);
    for (let i = 0; i < count; i++) chunk.push(i % 5, first + i, i % 3 === 0 ? `t${i}` : i / 8);
    return chunk.packed();
  };
  const transaction = (end: "COMMIT" | "ROLLBACK", work: () => void) => {
    db.exec("BEGIN");
    work();
    db.exec(end);
  };
  const check = () => assert.deepEqual(log.read(), readLog(db));
  transaction("COMMIT", () => log.append(flood(2_500, 0)));
  check();
  transaction("ROLLBACK", () => log.append(flood(3_000, 1e9)));
  check();
  transaction("COMMIT", () => log.append(flood(10, 2e9)));
  check();
  transaction("ROLLBACK", () => log.append(flood(3_000, 3e9)));
  transaction("COMMIT", () => log.append(flood(4_000, 4e9)));
  check();
  const { lastBatch } = log.read();
  transaction("ROLLBACK", () => log.remove(lastBatch));
  check();
  transaction("COMMIT", () => log.append(flood(5_000, 5e9)));
  transaction("COMMIT", () => log.remove(lastBatch));
  check();
  assert.equal(log.read().series.length, 5_000);
});
