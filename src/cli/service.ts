import { existsSync, readFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { isIPv6 } from "node:net";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import type { Config } from "../config.ts";
import { AppError, messageOf } from "../domain/errors.ts";

/** A request to the service that owns the data directory. */
export interface ServiceRequest {
  /** As in "Cannot seal". */
  readonly task: string;
  readonly path: string;
  /** Who holds the data directory, as a sentence. */
  readonly holder: string;
}

const UNAUTHORIZED = 401;

/** POSTs to the running service at DATA_API_PORT and resolves with its answer; `unavailable` says why there is none. */
export async function askService(config: Config, { task, path, holder }: ServiceRequest): Promise<object> {
  const host = isIPv6(config.host) ? `[${config.host}]` : config.host;
  const url = `http://${host === "0.0.0.0" || host === "[::]" ? "127.0.0.1" : host}:${config.dataApiPort}${path}`;
  const cannot = (why: string, cause?: unknown): AppError =>
    new AppError("unavailable", `Cannot ${task}: ${holder}, and asking it at ${url} failed: ${why}`, { cause });
  const token = tokenOf(config);
  const { status, body } = await post(url, token).catch((cause: unknown) => {
    if ((cause as { code?: unknown }).code === "ECONNRESET") throw cannot("it ended before it answered", cause);
    throw cannot(`${messageOf(cause)}; HOST and DATA_API_PORT must be those of the service`, cause);
  });
  if (status === UNAUTHORIZED) {
    const which = token === null ? "a token is needed" : "it has another token";
    throw cannot(`${which}; API_TOKEN or API_TOKEN_FILE must be that of the service`);
  }
  if (status === 200 && typeof body === "object" && body !== null) return body;
  throw cannot(String((body as { message?: unknown } | null)?.message ?? `status ${status}`));
}

/** By hand: `fetch` gives up after five minutes, and asks at no port that a browser would not. */
function post(url: string, token: string | null): Promise<{ readonly status: number; readonly body: unknown }> {
  return new Promise((resolve, reject) => {
    const headers = token === null ? {} : { authorization: `Bearer ${token}` };
    const asking = httpRequest(url, { method: "POST", headers }, async (response) => {
      try {
        resolve({ status: response.statusCode!, body: parsed(await text(response)) });
      } catch (error) {
        reject(error);
      }
    });
    asking.on("error", reject).end();
  });
}

/** Null for what is no JSON. */
function parsed(content: string): unknown {
  try {
    return JSON.parse(content);
  } catch {
    return null;
  }
}

function tokenOf({ apiToken, dataDir }: Config): string | null {
  const file = join(dataDir, "api-token");
  return apiToken ?? (existsSync(file) ? readFileSync(file, "utf8").trim() : null);
}
