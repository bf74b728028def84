import { AppError, messageOf as errorMessage } from "../../domain/errors.ts";
import type { QueryCounts } from "../../domain/forwarding.ts";
import { networkReason } from "../../lib/network-reason.ts";
import { messageOf, readAnswer, type WriteOutcome } from "./answers.ts";
import type { TargetSettings } from "./target-settings.ts";

const WRITE_TIMEOUT_MS = 30_000;
const QUERY_TIMEOUT_MS = 60_000;
/** More of an answer to a write is not read: servers repeat each line that they refuse. */
const ERROR_BYTES_MAX = 256 * 1024;
const QUERY_BYTES_MAX = 128 * 1024 * 1024;

/** A row of InfluxQL: time in microseconds, then what was selected. */
export type Row = readonly unknown[];

/** Rows that have the same tags, of those that were grouped by. */
export interface RowGroup {
  readonly tags: Readonly<Record<string, string>>;
  readonly rows: readonly Row[];
}

export interface InfluxClient {
  /** As the server tells it; null before it was asked, or where it tells none. */
  version(): string | null;
  /** Sends lines, compressed with gzip. Never rejects for what a server or network does. */
  write(lines: Uint8Array): Promise<WriteOutcome>;
  /**
   * Asks whether lines would be taken, by sending none; makes the bucket or database first where it is missing and the
   * credentials allow it, but not before `missing` has resolved. Rejects as that does.
   */
  prepare(missing?: () => Promise<void>): Promise<WriteOutcome>;
  /** Rows of one statement, times in microseconds. Rejects (`unavailable`) with the server's words. */
  query(statement: string): Promise<readonly Row[]>;
  /** As `query`, of a statement that groups by tags. */
  groups(statement: string): Promise<readonly RowGroup[]>;
  /** Of `query` and `groups`, so far. */
  queries(): QueryCounts;
}

/**
 * One client for InfluxDB 1.x, 2.x, 3.x and what speaks like them. Which one it is decides the first number of what
 * `/ping` tells, unless the settings do; where it tells none, bucket or database in the settings.
 */
export function createInfluxClient(
  settings: TargetSettings,
  {
    fetch = globalThis.fetch,
    now = Date.now,
  }: { readonly fetch?: typeof globalThis.fetch; readonly now?: () => number } = {},
): InfluxClient {
  let version: string | null = null;
  /** The server was asked which one it is. */
  let isKnown = false;
  const queries = { asked: 0, failed: 0, milliseconds: 0 };
  let generation: 1 | 2 | undefined = settings.version === "auto" ? undefined : settings.version;
  const bucket = settings.bucket ?? settings.database ?? "";
  const database = settings.database ?? settings.bucket ?? "";

  async function call(path: string, init: RequestInit, timeoutMs: number): Promise<Response> {
    return fetch(settings.url.replace(/\/+$/, "") + path, {
      ...init,
      headers: { ...credentials(settings), ...init.headers },
      // Credentials belong to this server and to none that it names.
      redirect: "manual",
      signal: AbortSignal.timeout(timeoutMs),
    });
  }

  async function detect(): Promise<1 | 2> {
    if (generation !== undefined && isKnown) return generation;
    const response = await call("/ping", {}, WRITE_TIMEOUT_MS);
    await response.body?.cancel();
    version = response.headers.get("x-influxdb-version");
    isKnown = true;
    const told = Number(/^(\d+)\./.exec(version ?? "")?.[1]);
    const guessed = settings.bucket !== null && settings.database === null ? 2 : 1;
    generation ??= Number.isNaN(told) ? guessed : told >= 2 ? 2 : 1;
    return generation;
  }

  async function send(lines: Uint8Array): Promise<WriteOutcome> {
    try {
      const path =
        (await detect()) === 2
          ? `/api/v2/write?${parameters({ org: settings.org, bucket, precision: "ns" })}`
          : `/write?${parameters({ db: database, rp: settings.retentionPolicy, precision: "ns" })}`;
      const init = { method: "POST", body: lines as Uint8Array<ArrayBuffer>, headers: { ...GZIP, ...TEXT } };
      const response = await call(path, init, WRITE_TIMEOUT_MS);
      const { body } = await readBeginning(response, ERROR_BYTES_MAX);
      return readAnswer(response.status, response.headers, body, now());
    } catch (error) {
      // No connection, or it broke before the answer was whole.
      return { kind: "later", reason: networkReason(error), afterMs: null };
    }
  }

  async function create(): Promise<void> {
    if ((await detect()) === 1) {
      const name = database.replaceAll('"', '\\"');
      const duration = settings.retentionDays === null ? "" : ` WITH DURATION ${settings.retentionDays}d`;
      await ask(`CREATE DATABASE "${name}"${duration}`);
      return;
    }
    const organizations = await json(`/api/v2/orgs?${parameters({ org: settings.org })}`, {});
    const [first] = ((organizations as { orgs?: unknown }).orgs ?? []) as { id?: unknown }[];
    if (first === undefined) throw new Error(`the token may not see the organization "${settings.org}"`);
    const everySeconds = (settings.retentionDays ?? 0) * 86_400;
    const retentionRules = everySeconds === 0 ? [] : [{ type: "expire", everySeconds }];
    const body = JSON.stringify({ orgID: first.id, name: bucket, retentionRules });
    await json("/api/v2/buckets", { method: "POST", body, headers: { "content-type": "application/json" } });
  }

  async function json(path: string, init: RequestInit): Promise<unknown> {
    const response = await call(path, init, QUERY_TIMEOUT_MS);
    const { body, isWhole } = await readBeginning(response, QUERY_BYTES_MAX);
    if (!isWhole) throw new Error(`The answer is larger than ${QUERY_BYTES_MAX} bytes`);
    if (!response.ok) throw new AppError("unavailable", `${response.status} ${messageOf(body)}`);
    return JSON.parse(body);
  }

  async function ask(statement: string): Promise<readonly RowGroup[]> {
    await detect();
    const path = `/query?${parameters({ db: database || bucket, rp: settings.retentionPolicy, epoch: "u" })}`;
    const body = new URLSearchParams({ q: statement });
    return groupsOf(await json(path, { method: "POST", body }));
  }

  async function groups(statement: string): Promise<readonly RowGroup[]> {
    const start = performance.now();
    queries.asked++;
    try {
      return await ask(statement);
    } catch (cause) {
      queries.failed++;
      throw new AppError("unavailable", `Cannot ask InfluxDB at "${settings.url}": ${networkReason(cause)}`, {
        cause,
      });
    } finally {
      queries.milliseconds += performance.now() - start;
    }
  }

  return {
    version: () => version,
    write: send,
    async prepare(missing) {
      // Another server may answer here since.
      isKnown = false;
      if (settings.version === "auto") generation = undefined;
      const outcome = await send(NOTHING);
      if (outcome.kind !== "stopped" || !outcome.missing) return outcome;
      await missing?.();
      try {
        await create();
      } catch (error) {
        const what = `it is not there and cannot be made: ${errorMessage(error)}`;
        return { ...outcome, reason: `${outcome.reason}; ${what}` };
      }
      return send(NOTHING);
    },
    queries: () => ({ ...queries }),
    query: async (statement) => (await groups(statement))[0]?.rows ?? [],
    groups,
  };
}

const GZIP = { "content-encoding": "gzip" };
const TEXT = { "content-type": "text/plain; charset=utf-8" };
/** An empty body, compressed: what every server takes from whoever may write. */
const NOTHING = new Uint8Array([31, 139, 8, 0, 0, 0, 0, 0, 0, 3, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0]);

function credentials({ token, username, password }: TargetSettings): Record<string, string> {
  if (token !== null) return { authorization: `Token ${token}` };
  if (username === null) return {};
  return { authorization: `Basic ${Buffer.from(`${username}:${password ?? ""}`).toString("base64")}` };
}

function parameters(values: Readonly<Record<string, string | null>>): string {
  const given = Object.entries(values).filter((entry): entry is [string, string] => entry[1] !== null);
  return new URLSearchParams(given).toString();
}

async function readBeginning(response: Response, bytesMax: number): Promise<{ body: string; isWhole: boolean }> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const part of response.body ?? []) {
    parts.push(part);
    bytes += part.length;
    // Whoever leaves the loop cancels the rest.
    if (bytes > bytesMax) break;
  }
  return { body: Buffer.concat(parts).toString("utf8", 0, bytesMax), isWhole: bytes <= bytesMax };
}

/**
 * What the only statement found; nothing where there is no such measurement. Errors come with status 200 as well.
 */
function groupsOf(answer: unknown): readonly RowGroup[] {
  const result = ((answer as { results?: unknown } | null)?.results as unknown[] | undefined)?.[0] as
    | { error?: unknown; series?: unknown }
    | undefined;
  if (typeof result?.error === "string") throw new AppError("unavailable", result.error);
  const series = (result?.series ?? []) as { tags?: RowGroup["tags"]; values?: readonly Row[] }[];
  return series.map(({ tags = {}, values = [] }) => ({ tags, rows: values }));
}
