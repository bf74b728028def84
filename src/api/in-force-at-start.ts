import type { Micros, ReadColumns } from "../domain/sample.ts";

/**
 * Samples from the last one before `start` on, the oldest first, without that one where another comes exactly at `start`:
 * this one is in force there then.
 */
export function fromInForceAt(start: Micros, columns: ReadColumns): ReadColumns {
  const { ts, values } = columns;
  return ts[0]! < start && ts[1] === start ? { ...columns, ts: ts.slice(1), values: values.slice(1) } : columns;
}
