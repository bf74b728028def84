import assert from "node:assert/strict";
import { test } from "node:test";
import { decodeCursor, encodeCursor, pageOf } from "./cursors.ts";

const QUERY = ["states", { domain: "light" }] as const;

test("decodeCursor() gives back what encodeCursor() took", () => {
  for (const position of ["light.hall", ["ü", 1795518243577164, null], 0]) {
    assert.deepEqual(decodeCursor(QUERY, encodeCursor(QUERY, position)), position);
  }
});

test("decodeCursor() takes a cursor of the same filter in another order, and lists only in theirs", () => {
  const ids = ["sensor.a", "sensor.b"];
  const cursor = encodeCursor(["history", { entity_id: ids, fields: ["*"], end: undefined }], 7);
  assert.equal(decodeCursor(["history", { fields: ["*"], entity_id: ids }], cursor), 7);
  assert.throws(() => decodeCursor(["history", { fields: ["*"], entity_id: ids.toReversed() }], cursor), {
    code: "invalid",
  });
});

test("decodeCursor() refuses a cursor of another query", () => {
  const cursor = encodeCursor(QUERY, "light.hall");
  assert.throws(() => decodeCursor(["states", { domain: "sensor" }], cursor), { code: "invalid", message: /cursor/ });
});

test("decodeCursor() refuses a cursor with any character changed", () => {
  const cursor = encodeCursor(QUERY, "light.hall");
  for (let i = 0; i < cursor.length - 1; i++) {
    const changed = cursor.slice(0, i) + (cursor[i] === "A" ? "B" : "A") + cursor.slice(i + 1);
    assert.throws(() => decodeCursor(QUERY, changed), { code: "invalid" }, changed);
  }
  for (const nonsense of ["", "x", "AAAA", "{}", "%", cursor.slice(0, -4), `${cursor}AAAA`]) {
    assert.throws(() => decodeCursor(QUERY, nonsense), { code: "invalid" }, nonsense);
  }
});

test("pageOf() gives each row once, also when the row that a page ended at is gone", () => {
  const rows = ["a", "b", "c", "d", "e"];
  const key = (row: string) => row;
  const first = pageOf(["rows"], rows, key, { limit: 2 });
  assert.deepEqual([first.rows, first.total], [["a", "b"], 5]);
  const cursor = first.nextCursor ?? "";
  assert.deepEqual(pageOf(["rows"], rows, key, { limit: 2, cursor }).rows, ["c", "d"]);
  assert.deepEqual(pageOf(["rows"], ["0", ...rows], key, { limit: 9, cursor }).rows, ["c", "d", "e"]);
  assert.deepEqual(pageOf(["rows"], ["a", "c", "d"], key, { limit: 9, cursor }).rows, ["c", "d"]);
  assert.deepEqual(pageOf(["rows"], ["c", "d", "e"], key, { limit: 9, cursor }).rows, ["c", "d", "e"]);
  assert.deepEqual(pageOf(["rows"], ["a", "d", "e"], key, { limit: 9, cursor }).rows, ["d", "e"]);
  assert.equal(pageOf(["rows"], rows, key, { limit: 5 }).nextCursor, null);
  assert.throws(() => pageOf(["others"], rows, key, { limit: 2, cursor }), { code: "invalid" });
});
