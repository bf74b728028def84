import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { Failure } from "../failure.ts";
import type { Gap } from "../gaps.ts";
import { tail } from "../process.ts";
import { type Program, startProgram } from "../program.ts";
import { startHome } from "./home.ts";
import type { Row } from "./table.ts";
import { rssMb, type Scenario, settle, type Trial } from "./trial.ts";
import { compareWithTruth } from "./truth.ts";

const ENTITIES = 500;
const LOG_LINES = 5;
/**
 * What a process that has worked may hold beyond one that has just started: the recent samples, which are in memory by
 * design, and the room that heaps and the C library keep after a flood. 33 MB at most were seen.
 */
const RSS_GROWTH_MAX_MB = 80;
/** Longer than the program lets threads live that nobody asks anything. */
const RSS_SETTLED_MS = 75_000;

export interface RunOptions {
  readonly short: boolean;
  readonly kills: number;
  readonly seed: number;
  /** For logs and data of this scenario. */
  readonly folder: string;
}

/** Runs one scenario on a home and a program of its own, and never throws: what went wrong is in the row. */
export async function runScenario(scenario: Scenario, { short, kills, seed, folder }: RunOptions): Promise<Row> {
  const began = performance.now();
  const seconds = () => (performance.now() - began) / 1000;
  mkdirSync(folder, { recursive: true });
  let done = "";
  try {
    await using home = await startHome({ entities: scenario.entities ?? ENTITIES, seed, folder });
    await scenario.past?.(home, short);
    const prepared = (await scenario.prepare?.(folder)) ?? {};
    await using program = await startProgram({
      homeAssistantUrl: home.url,
      token: home.token,
      folder: join(folder, "program"),
      ...prepared,
    });
    await program.awaitReady();
    const before = await rssMb(program);
    const trial: Trial = { home, program, short, kills, random: seeded(seed), folder };
    done = await scenario.run(trial);
    const gaps = await settle(trial);
    expectEnds(gaps ?? [], scenario.homeGoesDown === true);
    const verdict = await compareWithTruth(home, program);
    const growthMaxMb = scenario.rssGrowthMaxMb ?? RSS_GROWTH_MAX_MB;
    const after = await settledRssMb(program, before + growthMaxMb);
    const row: Row = { name: scenario.name, done, verdict, gaps, seconds: seconds(), rssMb: [before, after] };
    if (after <= before + growthMaxMb) return row;
    return { ...row, fault: `Memory stays ${after - before} MB above its level, ${growthMaxMb} MB allowed` };
  } catch (error) {
    return { name: scenario.name, done, seconds: seconds(), fault: describe(error, folder) };
  }
}

/** The time in which HA was down is unknown for ever, and for all entities; of everything else nothing is. */
function expectEnds(gaps: readonly Gap[], homeWentDown: boolean): void {
  const partial = gaps.filter(({ state }) => state === "partial");
  if (homeWentDown === partial.length > 0 && partial.every(({ missing_entities }) => missing_entities.length > 0))
    return;
  const ends = gaps.map(({ reason, state, note }) => `${reason} ${state}${note === null ? "" : ` (${note})`}`);
  throw new Failure(`Gaps ended as they should not: ${ends.join(", ")}`);
}

function describe(error: unknown, folder: string): string {
  const message = error instanceof Failure ? error.message : error instanceof Error ? error.stack : String(error);
  return `${message}\n${tail(join(folder, "program/program.log"), LOG_LINES)}`;
}

/** Memory once it has come down to a level, or when it has had its time. */
async function settledRssMb(program: Program, levelMb: number): Promise<number> {
  const deadline = performance.now() + RSS_SETTLED_MS;
  for (;;) {
    const now = await rssMb(program);
    if (now <= levelMb || performance.now() > deadline) return now;
    await sleep(500);
  }
}

/** Mulberry32: small, and the same numbers for the same seed. */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
