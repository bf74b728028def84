import type { Precision } from "../domain/line-protocol.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { LineFault } from "./fault.ts";
import { FIELDS_MAX, type Field, type Key, KeyTable } from "./keys.ts";
import { stepMicros } from "./moment.ts";
import { endOfLine, type Point, readPoint, skipBlanks, TEXT_BYTES_MAX, unescapeText } from "./scan.ts";
import { fourDigits, skipPlain, viewOf } from "./words.ts";

/** Who hears of points. A point's fields come one by one, in order, and then its end; a faulty line tells nothing else. */
export interface PointListener<Target> {
  /** What measurement and tags stand for; asked once for each until it is forgotten. */
  resolve(measurement: string, tags: Point["tags"]): Target;
  /** A field of a point; `field.series` is the listener's own. */
  field(key: Key<Target>, field: Field, ts: Micros, value: Value): void;
  pointEnds(key: Key<Target>, ts: Micros): void;
  /** `line` without its line feed. */
  fault(line: Buffer, reason: string): void;
}

/** Measurements with their tags that are remembered, all requests together. */
const KEYS_MAX = 200_000;
/** So many digits a double holds whatever they are, and powers of ten up to 22. */
const DIGITS_EXACT = 15;
const POWERS = Array.from({ length: DIGITS_EXACT + 1 }, (_, exponent) => 10 ** exponent);
/** Of a time from 2001 to 2286. */
const NANOSECOND_DIGITS = 19;
/** Within the range of every version and what a number holds: the year 2255. */
const TIME_EASY_MAX = 9e15;
/** A key and a field's name of so many bytes together are within the bound. */
const KEY_BYTES_EASY = 30_000;
const BOOLEAN_BYTES_MAX = 5;
/** Of a line, in bytes: a few milliseconds of work, during which nothing else has its turn. */
const LINE_BYTES_MAX = 1_000_000;

const LINE_FEED = 10;
const SPACE = 32;
const QUOTE = 34;
const HASH = 35;
const COMMA = 44;
const MINUS = 45;
const POINT = 46;
const ZERO = 48;
const NINE = 57;
const EQUALS = 61;
const BACKSLASH = 92;
const LETTER_I = 105;
const LETTER_U = 117;

const NO_BYTES = new DataView(new ArrayBuffer(0));
const ANY_FIELD = Buffer.from(" v=1");
/** No line begins with it: keeps what `readPoint` read apart from the raw bytes of keys. */
const UNUSUAL_PREFIX = "\0";

/** Says of a line that it is out of the ordinary: `readPoint` has the word on it. */
const UNUSUAL = -1;

export interface Parser {
  /**
   * Reads lines from `start` on until one ends behind `pause`; answers where it stopped. Lines without a time get `now`,
   * whole, whatever the precision.
   */
  parse(body: Buffer, start: number, pause: number, precision: Precision, now: Micros): number;
  /** What keys stand for has changed. */
  forget(): void;
}

/**
 * Reads bodies of line protocol without making an object or a text for a line whose measurement, tags and fields were
 * seen before: those are compared with what is remembered. Lines with escapes in odd places, exponents, nanoseconds
 * before 2001, blanks that need not be and faults are left to `readPoint`, which has the last word on what a line is.
 */
export function createParser<Target>(listener: PointListener<Target>): Parser {
  const keys = new KeyTable<Target>(KEYS_MAX);
  /** Of the line under way: it counts once all of it was read. */
  const fields: Field[] = [];
  const values: Value[] = [];
  let count = 0;
  /** What `value` and `time` found beside where they stopped. */
  let value: Value = 0;
  let ts: Micros = 0;
  let step = 1;
  /** Of the body that is read. */
  let view: DataView = NO_BYTES;

  /** The key that ends at an unescaped blank. */
  const keyOf = (body: Buffer, start: number, end: number, precision: Precision): Key<Target> => {
    const known = keys.find(view, start, end);
    if (known) return known;
    const { measurement, tags } = readPoint(Buffer.concat([body.subarray(start, end), ANY_FIELD]), precision);
    return keys.add(body.subarray(start, end), listener.resolve(measurement, tags));
  };

  /** The field whose name stands at `at`, with "=" behind it; undefined for a name that is out of the ordinary. */
  const fieldOf = (key: Key<Target>, body: Buffer, at: number): Field | undefined => {
    const expected = key.fields[count === 0 ? 0 : fields[count - 1]!.index + 1];
    if (expected !== undefined && body[at + expected.length] === EQUALS && keys.isAt(expected, view, at)) {
      return expected;
    }
    let end = at;
    for (; body[end] !== EQUALS; end++) {
      const byte = body[end];
      if (byte === undefined || byte === BACKSLASH || byte === SPACE || byte === COMMA || byte === LINE_FEED) return;
    }
    const name = body.toString("utf8", at, end);
    if (end === at || name === "time" || end - at > KEY_BYTES_EASY) return;
    return key.byName.get(name) ?? keys.addField(key, name, body.subarray(at, end));
  };

  /** Reads a value into `value`; where it ends. */
  const readValue = (body: Buffer, at: number): number => {
    const first = body[at]!;
    if ((first >= ZERO && first <= NINE) || first === MINUS || first === POINT) return readNumber(body, at);
    if (first === QUOTE) return readText(body, at + 1);
    return readBoolean(body, at);
  };

  const readNumber = (body: Buffer, start: number): number => {
    let at = start;
    const negative = body[at] === MINUS;
    if (negative) at++;
    let whole = 0;
    let digits = 0;
    let byte = body[at]!;
    for (; byte >= ZERO && byte <= NINE; byte = body[++at]!, digits++) whole = whole * 10 + byte - ZERO;
    let decimals = 0;
    if (byte === POINT) {
      byte = body[++at]!;
      for (; byte >= ZERO && byte <= NINE; byte = body[++at]!, decimals++) whole = whole * 10 + byte - ZERO;
    } else if ((byte === LETTER_I || byte === LETTER_U) && digits > 0 && digits <= DIGITS_EXACT) {
      if (negative && byte === LETTER_U) return UNUSUAL;
      value = negative ? -whole : whole;
      return at + 1;
    }
    if (byte !== SPACE && byte !== COMMA && byte !== LINE_FEED && at < body.length) return UNUSUAL;
    if (digits + decimals === 0) return UNUSUAL;
    if (digits + decimals > DIGITS_EXACT) {
      value = Number(body.toString("latin1", start, at));
      return Number.isFinite(value) ? at : UNUSUAL;
    }
    // Both are exact, so their quotient is rounded once, as the text itself would be.
    const size = decimals === 0 ? whole : whole / POWERS[decimals]!;
    value = negative ? -size : size;
    return at;
  };

  const readText = (body: Buffer, start: number): number => {
    let at = start;
    let escaped = false;
    for (let byte = body[at]; byte !== QUOTE; byte = body[++at]) {
      if (byte === undefined || at - start > TEXT_BYTES_MAX) return UNUSUAL;
      if (byte !== BACKSLASH) continue;
      escaped = true;
      at++;
    }
    if (at - start > TEXT_BYTES_MAX) return UNUSUAL;
    const text = body.toString("utf8", start, at);
    value = escaped ? unescapeText(text) : text;
    return at + 1;
  };

  const readBoolean = (body: Buffer, start: number): number => {
    let at = start;
    for (; at < body.length && at - start <= BOOLEAN_BYTES_MAX; at++) {
      const byte = body[at];
      if (byte === SPACE || byte === COMMA || byte === LINE_FEED) break;
    }
    const word = body.toString("latin1", start, at);
    if (word !== "true" && word !== "false") return UNUSUAL;
    value = word;
    return at;
  };

  /** Reads the digits of nanoseconds as they are since 2001 into `ts`; where they end. */
  const readNanoseconds = (body: Buffer, at: number): number => {
    const end = at + NANOSECOND_DIGITS;
    if (end > body.length) return UNUSUAL;
    const a = fourDigits(view, at);
    const b = fourDigits(view, at + 4);
    const c = fourDigits(view, at + 8);
    const d = fourDigits(view, at + 12);
    // What is below a microsecond is cut off, if it is digits at all.
    if ((a | b | c | d | fourDigits(view, end - 4)) < 0) return UNUSUAL;
    ts = a * 1e12 + b * 1e8 + c * 1e4 + d;
    return ts <= TIME_EASY_MAX ? end : UNUSUAL;
  };

  /** Reads the digits of a time into `ts`; where they end. */
  const readTime = (body: Buffer, start: number): number => {
    if (step < 1) return readNanoseconds(body, start);
    let at = start;
    let steps = 0;
    for (let byte = body[at]!; byte >= ZERO && byte <= NINE; byte = body[++at]!) steps = steps * 10 + byte - ZERO;
    if (at === start || at - start > DIGITS_EXACT) return UNUSUAL;
    ts = steps * step;
    return ts <= TIME_EASY_MAX ? at : UNUSUAL;
  };

  /** Reads a line's fields and its time; where it ends. */
  const readRest = (key: Key<Target>, body: Buffer, start: number, now: Micros): number => {
    const end = body.length;
    let at = start;
    let highest = -1;
    count = 0;
    for (let told = 0; ; told++) {
      if (told === FIELDS_MAX) return UNUSUAL;
      const field = fieldOf(key, body, at);
      if (field === undefined) return UNUSUAL;
      at = readValue(body, at + field.length + 1);
      if (at === UNUSUAL) return UNUSUAL;
      // One that the line has before: its last value counts.
      const again = field.index <= highest && count > 0 ? fields.lastIndexOf(field, count - 1) : -1;
      if (again >= 0) values[again] = value;
      else {
        fields[count] = field;
        values[count++] = value;
        if (field.index > highest) highest = field.index;
      }
      if (body[at] !== COMMA) break;
      at++;
    }
    if (at >= end || body[at] === LINE_FEED) {
      ts = now;
      return at;
    }
    if (body[at] !== SPACE) return UNUSUAL;
    at = readTime(body, at + 1);
    return at < end && at !== UNUSUAL && body[at] !== LINE_FEED ? UNUSUAL : at;
  };

  /** Reads the line that begins at `start`; where the next one begins, or UNUSUAL. Nothing is told before its end. */
  const readLine = (body: Buffer, start: number, precision: Precision, now: Micros): number => {
    const end = body.length;
    let byte = body[start]!;
    // Blanks, comments and empty lines.
    if (byte <= HASH || byte === COMMA) return UNUSUAL;
    let at = skipPlain(view, start, end);
    for (byte = body[at]!; byte !== SPACE; byte = body[++at]!) {
      if (byte === LINE_FEED || at >= end) return UNUSUAL;
      if (byte !== BACKSLASH) continue;
      byte = body[++at]!;
      if (byte === BACKSLASH || byte === LINE_FEED || at >= end) return UNUSUAL;
    }
    const keyEnd = at++;
    if (keyEnd - start > KEY_BYTES_EASY) return UNUSUAL;
    byte = body[at]!;
    if (at >= end || byte <= SPACE || byte === EQUALS) return UNUSUAL;
    let key: Key<Target>;
    try {
      key = keyOf(body, start, keyEnd, precision);
    } catch (error) {
      if (error instanceof LineFault) return UNUSUAL;
      throw error;
    }
    const known = key.fields.length;
    at = readRest(key, body, at, now);
    if (at === UNUSUAL) {
      keys.dropFields(key, known);
      return UNUSUAL;
    }
    for (let i = 0; i < count; i++) listener.field(key, fields[i]!, ts, values[i]!);
    listener.pointEnds(key, ts);
    return at + 1;
  };

  /** The same for any line, by `readPoint`. */
  const readUnusual = (body: Buffer, start: number, precision: Precision, now: Micros): number => {
    const end = endOfLine(body, start, Math.min(body.length, start + LINE_BYTES_MAX + 1));
    if (end - start > LINE_BYTES_MAX) return skipLine(body, start);
    const first = skipBlanks(body.subarray(0, end), start);
    if (first === end || body[first] === HASH) return end + 1;
    const line = body.subarray(first, end);
    try {
      const point = readPoint(line, precision);
      tell(point, point.ts ?? now);
    } catch (error) {
      if (!(error instanceof LineFault)) throw error;
      listener.fault(line, error.message);
    }
    return end + 1;
  };

  /** Refuses a line that is too long, and goes on behind the next line feed, be it that of a text or not. */
  const skipLine = (body: Buffer, start: number): number => {
    const feed = body.indexOf(LINE_FEED, start + LINE_BYTES_MAX);
    const end = feed === -1 ? body.length : feed;
    listener.fault(body.subarray(start, end), `max line length exceeded: more than ${LINE_BYTES_MAX} bytes`);
    return end + 1;
  };

  const tell = ({ measurement, tags, fields: given }: Point, at: Micros): void => {
    // Of a field that comes twice the last value counts.
    const own = [...new Map(given)];
    const bytes = Buffer.from(UNUSUAL_PREFIX + JSON.stringify([measurement, tags]));
    const known = keys.find(viewOf(bytes), 0, bytes.length);
    const key = known ?? keys.add(bytes, listener.resolve(measurement, tags));
    const before = key.fields.length;
    const named = own.map(([name]) => key.byName.get(name) ?? keys.addField(key, name, Buffer.from(name)));
    if (named.includes(undefined)) {
      keys.dropFields(key, before);
      throw new LineFault(`max fields exceeded: ${FIELDS_MAX} in one series`);
    }
    for (let i = 0; i < own.length; i++) listener.field(key, named[i]!, at, own[i]![1]);
    listener.pointEnds(key, at);
  };

  return {
    forget: () => keys.clear(),
    parse(body, start, pause, precision, now) {
      step = stepMicros(precision);
      view = viewOf(body);
      let at = start;
      /** Lines that begin before it have a line feed, in a text or behind them, before they are too long. */
      let fedUntil = body.length - at <= LINE_BYTES_MAX ? body.length : at;
      while (at < body.length && at < pause) {
        if (at >= fedUntil) {
          fedUntil =
            body.length - at <= LINE_BYTES_MAX ? body.length : body.lastIndexOf(LINE_FEED, at + LINE_BYTES_MAX);
          if (fedUntil < at) {
            at = skipLine(body, at);
            continue;
          }
        }
        const next = readLine(body, at, precision, now);
        at = next === UNUSUAL ? readUnusual(body, at, precision, now) : next;
      }
      view = NO_BYTES;
      return at;
    },
  };
}
