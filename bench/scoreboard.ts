import { fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";
import { silentLog } from "../src/lib/log.ts";
import { createScoreSource } from "../src/sources/sports/score-source.ts";
import { createSports } from "../src/sports/sports.ts";
import { openStore } from "../src/timeseries/store.ts";
import { openWebhooks } from "../src/webhooks/webhooks.ts";
import type { Figure } from "./figure.ts";

const SETTINGS = { busyTimeoutSeconds: 5, cacheSize: -64_000, synchronous: "FULL" } as const;
const LOOKS = 100;
const POLL_SECONDS = 0.1;
/** Until V8 has compiled what runs; a program that follows a league has been looking for hours. */
const WARM_UP_LOOKS = 20;

/**
 * How long the main thread is held while scoreboards of 1 MB are read over HTTP, compared with what is known of 60
 * followed games, committed to the outbox and written to the store.
 */
export async function measureScoreboard(): Promise<readonly Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-bench-"));
  const server = fork(join(import.meta.dirname, "scoreboard-server.ts"));
  try {
    const [{ port }] = (await once(server, "message")) as [{ port: number }];
    const log = silentLog();
    await using stack = new AsyncDisposableStack();
    const store = stack.use(await openStore({ directory, commitSeconds: 5, settings: SETTINGS, log }));
    const outbox = await openWebhooks({
      ...{ directory, settings: SETTINGS, allow: [], retrySeconds: [1], timeoutSeconds: 15, version: "0.0.0", log },
    });
    stack.defer(() => outbox.close());
    const baseUrl = `http://127.0.0.1:${port}`;
    const source = createScoreSource({ baseUrl, userAgent: null, version: "0.0.0", pollSeconds: POLL_SECONDS, log });
    const configured = [{ league: "nfl", text: "*" }];
    const sports = await createSports({ source, outbox, samples: store, configured, log });
    stack.defer(() => sports.close());

    const looked = async (looks: number): Promise<void> => {
      while ((sports.status().counters.scoreboards ?? 0) < looks) await sleep(20);
    };
    await looked(WARM_UP_LOOKS);
    const delay = monitorEventLoopDelay({ resolution: 1 });
    delay.enable();
    await looked(WARM_UP_LOOKS + LOOKS);
    delay.disable();
    const games = [...sports.games()].length;
    if (games !== 60) throw new Error(`${games} games are known of 60`);
    const held = "sports: a scoreboard of 1 MB over HTTP to outbox and store, main thread held";
    return [
      { what: `${held}, p99.9`, value: delay.percentile(99.9) / 1e6, unit: "ms" },
      { what: `${held}, longest of ${LOOKS} looks`, value: delay.max / 1e6, unit: "ms", bar: { atMost: 20 } },
    ];
  } finally {
    server.disconnect();
    rmSync(directory, { recursive: true });
  }
}
