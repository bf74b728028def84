import { get } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";
import { Client } from "../client.ts";
import { type Figure, type Group, quantile } from "../figure.ts";
import { type Program, procNumber, startHome, startProgram } from "../processes.ts";

const MINUTES = 6;
const POLL_MS = 5_000;
const KIB = 1024;

/** What the dashboard asks while the home changes, every two seconds. */
const PAGE_QUESTIONS = [
  ...["/ready", "/health", "/api/v1/stats", "/api/v1/setup", "/api/v1/gaps?limit=8"],
  "/api/v1/events?limit=20",
];
const PAGE_MS = 2_000;

/** Asks as the dashboard does, until `signal` says that it is closed. */
async function look(program: Program, signal: AbortSignal): Promise<void> {
  using client = new Client(program.url);
  while (!signal.aborted) {
    for (const path of PAGE_QUESTIONS) await client.get(path);
    await sleep(PAGE_MS);
  }
}

/** Listens to the stream as another dashboard does, and lets go of what it hears. */
function listen(program: Program): Disposable {
  const request = get(`${program.url}/api/v1/stream`, (answer) => answer.resume());
  // Ends with the program.
  request.on("error", () => undefined);
  return { [Symbol.dispose]: () => void request.destroy() };
}

/** All current states, page by page. */
async function pollStates(program: Program): Promise<void> {
  let cursor: string | null = null;
  do {
    const next: string = cursor === null ? "" : `&cursor=${encodeURIComponent(cursor)}`;
    const page: { next_cursor: string | null } = await program.client.read(`/api/v1/states?limit=1000${next}`);
    cursor = page.next_cursor;
  } while (cursor !== null);
}

async function memory(): Promise<Figure[]> {
  await using home = await startHome({ entities: 2_000 });
  await using program = await startProgram(home);
  using _stream = listen(program);
  await home.tell({ do: "load", rate: 50 });
  const closing = new AbortController();
  const looking = look(program, closing.signal);
  const seen: number[] = [];
  const started = performance.now();
  while (performance.now() - started < MINUTES * 60_000) {
    await pollStates(program);
    seen.push((procNumber(program.pid, "status", "VmRSS") * KIB) / 1e6);
    await sleep(POLL_MS);
  }
  closing.abort();
  await looking;
  const what = "RSS at 2,000 entities, 50/s, dashboard open";
  return [
    { what: `${what}, last third, median`, value: quantile(seen.slice((2 * seen.length) / 3), 0.5), unit: "MB" },
    {
      what: `${what}, the most since the start`,
      value: (procNumber(program.pid, "status", "VmHWM") * KIB) / 1e6,
      unit: "MB",
      bar: { atMost: 150 },
    },
  ];
}

async function disk(): Promise<Figure[]> {
  await using home = await startHome({});
  await using program = await startProgram(home);
  await home.tell({ do: "load", rate: 10 });
  // What the start itself writes is over by then.
  await sleep(15_000);
  const written = () => procNumber(program.pid, "io", "write_bytes");
  const before = { bytes: written(), changes: (await program.stats()).ingest.changes };
  await sleep(MINUTES * 60_000);
  const changes = (await program.stats()).ingest.changes - before.changes;
  return [
    {
      what: `bytes written per event at 10/s over ${MINUTES} minutes, without a fold`,
      value: (written() - before.bytes) / changes,
      unit: "bytes",
      bar: { atMost: 350 },
    },
  ];
}

/** Memory and writes of a quiet home; both take real minutes, at the same time. */
export const footprint: Group = {
  name: "footprint",
  measure: async () => (await Promise.all([memory(), disk()])).flat(),
};
