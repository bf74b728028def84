import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Figure, type Group, isMet } from "./figure.ts";
import { footprint } from "./figures/footprint.ts";
import { ingest } from "./figures/ingest.ts";
import { latency } from "./figures/latency.ts";
import { lists } from "./figures/lists.ts";
import { upsert } from "./figures/upsert.ts";
import { growth } from "./growth.ts";
import { lineProtocol } from "./line-protocol.ts";
import { markdownTable, plainNumber } from "./markdown.ts";
import { withParts } from "./page.ts";
import { peers } from "./peers.ts";
import { benchStore } from "./store.ts";
import { webhooks } from "./webhooks.ts";

const GROUPS: readonly Group[] = [
  lists,
  upsert,
  ingest,
  latency,
  { name: "store", measure: benchStore },
  lineProtocol,
  webhooks,
  footprint,
  growth,
  peers,
];

const PAGE = join(import.meta.dirname, "../docs/performance.md");
const LARGE = 200_000_000;
const USAGE = `npm run bench                             all figures but those of peers, about 15 minutes
npm run bench -- --only ${GROUPS.map(({ name }) => name).join(",")}
npm run bench -- --only peers             beside real InfluxDB, VictoriaMetrics and QuestDB, about 10 minutes
npm run bench -- --only growth            our store with 200 M samples, half an hour; or --samples NUMBER
npm run bench -- --only peers --large     with 200 M samples, hours and 40 GB of disk; or --samples NUMBER
npm run bench -- --write                  also into docs/performance.md, each group's part by itself`;

const HEAD = ["figure", "value", "bar", "met"] as const;

function machine(): string {
  const memory = `${Math.round(totalmem() / 2 ** 30)} GB`;
  return [
    `${availableParallelism()} cores (${cpus()[0]?.model.trim() ?? "unknown"}), ${memory}`,
    `${platform()} ${release()}`,
    `Node ${process.versions.node}`,
    `SQLite ${process.versions.sqlite}`,
    new Date().toISOString().slice(0, 10),
  ].join(" · ");
}

function cells(figure: Figure): string[] {
  const { what, value, unit, bar } = figure;
  const shown =
    bar === undefined ? "" : "atMost" in bar ? `≤ ${plainNumber(bar.atMost)}` : `≥ ${plainNumber(bar.atLeast)}`;
  const met = isMet(figure);
  return [what, `${plainNumber(value)} ${unit}`.trim(), shown, met === undefined ? "" : met ? "yes" : "NO"];
}

/** Of a page that is not there yet. */
const INTRODUCTION = `# Performance

What \`npm run bench -- --write\` measured; the bars are those of the design. The sender (a simulated Home Assistant)
and the client are processes of their own on the same machine, so they share its cores with the program. "Flat out"
means that the sender always has the next change ready. Each part has its own day and machine.
`;

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    large: { type: "boolean", default: false },
    samples: { type: "string" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const names = values.only?.split(",") ?? GROUPS.filter((group) => !group.onlyWhenNamed).map(({ name }) => name);
const unknown = names.filter((name) => !GROUPS.some((group) => group.name === name));
const samples = values.large ? LARGE : values.samples === undefined ? undefined : Number(values.samples);
if (values.help || unknown.length > 0 || (samples !== undefined && !(samples >= 1_000_000))) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 1);
}

const parts = new Map<string, string>();
for (const group of GROUPS.filter(({ name }) => names.includes(name))) {
  console.error(`Measuring: ${group.name}`);
  const told: string[] = [];
  const figures = await group.measure({ samples, tell: (section) => told.push(section) });
  const part = [`## ${group.name}`, machine(), markdownTable(HEAD, figures.map(cells)), ...told].join("\n\n");
  console.log(`${part}\n`);
  parts.set(group.name, part);
}
if (values.write) {
  const page = existsSync(PAGE) ? readFileSync(PAGE, "utf8") : INTRODUCTION;
  const order = GROUPS.map(({ name }) => name);
  writeFileSync(PAGE, withParts(page, order, parts));
}
