import type { Value } from "../domain/sample.ts";
import { LineFault } from "./fault.ts";

const SPACE = 32;
const PLUS = 43;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const CAPITAL_E = 69;
const LETTER_E = 101;
const LETTER_I = 105;
const LETTER_U = 117;

const INT64_MAX = 2n ** 63n - 1n;
const UINT64_MAX = 2n ** 64n - 1n;

const INVALID = "invalid number";

/**
 * The number that begins at `start`, and where it ends: a float ("1", "-1.5e3"), an integer ("1i") or an unsigned one
 * ("1u"). Integers that a double does not hold are texts of their digits. Throws a LineFault for what is none, or is
 * beyond 64 bits.
 */
export function numberAt(bytes: Buffer, start: number): { readonly end: number; readonly value: Value } {
  let at = start;
  let suffix = 0;
  let isDecimal = false;
  let isScientific = false;
  if (bytes[at] === MINUS) at++;
  for (; at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === COMMA || byte === SPACE) break;
    if (suffix !== 0) throw new LineFault(INVALID);
    if ((byte === LETTER_I || byte === LETTER_U) && at > start) suffix = byte;
    else if (byte === POINT) {
      if (isDecimal) throw new LineFault(INVALID);
      isDecimal = true;
    } else if ((byte === LETTER_E || byte === CAPITAL_E) && at > start) isScientific = true;
    else if (byte === PLUS || byte === MINUS) {
      const before = bytes[at - 1];
      if (at === start || (before !== LETTER_E && before !== CAPITAL_E)) throw new LineFault(INVALID);
    } else if (byte < ZERO || byte > NINE) throw new LineFault(INVALID);
  }
  const text = bytes.toString("latin1", start, suffix === 0 ? at : at - 1);
  const digits = text.replace("-", "").replace(".", "");
  if (digits === "") throw new LineFault(INVALID);
  if (suffix === 0) return { end: at, value: floatOf(text) };
  if (isDecimal || isScientific) throw new LineFault(INVALID);
  return { end: at, value: suffix === LETTER_I ? integerOf(text) : unsignedOf(text) };
}

function floatOf(text: string): number {
  const number = Number(text);
  if (Number.isFinite(number)) return number;
  throw new LineFault("invalid float");
}

function integerOf(text: string): Value {
  const integer = BigInt(text);
  if (integer > INT64_MAX || integer < -INT64_MAX - 1n) {
    throw new LineFault(`unable to parse integer ${text}: strconv.ParseInt: parsing "${text}": value out of range`);
  }
  return exactly(integer);
}

function unsignedOf(text: string): Value {
  if (text.startsWith("-")) throw new LineFault(INVALID);
  const integer = BigInt(text);
  if (integer > UINT64_MAX) {
    throw new LineFault(`unable to parse unsigned ${text}: strconv.ParseUint: parsing "${text}": value out of range`);
  }
  return exactly(integer);
}

function exactly(integer: bigint): Value {
  const number = Number(integer);
  return Number.isSafeInteger(number) ? number : integer.toString();
}
