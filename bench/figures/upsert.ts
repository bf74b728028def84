import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { silentLog } from "../../src/lib/log.ts";
import { nowMicros } from "../../src/lib/time.ts";
import { openHome } from "../../src/metadata/home.ts";
import { type Figure, type Group, quantile } from "../figure.ts";
import { startProgram } from "../processes.ts";
import { bulkUpsert, type Row, rowsOfHome } from "../rows.ts";

const ENTITIES = 5_000;
const DEVICES = 1_000;
const RUNS = 15;
/** Fresh programs: what else the machine does makes one of them take half as long again. */
const PROGRAMS = 9;
/** Of changed entities, to each of them. */
const UPDATES = 5;
const BAR = { atMost: 60 };

/** Every row with another name. */
function renamed(rows: readonly Row[], run: number): Row[] {
  return rows.map((row) => ({ ...row, name: `Name ${run}` }));
}

async function overHttp(): Promise<Figure[]> {
  const { devices, entities } = rowsOfHome(DEVICES, ENTITIES);
  const inserts: number[] = [];
  const updates: number[] = [];
  for (let round = 0; round < PROGRAMS; round++) {
    await using program = await startProgram();
    await bulkUpsert(program.client, "devices", devices);
    inserts.push(await bulkUpsert(program.client, "entities", entities));
    for (let run = 0; run < UPDATES; run++)
      updates.push(await bulkUpsert(program.client, "entities", renamed(entities, run)));
  }
  return [
    {
      what: "upsert of 5,000 new entities into a fresh program, p50",
      value: quantile(inserts, 0.5),
      unit: "ms",
      bar: BAR,
    },
    { what: "upsert of 5,000 changed entities, p50", value: quantile(updates, 0.5), unit: "ms", bar: BAR },
    { what: "upsert of 5,000 changed entities, p99", value: quantile(updates, 0.99), unit: "ms" },
  ];
}

/** The entity registry as a snapshot brings it, in this process. */
async function snapshot(): Promise<Figure[]> {
  const directory = mkdtempSync(join(tmpdir(), "bench-home-"));
  const { devices, entities } = rowsOfHome(DEVICES, ENTITIES);
  const home = await openHome({ file: join(directory, "metadata.db"), log: silentLog() });
  const apply = async (rows: readonly Row[]): Promise<number> => {
    const start = performance.now();
    await home.applyRegistry("entity", rows, nowMicros());
    return performance.now() - start;
  };
  try {
    await home.applyRegistry("device", devices, nowMicros());
    const first = await apply(entities);
    const same: number[] = [];
    const changed: number[] = [];
    for (let run = 0; run < RUNS; run++) {
      changed.push(await apply(renamed(entities, run)));
      same.push(await apply(renamed(entities, run)));
    }
    return [
      { what: "snapshot of 5,000 entities, the first", value: first, unit: "ms" },
      { what: "snapshot of 5,000 entities, all changed, p50", value: quantile(changed, 0.5), unit: "ms" },
      { what: "snapshot of 5,000 entities, none changed, p50", value: quantile(same, 0.5), unit: "ms" },
    ];
  } finally {
    await home.close();
    rmSync(directory, { recursive: true });
  }
}

/** Registry rows on their way into the database of the home. */
export const upsert: Group = {
  name: "upsert",
  measure: async ({ tell }) => {
    const figures = [...(await overHttp()), ...(await snapshot())];
    tell(`New rows take some 13 MB of memory that a fresh program never had: body, pages of SQLite, its log in the
system's cache. On a virtual machine a page costs 1 to 9 µs when it is touched first, by whether the host has to find
it, and this figure half as much again; it is the median of ${PROGRAMS} programs.`);
    return figures;
  },
};
