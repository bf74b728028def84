/** Draws from [0, 1). The same seed gives the same draws for ever, so homes and walks can be repeated. */
export type Random = () => number;

/** Mulberry32: one 32-bit word of state, good enough for weather and light switches. */
export function createRandom(seed: number): Random {
  let word = seed >>> 0;
  return () => {
    word = (word + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(word ^ (word >>> 15), word | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296;
  };
}

const HEX = "0123456789abcdef";
const CROCKFORD = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

function letters(random: Random, alphabet: string, length: number): string {
  let text = "";
  for (let i = 0; i < length; i++) text += alphabet[Math.floor(random() * alphabet.length)];
  return text;
}

/** An id as Home Assistant's registries use: a uuid as 32 hex digits. */
export function uuidHex(random: Random): string {
  return letters(random, HEX, 32);
}

/** An id as config entries use. */
export function ulid(random: Random): string {
  return `01K${letters(random, CROCKFORD, 23)}`;
}

export function pick<T>(random: Random, list: readonly T[]): T {
  return list[Math.floor(random() * list.length)]!;
}

/** Makes ids of contexts: ULIDs, where the 10 characters of the millisecond and a counter do most of the work. */
export function createContextIds(random: Random): (micros: number) => string {
  const head = letters(random, CROCKFORD, 10);
  const triples: string[] = [];
  for (let i = 0; i < 32_768; i++) {
    triples.push(CROCKFORD[i >> 10]! + CROCKFORD[(i >> 5) & 31]! + CROCKFORD[i & 31]!);
  }
  let count = 0;
  let cachedMillis = Number.NaN;
  let time = "";
  return (micros) => {
    const millis = Math.floor(micros / 1000);
    if (millis !== cachedMillis) {
      cachedMillis = millis;
      time = "";
      for (let rest = millis, i = 0; i < 10; i++, rest = Math.floor(rest / 32)) time = CROCKFORD[rest % 32]! + time;
    }
    count = (count + 1) % 1_073_741_824;
    return time + head + triples[count >> 15]! + triples[count & 32_767]!;
  };
}
