import type { Value } from "../../domain/sample.ts";

/** Characters of a text that take the room of a sample. */
const CHARACTERS = 64;

/**
 * As how many samples one counts where their number stands for the memory that they take: a long text takes that of many.
 */
export function weightOf(value: Value): number {
  return typeof value === "string" ? 1 + Math.floor(value.length / CHARACTERS) : 1;
}
