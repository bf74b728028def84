import { dirname, resolve } from "node:path";
import type { Config } from "../config.ts";
import { AppError } from "../domain/errors.ts";
import { DirectoryHeld, lockDirectory } from "../lib/directory-lock.ts";

/**
 * Holds the data directory, and that of the database of the home where it lies elsewhere: it may belong to a service
 * with another DATA_DIR. Throws `conflict` while a service runs; `task` is as in "Cannot migrate".
 */
export function holdDirectories(config: Config, task: string): Disposable {
  using held = new DisposableStack();
  const directories = [config.dataDir, dirname(config.metadataFile)].map((directory) => resolve(directory));
  for (const directory of new Set(directories)) held.use(lock(directory, task));
  return held.move();
}

function lock(directory: string, task: string): Disposable {
  try {
    return lockDirectory(directory);
  } catch (cause) {
    if (!(cause instanceof DirectoryHeld)) throw cause;
    throw new AppError("conflict", `Cannot ${task}: ${cause.message}; stop the service first`, { cause });
  }
}
