import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { telegraf } from "../peers/telegraf.ts";
import { type Program, startProgram } from "../program.ts";
import type { Context, Scenario } from "../scenario.ts";
import { waitUntil } from "../wait.ts";

const TOKEN = "a-token-of-telegraf";
const WAIT_MS = 30_000;
const FIRST_MS = 1_795_518_045_000;
const LINES = 1_200;

const OUTPUTS = {
  v1: (url: string) => `\
[[outputs.influxdb]]
  urls = ["${url}"]
  database = "telegraf"
  username = "any"
  password = "${TOKEN}"
`,
  v2: (url: string) => `\
[[outputs.influxdb_v2]]
  urls = ["${url}"]
  token = "${TOKEN}"
  organization = "home"
  bucket = "telegraf"
`,
} as const;

/** A real Telegraf writes to the program, with the token, by both of its outputs: nothing is lost or changed. */
export const telegrafOutputs: Scenario = {
  name: "telegraf",
  needs: [],
  async run(context) {
    await telegraf.install((line) => console.log(line));
    for (const version of ["v1", "v2"] as const) {
      const env = { HA_URL: "", HA_TOKEN: "", API_TOKEN: TOKEN };
      const folder = join(context.folder, `telegraf-${version}`);
      await using program = await startProgram({ homeAssistantUrl: "", token: "", folder, env });
      const file = join(folder, "lines.influx");
      writeFileSync(file, Array.from({ length: LINES }, (_, i) => lineOf(i)).join("\n"));
      await using _running = await telegraf.start(folder, configuration(OUTPUTS[version](program.url), file));
      await check(context, program, version);
    }
  },
};

/** Every type that Telegraf knows, and a tag that needs its escapes. */
function lineOf(i: number): string {
  const state = i % 2 === 0 ? 'it is \\"on\\", now' : "off";
  const fields = `power=${i}.25,count=${i}i,big=9007199254740993i,is_on=${i % 2 === 0},state="${state}"`;
  return `meter,room=living\\ room,name=a\\,b\\=c ${fields} ${FIRST_MS + i}123456`;
}

function configuration(output: string, file: string): string {
  return `\
[agent]
  interval = "1s"
  flush_interval = "1s"
  precision = "1ns"
  metric_batch_size = 500
  omit_hostname = true
[[inputs.file]]
  files = ["${file}"]
  data_format = "influx"
[[inputs.mem]]
${output}`;
}

async function check({ report }: Context, program: Program, version: string): Promise<void> {
  const subject = encodeURIComponent("name=a\\,b\\=c,room=living\\ room");
  const read = async (query: string): Promise<readonly (readonly [number, unknown])[]> => {
    const headers = { authorization: `Bearer ${TOKEN}` };
    const answer = await fetch(`${program.url}/api/v1/history?${query}`, { headers });
    const { series } = (await answer.json()) as { series?: { samples: [number, unknown][] }[] };
    return series?.[0]?.samples ?? [];
  };
  const span = `start=${FIRST_MS}&end=${FIRST_MS + LINES}&limit=${LINES + 1}`;
  const field = (name: string) => read(`measurement=meter&subject=${subject}&fields=${name}&${span}`);
  await waitUntil("Telegraf's points", async () => (await field("power")).length >= LINES, { timeoutMs: WAIT_MS });
  const values = { power: (i: number) => i + 0.25, count: (i: number) => i, big: () => "9007199254740993" };
  const texts = {
    is_on: (i: number) => String(i % 2 === 0),
    state: (i: number) => (i % 2 === 0 ? 'it is "on", now' : "off"),
  };
  for (const [name, expect] of Object.entries({ ...values, ...texts })) {
    const expected = Array.from({ length: LINES }, (_, i) => [FIRST_MS + i + 0.123, expect(i)]);
    const found = await field(name);
    const faults = expected.filter((sample, i) => JSON.stringify(sample) !== JSON.stringify(found[i]));
    report.compare(`${version}: ${name}`, {
      compared: found.length,
      faults: found.length === LINES ? faults.map(String) : [`${found.length} samples instead of ${LINES}`],
    });
  }
  const memory = await waitUntil(
    "Telegraf's own figures",
    async () => {
      const samples = await read("measurement=mem&subject=-&fields=used_percent");
      return samples.length > 1 ? samples : undefined;
    },
    { timeoutMs: WAIT_MS },
  );
  report.compare(`${version}: mem used_percent`, {
    compared: memory.length,
    faults: memory.filter(([, value]) => typeof value !== "number").map(String),
  });
}
