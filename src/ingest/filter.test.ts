import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { EntityFacts } from "../domain/home.ts";
import type { EntityMatch } from "./entity-match.ts";
import { createFilter } from "./filter.ts";
import type { FilterRules } from "./filter-rules.ts";
import { fnmatchToRegExp } from "./fnmatch.ts";

const NOWHERE: EntityFacts = { id: null, platform: null, devices: [], areas: [], labels: [] };
const KITCHEN: EntityFacts = {
  id: "id1",
  platform: "hue",
  devices: ["device1", "Ceiling lamp"],
  areas: ["kitchen", "Kitchen"],
  labels: ["important", "Important"],
};
/** In the kitchen, by hue, labelled important. */
const facts = (entityId: string): EntityFacts => (entityId.endsWith("_k") ? KITCHEN : NOWHERE);

interface Case {
  readonly rules: FilterRules;
  /** Entities and the reason for their being recorded; */
  readonly in?: Readonly<Record<string, string>>;
  /** or left out. */
  readonly out?: Readonly<Record<string, string>>;
}

const NONE = "no include list matches it";
const FREE = "no exclude list matches it";
const SINGLE = "no exclude list matches it, and include names single entities only";

const CASES: Readonly<Record<string, readonly Case[]>> = {
  "rule 1: nothing, only include, only exclude": [
    { rules: {}, in: { "light.a": "no filter is configured", "sensor.b_k": "no filter is configured" } },
    { rules: { include: {}, exclude: { domains: [] } }, in: { "light.a": "no filter is configured" } },
    {
      rules: { include: { domains: ["light"] } },
      in: { "light.a": 'include.domains: "light"' },
      out: { "lights.a": NONE, "sensor.light": NONE },
    },
    {
      rules: { include: { entities: ["sensor.a"] } },
      in: { "sensor.a": 'include.entities: "sensor.a"' },
      out: { "sensor.ab": NONE, "light.a": NONE },
    },
    {
      rules: { include: { entity_globs: ["sensor.*_temp", "light.[ab]?"] } },
      in: {
        "sensor.x_temp": 'include.entity_globs: "sensor.*_temp"',
        "light.a1": 'include.entity_globs: "light.[ab]?"',
      },
      out: { "sensor.x_temp2": NONE, "light.c1": NONE, "Sensor.x_temp": NONE },
    },
    {
      rules: { exclude: { domains: ["automation"], entity_globs: ["*_rssi"], entities: ["sensor.b"] } },
      in: { "sensor.a": FREE, "automations.x": FREE },
      out: {
        "automation.x": 'exclude.domains: "automation"',
        "sensor.a_rssi": 'exclude.entity_globs: "*_rssi"',
        "sensor.b": 'exclude.entities: "sensor.b"',
      },
    },
  ],
  "rule 2: both, with a domain or glob include": [
    {
      rules: {
        include: { domains: ["light"], entity_globs: ["sensor.kitchen_*"], entities: ["switch.a", "light.named"] },
        exclude: {
          domains: ["sensor", "light"],
          entity_globs: ["*_power", "light.x*"],
          entities: ["sensor.kitchen_b", "light.named", "light.gone"],
        },
      },
      in: {
        "switch.a": 'include.entities: "switch.a"',
        // An include by name beats an exclude by name.
        "light.named": 'include.entities: "light.named"',
        // A glob include beats a glob exclude, and domain excludes are not looked at.
        "sensor.kitchen_power": 'include.entity_globs: "sensor.kitchen_*"',
        "sensor.kitchen_a": 'include.entity_globs: "sensor.kitchen_*"',
        "light.a": 'include.domains: "light"',
      },
      out: {
        "sensor.kitchen_b": 'exclude.entities: "sensor.kitchen_b"',
        "light.gone": 'exclude.entities: "light.gone"',
        "light.xmas": 'exclude.entity_globs: "light.x*"',
        "light.a_power": 'exclude.entity_globs: "*_power"',
        "sensor.other": NONE,
        "switch.b": NONE,
      },
    },
    {
      rules: { include: { domains: ["light"] }, exclude: { domains: ["light"] } },
      in: { "light.a": 'include.domains: "light"' },
      out: { "sensor.a": NONE },
    },
    {
      rules: { include: { entity_globs: ["light.*"] }, exclude: { entities: ["light.b"] } },
      in: { "light.a": 'include.entity_globs: "light.*"' },
      out: { "light.b": 'exclude.entities: "light.b"', "sensor.a": NONE },
    },
  ],
  "rule 3: both, no domain or glob include, but a domain or glob exclude": [
    {
      rules: {
        include: { entities: ["sensor.keep", "light.keep_rssi"] },
        exclude: { domains: ["sensor"], entity_globs: ["*_rssi"], entities: ["switch.b", "sensor.keep"] },
      },
      in: {
        "sensor.keep": 'include.entities: "sensor.keep"',
        "light.keep_rssi": 'include.entities: "light.keep_rssi"',
        "switch.a": SINGLE,
        "light.a": SINGLE,
      },
      out: {
        "sensor.a": 'exclude.domains: "sensor"',
        "light.a_rssi": 'exclude.entity_globs: "*_rssi"',
        "switch.b": 'exclude.entities: "switch.b"',
      },
    },
  ],
  "rule 3: what both entity lists name": [
    {
      rules: {
        include: { entities: ["sensor.both", "light.both"] },
        exclude: { domains: ["sensor"], entities: ["sensor.both", "light.both"] },
      },
      in: { "sensor.both": 'include.entities: "sensor.both"' },
      out: { "light.both": 'exclude.entities: "light.both"' },
    },
  ],
  "rule 4: both, entity lists only": [
    {
      rules: { include: { entities: ["sensor.a", "sensor.b"] }, exclude: { entities: ["sensor.b", "sensor.c"] } },
      in: { "sensor.a": 'include.entities: "sensor.a"', "sensor.b": 'include.entities: "sensor.b"' },
      out: { "sensor.c": 'exclude.entities: "sensor.c"', "sensor.d": NONE },
    },
  ],
  "ours: belonging": [
    {
      rules: { include: { areas: ["kitchen"] } },
      in: { "light.a_k": 'include.areas: "kitchen"' },
      out: { "light.a": NONE },
    },
    {
      rules: { include: { areas: ["Kitchen"] } },
      in: { "light.a_k": 'include.areas: "Kitchen"' },
      out: { "a.b": NONE },
    },
    { rules: { include: { labels: ["important"] } }, in: { "light.a_k": 'include.labels: "important"' } },
    { rules: { include: { devices: ["device1"] } }, in: { "light.a_k": 'include.devices: "device1"' } },
    { rules: { include: { devices: ["Ceiling lamp"] } }, in: { "light.a_k": 'include.devices: "Ceiling lamp"' } },
    {
      rules: { include: { integrations: ["hue"] } },
      in: { "light.a_k": 'include.integrations: "hue"' },
      out: { "a.b": NONE },
    },
    {
      rules: { exclude: { areas: ["kitchen"] } },
      in: { "light.a": FREE },
      out: { "light.a_k": 'exclude.areas: "kitchen"' },
    },
    { rules: { exclude: { labels: ["important"] } }, out: { "light.a_k": 'exclude.labels: "important"' } },
    { rules: { exclude: { devices: ["device1"] } }, out: { "light.a_k": 'exclude.devices: "device1"' } },
    {
      rules: { exclude: { integrations: ["hue"] } },
      in: { "a.b": FREE },
      out: { "a.b_k": 'exclude.integrations: "hue"' },
    },
    {
      // Includes add up, and an exclude of ours takes away from Home Assistant's.
      rules: { include: { domains: ["light"], areas: ["kitchen"] }, exclude: { labels: ["important"] } },
      in: { "light.a": 'include.domains: "light"' },
      out: { "light.a_k": 'exclude.labels: "important"', "sensor.a": NONE },
    },
    {
      rules: { include: { domains: ["light"], areas: ["kitchen"] } },
      in: { "light.a": 'include.domains: "light"', "sensor.a_k": 'include.areas: "kitchen"' },
      out: { "sensor.a": NONE },
    },
    {
      // Names beat belonging.
      rules: { include: { areas: ["kitchen"], entities: ["sensor.a"] }, exclude: { entities: ["sensor.b_k"] } },
      in: { "sensor.a": 'include.entities: "sensor.a"', "sensor.c_k": 'include.areas: "kitchen"' },
      out: { "sensor.b_k": 'exclude.entities: "sensor.b_k"', "sensor.d": NONE },
    },
    {
      rules: { include: { entities: ["light.a_k"] }, exclude: { areas: ["kitchen"] } },
      in: { "light.a_k": 'include.entities: "light.a_k"' },
      out: { "light.b_k": 'exclude.areas: "kitchen"', "light.c": NONE },
    },
    {
      // Home Assistant's refusal comes first.
      rules: { include: { areas: ["kitchen"] }, exclude: { domains: ["automation"], entity_globs: ["*_rssi_k"] } },
      in: { "light.a_k": 'include.areas: "kitchen"' },
      out: {
        "automation.a_k": 'exclude.domains: "automation"',
        "sensor.a_rssi_k": 'exclude.entity_globs: "*_rssi_k"',
        "light.a": NONE,
      },
    },
  ],
};

for (const [title, cases] of Object.entries(CASES)) {
  for (const { rules, in: recorded = {}, out = {} } of cases) {
    const filter = createFilter(rules, facts);
    for (const [expected, entities] of [
      [true, recorded],
      [false, out],
    ] as const) {
      for (const [entityId, reason] of Object.entries(entities)) {
        test(`${title}: ${JSON.stringify(rules)} ${expected ? "records" : "leaves out"} ${entityId}`, () => {
          assert.deepEqual(filter.explain(entityId), { entity_id: entityId, recorded: expected, reason });
          assert.equal(filter.decide(entityId).recorded, expected);
        });
      }
    }
  }
}

/** homeassistant/helpers/entityfilter.py, _generate_filter_from_sets_and_pattern_lists, line by line. */
function homeAssistants(include: EntityMatch, exclude: EntityMatch, entityId: string): boolean {
  const domain = entityId.split(".")[0]!;
  const has = (list: readonly string[] | undefined, value: string) => list?.includes(value) ?? false;
  const glob = (list: readonly string[] | undefined) =>
    list?.some((one) => fnmatchToRegExp(one).test(entityId)) ?? false;
  const given = (match: EntityMatch) =>
    Boolean(match.entities?.length || match.domains?.length || match.entity_globs?.length);
  const included = has(include.entities, entityId) || has(include.domains, domain) || glob(include.entity_globs);
  const excluded = has(exclude.entities, entityId) || has(exclude.domains, domain) || glob(exclude.entity_globs);
  if (!given(include) && !given(exclude)) return true;
  if (given(include) && !given(exclude)) return included;
  if (!given(include) && given(exclude)) return !excluded;
  if (include.domains?.length || include.entity_globs?.length) {
    return (
      has(include.entities, entityId) ||
      (!has(exclude.entities, entityId) &&
        (glob(include.entity_globs) || (has(include.domains, domain) && !glob(exclude.entity_globs))))
    );
  }
  if (exclude.domains?.length || exclude.entity_globs?.length) {
    if (has(exclude.domains, domain) || glob(exclude.entity_globs)) return has(include.entities, entityId);
    return !has(exclude.entities, entityId);
  }
  return has(include.entities, entityId);
}

test("decide() agrees with Home Assistant's own function on any include and exclude of its lists", () => {
  const names = fc.constantFrom("light.a", "light.b", "sensor.a", "sensor.ab", "switch.a");
  const match = fc.record({
    domains: fc.array(fc.constantFrom("light", "sensor", "switch"), { maxLength: 2 }),
    entity_globs: fc.array(fc.constantFrom("light.*", "*.a", "sensor.a?", "*"), { maxLength: 2 }),
    entities: fc.array(names, { maxLength: 2 }),
  });
  fc.assert(
    fc.property(match, match, names, (include, exclude, entityId) => {
      const { recorded } = createFilter({ include, exclude }, facts).decide(entityId);
      assert.equal(recorded, homeAssistants(include, exclude, entityId));
    }),
    { numRuns: 3000 },
  );
});

test("attribute rules: the first match counts, tracked is the default, a rule without lists matches all", () => {
  const attributes = [
    { entity_globs: ["sensor.*"], attributes: "none" },
    { areas: ["kitchen"], attributes: "all" },
  ] as const;
  const filter = createFilter({ attributes }, facts);
  assert.equal(filter.decide("sensor.a_k").attributes, "none");
  assert.equal(filter.decide("light.a_k").attributes, "all");
  assert.equal(filter.decide("light.a").attributes, "tracked");
  filter.reload({ attributes: [{ attributes: "none" }] });
  assert.equal(filter.decide("light.a").attributes, "none");
});

test("decide() is kept until invalidate() or reload(), which raise the version", () => {
  let asked = 0;
  let area = "kitchen";
  const filter = createFilter({ include: { areas: ["kitchen"] } }, () => {
    asked++;
    return { ...NOWHERE, areas: [area] };
  });
  assert.equal(filter.decide("light.a").recorded, true);
  assert.equal(filter.decide("light.a").recorded, true);
  assert.equal(asked, 1);
  const { version } = filter;
  area = "attic";
  filter.invalidate();
  assert.notEqual(filter.version, version);
  assert.equal(filter.decide("light.a").recorded, false);
  filter.reload({});
  assert.equal(filter.decide("light.a").recorded, true);
});
