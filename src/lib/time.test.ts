import assert from "node:assert/strict";
import { test } from "node:test";
import { isoFromMicros, keepable, microsFromIso, microsFromSeconds } from "./time.ts";

const CASES: [string, number][] = [
  ["1970-01-01T00:00:00+00:00", 0],
  ["2026-11-24T11:04:03.577164+00:00", 1795518243577164],
  ["2026-11-24T11:04:03.5+00:00", 1795518243500000],
  ["2026-11-24T11:04:03Z", 1795518243000000],
  ["2026-11-24T12:04:03.577164+01:00", 1795518243577164],
  ["2026-11-24T12:04:03.577164+0100", 1795518243577164],
  ["2026-11-24 11:04:03.577164Z", 1795518243577164],
  ["2026-11-24T11:04Z", 1795518240000000],
  ["2028-02-29T00:00:00+01:00", 1835391600000000],
  ["2026-11-24T11:04:03.577164999Z", 1795518243577164],
  ["1969-12-31T23:59:59.999999Z", -1],
];

for (const [text, micros] of CASES) {
  test(`microsFromIso() reads "${text}"`, () => assert.equal(microsFromIso(text), micros));
}

for (const text of [
  "",
  "yesterday",
  "2026-11-24",
  "2026-11-24T11:04:03",
  "2026-13-24T11:04:03Z",
  "2026-11-24T11:04:7xZ",
  "2026-02-30T11:04:03Z",
  "2026-02-29T11:04:03+01:00",
  "2026-04-31T11:04Z",
  "2026-11-24T24:00:00Z",
  "2026-11-24T11:04:03.Z",
  "2026-11-24T11:04:03.+00:00",
  // Date.parse takes these for the same moment, for midnight and for 01:04.
  "2026-11-24/11:04:03Z",
  "2026-11-24(11:04:03Z",
  "2026-11-24 ,1:04:03Z",
]) {
  test(`microsFromIso() refuses "${text}"`, () => assert.ok(Number.isNaN(microsFromIso(text))));
}

test("microsFromSeconds() gives the microseconds of HA's ISO text for its floats", () => {
  assert.equal(microsFromSeconds(1795518254.0249376), 1795518254024938);
  assert.equal(microsFromSeconds(1795518243.577164), 1795518243577164);
  // Python's own float of every microsecond in a stretch comes back as that microsecond.
  for (let micros = 1795518243000000; micros < 1795518243100000; micros += 7) {
    assert.equal(microsFromSeconds(micros / 1e6), micros);
  }
});

test("microsFromSeconds() rounds halves to even, as Python does for HA's ISO text", () => {
  // Of Python's floats of our time every 65,536th lies in the midst of two microseconds.
  assert.equal(microsFromSeconds(1795518243.0078125), 1795518243007812);
  assert.equal(microsFromSeconds(1795518243.0234375), 1795518243023438);
  assert.equal(microsFromSeconds(1795518243.0390625), 1795518243039062);
});

test("isoFromMicros() and microsFromIso() are inverse", () => {
  for (const micros of [0, -1, 1795518243577164, 1795518243000001, 1e15]) {
    assert.equal(microsFromIso(isoFromMicros(micros)), micros);
  }
});

test("keepable() is NaN for what is no whole microsecond", () => {
  for (const iso of ["1685-01-01T00:00:00Z", "1969-12-31T23:59:59.999999Z", "2255-01-01T00:00:00Z"]) {
    assert.equal(keepable(microsFromIso(iso)), microsFromIso(iso));
  }
  for (const iso of [
    "0001-01-01T00:00:00Z",
    "1684-01-01T00:00:00Z",
    "2256-01-01T00:00:00Z",
    "9999-12-31T23:59:59Z",
    "",
  ]) {
    assert.ok(Number.isNaN(keepable(microsFromIso(iso))), iso);
  }
  for (const seconds of [Number.POSITIVE_INFINITY, -1e10, 1e10]) {
    assert.ok(Number.isNaN(keepable(microsFromSeconds(seconds))));
  }
});
