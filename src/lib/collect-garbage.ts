import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

/** A thread that has had nothing to do for so long is idle. */
const IDLE_MS = 250;
/** What is worth a collection, beyond what was left by the last one. */
const GARBAGE_MIN_BYTES = 1_500_000;

type Collect = (options: { readonly type: "major"; readonly flavor: "last-resort" }) => void;
let collect: Collect | undefined;

/**
 * Collects all garbage of this thread and gives the memory back, some 20 ms for a small heap: nothing for the main
 * thread. A usual collection would keep half-empty pages and the room for new objects.
 */
export function collectGarbage(): void {
  if (!collect) {
    // The flag is off again at once: V8 takes cached code only where it was compiled with the same flags.
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as Collect;
    setFlagsFromString("--no-expose-gc");
  }
  collect({ type: "major", flavor: "last-resort" });
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
