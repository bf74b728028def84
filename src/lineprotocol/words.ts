/** A byte of each of these in all four places of a word. */
const FIRST_PLAIN = 0x21212121;
const BACKSLASH = 0x5c5c5c5c;
const ONE = 0x01010101;
const HIGHEST_BIT = 0x80808080;

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

export function viewOf({ buffer, byteOffset, length }: Uint8Array): DataView {
  return new DataView(buffer, byteOffset, length);
}
