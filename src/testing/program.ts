import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";

/** Without what would ask somebody outside. */
export const ALONE = { PATH: process.env.PATH, WEATHER_PROVIDER: "off" };

/** The program as a process, beside nothing; `said` is all it has written so far. */
export function run(
  t: TestContext,
  dir: string,
  environment: Record<string, string>,
  command: readonly string[] = [process.execPath, join(import.meta.dirname, "../main.ts")],
  detached = false,
) {
  const child: ChildProcess = spawn(command[0]!, command.slice(1), {
    cwd: dir,
    detached,
    env: { ...ALONE, DATA_API_PORT: "0", SPORTS_DATA_PORT: "0", LOG_FORMAT: "json", ...environment },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "exit");
  t.after(async () => {
    if (detached) killGroup(child.pid!);
    child.kill("SIGKILL");
    await ended;
  });
  const told = { said: "" };
  for (const stream of [child.stdout!, child.stderr!]) stream.on("data", (text) => (told.said += text));
  /** Comes back when the program has said it, or has ended. */
  const until = async (text: string): Promise<void> => {
    while (child.exitCode === null && child.signalCode === null && !told.said.includes(text)) {
      await Promise.race([once(child.stdout!, "data"), ended]);
    }
  };
  return { child, ended, told, until };
}

/** Of a detached process: also what it has started. */
function killGroup(pid: number): void {
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // All of them have ended.
  }
}

export function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "ha-ingestor-main-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}
