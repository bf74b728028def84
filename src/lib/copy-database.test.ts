import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { type TestContext, test } from "node:test";
import { copyDatabase } from "./copy-database.ts";

const ROWS = 20_000;

/** Of some thousand pages, in a directory for the copy, too. */
function withDatabase(t: TestContext) {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-copy-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const [from, to] = [join(directory, "from.db"), join(directory, "to.db")];
  const database = new DatabaseSync(from);
  t.after(() => database.close());
  database.exec("PRAGMA journal_mode = WAL; CREATE TABLE rows (id INTEGER PRIMARY KEY, round INTEGER, text TEXT)");
  const fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?)";
  database.prepare(`${fill} INSERT INTO rows SELECT i, 0, hex(randomblob(250)) FROM n`).run(ROWS);
  return { database, from, to };
}

test("copyDatabase() has one moment of a database that is written to all the time", async (t) => {
  const { database, from, to } = withDatabase(t);
  let round = 0;
  const writing = setInterval(() => database.exec(`UPDATE rows SET round = ${++round} WHERE id % 1000 = 0`), 1);
  t.after(() => clearInterval(writing));
  await copyDatabase(from, to);
  clearInterval(writing);
  assert.ok(round > 2, `${round}`);
  const copy = new DatabaseSync(to, { readOnly: true });
  t.after(() => copy.close());
  assert.equal(copy.prepare("PRAGMA integrity_check").get()!.integrity_check, "ok");
  const rounds = "SELECT count(DISTINCT round) AS rounds, count(*) AS rows FROM rows WHERE id % 1000 = 0";
  assert.deepEqual({ ...copy.prepare(rounds).get() }, { rounds: 1, rows: ROWS / 1000 });
  assert.equal(copy.prepare("SELECT count(*) AS count FROM rows").get()!.count, ROWS);
});

test("copyDatabase() breaks off when its signal aborts", async (t) => {
  const { from, to } = withDatabase(t);
  const ending = new AbortController();
  const copying = copyDatabase(from, to, ending.signal);
  ending.abort(new Error("enough"));
  await assert.rejects(copying, /enough/);
  assert.ok((statSync(to, { throwIfNoEntry: false })?.size ?? 0) < statSync(from).size / 2);
});
