/** Grows from `firstMs` by doubling to `capMs`; each wait is drawn from the upper half, so that clients spread out. */
export interface Backoff {
  /** The next wait, in milliseconds. */
  next(): number;
  /** Starts again from the first wait, after a success. */
  reset(): void;
}

export function createBackoff(firstMs: number, capMs: number, random: () => number = Math.random): Backoff {
  let attempt = 0;
  return {
    next() {
      const wait = Math.min(capMs, firstMs * 2 ** Math.min(attempt++, 30));
      return wait / 2 + (random() * wait) / 2;
    },
    reset() {
      attempt = 0;
    },
  };
}
