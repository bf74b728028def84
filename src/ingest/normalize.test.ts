import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import type { Value } from "../domain/sample.ts";
import { type AttributeMode, isRecordedAttribute, valueOfAttribute, valueOfState, valueOfText } from "./normalize.ts";

const NUMBERS: readonly (readonly [string, number])[] = [
  ["0", 0],
  ["-0", 0],
  ["-0.0", 0],
  ["0.0", 0],
  ["7", 7],
  ["-7", -7],
  ["10", 10],
  ["21.5", 21.5],
  ["-21.50", -21.5],
  ["0.5", 0.5],
  ["-0.05", -0.05],
  ["0.000123", 0.000123],
  ["100000", 100000],
  ["1234567890.12345", 1234567890.12345],
  ["123456789012345", 123456789012345],
  ["-123456789012345", -123456789012345],
  ["0.123456789012345", 0.123456789012345],
  ["0.000000123456789012345", 0.000000123456789012345],
  ["12345678901234.5", 12345678901234.5],
  ["100000000000000", 100000000000000],
  ["1e-05", 0.00001],
  ["-1e-05", -0.00001],
  ["1.5e+16", 1.5e16],
  ["1e+16", 1e16],
  ["2.5e-07", 2.5e-7],
  ["1e+100", 1e100],
  ["1.7976931348623e+308", 1.7976931348623e308],
  ["2.2250738585072e-308", 2.2250738585072e-308],
  ["1.5e-310", 1.5e-310],
  ["5e-324", 5e-324],
];

const TEXTS: readonly string[] = [
  "",
  " ",
  " 1",
  "1 ",
  "1\n",
  "on",
  "off",
  "unavailable",
  "unknown",
  "None",
  "007",
  "00",
  "01.5",
  "-01",
  "+1",
  "--1",
  "-",
  ".",
  ".5",
  "-.5",
  "5.",
  "-5.",
  "1.2.3",
  "1,5",
  "1_000",
  "1e3",
  "1e5",
  "1E-05",
  "1e-5",
  "1e-005",
  "1e+0100",
  "10e-05",
  "0e-05",
  "0.5e-05",
  "1.e-05",
  "1e",
  "1e+",
  "1e-",
  "1e-0x",
  "1e-05 ",
  "1e+999",
  "1e-999",
  "-1e-400",
  "4e-324",
  "1.23456789012345e-320",
  "-1e+999",
  "nan",
  "NaN",
  "-nan",
  "inf",
  "-inf",
  "Infinity",
  "0x10",
  "0b1",
  "1n",
  "1f",
  "١",
  "１",
  "5½",
  "1234567890123456",
  "0.1234567890123456",
  "0.30000000000000004",
  "1.000000000000000",
  "1000000000000000",
  "1234567890123456e+16",
  "2026-11-24",
  "12:30",
  "2026-11-24T11:04:03+00:00",
  "text: ü😀",
];

for (const [text, expected] of NUMBERS) {
  test(`valueOfText() makes "${text}" a number`, () => assert.ok(Object.is(valueOfText(text), expected)));
}
for (const text of TEXTS) {
  test(`valueOfText() leaves ${JSON.stringify(text)} a text`, () => assert.equal(valueOfText(text), text));
}

/** The rule as it is written down, slow and plain. */
function byRule(text: string): Value {
  const plain = /^-?(0|[1-9]\d*)(\.\d+)?$/.test(text);
  const exponent = /^-?[1-9](\.\d+)?e[+-](\d\d|[1-9]\d{2,})$/.test(text);
  if (!plain && !exponent) return text;
  const digits = text
    .replace(/^-|e.*$/g, "")
    .replace(".", "")
    .replace(/^0+/, "");
  const number = Number(text);
  const isHeld = digits === "" || Math.abs(number) >= 2.2250738585072014e-308 || String(number) === text;
  return digits.length <= 15 && Number.isFinite(number) && isHeld ? number + 0 : text;
}

test("valueOfText() agrees with the rule on texts that are nearly numbers", () => {
  const piece = fc.constantFrom("0", "1", "9", "00", "123456789", ".", "-", "+", "e", "e-", "e+", "05", " ", "x");
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 7 }), (pieces) => {
      const text = pieces.join("");
      assert.ok(Object.is(valueOfText(text), byRule(text)), text);
    }),
    { numRuns: 5000 },
  );
});

test("valueOfText() gives back every number of up to 15 digits that it took", () => {
  fc.assert(
    fc.property(
      fc.integer({ min: -999_999_999, max: 999_999_999 }),
      fc.integer({ min: 0, max: 6 }),
      (whole, decimals) => {
        const text = (whole / 10 ** decimals).toFixed(decimals);
        const value = valueOfText(text);
        assert.equal(typeof value, "number");
        assert.equal((value as number).toFixed(decimals), /^-0(\.0*)?$/.test(text) ? text.slice(1) : text);
      },
    ),
  );
});

test("valueOfText() takes any text", () => {
  fc.assert(
    fc.property(fc.string({ unit: "binary" }), (text) => assert.ok(Object.is(valueOfText(text), byRule(text)))),
  );
});

test("valueOfState() counts 255 characters as Home Assistant does, in code points", () => {
  assert.equal(valueOfState("x".repeat(255)), "x".repeat(255));
  assert.equal(valueOfState("x".repeat(256)), undefined);
  assert.equal(valueOfState("😀".repeat(255)), "😀".repeat(255));
  assert.equal(valueOfState("😀".repeat(256)), undefined);
  assert.equal(valueOfState("😀".repeat(200) + "x".repeat(56)), undefined);
});

const ATTRIBUTES: readonly (readonly [unknown, Value])[] = [
  [1, 1],
  [0, 0],
  [-0, 0],
  [1.25, 1.25],
  [0.30000000000000004, 0.30000000000000004],
  ["12", "12"],
  ["", ""],
  ["text", "text"],
  [true, "true"],
  [false, "false"],
  [null, null],
  [undefined, null],
  [{}, null],
  [[1, 2], null],
  ["x".repeat(255), "x".repeat(255)],
  ["x".repeat(256), null],
  [Number.NaN, null],
  [Number.POSITIVE_INFINITY, null],
];

for (const [raw, expected] of ATTRIBUTES) {
  const shown = typeof raw === "string" && raw.length > 20 ? `${raw.length} characters` : String(JSON.stringify(raw));
  test(`valueOfAttribute() of ${shown}`, () => assert.ok(Object.is(valueOfAttribute(raw), expected)));
}

const RECORDED: readonly (readonly [string, AttributeMode, boolean])[] = [
  ["brightness", "tracked", true],
  ["color_temp_kelvin", "tracked", true],
  ["current_temperature", "tracked", true],
  ["temperature", "tracked", true],
  ["hvac_action", "tracked", true],
  ["fan_mode", "tracked", true],
  ["media_title", "tracked", true],
  ["source", "tracked", true],
  ["percentage", "tracked", true],
  ["latitude", "tracked", true],
  ["elevation", "tracked", true],
  ["installed_version", "tracked", true],
  ["event_type", "tracked", true],
  ["last_triggered", "tracked", true],
  ["friendly_name", "tracked", false],
  ["icon", "tracked", false],
  ["supported_features", "tracked", false],
  ["supported_color_modes", "tracked", false],
  ["unit_of_measurement", "tracked", false],
  ["device_class", "tracked", false],
  ["state_class", "tracked", false],
  ["attribution", "tracked", false],
  ["options", "tracked", false],
  ["source_list", "tracked", false],
  ["hvac_modes", "tracked", false],
  ["available_tones", "tracked", false],
  ["min", "tracked", false],
  ["max_temp", "tracked", false],
  ["target_temp_step", "tracked", false],
  ["min_mireds", "tracked", false],
  ["restored", "tracked", false],
  ["editable", "tracked", false],
  ["id", "tracked", false],
  ["entity_picture", "tracked", false],
  ["friendly_name", "all", true],
  ["options", "all", true],
  ["brightness", "all", true],
  // A camera's token opens its pictures to whoever reads it.
  ["access_token", "all", false],
  ["entity_picture", "all", false],
  ["brightness", "none", false],
];

for (const [name, mode, expected] of RECORDED) {
  test(`isRecordedAttribute() "${name}", ${mode}`, () => assert.equal(isRecordedAttribute(name, mode), expected));
}
