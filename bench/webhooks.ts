import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { NewEvent } from "../src/domain/webhook.ts";
import { silentLog } from "../src/lib/log.ts";
import { type OpenWebhooks, openWebhooks } from "../src/webhooks/webhooks.ts";
import { type Figure, type Group, quantile } from "./figure.ts";
import { measureScoreboard } from "./scoreboard.ts";

const WEBHOOKS = 1_000;
const EVENTS_PER_SECOND = 100;
/** Each event concerns one team, and so many webhooks follow it. */
const FOLLOWERS = 5;
const SECONDS = 20;
const FLAT_OUT_EVENTS = 2_000;

const now = (): number => performance.timeOrigin + performance.now();

function event(number: number): NewEvent {
  return {
    type: "score_changed",
    orderKey: `nfl:${number}`,
    at: Math.round(now() * 1000),
    league: "nfl",
    teams: [`nfl:${number % (WEBHOOKS / FOLLOWERS)}`],
    fields: { game_id: String(number), league: "NFL", home_team: "sf", away_team: "dal", score: { home: 7, away: 0 } },
    data: { at: now(), last_play: "x".repeat(300) },
  };
}

async function register(webhooks: OpenWebhooks, url: string): Promise<void> {
  for (let team = 0; team < WEBHOOKS / FOLLOWERS; team++) {
    const input = { url, events: ["score_changed", "game_*"], team: `nfl:${team}`, secret: "secret_key_16+_chars" };
    await Promise.all(Array.from({ length: FOLLOWERS }, () => webhooks.register(input)));
  }
}

async function arrivals(receiver: ChildProcess): Promise<readonly number[]> {
  receiver.send("report");
  const [{ took }] = (await once(receiver, "message")) as [{ took: number[] }];
  return took;
}

async function allDelivered(webhooks: OpenWebhooks): Promise<void> {
  while ((await webhooks.deliveries({ webhookId: null, state: "waiting", limit: 1 })).total > 0) await sleep(20);
}

/** Events at an even pace; answers the milliseconds that each commit took. */
async function pace(webhooks: OpenWebhooks): Promise<readonly number[]> {
  const commits: Promise<number>[] = [];
  const startedAt = performance.now();
  for (let number = 0; number < SECONDS * EVENTS_PER_SECOND; number++) {
    await sleep(Math.max(0, startedAt + (number * 1000) / EVENTS_PER_SECOND - performance.now()));
    const from = performance.now();
    const game = { id: `nfl:${number % 50}`, json: "x".repeat(500) };
    commits.push(webhooks.commit({ games: [game], events: [event(number)] }).then(() => performance.now() - from));
  }
  return Promise.all(commits);
}

async function flatOut(webhooks: OpenWebhooks): Promise<number> {
  const startedAt = performance.now();
  for (let number = 0; number < FLAT_OUT_EVENTS; number += 100) {
    await webhooks.commit({ events: Array.from({ length: 100 }, (_, i) => event(1_000_000 + number + i)) });
  }
  await allDelivered(webhooks);
  return (FLAT_OUT_EVENTS * FOLLOWERS * 1000) / (performance.now() - startedAt);
}

async function measureDelivery(): Promise<readonly Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "ha-ingestor-bench-"));
  const receiver = fork(join(import.meta.dirname, "webhook-receiver.ts"));
  const [{ port }] = (await once(receiver, "message")) as [{ port: number }];
  const webhooks = await openWebhooks({
    directory,
    settings: { busyTimeoutSeconds: 5, cacheSize: -64_000, synchronous: "FULL" },
    allow: [`127.0.0.1:${port}`],
    retrySeconds: [1],
    timeoutSeconds: 15,
    version: "0.0.0",
    log: silentLog(),
  });
  try {
    await register(webhooks, `http://127.0.0.1:${port}/hook`);
    const commits = await pace(webhooks);
    await allDelivered(webhooks);
    const took = await arrivals(receiver);
    const expected = SECONDS * EVENTS_PER_SECOND * FOLLOWERS;
    if (took.length !== expected) throw new Error(`${took.length} of ${expected} deliveries arrived`);
    const load = `${WEBHOOKS} webhooks, ${EVENTS_PER_SECOND} events/s to ${FOLLOWERS} each`;
    return [
      {
        what: `webhooks: outbox commit, p99 (${load})`,
        value: quantile(commits, 0.99),
        unit: "ms",
        bar: { atMost: 20 },
      },
      { what: "webhooks: detection → at the receiver, p50", value: quantile(took, 0.5), unit: "ms" },
      {
        what: "webhooks: detection → at the receiver, p99",
        value: quantile(took, 0.99),
        unit: "ms",
        bar: { atMost: 500 },
      },
      {
        what: "webhooks: flat out to a local receiver",
        value: await flatOut(webhooks),
        unit: "deliveries/s",
        bar: { atLeast: 500 },
      },
    ];
  } finally {
    await webhooks.close();
    receiver.disconnect();
    rmSync(directory, { recursive: true });
  }
}

export const webhooks: Group = {
  name: "webhooks",
  measure: async () => [...(await measureDelivery()), ...(await measureScoreboard())],
};
