import type { Config } from "../config.ts";
import { DirectoryHeld, lockDirectory } from "../lib/directory-lock.ts";
import { createLog } from "../lib/log.ts";
import { openStore } from "../timeseries/store.ts";
import { askService } from "./service.ts";
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
    const request = { task: "seal", path: "/internal/seal", holder: cause.message };
    const { samples } = (await askService(config, request)) as { samples: number };
    return tell(samples);
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
