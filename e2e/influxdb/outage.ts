import { cpSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Value } from "../../src/domain/sample.ts";
import { createInfluxClient } from "../../src/timeseries/forward/client.ts";
import type { Store } from "../../src/timeseries/store.ts";
import { Failure } from "../failure.ts";
import { type PeerServer, type RunningPeer, request, TOKEN } from "../peers/peer.ts";
import { waitUntil } from "../wait.ts";
import { openStoreAt } from "./store.ts";
import { targetAt } from "./target.ts";

const EVENTS_PER_SECOND = 500;
const ENTITIES = 200;
const SETTLE_TIMEOUT_MS = 300_000;
const BUCKET = "outage";
/** Much later than a forwarder asks a server that refused it. */
const RESUME_TIMEOUT_MS = 120_000;

export interface OutageResult {
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly waitingMax: number;
  readonly catchUpSeconds: number;
}

/**
 * 500 events/s go on while the server is killed for `outageSeconds`, comes back with its data directory moved, is killed
 * under writes again and again, our own store is closed and opened, and (2.x) the token is revoked and restored. At the
 * end the server must have each sample once, with its value.
 */
export async function runOutage(
  peer: PeerServer,
  folder: string,
  outageSeconds: number,
  say: (line: string) => void,
): Promise<OutageResult> {
  const first = join(folder, "server-1");
  const second = join(folder, "server-2");
  let running = await peer.start(first);
  const port = Number(new URL(running.url).port);
  const hasTokens = running.version.startsWith("2.");
  const token = hasTokens ? await makeToken(running) : null;
  const target = { ...targetAt(running, "archive", BUCKET), ...(token === null ? {} : { token: token.token }) };
  const open = (): Promise<Store> => openStoreAt(join(folder, "data"), { archive: target, mirrors: [] }, 0.5);
  // With the first token, since the second one will be revoked.
  const check = createInfluxClient(targetAt(running, "check", BUCKET));
  await check.prepare();

  let store = await open();
  const sent = new Map<number, Value>();
  const begin = Date.now() * 1000;
  let waitingMax = 0;
  const waiting = (): number => store.forwarding.status()[0]!.waiting;

  async function produce(seconds: number): Promise<void> {
    const until = performance.now() + seconds * 1000;
    for (let due = performance.now(); due < until; due += 100) {
      await sleep(Math.max(0, due - performance.now()));
      for (let i = 0; i < EVENTS_PER_SECOND / 10; i++) {
        const number = sent.size;
        const subject = `entity-${number % ENTITIES}`;
        const key = { measurement: "state", subject, field: "state" };
        // A time of its own for each sample, so that the server's rows can be told apart.
        const ts = begin + number;
        const value = number % 11 === 0 ? `text "${number}"` : number / 8;
        store.append(store.series(key, `sensor.${subject.replace("-", "_")}`, ts), ts, value);
        sent.set(ts, value);
      }
      waitingMax = Math.max(waitingMax, waiting());
    }
  }

  say(`killed for ${outageSeconds} s`);
  await produce(3);
  await running.stop("SIGKILL");
  await produce(outageSeconds);
  say("back, with its data directory moved");
  cpSync(first, second, { recursive: true });
  rmSync(first, { recursive: true });
  running = await peer.start(second, { port });
  const backAt = performance.now();
  await Promise.all([
    produce(5),
    waitUntil("the queue to empty", () => waiting() < 5_000, { timeoutMs: SETTLE_TIMEOUT_MS }),
  ]);
  const catchUpSeconds = Math.round((performance.now() - backAt) / 100) / 10;

  say("killed under writes, five times, and our own store closed in between");
  for (let i = 0; i < 5; i++) {
    await produce(1);
    await running.stop("SIGKILL");
    if (i === 2) {
      await store.close();
      store = await open();
    }
    await produce(0.5);
    running = await peer.start(second, { port });
  }
  if (token !== null) {
    say("token revoked and restored");
    await setToken(running, token.id, "inactive");
    await produce(2);
    await waitUntil("the target to stop", () => store.forwarding.status()[0]!.state === "stopped", {
      timeoutMs: RESUME_TIMEOUT_MS,
    });
    await setToken(running, token.id, "active");
  }
  await produce(1);
  await store.flush();
  await waitUntil("everything to be acknowledged", () => waiting() === 0, { timeoutMs: SETTLE_TIMEOUT_MS });

  const seen = new Map<number, Value>();
  let doubled = 0;
  let wrong = 0;
  const page = 20_000;
  for (let from = begin; ; ) {
    const rows = await check.query(`SELECT "value", "state" FROM "state" WHERE time >= ${from}000 LIMIT ${page}`);
    for (const [time, number, text] of rows) {
      const value = (number ?? text) as Value;
      if (seen.has(time as number)) doubled++;
      if (sent.get(time as number) !== value) wrong++;
      seen.set(time as number, value);
    }
    if (rows.length < page) break;
    from = (rows[rows.length - 1]![0] as number) + 1;
  }
  const { deadLetters } = store.forwarding.status()[0]!;
  await store.close();
  await running.stop();
  if (deadLetters > 0) throw new Failure(`${deadLetters} samples were refused`);
  const lost = [...sent.keys()].filter((ts) => !seen.has(ts)).length;
  return { sent: sent.size, lost, doubled, wrong, waitingMax, catchUpSeconds };
}

/** A token beside the first one, which stays to look and to give this one back. */
async function makeToken(running: RunningPeer): Promise<{ readonly id: string; readonly token: string }> {
  const headers = { authorization: `Token ${TOKEN}`, "content-type": "application/json" };
  const { body } = await request(`${running.url}/api/v2/orgs`, [200], { headers });
  const orgID = (JSON.parse(body) as { orgs: { id: string }[] }).orgs[0]!.id;
  const permissions = ["read", "write"].flatMap((action) =>
    ["buckets", "orgs"].map((type) => ({ action, resource: { type, orgID } })),
  );
  const made = await request(`${running.url}/api/v2/authorizations`, [201], {
    method: "POST",
    headers,
    body: JSON.stringify({ orgID, permissions }),
  });
  return JSON.parse(made.body) as { id: string; token: string };
}

async function setToken(running: RunningPeer, id: string, status: "active" | "inactive"): Promise<void> {
  const headers = { authorization: `Token ${TOKEN}`, "content-type": "application/json" };
  const init = { method: "PATCH", headers, body: JSON.stringify({ status }) };
  await request(`${running.url}/api/v2/authorizations/${id}`, [200], init);
}
