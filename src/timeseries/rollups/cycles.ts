import type { Micros, SampleColumns, Value } from "../../domain/sample.ts";
import { microsFromIso } from "../../lib/time.ts";
import { dayOf } from "../hot/day.ts";

/**
 * A `total` begins anew, at 0, whenever its attribute `last_reset` becomes another time. Numbers with the same one are a
 * cycle, and that time stands for it. Where the attribute is missing, as while an entity is unavailable, nothing is told.
 * Source: Home Assistant's components/sensor/recorder.py, `compile_statistics`.
 */

/** The attribute's name, and so the field of its series. */
export const LAST_RESET_FIELD = "last_reset";
/** The state class of series that it concerns. */
export const TOTAL = "total";

/** The cycle that a value of the attribute tells; undefined: none. A time without zone is one of the home's, whichever. */
export function cycleOf(value: Value | undefined): Micros | undefined {
  if (typeof value !== "string") return undefined;
  const micros = microsFromIso(value);
  const cycle = Number.isNaN(micros) ? microsFromIso(`${value}Z`) : micros;
  return Number.isNaN(cycle) ? undefined : cycle;
}

/** What a stretch of time tells of the cycles of its numbers. */
export interface Cycles {
  /** The first cycle that is told. */
  readonly first: Micros;
  /** The last number before the first one in it, of the stretch; null: there is none. */
  readonly before: number | null;
  /** The cycle of the last number. */
  readonly last: Micros;
}

/** Goes through the samples of the attribute beside the numbers of its total, in the order of time. */
export class CycleReader {
  readonly #samples: SampleColumns;
  #next = 0;

  constructor(samples: SampleColumns) {
    this.#samples = samples;
  }

  /** The cycle that was told since the number before, and on the same UTC day, as rollups are of one; undefined: none. */
  ofNumberAt(ts: Micros): Micros | undefined {
    const { ts: times, values } = this.#samples;
    const day = dayOf(ts);
    let told: Micros | undefined;
    for (; this.#next < times.length && times[this.#next]! <= ts; this.#next++) {
      if (dayOf(times[this.#next]!) === day) told = cycleOf(values[this.#next]) ?? told;
    }
    return told;
  }
}
