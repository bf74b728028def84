import { isUtf8 } from "node:buffer";

const QUOTE = 0x22;
const COMMA = 0x2c;
const BACKSLASH = 0x5c;
const OPEN_ARRAY = 0x5b;
const CLOSE_ARRAY = 0x5d;
const OPEN_OBJECT = 0x7b;
const CLOSE_OBJECT = 0x7d;
const SPACE = 0x20;
const TAB = 0x09;
const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;
const BYTE_ORDER_MARK = Buffer.of(0xef, 0xbb, 0xbf);

/** An element of a JSON array. */
export interface JsonElement {
  readonly value: unknown;
  /** Its JSON, without white space between tokens. */
  readonly text: string;
}

/** Of an array of objects so much is made a text at a time: some 100 rows of a registry. */
const BLOCK_BYTES = 65_536;
/** White space between two objects, of which each block is searched for. */
const SPACE_MAX = 100;

/**
 * The elements of a JSON array in their order, a run of them at a time, so that a long list needs not be in memory at once
 * as objects, and that the text of each is at hand as it was sent. The array's bytes come in parts, cut anywhere. Throws a
 * SyntaxError for what is no UTF-8 or no JSON array, when it comes there: maybe after many elements.
 *
 * To look for an element's end byte by byte takes almost as long as to parse it. Among objects side by side it is guessed
 * instead, as long as that holds: what can be parsed is all of one. These are as compact as those before them were, and
 * the same white space is between them.
 */
export function* jsonElements(
  parts: readonly Uint8Array[],
  parse: (text: string) => unknown = JSON.parse,
): Generator<readonly JsonElement[], undefined> {
  const input = new Input(parts);
  input.skipMark();
  if (input.skipSpace() !== OPEN_ARRAY) throw new SyntaxError("it is no array");
  input.at++;
  let last = input.skipSpace();
  if (last !== CLOSE_ARRAY) {
    const array: ArrayRead = { parse, compact: true };
    let guesses = true;
    let border: string | undefined;
    // The first one tells of no border: the white space before it is gone.
    for (let count = 1; ; count++) {
      const sent = look(input, array);
      if (count > 1) border ??= borderOf(sent);
      yield [elementOf(sent, array)];
      if (input.buffer[input.at] !== COMMA) break;
      input.at++;
      if (guesses && border !== undefined) {
        const elements: JsonElement[] = [];
        // One that fails is the last: no list takes longer than twice its length.
        guesses = guess(input, border, array, elements);
        if (elements.length > 0) yield elements;
      }
    }
    last = input.skipSpace();
  }
  if (last !== CLOSE_ARRAY) throw new SyntaxError("the array has no end");
  input.at++;
  if (input.skipSpace() !== undefined) throw new SyntaxError("something follows the array");
}

/** Bytes that come in parts, as far as they are needed: from where the reader is to somewhere behind it. */
class Input {
  /** What is at hand; only the bytes from `at` on are wanted. */
  buffer: Buffer;
  at = 0;
  readonly #parts: readonly Uint8Array[];
  #taken = 1;
  /** Where a rest and the parts that follow it are put together, again and again: new memory costs more than to copy. */
  #memory = Buffer.alloc(0);

  constructor(parts: readonly Uint8Array[]) {
    this.#parts = parts;
    this.buffer = asBuffer(parts[0] ?? this.#memory);
  }

  /**
   * Brings at least as much more as is at hand, so that a long element is not looked through often; all there is, if that
   * is less. False: nothing is.
   */
  more(): boolean {
    const rest = this.buffer.subarray(this.at);
    const next: Buffer[] = [];
    let bytes = 0;
    while (this.#taken < this.#parts.length && bytes <= rest.length) {
      const part = asBuffer(this.#parts[this.#taken++]!);
      next.push(part);
      bytes += part.length;
    }
    if (bytes === 0) return false;
    const length = rest.length + bytes;
    const { length: room } = this.#memory;
    const memory = room < length ? Buffer.allocUnsafeSlow(Math.max(length, 2 * room)) : this.#memory;
    let end = rest.copy(memory);
    for (const part of next) end += part.copy(memory, end);
    this.#memory = memory;
    this.buffer = memory.subarray(0, length);
    this.at = 0;
    return true;
  }

  skipMark(): void {
    while (this.buffer.length < BYTE_ORDER_MARK.length && this.more());
    if (this.buffer.subarray(0, BYTE_ORDER_MARK.length).equals(BYTE_ORDER_MARK)) this.at = BYTE_ORDER_MARK.length;
  }

  /** Goes to the first byte that is no white space of JSON; undefined: there is none. */
  skipSpace(): number | undefined {
    for (;;) {
      const byte = this.buffer[this.at];
      if (byte === undefined) {
        if (!this.more()) return undefined;
      } else if (byte === SPACE || byte === TAB || byte === LINE_FEED || byte === CARRIAGE_RETURN) this.at++;
      else return byte;
    }
  }

  /** The text up to `end`, where a character begins. */
  textTo(end: number): string {
    if (!isUtf8(this.buffer.subarray(this.at, end))) throw new SyntaxError("it is not UTF-8");
    return this.buffer.toString("utf8", this.at, end);
  }
}

function asBuffer({ buffer, byteOffset, byteLength }: Uint8Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * Where one object ends and the next one begins, if it is not within one: of a list like this one, as it was sent with the
 * white space around it. Undefined: it is no object, or the white space is more than that of a list.
 */
function borderOf(sent: string): string | undefined {
  const start = sent.trimStart();
  const end = start.trimEnd();
  if (!end.startsWith("{") || sent.length - end.length > SPACE_MAX) return undefined;
  return `}${start.slice(end.length)},${sent.slice(0, sent.length - start.length)}{`;
}

/** Reads the objects of a block by guessing where each ends, and goes to what follows them; false: one guess failed. */
function guess(input: Input, border: string, array: ArrayRead, elements: JsonElement[]): boolean {
  const { buffer, at: from } = input;
  const last = buffer.subarray(from, from + BLOCK_BYTES).lastIndexOf(border);
  if (last === -1) return true;
  const text = input.textTo(from + last + 1);
  for (let at = 0; at < text.length; ) {
    const next = text.indexOf(border, at);
    const end = next === -1 ? text.length : next + 1;
    const element = parsed(text.slice(at, end), array);
    if (element === undefined) {
      input.at += Buffer.byteLength(text.slice(0, at));
      return false;
    }
    elements.push(element);
    at = end + border.length - 2;
  }
  input.at += last + border.length - 1;
  return true;
}

function parsed(text: string, array: ArrayRead): JsonElement | undefined {
  try {
    return elementOf(text, array);
  } catch {
    return undefined;
  }
}

function elementOf(sent: string, array: ArrayRead): JsonElement {
  const value = array.parse(sent);
  return { value, text: array.compact ? sent : JSON.stringify(value) };
}

/** Reads the text of the element that begins here, and goes to the comma or bracket that follows it. */
function look(input: Input, array: ArrayRead): string {
  let end = endOfElement(input.buffer, input.at, array);
  while (end === undefined) {
    if (!input.more()) throw new SyntaxError("the array has no end");
    end = endOfElement(input.buffer, input.at, array);
  }
  const text = input.textTo(end);
  input.at = end;
  return text;
}

/** How an array is read, and what it turned out to look like so far. */
interface ArrayRead {
  /** Of an element's text; throws a SyntaxError. */
  readonly parse: (text: string) => unknown;
  /** Whether no white space was met between tokens so far. */
  compact: boolean;
}

/**
 * Where the element that begins at `from` ends: at the comma or bracket that follows it; undefined if that is not there. A
 * function of its own for each element, since V8 compiles what is called often better than a loop that never ends: twice
 * as fast.
 */
function endOfElement(bytes: Uint8Array, from: number, array: ArrayRead): number | undefined {
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
      array.compact = false;
    }
  }
  return undefined;
}
