/** "Sun, 06 Nov 1994 08:49:37 GMT", and "Sunday, 06-Nov-94 08:49:37 GMT" as of old. */
const WITH_ZONE = /^[A-Z][a-z]{2,8}, /i;
/** "Sun Nov  6 08:49:37 1994", which is UTC as well, though it does not say so. */
const WITHOUT_ZONE = /^[A-Z][a-z]{2} [A-Z][a-z]{2} +\d{1,2} [\d:]{8} \d{4}$/i;

/**
 * Milliseconds since 1970 of a date in a header of HTTP, in any of the three forms that whoever reads one has to take
 * (RFC 9110, 5.6.7); NaN for anything else.
 */
export function parseHttpDate(text: string): number {
  if (WITHOUT_ZONE.test(text)) return Date.parse(`${text} GMT`);
  return WITH_ZONE.test(text) ? Date.parse(text) : Number.NaN;
}
