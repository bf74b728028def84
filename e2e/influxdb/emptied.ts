import { deepStrictEqual } from "node:assert/strict";
import { join } from "node:path";
import type { Micros, Value } from "../../src/domain/sample.ts";
import type { Store } from "../../src/timeseries/store.ts";
import { type PeerServer, type RunningPeer, request } from "../peers/peer.ts";
import { waitUntil } from "../wait.ts";
import { openStoreAt } from "./store.ts";
import { targetAt } from "./target.ts";

const DAY = 86_400_000_000;
const START = Date.UTC(2026, 9, 20) * 1000;
const DAYS = 5;
const SAMPLES_A_DAY = 288;
const NOW = START + 20 * DAY;
const BUCKET = "emptied";
const TAKEN_TIMEOUT_MS = 60_000;
const ENTITIES = ["sensor.hall", "sensor.attic", "lock.door"];

/**
 * Days that the server had taken are deleted there while our store is closed, of one series and then of all: none of
 * their samples may leave the hot tier before it is there again. Answers how many samples were compared.
 */
export async function compareAfterDeletion(peer: PeerServer, folder: string): Promise<number> {
  await using running = await peer.start(join(folder, "server"));
  const target = targetAt(running, "archive", BUCKET);
  const open = (): Promise<Store> =>
    openStoreAt(join(folder, "store"), { archive: target, mirrors: [] }, 1000, () => NOW);
  let compared = 0;
  for (const [round, which] of [`WHERE "subject" = '${ENTITIES[1]}'`, ""].entries()) {
    const start = START + round * DAYS * DAY;
    await during(open, async (store) => {
      fill(store, start);
      await store.fold();
      await waitUntil("the server to have all samples", () => store.forwarding.status()[0]?.waiting === 0, {
        timeoutMs: TAKEN_TIMEOUT_MS,
      });
    });
    await influxql(running, `DELETE FROM "state" ${which}`);
    await during(open, async (store) => {
      await store.archive!.append({ start, end: start + DAYS * DAY });
      deepStrictEqual((await store.forwarding.deadLetters({ limit: 1 })).total, 0, "dead letters");
      for (const [i, entity] of ENTITIES.entries()) {
        const series = seriesOf(store, entity, start);
        const span = { start, end: start + DAYS * DAY, limit: 1_000_000, includeStart: false };
        const [found] = await store.archive!.read([{ series, ...span }]);
        const expected = columns(samples(i, start));
        deepStrictEqual(found?.ts.length, expected.ts.length, `samples of ${entity} after DELETE ${which}`);
        deepStrictEqual(found, expected);
        compared += expected.ts.length;
      }
    });
  }
  return compared;
}

async function during(open: () => Promise<Store>, work: (store: Store) => Promise<void>): Promise<void> {
  const store = await open();
  try {
    await work(store);
  } finally {
    await store.close();
  }
}

function seriesOf(store: Store, entity: string, ts: Micros) {
  const key = { measurement: "state", subject: entity, field: "state" };
  return { ...key, number: store.series(key, entity, ts) };
}

function fill(store: Store, start: Micros): void {
  for (const [i, entity] of ENTITIES.entries()) {
    const { number } = seriesOf(store, entity, start);
    for (const [ts, value] of samples(i, start)) store.append(number, ts, value);
  }
}

/** Numbers, texts and removals. */
function samples(entity: number, start: Micros): (readonly [Micros, Value])[] {
  return Array.from({ length: DAYS * SAMPLES_A_DAY }, (_, i) => {
    const value = entity === 2 ? (i % 2 === 0 ? "locked" : "unlocked") : i % 50 === 0 ? null : i / 10 + entity;
    return [start + i * (DAY / SAMPLES_A_DAY), value] as const;
  });
}

function columns(rows: readonly (readonly [Micros, Value])[]): { ts: Micros[]; values: Value[] } {
  return { ts: rows.map(([ts]) => ts), values: rows.map(([, value]) => value) };
}

async function influxql({ url, headers }: RunningPeer, statement: string): Promise<void> {
  const { body } = await request(`${url}/query?db=${BUCKET}&q=${encodeURIComponent(statement)}`, [200], {
    method: "POST",
    headers,
  });
  deepStrictEqual(body.includes("error"), false, body);
}
