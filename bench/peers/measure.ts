import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { bytesOnDisk } from "../disk.ts";
import { procNumber } from "../processes.ts";
import { type Dataset, readLines } from "./dataset.ts";
import { Connection } from "./http.ts";
import { type Ask, createCases, type Times, timeQuestions } from "./question.ts";
import type { Dialect } from "./servers.ts";

/** One line of the table of peers. */
export interface Measured {
  readonly title: string;
  /** Null where nothing is written this way; a text says why. */
  readonly ingest: number | string | null;
  readonly times: Times | null;
  readonly bytesPerSample: number | null;
  /** Megabytes. */
  readonly memory: { readonly peak: number; readonly after: number } | null;
}

const VISIBLE_TIMEOUT_MS = 300_000;
/** Work in the background has to begin before one can wait for its end. */
const REST_AFTER_MS = 15_000;
const REST_WINDOW_MS = 3_000;
const REST_TIMEOUT_MS = 300_000;
/** Of one core; a server that does less is at rest. */
const REST_SHARE = 0.05;
/** Linux counts a process's time in hundredths of a second. */
const TICKS_A_SECOND = 100;

/** Loads a peer with all lines and asks it everything, alone, on a fresh data directory that goes afterwards. */
export async function measurePeer(dialect: Dialect, dataset: Dataset): Promise<Measured> {
  const folder = mkdtempSync(join(tmpdir(), `bench-${dialect.peer.name}-`));
  try {
    await using server = await dialect.peer.start(folder, { settings: dialect.settings ?? {} });
    using connection = await Connection.open(server.url);
    const writePath = server.writeUrl.slice(server.url.length);
    const began = performance.now();
    for (const body of readLines(dataset)) {
      await connection.send(writePath, { method: "POST", headers: server.headers, body });
    }
    const seconds = (performance.now() - began) / 1000;
    const ask = questioner(dialect, connection, server.headers);
    await untilVisible(dataset, ask);
    await untilAtRest(server.pid);
    const [times] = await timeQuestions(dataset, [ask]);
    return {
      title: `${dialect.title} (${server.version})`,
      ingest: dataset.samples / seconds,
      times: times!,
      bytesPerSample: bytesOnDisk(folder) / dataset.samples,
      memory: memoryOf(server.pid),
    };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

export function memoryOf(pid: number): { peak: number; after: number } {
  return { peak: procNumber(pid, "status", "VmHWM") / 1000, after: procNumber(pid, "status", "VmRSS") / 1000 };
}

function questioner(
  { pathOf, countOf }: Dialect,
  connection: Connection,
  headers: Readonly<Record<string, string>>,
): Ask {
  return async (question, about) => {
    const { body, ms } = await connection.send(pathOf(question, about), { headers });
    return { ms, count: countOf(question, JSON.parse(body.toString())) };
  };
}

/** Some servers answer to a write before the points can be asked for. */
async function untilVisible(dataset: Dataset, ask: Ask): Promise<void> {
  const deadline = performance.now() + VISIBLE_TIMEOUT_MS;
  const about = { ...createCases(dataset)(), month: dataset };
  for (;;) {
    const { count } = await ask("c", about);
    if (count === dataset.samples) return;
    if (performance.now() > deadline) throw new Error(`Of ${dataset.samples} samples ${count} can be asked for`);
    await sleep(500);
  }
}

/** What is written is sorted and compressed in the background: it is measured when that is done. */
async function untilAtRest(pid: number): Promise<void> {
  await sleep(REST_AFTER_MS);
  const deadline = performance.now() + REST_TIMEOUT_MS;
  let before = cpuSeconds(pid);
  for (;;) {
    await sleep(REST_WINDOW_MS);
    const now = cpuSeconds(pid);
    if (now - before < (REST_SHARE * REST_WINDOW_MS) / 1000) return;
    if (performance.now() > deadline)
      throw new Error(`Process ${pid} is not at rest after ${REST_TIMEOUT_MS / 1000} s`);
    before = now;
  }
}

function cpuSeconds(pid: number): number {
  // The name of the program, which may hold blanks, is in brackets; user and system time are the 14th and 15th field.
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_A_SECOND;
}
