import { createHash } from "node:crypto";
import { closeSync, openSync, readSync } from "node:fs";

const CHUNK_BYTES = 1_048_576;

/** The checksum of a file, in hexadecimal, however long it is. Waits for the disk. */
export function sha256Of(path: string): string {
  const hash = createHash("sha256");
  const chunk = new Uint8Array(CHUNK_BYTES);
  const fd = openSync(path, "r");
  try {
    for (let count = readSync(fd, chunk); count > 0; count = readSync(fd, chunk)) hash.update(chunk.subarray(0, count));
  } finally {
    closeSync(fd);
  }
  return hash.digest("hex");
}
