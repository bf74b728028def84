import { planHome } from "../src/testing/simulated-home/plan.ts";
import type { Client } from "./client.ts";

export type Row = Readonly<Record<string, unknown>>;

/** Registry rows as Home Assistant sends them. */
export interface HomeRows {
  readonly devices: readonly Row[];
  readonly entities: readonly Row[];
}

const VERSION = "2026.11.0";
/** Of ten entities of the simulated home some have no registry entry. */
const SPARE = 1.5;

export function rowsOfHome(devices: number, entities: number): HomeRows {
  const plan = planHome({ seed: 1, entities: Math.ceil(entities * SPARE), devices, version: VERSION });
  const rows = plan.entities.flatMap(({ row }) => (row === null ? [] : [{ ...row }]));
  if (rows.length < entities) throw new Error(`The plan has ${rows.length} registered entities, not ${entities}`);
  return { devices: plan.devices.map((row) => ({ ...row })), entities: rows.slice(0, entities) };
}

/** Sends rows through the door for a split deployment; answers the milliseconds until they are stored. */
export async function bulkUpsert(client: Client, kind: "devices" | "entities", rows: readonly Row[]): Promise<number> {
  const body = Buffer.from(JSON.stringify(rows));
  const start = performance.now();
  const answer = await client.post(`/internal/${kind}/bulk_upsert`, body);
  const time = performance.now() - start;
  if (answer.status !== 200 || JSON.parse(answer.body).upserted !== rows.length) {
    throw new Error(`The upsert answers ${answer.status}: ${answer.body.slice(0, 500)}`);
  }
  return time;
}
