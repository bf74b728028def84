/** A part of the bytes that a table of keys has kept. */
interface Kept {
  readonly at: number;
  readonly length: number;
}

/** What a line's measurement and tags stand for, remembered by their raw bytes. */
export interface Key<Target> extends Kept {
  readonly hash: number;
  readonly target: Target;
  /** Fields in the order in which they came; most lines repeat the order of the one before. */
  readonly fields: Field[];
  readonly byName: Map<string, Field>;
}

export interface Field extends Kept {
  readonly name: string;
  /** Its place in the key's list. */
  readonly index: number;
  /** The series; undefined until its first sample. */
  series: number | undefined;
}

/** Of one measurement with its tags: beyond that, names are likely to be values. */
export const FIELDS_MAX = 5_000;
const SLOTS_FIRST = 1024;
const BYTES_FIRST = 64 * 1024;
/** Bytes of keys and names, some 300 for each of the most keys: with so many the next new key begins the table anew. */
const BYTES_MAX = 64 * 1024 * 1024;
/** Those of FNV-1a. */
const HASH_SEED = 0x811c9dc5 | 0;
const HASH_PRIME = 0x01000193;
/** Brings what the upper bits say down to the lower ones, which alone choose a slot. */
const HASH_SHIFT = 15;

/** Four bytes at a time, the last four whatever of them was read before: no loop for what is left. */
function hashOf(bytes: DataView, start: number, end: number): number {
  const last = end - 4;
  let hash = HASH_SEED;
  if (last < start) {
    for (let at = start; at < end; at++) hash = mix(hash, bytes.getUint8(at));
    return hash;
  }
  for (let at = start; at < last; at += 4) hash = mix(hash, bytes.getInt32(at, true));
  return mix(hash, bytes.getInt32(last, true));
}

function mix(hash: number, word: number): number {
  const product = Math.imul(hash ^ word, HASH_PRIME);
  return product ^ (product >>> HASH_SHIFT);
}

/**
 * A hash table from bytes to keys that needs no text made of them: a look-up makes no garbage. All bytes stand in one
 * array: an array for each key and name would be two places more in memory to go to, for each line.
 */
export class KeyTable<Target> {
  #slots: (Key<Target> | undefined)[] = new Array(SLOTS_FIRST);
  #size = 0;
  readonly #sizeMax: number;
  #bytes = new Uint8Array(BYTES_FIRST);
  #view = new DataView(this.#bytes.buffer);
  #end = 0;

  /** It begins anew when there are `sizeMax`: forgetting costs a reading, no more. */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** The key of the bytes from `start` to `end`. */
  find(body: DataView, start: number, end: number): Key<Target> | undefined {
    const hash = hashOf(body, start, end);
    const mask = this.#slots.length - 1;
    for (let slot = hash & mask; ; slot = (slot + 1) & mask) {
      const key = this.#slots[slot];
      if (key === undefined) return undefined;
      if (key.hash === hash && key.length === end - start && this.isAt(key, body, start)) return key;
    }
  }

  add(bytes: Uint8Array, target: Target): Key<Target> {
    if (this.#size >= this.#sizeMax || this.#end >= BYTES_MAX) this.clear();
    if (this.#size * 2 >= this.#slots.length) this.#grow();
    const at = this.#keep(bytes);
    const hash = hashOf(this.#view, at, this.#end);
    const key = { at, length: bytes.length, hash, target, fields: [], byName: new Map() };
    this.#put(key);
    this.#size++;
    return key;
  }

  /** Undefined where there are too many. */
  addField(key: Key<Target>, name: string, bytes: Uint8Array): Field | undefined {
    if (key.fields.length >= FIELDS_MAX) return undefined;
    const at = this.#keep(bytes);
    const field = { at, length: bytes.length, name, index: key.fields.length, series: undefined };
    key.fields.push(field);
    key.byName.set(name, field);
    return field;
  }

  /** Takes back the fields from this place on: they came with a line that is refused. */
  dropFields(key: Key<Target>, from: number): void {
    for (const { name } of key.fields.splice(from)) key.byName.delete(name);
  }

  clear(): void {
    this.#slots = new Array(SLOTS_FIRST);
    this.#size = 0;
    this.#hold(new Uint8Array(BYTES_FIRST));
    this.#end = 0;
  }

  /** Whether these bytes stand there; the body has to reach so far. */
  isAt({ at, length }: Kept, body: DataView, start: number): boolean {
    const kept = this.#view;
    const last = length - 4;
    if (last < 0) {
      for (let i = 0; i < length; i++) if (kept.getUint8(at + i) !== body.getUint8(start + i)) return false;
      return true;
    }
    for (let i = 0; i < last; i += 4) if (kept.getInt32(at + i) !== body.getInt32(start + i)) return false;
    return kept.getInt32(at + last) === body.getInt32(start + last);
  }

  #hold(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }

  #keep(part: Uint8Array): number {
    const at = this.#end;
    const end = at + part.length;
    if (end > this.#bytes.length) {
      const bytes = new Uint8Array(Math.max(end, this.#bytes.length * 2));
      bytes.set(this.#bytes);
      this.#hold(bytes);
    }
    this.#bytes.set(part, at);
    this.#end = end;
    return at;
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
