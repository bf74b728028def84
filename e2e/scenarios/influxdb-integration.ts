import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request as forward } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { allEntityIds, compareHistory, programHistory, type Span, settle } from "../history.ts";
import type { HomeAssistant } from "../home-assistant/start.ts";
import { type Program, startProgram } from "../program.ts";
import type { Comparison } from "../report.ts";
import type { Context, Scenario } from "../scenario.ts";
import { isoOfMicros, nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const WAIT_MS = 30_000;
/** The integration writes once a second. */
const BATCH_MS = 3_000;
/** States that it leaves out. */
const SKIPPED = new Set<unknown>([null, "", "unknown", "unavailable"]);
/** Attributes of the demo home that are compared: numbers, texts, and those that come and go. */
const FIELDS = [
  "brightness",
  "effect",
  "color_mode",
  "color_temp_kelvin",
  "temperature",
  "hvac_action",
  "current_position",
];

type Timeline = ReadonlyMap<number, number | string | null>;

const SETTINGS = {
  v1: (port: number) => `\
influxdb:
  host: 127.0.0.1
  port: ${port}
  ssl: false
  username: any
  password: any
  database: home_assistant
`,
  v2: (port: number) => `\
influxdb:
  api_version: 2
  host: 127.0.0.1
  port: ${port}
  ssl: false
  token: any
  organization: home
  bucket: Home Assistant
`,
} as const;

/**
 * Home Assistant's own influxdb integration, in both of its ways, writes to two programs at once: one that hears of
 * nothing else, which then has what our own ingest has, and the one that does, to which it adds nothing.
 */
export const influxdbIntegration: Scenario = {
  name: "influxdb",
  needs: ["process", "demo", "load_generator"],
  async run(context) {
    const { homeAssistant, folder } = context;
    if (!homeAssistant) return;
    for (const version of ["v1", "v2"] as const) {
      // Without an address of Home Assistant: all that it knows was written to it.
      const env = { HA_URL: "", HA_TOKEN: "" };
      const options = { homeAssistantUrl: "", token: "", folder: join(folder, `influxdb-${version}`), env };
      await using alone = await startProgram(options);
      await using tee = await startTee([context.program, alone]);
      await useIntegration(context, homeAssistant, SETTINGS[version](tee.port));
      await check(context, alone, version);
      await removeIntegration(context, homeAssistant);
    }
  },
};

async function check(context: Context, alone: Program, version: string): Promise<void> {
  const { report } = context;
  await waitUntil("the integration's first points", async () => (await seriesOf(alone)) > 0, { timeoutMs: WAIT_MS });
  await act(context);
  const start = nowMicros();
  await act(context);
  const end = await settle(context);
  await sleep(BATCH_MS);
  const span = { start, end };
  const entityIds = await allEntityIds(context);
  report.compare(`${version}: adds nothing to our own ingest`, await compareHistory(context, entityIds, span));
  report.compare(`${version}: states are those of our own ingest`, await compareAlone(context, alone, span, "state"));
  for (const field of FIELDS) {
    const found = await compareAlone(context, alone, span, field);
    if (found.compared > 0) report.compare(`${version}: ${field} is that of our own ingest`, found);
  }
}

/** How many series the program has. */
async function seriesOf(program: Program): Promise<number> {
  return (await program.read<{ timeseries: { series: number } }>("/api/v1/stats")).timeseries.series;
}

async function act({ home }: Context): Promise<void> {
  const light = "light.bed_light";
  await home.call("light", "turn_on", { entity_id: light, brightness: 10 });
  for (const brightness of [100, 200]) await home.call("light", "turn_on", { entity_id: light, brightness });
  await home.call("light", "turn_on", { entity_id: light, effect: "rainbow" });
  await home.call("light", "turn_on", { entity_id: light, color_temp_kelvin: 3000 });
  await home.call("light", "turn_off", { entity_id: light });
  for (const value of [1, 20.5, 33]) {
    await home.call("input_number", "set_value", { entity_id: "input_number.test_number", value });
  }
  for (const value of ['a "quoted" text, with = and \\', "Grüße, 家 🏠", "007 bond"]) {
    await home.call("input_text", "set_value", { entity_id: "input_text.test_text", value });
  }
  await home.call("input_boolean", "toggle", { entity_id: "input_boolean.test_switch" });
  await home.call("climate", "set_temperature", { entity_id: "climate.heatpump", temperature: 19 });
  await home.call("climate", "set_temperature", { entity_id: "climate.heatpump", temperature: 20.5 });
}

/** What the integration wrote against our own ingest, as far as it tells: see docs/line-protocol.md. */
async function compareAlone(context: Context, alone: Program, span: Span, field: string): Promise<Comparison> {
  const entityIds = await allEntityIds(context);
  const [ours, theirs] = await Promise.all([
    programHistory(context.program, entityIds, span, field),
    programHistory(alone, entityIds, span, field),
  ]);
  const faults: string[] = [];
  let compared = 0;
  for (const [entityId, timeline] of ours) {
    const [wanted, found] = [told(timeline, field), told(theirs.get(entityId) ?? new Map(), field)];
    compared += wanted.size;
    for (const [at, value] of wanted) {
      const kept = found.get(at);
      if (kept === value || Number(value) === kept) continue;
      faults.push(`${entityId} ${isoOfMicros(at)}: ${JSON.stringify(value)}, kept ${JSON.stringify(kept)}`);
    }
    for (const at of found.keys()) if (!wanted.has(at)) faults.push(`extra: ${entityId} ${isoOfMicros(at)}`);
  }
  return { compared, faults };
}

/** Without what the integration leaves out: an attribute is the same again after the entity was unavailable. */
function told(timeline: Timeline, field: string): Map<number, number | string | null> {
  const kept = new Map<number, number | string | null>();
  let last: unknown;
  for (const [at, value] of timeline) {
    if (SKIPPED.has(value) || (field !== "state" && value === last)) continue;
    kept.set(at, value);
    last = value;
  }
  return kept;
}

async function useIntegration({ program }: Context, homeAssistant: HomeAssistant, yaml: string): Promise<void> {
  const packages = join(homeAssistant.folder, "packages");
  mkdirSync(packages, { recursive: true });
  writeFileSync(join(packages, "influxdb.yaml"), yaml);
  await restart(homeAssistant, program);
}

/** Newer releases take the settings over into an entry of their own, which outlives the file. */
async function removeIntegration({ home, program }: Context, homeAssistant: HomeAssistant): Promise<void> {
  rmSync(join(homeAssistant.folder, "packages", "influxdb.yaml"));
  const entries = await home.ask<{ entry_id: string; domain: string }[]>("config_entries/get");
  for (const { entry_id, domain } of entries) {
    if (domain === "influxdb") await home.rest("DELETE", `/api/config/config_entries/entry/${entry_id}`);
  }
  await restart(homeAssistant, program);
}

async function restart(homeAssistant: HomeAssistant, program: Program): Promise<void> {
  await homeAssistant.stop("SIGTERM");
  await homeAssistant.start();
  await program.awaitReady();
}

/** Sends what it gets to each of these; the last one's answer is the one that counts. */
async function startTee(programs: readonly Program[]): Promise<{ readonly port: number } & AsyncDisposable> {
  const server = createServer(async (incoming, outgoing) => {
    const parts: Buffer[] = [];
    for await (const part of incoming) parts.push(part as Buffer);
    const body = Buffer.concat(parts);
    const { host: _host, ...headers } = incoming.headers;
    let status = 502;
    for (const { url } of programs) status = await send(url + incoming.url, incoming.method ?? "GET", headers, body);
    outgoing.writeHead(status).end();
  });
  const { promise, resolve } = Promise.withResolvers<void>();
  server.listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      server.close();
    },
  };
}

function send(url: string, method: string, headers: NodeJS.Dict<string | string[]>, body: Buffer): Promise<number> {
  const { promise, resolve } = Promise.withResolvers<number>();
  const sent = forward(url, { method, headers }, (response) => {
    response.resume();
    response.once("end", () => resolve(response.statusCode ?? 502));
  });
  sent.once("error", () => resolve(502));
  sent.end(body);
  return promise;
}
