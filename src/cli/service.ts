import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, isLoopback } from "../config.ts";
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
  const host = isLoopback(config.host) && config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `http://${host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host}:${config.dataApiPort}${path}`;
  const cannot = (why: string, cause?: unknown): AppError =>
    new AppError("unavailable", `Cannot ${task}: ${holder}, and asking it at ${url} failed: ${why}`, { cause });
  const token = tokenOf(config);
  const response = await fetch(url, {
    method: "POST",
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  }).catch((cause: unknown) => {
    // `fetch` says "fetch failed"; the reason is its cause.
    const why = messageOf((cause as { cause?: unknown }).cause ?? cause);
    throw cannot(`${why}; HOST and DATA_API_PORT must be those of the service`, cause);
  });
  if (response.status === UNAUTHORIZED) {
    const which = token === null ? "a token is needed" : "it has another token";
    throw cannot(`${which}; API_TOKEN or API_TOKEN_FILE must be that of the service`);
  }
  const body: unknown = await response.json().catch(() => null);
  if (response.ok && typeof body === "object" && body !== null) return body;
  throw cannot(String((body as { message?: unknown } | null)?.message ?? `status ${response.status}`));
}

function tokenOf({ apiToken, dataDir }: Config): string | null {
  const file = join(dataDir, "api-token");
  return apiToken ?? (existsSync(file) ? readFileSync(file, "utf8").trim() : null);
}
