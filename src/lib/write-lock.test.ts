import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import { transaction } from "./transaction.ts";
import { type Connection, withoutBlocking } from "./write-lock.ts";

/** SQLite's own wait, in which nothing else would happen. */
const FOR_EVER_MS = 1_000_000;

function open(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "write-lock-test-"));
  const file = join(directory, "some.db");
  const database = new DatabaseSync(file);
  database.exec(
    "PRAGMA journal_mode = WAL; CREATE TABLE numbers (number INTEGER PRIMARY KEY AUTOINCREMENT, what TEXT)",
  );
  const other = new DatabaseSync(file);
  t.after(() => {
    database.close();
    other.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const commands = (waitMs: number, connection: () => Connection | undefined = () => ({ database, waitMs })) =>
    withoutBlocking(
      {
        add: (what: string) =>
          transaction(database, () => database.prepare("INSERT INTO numbers (what) VALUES (?)").run(what).changes),
        fail: () => {
          throw new RangeError("odd");
        },
        all: () =>
          database
            .prepare("SELECT what FROM numbers ORDER BY number")
            .all()
            .map(({ what }) => what),
      },
      (command) => (command === "all" ? undefined : connection()),
    );
  return { database, other, commands };
}

test("withoutBlocking() answers at once where nobody else writes", (t) => {
  const { add, fail, all } = open(t).commands(FOR_EVER_MS);
  assert.equal(add!("one"), 1);
  assert.throws(() => fail!(null), RangeError);
  assert.deepEqual(all!(null), ["one"]);
});

test("withoutBlocking() waits for another program's lock while its thread goes on, and keeps the order", async (t) => {
  const { other, commands, database } = open(t);
  const { add, fail, all } = commands(FOR_EVER_MS);
  other.exec("BEGIN IMMEDIATE");
  const answers = Promise.all([add!("one"), assert.rejects(fail!(null) as Promise<never>, RangeError), add!("two")]);
  // Comes at all: SQLite would wait for ever, and everything with it.
  await sleep(30);
  other.exec("ROLLBACK");
  const later = add!("three");
  assert.ok(later instanceof Promise, "others wait before it");
  await answers;
  await later;
  assert.deepEqual(await all!(null), ["one", "two", "three"]);
  assert.equal(add!("four"), 1, "nobody waits any more");
  assert.equal(database.prepare("PRAGMA busy_timeout").get()!.timeout, FOR_EVER_MS);
});

test("withoutBlocking() rejects as SQLite does when the wait is over, and takes what comes after", async (t) => {
  const { other, commands } = open(t);
  const { add, all } = commands(20);
  other.exec("BEGIN IMMEDIATE");
  const late = { errcode: 5, message: "database is locked" };
  await Promise.all([
    assert.rejects(add!("one") as Promise<never>, late),
    assert.rejects(add!("two") as Promise<never>, late),
  ]);
  other.exec("ROLLBACK");
  await add!("three");
  assert.deepEqual(await all!(null), ["three"]);
});

test("withoutBlocking() lets what takes no lock wait for its turn alone", async (t) => {
  const { other, commands } = open(t);
  const { add, all } = commands(20);
  other.exec("BEGIN IMMEDIATE");
  assert.deepEqual(all!(null), [], "nobody waits");
  const added = assert.rejects(add!("one") as Promise<never>, { errcode: 5 });
  const read = all!(null);
  assert.ok(read instanceof Promise, "somebody waits before it");
  await added;
  assert.deepEqual(await read, []);
  other.exec("ROLLBACK");
});

test("withoutBlocking() waits for nothing where no database is open", (t) => {
  const { other, commands } = open(t);
  other.exec("BEGIN IMMEDIATE");
  assert.throws(() => commands(0, () => undefined).fail!(null), RangeError);
});
