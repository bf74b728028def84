import { AppError, type ErrorCode, messageOf } from "../domain/errors.ts";
import { sqliteCode, sqliteReason } from "../lib/sqlite-reason.ts";
import { WorkerFailure } from "../lib/worker-rpc.ts";

const CODES: ReadonlySet<string> = new Set<ErrorCode>(["invalid", "not_found", "conflict", "too_large", "unavailable"]);

/** A failure of a thread that a caller can act on: its own AppErrors as they are, SQLite's and a dead thread `unavailable`. */
export function asAppError(purpose: string, error: unknown): unknown {
  if (error instanceof AppError) return error;
  if (error instanceof WorkerFailure && error.code !== undefined && CODES.has(error.code)) {
    return new AppError(error.code as ErrorCode, error.message, { cause: error });
  }
  if (sqliteCode(error) !== undefined) {
    return new AppError("unavailable", `${purpose}: ${sqliteReason(error)}`, { cause: error });
  }
  // Anything else that the thread threw is a fault of ours; a thread that has ended rejects with a plain Error.
  if (error instanceof WorkerFailure) return error;
  return new AppError("unavailable", `${purpose}: ${messageOf(error)}`, { cause: error });
}
