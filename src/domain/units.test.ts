import assert from "node:assert/strict";
import { test } from "node:test";
import { isSameUnit, plainUnit } from "./units.ts";

test("isSameUnit() takes spellings of one unit for the same, and nothing else", () => {
  const same = [
    ["\u00b5g/m³", "\u03bcg/m³"],
    ["m3", "m³"],
    ["RPM", "rpm"],
    [null, null],
  ] as const;
  for (const [a, b] of same) assert.ok(isSameUnit(a, b) && isSameUnit(b, a), `${a} ${b}`);
  const others = [
    ["m³", "m³/h"],
    ["W", "kW"],
    ["W", null],
    ["constructor", "toString"],
  ] as const;
  for (const [a, b] of others) assert.ok(!isSameUnit(a, b), `${a} ${b}`);
});

test("plainUnit() leaves what has one spelling as it is", () => {
  for (const unit of ["°C", "kWh", "", "constructor", null]) assert.equal(plainUnit(unit), unit);
});
