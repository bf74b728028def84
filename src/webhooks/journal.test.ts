import assert from "node:assert/strict";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { createJournal } from "./journal.ts";

function setup() {
  const database = new DatabaseSync(":memory:");
  database.exec("CREATE TABLE t (n INTEGER PRIMARY KEY) STRICT");
  const put = database.prepare("INSERT INTO t VALUES (?)");
  const journal = createJournal(database);
  const rows = () =>
    database
      .prepare("SELECT n FROM t ORDER BY n")
      .all()
      .map(({ n }) => n);
  return { database, journal, rows, put: (n: number) => void put.run(n) };
}

test("write() takes back the writes of the work that throws, and of no other", async () => {
  const { journal, rows, put } = setup();
  const outcomes = await Promise.allSettled([
    journal.write(() => put(1)),
    journal.write(() => {
      put(2);
      throw new Error("no");
    }),
    journal.write(() => put(1)),
    journal.write(() => {
      put(3);
      return "three";
    }),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["fulfilled", "rejected", "rejected", "fulfilled"],
  );
  assert.deepEqual(rows(), [1, 3]);
  assert.equal(journal.failures, 0);
});

test("write() rejects all of a group whose commit is refused, and goes on afterwards", async () => {
  const { database, journal, rows, put } = setup();
  database.exec(`
    CREATE TABLE parent (n INTEGER PRIMARY KEY) STRICT;
    CREATE TABLE child (n INTEGER REFERENCES parent (n) DEFERRABLE INITIALLY DEFERRED) STRICT;
    PRAGMA foreign_keys = ON;
  `);
  const outcomes = await Promise.allSettled([
    journal.write(() => put(1)),
    journal.write(() => database.exec("INSERT INTO child VALUES (5)")),
  ]);
  assert.deepEqual(
    outcomes.map(({ status }) => status),
    ["rejected", "rejected"],
  );
  assert.equal(journal.failures, 1);
  await journal.write(() => put(2), { soon: true });
  assert.deepEqual(rows(), [2]);
});
