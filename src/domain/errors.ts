/**
 * What went wrong, for a caller who can act on it. `api/errors.ts` has the only table from codes to HTTP statuses;
 * each code has its paragraph in `docs/errors.md`.
 */
export type ErrorCode =
  | "invalid"
  | "unauthorized"
  | "forbidden"
  | "not_found"
  | "conflict"
  | "too_large"
  | "unavailable";

/** A failure with a remedy: the message says what could not be done, then why; values from outside stand in quotes. */
export class AppError extends Error {
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = "AppError";
    this.code = code;
  }
}

/** The text of anything that was thrown, without its stack. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Where a name has several addresses and none answers, Node tells how each failed, and nothing of them all.
  if (error instanceof AggregateError && error.message === "") return error.errors.map(messageOf).join("; ");
  return error.message;
}
