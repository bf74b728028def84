import assert from "node:assert/strict";
import { test } from "node:test";
import { KeyTable } from "./keys.ts";
import { viewOf } from "./words.ts";

test("keys of any length that differ in one byte, wherever they stand in the body, are told apart", () => {
  const table = new KeyTable<string>(10_000);
  const names: Buffer[] = [];
  for (let length = 0; length <= 20; length++) {
    names.push(Buffer.alloc(length, "a"));
    for (let at = 0; at < length; at++) names.push(Buffer.alloc(length, "a").fill(0xe4, at, at + 1));
  }
  const ask = (name: Buffer, shift: number): string | undefined => {
    const body = Buffer.concat([Buffer.alloc(shift, "a"), name, Buffer.from("a")]);
    return table.find(viewOf(body), shift, shift + name.length)?.target;
  };
  for (const name of names) {
    assert.equal(ask(name, 3), undefined, `${name.toString("latin1")} is new`);
    table.add(name, name.toString("latin1"));
  }
  for (const name of names)
    for (let shift = 0; shift < 5; shift++) assert.equal(ask(name, shift), name.toString("latin1"));
});

test("names of entities that end in a number spread over the slots", () => {
  const table = new KeyTable<number>(200_000);
  const names = Array.from({ length: 20_000 }, (_, i) =>
    Buffer.from(`state,domain=sensor,entity_id=sensor.room_${i % 100}_temperature_${Math.floor(i / 100)}`),
  );
  for (const [i, name] of names.entries()) table.add(name, i);
  const hashes = names.map((name) => table.find(viewOf(name), 0, name.length)!.hash);
  const slots = new Set(hashes.map((hash) => hash & 0xffff));
  // 20,000 at random fill 17,200 of 65,536 slots.
  assert.ok(slots.size > 16_500, `${slots.size} slots`);
});
