import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Failure } from "../failure.ts";
import { type Program, startProgram } from "../program.ts";
import { startHome } from "./home.ts";
import { positive } from "./options.ts";
import { load, metric, settle } from "./trial.ts";
import { compareWithTruth, isTrue } from "./truth.ts";

const MINUTE_MS = 60_000;
const MINUTES = 60;
const RATE = 50;
const ENTITIES = 2000;

const USAGE = `The program for long under the load of a busy home: ${ENTITIES} entities, ${RATE} events/s.

  npm run soak                      ${MINUTES} minutes
  npm run soak -- --minutes 5
  npm run soak -- --rate 10         other events per second

Prints each minute memory, delay of the event loop since the start, and bytes written to disk for each event of that
minute; at the end it compares all that was kept with the home's ground truth.`;

/** What the program's process has come to so far. */
interface Usage {
  readonly rssMb: number;
  /** Milliseconds, since the start. */
  readonly delayP99Ms: number;
  readonly writtenBytes: number;
  readonly events: number;
}

async function usageOf(program: Program): Promise<Usage> {
  const { process } = await program.read<{
    process: { rss_bytes: number; event_loop_delay_ms: { p99: number } };
  }>("/api/v1/stats");
  return {
    rssMb: Math.round(process.rss_bytes / 2 ** 20),
    delayP99Ms: process.event_loop_delay_ms.p99,
    writtenBytes: writtenBytes(program.pid),
    events: metric(String((await program.get("/metrics")).body), "ingest_changes_total"),
  };
}

/** What the kernel brings to the disk for a process; 0 where its files are in memory. */
function writtenBytes(pid: number): number {
  const found = /^write_bytes: (\d+)$/m.exec(readFileSync(`/proc/${pid}/io`, "utf8"));
  if (!found) throw new Failure(`/proc/${pid}/io does not say how much was written`);
  return Number(found[1]);
}

function bytesPerEvent(from: Usage, to: Usage): number {
  return Math.round((to.writtenBytes - from.writtenBytes) / Math.max(1, to.events - from.events));
}

async function soak(minutes: number, rate: number): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), "ha-ingestor-soak-"));
  await using home = await startHome({ entities: ENTITIES, seed: 1, folder });
  const options = { homeAssistantUrl: home.url, token: home.token, folder: join(folder, "program") };
  await using program = await startProgram(options);
  await program.awaitReady();
  await load(home, rate);

  const first = await usageOf(program);
  let last = first;
  let rssMaxMb = first.rssMb;
  console.log("minute   events   RSS MB   event loop p99 ms   bytes written per event");
  for (let minute = 1; minute <= minutes; minute++) {
    await sleep(MINUTE_MS);
    const now = await usageOf(program);
    rssMaxMb = Math.max(rssMaxMb, now.rssMb);
    const cells = [minute, now.events - first.events, now.rssMb, now.delayP99Ms, bytesPerEvent(last, now)];
    console.log(cells.map((cell, index) => String(cell).padStart([6, 9, 9, 20, 26][index]!)).join(""));
    last = now;
  }

  const gaps = await settle({ home, program });
  const verdict = await compareWithTruth(home, program);
  const { events, lost, doubled, invented, wrong, examples } = verdict;
  console.log(`\nRSS ${first.rssMb} MB at first, ${last.rssMb} MB at last, ${rssMaxMb} MB at most`);
  console.log(`event loop p99 ${last.delayP99Ms} ms, ${bytesPerEvent(first, last)} bytes written per event`);
  console.log(
    `gaps: ${gaps === null ? "no ledger" : gaps.map(({ reason, state }) => `${reason} ${state}`).join(", ")}`,
  );
  console.log(`${events} state changes: ${lost} lost, ${doubled} doubled, ${invented} invented, ${wrong} wrong`);
  for (const example of examples) console.log(`    ${example}`);
  const good = isTrue(verdict);
  if (good) rmSync(folder, { recursive: true, force: true });
  else console.log(`logs and data are kept in ${folder}`);
  return good;
}

try {
  const { values } = parseArgs({
    options: {
      minutes: { type: "string", default: String(MINUTES) },
      rate: { type: "string", default: String(RATE) },
      help: { type: "boolean", default: false },
    },
  });
  if (values.help) console.log(USAGE);
  else if (!(await soak(positive("minutes", values.minutes), positive("rate", values.rate)))) process.exitCode = 1;
} catch (error) {
  console.error(error instanceof Failure ? error.message : error);
  process.exitCode = 1;
}
