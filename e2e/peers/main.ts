import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Failure } from "../failure.ts";
import { waitUntil } from "../wait.ts";
import type { Peer, PeerServer } from "./peer.ts";
import { request } from "./peer.ts";
import { PEER_SERVERS } from "./peers.ts";
import { telegraf } from "./telegraf.ts";

const PEERS: readonly Peer[] = [...PEER_SERVERS, telegraf];
const USAGE = `Installs peers and starts each once.

  node e2e/peers/main.ts                all: ${PEERS.map(({ name }) => name).join(", ")}
  node e2e/peers/main.ts --only NAME    one of them; may be repeated`;
const TELEGRAF_TIMEOUT_MS = 30_000;

/** The server takes a line of our protocol, says its version, and goes when it is told to. */
async function checkServer(peer: PeerServer, folder: string): Promise<string> {
  await using running = await peer.start(folder);
  if (!running.version.startsWith(peer.version) && !process.env.INFLUXD2_BIN) {
    throw new Failure(`${peer.name} says version ${running.version}, not ${peer.version}`);
  }
  const line = "state,entity_id=sensor.hall,domain=sensor value=20.5 1795517770000001000\n";
  await request(running.writeUrl, [200, 204], { method: "POST", headers: running.headers, body: line });
  return `version ${running.version} took a point at ${running.writeUrl}`;
}

/** Telegraf reads a file of line protocol and writes it to another one. */
async function checkTelegraf(folder: string): Promise<string> {
  const to = join(folder, "out.lp");
  await using _running = await telegraf.start(
    folder,
    `[agent]
  interval = "1s"
  flush_interval = "1s"
  omit_hostname = true
[[inputs.exec]]
  commands = ["echo state,entity_id=sensor.hall value=20.5"]
  data_format = "influx"
[[outputs.file]]
  files = [${JSON.stringify(to)}]
  data_format = "influx"
`,
  );
  const found = (): boolean => readFileSync(to, "utf8").includes("entity_id=sensor.hall value=20.5");
  await waitUntil("Telegraf to write a point", found, { timeoutMs: TELEGRAF_TIMEOUT_MS });
  return `version ${telegraf.version} wrote a point`;
}

async function check(peer: Peer): Promise<string> {
  await peer.install((line) => console.log(`  ${line}`));
  const folder = mkdtempSync(join(tmpdir(), `peer-${peer.name}-`));
  try {
    const server = PEER_SERVERS.find((one) => one === peer);
    return server === undefined ? await checkTelegraf(folder) : await checkServer(server, folder);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

async function main(only: readonly string[]): Promise<number> {
  const chosen = only.length === 0 ? PEERS : PEERS.filter(({ name }) => only.includes(name));
  const unknown = only.filter((name) => !PEERS.some((peer) => peer.name === name));
  if (unknown.length > 0) throw new Failure(`--only does not know "${unknown.join('", "')}"\n${USAGE}`);
  let failed = 0;
  for (const peer of chosen) {
    try {
      console.log(`ok      ${peer.name}: ${await check(peer)}`);
    } catch (error) {
      failed++;
      console.log(`FAILED  ${peer.name}: ${error instanceof Failure ? error.message : String(error)}`);
    }
  }
  console.log(`${chosen.length - failed} passed, ${failed} failed`);
  return failed;
}

const { values } = parseArgs({
  options: { only: { type: "string", multiple: true, default: [] }, help: { type: "boolean", default: false } },
});
if (values.help) console.log(USAGE);
else process.exitCode = (await main(values.only)) === 0 ? 0 : 1;
