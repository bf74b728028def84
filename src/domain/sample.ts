/** A moment: whole microseconds since 1970 in UTC. Below 2^53 until the year 2255, so a plain number holds it. */
export type Micros = number;

/**
 * What a series can hold. Numbers stay numbers and text stays text ("on", "unavailable" and "007" are text);
 * null ends the series at its time (Home Assistant removed the entity, an attribute went away).
 */
export type Value = number | string | null;

/** Half-open span of time, [start, end). */
export interface Span {
  readonly start: Micros;
  readonly end: Micros;
}

/** Samples of one series, ascending by time and each time once; `ts[i]` belongs to `values[i]`. */
export interface SampleColumns {
  readonly ts: readonly Micros[];
  readonly values: readonly Value[];
}

/** An answer from the store or the archive. */
export interface ReadColumns extends SampleColumns {
  /** What could not be read, a sentence each; absent when nothing is missing. */
  readonly warnings?: readonly string[];
  /**
   * Its texts had no room for the sample at this time: it is left out, and so is what comes later. Absent where the room
   * was enough.
   */
  readonly cutAt?: Micros;
  /** The times of the files that could not be read, where that is known. */
  readonly unread?: readonly Span[];
}
