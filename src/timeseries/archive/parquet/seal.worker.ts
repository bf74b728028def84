import { join } from "node:path";
import { messageOf } from "../../../domain/errors.ts";
import { lockDirectory } from "../../../lib/directory-lock.ts";
import { lowerPriority } from "./low-priority.ts";
import { ARCHIVE_FOLDER } from "./paths.ts";
import { ChangedFile, type SealJob, type SealResult, type SealStep, seal } from "./seal.ts";

/**
 * The sealing process: does the jobs that its parent sends, one after the other, and ends with the parent. What it
 * used of memory goes with it.
 */

export type SealAnswer = { readonly result: SealResult } | SealRefusal;

export interface SealRefusal {
  readonly failure: string;
  /** The operating system's. */
  readonly code: string | null;
  /** The listed file that is not as it was written, where that is why. */
  readonly changed: string | null;
}

if (process.send === undefined) throw new Error("The sealing process is started by the archive");
lowerPriority();

let _held: Disposable | undefined;

function work(job: SealJob): SealAnswer {
  try {
    // A process that a killed service left behind may still be writing.
    _held ??= lockDirectory(join(job.directory, ARCHIVE_FOLDER));
    return { result: seal(job, dieAt) };
  } catch (error) {
    const { code } = error as { code?: unknown };
    const changed = error instanceof ChangedFile ? error.path : null;
    return { failure: messageOf(error), code: typeof code === "string" ? code : null, changed };
  }
}

/** Tests name a step at which the process dies as by a power cut. */
function dieAt(step: SealStep | "answered"): void {
  if (process.env.HA_INGESTOR_TEST_DIE_AT === step) process.kill(process.pid, "SIGKILL");
}

process.on("message", (job: SealJob) => {
  const answer = work(job);
  if (process.connected) process.send?.(answer, () => dieAt("answered"));
});
process.on("disconnect", () => process.exit());
