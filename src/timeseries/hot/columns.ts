import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";

/**
 * Samples as they cross from thread to thread: two arrays of doubles that are handed over without a copy. A number
 * stands in `numbers`; NaN there (never a sample's value) says that the next of `texts` is the value.
 */
export interface PackedSamples {
  readonly ts: Float64Array<ArrayBuffer>;
  readonly numbers: Float64Array<ArrayBuffer>;
  readonly texts: readonly (string | null)[];
}

/** The values of packed samples, in order. */
export function unpackValues(packed: PackedSamples): Value[] {
  if (packed.texts.length === 0) return listOf(packed.numbers);
  const values: Value[] = new Array(packed.numbers.length);
  let text = 0;
  for (let i = 0; i < values.length; i++) {
    const number = packed.numbers[i]!;
    values[i] = Number.isNaN(number) ? packed.texts[text++]! : number;
  }
  return values;
}

/** All of them, in order. */
export function unpackSamples(packed: PackedSamples): SampleColumns {
  return { ts: listOf(packed.ts), values: unpackValues(packed) };
}

/** A loop, since `Array.from` takes ten times as long. */
function listOf(column: Float64Array): number[] {
  const list: number[] = new Array(column.length);
  for (let i = 0; i < column.length; i++) list[i] = column[i]!;
  return list;
}

/** Packs samples that come one by one; grows by doubling. */
export class SamplePacker {
  #ts: Float64Array<ArrayBuffer>;
  #numbers: Float64Array<ArrayBuffer>;
  #texts: (string | null)[] = [];
  #count = 0;

  constructor(capacity = 256) {
    this.#ts = new Float64Array(capacity);
    this.#numbers = new Float64Array(capacity);
  }

  get count(): number {
    return this.#count;
  }

  push(ts: Micros, value: Value): void {
    const at = this.#count++;
    if (at === this.#ts.length) this.#grow();
    this.#ts[at] = ts;
    if (typeof value === "number") {
      this.#numbers[at] = value;
    } else {
      this.#numbers[at] = Number.NaN;
      this.#texts.push(value);
    }
  }

  /** A copy of what was pushed so far; its two buffers can be transferred. */
  packed(): PackedSamples {
    return {
      ts: this.#ts.slice(0, this.#count),
      numbers: this.#numbers.slice(0, this.#count),
      texts: this.#texts,
    };
  }

  #grow(): void {
    const ts = new Float64Array(this.#ts.length * 2);
    const numbers = new Float64Array(this.#ts.length * 2);
    ts.set(this.#ts);
    numbers.set(this.#numbers);
    this.#ts = ts;
    this.#numbers = numbers;
  }
}

/** The buffers of packed samples, for the transfer list of a message. */
export function buffersOf(packed: PackedSamples): ArrayBuffer[] {
  return [packed.ts.buffer, packed.numbers.buffer];
}
