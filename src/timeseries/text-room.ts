import type { ReadColumns, Value } from "../domain/sample.ts";
import { merge } from "./hot/memory.ts";

/** The room that one answer has for texts. */
export class TextRoom {
  #left: number;
  #isEmpty = true;

  constructor(charactersMax: number | undefined) {
    this.#left = charactersMax ?? Number.POSITIVE_INFINITY;
  }

  /** Whether one more sample fits; the first one always does. */
  takes(value: Value): boolean {
    const characters = typeof value === "string" ? value.length : 0;
    const fits = this.#isEmpty || characters <= this.#left;
    this.#isEmpty = false;
    this.#left -= characters;
    return fits;
  }
}

/** Both in one, as `merge` does it, whole up to where the first of them was cut. */
export function mergeAnswers(first: ReadColumns, second: ReadColumns): ReadColumns {
  const merged = { ...second, ...first, ...merge(first, second) };
  if (first.cutAt === undefined || second.cutAt === undefined) return merged;
  return { ...merged, cutAt: Math.min(first.cutAt, second.cutAt) };
}
