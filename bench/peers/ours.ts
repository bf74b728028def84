import { cpSync, existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { startFlags } from "../../e2e/program.ts";
import { bytesOnDisk, bytesPerHotSample } from "../disk.ts";
import { quantile } from "../figure.ts";
import { measureLines } from "../line-protocol.ts";
import { runNode, startPartner, startProgram } from "../processes.ts";
import type { Dataset } from "./dataset.ts";
import { Connection } from "./http.ts";
import { type Measured, memoryOf } from "./measure.ts";
import { askOverHttp } from "./ours-http.ts";
import { type Ask, QUESTIONS, type Question, timeQuestions } from "./question.ts";
import type { StoreJob, StoreQuestion, StoreResult } from "./store.child.ts";

const CHILD = "bench/peers/store.child.ts";
const HOT_DAYS = 3;
const ARCHIVED = `HOT_DAYS=${HOT_DAYS}`;
/** With new processes each. */
const ROUNDS = 3;
/** More than any data have. */
const ALL_DAYS = 3_650;

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
  return {
    directory,
    data,
    async job(what, hotDays, into = data) {
      const job: StoreJob = { do: what, directory: into, dataset, hotDays };
      return JSON.parse(await runNode([CHILD, JSON.stringify(job)])) as StoreResult;
    },
    async reads(tier, hotDays, rounds) {
      // One process owns a data directory, and both are asked in turn.
      const copy = join(directory, `copy-${hotDays}`);
      if (!existsSync(copy)) cpSync(data, copy, { recursive: true });
      const store: Pick<Measured, "times" | "memory">[] = [];
      const http: Pick<Measured, "times" | "memory">[] = [];
      for (let round = 0; round < rounds; round++) {
        await using program = await startProgram(undefined, {
          directory: copy,
          environment: { HOT_DAYS: String(hotDays) },
        });
        using connection = await Connection.open(program.url);
        const job: StoreJob = { do: "ask", directory: data, dataset, hotDays };
        await using alone = await startPartner([...startFlags(), "--expose-gc", CHILD, JSON.stringify(job)]);
        const askStore: Ask = async (question, about) => {
          const asked: StoreQuestion = { question, about };
          const { ms, count } = await alone.ask(asked);
          return { ms: Number(ms), count: Number(count) };
        };
        const [ofStore, ofProgram] = await timeQuestions(dataset, [askStore, askOverHttp(connection)]);
        store.push({ times: ofStore!, memory: memoryOf(alone.pid) });
        http.push({ times: ofProgram!, memory: memoryOf(program.pid) });
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
  job(what: Exclude<StoreJob["do"], "ask">, hotDays: number, into?: string): Promise<StoreResult>;
  /**
   * The store by itself, in a process with the program's flags, and over HTTP the program as it is started for users;
   * some questions at a time in turn, in so many rounds with new processes.
   */
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
