import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { jsonElements } from "./json-elements.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

/** Cut into parts of so many bytes. */
function cut(text: string, size: number): Uint8Array[] {
  const whole = bytes(text);
  return Array.from({ length: Math.ceil(whole.length / size) }, (_, index) =>
    whole.subarray(index * size, (index + 1) * size),
  );
}

const elementsOf = (text: string, size = Number.MAX_SAFE_INTEGER) => [...jsonElements(cut(text, size))].flat();

const textsOf = (text: string, size?: number) => elementsOf(text, size).map((element) => element.text);

/** White space as others put it. */
const SPACINGS: readonly ((list: unknown) => string)[] = [
  (list) => JSON.stringify(list),
  (list) => JSON.stringify(list, null, 1),
  (list) => JSON.stringify(list, null, "\t"),
  (list) => JSON.stringify(list, null, 1).replaceAll(/\n */g, " "),
  (list) => JSON.stringify(list, null, 1).replaceAll("\n },\n {", "} ,\r\n{"),
];

function assertGives(json: string, list: readonly unknown[], size?: number): void {
  const elements = elementsOf(json, size);
  assert.deepEqual(
    elements.map(({ value }) => value),
    list,
  );
  assert.deepEqual(
    elements.map(({ text }) => text),
    list.map((value) => JSON.stringify(value)),
  );
}

test("jsonElements() gives all elements of any array, wherever it is cut, and their texts without white space", () => {
  const object = fc.dictionary(fc.string(), fc.jsonValue());
  // Also where one object seems to end in another's middle.
  const nested = fc.constantFrom({ list: [{}, {}] }, { text: "},{" }, {});
  const list = fc.array(fc.oneof(object, nested, fc.jsonValue()));
  fc.assert(
    fc.property(list, fc.constantFrom(...SPACINGS), fc.integer({ min: 1, max: 99 }), (list, written, size) => {
      const json = written(list);
      assertGives(json, JSON.parse(json) as unknown[]);
      assertGives(json, JSON.parse(json) as unknown[], size);
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
    for (const written of SPACINGS) for (const size of [undefined, 1_000]) assertGives(written(list), list, size);
  });
}

test("jsonElements() takes no wide gap between two elements for what is between all", () => {
  const rest = JSON.stringify(MANY).slice(1);
  const runs = [...jsonElements(cut(`[{},${" ".repeat(1_000_000)}{},${rest}`, 65_536))];
  assert.equal(runs.flat().length, MANY.length + 2);
  // Objects are read a block at a time, not one by one, with the gap looked for behind each.
  assert.ok(runs.length < 50, `${runs.length} runs`);
});

test("jsonElements() gives the elements before a fault far behind", () => {
  const good = JSON.stringify(MANY).slice(0, -1);
  const given: unknown[] = [];
  assert.throws(
    () => {
      for (const run of jsonElements(cut(`${good},{"a":},{"b":1}]`, 65_536)))
        given.push(...run.map(({ value }) => value));
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
  test(`jsonElements() splits ${JSON.stringify(text)}`, () => {
    assert.deepEqual(textsOf(text), expected);
    assert.deepEqual(textsOf(text, 1), expected);
  });
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
  test(`jsonElements() refuses ${JSON.stringify(text)}`, () => {
    assert.throws(() => textsOf(text), { name: "SyntaxError", message });
    assert.throws(() => textsOf(text, 1), { name: "SyntaxError", message });
  });
}

for (const [where, list] of [
  ["in an element", [0x22, 0xff, 0x22]],
  ["in a block of objects", [...bytes('{},{"a":"'), 0xc3, ...bytes('"},{}')]],
] as const) {
  test(`jsonElements() refuses what is no UTF-8 ${where}`, () => {
    const parts = [Uint8Array.of(0x5b, ...list, 0x5d)];
    assert.throws(() => [...jsonElements(parts)], { name: "SyntaxError", message: /not UTF-8/ });
  });
}
