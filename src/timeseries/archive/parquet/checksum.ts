import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";
import { join } from "node:path";
import { parquetFiles } from "./paths.ts";

/**
 * The checksum of a file that takes the place of a listed one, beside it until the list has it. Without it a crash in
 * between would leave a file that looks damaged: it is not the one that is listed.
 */
const fileOf = (path: string): string => `${path}.sha256`;

/** Makes it durable, but not its name. */
export function noteChecksum(path: string, sha256: string): void {
  const fd = openSync(fileOf(path), "w");
  try {
    writeSync(fd, `${sha256}\n`);
    fsyncSync(fd);
  } finally {
    closeSync(fd);
  }
}

/** Null where none is noted: a full disk, or a crash, may leave a note that is empty. */
export function notedChecksum(path: string): string | null {
  const noted = existsSync(fileOf(path)) ? readFileSync(fileOf(path), "utf8").trim() : "";
  return noted === "" ? null : noted;
}

/** All files below `archive/` but those that are obsolete, and what is noted beside them: without it some look damaged. */
export function archiveFiles(folder: string, obsolete: readonly string[]): string[] {
  const kept = parquetFiles(folder).filter((path) => !obsolete.includes(path));
  return kept.flatMap((path) => [path, fileOf(path)]).filter((path) => existsSync(join(folder, path)));
}

export function forgetChecksum(path: string): void {
  rmSync(fileOf(path), { force: true });
}
