/**
 * Moments as whole microseconds since 1970, read by other means than the program's own, so that both cannot be wrong
 * in the same way.
 */

/** The microseconds of an ISO 8601 moment with zone. */
export function microsOfIso(text: string): number {
  return Number(Temporal.Instant.from(text).epochNanoseconds / 1000n);
}

/** The microseconds nearest to float seconds (HA's history) or, with `decimals` 3, to float milliseconds (ours). */
export function microsOfFloat(time: number, decimals: 3 | 6 = 6): number {
  return Number(time.toFixed(decimals).replace(".", ""));
}

export function isoOfMicros(micros: number): string {
  return Temporal.Instant.fromEpochNanoseconds(BigInt(micros) * 1000n).toString({ fractionalSecondDigits: 6 });
}

/** The clock that Home Assistant on this machine has as well. */
export function nowMicros(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
