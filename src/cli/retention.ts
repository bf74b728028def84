import { existsSync } from "node:fs";
import type { Config } from "../config.ts";
import { AppError } from "../domain/errors.ts";
import { DirectoryHeld, lockDirectory } from "../lib/directory-lock.ts";
import { askService } from "./service.ts";

interface Answer {
  readonly rows: number;
  readonly rollup_rows: number;
  readonly bytes_before: number;
  readonly bytes_after: number;
  readonly dropped: readonly { readonly path: string; readonly rows: number; readonly reason: string }[];
  readonly thinned: readonly { readonly path: string; readonly rows: number; readonly series: number }[];
  readonly notes: readonly string[];
}

/**
 * `retention [--dry-run]`: has the running service drop what is past its retention, or say what would go. Only the
 * service knows where entities belong, which the rules may ask for, so without it the command refuses.
 */
export async function retention(_argument: readonly string[], config: Config, options: { readonly dryRun: boolean }) {
  const holder = holderOf(config.dataDir);
  if (holder === null) {
    const remedy = "start it: the rules ask where entities belong, which it learns from Home Assistant";
    throw new AppError("unavailable", `Cannot look at retention: no service runs on "${config.dataDir}"; ${remedy}`);
  }
  const path = `/internal/retention?dry_run=${options.dryRun}`;
  const answer = (await askService(config, { task: "look at retention", path, holder })) as Answer;
  const [go, becomes] = options.dryRun ? ["would go", "would take about"] : ["went", "takes"];
  for (const { path, rows, reason } of answer.dropped) console.log(`${path}: ${rows} samples ${go} (${reason})`);
  for (const { path, rows, series } of answer.thinned) {
    console.log(`${path}: ${rows} samples of ${series} series ${go} (rules)`);
  }
  for (const note of answer.notes) console.log(`note: ${note}`);
  console.log(
    `${answer.rows} samples and ${answer.rollup_rows} rows of rollups ${go}; the data directory took ` +
      `${megabytes(answer.bytes_before)} MB and ${becomes} ${megabytes(answer.bytes_after)} MB`,
  );
}

/** Who holds the directory, as a sentence; null: nobody. */
function holderOf(directory: string): string | null {
  if (!existsSync(directory)) return null;
  try {
    lockDirectory(directory)[Symbol.dispose]();
    return null;
  } catch (error) {
    if (error instanceof DirectoryHeld) return error.message;
    throw error;
  }
}

function megabytes(bytes: number): number {
  return Math.round(bytes / 104_857.6) / 10;
}
