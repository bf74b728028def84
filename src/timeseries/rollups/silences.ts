import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import { lowerBound } from "../../lib/lower-bound.ts";

/**
 * Moments from which on nobody recorded anything, since Home Assistant was down: each state that was in force ends there,
 * until its next sample. They are no samples, since Home Assistant has none. A sample of the same time comes after.
 * Attributes go on: Home Assistant writes every state anew when it starts, but an attribute that is the same gets no
 * sample then, and would be unknown until it changes.
 */
export type Silences = readonly Micros[];

/** Those of an ascending list within a span. */
export function silencesWithin(silences: Silences, { start, end }: Span): Silences {
  return silences.slice(lowerBound(silences, start), lowerBound(silences, end));
}

/** Passes samples and silences in the order of time. */
export function inOrder(
  { ts, values }: SampleColumns,
  silences: Silences,
  sample: (ts: Micros, value: Value) => void,
  silence: (ts: Micros) => void,
): void {
  let next = 0;
  for (let i = 0; i < ts.length; i++) {
    for (; next < silences.length && silences[next]! <= ts[i]!; next++) silence(silences[next]!);
    sample(ts[i]!, values[i]!);
  }
  for (; next < silences.length; next++) silence(silences[next]!);
}

/**
 * Passes silences that no summary tells of, while summaries are passed in the order of time: a day's summaries are of the
 * series that it had when they were built, and a sample that comes later may be in force across a silence of such a day.
 */
export function betweenSummaries(silences: Silences, silence: (ts: Micros) => void) {
  let next = 0;
  return {
    /** Before a summary, which tells of [firstTs, end) itself. */
    before(firstTs: Micros, end: Micros): void {
      for (; next < silences.length && silences[next]! < firstTs; next++) silence(silences[next]!);
      while (next < silences.length && silences[next]! < end) next++;
    },
    rest(): void {
      for (; next < silences.length; next++) silence(silences[next]!);
    },
  };
}
