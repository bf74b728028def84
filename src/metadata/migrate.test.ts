import assert from "node:assert/strict";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { AppError } from "../domain/errors.ts";
import { DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { current, downgradeTo, homeMigrations, stamp, upgradeTo } from "./migrate.ts";
import { temporaryDirectory } from "./testing.ts";

const schema = (database: DatabaseSync) =>
  database.prepare("SELECT type, name, tbl_name, sql FROM sqlite_schema ORDER BY rowid").all();
const refusal = (code: string, message: RegExp) => (error: unknown) =>
  error instanceof AppError && error.code === code && message.test(error.message);

test("upgradeTo() brings an empty database to head, and again changes nothing", (t) => {
  const database = openDatabase(join(temporaryDirectory(t), "a.db"), DEFAULT_SETTINGS);
  assert.deepEqual(current(database), { revision: null, name: null, newest: false });
  assert.deepEqual(upgradeTo(database, "001"), ["001"]);
  assert.deepEqual(current(database), { revision: "001", name: "home", newest: false });
  assert.deepEqual(upgradeTo(database), ["002", "003"]);
  assert.deepEqual(upgradeTo(database, "head"), []);
  assert.deepEqual(current(database), { revision: "003", name: "places", newest: true });
  database.close();
});

test("downgradeTo() and upgradeTo() restore the schema byte for byte and keep what both revisions hold", (t) => {
  const database = openDatabase(join(temporaryDirectory(t), "a.db"), DEFAULT_SETTINGS);
  upgradeTo(database);
  const before = schema(database);
  database.exec(
    "INSERT INTO areas (area_id, aliases, labels, updated_at, raw) VALUES ('kitchen', '[]', '[]', 1, '{}')",
  );
  assert.deepEqual(downgradeTo(database, "-2"), ["003", "002"]);
  assert.equal(database.prepare("SELECT count(*) AS n FROM areas").get()!.n, 1);
  upgradeTo(database);
  assert.deepEqual(schema(database), before);
  assert.equal(database.prepare("SELECT count(*) AS n FROM areas").get()!.n, 1);
  assert.deepEqual(downgradeTo(database, "base"), ["003", "002", "001"]);
  upgradeTo(database);
  assert.deepEqual(schema(database), before);
  database.close();
});

test("upgradeTo() leaves the previous revision when a step fails, and says so", () => {
  const database = new DatabaseSync(":memory:");
  const broken = { revision: "004", name: "broken", up: "CREATE TABLE half (a); CREATE TABLE half (b)", down: "" };
  assert.throws(
    () => upgradeTo(database, "head", [...homeMigrations(), broken]),
    refusal("conflict", /revision "004": table half already exists; the database stays at revision 003/),
  );
  assert.equal(current(database).revision, "003");
  assert.equal(database.prepare("SELECT 1 FROM sqlite_schema WHERE name = 'half'").get(), undefined);
});

test("migrations refuse targets that are not there or lie in the other direction", () => {
  const database = new DatabaseSync(":memory:");
  upgradeTo(database);
  assert.throws(() => upgradeTo(database, "001"), refusal("invalid", /at 003 already/));
  assert.throws(() => upgradeTo(database, "042"), refusal("invalid", /there are base, 001, 002, 003, head/));
  assert.throws(() => downgradeTo(database, "-4"), refusal("invalid", /only 3 steps/));
  downgradeTo(database, "001");
  assert.throws(() => downgradeTo(database, "002"), refusal("invalid", /is at 001/));
});

test("current() refuses a database of a newer version", () => {
  const database = new DatabaseSync(":memory:");
  upgradeTo(database);
  database.exec("INSERT INTO schema_migrations (revision, name) VALUES ('009', 'future')");
  assert.throws(
    () => current(database),
    refusal("conflict", /revision 009 is unknown to this version, which ends at 003/),
  );
});

test("stamp() sets the revision of a schema that matches, and others only when forced", () => {
  const database = new DatabaseSync(":memory:");
  for (const migration of homeMigrations()) database.exec(migration.up);
  assert.throws(() => stamp(database, "001"), refusal("conflict", /it has table states/));
  stamp(database, "head");
  assert.deepEqual(current(database), { revision: "003", name: "places", newest: true });
  database.exec("ALTER TABLE areas ADD COLUMN odd TEXT");
  assert.throws(() => stamp(database, "head"), refusal("conflict", /its table areas is another/));
  stamp(database, "001", { force: true });
  assert.equal(current(database).revision, "001");
});
