import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import type { Value } from "../../src/domain/sample.ts";
import { createInfluxClient } from "../../src/timeseries/forward/client.ts";
import type { Store } from "../../src/timeseries/store.ts";
import { Failure } from "../failure.ts";
import type { PeerServer } from "../peers/peer.ts";
import { waitUntil } from "../wait.ts";
import { openStoreAt } from "./store.ts";
import { targetAt } from "./target.ts";

const EVENTS_PER_SECOND = 500;
const ENTITIES = 200;
const SETTLE_TIMEOUT_MS = 300_000;
const BUCKET = "kills";
const KILLS = 5;

export interface KillsResult {
  readonly sent: number;
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
}

/**
 * 500 events/s go on while the server is killed under writes again and again, and our own store is closed and opened.
 * At the end the server must have each sample once, with its value.
 */
export async function runKills(peer: PeerServer, folder: string, say: (line: string) => void): Promise<KillsResult> {
  const data = join(folder, "server");
  let running = await peer.start(data);
  const port = Number(new URL(running.url).port);
  const target = targetAt(running, "archive", BUCKET);
  const open = (): Promise<Store> => openStoreAt(join(folder, "data"), { archive: target, mirrors: [] }, 0.5);
  const check = createInfluxClient(targetAt(running, "check", BUCKET));
  await check.prepare();

  let store = await open();
  const sent = new Map<number, Value>();
  const begin = Date.now() * 1000;
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
    }
  }

  say(`killed under writes, ${KILLS} times, and our own store closed in between`);
  for (let i = 0; i < KILLS; i++) {
    await produce(1);
    await running.stop("SIGKILL");
    if (i === 2) {
      await store.close();
      store = await open();
    }
    await produce(0.5);
    running = await peer.start(data, { port });
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
  return { sent: sent.size, lost, doubled, wrong };
}
