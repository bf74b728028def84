import { deepStrictEqual } from "node:assert/strict";
import { join } from "node:path";
import type { Value } from "../../src/domain/sample.ts";
import type { Store } from "../../src/timeseries/store.ts";
import type { PeerServer } from "../peers/peer.ts";
import { openStoreAt } from "./store.ts";
import { targetAt } from "./target.ts";

const DAY = 86_400_000_000;
const HOUR = DAY / 24;
const START = Date.UTC(2026, 9, 20) * 1000 + 5 * HOUR;
const DAYS = 20;
const NOW = START + DAYS * DAY;
const SAMPLES_A_DAY = 288;
const QUESTIONS = 200;

/** The same samples go to the parquet and the influxdb engine; both must answer the same questions alike. */
export async function compareAnswers(peer: PeerServer, folder: string): Promise<number> {
  await using running = await peer.start(join(folder, "server"));
  const influx = await openStoreAt(
    join(folder, "influxdb"),
    { archive: targetAt(running, "archive", "same"), mirrors: [] },
    1000,
    () => NOW,
  );
  const parquet = await openStoreAt(join(folder, "parquet"), undefined, 1000, () => NOW);
  const stores = [parquet, influx];
  for (const store of stores) {
    fill(store, 0);
    await store.fold();
    await store.seal();
    // Late samples of sealed days, the half of them at times that are taken.
    fill(store, 1);
    await store.fold();
    await store.seal();
    await store.rollUp();
    // The lamp got a registry entry: what it was before goes on under another subject.
    store.rekey("state", "light.lamp", "uuid-lamp");
    fill(store, 2);
    await store.fold();
    await store.seal();
  }
  const counts = stores.map((store) => store.archive!.health().samples);
  deepStrictEqual(counts[1], counts[0], "both have archived as much");
  let asked = 0;
  const random = createRandom(7);
  for (; asked < QUESTIONS; asked++) {
    const start = START + Math.floor(random() * DAYS * DAY) - DAY;
    const end = start + Math.floor(random() ** 3 * DAYS * DAY);
    const series = 1 + Math.floor(random() * SERIES.length);
    const read = { series, start, end, limit: 1 + Math.floor(random() ** 2 * 3000), includeStart: random() < 0.5 };
    const [a, b] = await Promise.all(stores.map((store) => store.read([read])));
    deepStrictEqual(b, a, JSON.stringify(read));
    const step = [HOUR / 4, HOUR, DAY][asked % 3]!;
    const buckets = Math.min(200, Math.ceil((end - start) / step) + 1);
    const borders = Array.from({ length: buckets + 1 }, (_, i) => start - (start % step) + i * step);
    const request = { series: [series], borders, until: NOW, group: false };
    const [c, d] = await Promise.all(stores.map((store) => store.statistics(request)));
    deepStrictEqual(d, c, `statistics of ${JSON.stringify(read)} by ${step}`);
  }
  for (const store of stores) await store.close();
  return asked;
}

const SUBJECTS = ["light.lamp", "light.lamp", "uuid-lamp"];
const SERIES: readonly [field: string, value: (i: number) => Value][] = [
  ["state", (i) => (i % 17 === 0 ? "unavailable" : Math.round(Math.sin(i / 50) * 1000) / 10)],
  ["brightness", (i) => (i % 5 === 0 ? null : i % 256)],
  ["effect", (i) => (i % 3 === 0 ? "rainbow" : "off")],
];

function fill(store: Store, offset: number): void {
  for (const [field, value] of SERIES) {
    const series = store.series({ measurement: "state", subject: SUBJECTS[offset]!, field }, "light.lamp", START);
    for (let i = 0; i < DAYS * SAMPLES_A_DAY; i++) {
      if (offset > 0 && i % 97 !== 0) continue;
      const shift = offset > 0 && i % 2 === 0 ? offset : 0;
      store.append(series, START + i * (DAY / SAMPLES_A_DAY) + shift, value(i + offset));
    }
  }
}

/** The same numbers in each run. */
function createRandom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    return state / 2 ** 32;
  };
}
