import { isUtf8 } from "node:buffer";
import { lstatSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { parseDocument } from "yaml";
import { AppError, messageOf } from "./domain/errors.ts";
import type { Limits } from "./domain/retention.ts";
import { type FilterRules, parseFilterRules } from "./ingest/filter-rules.ts";
import { parseRetentionRules } from "./ingest/retention-rules.ts";
import { readSecretFile } from "./lib/secret-file.ts";
import { parseMirrors, type TargetSettings } from "./timeseries/forward/target-settings.ts";

/** Beside the data: what does not fit one line of the environment. */
export const CONFIG_FILE = "ha-ingestor.yaml";
const SECTIONS = ["filter", "mirrors", "retention"];

/**
 * What is recorded, and how closely and long, as the configuration file in `dataDir` says; everything without a file,
 * as long as `keep` says. Throws `invalid` with the faults of all sections.
 */
export function readFilter(dataDir: string, keep: Limits): FilterRules {
  const sections = readSections(dataDir);
  const faults = Object.keys(sections)
    .filter((name) => !SECTIONS.includes(name))
    .map((name) => `${CONFIG_FILE} has an unknown section "${name}" (known: ${SECTIONS.join(", ")})`);
  const attempt = <T>(read: () => T): T | undefined => {
    try {
      return read();
    } catch (error) {
      if (!(error instanceof AppError)) throw error;
      faults.push(error.message);
      return undefined;
    }
  };
  const rules = attempt(() => parseFilterRules(sections.filter));
  const kept = attempt(() => parseRetentionRules(sections.retention, keep));
  // They are read at the start alone, but what would keep that from succeeding is told now.
  parseMirrors(sections.mirrors, readSecretFile, (message) => faults.push(message));
  if (faults.length > 0) throw new AppError("invalid", faults.join("\n  "));
  return kept === undefined || kept.length === 0 ? { ...rules } : { ...rules, retention: kept };
}

/** The mirrors of the configuration file in `dataDir`; `fault` is told what is wrong with them. Throws `invalid`. */
export function readMirrors(dataDir: string, fault: (message: string) => void): readonly TargetSettings[] {
  return parseMirrors(readSections(dataDir).mirrors, secretIn, fault);
}

/** The sections of the configuration file in `dataDir`; none without a file. Throws `invalid`. */
function readSections(dataDir: string): Readonly<Record<string, unknown>> {
  const file = join(dataDir, CONFIG_FILE);
  const cannot = (why: string, cause?: unknown) => new AppError("invalid", `Cannot read "${file}": ${why}`, { cause });
  let bytes: Uint8Array;
  try {
    bytes = readFileSync(file);
  } catch (cause) {
    // That the directory is none is told where it is made, with the remedy.
    const { code } = cause as NodeJS.ErrnoException;
    if (code === "ENOTDIR") return {};
    if (code === "ENOENT") {
      if (lstatSync(file, { throwIfNoEntry: false }) === undefined) return {};
      throw cannot("it is a link to a file that is not there", cause);
    }
    if (code === "EACCES") {
      const [what, place] = isToBeSeen(file) ? ["read", file] : ["look into DATA_DIR", dataDir];
      const remedy = `it belongs to another user; give it to this one ("chown"), or choose another DATA_DIR`;
      throw new AppError("invalid", `Cannot ${what} "${place}": ${remedy}`, { cause });
    }
    throw cannot(messageOf(cause), cause);
  }
  // Elsewhere a name with an umlaut would silently become another one.
  if (!isUtf8(bytes)) throw cannot("it is not UTF-8; save it as that");
  const document = parseDocument(new TextDecoder().decode(bytes));
  // A tag such as !secret would leave its word as the value.
  const fault = document.errors[0] ?? document.warnings[0];
  if (fault?.code === "MULTIPLE_DOCS") throw cannot('it holds more than one document; take out the line "---"', fault);
  if (fault !== undefined) throw cannot(fault.message.split("\n")[0]!.replace(/:$/, ""), fault);
  let parsed: unknown;
  try {
    parsed = document.toJS() ?? {};
  } catch (cause) {
    throw cannot(messageOf(cause), cause);
  }
  if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed))
    throw cannot("it must hold sections such as filter:");
  return parsed as Record<string, unknown>;
}

/** False where a directory on the way to the file may not be entered. */
function isToBeSeen(file: string): boolean {
  try {
    statSync(file);
    return true;
  } catch {
    return false;
  }
}

function secretIn(file: string): string {
  const content = readSecretFile(file);
  if (content === "") throw new AppError("invalid", "the file is empty");
  return content;
}
