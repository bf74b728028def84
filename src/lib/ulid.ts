const DIGITS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";
const FORM = /^[0-7][0-9A-HJKMNP-TV-Z]{25}$/;
const TIME_DIGITS = 10;

/**
 * When a ULID was made: the start of its millisecond, in microseconds since 1970 UTC. Undefined for a text that is none.
 *
 * Source: https://github.com/ulid/spec
 */
export function timeOfUlid(text: string): number | undefined {
  const id = text.toUpperCase();
  if (!FORM.test(id)) return undefined;
  let millis = 0;
  for (let i = 0; i < TIME_DIGITS; i++) millis = millis * 32 + DIGITS.indexOf(id[i]!);
  return millis * 1000;
}
