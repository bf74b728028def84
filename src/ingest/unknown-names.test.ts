import assert from "node:assert/strict";
import { test } from "node:test";
import type { State } from "../domain/home.ts";
import { parseFilterRules } from "./filter-rules.ts";
import { createHomeIndex } from "./home-index.ts";
import { parseRetentionRules } from "./retention-rules.ts";
import { unknownNames } from "./unknown-names.ts";

function house() {
  const index = createHomeIndex();
  index.replace("area", [{ area_id: "kitchen", name: "Küche" }]);
  index.replace("label", [{ label_id: "noisy", name: "Noisy" }]);
  index.replace("device", [{ id: "d1", name: "Mast", name_by_user: "Weather mast" }]);
  index.replace("config_entry", [{ entry_id: "e1", domain: "hue" }]);
  index.replace("entity", [{ id: "id1", entity_id: "sensor.a", platform: "template" }]);
  index.setSources(new Map([["sun.sun", "sun"]]));
  return index;
}

/** As the current states are: each look at them is over once it has come to their end. */
function statesOf(...entityIds: readonly string[]) {
  const states = new Map(entityIds.map((entityId) => [entityId, { entityId } as State]));
  return { values: () => states.values() };
}

test("unknownNames() tells of what the home has neither by id nor by name, and where it stands", () => {
  const filter = parseFilterRules({
    include: { areas: ["kitchen", "Küche", "kitchn"], entities: ["light.nowhere"] },
    exclude: { labels: ["noisy", "Noisy", "noisi"], devices: ["d1", "Mast", "Weather mast", "mast"] },
    attributes: [{ integrations: ["hue", "template", "sun", "Hue"], attributes: "none" }],
  });
  const retention = parseRetentionRules([{ raw_days: 3 }, { areas: "garage" }], { rawDays: 365, rollupDays: 0 });
  assert.deepEqual(unknownNames({ ...filter, retention }, house(), statesOf()), [
    'filter.include.areas: "kitchn"',
    'filter.exclude.labels: "noisi"',
    'filter.exclude.devices: "mast"',
    'filter.attributes[0].integrations: "Hue"',
    'retention[1].areas: "garage"',
  ]);
});

test("unknownNames() says nothing of lists that Home Assistant has not told", () => {
  const rules = parseFilterRules({ exclude: { labels: ["any"], integrations: ["any"], areas: ["any"] } });
  assert.deepEqual(unknownNames(rules, createHomeIndex(), statesOf()), []);
});

test("unknownNames() tells of a domain that neither the home nor Home Assistant has entities of", () => {
  const rules = parseFilterRules({
    include: { domains: ["lihgt", "vacuum", "sensor", "alarmo"] },
    exclude: { domains: ["Sensor", "hue"] },
    attributes: [{ domains: "temperature", attributes: "none" }],
  });
  assert.deepEqual(unknownNames(rules, house(), statesOf("lihgts.x", "alarmo.house")), [
    'filter.include.domains: "lihgt"',
    'filter.exclude.domains: "Sensor"',
    'filter.exclude.domains: "hue"',
    'filter.attributes[0].domains: "temperature"',
  ]);
});
