import type { ChildProcess } from "node:child_process";
import { mkdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { Failure } from "../failure.ts";
import { end, hasEnded, start, tail } from "../process.ts";
import { abandon, waitUntil } from "../wait.ts";

const START_TIMEOUT_MS = 60_000;

/** Another program of the same trade, the real one: what ours is tested with and measured against. */
export interface Peer {
  /** As command lines name it. */
  readonly name: string;
  /** The version that is installed, e.g. "2.7.12". */
  readonly version: string;
  /**
   * Resolves with the path of the program (a folder, a jar) once it is there. A finished install is left as it is, an
   * interrupted one is done again from what the package clients kept. Throws a Failure that names what is missing.
   */
  install(say: (line: string) => void): Promise<string>;
}

/** A peer that answers over HTTP. */
export interface PeerServer extends Peer {
  /**
   * Starts it on 127.0.0.1, with all its data below `folder` (made when it is missing), and resolves once it answers
   * and takes points. On a folder that was used before it goes on with the data there. Installs it first where
   * that has not been done.
   */
  start(folder: string, options?: StartOptions): Promise<RunningPeer>;
}

export interface StartOptions {
  /** A free one by default; name the one before to come back at the same address. */
  readonly port?: number;
  /** Settings of the server's own, in the form of environment variables. */
  readonly settings?: Readonly<Record<string, string>>;
}

export interface RunningPeer extends AsyncDisposable {
  /** "http://127.0.0.1:PORT", without a slash behind. */
  readonly url: string;
  /** As the server itself tells it. */
  readonly version: string;
  readonly pid: number;
  /** Where line protocol goes, with precision ns and all parameters it needs. */
  readonly writeUrl: string;
  /** What each request must bring; empty where none is asked for. */
  readonly headers: Readonly<Record<string, string>>;
  /** Resolves once the process has gone; SIGKILL stands for a power cut. Nothing happens when it has gone before. */
  stop(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
}

/** The database (InfluxDB 1), bucket (InfluxDB 2) that peers are started with. */
export const DATABASE = "ha";
/** The organization of InfluxDB 2. */
export const ORGANIZATION = "home";
/** The token of an InfluxDB 2 that is started here: it listens on loopback only, and its data go with the run. */
export const TOKEN = "token-of-a-test-server";

/** A port of 127.0.0.1 that nobody listens on now. */
export function freePort(): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  const server = createServer();
  server.once("error", reject);
  server.listen(0, "127.0.0.1", () => {
    const address = server.address();
    server.close(() => resolve(typeof address === "object" && address !== null ? address.port : 0));
  });
  return promise;
}

export interface ServerCommand {
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
}

/** What a kind of server adds to what all have in common. */
export interface ServerKind {
  /** How to start it on that port; makes in `folder` what it needs. */
  commandFor(port: number): ServerCommand;
  /** Asked until it says the version; undefined or an error means "not yet". */
  versionAt(url: string): Promise<string | null | undefined>;
  /** Makes database and credentials; done again at each start. */
  prepare?(url: string): Promise<void>;
  writeUrl(url: string): string;
  readonly headers?: Readonly<Record<string, string>>;
}

/** Starts a server; its output goes to `server.log` in the folder. The process is ended with the present one. */
export async function startServer(
  peer: Peer,
  folder: string,
  kind: ServerKind,
  options: StartOptions = {},
): Promise<RunningPeer> {
  mkdirSync(folder, { recursive: true });
  const port = options.port ?? (await freePort());
  const url = `http://127.0.0.1:${port}`;
  const { command, args, env } = kind.commandFor(port);
  const log = join(folder, "server.log");
  const child = start(command, args, { log, env: { ...process.env, ...env, ...options.settings } });
  try {
    const version = await waitUntil(
      `${peer.name} to answer at ${url}`,
      () => {
        if (hasEnded(child)) throw abandon(`${peer.name} ended before it answered, see ${log}\n${tail(log)}`);
        return kind.versionAt(url);
      },
      { timeoutMs: START_TIMEOUT_MS },
    );
    await kind.prepare?.(url);
    const stop = (signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> => end(child, signal);
    return {
      url,
      version,
      pid: pidOf(child),
      writeUrl: kind.writeUrl(url),
      headers: kind.headers ?? {},
      stop,
      [Symbol.asyncDispose]: stop,
    };
  } catch (error) {
    await end(child, "SIGKILL");
    throw error;
  }
}

function pidOf({ pid }: ChildProcess): number {
  if (pid === undefined) throw new Failure("The process was not started");
  return pid;
}

/** A request that must succeed with one of the statuses; throws a Failure with the answer otherwise. */
export async function request(
  url: string,
  statuses: readonly number[],
  init: RequestInit = {},
): Promise<{ readonly headers: Headers; readonly body: string }> {
  const response = await fetch(url, { ...init, signal: AbortSignal.timeout(START_TIMEOUT_MS) });
  const body = await response.text();
  if (!statuses.includes(response.status))
    throw new Failure(`${url} answers ${response.status}: ${body.slice(0, 500)}`);
  return { headers: response.headers, body };
}
