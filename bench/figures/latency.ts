import { setTimeout as sleep } from "node:timers/promises";
import { type Figure, type Group, quantile } from "../figure.ts";
import { startHome, startProgram } from "../processes.ts";

const SECONDS = 20;
const WATCHED = 100;
/** Between two questions; what an observation is late by on average is half of it and of an answer. */
const ASK_EVERY_MS = 5;

/**
 * From the time in a change, which the sender stamps as it writes it, to the arrival of the first answer of
 * /api/v1/history that holds it, of some entities out of all.
 */
async function latencies(rate: number, entities: number): Promise<Figure[]> {
  await using home = await startHome({ entities, "pending-max": 100_000 });
  await using program = await startProgram(home);
  const { states } = await program.client.read<{ states: { entity_id: string; state: string }[] }>(
    "/api/v1/states?limit=1000&domain=sensor",
  );
  const moving = states.filter(({ state }) => Number.isFinite(Number(state))).map(({ entity_id }) => entity_id);
  const names = moving.slice(0, WATCHED).join();
  await home.tell({ do: "load", rate });
  await sleep(2_000);

  const before = await program.stats();
  const seen: number[] = [];
  const started = Date.now();
  let from = started;
  const known = new Set<string>();
  while (Date.now() - started < SECONDS * 1000) {
    const page = await program.client.read<{ series: { entity_id: string; samples: [number, unknown][] }[] }>(
      `/api/v1/history?entity_id=${names}&start=${from}&end=${started + 1_000_000}`,
    );
    const now = performance.timeOrigin + performance.now();
    for (const { entity_id, samples } of page.series) {
      for (const [millis] of samples) {
        const key = `${entity_id} ${millis}`;
        if (known.has(key)) continue;
        known.add(key);
        seen.push(now - millis);
      }
    }
    // Looks back far enough to find what comes late.
    from = Math.max(started, Date.now() - 1_000);
    await sleep(ASK_EVERY_MS);
  }
  const after = await program.stats();
  const events = after.ingest.changes - before.ingest.changes;
  const label = `at ${rate.toLocaleString("en")}/s`;
  const cpu = ((after.process.cpu_seconds - before.process.cpu_seconds) / events) * 1e6;
  return [
    { what: `arrival → queryable ${label}, p50`, value: quantile(seen, 0.5), unit: "ms" },
    {
      what: `arrival → queryable ${label}, p99`,
      value: quantile(seen, 0.99),
      unit: "ms",
      ...(rate === 500 ? { bar: { atMost: 300 } } : {}),
    },
    { what: `arrival → queryable ${label}, the longest`, value: Math.max(...seen), unit: "ms" },
    { what: `events taken ${label}`, value: events / SECONDS, unit: "events/s" },
    { what: `CPU per event ${label}, questions included`, value: cpu, unit: "µs" },
  ];
}

async function load(rate: number, entities: number): Promise<Figure[]> {
  await using home = await startHome({ entities });
  await using program = await startProgram(home);
  await home.tell({ do: "load", rate });
  await sleep(2_000);
  const before = await program.stats();
  await sleep(SECONDS * 1000);
  const after = await program.stats();
  const events = after.ingest.changes - before.ingest.changes;
  return [
    { what: `event-loop delay p99 at ${rate}/s`, value: after.process.event_loop_delay_ms.p99, unit: "ms" },
    {
      what: `CPU per event at ${rate}/s`,
      value: ((after.process.cpu_seconds - before.process.cpu_seconds) / events) * 1e6,
      unit: "µs",
    },
  ];
}

/** How soon an event can be asked for, and what events cost at an ordinary rate. */
export const latency: Group = {
  name: "latency",
  measure: async () => [
    ...(await latencies(500, 2_000)),
    ...(await latencies(50_000, 2_000)),
    ...(await load(500, 2_000)),
  ],
};
