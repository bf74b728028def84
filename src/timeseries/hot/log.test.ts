import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../../domain/sample.ts";
import { downgrade, readMigrations, upgrade } from "../../lib/migrate.ts";
import { Chunk } from "./chunk.ts";
import { unpackValues } from "./columns.ts";
import { Log, type LogContent, packLog, readLog, valueAt } from "./log.ts";

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

test("packLog() gives the samples as they came", () => {
  fc.assert(
    fc.property(samples, (batch) => {
      using db = openLog();
      append(db, batch);
      const packed = packLog(readLog(db));
      assert.deepEqual(
        Array.from(unpackValues(packed.samples), (value, i) => [packed.series[i], packed.samples.ts[i], value]),
        batch,
      );
    }),
  );
});

test("remove() leaves what was appended after seal()", () => {
  using db = openLog();
  const log = new Log(db);
  const add = (ts: number) => {
    const chunk = new Chunk(1);
    chunk.push(1, ts, ts);
    log.append(chunk.packed());
  };
  add(1);
  const first = log.seal();
  // It would have room in the same row.
  add(2);
  log.remove(first);
  assert.deepEqual(contents(db), [[1, 2, 2]]);
  const second = log.seal();
  assert.ok(second > first);
  log.remove(second);
  assert.deepEqual(contents(db), []);
  assert.equal(log.seal(), second, "nothing was appended");
});
