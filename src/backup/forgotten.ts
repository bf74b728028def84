import { readdirSync, rmSync, statSync } from "node:fs";
import { join } from "node:path";

/** So short that a daily backup finds what the one before it left, so long that nobody works on it any more. */
const FORGOTTEN_MS = 43_200_000;

/**
 * Removes what a command that was ended left in a directory: what has a name that only such commands give, and was not
 * written to for half a day.
 */
export function removeForgotten(directory: string, name: RegExp, now: number): void {
  for (const entry of readdirSync(directory).filter((entry) => name.test(entry))) {
    const path = join(directory, entry);
    try {
      if (now - statSync(path).mtimeMs > FORGOTTEN_MS) rmSync(path, { recursive: true, force: true });
    } catch {
      // Another user's, or gone by now: no reason not to do what was asked for.
    }
  }
}
