import { writeFileSync } from "node:fs";
import { availableParallelism, cpus, platform, release, totalmem } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { type Figure, type Group, isMet } from "./figure.ts";
import { footprint } from "./figures/footprint.ts";
import { ingest } from "./figures/ingest.ts";
import { latency } from "./figures/latency.ts";
import { lists } from "./figures/lists.ts";
import { upsert } from "./figures/upsert.ts";
import { benchStore } from "./store.ts";

const GROUPS: readonly Group[] = [lists, upsert, ingest, latency, { name: "store", measure: benchStore }, footprint];

const PAGE = join(import.meta.dirname, "../docs/performance.md");
const USAGE = `npm run bench                             all figures, about 15 minutes
npm run bench -- --only ${GROUPS.map(({ name }) => name).join(",")}
npm run bench -- --write                  also into docs/performance.md`;

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
  const number = (given: number): string =>
    given.toLocaleString("en", { maximumFractionDigits: given < 10 ? 2 : given < 1000 ? 1 : 0 });
  const shown = bar === undefined ? "" : "atMost" in bar ? `≤ ${number(bar.atMost)}` : `≥ ${number(bar.atLeast)}`;
  const met = isMet(figure);
  return [what, `${number(value)} ${unit}`.trim(), shown, met === undefined ? "" : met ? "yes" : "NO"];
}

function markdown(rows: readonly (readonly string[])[]): string {
  const widths = HEAD.map((title, i) => Math.max(title.length, ...rows.map((row) => row[i]!.length)));
  const line = (row: readonly string[]): string => `| ${row.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |`;
  return [line(HEAD), `|${widths.map((width) => "-".repeat(width + 2)).join("|")}|`, ...rows.map(line)].join("\n");
}

function page(table: string): string {
  return `# Performance

What \`npm run bench -- --write\` measured; the bars are those of the design. The sender (a simulated Home Assistant)
and the client are processes of their own on the same machine, so they share its cores with the program. "Flat out"
means that the sender always has the next change ready.

${machine()}

${table}
`;
}

const { values } = parseArgs({
  options: {
    only: { type: "string" },
    write: { type: "boolean", default: false },
    help: { type: "boolean", default: false },
  },
});
const names = values.only?.split(",") ?? GROUPS.map(({ name }) => name);
const unknown = names.filter((name) => !GROUPS.some((group) => group.name === name));
if (values.help || unknown.length > 0) {
  console.log(USAGE);
  process.exit(unknown.length > 0 ? 1 : 0);
}

const figures: Figure[] = [];
for (const group of GROUPS.filter(({ name }) => names.includes(name))) {
  console.error(`Measuring: ${group.name}`);
  figures.push(...(await group.measure()));
}
const table = markdown(figures.map(cells));
console.log(`${machine()}\n\n${table}`);
if (values.write) writeFileSync(PAGE, page(table));
