import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import type { RowFault } from "../domain/home-store.ts";
import { createFeed } from "../lib/feed.ts";
import { bulkRows } from "./bulk-rows.ts";
import { createHomeCommands } from "./commands.ts";
import { DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { upgradeTo } from "./migrate.ts";
import type { RowSlice } from "./row-slices.ts";
import { AT, json, temporaryDirectory } from "./testing.ts";

function openCommands(t: TestContext) {
  const database = openDatabase(join(temporaryDirectory(t), "metadata.db"), {
    ...DEFAULT_SETTINGS,
    synchronous: "OFF",
  });
  t.after(() => database.close());
  upgradeTo(database);
  const commands = createHomeCommands(database);
  const all = (sql: string) => database.prepare(sql).all();
  return {
    upsert(rows: readonly unknown[], at: number) {
      const faults: RowFault[] = [];
      const feed = createFeed<RowSlice>(Number.MAX_SAFE_INTEGER);
      for (const slice of bulkRows("entity", json(rows), faults)) void feed.send(slice);
      feed.end();
      const { upserted, failed } = commands.bulkUpsert({ kind: "entity", slices: feed.receiver, at });
      feed.close();
      return { upserted, failed: [...faults, ...failed] };
    },
    meet: (entityId: string) =>
      commands.applyUnregistered({ entities: [{ entityId, platform: "hue" }], complete: false, at: AT }),
    contents: () => ({
      entities: all("SELECT * FROM entities ORDER BY key"),
      labels: all("SELECT * FROM entity_labels ORDER BY key, label_id"),
      devices: all("SELECT * FROM devices ORDER BY device_id"),
    }),
    clear: () => database.exec("DELETE FROM entities; DELETE FROM devices"),
  };
}

const of = <Value>(...values: readonly Value[]) => fc.constantFrom(...values);
const mostly = <Value>(usual: Value, ...others: readonly Value[]) =>
  fc.oneof({ weight: 9, arbitrary: of(usual) }, of(...others));
const number = fc.integer({ min: 0, max: 3 });

/** A row as Home Assistant's list has it: most differ from what is stored in their name alone. */
const whole = fc
  .record({
    number,
    name: of("Lamp", "Light", null),
    icon: of("mdi:lamp", null),
    platform: mostly("hue", "mqtt"),
    device_id: mostly("d1", "d2", null),
    labels: mostly<string[]>([], ["x"], ["x", "y"]),
    /** 1: the entity_id of another one. */
    shift: mostly(0, 1),
  })
  .map(({ number, shift, ...row }) => ({
    ...row,
    id: `id${number}`,
    entity_id: `light.n${number + shift}`,
    unique_id: "u",
    config_entry_id: null,
    area_id: null,
    original_name: null,
    entity_category: null,
    disabled_by: null,
    hidden_by: null,
  }));
const lessIcon = whole.map(({ icon: _, ...row }) => row);
const flat = fc.record({ entity_id: number.map((n) => `light.n${n}`), name: of("A", "B") });
/** As the row is kept of an entity of which only its state is known. */
const met = number.map((n) => ({ entity_id: `light.n${n}`, platform: "hue" }));
const rows = fc.array(fc.oneof({ weight: 9, arbitrary: whole }, lessIcon, flat, met), { minLength: 2, maxLength: 3 });
/** Rows of the same few fields, as one sender has them. */
const alike = fc
  .tuple(of("name", "icon", "platform", "labels", "area_id", "disabled_by"), of("name", "device_id", "options"))
  .chain((names) => {
    const value = of<unknown>(null, "a", "b");
    const fields = names.map((name) => [name, name === "labels" ? of([], ["x"]) : value]);
    const row = fc.tuple(number, fc.record(Object.fromEntries(fields) as Record<string, fc.Arbitrary<unknown>>));
    return fc.array(
      row.map(([n, values]) => ({ entity_id: `light.n${n}`, ...values })),
      { minLength: 2, maxLength: 3 },
    );
  });
/** Rows to upsert, the number of an entity that has a state but no entry, or the rows before once more. */
const steps = fc
  .array(fc.oneof({ weight: 5, arbitrary: rows }, { weight: 4, arbitrary: alike }, number, of("again" as const)), {
    maxLength: 12,
  })
  .map((steps) =>
    steps.map((step, at) => (step === "again" ? (steps.slice(0, at).findLast(Array.isArray) ?? []) : step)),
  );

test("bulkUpsert() of lists leaves what its rows leave one by one", (t) => {
  const together = openCommands(t);
  const alone = openCommands(t);
  fc.assert(
    fc.property(steps, (steps) => {
      together.clear();
      alone.clear();
      for (const [index, step] of steps.entries()) {
        const at = AT + index;
        if (typeof step === "number") {
          for (const home of [together, alone]) home.meet(`light.n${step}`);
        } else {
          const { upserted } = together.upsert(step, at);
          const each = step.map((row) => alone.upsert([row], at).upserted);
          assert.equal(
            each.reduce((sum, count) => sum + count, 0),
            upserted,
          );
        }
      }
      assert.deepEqual(together.contents(), alone.contents());
    }),
    { numRuns: 1_000 },
  );
});

/** Fields of any names, those of every object among them. */
const field = of("name", "icon", "options", "constructor", "toString", "a b", 'a"b', "a.b", "1", "");
const partial = (names: readonly string[]) =>
  fc.tuple(number, ...names.map(() => of(null, "a", "b"))).map(([n, ...values]) => ({
    entity_id: `light.n${n}`,
    ...Object.fromEntries(names.map((name, i) => [name, values[i]])),
  }));
const names = fc.uniqueArray(field, { maxLength: 3 });
/** Of the same fields throughout, as one sender has them, or not. */
const list = fc.oneof(
  names.chain((some) => fc.array(partial(some), { minLength: 2, maxLength: 3 })),
  fc.array(names.chain(partial), { minLength: 1, maxLength: 3 }),
);

test("bulkUpsert() keeps the fields that a row lacks, whatever its fields are", (t) => {
  const home = openCommands(t);
  fc.assert(
    fc.property(fc.array(list, { maxLength: 8 }), (lists) => {
      home.clear();
      const expected = new Map<string, object>();
      for (const [index, rows] of lists.entries()) {
        assert.deepEqual(home.upsert(rows, AT + index), { upserted: rows.length, failed: [] });
        for (const row of rows) expected.set(row.entity_id, { ...expected.get(row.entity_id), ...row });
      }
      const kept = home.contents().entities.map(({ key, raw }) => [key, JSON.parse(raw as string)] as const);
      assert.deepEqual(new Map(kept), expected);
    }),
    { numRuns: 1_000 },
  );
});

for (const name of ["a'b", 'a"b', "a,b", "a\\b", "a.b", "[0]", "", "ä", "__proto__"]) {
  test(`bulkUpsert() takes lists of rows with a field ${JSON.stringify(name)}, and keeps their others`, (t) => {
    const home = openCommands(t);
    const ids = ["light.a", "light.b", "light.c"];
    const rows = (value: string, more: string) =>
      ids.map((id) => JSON.parse(`{"entity_id":"${id}",${JSON.stringify(name)}:"${value}"${more}}`) as object);
    home.upsert(rows("0", ',"other":1'), AT);
    for (const [index, value] of ["1", "2", "3"].entries()) {
      assert.deepEqual(home.upsert(rows(value, ""), AT + 1 + index), { upserted: 3, failed: [] });
    }
    const kept = home.contents().entities.map(({ raw }) => raw);
    assert.deepEqual(
      kept,
      rows("3", ',"other":1').map((row) => JSON.stringify(row)),
    );
    home.clear();
    for (const value of ["1", "2", "3"]) home.upsert(rows(value, ""), AT);
    assert.deepEqual(
      home.contents().entities.map(({ raw }) => raw),
      rows("3", "").map((row) => JSON.stringify(row)),
    );
  });
}

for (const [what, more] of [
  [
    "with more fields than SQLite names in a statement",
    Object.fromEntries(Array.from({ length: 2_000 }, (_, i) => [`f${i}`, i])),
  ],
  ["nested more deeply than SQLite's JSON may be", { options: JSON.parse("[".repeat(2_000) + "]".repeat(2_000)) }],
] as const) {
  test(`bulkUpsert() takes lists of rows ${what}`, (t) => {
    const home = openCommands(t);
    for (const name of ["first", "second", "third"]) {
      const rows = ["light.a", "light.b"].map((entity_id) => ({ entity_id, name, ...more }));
      assert.deepEqual(home.upsert(rows, AT), { upserted: 2, failed: [] });
      assert.deepEqual(
        home.contents().entities.map(({ name }) => name),
        [name, name],
      );
    }
  });
}

test("bulkUpsert() takes fields for the same only where each one is", (t) => {
  const home = openCommands(t);
  const upsert = (fields: object) =>
    home.upsert(
      ["light.a", "light.b"].map((entity_id) => ({ entity_id, ...fields })),
      AT,
    );
  for (const value of ["1", "2"]) upsert({ a: value, b: value });
  upsert({ "a,b": "3" });
  assert.deepEqual(
    home.contents().entities.map(({ raw }) => JSON.parse(raw as string)),
    ["light.a", "light.b"].map((entity_id) => ({ entity_id, a: "2", b: "2", "a,b": "3" })),
  );
});
