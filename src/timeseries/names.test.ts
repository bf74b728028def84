import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { openStore, type Store } from "./store.ts";

type Step = (store: Store) => void;

/** A subject with one field; the name it goes by from `at` on. */
const seen =
  (subject: string, name: string | null, at: number, field = "state"): Step =>
  (store) => {
    store.append(store.series({ measurement: "state", subject, field }, name, at), at, `${subject} ${field}`);
  };
const rename =
  (subject: string, name: string, at: number): Step =>
  (store) =>
    store.rename("state", subject, name, at);
const release =
  (subject: string, at: number): Step =>
  (store) =>
    store.release("state", subject, at);
const rekey =
  (subject: string, newSubject: string): Step =>
  (store) =>
    store.rekey("state", subject, newSubject);

interface Case {
  readonly name: string;
  readonly steps: readonly Step[];
  /** entity_id → "subject field" of the series that answer, in order. */
  readonly answers: Readonly<Record<string, readonly string[]>>;
  /** entity_id → the present (or last) name its series tell. */
  readonly names?: Readonly<Record<string, string>>;
  readonly aliases?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "an unknown name answers nothing", steps: [], answers: { "light.a": [] } },
  {
    name: "fields come with the state first, then by name",
    steps: [
      seen("u1", "light.a", 1, "zone"),
      seen("u1", "light.a", 2),
      seen("u1", "light.a", 3, "brightness"),
      seen("u2", "light.b", 3),
    ],
    answers: { "light.a": ["u1 state", "u1 brightness", "u1 zone"], "light.b": ["u2 state"] },
  },
  {
    name: "what has no name answers to none",
    steps: [seen("open-meteo", null, 1)],
    answers: { "open-meteo": [] },
  },
  {
    name: "a renamed entity answers to both names",
    steps: [seen("u1", "light.a", 1), rename("u1", "light.b", 5)],
    answers: { "light.a": ["u1 state"], "light.b": ["u1 state"] },
    names: { "light.a": "light.b", "light.b": "light.b" },
    aliases: ["1 light.a 1 5", "1 light.b 5 null"],
  },
  {
    name: "a field that comes after a rename has the new name alone on disk, and both in answers",
    steps: [seen("u1", "light.a", 1), rename("u1", "light.b", 5), seen("u1", "light.b", 9, "color")],
    answers: { "light.a": ["u1 state", "u1 color"], "light.b": ["u1 state", "u1 color"] },
    aliases: ["1 light.a 1 5", "1 light.b 5 null", "2 light.b 9 null"],
  },
  {
    name: "a rename and back",
    steps: [seen("u1", "light.a", 1), rename("u1", "light.b", 5), rename("u1", "light.a", 7)],
    answers: { "light.a": ["u1 state"], "light.b": ["u1 state"] },
    names: { "light.b": "light.a" },
  },
  {
    name: "a rename that nobody told is learned from series()",
    steps: [seen("u1", "light.a", 1), seen("u1", "light.b", 5)],
    answers: { "light.a": ["u1 state"], "light.b": ["u1 state"] },
    names: { "light.a": "light.b" },
  },
  {
    name: "old news of a name changes nothing",
    steps: [seen("u1", "light.a", 1), rename("u1", "light.b", 5), seen("u1", "light.a", 3, "color")],
    answers: { "light.a": ["u1 state", "u1 color"] },
    names: { "light.a": "light.b" },
  },
  {
    name: "renaming an unknown subject does nothing",
    steps: [rename("u9", "light.a", 5)],
    answers: { "light.a": [] },
  },
  {
    name: "a reused name means its present owner",
    steps: [seen("u1", "light.a", 1), rename("u1", "light.b", 5), seen("u2", "light.a", 6)],
    answers: { "light.a": ["u2 state"], "light.b": ["u1 state"] },
  },
  {
    name: "two entities swap their names",
    steps: [
      seen("u1", "light.a", 1),
      seen("u2", "light.b", 1),
      rename("u1", "light.c", 2),
      rename("u2", "light.a", 3),
      rename("u1", "light.b", 4),
    ],
    answers: { "light.a": ["u2 state"], "light.b": ["u1 state"], "light.c": ["u1 state"] },
  },
  {
    name: "whoever comes with a name takes it from an owner whose end was missed",
    steps: [seen("u1", "light.a", 1), seen("u2", "light.a", 5)],
    answers: { "light.a": ["u2 state"] },
    aliases: ["1 light.a 1 5", "2 light.a 5 null"],
  },
  {
    name: "a released name still answers",
    steps: [seen("u1", "light.a", 1), release("u1", 5)],
    answers: { "light.a": ["u1 state"] },
    names: { "light.a": "light.a" },
    aliases: ["1 light.a 1 5"],
  },
  {
    name: "a released name answers for its next owner, and for him after his release",
    steps: [seen("u1", "light.a", 1), release("u1", 5), seen("u2", "light.a", 7), release("u2", 9)],
    answers: { "light.a": ["u2 state"] },
  },
  {
    name: "a released entity that returns has its name again",
    steps: [seen("u1", "light.a", 1), release("u1", 5), seen("u1", "light.a", 8)],
    answers: { "light.a": ["u1 state"] },
    aliases: ["1 light.a 1 5", "1 light.a 8 null"],
  },
  {
    name: "a late sample of a released entity does not take the name back",
    steps: [seen("u1", "light.a", 1), release("u1", 5), seen("u2", "light.a", 6), seen("u1", "light.a", 4)],
    answers: { "light.a": ["u2 state"] },
  },
  {
    name: "rekey() carries an entity over to its registry id",
    steps: [seen("light.a", "light.a", 1), seen("light.a", "light.a", 2, "color"), rekey("light.a", "u1")],
    answers: { "light.a": ["u1 state", "u1 color"] },
  },
  {
    name: "rekey() keeps old names",
    steps: [seen("light.a", "light.old", 1), rename("light.a", "light.a", 3), rekey("light.a", "u1")],
    answers: { "light.a": ["u1 state"], "light.old": ["u1 state"] },
  },
  {
    name: "rekey() of an unknown subject does nothing",
    steps: [rekey("light.a", "u1")],
    answers: { "light.a": [] },
  },
  {
    name: "rekey() leaves a field that the new subject has, and moves the alias and the others",
    steps: [
      seen("light.a", "light.a", 1),
      seen("light.a", "light.a", 2, "color"),
      seen("u1", "light.a", 10),
      rekey("light.a", "u1"),
    ],
    answers: { "light.a": ["u1 state", "u1 color"] },
  },
  {
    name: "rekey() to a subject without a name gives it the name",
    steps: [seen("u1", null, 1), seen("light.a", "light.a", 2), rekey("light.a", "u1")],
    answers: { "light.a": ["u1 state"] },
  },
];

for (const { name, steps, answers, names = {}, aliases } of CASES) {
  test(`names: ${name}`, async (t) => {
    const directory = mkdtempSync(join(tmpdir(), "names-test-"));
    t.after(() => rmSync(directory, { recursive: true, force: true }));
    const options = {
      directory,
      commitSeconds: 1000,
      settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" as const },
      log: silentLog(),
      now: () => 1_000,
    };
    const check = (store: Store, when: string) => {
      for (const [entityId, expected] of Object.entries(answers)) {
        const found = store.seriesOfEntity(entityId).map(({ subject, field }) => `${subject} ${field}`);
        assert.deepEqual(found, expected, `${entityId} ${when}`);
      }
      for (const [entityId, expected] of Object.entries(names)) {
        assert.equal(store.seriesOfEntity(entityId)[0]?.name, expected, `the name of ${entityId} ${when}`);
      }
    };
    let store = await openStore(options);
    t.after(() => store.close());
    for (const step of steps) step(store);
    check(store, "in memory");
    await store.close();
    if (aliases !== undefined) {
      const db = new DatabaseSync(join(directory, "timeseries.db"), { readOnly: true });
      const rows = db.prepare("SELECT * FROM series_alias ORDER BY series, valid_from").all();
      db.close();
      assert.deepEqual(
        rows.map((row) => `${row.series} ${row.entity_id} ${row.valid_from} ${row.valid_to}`),
        aliases,
      );
    }
    store = await openStore(options);
    check(store, "after a restart");
    await store.close();
  });
}

test("rekey() leaves the samples of a clashing field under the old subject", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "names-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" as const };
  await using store = await openStore({ directory, commitSeconds: 1000, settings, log: silentLog() });
  for (const step of [seen("light.a", "light.a", 1), seen("u1", "light.a", 10), rekey("light.a", "u1")]) step(store);
  const valuesOf = async (subject: string) => {
    const series = store.seriesOfSubject("state", subject)[0]!.number;
    return (await store.read([{ series, start: 0, end: 100, limit: 10 }]))[0]?.values;
  };
  assert.deepEqual(await valuesOf("light.a"), ["light.a state"]);
  assert.deepEqual(await valuesOf("u1"), ["u1 state"]);
  assert.equal(store.find({ measurement: "state", subject: "u1", field: "state" }), 2);
});

test("describe() survives a restart and writes nothing when nothing changed", async (t) => {
  const directory = mkdtempSync(join(tmpdir(), "names-test-"));
  t.after(() => rmSync(directory, { recursive: true, force: true }));
  const settings = { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "FULL" as const };
  const options = { directory, commitSeconds: 1000, settings, log: silentLog() };
  const traits = { unit: "°C", deviceClass: "temperature", stateClass: "measurement" };
  let store = await openStore(options);
  t.after(() => store.close());
  seen("u1", "sensor.a", 1)(store);
  store.describe(1, traits, 1);
  await store.close();
  store = await openStore(options);
  const { unit, deviceClass, stateClass } = store.seriesOfEntity("sensor.a")[0]!;
  assert.deepEqual({ unit, deviceClass, stateClass }, traits);
  store.describe(1, traits, 1);
  store.series({ measurement: "state", subject: "u1", field: "state" }, "sensor.a", 9);
  await store.flush();
  assert.equal(store.status().commits, 0);
  assert.throws(() => store.describe(9, traits, 1), RangeError);
  await store.close();
});
