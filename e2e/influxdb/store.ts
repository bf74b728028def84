import { silentLog } from "../../src/lib/log.ts";
import { nowMicros } from "../../src/lib/time.ts";
import type { ForwardSettings } from "../../src/timeseries/forward/forwarding.ts";
import { openStore, type Store } from "../../src/timeseries/store.ts";

/** A store that archives on demand only; into files where nothing is forwarded. */
export function openStoreAt(
  directory: string,
  forward: ForwardSettings | undefined,
  commitSeconds: number,
  now: () => number = nowMicros,
): Promise<Store> {
  return openStore({
    directory,
    commitSeconds,
    settings: { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "FULL" },
    log: silentLog(),
    now,
    archive: { hotDays: 3, firstMs: 100_000_000 },
    ...(forward === undefined ? {} : { forward }),
  });
}
