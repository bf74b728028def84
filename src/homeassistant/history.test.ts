import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "../lib/log.ts";
import { CommandError } from "./commands.ts";
import { listChanged, listStatistics, readHistory, readStatistics } from "./history.ts";
import type { Raw } from "./messages.ts";
import { createOddMessages } from "./odd-messages.ts";
import type { Ask } from "./registries.ts";

const START = 1795518250_000_000;
const SPAN = { start: START, end: START + 60e6 };
const at = (micros: number): number => (START + micros) / 1e6;

/** Answers every command alike and keeps what was asked. */
function asking(answer: unknown): { ask: Ask; asked: [string, Raw | undefined][] } {
  const asked: [string, Raw | undefined][] = [];
  return {
    asked,
    ask: async (type, fields) => {
      asked.push([type, fields]);
      if (answer instanceof Error) throw answer;
      return answer;
    },
  };
}

const missing = new CommandError("some/command", "unknown_command", "Unknown command.");

test("readHistory() asks for every row of the span", async () => {
  for (const attributes of [true, false]) {
    const { ask, asked } = asking({});
    await readHistory(ask, ["sensor.a"], SPAN, { attributes }, createOddMessages(silentLog()));
    assert.deepEqual(asked, [
      [
        "history/history_during_period",
        {
          start_time: "2026-11-24T11:04:09.999999Z",
          end_time: "2026-11-24T11:05:10.000000Z",
          entity_ids: ["sensor.a"],
          include_start_time_state: !attributes,
          significant_changes_only: false,
          minimal_response: false,
          no_attributes: !attributes,
        },
      ],
    ]);
  }
});

test("readHistory() decodes the compressed form, keeps to its span, and counts odd rows", async () => {
  const odd = createOddMessages(silentLog());
  const { ask } = asking({
    "sensor.a": [
      { s: "before", a: {}, lu: at(-1) },
      { s: "first", a: { unit: "W" }, lu: at(0) },
      { s: "attributes only", lu: at(2), lc: at(1) },
      { s: "changed at no time that can be kept", lu: at(2), lc: -62_135_596_800 },
      { s: "", a: null, lu: at(3) },
      { s: null, a: {}, lu: at(4) },
      { s: 7, lu: at(5) },
      { s: "no time" },
      null,
      { s: "last", a: {}, lu: at(60e6 - 1) },
      { s: "after", a: {}, lu: at(60e6) },
    ],
    "sensor.start_only": [{ s: "before", a: {}, lu: at(-1) }],
  });
  const history = await readHistory(ask, ["sensor.a"], SPAN, { attributes: true }, odd);
  assert.deepEqual([...history.keys()], ["sensor.a"]);
  const row = (state: string | null, micros: number, attributes = {}, changed = micros) => ({
    state,
    attributes,
    lastChanged: START + changed,
    lastUpdated: START + micros,
  });
  assert.deepEqual(history.get("sensor.a"), [
    row("first", 0, { unit: "W" }),
    row("attributes only", 2, {}, 1),
    row("changed at no time that can be kept", 2),
    row("", 3),
    row(null, 4),
    row("last", 60e6 - 1),
  ]);
  assert.deepEqual(odd.counts(), { "malformed history row": 3 });
});

test("readHistory() asks nothing for nothing, and tells a Home Assistant without history from an empty one", async () => {
  const { ask, asked } = asking({});
  const odd = createOddMessages(silentLog());
  assert.equal((await readHistory(ask, [], SPAN, { attributes: true }, odd)).size, 0);
  assert.equal((await readHistory(ask, ["a.b"], { start: 1, end: 1 }, { attributes: true }, odd)).size, 0);
  assert.deepEqual(asked, []);
  await assert.rejects(readHistory(asking(missing).ask, ["a.b"], SPAN, { attributes: true }, odd), {
    code: "not_found",
  });
  for (const [info, code] of [
    [{ thread_running: false }, "unavailable"],
    [{ thread_running: true }, "not_found"],
    [null, "not_found"],
  ] as const) {
    const ask: Ask = async (type) => {
      if (type !== "recorder/info") throw missing;
      return info;
    };
    await assert.rejects(readHistory(ask, ["a.b"], SPAN, { attributes: true }, odd), { code });
  }
  for (const strange of [null, [], { "a.b": null }]) {
    await assert.rejects(readHistory(asking(strange).ask, ["a.b"], SPAN, { attributes: true }, odd), {
      code: "unavailable",
    });
  }
});

test("readStatistics() reads integer milliseconds and keeps to rows that begin in the span", async () => {
  const odd = createOddMessages(silentLog());
  const millis = START / 1000;
  const { ask, asked } = asking({
    "sensor.a": [
      { start: millis - 3600e3, end: millis, mean: 0 },
      { start: millis, end: millis + 3600e3, mean: 1.5, min: 1, max: null, state: "odd", sum: Number.NaN },
      { start: null, end: millis },
      7,
    ],
  });
  const statistics = await readStatistics(ask, ["sensor.a"], SPAN, odd);
  assert.deepEqual(statistics.get("sensor.a"), [
    { start: START, end: START + 3600e6, mean: 1.5, min: 1, max: null, state: null, sum: null },
  ]);
  assert.deepEqual(odd.counts(), { "malformed statistics row": 2 });
  assert.equal(asked[0]?.[1]?.period, "hour");
});

test("statistics of a Home Assistant without recorder are empty", async () => {
  const odd = createOddMessages(silentLog());
  assert.equal((await readStatistics(asking(missing).ask, ["a.b"], SPAN, odd)).size, 0);
  assert.deepEqual(await listStatistics(asking(missing).ask, odd), []);
});

test("listChanged() reads who is named in the logbook's entries, whatever they are about", async () => {
  const odd = createOddMessages(silentLog());
  const { ask, asked } = asking([
    { when: at(0), state: "on", entity_id: "light.a" },
    { when: at(1), state: "off", entity_id: "light.a", context_user_id: "0123" },
    { when: at(2), name: "Lights out", message: "triggered", domain: "automation", entity_id: "automation.a" },
    { when: at(3), name: "Home Assistant", message: "started", domain: "homeassistant" },
    7,
  ]);
  assert.deepEqual([...(await listChanged(ask, SPAN, odd))], ["light.a", "automation.a"]);
  assert.deepEqual(asked[0]?.[0], "logbook/get_events");
  assert.deepEqual(odd.counts(), { "malformed logbook row": 1 });
  assert.equal((await listChanged(asking(missing).ask, SPAN, odd)).size, 0);
});
