import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { end, hasEnded, start as startProcess, tail } from "../process.ts";
import { abandon, waitUntil } from "../wait.ts";
import { createClient, request } from "./client.ts";
import { writeConfiguration } from "./configuration.ts";
import { insideEnvironment } from "./debian.ts";
import { HOME_IN_ROOT, type Installation } from "./install.ts";
import { onboard } from "./onboard.ts";

const START_TIMEOUT_MS = 240_000;
/** From the first sign of a crash until the process is gone. */
const CRASH_TIMEOUT_MS = 5_000;
/** What a process ends itself with; nothing here sends one of these. */
const CRASHES: readonly NodeJS.Signals[] = ["SIGSEGV", "SIGABRT", "SIGBUS", "SIGILL", "SIGFPE"];

/** Home Assistant ended by a fault of its own: its Python, or a library in C, crashed. */
export interface Crash {
  readonly signal: NodeJS.Signals;
  /** When its connections may have closed at the earliest, on the clock of `performance.now()`. */
  readonly sinceMs: number;
}

/** A Home Assistant that was started here and can be stopped and started again with the same configuration. */
export interface HomeAssistant extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** Everything the process wrote. */
  readonly log: string;
  /** Its configuration; a change of it counts from the next start on. */
  readonly folder: string;
  /** Its first one; null: it had none. */
  crash(): Promise<Crash | null>;
  /** Starts it on the same port and resolves once it is RUNNING, in recovery mode where that is expected. */
  start(expected?: "recovery mode"): Promise<void>;
  /** SIGTERM lets the recorder end its run; SIGKILL is a power cut. */
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/**
 * Starts an installed Home Assistant on a free port of 127.0.0.1 with the test home in `folder`, onboards it and
 * resolves once it is RUNNING. Throws a Failure with the end of its log when it does not get there.
 */
export async function startHomeAssistant(installation: Installation, folder: string): Promise<HomeAssistant> {
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const log = join(folder, "home-assistant.console.log");
  let child: ChildProcess | undefined;
  let token: string | undefined;
  let crash: Crash | null = null;

  const start = async (expected?: "recovery mode") => {
    writeConfiguration(folder, port);
    child = launch(installation, folder, log);
    child.once("exit", (_code, signal) => {
      if (CRASHES.includes(signal!)) crash ??= { signal: signal!, sinceMs: performance.now() - CRASH_TIMEOUT_MS };
    });
    try {
      token = await awaitRunning(child, url, token, expected === "recovery mode");
    } catch (cause) {
      await end(child, "SIGKILL");
      throw new Failure(`Home Assistant ${installation.version} did not start: ${messageOf(cause)}\n${tail(log)}`, {
        cause,
      });
    }
  };
  const stop = async (signal: "SIGTERM" | "SIGKILL") => {
    if (child) await end(child, signal);
  };

  await start();
  return {
    url,
    get token() {
      return token ?? "";
    },
    log,
    folder,
    async crash() {
      const isGone = () => child !== undefined && hasEnded(child);
      await waitUntil("Home Assistant to end", isGone, { timeoutMs: CRASH_TIMEOUT_MS }).catch(() => undefined);
      return crash;
    },
    start,
    stop,
    [Symbol.asyncDispose]: () => stop("SIGTERM"),
  };
}

/** With --skip-pip nothing is installed at the start, so a start needs no internet. */
function launch({ folder: installed, root }: Installation, configuration: string, log: string): ChildProcess {
  const options = ["--skip-pip", "--log-no-color"];
  if (root === null) {
    const { PYTHONPATH: _path, PYTHONHOME: _home, VIRTUAL_ENV: _environment, ...env } = process.env;
    return startProcess(join(installed, "venv", "bin", "hass"), ["-c", configuration, ...options], { log, env });
  }
  mkdirSync(join(root, "config"), { recursive: true });
  // The mounts live in a namespace of the process and end with it; exec keeps the pid, so signals reach hass itself.
  const script = `mount -t proc proc "$1/proc" && mount --rbind /dev "$1/dev" && mount --bind "$2" "$1/config" \
&& cd / && exec chroot "$1" ${HOME_IN_ROOT}/venv/bin/hass -c /config "\${@:3}"`;
  const args = ["--mount", "--propagation", "private", "bash", "-c", script, "hass", root, configuration, ...options];
  return startProcess("unshare", args, { log, env: insideEnvironment() });
}

/** Waits for the port, makes the user and token when there is none yet, waits for RUNNING, confirms the port. */
async function awaitRunning(
  child: ChildProcess,
  url: string,
  known: string | undefined,
  recovers: boolean,
): Promise<string> {
  const waitFor = <Answer>(what: string, probe: () => Promise<Answer>) =>
    waitUntil(
      what,
      () => {
        if (hasEnded(child)) throw abandon(`it ended with ${child.signalCode ?? `code ${child.exitCode}`}`);
        return probe();
      },
      { timeoutMs: START_TIMEOUT_MS, pollEveryMs: 200 },
    );
  const answers = (path: string) => async () => (await request(url + path, "GET")).status === 200;
  if (known === undefined) await waitFor("its onboarding", answers("/api/onboarding"));
  const token = known ?? (await onboard(url));
  const config = await waitFor("state RUNNING", async () => {
    const { status, body } = await request(`${url}/api/config`, "GET", { token });
    const config = body as { state?: string; recovery_mode?: boolean; safe_mode?: boolean };
    return status === 200 && config.state === "RUNNING" ? config : undefined;
  });
  if (recovers !== (config.recovery_mode === true) || config.safe_mode) {
    throw new Failure(`it runs ${recovers ? "as usual" : "in recovery or safe mode"}`);
  }
  if (!recovers) await confirmPort(url, token);
  return token;
}

/** From 2026.8 on a port from YAML is on trial: HA restarts without it after 5 minutes unless an admin confirms it. */
async function confirmPort(url: string, token: string): Promise<void> {
  const client = createClient(url, token);
  try {
    await client.askIfKnown("http/config/promote");
  } catch (error) {
    // "not_allowed" is the answer once nothing is pending any more.
    if (!messageOf(error).includes("not_allowed")) throw error;
  } finally {
    client.close();
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/** A port that was free a moment ago: a given one, for which it throws when it is taken, or any. */
export async function freePort(wanted = 0): Promise<number> {
  const server = createServer();
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(wanted, "127.0.0.1", resolve);
  await promise;
  const address = server.address();
  await new Promise<unknown>((done) => server.close(done));
  if (address === null || typeof address === "string") throw new Failure("The system gives no port");
  return address.port;
}
