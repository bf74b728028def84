import { existsSync } from "node:fs";
import { AppError } from "../domain/errors.ts";

/** Throws `not_found` for a command on what nobody has made yet. */
export function assertThere(command: string, path: string): void {
  if (!existsSync(path)) throw new AppError("not_found", `Cannot ${command}: "${path}" does not exist; see DATA_DIR`);
}
