import type { Dirent } from "node:fs";
import { readdir, stat } from "node:fs/promises";
import { join, relative, sep } from "node:path";

/** A block as `stat` counts them, whatever the file system's own are. */
const BLOCK_BYTES = 512;

/** A damaged database that was moved aside, and its -wal and -shm; a backup. */
const FILE_ASIDE = /\.corrupt-\d{8}T\d{6}Z(-wal|-shm)?$|^ha-ingestor-\d{8}T\d{6}Z\.tar\.gz(\.part)?$/;
/** What was there before a restore; a copy for a backup under way; what is unpacked for a restore, by earlier versions too; a demo's data. */
const FOLDER_ASIDE = /^(before-restore-\d{8}T\d{6}Z|backup-\d{8}T\d{6}Z|restore-(unpacked-)?\w{6}|data-demo)$/;

export interface UsedBytes {
  readonly bytes: number;
  /** Of these, those of files that lie aside: damaged ones, what was there before a restore, backups, a demo. */
  readonly asideBytes: number;
}

/**
 * What a folder and everything below it take on the disk, as `du` tells. What vanishes meanwhile counts as gone, and so
 * does what only another user may read, as `lost+found` where a disk is mounted.
 */
export async function usedBytes(folder: string): Promise<number> {
  return (await usageOf(folder)).bytes;
}

/** The same, with the part of it that is none of the data. */
export async function usageOf(folder: string): Promise<UsedBytes> {
  let bytes = 0;
  let asideBytes = 0;
  for await (const entry of filesBelow(folder)) {
    const found = await stat(join(entry.parentPath, entry.name)).catch(gone(null));
    const taken = (found?.blocks ?? 0) * BLOCK_BYTES;
    bytes += taken;
    const [top = ""] = relative(folder, entry.parentPath).split(sep);
    if (FILE_ASIDE.test(entry.name) || FOLDER_ASIDE.test(top)) asideBytes += taken;
  }
  return { bytes, asideBytes };
}

async function* filesBelow(folder: string): AsyncGenerator<Dirent> {
  for (const entry of await readdir(folder, { withFileTypes: true }).catch(gone([]))) {
    if (entry.isDirectory()) yield* filesBelow(join(folder, entry.name));
    else if (entry.isFile()) yield entry;
  }
}

const GONE = ["ENOENT", "EACCES", "EPERM"];

function gone<T>(instead: T): (error: NodeJS.ErrnoException) => T {
  return (error) => {
    if (!GONE.includes(error.code ?? "")) throw error;
    return instead;
  };
}
