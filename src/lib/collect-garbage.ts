import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/**
 * Collects all garbage of this thread and gives the memory back. V8 collects when a thread makes objects, so one that
 * has nothing to do keeps what its last work left for ever. Takes some 10 ms: nothing for the main thread.
 */
export function collectGarbage(): void {
  if (!collect) {
    // The flag is off again at once: V8 takes cached code only where it was compiled with the same flags.
    setFlagsFromString("--expose-gc");
    collect = runInNewContext("gc") as () => void;
    setFlagsFromString("--no-expose-gc");
  }
  collect();
}
