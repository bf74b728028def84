import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../failure.ts";
import { influxdb16, influxdb18 } from "../peers/influxdb-1.ts";
import { influxdb2 } from "../peers/influxdb-2.ts";
import type { PeerServer } from "../peers/peer.ts";
import { run } from "../process.ts";
import { runOutage } from "./outage.ts";
import { compareAnswers } from "./same-answers.ts";

const PEERS = [influxdb2, influxdb18, influxdb16];
const USAGE = `Checks the influxdb engine and forwarding on real servers.

  node e2e/influxdb/main.ts                    all: ${PEERS.map(({ name }) => name).join(", ")}
  node e2e/influxdb/main.ts --only NAME        one of them; may be repeated
  node e2e/influxdb/main.ts --outage SECONDS   how long the server stays killed under 500 events/s (60)`;

async function check(peer: PeerServer, outageSeconds: number): Promise<void> {
  await peer.install((line) => console.log(`  ${line}`));
  const folder = mkdtempSync(join(tmpdir(), `influxdb-${peer.name}-`));
  const say = (line: string): void => console.log(`  ${peer.name}: ${line}`);
  try {
    const env = { ...process.env, INFLUXDB_ONLY: peer.name };
    const log = join(folder, "conformance.log");
    await run(process.execPath, ["--test", join(import.meta.dirname, "conformance.ts")], { env, log });
    say(`conformance suite passed on ${peer.version}`);
    say(`${await compareAnswers(peer, join(folder, "same"))} histories and statistics as from Parquet files`);
    const outage = await runOutage(peer, join(folder, "outage"), outageSeconds, say);
    say(JSON.stringify(outage));
    if (outage.lost + outage.doubled + outage.wrong > 0) throw new Failure("samples are lost, doubled or wrong");
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

const { values } = parseArgs({
  options: {
    only: { type: "string", multiple: true, default: [] },
    outage: { type: "string", default: "60" },
    help: { type: "boolean", default: false },
  },
});
if (values.help) {
  console.log(USAGE);
} else {
  const unknown = values.only.filter((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) throw new Failure(`--only does not know "${unknown.join('", "')}"\n${USAGE}`);
  let failed = 0;
  for (const peer of PEERS.filter(({ name }) => values.only.length === 0 || values.only.includes(name))) {
    try {
      await check(peer, Number(values.outage));
      console.log(`ok      ${peer.name}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${peer.name}: ${error instanceof Error ? error.stack : error}`);
    }
  }
  process.exitCode = failed === 0 ? 0 : 1;
}
