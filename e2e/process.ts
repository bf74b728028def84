import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { Failure } from "./failure.ts";
import { waitUntil } from "./wait.ts";

/** How much of a log is worth showing when something went wrong. */
const TAIL_LINES = 25;
const STOP_TIMEOUT_MS = 60_000;

/** What was started here and may still run. */
const children = new Set<ChildProcess>();
// However this process ends, nothing that it started outlives it.
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"] as const) process.once(signal, () => process.exit(1));

export interface RunOptions {
  /** A file that takes all output; without it output goes to standard error. */
  readonly log?: string;
  readonly env?: NodeJS.ProcessEnv;
}

/** Runs a command to its end. Throws a Failure with the end of its log when it cannot be run or does not exit with 0. */
export async function run(command: string, args: readonly string[], options: RunOptions = {}): Promise<void> {
  const child = start(command, args, options);
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  const shown = [command, ...args].join(" ");
  child.once("error", (cause) => reject(new Failure(`Cannot run "${shown}": ${cause.message}`, { cause })));
  child.once("exit", (code, signal) => {
    if (code === 0) return resolve();
    const log = options.log === undefined ? "" : `, see ${options.log}\n${tail(options.log)}`;
    reject(new Failure(`"${shown}" ended with ${signal ?? `code ${code}`}${log}`));
  });
  await promise;
}

/** Standard output of a short command, trimmed; undefined when it cannot be run or fails. */
export function outputOf(command: string, args: readonly string[], env?: NodeJS.ProcessEnv): string | undefined {
  const result = spawnSync(command, args, {
    encoding: "utf8",
    env: env ?? process.env,
    stdio: ["ignore", "pipe", "ignore"],
  });
  return result.status === 0 ? result.stdout.trim() : undefined;
}

/** Starts a command without waiting. Its output is appended to `log`, else it goes to standard error. */
export function start(command: string, args: readonly string[], options: RunOptions = {}): ChildProcess {
  const output = options.log === undefined ? 2 : openSync(options.log, "a");
  try {
    const child = spawn(command, args, { env: options.env ?? process.env, stdio: ["ignore", output, output] });
    children.add(child);
    child.once("exit", () => children.delete(child));
    return child;
  } finally {
    if (options.log !== undefined) closeSync(output);
  }
}

export function hasEnded(child: ChildProcess): boolean {
  return child.exitCode !== null || child.signalCode !== null || child.pid === undefined;
}

/** Ends a child that was started here, by its pid, and waits until it is gone. Nothing happens when it has ended. */
export async function end(child: ChildProcess, signal: "SIGTERM" | "SIGKILL"): Promise<void> {
  if (hasEnded(child)) return;
  child.kill(signal);
  try {
    await waitUntil(`process ${child.pid} to end`, () => hasEnded(child), { timeoutMs: STOP_TIMEOUT_MS });
  } catch (cause) {
    child.kill("SIGKILL");
    throw cause;
  }
}

/** The last lines of a file, or why there are none. */
export function tail(path: string, lines = TAIL_LINES): string {
  try {
    return readFileSync(path, "utf8").trimEnd().split("\n").slice(-lines).join("\n");
  } catch (error) {
    return `(no log: ${error instanceof Error ? error.message : error})`;
  }
}
