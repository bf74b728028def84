/** https://sqlite.org/rescode.html: PERM, BUSY, READONLY, IOERR, FULL and CANTOPEN; damage is another matter. */
const SQLITE_REFUSALS = [3, 5, 8, 10, 13, 14];

/**
 * Whether the system refused something, or SQLite in its place: files, rights, the disk or another program are to be
 * mended then, not this one. What is further down as `cause` counts.
 */
export function isSystemRefusal(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { syscall, errcode } = error as { syscall?: unknown; errcode?: unknown };
  // The low byte of an extended code is the plain one.
  const isRefusal = typeof errcode === "number" && SQLITE_REFUSALS.includes(errcode & 0xff);
  return typeof syscall === "string" || isRefusal || isSystemRefusal(error.cause);
}
