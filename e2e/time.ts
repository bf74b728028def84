/**
 * Moments as whole microseconds since 1970, read by other means than the program's own, so that both cannot be wrong
 * in the same way.
 */

/** The microseconds of an ISO 8601 moment with zone. */
export function microsOfIso(text: string): number {
  return Number(Temporal.Instant.from(text).epochNanoseconds / 1000n);
}

/**
 * The microseconds nearest to float seconds (HA's history) or, with `decimals` 3, to float milliseconds (ours); of two
 * that are as near the even one, as Python rounds. In whole numbers, so exact.
 */
export function microsOfFloat(time: number, decimals: 3 | 6 = 6): number {
  const scaled = BigInt(time * 2 ** 32) * 10n ** BigInt(decimals);
  const below = scaled >> 32n;
  const rest = scaled & 0xffff_ffffn;
  const half = 0x8000_0000n;
  return Number(rest > half || (rest === half && below % 2n === 1n) ? below + 1n : below);
}

export function isoOfMicros(micros: number): string {
  return Temporal.Instant.fromEpochNanoseconds(BigInt(micros) * 1000n).toString({ fractionalSecondDigits: 6 });
}

/** The clock that Home Assistant on this machine has as well. */
export function nowMicros(): number {
  return Number(Temporal.Now.instant().epochNanoseconds / 1000n);
}
