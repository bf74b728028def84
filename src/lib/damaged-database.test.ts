import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { damageOf, lastMovedAside, moveAside } from "./damaged-database.ts";

function directoryFor(t: { after(done: () => void): void }): string {
  const directory = mkdtempSync(join(tmpdir(), "damaged-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

test("damageOf() knows a sound database, a broken one and what is none, and throws what is no damage", (t) => {
  const file = join(directoryFor(t), "a.db");
  const open = (): DatabaseSync => new DatabaseSync(file);
  const database = open();
  database.exec("CREATE TABLE t (x TEXT); CREATE INDEX i ON t (x)");
  for (let i = 0; i < 2000; i++) database.prepare("INSERT INTO t VALUES (?)").run(`row ${i}`);
  database.close();
  assert.equal(damageOf(open), null);

  const bytes = readFileSync(file);
  const broken = Buffer.from(bytes);
  broken.fill(0xa5, 4096 * 2, 4096 * 6);
  writeFileSync(file, broken);
  assert.match(damageOf(open) ?? "", /./);
  writeFileSync(file, "no database at all, but long enough to have a header of its own".repeat(100));
  assert.match(damageOf(open) ?? "", /not a database/);
  assert.throws(() => damageOf(() => new DatabaseSync(join(file, "below a file"))), { code: "ERR_SQLITE_ERROR" });
});

test("moveAside() takes along what belongs to the file, and never the place of one that was moved before", (t) => {
  const directory = directoryFor(t);
  const file = join(directory, "a.db");
  assert.equal(lastMovedAside(file), null);
  const at = Date.parse("2026-11-24T18:33:00.250Z");
  writeFileSync(file, "first");
  writeFileSync(`${file}-wal`, "first wal");
  assert.equal(moveAside(file, at), `${file}.corrupt-20261124T183300Z`);
  writeFileSync(file, "second");
  assert.equal(moveAside(file, at), `${file}.corrupt-20261124T183301Z`);
  assert.deepEqual(readdirSync(directory).sort(), [
    "a.db.corrupt-20261124T183300Z",
    "a.db.corrupt-20261124T183300Z-wal",
    "a.db.corrupt-20261124T183301Z",
  ]);
  assert.equal(readFileSync(`${file}.corrupt-20261124T183300Z`, "utf8"), "first");
  assert.equal(lastMovedAside(file), `${file}.corrupt-20261124T183301Z`);
});
