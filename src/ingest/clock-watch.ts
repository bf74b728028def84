import { uptime } from "node:os";

/** The clocks of the machine, in milliseconds. */
export interface Clocks {
  /** Wall clock: may be set. */
  readonly wall: number;
  /** Runs while the machine is awake. */
  readonly awake: number;
  /** Runs also while the machine sleeps (as far as the system tells). */
  readonly running: number;
}

/** What is told is whole milliseconds: moments, which are whole microseconds, are computed from it. */
export interface ClockWatchOptions {
  /** Nothing special; `ms` is the time that passed, as far as it was watched. */
  readonly onTick: (ms: number) => void;
  /** Nothing ran for so long: the machine slept, or the process was stopped. */
  readonly onAsleep: (ms: number) => void;
  /** The wall clock was set forward, or back (negative). */
  readonly onJump: (ms: number) => void;
  readonly read?: () => Clocks;
  readonly tickMs?: number;
}

const TICK_MS = 5_000;
/** A timer that is so late was not run. */
const ASLEEP_MS = 30_000;
/** Clocks are corrected by small steps all the time; `os.uptime()` has hundredths of a second. */
const JUMP_MS = 5_000;

/** Looks at the clocks every few seconds. Returns the way to stop. */
export function watchClocks(options: ClockWatchOptions): () => void {
  const { read = readClocks, tickMs = TICK_MS } = options;
  let before = read();
  const timer = setInterval(() => {
    const now = read();
    const ran = now.running - before.running;
    const awake = now.awake - before.awake;
    const late = Math.max(ran, awake) - tickMs;
    const jump = now.wall - before.wall - ran;
    before = now;
    if (late > ASLEEP_MS) options.onAsleep(Math.round(late));
    if (Math.abs(jump) > JUMP_MS) options.onJump(Math.round(jump));
    // Not more than has passed: what was silent for so long counts as heard.
    options.onTick(Math.floor(Math.min(awake, 2 * tickMs)));
  }, tickMs);
  timer.unref();
  return () => clearInterval(timer);
}

function readClocks(): Clocks {
  return { wall: Date.now(), awake: performance.now(), running: uptime() * 1000 };
}
