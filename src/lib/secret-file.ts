import { closeSync, openSync, readSync } from "node:fs";

/** A token or password is shorter; a file without an end is none. */
const SECRET_BYTES_MAX = 65_536;

/**
 * The text of a file that holds a secret, without white space around it; it may be a pipe, as a shell's `<(…)` is. Throws
 * what the system says, and for more than 64 KiB.
 */
export function readSecretFile(file: string): string {
  const bytes = Buffer.alloc(SECRET_BYTES_MAX + 1);
  const handle = openSync(file, "r");
  try {
    let length = 0;
    while (length < bytes.length) {
      const read = readSync(handle, bytes, length, bytes.length - length, null);
      if (read === 0) return bytes.toString("utf8", 0, length).trim();
      length += read;
    }
  } finally {
    closeSync(handle);
  }
  throw new Error("it is longer than 64 KiB, as no secret is");
}
