import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type Config, isLoopback } from "../config.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import { DirectoryHeld, lockDirectory } from "../lib/directory-lock.ts";
import { createLog } from "../lib/log.ts";
import { openStore } from "../timeseries/store.ts";
import { assertThere } from "./there.ts";

/**
 * `seal`: archives the days older than HOT_DAYS now. Beside a running service it asks the service, which owns the
 * data, at DATA_API_PORT.
 */
export async function seal(_argument: readonly string[], config: Config): Promise<void> {
  assertThere("seal", config.dataDir);
  let lock: Disposable;
  try {
    lock = lockDirectory(config.dataDir);
  } catch (cause) {
    if (!(cause instanceof DirectoryHeld)) throw cause;
    return tell(await askService(config, cause.message));
  }
  using _held = lock;
  await using store = await openStore({
    directory: config.dataDir,
    commitSeconds: config.commitSeconds,
    settings: config.sqlite,
    log: createLog({ level: "warn", format: config.logFormat }).child({ component: "timeseries" }),
    archive: { hotDays: config.hotDays },
  });
  tell(await store.seal());
}

function tell(samples: number): void {
  console.log(samples === 0 ? "Nothing was old enough to archive" : `${samples} samples went to the archive`);
}

async function askService(config: Config, holder: string): Promise<number> {
  const host = isLoopback(config.host) && config.host.includes(":") ? `[${config.host}]` : config.host;
  const url = `http://${host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host}:${config.dataApiPort}/internal/seal`;
  const cannot = (why: string, cause?: unknown): AppError =>
    new AppError("unavailable", `Cannot seal: ${holder}, and asking it at ${url} failed: ${why}`, { cause });
  const token = tokenOf(config);
  const response = await fetch(url, {
    method: "POST",
    headers: token === null ? {} : { authorization: `Bearer ${token}` },
  }).catch((cause: unknown) => {
    throw cannot(`${messageOf(cause)}; DATA_API_PORT must be that of the service`, cause);
  });
  const body: unknown = await response.json().catch(() => null);
  const { samples, message } = (body ?? {}) as { samples?: unknown; message?: unknown };
  if (!response.ok || typeof samples !== "number") throw cannot(String(message ?? `status ${response.status}`));
  return samples;
}

function tokenOf({ apiToken, dataDir }: Config): string | null {
  const file = join(dataDir, "api-token");
  return apiToken ?? (existsSync(file) ? readFileSync(file, "utf8").trim() : null);
}
