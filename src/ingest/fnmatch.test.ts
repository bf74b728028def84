import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fnmatchToRegExp } from "./fnmatch.ts";

/** Glob, text, and what Python 3's `re.match(fnmatch.translate(glob), text)` says. */
const CASES: readonly (readonly [string, string, boolean])[] = [
  ["sensor.*", "sensor.a", true],
  ["sensor.*", "binary_sensor.a", false],
  ["*", "light.a", true],
  ["*.a", "light.a", true],
  ["light.?", "light.a", true],
  ["light.?", "light.ab", false],
  ["light.?", "light.", false],
  ["light.[abc]", "light.b", true],
  ["light.[abc]", "light.d", false],
  ["light.[!abc]", "light.d", true],
  ["light.[!abc]", "light.a", false],
  ["light.[a-c]x", "light.bx", true],
  ["light.[a-c]x", "light.dx", false],
  ["light.[c-a]x", "light.bx", false],
  ["light.[!c-a]x", "light.bx", true],
  ["light.[]]", "light.]", true],
  ["light.[!]]", "light.a", true],
  ["light.[!]]", "light.]", false],
  ["light.[a", "light.[a", true],
  ["light.[", "light.[", true],
  ["light.[!", "light.[!", true],
  ["light.[]", "light.[]", true],
  ["[-a].x", "-.x", true],
  ["[a-].x", "-.x", true],
  ["[a-].x", "b.x", false],
  ["[--a].x", "A.x", true],
  ["[a-b-c].x", "-.x", true],
  ["[a-b-c].x", "c.x", true],
  ["[^a].x", "^.x", true],
  ["[^a].x", "b.x", false],
  ["[\\].x", "\\.x", true],
  ["[&&].x", "&.x", true],
  ["[a-cx-z].n", "y.n", true],
  ["[a-cx-z].n", "m.n", false],
  ["[!!].x", "!.x", false],
  ["[!!].x", "a.x", true],
  ["sensor.*_rssi", "sensor.a_rssi", true],
  ["sensor.*_rssi", "sensor.a_rssi_2", false],
  ["sensor.a+b", "sensor.a+b", true],
  ["sensor.a+b", "sensor.aab", false],
  ["sensor.(a)", "sensor.(a)", true],
  ["sensor.a|b", "b", false],
  ["s.a$", "s.a$", true],
  ["s.ü*", "s.üb", true],
  ["s.?", "s.😀", true],
  ["s.[￿-😀]", "s.😀", true],
  ["Sensor.*", "sensor.a", false],
  ["sensor.A", "sensor.a", false],
  ["**", "x.y", true],
  ["*.*", "x.y", true],
  ["*.*", "xy", false],
  ["", "", true],
  ["", "x", false],
  ["s.*", "s.a\nb", true],
  ["s.[a-z0-9_]*", "s.a_1", true],
  ["s.[0-9][0-9]", "s.42", true],
  ["s.[0-9][0-9]", "s.4", false],
  ["[[]x.y", "[x.y", true],
  ["[[:alpha:]].y", ":].y", true],
  ["s.\\*", "s.*", false],
  ["s.\\*", "s.\\b", true],
];

for (const [glob, text, expected] of CASES) {
  test(`fnmatchToRegExp() ${JSON.stringify(glob)} on ${JSON.stringify(text)}`, () => {
    assert.equal(fnmatchToRegExp(glob).test(text), expected);
  });
}

test("fnmatchToRegExp() takes any glob, and a text without wildcards matches itself alone", () => {
  const piece = fc.constantFrom("*", "?", "[", "]", "!", "-", "^", "\\", "a", "b", ".", "😀", "$", "/", "{", "}");
  fc.assert(
    fc.property(fc.array(piece), fc.string({ unit: "binary" }), (pieces, text) => {
      const glob = pieces.join("");
      const pattern = fnmatchToRegExp(glob);
      if (!/[*?[]/.test(glob)) assert.equal(pattern.test(text), text === glob);
      assert.equal(fnmatchToRegExp(`*${glob}*`).test(glob.replaceAll("*", "")) || /[[]/.test(glob), true);
    }),
  );
});

/** By what a glob means, without a regular expression. */
function fits(glob: string, text: string): boolean {
  if (glob === "") return text === "";
  if (glob[0] !== "*")
    return text !== "" && (glob[0] === "?" || glob[0] === text[0]) && fits(glob.slice(1), text.slice(1));
  return fits(glob.slice(1), text) || (text !== "" && fits(glob, text.slice(1)));
}

test("fnmatchToRegExp() finds every way to place several stars", () => {
  const text = fc.string({ unit: fc.constantFrom("a", "b"), maxLength: 10 });
  fc.assert(
    fc.property(fc.string({ unit: fc.constantFrom("*", "?", "a", "b"), maxLength: 8 }), text, (glob, text) => {
      assert.equal(fnmatchToRegExp(glob).test(text), fits(glob, text));
    }),
    { numRuns: 2_000 },
  );
});

test("fnmatchToRegExp() does not try many stars in all ways on a long name, which takes minutes", () => {
  const start = performance.now();
  assert.equal(fnmatchToRegExp("sensor.*_*_*_*x").test(`sensor.${"_".repeat(2_000)}`), false);
  assert.equal(fnmatchToRegExp(`${"*a".repeat(50)}*x`).test("a".repeat(10_000)), false);
  assert.ok(performance.now() - start < 30_000);
});
