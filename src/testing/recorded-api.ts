import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { TestContext } from "node:test";
import { createApi } from "../api/server.ts";
import type { Gap } from "../domain/gaps.ts";
import { silentLog } from "../lib/log.ts";
import { openHome } from "../metadata/home.ts";
import { openStore, type StoreOptions } from "../timeseries/store.ts";
import { apiOptions } from "./api-doubles.ts";

/** Tools of tests: the API on a real store and a real home, which go away with the test. */

function temporary(t: TestContext): string {
  const directory = mkdtempSync(join(tmpdir(), "api-test-"));
  t.after(() => rmSync(directory, { recursive: true }));
  return directory;
}

/** `gaps`: of the ledger of gaps; those of the store without it. `storing`: how the store is another than usual. */
export async function startRecorded(
  t: TestContext,
  options: {
    readonly gaps?: readonly Gap[];
    readonly directory?: string;
    readonly storing?: Partial<StoreOptions>;
  } = {},
) {
  const { directory = temporary(t), gaps, storing } = options;
  const home = await openHome({ file: join(directory, "metadata.db"), log: silentLog() });
  const store = await openStore({
    directory,
    commitSeconds: 1000,
    settings: { busyTimeoutSeconds: 1, cacheSize: -2000, synchronous: "OFF" },
    log: silentLog(),
    ...storing,
  });
  const doubles = apiOptions();
  const api = await createApi({
    ...doubles,
    home,
    samples: store,
    events: { samples: store, contexts: store.contexts },
    status: { ...doubles.status, gaps: gaps === undefined ? store.gaps.list : () => gaps },
  });
  const close = async (): Promise<void> => {
    await api.close();
    await store.close();
    await home.close();
  };
  t.after(close);
  return { api, store, home, directory, close };
}

export type Recorded = Awaited<ReturnType<typeof startRecorded>>;
