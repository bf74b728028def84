import { closeSync, existsSync, fsyncSync, openSync, readFileSync, rmSync, writeSync } from "node:fs";

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

/** Null where none is noted. */
export function notedChecksum(path: string): string | null {
  return existsSync(fileOf(path)) ? readFileSync(fileOf(path), "utf8").trim() : null;
}

export function forgetChecksum(path: string): void {
  rmSync(fileOf(path), { force: true });
}
