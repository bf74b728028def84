import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bytesOnDisk, bytesPerHotSample } from "../disk.ts";
import { quantile } from "../figure.ts";
import { measureLines } from "../line-protocol.ts";
import { runNode, startProgram } from "../processes.ts";
import { type Dataset, ENTITIES, entityId } from "./dataset.ts";
import { Connection } from "./http.ts";
import { type Measured, memoryOf } from "./measure.ts";
import { type Case, LAST_100_MICROS, QUESTIONS, type Question, timeQuestions } from "./question.ts";
import type { StoreJob, StoreResult } from "./store.child.ts";

const CHILD = "bench/peers/store.child.ts";
const HOT_DAYS = 3;
const ARCHIVED = `HOT_DAYS=${HOT_DAYS}`;
/** Store and program are asked in turn so often, so that what else the machine does strikes both. */
const ROUNDS = 3;
/** More than any data have. */
const ALL_DAYS = 3_650;
/** Entities that one request may name, and buckets of an answer. */
const ENTITIES_A_REQUEST = 200;

/** Our own figures, as the peers have theirs, and what only we are asked. */
export interface Ours {
  /** Store and HTTP, all days in SQLite, then with older days in the archive. */
  readonly rows: readonly Measured[];
  /** Samples that reach the disk in a second while nothing is folded. */
  readonly appendedPerSecond: number;
  /** Samples that reach the day tables in a second. */
  readonly foldedPerSecond: number;
  readonly hotBytesPerSample: number;
  readonly archivedBytesPerSample: number;
  readonly foldSeconds: number;
  readonly rollUpSeconds: number;
  readonly sealSeconds: number;
}

/** A data directory of its own, on which one job is done after the other, each in a process of its own. */
function openWork(dataset: Dataset): OursAtWork {
  const directory = mkdtempSync(join(tmpdir(), "bench-ours-"));
  const data = join(directory, "data");
  const job: OursAtWork["job"] = async (what, hotDays, into = data) => {
    const given: StoreJob = { do: what, directory: into, dataset, hotDays };
    return JSON.parse(await runNode([CHILD, JSON.stringify(given)])) as StoreResult;
  };
  return {
    directory,
    data,
    job,
    async reads(tier, hotDays, rounds) {
      const store: Pick<Measured, "times" | "memory">[] = [];
      const http: Pick<Measured, "times" | "memory">[] = [];
      for (let round = 0; round < rounds; round++) {
        const { times, memory } = await job("ask", hotDays);
        store.push({ times: times!, memory });
        http.push(await askProgram(data, dataset, hotDays));
      }
      const row = { ingest: null, bytesPerSample: bytesOnDisk(data) / dataset.samples };
      return [
        { title: `ours, store, ${tier}`, ...row, ...medianOf(store) },
        { title: `ours, HTTP, ${tier}`, ...row, ...medianOf(http) },
      ];
    },
    [Symbol.dispose]: () => rmSync(directory, { recursive: true, force: true }),
  };
}

interface OursAtWork extends Disposable {
  readonly directory: string;
  readonly data: string;
  job(what: StoreJob["do"], hotDays: number, into?: string): Promise<StoreResult>;
  /** The store by itself, then over HTTP, in turn so often. */
  reads(tier: string, hotDays: number, rounds: number): Promise<[Measured, Measured]>;
}

/** Of rounds: the median of each time, and the memory of the first. */
function medianOf(rounds: readonly Pick<Measured, "times" | "memory">[]): Pick<Measured, "times" | "memory"> {
  const median = (question: Question): number =>
    quantile(
      rounds.map(({ times }) => times![question]),
      0.5,
    );
  const times = Object.fromEntries(QUESTIONS.map((question) => [question, median(question)])) as Record<
    Question,
    number
  >;
  return { times, memory: rounds[0]!.memory };
}

/** Loads our store and asks it everything, in process and over HTTP, before and after older days are archived. */
export async function measureOurs(dataset: Dataset, say: (line: string) => void): Promise<Ours> {
  using work = openWork(dataset);
  say("ours: loading");
  const log = join(work.directory, "log-alone");
  const appended = await work.job("append", ALL_DAYS, log);
  rmSync(log, { recursive: true });
  const loaded = await work.job("load", ALL_DAYS);
  say("ours: loading over HTTP");
  const lines = await measureLines(dataset, false);
  say("ours: computing rollups");
  const rolledUp = await work.job("rollUp", ALL_DAYS);
  const hotBytesPerSample = bytesPerHotSample(work.data);
  say("ours: asking, all days in SQLite");
  const [store, http] = await work.reads("all hot", ALL_DAYS, ROUNDS);
  say("ours: archiving");
  const sealed = await work.job("seal", HOT_DAYS);
  say("ours: asking, older days in the archive");
  const archived = await work.reads(ARCHIVED, HOT_DAYS, ROUNDS);
  return {
    rows: [
      { ...store, ingest: dataset.samples / loaded.seconds!, memory: loaded.memory },
      { ...http, ingest: lines.perSecond },
      ...archived,
    ],
    appendedPerSecond: appended.appendedPerSecond!,
    foldedPerSecond: dataset.samples / (loaded.seconds! + loaded.foldSeconds!),
    hotBytesPerSample,
    archivedBytesPerSample: sealed.archivedBytesPerSample!,
    foldSeconds: loaded.foldSeconds!,
    rollUpSeconds: rolledUp.rollUpSeconds!,
    sealSeconds: sealed.sealSeconds!,
  };
}

/** Our store with all rollups and older days in the archive, to be asked as often as is wanted. */
export interface Grown extends Disposable {
  readonly loadSeconds: number;
  readonly rollUpSeconds: number;
  readonly sealSeconds: number;
  /** The store by itself, then over HTTP. */
  ask(): Promise<[Measured, Measured]>;
}

export async function growOurs(dataset: Dataset): Promise<Grown> {
  using stack = new DisposableStack();
  const work = stack.use(openWork(dataset));
  const loaded = await work.job("load", ALL_DAYS);
  const rolledUp = await work.job("rollUp", ALL_DAYS);
  const sealed = await work.job("seal", HOT_DAYS);
  const owned = stack.move();
  return {
    loadSeconds: loaded.seconds! + loaded.foldSeconds!,
    rollUpSeconds: rolledUp.rollUpSeconds!,
    sealSeconds: sealed.sealSeconds!,
    ask: () => work.reads(ARCHIVED, HOT_DAYS, 1),
    [Symbol.dispose]: () => owned.dispose(),
  };
}

/** Over one connection to the program, as it is started for users. */
async function askProgram(
  directory: string,
  dataset: Dataset,
  hotDays: number,
): Promise<Pick<Measured, "times" | "memory">> {
  await using program = await startProgram(undefined, { directory, environment: { HOT_DAYS: String(hotDays) } });
  using connection = await Connection.open(program.url);
  const times = await timeQuestions(dataset, (question, about) => ask(connection, question, about));
  return { times, memory: memoryOf(program.pid) };
}

interface Answer {
  readonly series: readonly {
    readonly samples?: readonly unknown[];
    readonly buckets?: readonly { readonly mean?: number; readonly count?: number }[];
  }[];
  readonly next_cursor: string | null;
}

async function ask(connection: Connection, question: Question, about: Case) {
  let ms = 0;
  let count = 0;
  for (const path of pathsOf(question, about)) {
    const answer = await connection.send(`/api/v1/${path}`);
    const { series, next_cursor } = JSON.parse(answer.body.toString()) as Answer;
    if (next_cursor !== null) throw new Error(`The answer to "${question}" has another page`);
    ms += answer.ms;
    for (const { samples = [], buckets = [] } of series) {
      count += samples.length + (question === "b" ? buckets.length : 0);
      for (const bucket of buckets) count += bucket.count ?? 0;
    }
  }
  return { ms, count };
}

/** Most questions are one request. */
function pathsOf(question: Question, { entity, day, month, end }: Case): string[] {
  const span = ({ start, end }: Case["day"]): string => `start=${start / 1000}&end=${end / 1000}`;
  const one = `entity_id=${entityId(entity)}`;
  switch (question) {
    case "a":
      return [`history?${one}&${span(day)}`];
    case "b":
      return [`statistics?${one}&period=hour&types=mean&${span(month)}`];
    case "c":
      return [`statistics?group_by=home&period=day&types=count&${span(month)}`];
    case "cEntity":
      return groups().map((names) => `statistics?entity_id=${names}&period=day&types=count&${span(month)}`);
    case "last100":
      return [`history?${one}&${span({ start: end - LAST_100_MICROS, end })}`];
  }
}

function groups(): string[] {
  const names = Array.from({ length: ENTITIES }, (_, entity) => entityId(entity));
  const some: string[] = [];
  for (let from = 0; from < names.length; from += ENTITIES_A_REQUEST) {
    some.push(names.slice(from, from + ENTITIES_A_REQUEST).join());
  }
  return some;
}
