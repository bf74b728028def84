import assert from "node:assert/strict";
import { test } from "node:test";
import { inspect } from "node:util";
import fc from "fast-check";
import { REGISTRY_KINDS, type RegistryRow } from "../domain/home.ts";
import { createHomeIndex } from "./home-index.ts";

function house() {
  const index = createHomeIndex();
  index.replace("area", [
    { area_id: "attic", name: "Attic" },
    { area_id: "cellar", name: "Cellar", labels: ["dark"] },
  ]);
  index.replace("label", [
    { label_id: "dark", name: "Dark" },
    { label_id: "new", name: "New" },
  ]);
  index.replace("device", [
    { id: "d1", name: "Lamp", name_by_user: "My lamp", area_id: "attic", labels: ["new"] },
    { id: "d2", name: "Socket", parent_device_id: "d3" },
    { id: "d3", name: "Strip", area_id: "cellar" },
  ]);
  return index;
}

const AREAS: readonly (readonly [string, RegistryRow, readonly string[]])[] = [
  ["its own", { area_id: "cellar", device_id: "d1" }, ["cellar", "Cellar"]],
  ["its device's", { device_id: "d1" }, ["attic", "Attic"]],
  ["that of the device's parent", { device_id: "d2" }, ["cellar", "Cellar"]],
  ["none", { device_id: null }, []],
  ["none of an unknown device", { device_id: "d9" }, []],
  ["one that no list tells", { area_id: "lost" }, ["lost"]],
  ["none where it is no text", { area_id: 7, device_id: ["d1"] }, []],
];

for (const [what, row, expected] of AREAS) {
  test(`facts() the effective area is ${what}`, () => {
    const index = house();
    index.replace("entity", [{ id: "id1", entity_id: "light.a", ...row }]);
    assert.deepEqual(index.facts("light.a").areas, expected);
  });
}

test("facts() labels are those of entity, device and area, by id and name; devices by id and both names", () => {
  const index = house();
  index.replace("entity", [
    { id: "id1", entity_id: "light.a", device_id: "d1", area_id: "cellar", labels: ["mine", 7], platform: "hue" },
  ]);
  assert.deepEqual(index.facts("light.a"), {
    id: "id1",
    platform: "hue",
    devices: ["d1", "My lamp", "Lamp"],
    areas: ["cellar", "Cellar"],
    labels: ["mine", "new", "New", "dark", "Dark"],
  });
});

test("facts() of an entity without registry entry know who owns it", () => {
  const index = house();
  index.setSources(new Map([["sun.sun", "sun"]]));
  assert.deepEqual(index.facts("sun.sun"), { id: null, platform: "sun", devices: [], areas: [], labels: [] });
});

test("a name that an entry left has no owner until the sources are told anew", () => {
  const index = createHomeIndex();
  index.replace("entity", [
    { id: "1", entity_id: "a.a", platform: "hue" },
    { id: "2", entity_id: "a.b", platform: "hue" },
  ]);
  index.setSources(
    new Map([
      ["a.a", "hue"],
      ["a.b", "hue"],
    ]),
  );
  index.rename("1", "a.a", "a.c");
  index.remove("2", "a.b");
  assert.deepEqual([index.platformOf("a.a"), index.platformOf("a.b"), index.platformOf("a.c")], [null, null, "hue"]);
});

test("replace() tells who was adopted and who left", () => {
  const index = createHomeIndex();
  const first = index.replace("entity", [
    { id: "1", entity_id: "a.a", modified_at: 1795518254.0249376 },
    { id: "2", entity_id: "a.b", modified_at: 0 },
  ]);
  assert.deepEqual(first.adopted, [
    { id: "1", entityId: "a.a", modifiedAt: 1795518254024938 },
    { id: "2", entityId: "a.b", modifiedAt: null },
  ]);
  const second = index.replace("entity", [
    { id: "1", entity_id: "a.c" },
    { id: "3", entity_id: "a.b" },
  ]);
  assert.deepEqual(second.left, [
    { id: "1", entityId: "a.a", renamed: true },
    { id: "2", entityId: "a.b", renamed: false },
  ]);
  assert.deepEqual(
    second.adopted.map(({ entityId }) => entityId),
    ["a.c", "a.b"],
  );
  assert.deepEqual(second.freed, ["a.a"]);
  assert.equal(index.entityIdOf("1"), "a.c");
  assert.equal(index.entityIdOf("2"), undefined);
});

test("rename() and remove() touch only the entry that they name", () => {
  const index = createHomeIndex();
  index.replace("entity", [
    { id: "1", entity_id: "a.a" },
    { id: "2", entity_id: "a.b" },
  ]);
  index.rename("2", "a.a", "a.c");
  index.rename("1", "a.a", "a.b");
  index.remove("2", "a.a");
  assert.equal(index.idOf("a.a"), "1");
  index.rename("1", "a.a", "a.c");
  assert.equal(index.idOf("a.c"), "1");
  assert.equal(index.entityIdOf("1"), "a.c");
  index.remove("1", "a.c");
  assert.equal(index.idOf("a.c"), undefined);
});

test("replace() tells names that are free since the last list, also where events told so before", () => {
  const index = createHomeIndex();
  index.replace("entity", [
    { id: "1", entity_id: "a.a" },
    { id: "2", entity_id: "a.b" },
  ]);
  index.rename("1", "a.a", "a.c");
  index.remove("2", "a.b");
  const { left, freed } = index.replace("entity", [{ id: "1", entity_id: "a.c" }]);
  assert.deepEqual(left, []);
  assert.deepEqual(freed, ["a.a", "a.b"]);
  assert.deepEqual(index.replace("entity", [{ id: "1", entity_id: "a.c" }]).freed, []);
});

test("replace() takes any rows", () => {
  const value = fc.oneof(fc.string(), fc.integer(), fc.constant(null), fc.array(fc.string()), fc.object());
  const row = fc.dictionary(fc.constantFrom("id", "entity_id", "area_id", "device_id", "labels", "modified_at"), value);
  fc.assert(
    fc.property(fc.constantFrom(...REGISTRY_KINDS), fc.array(row), (kind, rows) => {
      const index = createHomeIndex();
      index.replace(kind, rows);
      // An object may have a "toString" that is none.
      for (const { entity_id = "" } of rows)
        index.facts(typeof entity_id === "string" ? entity_id : inspect(entity_id));
    }),
    { examples: [["area", [{ entity_id: { toString: 0 } }]]] },
  );
});
