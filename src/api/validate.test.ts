import assert from "node:assert/strict";
import { test } from "node:test";
import type { TSchema } from "typebox";
import type { AppError } from "../domain/errors.ts";
import { exactly, limit, nullable, queryChoice, querySwitch } from "./schemas.ts";
import { Type } from "./type.ts";
import { compileValidator, NOT_BLANK } from "./validate.ts";

/** What the handler would get, or the message of the refusal. */
function check(schema: TSchema, httpPart: "querystring" | "body", value: unknown): unknown {
  const validate = compileValidator({ schema, httpPart, method: "GET", url: "/" });
  const { value: taken, error } = validate(value) as { value?: unknown; error?: AppError };
  if (error) assert.equal(error.code, "invalid");
  return error ? error.message : taken;
}

const query = exactly({ name: Type.String({ minLength: 1, maxLength: 3 }), limit, all: querySwitch("All") });
const body = exactly({ name: Type.String(), area: Type.Optional(nullable(Type.String({ maxLength: 2 }))) });

const choice = exactly({ by: queryChoice(["hour", "day"], "Which") });
const filled = exactly({ name: Type.String({ minLength: 1, maxLength: 5, pattern: NOT_BLANK }) });
const list = exactly({ names: Type.Array(Type.String({ maxLength: 2 }), { minItems: 1, maxItems: 2 }) });

const large = exactly({ id: Type.Integer({ minimum: 1, maximum: Number.MAX_SAFE_INTEGER }) });

const CASES: readonly [string, TSchema, "querystring" | "body", unknown, unknown][] = [
  ["turns text into numbers", query, "querystring", { name: "a", limit: "10" }, { name: "a", limit: 10 }],
  ["turns text into booleans", query, "querystring", { name: "a", all: "false" }, { name: "a", all: false }],
  ["counts code points", query, "querystring", { name: "🏠🏠🏠" }, { name: "🏠🏠🏠" }],
  ["refuses a short text", query, "querystring", { name: "" }, /"name" must be text of 1 to 3 characters, not ""/],
  ["refuses a long text", query, "querystring", { name: "🏠🏠🏠🏠" }, /"name" must be text of 1 to 3/],
  [
    "refuses a number too small",
    query,
    "querystring",
    { name: "a", limit: "0" },
    /whole number from 1 to 1000, not "?0/,
  ],
  ["refuses a number too large", query, "querystring", { name: "a", limit: "1001" }, /whole number from 1 to 1000/],
  ["takes every number within its bounds", large, "querystring", { id: "9007199254740991" }, { id: 2 ** 53 - 1 }],
  ["refuses what would be another number", large, "querystring", { id: "9007199254740993" }, /not "9007199254740993"/],
  ["refuses a fraction", query, "querystring", { name: "a", limit: "1.5" }, /"limit" must be a whole number/],
  ["refuses another truth", query, "querystring", { name: "a", all: "yes" }, /"all" must be true or false/],
  ["refuses a name given twice", query, "querystring", { name: ["a", "b"] }, /given more than once/],
  ["tells what is missing", query, "querystring", {}, /query parameter "name" is missing/],
  [
    "tells what is unknown",
    query,
    "querystring",
    { name: "a", colour: "x" },
    /Unknown query parameter "colour": known/,
  ],
  [
    "knows no inherited names",
    query,
    "querystring",
    { name: "a", toString: "x" },
    /Unknown query parameter "toString"/,
  ],
  ["takes a word of its choice", choice, "querystring", { by: "day" }, { by: "day" }],
  [
    "refuses any other word",
    choice,
    "querystring",
    { by: "Day" },
    /query parameter "by" must be of hour, day, not "Day"/,
  ],
  ["refuses an empty word", choice, "querystring", { by: "" }, /"by" must be of hour, day, not ""/],
  ["takes a text with a sign among its blanks", filled, "body", { name: " a " }, { name: " a " }],
  [
    "refuses a text of blanks alone",
    filled,
    "body",
    { name: " \n" },
    /1 to 5 characters that are not all blank, not " \n"/,
  ],
  ["takes lists", list, "body", { names: ["a", "b"] }, { names: ["a", "b"] }],
  ["refuses a long list", list, "body", { names: ["a", "b", "c"] }, /"names" must be a list of 1 to 2 texts, not \[/],
  ["refuses a wrong item", list, "body", { names: ["a", 5] }, /"names" must be a list of 1 to 2 texts/],
  ["refuses a text for a list", list, "body", { names: "a" }, /"names" must be a list/],
  ["refuses half a character in a list", list, "body", { names: ["a", "\ud800"] }, /"names" must be a list/],
  ["takes a whole one of two halves", list, "body", { names: ["\ud83d\ude86"] }, { names: ["🚆"] }],
  ["takes bodies as they are", body, "body", { name: "5", area: null }, { name: "5", area: null }],
  ["turns nothing in bodies", body, "body", { name: 5 }, /field "name" must be text/],
  [
    "tries all of a union",
    body,
    "body",
    { name: "a", area: "abc" },
    /"area" must be text of 0 to 2 characters or null/,
  ],
  [
    "repeats no secret that it refuses",
    exactly({ key: Type.Optional(Type.Union([Type.String(), Type.Null()], { writeOnly: true })) }),
    "body",
    { key: 12_345 },
    /field "key" must be text or null$/,
  ],
  ["refuses a list as body", body, "body", [], /must be a JSON object/],
];

for (const [what, schema, part, value, expected] of CASES) {
  test(`compileValidator() ${what}`, () => {
    const result = check(schema, part, value);
    if (expected instanceof RegExp) assert.match(String(result), expected);
    else assert.deepEqual(result, expected);
  });
}

test("compileValidator() refuses a schema that says more than it checks", () => {
  const withPattern = exactly({ name: Type.String({ pattern: "^a" }) });
  const withNumber = exactly({ share: Type.Number() });
  assert.throws(() => check(withPattern, "body", {}), /not checked for "pattern"/);
  assert.throws(() => check(withNumber, "body", {}), /not checked for the type "number"/);
});
