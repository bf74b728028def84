import { Failure } from "../failure.ts";

/** The value of an option such as `--kills 10`. Throws a Failure for anything but a whole number from 1. */
export function positive(name: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < 1) throw new Failure(`--${name} takes a whole number from 1, not "${text}"`);
  return value;
}
