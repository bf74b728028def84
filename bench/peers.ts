import { messageOf } from "../src/domain/errors.ts";
import type { Bar, Figure, Group, GroupOptions } from "./figure.ts";
import { markdownTable, plainNumber } from "./markdown.ts";
import { type Dataset, withDataset } from "./peers/dataset.ts";
import { type Measured, measurePeer } from "./peers/measure.ts";
import { measureOurs, type Ours } from "./peers/ours.ts";
import type { Question, Times } from "./peers/question.ts";
import { DIALECTS } from "./peers/servers.ts";

const SAMPLES = 5_000_000;
/** The bars of the design, in milliseconds. */
const BARS: Readonly<Partial<Record<Question, number>>> = { a: 0.5, b: 0.5, c: 20 };
const HTTP_ADDS_MS = 0.3;
const TITLES: Readonly<Record<Question, string>> = {
  a: "A",
  b: "B",
  c: "C",
  cEntity: "C per entity",
  last100: "last 100",
};
const HEAD = [
  "store",
  "ingest/s",
  ...Object.values(TITLES).map((title) => `${title} ms`),
  "bytes/sample",
  "RSS MB peak / after",
];

/** Our store beside the real peers, on the same data, each alone in turn. */
async function measure({ samples, tell }: GroupOptions): Promise<Figure[]> {
  const total = samples ?? SAMPLES;
  say(`making ${plainNumber(total)} samples`);
  return withDataset(total, {}, async (dataset) => {
    const peers: Measured[] = [];
    for (const dialect of DIALECTS) {
      say(`${dialect.title}: loading and asking`);
      // A peer that cannot be had or fails is a row that says so; the others still count.
      try {
        await dialect.peer.install(say);
        peers.push(await measurePeer(dialect, dataset));
      } catch (error) {
        say(`${dialect.title} FAILED: ${messageOf(error)}`);
        peers.push({
          title: `${dialect.title}: FAILED`,
          ingest: null,
          times: null,
          bytesPerSample: null,
          memory: null,
        });
      }
    }
    const ours = await measureOurs(dataset, say);
    tell(section(dataset, [...peers, ...ours.rows]));
    return [
      ...figuresOf(ours, peers[0]!),
      {
        what: "peers that failed",
        value: peers.filter(({ times }) => times === null).length,
        unit: "",
        bar: { atMost: 0 },
      },
    ];
  });
}

function say(line: string): void {
  console.error(`  ${line}`);
}

function figuresOf(ours: Ours, reference: Measured): Figure[] {
  const [store, http, archived] = ours.rows;
  const atMost = (bar: number): Bar => ({ atMost: bar });
  const influx = typeof reference.ingest === "number" ? reference.ingest : Number.NaN;
  const written = `times that of ${reference.title}`;
  return [
    {
      what: `write path until durable, folds included, ${written}`,
      value: Number(store!.ingest) / influx,
      unit: "×",
      bar: { atLeast: 3 },
    },
    {
      what: "the same until all is in the day tables",
      value: ours.foldedPerSecond / influx,
      unit: "×",
    },
    {
      what: `the same, ${plainNumber(ours.appendedPerSecond)}/s while nothing is folded`,
      value: ours.appendedPerSecond / influx,
      unit: "×",
    },
    {
      what: `line protocol over HTTP, ${written}`,
      value: Number(http!.ingest) / influx,
      unit: "×",
      bar: { atLeast: 2 },
    },
    ...timesOf(ours.rows),
    { what: "hot: bytes per sample", value: ours.hotBytesPerSample, unit: "bytes", bar: atMost(28) },
    { what: "archive: bytes per sample", value: ours.archivedBytesPerSample, unit: "bytes", bar: atMost(6) },
    { what: "all of the data directory, archived, rollups included", value: archived!.bytesPerSample!, unit: "bytes" },
    { what: "fold of what the load left in memory", value: ours.foldSeconds, unit: "s" },
    { what: "rollups of all days", value: ours.rollUpSeconds, unit: "s" },
    { what: "archiving all days but three", value: ours.sealSeconds, unit: "s" },
  ];
}

/** Each of ours against the bars; over HTTP against the store by itself. */
function timesOf(rows: readonly Measured[]): Figure[] {
  const figures: Figure[] = [];
  for (const [i, { title, times }] of rows.entries()) {
    const store = i % 2 === 0 ? undefined : rows[i - 1]!.times!;
    for (const [name, bar] of Object.entries(BARS) as [Question, number][]) {
      const value = times![name];
      if (store === undefined)
        figures.push({ what: `${title}: ${TITLES[name]}`, value, unit: "ms", bar: { atMost: bar } });
      else {
        const what = `${title}: what HTTP adds to ${TITLES[name]}`;
        figures.push({ what, value: value - store[name], unit: "ms", bar: { atMost: HTTP_ADDS_MS } });
      }
    }
  }
  return figures;
}

function section(dataset: Dataset, rows: readonly Measured[]): string {
  const [reference] = rows;
  return `${plainNumber(dataset.samples)} samples of 500 entities over ${dataset.days} days, one of ten entities a text,
the same for all; each server alone in turn, over HTTP on one connection, batches of 5,000 lines, with its defaults. A is
one entity over 24 h raw, B one entity over 30 days as means by the hour, C the daily count of all samples over 30 days,
then the same for each entity, then the newest 100 samples of one entity (by their span where there is no such question);
medians, of ours those of three rounds in which store and program are asked in turn. Bytes and times after the
server had sorted and compressed what it took. In brackets: how many times better than ${reference!.title}.

${markdownTable(
  HEAD,
  rows.map((row) => cells(row, reference!)),
)}`;
}

function cells(row: Measured, reference: Measured): string[] {
  const cell = (value: number | null | undefined, of: number | null | undefined, isMoreBetter = false): string => {
    if (value == null) return "–";
    const ratio = of == null || row === reference ? undefined : isMoreBetter ? value / of : of / value;
    return ratio === undefined ? plainNumber(value) : `${plainNumber(value)} (${plainNumber(ratio)}×)`;
  };
  const number = ({ ingest }: Measured): number | null => (typeof ingest === "number" ? Math.round(ingest) : null);
  const times = (Object.keys(TITLES) as (keyof Times)[]).map((name) =>
    cell(row.times?.[name], reference.times?.[name]),
  );
  const { memory } = row;
  return [
    row.title,
    typeof row.ingest === "string" ? row.ingest : cell(number(row), number(reference), true),
    ...times,
    cell(row.bytesPerSample, reference.bytesPerSample),
    memory === null ? "–" : `${Math.round(memory.peak)} / ${Math.round(memory.after)}`,
  ];
}

export const peers: Group = { name: "peers", onlyWhenNamed: true, measure };
