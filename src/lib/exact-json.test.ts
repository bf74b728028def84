import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseExactJson } from "./exact-json.ts";

const CASES: readonly (readonly [json: string, value: unknown])[] = [
  ['{"id":76561198000000001}', { id: "76561198000000001" }],
  ['{"id": 76561198000000001}', { id: "76561198000000001" }],
  ['{"id":\n76561198000000001}', { id: "76561198000000001" }],
  ["[-12345678901234567891]", ["-12345678901234567891"]],
  ["[1,9007199254740993,2]", [1, "9007199254740993", 2]],
  ["9007199254740993", "9007199254740993"],
  ["[9007199254740991,-9007199254740991]", [9007199254740991, -9007199254740991]],
  ["[9007199254740992]", ["9007199254740992"]],
  [
    "[20.299999999999997,1764360000.123456,1e300,1234567890123456e2]",
    [20.299999999999997, 1764360000.123456, 1e300, Number("1234567890123456e2")],
  ],
  ['{"text":"a: 76561198000000001","n":1}', { text: "a: 76561198000000001", n: 1 }],
];

for (const [json, value] of CASES) {
  test(`parseExactJson() reads ${JSON.stringify(json)}`, () => assert.deepEqual(parseExactJson(json), value));
}

test("parseExactJson() reads whatever has no such integer as JSON.parse does", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.constantFrom(undefined, 1), (value, indent) => {
      const json = JSON.stringify(value, null, indent);
      const known: unknown = JSON.parse(json, (_key, inner) =>
        typeof inner === "number" && Number.isInteger(inner) && !Number.isSafeInteger(inner) ? 0 : inner,
      );
      const text = JSON.stringify(known, null, indent);
      assert.deepEqual(parseExactJson(text), JSON.parse(text));
    }),
  );
});

test("parseExactJson() refuses what is no JSON", () => {
  for (const text of ["", "[76561198000000001", "{a:1}"]) assert.throws(() => parseExactJson(text), SyntaxError);
});
