import type { Client } from "../client.ts";
import { type Figure, type Group, quantile } from "../figure.ts";
import { startHome, startProgram } from "../processes.ts";
import { bulkUpsert, rowsOfHome } from "../rows.ts";

const RUNS = 400;
const WARM_UP = 200;
const BATCH_ROWS = 20_000;
/** So much more than with 5,000 entities a read may cost with 100,000. */
const LARGE_HOME_SLACK = 1.5;

interface Case {
  readonly what: string;
  readonly path: (run: number) => string;
  readonly barMs: number;
}

async function measure(client: Client, home: string, cases: readonly Case[], slack: number): Promise<Figure[]> {
  const figures: Figure[] = [];
  for (const { what, path, barMs } of cases) {
    const times: number[] = [];
    for (let run = -WARM_UP; run < RUNS; run++) {
      const time = await client.time(path(run + WARM_UP));
      if (run >= 0) times.push(time);
    }
    figures.push(
      { what: `${what}, ${home}, p50`, value: quantile(times, 0.5), unit: "ms", bar: { atMost: barMs * slack } },
      { what: `${what}, ${home}, p99`, value: quantile(times, 0.99), unit: "ms" },
    );
  }
  return figures;
}

async function casesOf(client: Client): Promise<Case[]> {
  const { devices } = await client.read<{ devices: { device_id: string }[] }>("/api/devices?limit=1000");
  return [
    {
      what: "device by id",
      path: (run) => `/api/devices/${devices[(run * 37) % devices.length]!.device_id}`,
      barMs: 0.3,
    },
    { what: "list of 100 devices", path: () => "/api/devices?limit=100", barMs: 1 },
    { what: "list of 1,000 devices", path: () => "/api/devices?limit=1000", barMs: 6 },
    { what: "list of 100 entities", path: () => "/api/entities?limit=100", barMs: 1 },
    { what: "list of 1,000 entities", path: () => "/api/entities?limit=1000", barMs: 6 },
  ];
}

/** A home that Home Assistant describes, with current states. */
async function ordinaryHome(): Promise<Figure[]> {
  await using home = await startHome({ devices: 1_000, entities: 5_000 });
  await using program = await startProgram(home);
  return await measure(program.client, "1,000/5,000", await casesOf(program.client), 1);
}

/** A large one through the door for a split deployment: as one message its registry is larger than we take. */
async function largeHome(): Promise<Figure[]> {
  await using program = await startProgram();
  const { devices, entities } = rowsOfHome(20_000, 100_000);
  await bulkUpsert(program.client, "devices", devices);
  for (let from = 0; from < entities.length; from += BATCH_ROWS) {
    await bulkUpsert(program.client, "entities", entities.slice(from, from + BATCH_ROWS));
  }
  return await measure(program.client, "20,000/100,000", await casesOf(program.client), LARGE_HOME_SLACK);
}

/** Reads of the home over HTTP, on one connection, in homes of so many devices/entities. */
export const lists: Group = {
  name: "lists",
  measure: async () => [...(await ordinaryHome()), ...(await largeHome())],
};
