import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { AppError } from "../domain/errors.ts";
import { parseFilterRules } from "./filter-rules.ts";

const GOOD: readonly { readonly name: string; readonly input: unknown; readonly rules: unknown }[] = [
  { name: "nothing", input: undefined, rules: {} },
  { name: "null", input: null, rules: {} },
  { name: "empty", input: {}, rules: {} },
  {
    name: "null lists",
    input: { include: null, exclude: { domains: null } },
    rules: { include: {}, exclude: { domains: [] } },
  },
  {
    name: "a text for a list of one, entity ids in lower case",
    input: { include: { domains: "light", entities: " Light.Kitchen " } },
    rules: { include: { domains: ["light"], entities: ["light.kitchen"] } },
  },
  {
    name: "every list",
    input: {
      exclude: {
        domains: ["a"],
        entity_globs: ["b.*"],
        entities: ["c.d"],
        areas: ["e"],
        labels: ["f"],
        devices: ["g"],
        integrations: ["h"],
      },
    },
    rules: {
      exclude: {
        domains: ["a"],
        entity_globs: ["b.*"],
        entities: ["c.d"],
        areas: ["e"],
        labels: ["f"],
        devices: ["g"],
        integrations: ["h"],
      },
    },
  },
  {
    name: "attribute rules",
    input: { attributes: [{ domains: ["light"], attributes: "all" }, { attributes: "none" }] },
    rules: { attributes: [{ domains: ["light"], attributes: "all" }, { attributes: "none" }] },
  },
];

for (const { name, input, rules } of GOOD) {
  test(`parseFilterRules() ${name}`, () => assert.deepEqual(parseFilterRules(input), rules));
}

test("parseFilterRules() lists all faults with their paths", () => {
  const input = {
    includes: {},
    include: { domain: "light", domains: [1, ""], entities: ["kitchen", "light.ok"], areas: {} },
    exclude: ["light"],
    attributes: [{ attributes: "some" }, "none", { globs: "x", attributes: "all" }],
  };
  assert.throws(
    () => parseFilterRules(input),
    (error: unknown) => {
      assert.ok(error instanceof AppError);
      assert.equal(error.code, "invalid");
      for (const path of [
        "filter.includes: unknown",
        "filter.include.domain: unknown",
        "filter.include.domains[0]: ",
        "filter.include.domains[1]: ",
        'filter.include.entities[0]: "kitchen" is no entity id',
        "filter.include.areas: ",
        "filter.exclude: must be a mapping",
        "filter.attributes[0].attributes: must be one of none, tracked, all",
        "filter.attributes[1]: must be a mapping",
        "filter.attributes[2].globs: unknown",
      ]) {
        assert.ok(error.message.includes(path), `${path} is not in ${error.message}`);
      }
      return true;
    },
  );
});

test("parseFilterRules() answers anything with rules or an AppError", () => {
  fc.assert(
    fc.property(fc.anything(), (input) => {
      try {
        parseFilterRules(input);
      } catch (error) {
        assert.ok(error instanceof AppError, String(error));
      }
    }),
  );
});
