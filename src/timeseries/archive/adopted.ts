import { setImmediate } from "node:timers";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Day } from "../hot/day.ts";

export interface Adopted {
  /** A file knows the series, and nobody has said that it is a meter or total. */
  learned(series: SeriesNumber): void;
  /** Files with samples of these days came back. */
  add(days: readonly Day[]): void;
  described(series: SeriesNumber, mayBeginAnew: boolean): void;
}

/**
 * Days of files that came back to the archive in this run. A file does not say which series are meters or totals, and Home
 * Assistant may do so only after rollups of these days were computed: then they are computed again, by `changed`.
 */
export function createAdopted(changed: (days: readonly Day[]) => void): Adopted {
  const unknown = new Set<SeriesNumber>();
  const days = new Set<Day>();
  let asked = false;
  return {
    learned: (series) => void unknown.add(series),
    add(found) {
      for (const day of found) days.add(day);
      changed(found);
    },
    described(series, mayBeginAnew) {
      // One that is unavailable may say nothing of it yet.
      if (!mayBeginAnew || !unknown.delete(series) || asked || days.size === 0) return;
      asked = true;
      // Home Assistant describes all of its series one after the other.
      setImmediate(() => {
        asked = false;
        changed([...days]);
      }).unref();
    },
  };
}
