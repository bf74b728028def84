import type { Micros } from "../../../domain/sample.ts";

/** Microseconds as InfluxQL's integer nanoseconds. */
export function nanoseconds(micros: Micros): string {
  return micros === 0 ? "0" : `${micros}000`;
}

/** An identifier: a measurement, tag or field. */
export function quoteName(name: string): string {
  return `"${name.replaceAll("\\", "\\\\").replaceAll('"', '\\"')}"`;
}

/** A string. */
export function quoteText(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
