import type { Micros } from "../../domain/sample.ts";

/** The home's own clock; tests may step it while everything runs. */
export interface HomeClock {
  /** Strictly growing (but for a step by `setOffset`), as the microseconds of a busy loop do. */
  now(): Micros;
  setOffset(offsetMs: number): void;
}

/** The wall clock with the microseconds that `Date.now()` lacks. */
function wallMicros(): Micros {
  return Math.round((performance.timeOrigin + performance.now()) * 1000);
}

export function createClock(wall: () => Micros = wallMicros): HomeClock {
  let last = 0;
  let offsetMicros = 0;
  return {
    now() {
      last = Math.max(last + 1, wall());
      return last + offsetMicros;
    },
    setOffset(offsetMs) {
      offsetMicros = Math.round(offsetMs * 1000);
    },
  };
}

let cachedSecond = Number.NaN;
let cachedText = "";

/** Python's isoformat() in UTC: six digits of a second, or none at all when they are zero. */
export function haTime(micros: Micros): string {
  const second = Math.floor(micros / 1_000_000);
  if (second !== cachedSecond) {
    cachedSecond = second;
    cachedText = new Date(second * 1000).toISOString().slice(0, 19);
  }
  const rest = micros - second * 1_000_000;
  return rest === 0 ? `${cachedText}+00:00` : `${cachedText}.${String(rest).padStart(6, "0")}+00:00`;
}

/**
 * Float epoch seconds as Home Assistant's compressed states carry them: its clock is finer than a microsecond, so the
 * float is next to the microsecond that the ISO text names, seldom on it. The noise here follows from the time.
 */
export function haSeconds(micros: Micros): number {
  const second = Math.floor(micros / 1_000_000);
  const noise = ((micros % 101) - 50) / 200;
  return second + (micros - second * 1_000_000 + noise) / 1_000_000;
}
