import type { Precision } from "../domain/line-protocol.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { LineFault } from "./fault.ts";
import { FIELDS_MAX } from "./keys.ts";
import { momentOf } from "./moment.ts";
import { numberAt } from "./number.ts";

/**
 * Line protocol as InfluxDB itself reads it, byte by byte in the same order, so that what it takes is taken and what it
 * refuses is refused in the same words. Every line that is out of the ordinary comes here; `parse.ts` reads the others.
 *
 * Source: models/points.go of InfluxDB 2.7.12 and
 * https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 */

/** One line as it was read. */
export interface Point {
  readonly measurement: string;
  /** In the order of their keys, each once. */
  readonly tags: readonly (readonly [key: string, value: string])[];
  /** In the order of the line, at least one; InfluxDB drops a field named "time", and so is it here. */
  readonly fields: readonly (readonly [name: string, value: Value])[];
  /** Undefined: the line has none. */
  readonly ts: Micros | undefined;
}

/** Measurement and tags together, and with a field's name. In bytes. */
const KEY_BYTES_MAX = 65_535;
/** Four bytes are what InfluxDB puts between a series' key and its field. */
const SEPARATOR_BYTES = 4;
/** The documented bound of a text; InfluxDB itself takes more. In bytes, without its quotes and escapes. */
export const TEXT_BYTES_MAX = 65_536;
const RESERVED_TAGS = new Set(["time", "_field", "_measurement"]);

const TAB = 9;
const LINE_FEED = 10;
const SPACE = 32;
const QUOTE = 34;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const EQUALS = 61;
const BACKSLASH = 92;
const LETTER_N = 110;
const CAPITAL_N = 78;

/**
 * Where the line that begins at `start` ends: at its line feed, or at the end. Line feeds in texts are part of it. Looks
 * as far as `end`.
 */
export function endOfLine(bytes: Buffer, start: number, end = bytes.length): number {
  let at = start;
  let quoted = false;
  let inFields = false;
  let equals = 0;
  let commas = 0;
  while (at < end) {
    const byte = bytes[at]!;
    if (byte === BACKSLASH && at + 2 < end) {
      at += 2;
      continue;
    }
    if (byte === SPACE) inFields = true;
    if (inFields) {
      if (!quoted && byte === EQUALS) equals++;
      else if (!quoted && byte === COMMA) commas++;
      else if (byte === QUOTE && equals > commas) quoted = !quoted;
    }
    if (byte === LINE_FEED && !quoted) return at;
    at++;
  }
  return end;
}

/** Where blanks end. InfluxDB counts NUL among them. */
export function skipBlanks(bytes: Buffer, start: number): number {
  let at = start;
  for (; at < bytes.length; at++) {
    const byte = bytes[at];
    if (byte !== SPACE && byte !== TAB && byte !== 0) break;
  }
  return at;
}

/** Reads one line, without its line feed and the blanks before it. Throws a LineFault when it is no point. */
export function readPoint(line: Buffer, precision: Precision): Point {
  const keyEnd = endOfKey(line);
  if (keyEnd > KEY_BYTES_MAX) throw new LineFault(`max key length exceeded: ${keyEnd} > ${KEY_BYTES_MAX}`);
  const fieldsStart = skipBlanks(line, keyEnd);
  const fieldsEnd = endOfFields(line, fieldsStart);
  if (fieldsEnd === fieldsStart) throw new LineFault("missing fields");
  const { measurement, tags } = readKey(line.subarray(0, keyEnd));
  const fields = readFields(line.subarray(fieldsStart, fieldsEnd), keyEnd);
  if (fields.length === 0)
    throw new LineFault(`invalid field name: input field "time" on measurement "${measurement}" is invalid`);
  return { measurement, tags, fields, ts: readTime(line, fieldsEnd, precision) };
}

/** Where measurement and tags end: at the first blank that is not escaped. */
function endOfKey(line: Buffer): number {
  let at = 0;
  if (at >= line.length || line[at] === COMMA) throw new LineFault("missing measurement");
  for (;;) {
    at++;
    if (at >= line.length) throw new LineFault("missing fields");
    if (line[at - 1] === BACKSLASH) continue;
    if (line[at] === SPACE) return at;
    if (line[at] === COMMA) break;
  }
  for (;;) {
    at = endOfTagKey(line, at + 1);
    at = endOfTagValue(line, at + 1);
    if (line[at] === SPACE) return at;
  }
}

/** At the "=" behind a tag's key. */
function endOfTagKey(line: Buffer, start: number): number {
  const first = line[start];
  if (first === undefined || first === SPACE || first === COMMA || first === EQUALS) {
    throw new LineFault("missing tag key");
  }
  for (let at = start + 1; ; at++) {
    const byte = line[at];
    const escaped = line[at - 1] === BACKSLASH;
    if (byte === undefined || ((byte === SPACE || byte === COMMA) && !escaped))
      throw new LineFault("missing tag value");
    if (byte === EQUALS && !escaped) return at;
  }
}

/** At the comma or blank behind a tag's value. */
function endOfTagValue(line: Buffer, start: number): number {
  const first = line[start];
  if (first === undefined || first === COMMA || first === SPACE) throw new LineFault("missing tag value");
  for (let at = start + 1; ; at++) {
    const byte = line[at];
    if (byte === undefined) throw new LineFault("missing fields");
    if (line[at - 1] === BACKSLASH) continue;
    if (byte === EQUALS) throw new LineFault("invalid tag format");
    if (byte === COMMA || byte === SPACE) return at;
  }
}

/** At the blank behind the fields, or at the end; checks what stands between. */
function endOfFields(line: Buffer, start: number): number {
  let at = start;
  let quoted = false;
  let equals = 0;
  let commas = 0;
  while (at < line.length) {
    const byte = line[at]!;
    if (byte === BACKSLASH && at + 1 < line.length) {
      at += 2;
      continue;
    }
    if (byte === QUOTE && equals > commas) {
      quoted = !quoted;
      at++;
      continue;
    }
    if (byte === EQUALS && !quoted) {
      equals++;
      const before = line[at - 1];
      if ((before === SPACE || before === COMMA) && line[at - 2] !== BACKSLASH)
        throw new LineFault("missing field key");
      const value = line[at + 1];
      if (value === undefined || value === COMMA || value === SPACE) throw new LineFault("missing field value");
      if (isNumberStart(value)) {
        at = numberAt(line, at + 1).end;
        continue;
      }
      if (value !== QUOTE) {
        at = endOfBoolean(line, at + 1);
        continue;
      }
    }
    if (byte === COMMA && !quoted) commas++;
    if (byte === SPACE && !quoted) break;
    at++;
  }
  if (quoted) throw new LineFault("unbalanced quotes");
  if (equals === 0 || commas !== equals - 1) throw new LineFault("invalid field format");
  return at;
}

function isNumberStart(byte: number): boolean {
  return (byte >= ZERO && byte <= NINE) || byte === POINT || byte === MINUS || byte === CAPITAL_N || byte === LETTER_N;
}

const BOOLEANS: ReadonlyMap<string, Value> = new Map([
  ...["t", "T", "true", "True", "TRUE"].map((word) => [word, "true"] as const),
  ...["f", "F", "false", "False", "FALSE"].map((word) => [word, "false"] as const),
]);

function endOfBoolean(line: Buffer, start: number): number {
  let at = start;
  while (at < line.length && line[at] !== COMMA && line[at] !== SPACE) at++;
  if (!BOOLEANS.has(line.toString("latin1", start, at))) throw new LineFault("invalid boolean");
  return at;
}

/** The next `stop` from `start` on that has no backslash before it, or the end. */
function until(bytes: Buffer, start: number, stop: number): number {
  let at = start;
  while (at < bytes.length && !(bytes[at] === stop && (at === 0 || bytes[at - 1] !== BACKSLASH))) at++;
  return at;
}

function readKey(key: Buffer): Pick<Point, "measurement" | "tags"> {
  const nameEnd = until(key, 0, COMMA);
  const tags: [string, string][] = [];
  for (let at = nameEnd; at < key.length; ) {
    const equals = until(key, at + 1, EQUALS);
    const end = until(key, equals + 1, COMMA);
    const tag = unescapeTag(key.toString("utf8", at + 1, equals));
    if (RESERVED_TAGS.has(tag)) throw new LineFault(`cannot use reserved tag key "${tag}"`);
    tags.push([tag, unescapeTag(key.toString("utf8", equals + 1, end))]);
    at = end;
  }
  tags.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  if (tags.some(([tag], i) => tag === tags[i + 1]?.[0])) throw new LineFault("duplicate tags");
  return { measurement: unescapeName(key.toString("utf8", 0, nameEnd)), tags };
}

function unescapeTag(text: string): string {
  return text.replace(/\\([, =])/g, "$1");
}

function readFields(block: Buffer, keyBytes: number): [string, Value][] {
  const fields: [string, Value][] = [];
  for (let at = 0; at < block.length; ) {
    const equals = until(block, at, EQUALS);
    const bytes = keyBytes + SEPARATOR_BYTES + equals - at;
    if (bytes > KEY_BYTES_MAX) throw new LineFault(`max key length exceeded: ${bytes} > ${KEY_BYTES_MAX}`);
    const end = endOfValue(block, equals + 1);
    const name = unescapeName(block.toString("utf8", at, equals));
    // InfluxDB looks for it before it skips a tab, and takes a field that nobody can ask for.
    if (name === "") throw new LineFault("missing field key");
    const value = readValue(block, equals + 1, end);
    if (name !== "time") fields.push([name, value]);
    if (fields.length > FIELDS_MAX) throw new LineFault(`max fields exceeded: ${FIELDS_MAX} in one line`);
    at = end + 1;
  }
  return fields;
}

/** Of a measurement or a field: unlike a tag it may have escaped quotes. */
function unescapeName(text: string): string {
  return text.replace(/\\([," =])/g, "$1");
}

/** At the comma behind a value, or at the end. */
function endOfValue(block: Buffer, start: number): number {
  let quoted = false;
  let at = start;
  for (; at < block.length; at++) {
    const byte = block[at];
    if (byte === BACKSLASH && (block[at + 1] === QUOTE || block[at + 1] === BACKSLASH)) at++;
    else if (byte === QUOTE) quoted = !quoted;
    else if (byte === COMMA && !quoted) break;
  }
  return Math.min(at, block.length);
}

function readValue(block: Buffer, start: number, end: number): Value {
  if (block[start] !== QUOTE) {
    return BOOLEANS.get(block.toString("latin1", start, end)) ?? numberAt(block, start).value;
  }
  // InfluxDB takes what stands behind the closing quote, and cuts the text's last character off for it.
  if (end - start < 2 || block[end - 1] !== QUOTE) throw new LineFault("invalid field format");
  const escaped = block.toString("utf8", start + 1, end - 1);
  const text = unescapeText(escaped);
  const bytes = end - start - 2 - (escaped.length - text.length);
  if (bytes > TEXT_BYTES_MAX) throw new LineFault(`max text length exceeded: ${bytes} > ${TEXT_BYTES_MAX}`);
  return text;
}

export function unescapeText(text: string): string {
  return text.includes("\\") ? text.replace(/\\(["\\])/g, "$1") : text;
}

function readTime(line: Buffer, fieldsEnd: number, precision: Precision): Micros | undefined {
  const start = skipBlanks(line, fieldsEnd);
  let at = start;
  for (; at < line.length; at++) {
    const byte = line[at]!;
    if (byte === LINE_FEED || byte === SPACE) break;
    if (at === start && byte === MINUS) continue;
    if (byte < ZERO || byte > NINE) throw new LineFault("bad timestamp");
  }
  if (at === start) return undefined;
  const ts = momentOf(line.toString("latin1", start, at), precision);
  for (; at < line.length; at++) if (line[at] !== SPACE) throw new LineFault("point is invalid");
  return ts;
}
