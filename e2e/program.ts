import type { ChildProcess } from "node:child_process";
import { mkdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { Failure } from "./failure.ts";
import { request } from "./home-assistant/client.ts";
import { end, hasEnded, start as startProcess, tail } from "./process.ts";
import { abandon, waitUntil } from "./wait.ts";

const REPOSITORY = join(import.meta.dirname, "..");
const START_TIMEOUT_MS = 30_000;
const READY_TIMEOUT_MS = 60_000;
const PAGE_ROWS = 1000;

/** What `/ready` says: whether all is well, else why not. */
export interface Readiness {
  readonly ready: boolean;
  readonly reasons: readonly string[];
}

/** The program under test, as a process of its own with a data directory of its own. */
export interface Program extends AsyncDisposable {
  readonly log: string;
  /** Of the data API. */
  readonly url: string;
  /** Of the sports API. */
  readonly sportsUrl: string;
  /** Of the process that runs now, or ran last. */
  readonly pid: number;
  isRunning(): boolean;
  /** Starts it (again) on the same data and resolves once it listens. */
  start(): Promise<void>;
  stop(signal: "SIGTERM" | "SIGKILL"): Promise<void>;
  get(path: string): Promise<{ readonly status: number; readonly body: unknown }>;
  /** The body of a 200; throws a Failure for any other status. */
  read<Body>(path: string): Promise<Body>;
  /** All rows of a list, page by page; `noun` is the field that holds them. */
  readAll<Row>(path: string, noun: string): Promise<Row[]>;
  readiness(): Promise<Readiness>;
  /** Resolves once `/ready` answers 200; throws with its reasons when it does not. */
  awaitReady(): Promise<void>;
}

export interface ProgramOptions {
  readonly homeAssistantUrl: string;
  readonly token: string;
  /** Holds the data directory and the log. */
  readonly folder: string;
  /** Variables besides those that every run sets. */
  readonly env?: Readonly<Record<string, string>>;
  /** A command that becomes the program by `exec` of the arguments that follow it. */
  readonly wrapper?: readonly string[];
}

/** Starts the program from this work tree on free ports. Throws a Failure with the end of its log when it does not. */
export async function startProgram(options: ProgramOptions): Promise<Program> {
  const { homeAssistantUrl, token, folder, wrapper = [] } = options;
  mkdirSync(folder, { recursive: true });
  const log = join(folder, "program.log");
  const env: NodeJS.ProcessEnv = {
    PATH: process.env.PATH,
    HA_URL: homeAssistantUrl,
    HA_TOKEN: token,
    HOST: "127.0.0.1",
    DATA_API_PORT: "0",
    SPORTS_DATA_PORT: "0",
    DATA_DIR: join(folder, "data"),
    WEATHER_PROVIDER: "off",
    LOG_FORMAT: "json",
    LOG_LEVEL: "debug",
    ...options.env,
  };
  const command = [...wrapper, process.execPath, ...startFlags(), join(REPOSITORY, "src/start.mjs")];
  let child: ChildProcess | undefined;
  let urls = { data: "", sports: "" };

  const start = async () => {
    const begin = statSync(log, { throwIfNoEntry: false })?.size ?? 0;
    const started = startProcess(command[0]!, command.slice(1), { log, env });
    child = started;
    urls = await waitUntil(
      "the program to listen",
      () => {
        if (hasEnded(started)) throw abandon(`The program ended with code ${started.exitCode}:\n${tail(log)}`);
        return listeningUrls(readFileSync(log, "utf8").slice(begin));
      },
      { timeoutMs: START_TIMEOUT_MS },
    );
  };
  const stop = async (signal: "SIGTERM" | "SIGKILL") => {
    if (child) await end(child, signal);
  };
  const get = (path: string) => request(urls.data + path, "GET");
  const read = async <Body>(path: string): Promise<Body> => {
    const { status, body } = await get(path);
    if (status !== 200) throw new Failure(`GET ${path} answers ${status}: ${JSON.stringify(body)}`);
    return body as Body;
  };
  const readiness = async (): Promise<Readiness> => {
    const { status, body } = await get("/ready");
    const { reasons } = body as { readonly reasons?: readonly string[] };
    return { ready: status === 200, reasons: reasons ?? [] };
  };

  await start();
  return {
    log,
    get url() {
      return urls.data;
    },
    get sportsUrl() {
      return urls.sports;
    },
    get pid() {
      return child?.pid ?? 0;
    },
    isRunning: () => child !== undefined && !hasEnded(child),
    start,
    stop,
    get,
    read,
    async readAll<Row>(path: string, noun: string) {
      const rows: Row[] = [];
      let cursor: string | null = null;
      do {
        const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
        const page: Record<string, unknown> = await read(
          `${path}${path.includes("?") ? "&" : "?"}limit=${PAGE_ROWS}${next}`,
        );
        rows.push(...(page[noun] as Row[]));
        cursor = page.next_cursor as string | null;
      } while (cursor !== null);
      return rows;
    },
    readiness,
    async awaitReady() {
      await waitUntil(
        "/ready to answer 200",
        async () => {
          const { ready, reasons } = await readiness();
          if (!ready) throw new Failure(reasons.join("; "));
          return true;
        },
        { timeoutMs: READY_TIMEOUT_MS },
      );
    },
    [Symbol.asyncDispose]: () => stop("SIGTERM"),
  };
}

/** What `npm start` gives to node before the program: without these flags it takes more memory than it does. */
export function startFlags(): string[] {
  const { scripts } = JSON.parse(readFileSync(join(REPOSITORY, "package.json"), "utf8"));
  return String(scripts.start)
    .split(" ")
    .filter((argument) => argument.startsWith("--"));
}

/** The addresses of both APIs in the log of this start, undefined before they listen. */
function listeningUrls(log: string): { readonly data: string; readonly sports: string } | undefined {
  const found = new Map<string, string>();
  for (const line of log.split("\n")) {
    if (!line.includes('"Listening"')) continue;
    const { msg, api, url } = JSON.parse(line);
    if (msg === "Listening") found.set(api, url);
  }
  const [data, sports] = [found.get("data"), found.get("sports")];
  return data === undefined || sports === undefined ? undefined : { data, sports };
}
