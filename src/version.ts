import { readFileSync } from "node:fs";
import { join } from "node:path";

/** Of this program, as package.json has it. */
export const { version: VERSION } = JSON.parse(readFileSync(join(import.meta.dirname, "../package.json"), "utf8")) as {
  readonly version: string;
};
