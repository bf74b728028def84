import assert from "node:assert/strict";
import { test } from "node:test";
import { timeOfUlid } from "./ulid.ts";

const CASES: readonly [text: string, iso: string | undefined][] = [
  // From the specification's own example, and from a real Home Assistant.
  ["01ARZ3NDEKTSV4RRFFQ69G5FAV", "2016-07-30T23:54:10.259Z"],
  ["01arz3ndektsv4rrffq69g5fav", "2016-07-30T23:54:10.259Z"],
  ["00000000000000000000000000", "1970-01-01T00:00:00.000Z"],
  ["7ZZZZZZZZZ0000000000000000", "+010889-08-02T05:31:50.655Z"],
  ["8ZZZZZZZZZ0000000000000000", undefined],
  ["01ARZ3NDEKTSV4RRFFQ69G5FA", undefined],
  ["01ARZ3NDEKTSV4RRFFQ69G5FAVX", undefined],
  ["01ARZ3NDEKTSV4RRFFQ69G5FAU", undefined],
  ["5f0c3a7e9b1d4c2e8a6f0b3d5e7c9a1b", undefined],
  ["", undefined],
];
for (const [text, iso] of CASES) {
  test(`timeOfUlid("${text}") is ${iso}`, () => {
    const time = timeOfUlid(text);
    assert.equal(time === undefined ? undefined : new Date(time / 1000).toISOString(), iso);
  });
}
