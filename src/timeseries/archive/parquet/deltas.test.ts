import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { ByteWriter } from "hyparquet-writer/src/bytewriter.js";
import { deltaBinaryPack } from "hyparquet-writer/src/delta.js";
import { unpackDeltas } from "./deltas.ts";

function pack(values: readonly number[]): Uint8Array<ArrayBuffer> {
  const writer = new ByteWriter();
  deltaBinaryPack(writer, values.map(BigInt), "INT64");
  return new Uint8Array(writer.getBytes());
}

const safe = fc.oneof(
  fc.maxSafeInteger(),
  fc.constantFrom(Number.MAX_SAFE_INTEGER, Number.MIN_SAFE_INTEGER, 0, -1, 1_795_518_045_947_119),
);
/** Steps of every width, also backwards, within the years that there are. */
const steps = fc
  .integer({ min: 0, max: 50 })
  .chain((bits) => fc.array(fc.bigInt(-(2n ** BigInt(bits)), 2n ** BigInt(bits))));
const walks = fc.tuple(fc.integer({ min: 0, max: 2 ** 31 }), steps).map(([first, deltas]) => {
  const walk = [first];
  for (const delta of deltas) walk.push(Number(BigInt.asIntN(52, BigInt(walk.at(-1)!) + delta)));
  return walk;
});

test("unpackDeltas() gives the numbers that were packed, from the first on", () => {
  fc.assert(
    fc.property(fc.oneof(walks, fc.array(safe, { minLength: 1, maxLength: 300 })), fc.nat(400), (values, count) => {
      const found = unpackDeltas(pack(values), count);
      // Only where a century lies between them.
      if (found === undefined) assert.ok(Math.max(...values) - Math.min(...values) > 2 ** 51);
      else assert.deepEqual(Array.from(found), values.slice(0, count));
    }),
    { numRuns: 2_000 },
  );
});

test("unpackDeltas() refuses bytes that end too early, or in the middle of a number", () => {
  const bytes = pack(Array.from({ length: 257 }, (_, i) => i * i * 1_000));
  for (let length = 0; length < bytes.length; length++) {
    assert.throws(() => unpackDeltas(bytes.slice(0, length), 257), RangeError, `${length}`);
  }
  assert.throws(() => unpackDeltas(new Uint8Array(20).fill(0xff), 300), RangeError);
});
