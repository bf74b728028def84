import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryRow } from "../domain/connection.ts";
import type { SampleColumns } from "../domain/sample.ts";
import { homeStartSince, isWrittenAnew } from "./home-start.ts";
import { at, state } from "./scenario.ts";

test("homeStartSince() is null where one state is older than the gap", () => {
  const states = [state("sensor.a", "1", { updated: 30 }), state("sensor.b", "2", { updated: 20 })];
  assert.deepEqual(homeStartSince(at(10), states, false), { at: at(20), seen: false });
  assert.equal(homeStartSince(at(20), states, true), null);
  // An attribute that changed leaves the state as old as it was.
  assert.equal(homeStartSince(at(10), [...states, state("light.c", "on", { changed: 5, updated: 25 })], true), null);
  assert.equal(homeStartSince(at(10), [], true), null);
});

/** A row at so many seconds; `changed` is `updated` when absent. */
function row(text: string | null, updated: number, changed = updated): HistoryRow {
  return { state: text, attributes: {}, lastChanged: at(changed), lastUpdated: at(updated) };
}

const CASES: readonly {
  readonly name: string;
  readonly rows: readonly HistoryRow[];
  readonly known?: SampleColumns;
  readonly anew: boolean;
}[] = [
  { name: "the same state, changed anew", rows: [row("on", 5), row("on", 21)], anew: true },
  { name: "another state", rows: [row("on", 5), row("off", 21)], anew: false },
  { name: "another state, and the same again", rows: [row("on", 5), row("off", 21), row("off", 22)], anew: false },
  {
    name: "the same state, changed anew once, and others",
    rows: [row("1", 5), row("1", 21), row("2", 22)],
    anew: true,
  },
  { name: "the same state again and again", rows: [row("1", 5), row("1", 21), row("1", 22)], anew: false },
  {
    name: "the same state, and another twice",
    rows: [row("1", 5), row("1", 21), row("2", 22), row("2", 23)],
    anew: false,
  },
  { name: "an attribute alone", rows: [row("on", 5), row("on", 21, 5)], anew: false },
  { name: "a removal and the same state", rows: [row("on", 5), row(null, 9), row("on", 21)], anew: false },
  { name: "the same state before it", rows: [row("on", 5), row("on", 9)], anew: false },
  { name: "a first row, nothing known", rows: [row("1.50", 21)], anew: false },
  { name: "the state that is stored", rows: [row("1.50", 21)], known: { ts: [at(3)], values: [1.5] }, anew: true },
  {
    name: "another than the one stored before it",
    rows: [row("on", 21)],
    known: { ts: [at(3), at(21)], values: ["off", "on"] },
    anew: false,
  },
  { name: "the end of a series", rows: [row(null, 21)], known: { ts: [at(3)], values: [null] }, anew: false },
];

for (const { name, rows, known, anew } of CASES) {
  test(`isWrittenAnew() of ${name} is ${anew}`, () => {
    assert.equal(isWrittenAnew(at(20), rows, known), anew);
  });
}
