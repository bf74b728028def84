import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonElements } from "./json-elements.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

const elementsOf = (text: string) => [...jsonElements(bytes(text))].flat();

const textsOf = (text: string) => elementsOf(text).map((element) => element.text);

function assertGives(json: string, list: readonly unknown[]): void {
  const elements = elementsOf(json);
  assert.deepEqual(
    elements.map(({ value }) => value),
    list,
  );
  assert.deepEqual(
    elements.map(({ text }) => text),
    list.map((value) => JSON.stringify(value)),
  );
}

test("jsonElements() gives all elements of any array, and their texts without white space", () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue());
  // Also where one object seems to end in another's middle.
  const nested = fc.constantFrom({ list: [{}, {}] }, { text: "},{" }, {});
  const list = fc.array(fc.oneof(object, nested, fc.jsonValue()));
  fc.assert(
    fc.property(list, fc.constantFrom(undefined, 1, "\t"), (list, indent) => {
      const json = JSON.stringify(list, null, indent);
      assertGives(json, JSON.parse(json) as unknown[]);
    }),
  );
});

/** A quarter of a megabyte: more than is made a text at a time. */
const MANY = Array.from({ length: 4_000 }, (_, index) => ({ id: index, name: "Küche, 台所 und Flur" }));

for (const [name, odd] of [
  ["alike", []],
  ["with one that seems to end in its middle", [[3_000, { list: [{}, {}] }]]],
  ["with one that is no object", [[3_000, 7]]],
  ["with one that is longer than a block", [[2_000, { text: "},{".repeat(50_000) }]]],
  ["of which the last is another", [[3_999, null]]],
] as [string, [index: number, value: unknown][]][]) {
  test(`jsonElements() gives all elements of a long list ${name}`, () => {
    const list: unknown[] = [...MANY];
    for (const [index, value] of odd) list[index] = value;
    assertGives(JSON.stringify(list), list);
  });
}

test("jsonElements() gives the elements before a fault far behind", () => {
  const good = JSON.stringify(MANY).slice(0, -1);
  const given: unknown[] = [];
  assert.throws(
    () => {
      for (const run of jsonElements(bytes(`${good},{"a":},{"b":1}]`))) given.push(...run.map(({ value }) => value));
    },
    { name: "SyntaxError", message: /JSON/ },
  );
  assert.deepEqual(given, MANY);
});

for (const [text, expected] of [
  ["[]", []],
  ["\r\n [ \t] ", []],
  ['["a,]\\"}",{"b":[1,{"c":"\\\\"}]},null]', ['"a,]\\"}"', '{"b":[1,{"c":"\\\\"}]}', "null"]],
  ['\ufeff["näh","日本"]', ['"näh"', '"日本"']],
] as const) {
  test(`jsonElements() splits ${JSON.stringify(text)}`, () => assert.deepEqual(textsOf(text), expected));
}

for (const [text, expected] of [
  ['[{"a b":" "},2]', ['{"a b":" "}', "2"]],
  ['[{"a": 1}, {"b":\n2}]', ['{"a":1}', '{"b":2}']],
  ["[1,\n2]", ["1", "2"]],
  ['[{"a":1},\n{"a":[{},{}]},{"a":2}]', ['{"a":1}', '{"a":[{},{}]}', '{"a":2}']],
] as const) {
  test(`jsonElements() takes the white space out of ${JSON.stringify(text)}`, () =>
    assert.deepEqual(textsOf(text), expected));
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
  ["[1,]", /JSON/],
  ["[{],1]", /JSON/],
  ['[{"a":1},{"b":},{"c":1}]', /JSON/],
] as const) {
  test(`jsonElements() refuses ${JSON.stringify(text)}`, () =>
    assert.throws(() => textsOf(text), { name: "SyntaxError", message }));
}

test("jsonElements() refuses what is no UTF-8", () => {
  assert.throws(() => [...jsonElements(Uint8Array.of(0x5b, 0x22, 0xff, 0x22, 0x5d))], /not UTF-8/);
});
