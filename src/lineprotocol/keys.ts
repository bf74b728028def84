/** What a line's measurement and tags stand for, remembered by their raw bytes. */
export interface Key<Target> {
  readonly bytes: Uint8Array;
  readonly hash: number;
  readonly target: Target;
  /** Fields in the order in which they came; most lines repeat the order of the one before. */
  readonly fields: Field[];
  readonly byName: Map<string, Field>;
}

export interface Field {
  readonly bytes: Uint8Array;
  readonly name: string;
  /** Its place in the key's list. */
  readonly index: number;
  /** The series; undefined until its first sample. */
  series: number | undefined;
}

const SLOTS_FIRST = 1024;
/** Of the bytes; a function whose steps the hot loop repeats, see `parse.ts`. */
export const HASH_SEED = 0x811c9dc5 | 0;
export const HASH_PRIME = 0x01000193;

export function hashOf(bytes: Uint8Array): number {
  let hash = HASH_SEED;
  for (const byte of bytes) hash = Math.imul(hash ^ byte, HASH_PRIME);
  return hash;
}

export function sameBytes(part: Uint8Array, whole: Uint8Array, start: number): boolean {
  for (let i = 0; i < part.length; i++) if (part[i] !== whole[start + i]) return false;
  return true;
}

/** A hash table from bytes to keys that needs no text made of them: a look-up makes no garbage. */
export class KeyTable<Target> {
  #slots: (Key<Target> | undefined)[] = new Array(SLOTS_FIRST);
  #size = 0;
  readonly #sizeMax: number;

  /** It begins anew when there are `sizeMax`: forgetting costs a reading, no more. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  find(bytes: Uint8Array, start: number, end: number, hash: number): Key<Target> | undefined {
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const key = this.#slots[slot];
      if (key === undefined) return undefined;
      if (key.hash === hash && key.bytes.length === end - start && sameBytes(key.bytes, bytes, start)) return key;
    }
  }

  add(bytes: Uint8Array, target: Target): Key<Target> {
    if (this.#size >= this.#sizeMax) this.clear();
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const key = { bytes, hash: hashOf(bytes), target, fields: [], byName: new Map() };
    this.#put(key);
    this.#size++;
    return key;
  }

  clear(): void {
    this.#slots = new Array(SLOTS_FIRST);
    this.#size = 0;
  }

  #grow(): void {
    const before = this.#slots;
    this.#slots = new Array(before.length * 2);
    for (const key of before) if (key !== undefined) this.#put(key);
  }

  #put(key: Key<Target>): void {
    const mask = this.#slots.length - 1;
    let slot = key.hash & mask;
    while (this.#slots[slot] !== undefined) slot = (slot + 1) & mask;
    this.#slots[slot] = key;
  }
}
