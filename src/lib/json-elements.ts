import { isUtf8 } from "node:buffer";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;
const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];

/** The elements of a JSON array, each as its own text, in their order. */
export interface JsonElements {
  readonly length: number;
  /** No white space stands between tokens: texts are as `JSON.stringify` would space them. */
  readonly compact: boolean;
  /** The text of one element. Parse it: that it is JSON has not been checked. */
  text(index: number): string;
}

/**
 * Finds the elements of a JSON array without parsing them, so that a long list needs not be in memory at once as
 * objects, and that each element's text is at hand as it was sent. Throws a SyntaxError for what is no UTF-8, no array,
 * or has no end; the array is JSON if every element's text is.
 */
export function jsonElements(bytes: Uint8Array): JsonElements {
  if (!isUtf8(bytes)) throw new SyntaxError("it is not UTF-8");
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const begin = skipSpace(bytes, BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? 3 : 0);
  if (bytes[begin] !== OPEN_ARRAY) throw new SyntaxError("it is no array");

  /** Where elements begin, and behind the last one: an element ends one byte before the next one begins. */
  const places = [begin + 1];
  let compact = true;
  let depth = 1;
  let at = begin + 1;
  for (; depth > 0 && at < bytes.length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      for (at++; at < bytes.length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) depth++;
    else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) depth--;
    else if (byte === COMMA) {
      if (depth === 1) places.push(at + 1);
    } else if (byte <= SPACE) compact = false;
  }
  if (depth > 0 || bytes[at - 1] !== CLOSE_ARRAY) throw new SyntaxError("the array has no end");
  if (skipSpace(bytes, at) < bytes.length) throw new SyntaxError("something follows the array");
  const isEmpty = places.length === 1 && skipSpace(bytes, begin + 1) === at - 1;
  places.push(at);

  return {
    length: isEmpty ? 0 : places.length - 1,
    compact,
    text: (index) => buffer.toString("utf8", places[index], places[index + 1]! - 1),
  };
}

/** The place of the first byte from `at` on that is no white space of JSON. */
function skipSpace(bytes: Uint8Array, at: number): number {
  let place = at;
  while (place < bytes.length && " \t\n\r".includes(String.fromCharCode(bytes[place]!))) place++;
  return place;
}
