import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { REGISTRY_KINDS } from "../domain/home.ts";
import { parseRegistryEvent, parseState, parseStateChange, type Raw } from "./messages.ts";
import { parseConfig } from "./registries.ts";

const T1 = "2026-11-24T11:04:03.577164+00:00";
const T2 = "2026-11-24T11:04:04.000001+00:00";
const T3 = "2026-11-24T11:04:05.000002+00:00";
const M1 = 1795518243577164;
const M2 = 1795518244000001;
const M3 = 1795518245000002;

const WHOLE: Raw = {
  entity_id: "light.bed",
  state: "on",
  attributes: { brightness: 180, friendly_name: "Bed" },
  last_changed: T1,
  last_updated: T2,
  last_reported: T3,
  context: { id: "01M8", parent_id: "01M7", user_id: "u" },
};

test("parseState() reads a whole state and leaves its attributes untouched", () => {
  assert.deepEqual(parseState(WHOLE), {
    entityId: "light.bed",
    state: "on",
    attributes: WHOLE.attributes,
    lastChanged: M1,
    lastUpdated: M2,
    lastReported: M3,
    context: { id: "01M8", parentId: "01M7", userId: "u" },
  });
});

const TIMES: [string, Raw, [number, number, number] | undefined][] = [
  ["last_reported missing (before 2024.4)", { last_reported: undefined }, [M1, M2, M2]],
  ["last_reported null", { last_reported: null }, [M1, M2, M2]],
  ["last_updated missing", { last_updated: undefined }, [M1, M1, M3]],
  ["last_changed missing", { last_changed: undefined }, [M2, M2, M3]],
  ["last_changed no time", { last_changed: "yesterday" }, [M2, M2, M3]],
  ["last_changed before all times that can be kept", { last_changed: "0001-01-01T00:00:00+00:00" }, [M2, M2, M3]],
  ["last_updated after all of them", { last_updated: "9999-12-31T23:59:59+00:00" }, [M1, M1, M3]],
  ["all the same", { last_changed: T1, last_updated: T1, last_reported: T1 }, [M1, M1, M1]],
  ["neither changed nor updated", { last_changed: null, last_updated: 7 }, undefined],
];
for (const [name, change, wanted] of TIMES) {
  test(`parseState() with ${name}`, () => {
    const state = parseState({ ...WHOLE, ...change });
    assert.deepEqual(state && [state.lastChanged, state.lastUpdated, state.lastReported], wanted);
  });
}

const CONTEXTS: [unknown, unknown][] = [
  [null, null],
  [undefined, null],
  ["01M8", null],
  [[], null],
  [{ id: 7 }, null],
  [{ id: "01M8" }, { id: "01M8", parentId: null, userId: null }],
  [
    { id: "01M8", parent_id: 7, user_id: {} },
    { id: "01M8", parentId: null, userId: null },
  ],
];
for (const [context, wanted] of CONTEXTS) {
  test(`parseState() with context ${JSON.stringify(context)}`, () => {
    assert.deepEqual(parseState({ ...WHOLE, context })?.context, wanted);
  });
}

test("parseState() takes the empty text for a state and odd attributes for none", () => {
  assert.equal(parseState({ ...WHOLE, state: "" })?.state, "");
  for (const attributes of [null, undefined, [], "x"]) {
    assert.deepEqual(parseState({ ...WHOLE, attributes })?.attributes, {});
  }
});

for (const odd of [
  null,
  7,
  [],
  {},
  { ...WHOLE, entity_id: null },
  { ...WHOLE, entity_id: "light" },
  { ...WHOLE, state: 7 },
]) {
  test(`parseState() refuses ${JSON.stringify(odd)}`, () => assert.equal(parseState(odd), undefined));
}

const change = (data: unknown, time_fired: unknown = T3): Raw => ({ event_type: "state_changed", data, time_fired });

test("parseStateChange() tells new, changed and removed apart", () => {
  const event = (old_state: unknown, new_state: unknown) =>
    parseStateChange(change({ entity_id: "light.bed", old_state, new_state }), 1);
  assert.equal(event(null, WHOLE)?.oldState, null);
  assert.equal(event(WHOLE, WHOLE)?.oldState?.lastUpdated, M2);
  assert.equal(event(WHOLE, WHOLE)?.timeFired, M3);
  assert.equal(event(WHOLE, null)?.newState, null);
  assert.equal(event({ entity_id: 7 }, WHOLE)?.oldState, null, "an odd old state takes nothing from the new one");
  assert.equal(event(WHOLE, { entity_id: 7 }), undefined);
  assert.equal(event(WHOLE, undefined), undefined, "a missing new state is no removal");
});

test("parseStateChange() without time_fired takes the state's time, or that of its arrival", () => {
  const data = { entity_id: "light.bed", old_state: null };
  assert.equal(parseStateChange(change({ ...data, new_state: WHOLE }, null), 1)?.timeFired, M2);
  assert.equal(parseStateChange(change({ ...data, new_state: null }, null), 1)?.timeFired, 1);
});

test("parsers never throw, whatever comes", () => {
  const keys = ["entity_id", "state", "attributes", "last_changed", "last_updated", "context", "data", "new_state"];
  const like = fc.dictionary(fc.constantFrom(...keys, "old_state", "action", "time_fired"), fc.anything());
  const anything = fc.oneof(fc.anything(), like, fc.record({ data: like, time_fired: fc.anything() }));
  fc.assert(
    fc.property(anything, (value) => {
      parseState(value);
      parseStateChange(value, 1);
      parseConfig(value);
      for (const kind of REGISTRY_KINDS) parseRegistryEvent(kind, value, 1);
    }),
  );
});
