/** A byte of each of these in all four places of a word. */
const FIRST_PLAIN = 0x21212121;
const BACKSLASH = 0x5c5c5c5c;
const ONE = 0x01010101;
const HIGHEST_BIT = 0x80808080;
/** "0" to "9" are 0x30 to 0x39. */
const DIGITS = 0x30303030;
const UPPER_HALVES = 0xf0f0f0f0 | 0;
const LOWER_HALVES = 0x0f0f0f0f;
/** Brings what is above "9" to the next upper half. */
const SIX = 0x06060606;

/**
 * Passes over bytes that are neither a backslash nor below 33 (blanks, line feeds and other control signs), four at a
 * time. Answers where the first other one stands, or one of the last three bytes before `end`.
 */
export function skipPlain(bytes: DataView, start: number, end: number): number {
  for (let at = start; at + 4 <= end; at += 4) {
    const marks = marksOf(bytes.getInt32(at, true));
    if (marks !== 0) return at + ((31 - Math.clz32(marks & -marks)) >> 3);
  }
  return end - ((end - start) & 3);
}

/**
 * A word whose lowest bit that is set lies in the first byte that is no plain one; 0 where there is none. What is less
 * than the byte that is taken from it gets its highest bit set, and may by its borrowing do that to those behind it too.
 */
function marksOf(word: number): number {
  const other = word ^ BACKSLASH;
  return (((word - FIRST_PLAIN) & ~word) | ((other - ONE) & ~other)) & HIGHEST_BIT;
}

/** The number whose four decimal digits begin at `at`; below 0 where one of the four bytes is no digit. */
export function fourDigits(bytes: DataView, at: number): number {
  const word = bytes.getInt32(at, true);
  if ((word & UPPER_HALVES) !== DIGITS || ((word + SIX) & UPPER_HALVES) !== DIGITS) return -1;
  const digits = word & LOWER_HALVES;
  // The first and the third byte are two digits each now, the others are of no use.
  const pairs = digits * 10 + (digits >>> 8);
  return (pairs & 0xff) * 100 + ((pairs >>> 16) & 0xff);
}

export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
