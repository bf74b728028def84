import { type ChildProcess, fork } from "node:child_process";
import { AppError } from "../../../domain/errors.ts";
import type { SealJob, SealResult } from "./seal.ts";
import type { SealAnswer, SealRefusal } from "./seal.worker.ts";

/** What the process may take: a row group of each input, and the names of all series. */
const HEAP_MB = 96;
const PROGRAM = new URL("./seal.worker.ts", import.meta.url);

/** A sealing that failed: nothing changed. */
export class SealFailure extends AppError {
  /** The operating system's code ("ENOSPC"), where it failed. */
  readonly reason: string | null;
  /** The listed file that is not as it was written, where that is why. */
  readonly changed: string | null;

  constructor(message: string, { code = null, changed = null }: Partial<SealRefusal> = {}) {
    super("unavailable", message);
    this.name = "SealFailure";
    this.reason = code;
    this.changed = changed;
  }
}

export interface Sealer extends Disposable {
  /** One job at a time. Rejects with a SealFailure, also when the process dies. */
  run(job: SealJob): Promise<SealResult>;
}

/** The sealing process, started with the first job. It is killed when this is disposed, which costs nothing: see `seal`. */
export function createSealer(environment: NodeJS.ProcessEnv = process.env): Sealer {
  let child: ChildProcess | undefined;

  function started(): ChildProcess {
    if (child?.connected) return child;
    child = fork(PROGRAM, {
      execArgv: [`--max-old-space-size=${HEAP_MB}`, "--max-semi-space-size=1"],
      env: environment,
      stdio: ["ignore", "ignore", "inherit", "ipc"],
    });
    return child;
  }

  return {
    run(job) {
      const process = started();
      return new Promise((resolve, reject) => {
        const answered = (answer: SealAnswer): void => {
          process.off("exit", ended);
          process.off("error", failed);
          if ("result" in answer) resolve(answer.result);
          else reject(new SealFailure(answer.failure, answer));
        };
        const ended = (code: number | null, signal: string | null): void => {
          process.off("message", answered);
          reject(new SealFailure(`The sealing process ended (${signal ?? `code ${code}`})`));
        };
        const failed = (error: Error): void => {
          process.off("message", answered);
          process.off("exit", ended);
          reject(new SealFailure(`The sealing process cannot be started: ${error.message}`));
        };
        process.once("message", answered);
        process.once("exit", ended);
        process.once("error", failed);
        process.send(job);
      });
    },
    [Symbol.dispose]() {
      child?.kill("SIGKILL");
      child = undefined;
    },
  };
}
