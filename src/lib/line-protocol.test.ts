import assert from "node:assert/strict";
import { test } from "node:test";
import { encodeLine, type FieldValue, safeName } from "./line-protocol.ts";

const FIELDS: { name: string; value: FieldValue; text: string }[] = [
  { name: "a whole number, as float", value: 1, text: "1" },
  { name: "a fraction", value: -0.25, text: "-0.25" },
  { name: "a large number", value: 1e300, text: "1e+300" },
  { name: "the smallest number", value: 5e-324, text: "5e-324" },
  { name: "text", value: "on", text: '"on"' },
  { name: "quotes and backslashes", value: 'a"b\\', text: '"a\\"b\\\\"' },
  { name: "a line feed", value: "a\nb", text: '"a\nb"' },
  { name: "empty text", value: "", text: '""' },
  { name: "true", value: true, text: "true" },
];

for (const { name, value, text } of FIELDS) {
  test(`encodeLine() writes ${name}`, () => {
    assert.equal(
      encodeLine("m", [["t", "a"]], [["v", value]], 1_795_517_770_000_001),
      `m,t=a v=${text} 1795517770000001000`,
    );
  });
}

test("encodeLine() escapes separators and encodes what no escape can say", () => {
  assert.equal(encodeLine("m 1,=x", [["k =", "v,\\"]], [['f"\n', 1]], 0), "m\\ 1\\,=x,k\\ \\==v\\,%5C f%22%0A=1 0");
  assert.equal(encodeLine("#m", [], [["v", 1]], -1), "\\#m v=1 -1000");
});

test("encodeLine() leaves out empty tags", () => {
  assert.equal(
    encodeLine(
      "m",
      [
        ["a", null],
        ["b", ""],
        ["c", "x"],
      ],
      [["v", 1]],
      5,
    ),
    "m,c=x v=1 5000",
  );
});

test("encodeLine() refuses what is no point", () => {
  assert.throws(() => encodeLine("m", [], [], 1), RangeError);
  assert.throws(() => encodeLine("m", [], [["v", Number.NaN]], 1), RangeError);
  assert.throws(() => encodeLine("m", [], [["v", 1]], 1.5), RangeError);
});

test("safeName() keeps different names apart", () => {
  assert.notEqual(safeName("a%5C"), safeName("a\\"));
  assert.equal(safeName("Küche °C, 50 %"), "Küche °C, 50 %");
});
