import assert from "node:assert/strict";
import { test } from "node:test";
import { parseHttpDate } from "./http-date.ts";

const CASES: readonly (readonly [text: string, iso: string | null])[] = [
  ["Sun, 06 Nov 1994 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Sunday, 06-Nov-94 08:49:37 GMT", "1994-11-06T08:49:37.000Z"],
  ["Wednesday, 25-Nov-26 00:00:00 GMT", "2026-11-25T00:00:00.000Z"],
  ["Sun Nov  6 08:49:37 1994", "1994-11-06T08:49:37.000Z"],
  ["Wed Nov 25 00:00:00 2026", "2026-11-25T00:00:00.000Z"],
  ["", null],
  ["120", null],
  ["1.5", null],
  ["soon", null],
  ["2026-11-25T00:00:00Z", null],
  ["Tue, 99 Nov 2020", null],
];
for (const [text, iso] of CASES) {
  test(`parseHttpDate() of "${text}" is ${iso}, whatever the zone of the machine`, (t) => {
    const before = process.env.TZ;
    t.after(() => {
      if (before === undefined) delete process.env.TZ;
      else process.env.TZ = before;
    });
    process.env.TZ = "Asia/Tokyo";
    const at = parseHttpDate(text);
    assert.equal(Number.isNaN(at) ? null : new Date(at).toISOString(), iso);
  });
}
