import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { gzipSync } from "node:zlib";
import { cacheFolder } from "../e2e/peers/cache.ts";
import { influxdb2 } from "../e2e/peers/influxdb-2.ts";
import { createParser } from "../src/lineprotocol/parse.ts";
import { type Figure, type Group, type GroupOptions, quantile } from "./figure.ts";
import { type Dataset, readLines, writeDataset } from "./peers/dataset.ts";
import { Connection } from "./peers/http.ts";
import { startProgram } from "./processes.ts";

const SAMPLES = 2_000_000;
const TIMES_MIN = 2;
const ROUNDS = 5;

interface Lines {
  readonly perSecond: number;
  readonly delayMs: number;
}

/** `/write` beside InfluxDB 2.7 on the same lines: batches of 5,000 on one connection, each alone in turn. */
async function measure({ samples = SAMPLES, tell }: GroupOptions): Promise<Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), "bench-lines-"));
  try {
    const dataset = writeDataset(folder, samples);
    const ours: Lines[] = [];
    const theirs: number[] = [];
    // In turn, so that what else the machine does strikes both.
    for (let round = 0; round < ROUNDS; round++) {
      ours.push(await measureLines(dataset, false));
      const perSecond = await measureInfluxdb(dataset);
      if (perSecond !== undefined) theirs.push(perSecond);
    }
    const median = (of: (lines: Lines) => number): number => quantile(ours.map(of), 0.5);
    const perSecond = median((lines) => lines.perSecond);
    const reference = theirs.length === 0 ? undefined : quantile(theirs, 0.5);
    tell(
      `Medians of ${ROUNDS} rounds in which both are measured in turn. 204 says that the points are on the disk, as with ` +
        "InfluxDB. The parser's figure is that of its own thread alone; the rest of the time goes into the store's " +
        "memory, log and tables.",
    );
    return [
      { what: "parser alone", value: parse(dataset), unit: "lines/s" },
      { what: "/write, 5,000 lines a request", value: perSecond, unit: "points/s" },
      { what: "/write, the same with gzip", value: (await measureLines(dataset, true)).perSecond, unit: "points/s" },
      { what: "event loop's delay meanwhile, p99", value: median((lines) => lines.delayMs), unit: "ms" },
      ...(reference === undefined
        ? []
        : [
            { what: `InfluxDB ${influxdb2.version}, the same lines`, value: reference, unit: "points/s" },
            { what: "times that", value: perSecond / reference, unit: "×", bar: { atLeast: TIMES_MIN } },
          ]),
    ];
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** The program's `/write`, into a fresh data directory. */
export async function measureLines(dataset: Dataset, gzip: boolean): Promise<Lines> {
  await using program = await startProgram();
  using connection = await Connection.open(program.url);
  const headers: Record<string, string> = gzip ? { "content-encoding": "gzip" } : {};
  const perSecond = await send(connection, "/write?db=bench", headers, dataset, gzip);
  const { timeseries, process } = await program.stats();
  if (timeseries.appended < dataset.samples || timeseries.dropped > 0 || timeseries.waiting > 0) {
    throw new Error(`Of ${dataset.samples} points ${timeseries.appended} were stored, ${timeseries.waiting} wait`);
  }
  return { perSecond, delayMs: process.event_loop_delay_ms.p99 };
}

/** Undefined where it has not been installed: `npm run peers` does that. */
async function measureInfluxdb(dataset: Dataset): Promise<number | undefined> {
  const program = process.env.INFLUXD2_BIN ?? join(cacheFolder(`influxdb-${influxdb2.version}`), "influxd");
  if (!existsSync(program)) return undefined;
  const folder = mkdtempSync(join(tmpdir(), "bench-lines-influxdb-"));
  try {
    await using server = await influxdb2.start(folder);
    using connection = await Connection.open(server.url);
    return await send(connection, server.writeUrl.slice(server.url.length), server.headers, dataset, false);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** Points a second; what it takes to pack them is not counted. */
async function send(
  connection: Connection,
  path: string,
  headers: Readonly<Record<string, string>>,
  dataset: Dataset,
  gzip: boolean,
): Promise<number> {
  let milliseconds = 0;
  for (const lines of readLines(dataset)) {
    const body = gzip ? gzipSync(lines) : lines;
    const began = performance.now();
    await connection.send(path, { method: "POST", headers, body });
    milliseconds += performance.now() - began;
  }
  return (dataset.samples / milliseconds) * 1000;
}

/** Lines a second, of lines whose keys are known. */
function parse(dataset: Dataset): number {
  let values = 0;
  const parser = createParser<null>({
    resolve: () => null,
    field: () => void values++,
    pointEnds: () => undefined,
    fault: (line, reason) => {
      throw new Error(`${reason}: ${line}`);
    },
  });
  let milliseconds = 0;
  for (const body of readLines(dataset)) {
    const began = performance.now();
    parser.parse(body, 0, body.length, "ns", 0);
    milliseconds += performance.now() - began;
  }
  return (values / milliseconds) * 1000;
}

export const lineProtocol: Group = { name: "line-protocol", measure };
