import assert from "node:assert/strict";
import { test } from "node:test";
import { withParts } from "./page.ts";

const ORDER = ["lists", "upsert", "peers"];
const part = (name: string, text: string) => `<!-- ${name} -->\n${text}\n<!-- end of ${name} -->`;
const INTRODUCTION = "# Performance\n\nBy hand.\n";

test("withParts() replaces parts where they stand and leaves all that was written by hand", () => {
  const page = `${INTRODUCTION}\n${part("lists", "a")}\nBetween.\n${part("upsert", "b")}\n\n## A year\n\nBy hand too.\n`;
  assert.equal(withParts(page, ORDER, new Map([["upsert", "new"]])), page.replace("\nb\n", "\nnew\n"));
  assert.equal(withParts(page, ORDER, new Map()), page);
});

test("withParts() puts a part that is not there behind the one before it in the order", () => {
  const page = `${INTRODUCTION}\n${part("lists", "a")}\n${part("peers", "c")}\n\n## A year\n`;
  const expected = `${INTRODUCTION}\n${part("lists", "a")}\n${part("upsert", "b")}\n${part("peers", "c")}\n\n## A year\n`;
  assert.equal(withParts(page, ORDER, new Map([["upsert", "b"]])), expected);
});

test("withParts() puts the first parts at the end of the page", () => {
  const parts = new Map([
    ["lists", "a"],
    ["peers", "c"],
  ]);
  assert.equal(
    withParts(INTRODUCTION, ORDER, parts),
    `${INTRODUCTION}\n${part("lists", "a")}\n${part("peers", "c")}\n`,
  );
});
