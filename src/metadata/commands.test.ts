import assert from "node:assert/strict";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import fc from "fast-check";
import { createHomeCommands } from "./commands.ts";
import { DEFAULT_SETTINGS, openDatabase } from "./database.ts";
import { upgradeTo } from "./migrate.ts";
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
    upsert: (rows: readonly unknown[]) => commands.bulkUpsert({ kind: "entity", body: json(rows), at: AT }),
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
const rows = fc.array(fc.oneof({ weight: 9, arbitrary: whole }, lessIcon, flat), { minLength: 2, maxLength: 3 });
/** Rows to upsert, or the number of an entity that has a state but no entry. */
const steps = fc.array(fc.oneof({ weight: 9, arbitrary: rows }, number), { maxLength: 12 });

test("bulkUpsert() of lists leaves what its rows leave one by one", (t) => {
  const together = openCommands(t);
  const alone = openCommands(t);
  fc.assert(
    fc.property(steps, (steps) => {
      together.clear();
      alone.clear();
      for (const step of steps) {
        if (typeof step === "number") {
          for (const home of [together, alone]) home.meet(`light.n${step}`);
        } else {
          const { upserted } = together.upsert(step);
          const each = step.map((row) => alone.upsert([row]).upserted);
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
