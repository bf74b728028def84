import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { text } from "node:stream/consumers";
import { setTimeout as sleep } from "node:timers/promises";
import { startFlags } from "../e2e/program.ts";
import { Client } from "./client.ts";

const REPOSITORY = join(import.meta.dirname, "..");
const START_TIMEOUT_MS = 60_000;
const POLL_MS = 20;

const children = new Set<ChildProcess>();
// However the bench ends, nothing that it started outlives it.
process.once("exit", () => {
  for (const child of children) child.kill("SIGKILL");
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, () => process.exit(1));

function start(args: readonly string[], env: NodeJS.ProcessEnv = process.env): ChildProcess {
  const child = spawn(process.execPath, args, { cwd: REPOSITORY, env, stdio: ["pipe", "pipe", "inherit"] });
  children.add(child);
  child.once("exit", () => children.delete(child));
  return child;
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const ended = once(child, "exit");
  child.kill("SIGTERM");
  await ended;
}

/** Asks until the answer is yes; rejects after `timeoutMs`. */
export async function until(what: string, ask: () => Promise<boolean>, timeoutMs = START_TIMEOUT_MS): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!(await ask())) {
    if (performance.now() > deadline) throw new Error(`Waited ${timeoutMs / 1000} s in vain for ${what}`);
    await sleep(POLL_MS);
  }
}

/**
 * A script that answers each line of JSON on its standard input by one on its standard output, in a process of its own,
 * and ends with its input.
 */
export interface Partner extends AsyncDisposable {
  readonly pid: number;
  /** What it says first, without being asked. */
  readonly greeting: Readonly<Record<string, unknown>>;
  /** One question at a time. */
  ask(question: object): Promise<Readonly<Record<string, unknown>>>;
}

/** Rejects, as each question does then, when the script ends. */
export async function startPartner(args: readonly string[]): Promise<Partner> {
  const child = start(args);
  const lines = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
  const answer = async (): Promise<Readonly<Record<string, unknown>>> => {
    const { done, value } = await lines.next();
    if (done) throw new Error(`"${args.join(" ").slice(0, 200)}" ended without an answer`);
    return JSON.parse(value);
  };
  return {
    pid: child.pid!,
    greeting: await answer(),
    ask(question) {
      child.stdin!.write(`${JSON.stringify(question)}\n`);
      return answer();
    },
    async [Symbol.asyncDispose]() {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const ended = once(child, "exit");
      child.stdin!.end();
      await ended;
    },
  };
}

/** The simulated home as a process of its own. */
export interface Home extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /** One command of src/testing/simulated-home/main.ts; rejects when it fails. */
  tell<Result>(command: Readonly<Record<string, unknown>>): Promise<Result>;
}

export async function startHome(options: Readonly<Record<string, number>>): Promise<Home> {
  const args = Object.entries(options).flatMap(([name, value]) => [`--${name}`, String(value)]);
  const partner = await startPartner(["src/testing/simulated-home/main.ts", ...args]);
  return {
    url: String(partner.greeting.url),
    token: String(partner.greeting.token),
    async tell<Result>(command: Readonly<Record<string, unknown>>) {
      const { ok, ...result } = await partner.ask(command);
      if (ok !== true) throw new Error(`The simulated home cannot do "${command.do}": ${result.error}`);
      return result as Result;
    },
    [Symbol.asyncDispose]: () => partner[Symbol.asyncDispose](),
  };
}

/** What /api/v1/stats says, as far as figures are made of it. */
export interface Stats {
  readonly home: { readonly entities: number; readonly states: number };
  readonly ingest: { readonly changes: number; readonly synchronizing: boolean; readonly snapshots: number };
  readonly timeseries: {
    readonly waiting: number;
    readonly appended: number;
    readonly dropped: number;
    readonly folds: number;
  };
  readonly process: {
    readonly rss_bytes: number;
    readonly cpu_seconds: number;
    readonly event_loop_delay_ms: { readonly p50: number; readonly p99: number; readonly max: number };
  };
}

/** What a script of the repository prints, run to its end in a process of its own; rejects when it fails. */
export async function runNode(args: readonly string[]): Promise<string> {
  const child = start(args);
  const ended = once(child, "close");
  const output = await text(child.stdout!);
  const [code, signal] = await ended;
  if (code !== 0) throw new Error(`"${args[0]}" ended with ${signal ?? `code ${code}`}`);
  return output;
}

export interface ProgramOptions {
  /** With data from before, which stay; without it the program has a fresh one, which goes when it ends. */
  readonly directory?: string;
  readonly environment?: Readonly<Record<string, string>>;
}

/** The program as `npm start` runs it, on free ports. */
export interface Program extends AsyncDisposable {
  readonly url: string;
  readonly pid: number;
  readonly directory: string;
  readonly client: Client;
  stats(): Promise<Stats>;
}

/** Resolves once it listens and, with a home, once it has read it. */
export async function startProgram(home?: Home, options: ProgramOptions = {}): Promise<Program> {
  const directory = options.directory ?? mkdtempSync(join(tmpdir(), "bench-program-"));
  const { PATH, HOME } = process.env;
  const child = start([...startFlags(), "src/start.mjs"], {
    PATH,
    HOME,
    HOST: "127.0.0.1",
    DATA_API_PORT: "0",
    SPORTS_DATA_PORT: "0",
    WEATHER_PROVIDER: "off",
    DATA_DIR: directory,
    LOG_FORMAT: "json",
    ...(home ? { HA_URL: home.url, HA_TOKEN: home.token } : {}),
    ...options.environment,
  });
  const url = await listening(child);
  const client = new Client(url);
  const stats = () => client.read<Stats>("/api/v1/stats");
  if (home) {
    await until("the home to be read", async () => {
      const { home: rows, ingest, timeseries } = await stats();
      return ingest.snapshots > 0 && !ingest.synchronizing && rows.entities > 0 && timeseries.waiting === 0;
    });
  }
  return {
    url,
    pid: child.pid!,
    directory,
    client,
    stats,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await end(child);
      if (options.directory === undefined) rmSync(directory, { recursive: true });
    },
  };
}

/** The address of the data API from the program's log; the rest of the log is read and let go. */
function listening(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    child.once("exit", (code) => reject(new Error(`The program ended with code ${code}`)));
    createInterface({ input: child.stdout! }).on("line", (line) => {
      if (!line.startsWith("{")) return;
      const { level, msg, api, url } = JSON.parse(line);
      // Most figures are of a program without a home.
      if (level >= 40 && !msg.startsWith("HA_URL is not set")) console.error(`program: ${msg}`);
      if (msg === "Listening" && api === "data") resolve(url);
    });
  });
}

/** A number from a file of /proc/<pid>; NaN where the system has no such file. */
export function procNumber(pid: number, file: string, name: string): number {
  const path = `/proc/${pid}/${file}`;
  if (!existsSync(path)) return Number.NaN;
  const match = new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(readFileSync(path, "utf8"));
  return Number(match?.[1] ?? Number.NaN);
}
