import { monitorEventLoopDelay } from "node:perf_hooks";

const SAMPLE_MS = 5_000;
/** Rates are over the last minute. */
const WINDOW_SAMPLES = 12;
const RESOLUTION_MS = 10;

/** Counters of which a rate is told. */
export interface Counters {
  readonly changes: number;
  readonly samples: number;
}

/** What the process itself is asked for: its age, how fast counters move and how long its event loop makes wait. */
export interface Monitor {
  uptimeSeconds(): number;
  /** Per second, over the last minute (less after the start). */
  rates(): Counters;
  /** Milliseconds that timers came late, since the start. */
  eventLoopDelayMs(): { readonly p50: number; readonly p99: number; readonly max: number };
  close(): void;
}

export function createMonitor(read: () => Counters, now: () => number = () => performance.now()): Monitor {
  const startedAt = now();
  const taken: { at: number; counters: Counters }[] = [{ at: startedAt, counters: read() }];
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION_MS });
  delay.enable();
  const timer = setInterval(() => {
    taken.push({ at: now(), counters: read() });
    if (taken.length > WINDOW_SAMPLES) taken.shift();
  }, SAMPLE_MS);
  timer.unref();

  // The histogram holds the time from one tick of its timer to the next: the resolution is part of it.
  const late = (nanoseconds: number): number => Math.max(0, Math.round(nanoseconds / 1e4 - RESOLUTION_MS * 100) / 100);
  return {
    uptimeSeconds: () => Math.round(now() - startedAt) / 1000,
    rates() {
      const oldest = taken[0]!;
      const counters = read();
      const seconds = Math.max(1, (now() - oldest.at) / 1000);
      const rate = (name: keyof Counters) =>
        Math.round(((counters[name] - oldest.counters[name]) / seconds) * 100) / 100;
      return { changes: rate("changes"), samples: rate("samples") };
    },
    eventLoopDelayMs: () => ({
      p50: late(delay.percentile(50)),
      p99: late(delay.percentile(99)),
      max: late(delay.max),
    }),
    close() {
      clearInterval(timer);
      delay.disable();
    },
  };
}
