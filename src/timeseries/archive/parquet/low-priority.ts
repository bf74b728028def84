import { getPriority, setPriority } from "node:os";

/** Behind everything else the machine does. */
const NICENESS = 10;

/**
 * Lets other processes go first. A process that is as low already stays as it is, since raising it is the superuser's;
 * and where a system does not allow it either, work is done at the priority there is.
 */
export function lowerPriority(get = getPriority, set: (niceness: number) => void = setPriority): void {
  try {
    if (get() < NICENESS) set(NICENESS);
  } catch {
    // EACCES or EPERM of a system that is set up in an unusual way: nothing depends on it.
  }
}
