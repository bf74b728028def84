import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A block as `stat` counts them, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** A damaged database that was moved aside, and its -wal and -shm. */
const ASIDE = /\.corrupt-\d{8}T\d{6}Z(-wal|-shm)?$/;

export interface UsedBytes {
  readonly bytes: number;
  /** Of these, those of damaged files that were moved aside. */
  readonly asideBytes: number;
}

/** What a folder and everything below it take on the disk, as `du` tells. What vanishes meanwhile counts as gone. */
export async function usedBytes(folder: string): Promise<number> {
  return (await usageOf(folder)).bytes;
}

/** The same, with the part of it that is no data any more. */
export async function usageOf(folder: string): Promise<UsedBytes> {
  const entries: Dirent[] = await readdir(folder, { recursive: true, withFileTypes: true }).catch(gone([]));
  let bytes = 0;
  let asideBytes = 0;
  for (const entry of entries) {
    if (!entry.isFile()) continue;
    const found = await stat(join(entry.parentPath, entry.name)).catch(gone(null));
    const taken = (found?.blocks ?? 0) * BLOCK_BYTES;
    bytes += taken;
    if (ASIDE.test(entry.name)) asideBytes += taken;
  }
  return { bytes, asideBytes };
}

function gone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (error.code !== "ENOENT") throw error;
    return instead;
  };
}
