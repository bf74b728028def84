import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonElements } from "./json-elements.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

function textsOf(text: string): string[] {
  const elements = jsonElements(bytes(text));
  return Array.from({ length: elements.length }, (_, index) => elements.text(index));
}

test("jsonElements() gives the texts of all elements of any array", () => {
  fc.assert(
    fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 1, "\t"), (list, indent) => {
      const parsed = textsOf(JSON.stringify(list, null, indent)).map((text) => JSON.parse(text));
      assert.deepEqual(parsed, JSON.parse(JSON.stringify(list)));
    }),
  );
});

for (const [text, expected] of [
  ["[]", []],
  ["\r\n [ \t] ", []],
  ['["a,]\\"}",{"b":[1,{"c":"\\\\"}]},null]', ['"a,]\\"}"', '{"b":[1,{"c":"\\\\"}]}', "null"]],
  ['\ufeff["näh","日本"]', ['"näh"', '"日本"']],
  // What no parser takes as an element is for the parser to refuse.
  ["[1,]", ["1", ""]],
  ["[{],1]", ["{]", "1"]],
] as const) {
  test(`jsonElements() splits ${JSON.stringify(text)}`, () => assert.deepEqual(textsOf(text), expected));
}

for (const [text, compact] of [
  ['[{"a b":" "},2]', true],
  ['[{"a": 1}]', false],
  ["[1,\n2]", false],
] as const) {
  test(`jsonElements() says whether ${JSON.stringify(text)} is compact`, () =>
    assert.equal(jsonElements(bytes(text)).compact, compact));
}

for (const [text, message] of [
  ["", /no array/],
  ["{}", /no array/],
  ["\u00a0[]", /no array/],
  ["[1", /no end/],
  ['["1]', /no end/],
  ['["1\\', /no end/],
  ["[1}", /no end/],
  ["[1]]", /follows/],
  ["[1],", /follows/],
] as const) {
  test(`jsonElements() refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => jsonElements(bytes(text)), { name: "SyntaxError", message }));
}

test("jsonElements() refuses what is no UTF-8", () => {
  assert.throws(() => jsonElements(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d)), /not UTF-8/);
});
