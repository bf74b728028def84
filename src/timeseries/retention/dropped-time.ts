import type { Micros } from "../../domain/sample.ts";
import { DAY_MICROS, dayOf } from "../hot/day.ts";

/** For how long after a sample was refused that is worth saying. */
const SAID_FOR_MICROS = 3_600_000_000;

/** The time of which everything was dropped, and what comes for it all the same. */
export interface DroppedTime {
  /** Minus infinity where nothing was dropped. To be compared before `refuses` is asked: few samples are that old. */
  before: Micros;
  /**
   * Whether a sample from before `before` is refused; counts those that are. One of the present day is not: no whole day
   * of it can have been dropped, whatever a wrong clock once left here.
   */
  refuses(ts: Micros): boolean;
  /** Since the start. */
  readonly refused: number;
  /** What is worth saying at present, a sentence each. */
  notes(): readonly string[];
}

export function createDroppedTime(before: Micros | null, now: () => Micros): DroppedTime {
  let refused = 0;
  let last = { ts: 0, at: Number.NEGATIVE_INFINITY };
  return {
    before: before ?? Number.NEGATIVE_INFINITY,
    refuses(ts) {
      if (ts >= this.before || ts >= dayOf(now()) * DAY_MICROS) return false;
      refused++;
      last = { ts, at: now() };
      return true;
    },
    get refused() {
      return refused;
    },
    notes() {
      // Either way: the clock may have been set back since.
      if (Math.abs(now() - last.at) > SAID_FOR_MICROS) return [];
      return [
        `${refused} samples were not taken since the start, the last one of ${timeOf(last.ts)}: everything before ` +
          `${timeOf(this.before)} was dropped, and figures of that time would be computed from them alone`,
      ];
    },
  };
}

function timeOf(ts: Micros): string {
  return new Date(ts / 1000).toISOString();
}
