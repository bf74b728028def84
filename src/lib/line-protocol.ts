/**
 * InfluxDB's line protocol, the writing side: `measurement,tag=value field=value time`. Times are nanoseconds, the one
 * unit that every server reads alike.
 *
 * Source: https://docs.influxdata.com/influxdb/v2/reference/syntax/line-protocol/
 */

/** Numbers are floats, text is quoted, booleans are true and false. */
export type FieldValue = number | string | boolean;

const MEASUREMENT_SPECIAL = /[ ,]/g;
const KEY_SPECIAL = /[ ,=]/g;
const TEXT_SPECIAL = /["\\]/g;
/** A backslash before a separator would hide it, quotes confuse field keys, and a control character ends the line. */
const UNSAFE = /%(?=[\dA-Fa-f]{2})|["\\\p{Cc}]/gu;

type Tags = readonly (readonly [key: string, value: string | null])[];
type Fields = readonly (readonly [key: string, value: FieldValue])[];

/** The line of one point, without a line feed; see `encodeHead` and `encodePoint`. */
export function encodeLine(measurement: string, tags: Tags, fields: Fields, ts: number): string {
  return encodePoint(encodeHead(measurement, tags), fields, ts);
}

/**
 * Measurement and tags, which many points have in common. Tags with an empty or null value are left out, as the
 * protocol asks. Names and tag values may hold anything: what the protocol cannot say in them is percent-encoded (see
 * `safeName`).
 */
export function encodeHead(measurement: string, tags: Tags): string {
  let head = escapeMeasurement(measurement);
  for (const [key, value] of tags) {
    if (value !== null && value !== "") head += `,${escapeKey(key)}=${escapeKey(value)}`;
  }
  return head;
}

/** A line from its head. Throws a RangeError for a number that is not finite, and where there is no field. */
export function encodePoint(head: string, fields: Fields, ts: number): string {
  if (fields.length === 0) throw new RangeError("Cannot encode a point without fields");
  let line = head;
  let separator = " ";
  for (const [key, value] of fields) {
    line += `${separator}${escapeKey(key)}=${encodeField(value)}`;
    separator = ",";
  }
  return `${line} ${nanoseconds(ts)}`;
}

/** Whole microseconds as nanoseconds, whose digits a number could not hold. */
function nanoseconds(micros: number): string {
  if (!Number.isSafeInteger(micros)) throw new RangeError(`Cannot encode the time ${micros}: no whole microsecond`);
  return micros === 0 ? "0" : `${micros}000`;
}

/**
 * A name, or a tag's value, as it can stand in a line: quotes, backslashes and control characters as %XX, and so is a
 * "%" that stands before two hexadecimal digits, which keeps different names apart.
 */
export function safeName(name: string): string {
  return name.replace(UNSAFE, (character) => encodeURIComponent(character));
}

/** What `safeName` made of a name, as it was. */
export function plainName(safe: string): string {
  if (!safe.includes("%")) return safe;
  return safe.replace(/(?:%[\dA-Fa-f]{2})+/g, (encoded) => {
    try {
      return decodeURIComponent(encoded);
    } catch {
      // Not from us.
      return encoded;
    }
  });
}

function escapeMeasurement(name: string): string {
  const safe = safeName(name).replace(MEASUREMENT_SPECIAL, "\\$&");
  // A line that begins with "#" is a comment.
  return safe.startsWith("#") ? `\\${safe}` : safe;
}

function escapeKey(name: string): string {
  return safeName(name).replace(KEY_SPECIAL, "\\$&");
}

function encodeField(value: FieldValue): string {
  if (typeof value === "string") return `"${value.replace(TEXT_SPECIAL, "\\$&")}"`;
  if (typeof value === "boolean") return value ? "true" : "false";
  if (!Number.isFinite(value)) throw new RangeError(`Cannot encode ${value}: no finite number`);
  return String(value);
}
