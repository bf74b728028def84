import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../failure.ts";
import { awaitGapsClosed, type Gap } from "../gaps.ts";
import type { Program, ProgramOptions } from "../program.ts";
import { waitUntil } from "../wait.ts";
import type { Home } from "./home.ts";

/** An entity that does not move by itself. */
const MARKER = "input_number.heating_limit";
/** Longer than the longest pause between two attempts to connect, and a start on top. */
const HEARD_MS = 150_000;

/** One home and one program, for one scenario. */
export interface Trial {
  readonly home: Home;
  readonly program: Program;
  /** The shortened set. */
  readonly short: boolean;
  /** How often the program is killed where that is the scenario. */
  readonly kills: number;
  /** From 0 to 1, seeded: a run can be repeated. */
  readonly random: () => number;
  readonly folder: string;
}

/** One kind of trouble. */
export interface Scenario {
  readonly name: string;
  /** It measures, so nothing else runs beside it. */
  readonly alone?: boolean;
  /** Entities of the home; without it 500. */
  readonly entities?: number;
  /** Home Assistant itself goes down: a gap of that ends partial. Of other troubles none does. */
  readonly homeGoesDown?: boolean;
  /** What the program may hold at the end beyond what it held at the start, where it is more than after other troubles. */
  readonly rssGrowthMaxMb?: number;
  /** What the home lives through before the program meets it. */
  past?(home: Home, short: boolean): Promise<void>;
  /** How the program is started, beyond the usual. Throws a Failure when this machine lacks what it takes. */
  prepare?(folder: string): Promise<Pick<ProgramOptions, "env" | "wrapper">>;
  /** Makes the trouble and resolves when it is over, with one line that says what it was. */
  run(trial: Trial): Promise<string>;
}

/**
 * Ends the load, and resolves once the program has heard of what happened last and has closed its gaps. Null: it
 * keeps no ledger of gaps. Throws a Failure when it does not get there.
 */
export async function settle({ home, program }: Pick<Trial, "home" | "program">): Promise<readonly Gap[] | null> {
  await home.order("stopLoad");
  const state = `settled ${crypto.randomUUID()}`;
  await home.order("change", { entityId: MARKER, state });
  await waitUntil("the program to hear of the last change", () => hasState(program, state), { timeoutMs: HEARD_MS });
  return awaitGapsClosed(program);
}

/** The marker's history is asked for, not its state: a clock that was stepped back makes the last word an old one. */
async function hasState(program: Program, state: string): Promise<boolean> {
  const page = await program.read<{ series: { samples: [number, unknown][] }[] }>(
    `/api/v1/history?entity_id=${MARKER}&start=1970-01-02T00:00:00Z&end=2100-01-01T00:00:00Z`,
  );
  return page.series.some(({ samples }) => samples.some(([, value]) => value === state));
}

/** Lets the home move. */
export async function load(home: Home, rate = 500): Promise<void> {
  await home.order("load", { rate });
}

/** Cuts all connections and resolves once the program is back. */
export async function reconnect({ home, program }: Trial): Promise<void> {
  const before = await connectionsOf(program);
  await home.order("cutSockets");
  await waitUntil("the program to connect again", async () => (await connectionsOf(program)) > before, {
    timeoutMs: HEARD_MS,
  });
}

/** Connections to Home Assistant that stood, since the program's start. */
export async function connectionsOf(program: Program): Promise<number> {
  return metric(String((await program.get("/metrics")).body), "home_assistant_connections_total");
}

/** What the program holds of the machine's memory, in MiB. */
export async function rssMb(program: Program): Promise<number> {
  const { process } = await program.read<{ process: { rss_bytes: number } }>("/api/v1/stats");
  return Math.round(process.rss_bytes / 2 ** 20);
}

export function metric(text: string, name: string): number {
  const found = new RegExp(`^ha_ingestor_${name} (\\S+)$`, "m").exec(text);
  if (!found) throw new Failure(`/metrics has no "ha_ingestor_${name}"`);
  return Number(found[1]);
}

/** What runs beside the trouble, until it is over: calls `work` again and again. */
export async function whileRunning(work: () => Promise<unknown>, trouble: Promise<unknown>): Promise<void> {
  let over = false;
  const working = (async () => {
    while (!over) {
      await work();
      await sleep(1);
    }
  })();
  try {
    await trouble;
  } finally {
    over = true;
  }
  await working;
}
