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

/** An element of a JSON array. */
export interface JsonElement {
  readonly value: unknown;
  /** Its JSON, without white space between tokens. */
  readonly text: string;
}

interface Found extends JsonElement {
  /** The place of the byte that follows it. */
  readonly end: number;
}

/** Of an array of objects so much is made a text at a time: some 100 rows of a registry. */
const BLOCK_BYTES = 65_536;
/** Where one object ends and the next one begins, if it is not within one. */
const BORDER = "},{";

/**
 * The elements of a JSON array in their order, a run of them at a time, so that a long list needs not be in memory at once
 * as objects, and that the text of each is at hand as it was sent. Throws a SyntaxError for what is no UTF-8 or no JSON
 * array, when it comes there: maybe after many elements.
 *
 * To look for an element's end byte by byte takes almost as long as to parse it. Among objects side by side it is guessed
 * instead, as long as that holds: what can be parsed is all of one. These are as compact as those before them were.
 */
export function* jsonElements(bytes: Uint8Array): Generator<readonly JsonElement[], undefined> {
  if (!isUtf8(bytes)) throw new SyntaxError("it is not UTF-8");
  const begin = skipSpace(bytes, BYTE_ORDER_MARK.every((byte, index) => bytes[index] === byte) ? 3 : 0);
  if (bytes[begin] !== OPEN_ARRAY) throw new SyntaxError("it is no array");
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const spacing: Spacing = { compact: true };
  let end = skipSpace(bytes, begin + 1);
  if (bytes[end] !== CLOSE_ARRAY) {
    let found = look(buffer, begin + 1, spacing);
    let guesses = spacing.compact;
    while (bytes[found.end] === COMMA) {
      yield [found];
      let from = found.end + 1;
      const blockEnd = guesses ? lastBorder(buffer, from) : from;
      if (blockEnd > from) {
        const { elements, otherAt } = guessed(buffer.toString("utf8", from, blockEnd));
        if (elements.length > 0) yield elements;
        // One that fails is the last: no list takes longer than twice its length.
        guesses = otherAt === undefined;
        from = otherAt === undefined ? blockEnd + 1 : from + otherAt;
      }
      found = look(buffer, from, spacing);
    }
    yield [found];
    ({ end } = found);
  }
  if (bytes[end] !== CLOSE_ARRAY) throw new SyntaxError("the array has no end");
  if (skipSpace(bytes, end + 1) < bytes.length) throw new SyntaxError("something follows the array");
}

/** The place of the comma at the last border within a block; -1 if there is none. */
function lastBorder(buffer: Buffer, from: number): number {
  const border = buffer.subarray(from, from + BLOCK_BYTES).lastIndexOf(BORDER);
  return border === -1 ? -1 : from + border + 1;
}

interface Guessed {
  readonly elements: readonly JsonElement[];
  /** The byte where one begins whose end was guessed wrong. */
  readonly otherAt: number | undefined;
}

/** The objects of a text like `{…},{…}`, until one was guessed wrong. */
function guessed(text: string): Guessed {
  const elements: JsonElement[] = [];
  for (let at = 0; at < text.length; ) {
    const border = text.indexOf(BORDER, at);
    const end = border === -1 ? text.length : border + 1;
    const element = parsed(text.slice(at, end));
    if (element === undefined) return { elements, otherAt: Buffer.byteLength(text.slice(0, at)) };
    elements.push(element);
    at = end + 1;
  }
  return { elements, otherAt: undefined };
}

function parsed(text: string): JsonElement | undefined {
  try {
    return { text, value: JSON.parse(text) };
  } catch {
    return undefined;
  }
}

function look(buffer: Buffer, from: number, spacing: Spacing): Found {
  const end = endOfElement(buffer, from, spacing);
  const text = buffer.toString("utf8", from, end);
  const value: unknown = JSON.parse(text);
  return { end, value, text: spacing.compact ? text : JSON.stringify(value) };
}

/** What an array looks like, besides where its elements end. */
interface Spacing {
  compact: boolean;
}

/**
 * Where the element that begins at `from` ends: at the comma or bracket that follows it. A function of its own for each
 * element, since V8 compiles what is called often better than a loop that never ends: twice as fast.
 */
function endOfElement(bytes: Uint8Array, from: number, spacing: Spacing): number {
  const { length } = bytes;
  let depth = 0;
  for (let at = from; at < length; at++) {
    const byte = bytes[at]!;
    if (byte === QUOTE) {
      for (at++; at < length && bytes[at] !== QUOTE; at++) if (bytes[at] === BACKSLASH) at++;
    } else if (byte === COMMA) {
      if (depth === 0) return at;
    } else if (byte === OPEN_OBJECT || byte === OPEN_ARRAY) {
      depth++;
    } else if (byte === CLOSE_OBJECT || byte === CLOSE_ARRAY) {
      if (--depth < 0) return at;
    } else if (byte <= SPACE) {
      spacing.compact = false;
    }
  }
  throw new SyntaxError("the array has no end");
}

/** The place of the first byte from `at` on that is no white space of JSON. */
function skipSpace(bytes: Uint8Array, at: number): number {
  let place = at;
  while (place < bytes.length && " \t\n\r".includes(String.fromCharCode(bytes[place]!))) place++;
  return place;
}
