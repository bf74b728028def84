import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

/** Real answers of scoreboards, kept beside the repository. */
const FOLDER = join(import.meta.dirname, "../../../shared/fixtures/sports");

/** What a test says when it is skipped; undefined where the recordings are there. */
export const recordingsAbsent = existsSync(FOLDER) ? undefined : "../shared/fixtures is absent";

/** Paths within the folder, in order. */
export function recordings(subfolder = ""): string[] {
  return readdirSync(join(FOLDER, subfolder), { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".json"))
    .map((file) => join(subfolder, file))
    .sort();
}

export function recording(file: string): unknown {
  return JSON.parse(readFileSync(join(FOLDER, file), "utf8"));
}
