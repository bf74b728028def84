import assert from "node:assert/strict";
import { mkdirSync, readFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { DatabaseSync } from "node:sqlite";
import { test } from "node:test";
import { isSystemRefusal } from "./system-refusal.ts";

function caught(work: () => unknown): unknown {
  try {
    work();
  } catch (error) {
    return error;
  }
  throw new Error("Nothing was thrown");
}

test("isSystemRefusal() knows what files and rights are the cause of, also further down", () => {
  const refusals = [
    caught(() => readFileSync("/no/such/file")),
    caught(() => mkdirSync(tmpdir())),
    caught(() => new DatabaseSync("/no/such/directory/x.db")),
  ];
  for (const error of refusals) {
    assert.ok(isSystemRefusal(error), String(error));
    assert.ok(isSystemRefusal(new Error("Cannot open", { cause: error })));
  }
});

test("isSystemRefusal() takes no fault of a program for one", () => {
  using database = new DatabaseSync(":memory:");
  for (const error of [
    caught(() => database.exec("SELECT nothing")),
    caught(() => JSON.parse("{")),
    new TypeError("odd", { cause: "a text" }),
    "a text",
    undefined,
  ]) {
    assert.equal(isSystemRefusal(error), false, String(error));
  }
});
