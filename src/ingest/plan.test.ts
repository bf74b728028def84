import assert from "node:assert/strict";
import { test } from "node:test";
import {
  ALWAYS,
  askedIn,
  decodePlan,
  encodePlan,
  isOutdated,
  type PlanSources,
  planTargets,
  renewTargets,
  type Target,
} from "./plan.ts";
import { at, state } from "./scenario.ts";

/** A gap that began two seconds later, with its overlap. */
const SPAN = { start: at(10), end: at(20) };

/** A home of these registry entries (name → id) and states without entry. */
function plan(
  before: Readonly<Record<string, string>>,
  entries: Readonly<Record<string, string>>,
  more: Partial<PlanSources> & { unregistered?: readonly string[] } = {},
): Target[] {
  const names = new Map(Object.entries(entries).map(([name, id]) => [id, name]));
  for (const name of more.unregistered ?? []) names.set(name, name);
  return planTargets({
    heardUntil: at(12),
    span: SPAN,
    before: new Map(Object.entries(before)),
    present: new Set([...Object.keys(entries), ...(more.unregistered ?? [])]),
    subjectOf: (entityId) => entries[entityId] ?? entityId,
    nameOf: (subject) => names.get(subject),
    namedSince: () => at(15),
    stateOf: () => undefined,
    isRecorded: () => true,
    ...more,
  });
}

function target(entityId: string, subject: string, more: Partial<Target> = {}): Target {
  return { entityId, subject, ...ALWAYS, expected: 0, former: false, ...more };
}

test("planTargets() asks for what is, and for what was and is gone", () => {
  const targets = plan({ "a.kept": "1", "a.gone": "2" }, { "a.kept": "1", "a.new": "3" });
  assert.deepEqual(targets, [target("a.gone", "2", { former: true }), target("a.kept", "1"), target("a.new", "3")]);
});

test("planTargets() asks for a renamed entity by both names, by the new one since the gap began", () => {
  const targets = plan({ "a.old": "1" }, { "a.new": "1" });
  assert.deepEqual(targets, [target("a.new", "1", { start: at(12) + 1 }), target("a.old", "1", { former: true })]);
});

test("planTargets() divides a name that changed hands, when its owner is gone", () => {
  assert.deepEqual(plan({ "a.name": "1" }, { "a.name": "2" }), [
    target("a.name", "1", { end: at(15), former: true }),
    target("a.name", "2", { start: at(15) }),
  ]);
});

test("planTargets() leaves it to history to divide a name of which nobody says since when its owner has it", () => {
  assert.deepEqual(plan({ "a.name": "1" }, { "a.name": "2" }, { namedSince: () => undefined }), [
    target("a.name", "1", { end: ALWAYS.start, former: true }),
    target("a.name", "2"),
  ]);
});

test("planTargets() divides a name whose owner has another one, from when a new one came to it", () => {
  assert.deepEqual(plan({ "a.x": "1" }, { "a.x": "3", "a.y": "1" }), [
    target("a.x", "1", { end: at(15), former: true }),
    target("a.x", "3", { start: at(15) }),
    target("a.y", "1", { start: at(12) + 1 }),
  ]);
});

test("planTargets() gives exchanged names to who has them now, whose history moved along", () => {
  const targets = plan({ "a.x": "1", "a.y": "2" }, { "a.x": "2", "a.y": "1" });
  const nothing = { end: ALWAYS.start, former: true };
  assert.deepEqual(targets, [
    target("a.x", "1", nothing),
    target("a.x", "2"),
    target("a.y", "2", nothing),
    target("a.y", "1"),
  ]);
});

test("planTargets() tells an entity that came to the name of one without registry entry from that one", () => {
  assert.deepEqual(plan({ "a.b": "a.b", "a.c": "1" }, { "a.b": "1" }), [
    target("a.b", "a.b", { end: at(15), former: true }),
    target("a.b", "1", { start: at(15) }),
    target("a.c", "1", { former: true }),
  ]);
});

test("planTargets() takes an entity that got a registry entry as the same one", () => {
  assert.deepEqual(plan({ "a.b": "a.b" }, { "a.b": "1" }), [target("a.b", "1")]);
  assert.deepEqual(plan({}, {}, { unregistered: ["a.b"] }), [target("a.b", "a.b")]);
});

test("planTargets() leaves out what a name has from before its owner, who came to it before the gap", () => {
  for (const [since, start] of [
    [at(11), at(11)],
    // Before the overlap, or changed within the gap: nothing tells of another owner.
    [at(9), ALWAYS.start],
    [at(15), ALWAYS.start],
  ] as const) {
    const targets = plan({ "a.b": "1" }, { "a.b": "1" }, { namedSince: () => since });
    assert.deepEqual(targets, [target("a.b", "1", { start })]);
  }
});

test("renewTargets() divides names that changed hands after the plan, and leaves the last row with its name", () => {
  const planned = [target("a.x", "1", { expected: at(13) }), target("a.y", "2", { expected: at(14) })];
  const outdated = (
    targets: readonly Target[],
    entries: Readonly<Record<string, string>>,
    names: readonly string[] = targets.map(({ entityId }) => entityId),
  ) =>
    isOutdated(askedIn(targets), names, {
      isPresent: (entityId) => Object.hasOwn(entries, entityId),
      subjectOf: (entityId) => entries[entityId]!,
    });
  assert.equal(outdated(planned, { "a.x": "1", "a.z": "2" }), false, "a renamed entity takes its history along");
  assert.equal(outdated(planned, { "a.y": "2" }), false, "who is gone is asked for by the name it had");
  const entries = { "a.x": "2", "a.new": "3" };
  assert.equal(outdated(planned, entries), true);
  assert.equal(outdated(planned, entries, ["a.x"]), true);
  assert.equal(
    outdated(planned, entries, ["a.y", "a.new", "a.unasked"]),
    false,
    "of these no other rows are asked for",
  );
  const renewed = renewTargets(planned, (before) => plan(Object.fromEntries(before), entries));
  assert.deepEqual(renewed, [
    target("a.x", "1", { end: at(15), former: true }),
    target("a.x", "2", { start: at(15) }),
    target("a.y", "2", { former: true }),
  ]);
  assert.equal(outdated(renewed, entries), false);
  const exchanged = renewTargets(planned, (before) => plan(Object.fromEntries(before), { "a.x": "2", "a.y": "1" }));
  assert.deepEqual(
    exchanged.filter(({ former }) => !former),
    [target("a.x", "2", { expected: at(14) }), target("a.y", "1", { expected: at(13) })],
  );
});

test("renewTargets() asks for one that is gone no further back than it came to its name", () => {
  const planned = [target("a.x", "1"), target("a.y", "2", { start: at(11) })];
  const renewed = renewTargets(planned, (before) => plan(Object.fromEntries(before), { "a.x": "3" }));
  assert.deepEqual(renewed, [
    target("a.x", "1", { end: at(15), former: true }),
    target("a.x", "3", { start: at(15) }),
    target("a.y", "2", { start: at(11), former: true }),
  ]);
});

test("planTargets() leaves out what the filter does", () => {
  const isRecorded = (entityId: string) => entityId !== "a.b";
  assert.deepEqual(plan({ "a.b": "1" }, { "a.b": "1", "a.c": "2" }, { isRecorded }), [target("a.c", "2")]);
});

test("planTargets() expects the row of a state that was updated after what was heard", () => {
  for (const [changed, updated, expected] of [
    [13, 14, at(14)],
    [9, 13, at(13)],
    [11, 11, 0],
    [12, 12, 0],
    [13, 21, 0],
  ] as const) {
    const stateOf = () => state("a.b", "1", { changed, updated });
    assert.deepEqual(plan({}, { "a.b": "1" }, { stateOf }), [target("a.b", "1", { expected })]);
  }
});

test("decodePlan() reads what versions before Home Assistant's starts were told from stored: the targets alone", () => {
  const stored = '[["a.b","1",null,1795950432504000,1795950430789433,0],["a.c","2",1795950430789433,null,0,1]]';
  const targets = [
    target("a.b", "1", { end: 1795950432504000, expected: 1795950430789433 }),
    target("a.c", "2", { start: 1795950430789433, former: true }),
  ];
  assert.deepEqual(decodePlan(stored), { targets, homeStart: null });
});

test("decodePlan() is the inverse of encodePlan()", () => {
  const targets = [target("a.b", "1", { expected: 7, start: 3 }), target("a.c", "2", { former: true, end: 9 })];
  const plan = { targets, homeStart: { at: 5, seen: true } };
  assert.deepEqual(decodePlan(encodePlan(plan)), plan);
});
