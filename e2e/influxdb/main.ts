import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../failure.ts";
import { influxdb16, influxdb18 } from "../peers/influxdb-1.ts";
import { influxdb2 } from "../peers/influxdb-2.ts";
import type { PeerServer } from "../peers/peer.ts";
import { run } from "../process.ts";
import { compareAfterDeletion } from "./emptied.ts";
import { runKills } from "./kills.ts";
import { runProgramOutage } from "./program-outage.ts";
import { compareAnswers } from "./same-answers.ts";

const PEERS = [influxdb2, influxdb18, influxdb16];
const USAGE = `Checks the influxdb engine and forwarding on real servers.

  node e2e/influxdb/main.ts                    all: ${PEERS.map(({ name }) => name).join(", ")}
  node e2e/influxdb/main.ts --only NAME        one of them; may be repeated
  node e2e/influxdb/main.ts --step NAME        conformance, answers, emptied, kills or outage; may be repeated
  node e2e/influxdb/main.ts --outage SECONDS   how long the server stays killed under the whole program (60)`;

interface Check {
  readonly peer: PeerServer;
  readonly folder: string;
  readonly outageSeconds: number;
  readonly say: (line: string) => void;
}

/** By the names that `--step` takes, in their order. */
const STEPS: Readonly<Record<string, (check: Check) => Promise<void>>> = {
  async conformance({ peer, folder, say }) {
    const env = { ...process.env, INFLUXDB_ONLY: peer.name };
    const log = join(folder, "conformance.log");
    await run(process.execPath, ["--test", join(import.meta.dirname, "conformance.ts")], { env, log });
    say("the conformance suite passed");
  },
  async answers({ peer, folder, say }) {
    say(`${await compareAnswers(peer, join(folder, "same"))} histories and statistics as from Parquet files`);
  },
  async emptied({ peer, folder, say }) {
    const compared = await compareAfterDeletion(peer, join(folder, "emptied"));
    say(`${compared} samples are there again that were deleted while the program was stopped`);
  },
  async kills({ peer, folder, say }) {
    const { lost, doubled, wrong, ...rest } = await runKills(peer, join(folder, "kills"), say);
    say(JSON.stringify({ lost, doubled, wrong, ...rest }));
    if (lost + doubled + wrong > 0) throw new Failure("samples are lost, doubled or wrong");
  },
  async outage({ peer, folder, outageSeconds, say }) {
    const { program, ...result } = await runProgramOutage(peer, join(folder, "outage"), outageSeconds, say);
    say(JSON.stringify({ ...result, program }));
    for (const { lost, doubled, wrong, invented } of [result, program]) {
      if (lost + doubled + wrong + invented > 0) throw new Failure("samples are lost, doubled, wrong or invented");
    }
  },
};

async function check(peer: PeerServer, steps: readonly string[], outageSeconds: number): Promise<void> {
  await peer.install((line) => console.log(`  ${line}`));
  const folder = mkdtempSync(join(tmpdir(), `influxdb-${peer.name}-`));
  const say = (line: string): void => console.log(`  ${peer.name}: ${line}`);
  try {
    const server = await peer.start(join(folder, "version"));
    say(`InfluxDB ${server.version}, as it tells itself`);
    await server.stop();
    for (const step of steps) await STEPS[step]!({ peer, folder, outageSeconds, say });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function chosen(flag: string, given: readonly string[], known: readonly string[]): readonly string[] {
  const unknown = given.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Failure(`${flag} does not know "${unknown.join('", "')}"\n${USAGE}`);
  return given.length === 0 ? known : known.filter((name) => given.includes(name));
}

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    step: { type: "string", multiple: true, default: [] },
    outage: { type: "string", default: "60" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
} else {
  const peers = chosen(
    "--only",
    values.only,
    PEERS.map(({ name }) => name),
  );
  const steps = chosen("--step", values.step, Object.keys(STEPS));
  let failed = 0;
  for (const peer of PEERS.filter(({ name }) => peers.includes(name))) {
    try {
      await check(peer, steps, Number(values.outage));
      console.log(`ok      ${peer.name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${peer.name}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  process.exitCode = failed === 0 ? 0 : 1;
}
