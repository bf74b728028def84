import { userInfo } from "node:os";

/** The user that this process runs as, for messages: a name in quotes, or its number where it has none. */
export function userName(): string {
  try {
    return `"${userInfo().username}"`;
  } catch {
    // A container may run under a number that has no entry in its list of users.
    return `number ${process.getuid?.() ?? "unknown"}`;
  }
}
