import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { fourDigits, skipPlain, viewOf } from "./words.ts";

const isPlain = (byte: number): boolean => byte > 32 && byte !== 0x5c;
/** The neighbours of what is no plain byte, with and without the highest bit, as often as all others. */
const BYTE = fc.oneof(
  fc.constantFrom(0, 1, 9, 10, 31, 32, 33, 34, 0x5b, 0x5c, 0x5d, 127, 128, 160, 0xdc, 255),
  fc.integer({ min: 0, max: 255 }),
);

test("plain bytes are passed over up to the first other one, or to one of the last three", () => {
  const bytes = fc.oneof(
    fc.array(BYTE, { maxLength: 24 }),
    // With one of them at most, else none gets far.
    fc
      .tuple(fc.array(BYTE.filter(isPlain), { maxLength: 24 }), BYTE, fc.array(BYTE, { maxLength: 6 }))
      .map(([before, byte, after]) => [...before, byte, ...after]),
  );
  let found = 0;
  fc.assert(
    fc.property(bytes, fc.nat(5), fc.nat(5), (given, start, after) => {
      const body = Uint8Array.from(given);
      const end = body.length - after;
      fc.pre(start <= end);
      const at = skipPlain(viewOf(body), start, end);
      assert.ok(body.subarray(start, at).every(isPlain), `${given} from ${start}: ${at}`);
      if (at < end && !isPlain(body[at]!)) found++;
      else assert.ok(at <= end && end - at <= 3, `${given} from ${start} to ${end}: ${at}`);
    }),
    { numRuns: 5_000 },
  );
  assert.ok(found > 1_000, `${found} found`);
});

test("four digits are a number, and anything else among them is none", () => {
  const digit = fc.constantFrom(..."0123456789");
  const other = fc.integer({ min: 0, max: 255 }).filter((byte) => byte < 48 || byte > 57);
  fc.assert(
    fc.property(fc.array(digit, { minLength: 4, maxLength: 4 }), fc.nat(3), other, (digits, at, byte) => {
      const body = Buffer.from(`7${digits.join("")}7`);
      assert.equal(fourDigits(viewOf(body), 1), Number(digits.join("")));
      body[1 + at] = byte;
      assert.ok(fourDigits(viewOf(body), 1) < 0, `${byte} at ${at} of ${digits.join("")}`);
    }),
    { numRuns: 5_000 },
  );
});

test("a view is of the bytes of a part alone", () => {
  const part = Buffer.from("abcdef").subarray(2, 5);
  assert.equal(Buffer.from(viewOf(part).buffer, viewOf(part).byteOffset, viewOf(part).byteLength).toString(), "cde");
});
