import { accessSync, constants } from "node:fs";
import { AppError, messageOf } from "./domain/errors.ts";
import { isCorruption } from "./lib/damaged-database.ts";
import { makeDirectory } from "./lib/make-directory.ts";
import { isSystemRefusal } from "./lib/system-refusal.ts";
import { userName } from "./lib/user-name.ts";

/** Makes the directory; the message names path, user and remedy where that cannot be. */
export function prepareDirectory(directory: string, setting: string): void {
  try {
    makeDirectory(directory);
    accessSync(directory, constants.W_OK | constants.X_OK);
  } catch (cause) {
    const remedy = `choose another ${setting}, or give the user the right to write there`;
    const message = `Cannot write to the directory "${directory}" as user ${userName()}: ${messageOf(cause)}; ${remedy}`;
    throw new AppError("unavailable", message, { cause });
  }
}

/**
 * What failed in a task, such as "run seal", as it is told to the user: where the system refused something in the data
 * directory, or an error names a damaged file of it, that is one line, and anything else stays as it is.
 */
export function explained(task: string, error: unknown): unknown {
  const isMendable = isSystemRefusal(error) || (error instanceof Error && isCorruption(error.cause));
  if (error instanceof AppError || !isMendable) return error;
  const remedy = "see the files of DATA_DIR and the rights to them";
  return new AppError("unavailable", `Cannot ${task}: ${messageOf(error)}; ${remedy}`, { cause: error });
}
