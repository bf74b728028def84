import { type Stats, statSync, unwatchFile, watchFile } from "node:fs";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import type { Config } from "./config.ts";
import { CONFIG_FILE, readFilter } from "./config-file.ts";
import { messageOf } from "./domain/errors.ts";
import type { FilterRules } from "./ingest/filter-rules.ts";
import type { Logger } from "./lib/log.ts";
import { readSecretFile } from "./lib/secret-file.ts";

/** Files that may be changed while the service runs. */

const LOOK_MS = 2_000;

export interface WatchedRules {
  /** Why the file that is there now is not followed; null: it is, or there is none. */
  fault(): string | null;
  close(): void;
}

/** Tells of changes of the rules in ha-ingestor.yaml; a faulty file changes nothing, is logged, and has a `fault`. */
export function watchRules(
  { dataDir, keep }: Pick<Config, "dataDir" | "keep">,
  reload: (rules: FilterRules) => void,
  log: Logger,
  lookMs = LOOK_MS,
): WatchedRules {
  const file = join(dataDir, CONFIG_FILE);
  let fault: string | null = null;
  // Taken at once: watchFile() would look later, for the first time, and miss what is written until then.
  let known = stampOf(statSync(file, { throwIfNoEntry: false }));
  let closed = false;
  const look = async (): Promise<void> => {
    const stamp = stampOf(await stat(file).catch(() => undefined));
    if (closed || stamp === known) return;
    known = stamp;
    try {
      reload(readFilter(dataDir, keep));
      fault = null;
      log.info(`The rules of ${CONFIG_FILE} were read again`);
    } catch (error) {
      fault = messageOf(error);
      log.error(`The rules stay as they were: ${fault}`);
    }
  };
  const timer = setInterval(look, lookMs).unref();
  return {
    fault: () => fault,
    close() {
      closed = true;
      clearInterval(timer);
    },
  };
}

/** What tells one state of a file from another; the same for every file that is not there. */
function stampOf(stats: Stats | undefined): string {
  return stats === undefined ? "" : [stats.mtimeMs, stats.size, stats.ino].join();
}

/** Tells of another token in HA_TOKEN_FILE, so that a refused one can be replaced without a restart. */
export function watchToken(file: string | null, use: (token: string) => void, log: Logger): () => void {
  if (file === null) return () => {};
  let inUse = readSecretFile(file);
  watchFile(file, { interval: LOOK_MS, persistent: false }, () => {
    try {
      const token = readSecretFile(file);
      // An empty file is one that is being written.
      if (token === "" || token === inUse) return;
      inUse = token;
      log.info("HA_TOKEN_FILE holds another token: connecting with it");
      use(token);
    } catch (error) {
      log.warn(`The token stays as it was: HA_TOKEN_FILE cannot be read: ${messageOf(error)}`);
    }
  });
  return () => unwatchFile(file);
}
