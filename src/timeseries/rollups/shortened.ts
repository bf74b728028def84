import type { Value } from "../../domain/sample.ts";
import { DURATION_STATE_LENGTH_MAX } from "./accumulate.ts";

/** Of a longer text figures say no more than that it was in force: the rest of it would only take memory. */
const CHARACTERS_MAX = DURATION_STATE_LENGTH_MAX + 1;
/** Bytes that are so many characters at least. */
const BYTES_MAX = 4 * CHARACTERS_MAX;

export function shortened(value: Value): Value {
  if (typeof value !== "string" || value.length <= CHARACTERS_MAX) return value;
  // A copy, since a slice keeps the whole text in memory.
  return Buffer.from(value.slice(0, CHARACTERS_MAX)).toString();
}

/** The same of a day table's `value`, before it is read. As a blob, since `substr` of a text ends at NUL. */
export const SHORTENED_VALUE = `iif(typeof(value) = 'text' AND octet_length(value) > ${BYTES_MAX},
  CAST(substr(CAST(value AS BLOB), 1, ${BYTES_MAX}) AS TEXT), value)`;
