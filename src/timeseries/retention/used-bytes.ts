import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A block as `stat` counts them, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** What a folder and everything below it take on the disk, as `du` tells. What vanishes meanwhile counts as gone. */
export async function usedBytes(folder: string): Promise<number> {
  const entries: Dirent[] = await readdir(folder, { recursive: true, withFileTypes: true }).catch(gone([]));
  let bytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(gone(null));
    bytes += (found?.blocks ?? 0) * BLOCK_BYTES;
  }
  return bytes;
}

function gone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== "ENOENT") throw error;
    return instead;
  };
}
