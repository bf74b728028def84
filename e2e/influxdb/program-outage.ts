import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { createInfluxClient, type InfluxClient } from "../../src/timeseries/forward/client.ts";
import type { PeerServer, RunningPeer } from "../peers/peer.ts";
import { type Program, startProgram } from "../program.ts";
import { type Home, startHome } from "../reliability/home.ts";
import { load, settle } from "../reliability/trial.ts";
import { compareWithTruth, type Verdict } from "../reliability/truth.ts";
import { isValueOf } from "../values.ts";
import { waitUntil } from "../wait.ts";
import { targetAt } from "./target.ts";
import { makeToken, setToken } from "./token.ts";

const EVENTS_PER_SECOND = 500;
const ENTITIES = 500;
const BUCKET = "outage";
const SEED = 6;
const SETTLE_TIMEOUT_MS = 300_000;
/** Much later than a forwarder asks a server that refused it. */
const RESUME_TIMEOUT_MS = 150_000;

export interface ProgramOutageResult {
  /** State changes of the home. */
  readonly events: number;
  /** Of these, in InfluxDB: not there, there more than once, there with another value, there without having happened. */
  readonly lost: number;
  readonly doubled: number;
  readonly wrong: number;
  readonly invented: number;
  /** The same of what the program itself answers. */
  readonly program: Omit<Verdict, "events" | "examples">;
  readonly waitingMax: number;
  readonly catchUpSeconds: number;
}

/**
 * The whole program hears 500 events/s from a simulated home while its InfluxDB is killed for `outageSeconds`, comes
 * back with its data directory moved, and (2.x) the token is revoked and restored. In the end InfluxDB and the program
 * must each have what happened once, with its value.
 */
export async function runProgramOutage(
  peer: PeerServer,
  folder: string,
  outageSeconds: number,
  say: (line: string) => void,
): Promise<ProgramOutageResult> {
  const [first, second] = [join(folder, "server-1"), join(folder, "server-2")];
  mkdirSync(folder, { recursive: true });
  let server = await peer.start(first);
  const port = Number(new URL(server.url).port);
  const check = createInfluxClient(targetAt(server, "check", BUCKET));
  await check.prepare();
  const token = server.version.startsWith("2.") ? await makeToken(server) : null;

  await using home = await startHome({ entities: ENTITIES, seed: SEED, folder });
  const env = { ...engineSettings(server, token?.token ?? null), LOG_LEVEL: "info" };
  await using program = await startProgram({ homeAssistantUrl: home.url, token: home.token, folder, env });
  await program.awaitReady();
  await load(home, EVENTS_PER_SECOND);
  await waitUntil("the first samples in InfluxDB", async () => (await archiveOf(program)).delivered > 0, {
    timeoutMs: SETTLE_TIMEOUT_MS,
  });

  say(`the whole program: killed for ${outageSeconds} s`);
  await server.stop("SIGKILL");
  await sleep(outageSeconds * 1000);
  const waitingMax = (await archiveOf(program)).waiting;
  say("the whole program: back, with its data directory moved");
  cpSync(first, second, { recursive: true });
  rmSync(first, { recursive: true });
  server = await peer.start(second, { port });
  const backAt = performance.now();
  await waitUntil("the queue to empty", async () => (await archiveOf(program)).waiting < 5_000, {
    timeoutMs: SETTLE_TIMEOUT_MS,
  });
  const catchUpSeconds = Math.round((performance.now() - backAt) / 100) / 10;
  if (token !== null) {
    say("the whole program: token revoked and restored");
    await setToken(server, token.id, "inactive");
    await waitUntil("the target to stop", async () => (await archiveOf(program)).state === "stopped", {
      timeoutMs: RESUME_TIMEOUT_MS,
    });
    await setToken(server, token.id, "active");
    await waitUntil("the target to go on", async () => (await archiveOf(program)).state === "running", {
      timeoutMs: RESUME_TIMEOUT_MS,
    });
  }
  await settle({ home, program });
  await waitUntil("everything to be acknowledged", () => isAllForwarded(program), { timeoutMs: SETTLE_TIMEOUT_MS });
  const { events, examples: _examples, ...own } = await compareWithTruth(home, program);
  const found = await compareInfluxDB(home, check);
  await server.stop();
  return { events, ...found, program: own, waitingMax, catchUpSeconds };
}

function engineSettings({ url, version }: RunningPeer, token: string | null): Record<string, string> {
  const { org, database } = targetAt({ url, version }, "archive", BUCKET);
  const engine = { TIMESERIES_ENGINE: "influxdb", INFLUXDB_URL: url };
  if (database !== null) return { ...engine, INFLUXDB_DATABASE: database };
  return { ...engine, INFLUXDB_ORG: org ?? "", INFLUXDB_BUCKET: BUCKET, INFLUXDB_TOKEN: token ?? "" };
}

interface ArchiveState {
  readonly state: string;
  readonly waiting: number;
  readonly delivered: number;
}

async function archiveOf(program: Program): Promise<ArchiveState> {
  return (await program.read<{ mirrors: ArchiveState[] }>("/api/v1/mirrors")).mirrors[0]!;
}

/** A sample is queued when it is committed, so there must be none left to commit either. */
async function isAllForwarded(program: Program): Promise<boolean> {
  const { dependencies } = await program.read<{ dependencies: { timeseries: { waiting: number } } }>("/health");
  return dependencies.timeseries.waiting === 0 && (await archiveOf(program)).waiting === 0;
}

/** What InfluxDB has of the states of the home, subject by subject. */
async function compareInfluxDB(home: Home, influx: InfluxClient) {
  const bySubject = new Map<string, Map<number, string | null>>();
  for await (const { entityId, registryId, state, lastChanged } of home.truth()) {
    const subject = registryId ?? entityId;
    const states = bySubject.get(subject) ?? new Map<number, string | null>();
    bySubject.set(subject, states.set(lastChanged, state));
  }
  const faults = { lost: 0, doubled: 0, wrong: 0, invented: 0 };
  for (const [subject, states] of bySubject) {
    const rows = await influx.query(`SELECT "value", "state", "kind" FROM "state" WHERE "subject" = '${subject}'`);
    const seen = new Set<number>();
    for (const [time, number, text, kind] of rows) {
      if (number === null && text === null && kind === null) continue;
      const at = time as number;
      const value = kind === "removed" ? null : ((number ?? text) as number | string);
      if (seen.has(at)) faults.doubled++;
      else if (!states.has(at)) faults.invented++;
      else if (!isValueOf(states.get(at) ?? null, value)) faults.wrong++;
      seen.add(at);
    }
    for (const at of states.keys()) if (!seen.has(at)) faults.lost++;
  }
  return faults;
}
