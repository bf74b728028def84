import assert from "node:assert/strict";
import { test } from "node:test";
import { isoFromMicros } from "../lib/time.ts";
import { parseMoment, parseSpan } from "./span.ts";

const NOW = 1795518243577164;
const DAY = 86_400_000_000;

const MOMENTS: readonly [text: string, micros: number][] = [
  ["2026-11-24T11:04:03.577164Z", NOW],
  ["2026-11-24T12:04:03.577164+01:00", NOW],
  ["2026-11-24T12:04:03.577164 01:00", NOW],
  ["2026-11-24T11:04Z", 1795518240000000],
  ["1795518243577.164", NOW],
  ["1795518243577", 1795518243577000],
  ["0", 0],
  ["-1.5", -1500],
  ["9999-12-31T23:59:59Z", 253_402_300_799_000_000],
];
for (const [text, micros] of MOMENTS) {
  test(`parseMoment() reads "${text}"`, () => assert.equal(parseMoment("start", text), micros));
}

test("parseMoment() takes datetime.max of Python, and what it gives is a year of four digits again", () => {
  assert.match(isoFromMicros(parseMoment("end", "9999-12-31T23:59:59.999999Z")), /^9999-12-31T23:59:59\.999\d{3}Z$/);
});

test("parseMoment() gives back every microsecond that answers show as milliseconds", () => {
  for (let micros = NOW; micros < NOW + 3000; micros++) {
    assert.equal(parseMoment("start", String(micros / 1000)), micros);
    assert.equal(parseMoment("start", isoFromMicros(micros)), micros);
  }
});

for (const text of [
  "yesterday",
  "",
  "2026-11-24",
  "2026-11-24T11:04:03",
  "NaN",
  "1e12",
  "0x10",
  "99999999999999999",
  "999999999999999",
]) {
  test(`parseMoment() refuses "${text}" and names the forms it takes`, () => {
    assert.throws(() => parseMoment("start", text), {
      code: "invalid",
      message: /"start" must be ISO 8601 with zone .* or epoch milliseconds/,
    });
  });
}

test("parseSpan() is the last 24 hours by default", () => {
  assert.deepEqual(parseSpan(undefined, undefined, NOW), { start: NOW - DAY, end: NOW });
  assert.deepEqual(parseSpan(undefined, "1795518243577", NOW), {
    start: 1795518243577000 - DAY,
    end: 1795518243577000,
  });
  assert.deepEqual(parseSpan("1795518243577", undefined, NOW), { start: 1795518243577000, end: NOW });
});

test("parseSpan() takes an end in the future and refuses an empty span", () => {
  assert.deepEqual(parseSpan("0", "1895518243577", NOW), { start: 0, end: 1895518243577000 });
  for (const [start, end] of [
    ["5", "5"],
    ["6", "5"],
    ["1895518243577", undefined],
  ] as const) {
    assert.throws(() => parseSpan(start, end, NOW), { code: "invalid", message: /"start" must be before "end"/ });
  }
});
