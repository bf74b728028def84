import { createReadStream } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";
import type { Figure, Group } from "../figure.ts";
import { type Home, type Program, startHome, startProgram, until } from "../processes.ts";

const ENTITIES = 2_000;
const SECONDS = 20;
const BURST = 50_000;
/** More than the machine can do: the sender waits for its reader. */
const FLAT_OUT = 1_000_000;
const ENTITIES_A_PAGE = 200;
const DRAIN_TIMEOUT_MS = 120_000;

interface SimulatedStats {
  readonly changes: number;
  readonly slowClients: number;
}

const changesOf = async (home: Home): Promise<number> => (await home.tell<SimulatedStats>({ do: "stats" })).changes;

/** What was sent and taken so far; asked while the home is still, since the two are not asked at the same moment. */
async function countsOf(home: Home, program: Program): Promise<{ sent: number; taken: number }> {
  return { sent: await changesOf(home), taken: (await program.stats()).ingest.changes };
}

/** Resolves when every change of the home since `before` is in the store and on the disk. */
async function settled(home: Home, program: Program, before: { sent: number; taken: number }): Promise<void> {
  const sent = (await changesOf(home)) - before.sent;
  await until(
    "all changes to be on the disk",
    async () => {
      const { ingest, timeseries } = await program.stats();
      return ingest.changes - before.taken >= sent && timeseries.waiting === 0;
    },
    DRAIN_TIMEOUT_MS,
  );
}

/** The samples that the home's own recorder has and history does not, and the other way round. */
async function compare(home: Home, program: Program, since: number): Promise<{ lost: number; doubled: number }> {
  const file = join(program.directory, "truth.jsonl");
  await home.tell({ do: "truth", file });
  const truth = new Map<string, Set<number>>();
  for await (const line of createInterface({ input: createReadStream(file) })) {
    const { entityId, lastChanged } = JSON.parse(line) as { entityId: string; lastChanged: number };
    if (lastChanged < since) continue;
    const times = truth.get(entityId) ?? new Set();
    truth.set(entityId, times.add(lastChanged));
  }
  let lost = 0;
  let doubled = 0;
  const names = [...truth.keys()];
  const span = `start=${Math.floor(since / 1000)}&end=${Date.now() + 60_000}`;
  for (let from = 0; from < names.length; from += ENTITIES_A_PAGE) {
    const some = names.slice(from, from + ENTITIES_A_PAGE);
    const stored = new Map<string, number[]>(some.map((name) => [name, []]));
    let cursor = "";
    do {
      const page = await program.client.read<{
        series: { entity_id: string; samples: [number, unknown][] }[];
        next_cursor: string | null;
      }>(`/api/v1/history?entity_id=${some.join()}&${span}${cursor}`);
      for (const { entity_id, samples } of page.series) {
        for (const [millis] of samples) stored.get(entity_id)!.push(Math.round(millis * 1000));
      }
      cursor = page.next_cursor === null ? "" : `&cursor=${encodeURIComponent(page.next_cursor)}`;
    } while (cursor !== "");
    for (const [name, all] of stored) {
      const times = all.filter((time) => time >= since);
      const unique = new Set(times);
      lost += truth.get(name)!.difference(unique).size;
      doubled += times.length - unique.size + unique.difference(truth.get(name)!).size;
    }
  }
  return { lost, doubled };
}

async function sustained(frames: "single" | "coalesced"): Promise<Figure[]> {
  await using home = await startHome({ entities: ENTITIES });
  await using program = await startProgram(home);
  const since = Date.now() * 1000;
  const still = await countsOf(home, program);
  const load = { do: "load", rate: FLAT_OUT, separateFrames: frames === "single", waitForReaders: true };
  // The first second compiles.
  await home.tell(load);
  await sleep(1_000);
  const before = await changesOf(home);
  const start = performance.now();
  await sleep(SECONDS * 1000);
  await home.tell({ do: "stopLoad" });
  await settled(home, program, still);
  const sent = (await changesOf(home)) - before;
  const seconds = (performance.now() - start) / 1000;
  const { lost, doubled } = await compare(home, program, since);
  const { process, timeseries } = await program.stats();
  const what = `${frames} frames, flat out`;
  return [
    { what: `${what}: until on disk`, value: sent / seconds, unit: "events/s", bar: { atLeast: 50_000 } },
    {
      what: `${what}: samples lost or doubled`,
      value: lost + doubled + timeseries.dropped,
      unit: "",
      bar: { atMost: 0 },
    },
    { what: `${what}: event-loop delay p99`, value: process.event_loop_delay_ms.p99, unit: "ms" },
    { what: `${what}: RSS at the end`, value: process.rss_bytes / 1e6, unit: "MB" },
  ];
}

/** 50,000 changes in one turn of Home Assistant's loop. */
async function burst(): Promise<Figure[]> {
  await using home = await startHome({ entities: ENTITIES, "pending-max": 2 * BURST });
  await using program = await startProgram(home);
  const since = Date.now() * 1000;
  const before = await countsOf(home, program);
  const start = performance.now();
  await home.tell({ do: "burst", count: BURST });
  await settled(home, program, before);
  const seconds = (performance.now() - start) / 1000;
  const { lost, doubled } = await compare(home, program, since);
  return [
    { what: "a burst of 50,000: until on disk", value: seconds, unit: "s" },
    { what: "a burst of 50,000: samples lost or doubled", value: lost + doubled, unit: "", bar: { atMost: 0 } },
  ];
}

/** From Home Assistant's WebSocket to the disk, with the simulated home as the sender in a process of its own. */
export const ingest: Group = {
  name: "ingest",
  measure: async () => [...(await sustained("single")), ...(await sustained("coalesced")), ...(await burst())],
};
