import assert from "node:assert/strict";
import { test } from "node:test";
import { parseMessage } from "./message-text.ts";
import { parseStateChange, type Raw, UnreadState } from "./messages.ts";

const CONTEXT = { id: "01KAT6VJZ9M5R2D1XW6WYQ3F7C", parent_id: null, user_id: "f3a1" };
const T1 = "2026-11-24T11:04:03.577164+00:00";
const T2 = "2026-11-24T11:04:13+00:00";

const state = (text: string, at: string, attributes: unknown = {}): Raw => ({
  entity_id: "light.bed",
  state: text,
  attributes,
  last_changed: at,
  last_reported: at,
  last_updated: at,
  context: CONTEXT,
});

const event = (old_state: unknown, new_state: unknown, more: Raw = {}): Raw => ({
  event_type: "state_changed",
  data: { entity_id: "light.bed", old_state, new_state, ...more },
  origin: "LOCAL",
  time_fired: T2,
  context: CONTEXT,
});

/** What a session makes of a text, the old state read. */
function changeIn(message: unknown) {
  const change = parseStateChange((message as { event: unknown }).event, 1);
  const { oldState = null } = change ?? {};
  return { ...change, oldState: oldState && { lastUpdated: oldState.lastUpdated, state: oldState.read() } };
}

const isUnread = (message: unknown): boolean =>
  (message as { event: { data: Raw } }).event.data.old_state instanceof UnreadState;

const NESTED = { old_state: { a: [1, { b: 2 }] }, new_state: { entity_id: "x.y" }, last_updated: "never", context: {} };
const ATTRIBUTES: readonly unknown[] = [
  {},
  { brightness: 7, name: 'a "new_state": {}, \\ "},{" 25 °C' },
  NESTED,
  { deep: [NESTED, [NESTED]], text: ',"new_state":{' },
  { big: 12345678901234567890n, event: { data: { entity_id: "light.bed", old_state: null } } },
  null,
];

const json = (value: unknown): string =>
  JSON.stringify(value, (_key, part) => (typeof part === "bigint" ? `<${part}>` : part)).replace(/"<(\d+)>"/g, "$1");

for (const [name, frame] of [
  ["as 2026.11 sends it", (body: Raw) => ({ type: "event", event: body, id: 2 })],
  ["with its id first", (body: Raw) => ({ id: 123456789, type: "event", event: body })],
] as const) {
  test(`parseMessage() leaves the old state of an event unread, ${name}`, () => {
    for (const before of ATTRIBUTES) {
      for (const after of ATTRIBUTES) {
        for (const now of [state("off", T2, after), null]) {
          const text = json(frame(event(state("on", T1, before), now)));
          const message = parseMessage(text);
          assert.deepEqual(changeIn(message), changeIn(parsedWhole(text)), text);
          if (!text.includes("new_state", text.indexOf("new_state") + 1)) assert.ok(isUnread(message), text);
        }
      }
    }
  });
}

/** Long integers are texts, as `parseExactJson` has them. */
const parsedWhole = (text: string): unknown => JSON.parse(text.replace(/([:,[])(\d{16,})/g, '$1"$2"'));

test("parseMessage() reads the time of an old state with microseconds and without", () => {
  for (const at of [T1, T2]) {
    const message = parseMessage(json({ type: "event", event: event(state("on", at), null), id: 2 }));
    assert.ok(isUnread(message));
    assert.equal(changeIn(message).oldState?.lastUpdated, Date.parse(at) * 1000 + (at === T1 ? 164 : 0));
  }
});

const { context: _, ...WITHOUT_CONTEXT } = state("on", T1);
const ODD_OLD_STATES: readonly unknown[] = [
  null,
  undefined,
  7,
  "on",
  {},
  WITHOUT_CONTEXT,
  { ...state("on", T1), context: null },
  { ...state("on", T1), context: { ...CONTEXT, origin: {} } },
  { ...state("on", T1), more: 1 },
  { ...state("on", T1), entity_id: "light.other" },
  { ...state("on", T1), entity_id: 7 },
  { ...state("on", T1), state: null },
  { ...state("on", T1), last_updated: "yesterday" },
  { ...state("on", T1), last_updated: null },
];

test("parseMessage() reads whole what is not as Home Assistant writes it", () => {
  const texts = [
    ...ODD_OLD_STATES.map((old) => json({ type: "event", event: event(old, state("off", T2)), id: 2 })),
    JSON.stringify({ type: "event", event: event(state("on", T1), state("off", T2)), id: 2 }, null, 1),
    json({ type: "event", event: event(state("on", T1), undefined), id: 2 }),
    json({ type: "event", a: { event: event(state("on", T1), null) }, event: event(null, null), id: 2 }),
    json({ type: "result", id: 2, result: [event(state("on", T1), null)], event: event(null, null) }),
  ];
  for (const text of texts) {
    const message = parseMessage(text);
    assert.ok(!isUnread(message), text);
    assert.deepEqual(message, JSON.parse(text), text);
  }
  const text = json({ type: "event", event: event(state("on", T1), null), id: 2 });
  assert.deepEqual(parseMessage(text.replace(/\}$/, ',"event":null}')), { type: "event", event: null, id: 2 });
});

test("parseMessage() refuses what is no JSON, wherever it is cut off or ends too late", () => {
  const text = json({ type: "event", event: event(state("on", T1, NESTED), state("off", T2, NESTED)), id: 2 });
  assert.ok(changeIn(parseMessage(text)).oldState);
  for (let end = 0; end < text.length; end++) assert.throws(() => parseMessage(text.slice(0, end)), SyntaxError);
  for (const more of ["}", "]", ",", text]) assert.throws(() => parseMessage(text + more), SyntaxError);
});

test("an old state whose JSON is broken is none, once somebody reads it", () => {
  const text = json({ type: "event", event: event(state("on", T1, { a: 1 }), state("off", T2)), id: 2 });
  const change = changeIn(parseMessage(text.replace('{"a":1}', '{"a":nul}')));
  assert.equal(change.newState?.state, "off");
  assert.deepEqual(change.oldState, { lastUpdated: 1795518243577164, state: null });
});
