import assert from "node:assert/strict";
import { Readable } from "node:stream";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { BodyReader } from "./lines-body.ts";

const MAX = 3_000_000;
const announced = (bytes: number) => ({ "content-length": String(bytes) });
const bytes = (length: number, of: number) => Buffer.alloc(length, of);

test("a body is what its parts are, of any size, whether its length was announced or not", async () => {
  const reader = new BodyReader(MAX, 4 * MAX);
  for (const sizes of [
    [0],
    [1],
    [10, 0, 20],
    [65_536, 65_536, 3],
    [900_000, 200_000],
    [1_000_000, 1_000_001, 999_999],
  ]) {
    const parts = sizes.map((size, i) => bytes(size, i + 1));
    const whole = Buffer.concat(parts);
    for (const headers of [announced(whole.length), {}]) {
      const body = await reader.read(headers, Readable.from(parts));
      assert.ok(body.equals(whole), `${sizes}`);
      reader.release(body);
    }
  }
});

test("two bodies never share memory before the first is released", async () => {
  const reader = new BodyReader(MAX, 4 * MAX);
  reader.release(await reader.read(announced(100), Readable.from([bytes(100, 9)])));
  const [first, second] = await Promise.all([
    reader.read(announced(50), Readable.from([bytes(25, 1), bytes(25, 1)])),
    reader.read(announced(80), Readable.from([bytes(40, 2), bytes(40, 2)])),
  ]);
  const third = await reader.read({}, Readable.from([bytes(90, 3)]));
  assert.ok(first.equals(bytes(50, 1)));
  assert.ok(second.equals(bytes(80, 2)));
  assert.ok(third.equals(bytes(90, 3)));
  reader.release(second);
  const fourth = await reader.read(announced(80), Readable.from([bytes(80, 4)]));
  assert.equal(fourth.buffer, second.buffer, "and then its memory is used again");
  assert.ok(first.equals(bytes(50, 1)));
});

test("what is too long, too short or broken off is refused as Fastify does", async () => {
  const reader = new BodyReader(MAX, 4 * MAX);
  const tooLarge = { code: "FST_ERR_CTP_BODY_TOO_LARGE", statusCode: 413 };
  await assert.rejects(reader.read(announced(MAX + 1), Readable.from([])), tooLarge);
  await assert.rejects(reader.read({}, Readable.from([bytes(MAX, 1), bytes(1, 1)])), tooLarge);
  const short = { code: "FST_ERR_CTP_INVALID_CONTENT_LENGTH", statusCode: 400 };
  await assert.rejects(reader.read(announced(5), Readable.from([bytes(4, 1)])), short);
  const broken = new Readable({ read: () => void broken.destroy(new Error("aborted")) });
  await assert.rejects(reader.read(announced(5), broken), { message: "aborted", statusCode: 400 });
});

test("more than so many bytes of bodies under way are refused, and taken once others have come or are gone", async () => {
  const reader = new BodyReader(100, 100);
  const stalled = new Readable({ read: () => undefined });
  stalled.push(bytes(80, 1));
  const first = reader.read(announced(90), stalled);
  await turn();
  await assert.rejects(reader.read({}, Readable.from([bytes(15, 2), bytes(15, 2)])), { code: "unavailable" });
  assert.ok((await reader.read({}, Readable.from([bytes(20, 3)]))).equals(bytes(20, 3)));
  stalled.push(bytes(10, 1));
  stalled.push(null);
  assert.ok((await first).equals(bytes(90, 1)));
  assert.equal((await reader.read({}, Readable.from([bytes(100, 4)]))).length, 100);
  const broken = new Readable({ read: () => void broken.destroy(new Error("aborted")) });
  broken.push(bytes(60, 5));
  await assert.rejects(reader.read({}, broken), /aborted/);
  assert.equal((await reader.read({}, Readable.from([bytes(100, 6)]))).length, 100);
});
