import { getHeapStatistics } from "node:v8";

/** A thread that has had nothing to do for so long is idle. */
const IDLE_MS = 250;
/** What is worth a collection, beyond what was left by the last one. */
const GARBAGE_MIN_BYTES = 1_500_000;

/**
 * How often the main thread looks whether it is quiet, and for how much of that time it may have worked then. Its
 * processor's time counts: on a machine that is busy with others, waiting for it looks like work.
 */
const QUIET_CHECK_MS = 10_000;
const QUIET_PART_MAX = 0.1;
/** A pause of the main thread must be worth more, and the longer it is, by what lives, the more. */
const MAIN_GROWTH_MIN_BYTES = 12_000_000;
const MAIN_GROWTH_MIN_PART = 1 / 3;

/**
 * Collects all garbage of this thread and gives the memory back: 5 to 10 ms for a small heap, some 80 for the main
 * thread's. A usual collection would keep half-empty pages and the room for new objects. Does nothing where Node was
 * started without `--expose-gc`, which `start.mjs` adds: to switch that on here would switch it for all threads, at a
 * moment that suits none of them.
 */
export function collectGarbage(): void {
  globalThis.gc?.({ type: "major", flavor: "last-resort" });
}

/**
 * For a thread that does not listen to anybody else: it collects its garbage when it is idle. V8 collects when a thread
 * makes objects, so one that has nothing to do would keep what its last work left for ever. Call what is answered
 * whenever there was something to do.
 */
export function collectWhenIdle(): () => void {
  let left = 0;
  const idle = setTimeout(() => {
    if (getHeapStatistics().used_heap_size - left < GARBAGE_MIN_BYTES) return;
    collectGarbage();
    left = getHeapStatistics().used_heap_size;
  }, IDLE_MS);
  idle.unref();
  return () => void idle.refresh();
}

/**
 * For the main thread, which is never idle: it collects its garbage once it is quiet after the start or a flood, which
 * is when its heap has grown, and now and then after that. Runs as long as the process, and does not keep it.
 */
export function collectWhenQuiet(checkMs = QUIET_CHECK_MS): void {
  let left = 0;
  let before = process.threadCpuUsage();
  setInterval(() => {
    const { user, system } = process.threadCpuUsage(before);
    before = process.threadCpuUsage();
    const isQuiet = user + system <= QUIET_PART_MAX * checkMs * 1000;
    if (!isQuiet || !isWorthAPause(getHeapStatistics().total_physical_size, left)) return;
    collectGarbage();
    left = getHeapStatistics().total_physical_size;
  }, checkMs).unref();
}

/** Whether the main thread should collect, of bytes that its heap takes now and that the last time `left`. */
export function isWorthAPause(bytes: number, left: number): boolean {
  return bytes - left >= Math.max(MAIN_GROWTH_MIN_BYTES, left * MAIN_GROWTH_MIN_PART);
}
