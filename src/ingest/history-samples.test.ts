import assert from "node:assert/strict";
import { test } from "node:test";
import type { HistoryRow } from "../domain/connection.ts";
import type { SampleColumns, Value } from "../domain/sample.ts";
import { samplesOf } from "./history-samples.ts";

type Attributes = Readonly<Record<string, unknown>>;

function row(state: string | null, updated: number, attributes: Attributes = {}, changed = updated): HistoryRow {
  return { state, attributes, lastChanged: changed, lastUpdated: updated };
}

function columns(...samples: readonly (readonly [number, Value])[]): SampleColumns {
  return { ts: samples.map(([ts]) => ts), values: samples.map(([, value]) => value) };
}

const UNAVAILABLE = row("unavailable", 30);

const CASES: readonly {
  readonly name: string;
  readonly rows: readonly HistoryRow[];
  readonly before?: HistoryRow;
  readonly stored?: Readonly<Record<string, SampleColumns>>;
  readonly mode?: "none" | "tracked" | "all";
  /** field, time, value */
  readonly samples: readonly (readonly [string, number, Value])[];
}[] = [
  {
    name: "a state at each last_changed, once",
    rows: [row("1", 10), row("1", 11, {}, 10), row("on", 12), row("007", 13)],
    samples: [
      ["state", 10, 1],
      ["state", 12, "on"],
      ["state", 13, "007"],
    ],
  },
  {
    name: "no state that is stored, also before the window",
    rows: [row("1", 11, {}, 5), row("2", 12)],
    stored: { state: columns([5, 1], [12, 2]) },
    samples: [],
  },
  {
    name: "a removal ends state and attributes, once",
    rows: [row(null, 10), row(null, 11)],
    stored: { state: columns([5, 1]), level: columns([5, 7]) },
    samples: [
      ["state", 10, null],
      ["level", 10, null],
    ],
  },
  {
    name: "no removal before which there was nothing",
    rows: [row(null, 10), row("1", 11), row(null, 12)],
    samples: [
      ["state", 11, 1],
      ["state", 12, null],
    ],
  },
  {
    name: "the removal of what was in force at the begin of the window",
    rows: [row(null, 10)],
    before: row("1", 9),
    samples: [["state", 10, null]],
  },
  {
    name: "an attribute where it differs from the one before",
    rows: [row("1", 10, { level: 7 }), row("1", 11, { level: 8 }, 10), row("1", 12, { level: 8 }, 10)],
    stored: { state: columns([10, 1]), level: columns([5, 7]) },
    samples: [["level", 11, 8]],
  },
  {
    name: "an attribute between stored ones, of which the later one stays",
    rows: [row("1", 10, { level: 8 }), row("1", 14, { level: 7 })],
    stored: { state: columns([10, 1], [14, 1]), level: columns([5, 7], [12, 9]) },
    samples: [
      ["level", 10, 8],
      ["level", 14, 7],
    ],
  },
  {
    name: "no attribute at a time that has one",
    rows: [row("1", 10, { level: 8 })],
    stored: { state: columns([10, 1]), level: columns([10, 9]) },
    samples: [],
  },
  {
    name: "an attribute that other rows carry has ended where one lacks it",
    rows: [row("1", 10, { level: 7, room: "a" }), row("1", 11, { room: "a" }, 10)],
    samples: [
      ["state", 10, 1],
      ["level", 10, 7],
      ["level", 11, null],
      ["room", 10, "a"],
    ],
  },
  {
    name: "nothing of an attribute that Home Assistant does not record",
    rows: [row("on", 10, { room: "a" }), row("off", 11, { room: "a" })],
    stored: { state: columns([10, "on"], [11, "off"]), brightness: columns([5, 100]), room: columns([5, "a"]) },
    samples: [],
  },
  {
    name: "nothing of attributes that were too many to record",
    rows: [row("1", 10, { level: 7 }), row("2", 11, {}), row("3", 12, { level: 7 })],
    stored: { state: columns([10, 1], [11, 2], [12, 3]) },
    samples: [["level", 10, 7]],
  },
  {
    name: "what is unavailable has none of its attributes, recorded or not",
    rows: [UNAVAILABLE],
    stored: { state: columns([30, "unavailable"]), brightness: columns([5, 100]), gone: columns([5, null]) },
    samples: [["brightness", 30, null]],
  },
  {
    name: "the same of an attribute whose name all objects know",
    rows: [UNAVAILABLE],
    stored: { state: columns([30, "unavailable"]), constructor: columns([5, "a"]) },
    samples: [["constructor", 30, null]],
  },
  {
    name: "against Home Assistant's state before the window, rather than what is stored before it",
    rows: [row("1", 10, { level: 8, room: "b" })],
    before: row("0", 9, { level: 8, room: "a" }),
    stored: { state: columns([10, 1]), level: columns([5, 7]), room: columns([5, "b"]) },
    samples: [["room", 10, "b"]],
  },
  {
    name: "no static attribute, and no list",
    rows: [row("1", 10, { friendly_name: "A", level: 1, list: [1] })],
    samples: [
      ["state", 10, 1],
      ["level", 10, 1],
    ],
  },
  {
    name: "no attribute where none is wanted",
    rows: [row("1", 10, { level: 1 })],
    mode: "none",
    samples: [["state", 10, 1]],
  },
  {
    name: "no state that is too long",
    rows: [row("x".repeat(300), 10), row("y", 11)],
    samples: [["state", 11, "y"]],
  },
];

for (const { name, rows, before, stored = {}, mode = "tracked", samples } of CASES) {
  test(`samplesOf() gives ${name}`, () => {
    const found = samplesOf({ rows, before, stored: new Map(Object.entries(stored)), mode });
    assert.deepEqual(
      found.map(({ field, ts, value }) => [field, ts, value]),
      samples,
    );
  });
}
