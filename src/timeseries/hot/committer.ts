import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../domain/errors.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { createBackoff } from "../../lib/backoff.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import type { Logger } from "../../lib/log.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import { type Remote, type StartRemote, startWorker } from "../../lib/worker-rpc.ts";
import type { RollupDrop } from "../retention/dropped.ts";
import type { BuiltPart } from "../rollups/build.ts";
import { type Change, Chunk } from "./chunk.ts";
import { buffersOf } from "./columns.ts";
import type { Day } from "./day.ts";
import { createFilling } from "./filling.ts";
import type { FoldedPart } from "./fold.ts";
import { createMending, type Mending } from "./mending.ts";
import type { ArchiveChange } from "./sealing.ts";
import { weightOf } from "./weight.ts";
import type {
  RollUpRequest,
  StoredState,
  StoreRollupsRequest,
  WriterCommands,
  WriterOptions,
} from "./writer-commands.ts";

/** So many samples wait for no clock. Here and below long texts count as more; see `weightOf`. */
export const COMMIT_SAMPLES = 2_000;
/** Samples of one transaction at most; what comes while one is under way goes into the next. */
export const CHUNK_SAMPLES_MAX = 16_384;
/**
 * Samples in the log that make a fold due. Each fold writes the last pages of every series, so the fewer the better
 * for the disk; as many samples are in memory, and are read from the log by a start.
 */
export const FOLD_SAMPLES = 250_000;
/**
 * In a flood a fold waits for so many times as many: a series gets more of its samples at once, and pages that are filled
 * at once cost half of those that are opened again. A tenth more samples a second, for more memory as long as the flood
 * lasts.
 */
const FLOOD_FOLD_TIMES = 2;
/** The age of the log's oldest sample, by arrival, that makes a fold due: 6 hours. */
export const FOLD_MICROS = 21_600_000_000;

/** A chunk of as many samples as wait for no clock is part of a flood, which has passed when none came for so long. */
const FLOOD_PASSED_MS = 1_000;
/** A step of rollups waits so long at most for a flood to pass: days get theirs in the longest one, if slowly. */
const ROLLUP_WAIT_MS = 10_000;
const ROLLUP_LOOK_MS = 50;

const RETRY_FIRST_MS = 500;
const RETRY_CAP_MS = 30_000;

/** As in the writer; each is a transaction of its own, in the order of the calls. */
export interface ForwardCommands
  extends Pick<
    Remote<
      Pick<
        WriterCommands,
        | "nextBatch"
        | "cutBatch"
        | "acknowledge"
        | "deadLetters"
        | "oldestDeadLetters"
        | "removeDeadLetters"
        | "giveUpDay"
        | "daySeries"
        | "dayRows"
        | "forgetDaysBefore"
      >
    >,
    "call"
  > {
  /** See `Outgoing.refill`; what is to be queued is, from then on. */
  refill(target: string): Promise<boolean>;
  /** Names of the targets for which what the hot tier has is still being queued. */
  filling(): readonly string[];
}

export interface CommitterOptions {
  readonly writer: WriterOptions;
  /** The thread of the writer, where it is shared with others. */
  readonly startWriter?: StartRemote<WriterCommands>;
  readonly commitSeconds: number;
  readonly foldSamples?: number;
  readonly maxPages?: () => number;
  readonly log: Logger;
  readonly now: () => Micros;
  /** Up to when everything that was heard has been pushed; null: that is not known. */
  readonly durableUntil: () => Micros | null;
  /** A fold is about to begin: what was pushed until now belongs to it, what is pushed from now on does not. */
  seal(): void;
  /** What was sealed, the oldest part first, in copies. */
  sealedParts(): Promise<readonly FoldedPart[]>;
  /** Samples were written, or queued; the queue for other servers ends with this number. */
  committed?(queued: number): void;
  /** Everything sealed is in the day tables; these exist now. */
  folded(days: readonly Day[]): void;
  /** Rollups were damaged, and some of them are lost: days whose samples are kept have to be built again. */
  rollupsMended?(): void;
}

export interface Committer {
  /** Must be the first call. */
  load(): Promise<StoredState>;
  record(change: Change): void;
  push(series: SeriesNumber, ts: Micros, value: Value): void;
  flush(): Promise<void>;
  fold(): Promise<void>;
  /** The writer's commands for the archive, each a transaction of its own, in the order of the calls. */
  readonly archive: {
    /** First waits until what a target is to get of the day is queued, unless that cannot go on. */
    watch(day: Day): Promise<void>;
    change(change: ArchiveChange): Promise<{ readonly sealed: boolean; readonly days: readonly Day[] }>;
    forget(paths: readonly string[]): Promise<void>;
  };
  /** The writer's commands for other servers and for an engine outside of the data directory. */
  readonly forward: ForwardCommands;
  /** The writer's commands for retention, in the order of the calls. */
  readonly retention: {
    dropRollups(drops: readonly RollupDrop[], from: number): Promise<{ readonly rows: number; readonly next: number }>;
    forgetRolledDays(before: Day): Promise<void>;
    freePages(): Promise<number>;
    returnPages(keep: number): Promise<number>;
  };
  /** A step of building a day's rollups, once a flood has passed; rejects when the disk refuses, and nothing tries it again. */
  rollUp(request: RollUpRequest): Promise<BuiltPart>;
  storeRollups(request: StoreRollupsRequest): Promise<boolean>;
  readonly mend: Mending["mend"];
  readonly mendDays: Mending["mendDays"];
  readonly damage: Mending["damage"];
  status(): {
    readonly writable: boolean;
    readonly reason: string | null;
    /** What was caught for that reason; null where there is none. */
    readonly failure: unknown;
    /** Samples not known to be on disk. */
    readonly waiting: number;
    readonly commits: number;
    readonly folds: number;
    readonly sizeBytes: number;
  };
  /** Ends what is queued for targets that are new or were refilled, until the next start. */
  stopFilling(): Promise<void>;
  /** Writes what waits, once; what the disk refuses then is lost and logged. */
  close(): Promise<void>;
  terminate(): Promise<void>;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/**
 * Brings chunks to the writer thread, one at a time and in order, and has the log folded when it is due, meanwhile. What
 * the disk refuses stays first in the line and is tried again, with growing pauses, for as long as it takes.
 */
export function createCommitter(options: CommitterOptions): Committer {
  const { log, now, foldSamples = FOLD_SAMPLES, startWriter = ownThread } = options;
  const retry = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS);
  /** Full or sealed, the oldest first; the first one may be under way. */
  const line: Chunk[] = [];
  let filling = new Chunk(COMMIT_SAMPLES);
  let writer: Remote<WriterCommands> | undefined;

  let running = false;
  let closing = false;
  /** A commit is due whatever its size: the clock or a flush said so. */
  let due = false;
  let timer: NodeJS.Timeout | undefined;
  let timerAt = 0;
  let reason: string | null = null;
  /** What `reason` was told for last. */
  let refusal: unknown = null;

  /** Samples in the log and those that wait; their fold is counted from when the first one came. */
  let unfolded = 0;
  let unfoldedSince = 0;
  let foldForced = false;
  /** Chunks that must be committed before the fold that is due; undefined when none is. */
  let beforeFold: number | undefined;
  let foldPausedUntil = 0;
  let foldFailure: AppError | null = null;
  const foldPause = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS);
  /** The fold under way. It never rejects. */
  let folding: Promise<void> | undefined;
  /** Who wants to know of the next fold, and of the one that is due or under way. */
  let foldWaiters: Waiter[] = [];
  let sealedWaiters: Waiter[] = [];

  let flooded = Number.NEGATIVE_INFINITY;

  let waiting = 0;
  let commits = 0;
  let folds = 0;
  let sizeBytes = 0;

  /** The writer, started when it is first needed; after a death the next try starts another one. */
  function remote(): Remote<WriterCommands> {
    if (writer) return writer;
    writer = startWriter((error) => {
      log.error({ err: error }, "The thread that writes samples ended; another one takes over");
      writer = undefined;
    });
    // Only the death of the thread rejects it, of which the call that follows tells as well.
    writer.call("configure", options.writer).catch(() => undefined);
    return writer;
  }

  /** Sees to it that what waits is looked at no later than in so many milliseconds. */
  function arm(milliseconds: number): void {
    const at = performance.now() + milliseconds;
    if (closing || (timer !== undefined && timerAt <= at)) return;
    clearTimeout(timer);
    timerAt = at;
    timer = setTimeout(() => {
      timer = undefined;
      due = true;
      void run();
    }, milliseconds);
  }

  function cut(): void {
    if (filling.empty) return;
    filling.durableUntil = options.durableUntil();
    line.push(filling);
    filling = new Chunk(COMMIT_SAMPLES);
  }

  function foldIsDue(): boolean {
    if (beforeFold !== undefined || folding !== undefined) return false;
    if (foldForced) return true;
    if (unfolded === 0 || performance.now() < foldPausedUntil) return false;
    return unfolded >= foldSamples * (isFlood() ? FLOOD_FOLD_TIMES : 1) || now() - unfoldedSince >= FOLD_MICROS;
  }

  const isFlood = (): boolean => performance.now() < flooded + FLOOD_PASSED_MS;

  /** Works off what is due. Never rejects: what fails is tried again later. */
  async function run(): Promise<void> {
    if (running) return;
    running = true;
    for (;;) {
      if (foldIsDue()) {
        cut();
        options.seal();
        unfolded = 0;
        foldForced = false;
        beforeFold = line.length;
        sealedWaiters = foldWaiters;
        foldWaiters = [];
      }
      if (beforeFold === 0) beginFold();
      if (line.length === 0 && (due || filling.weight >= COMMIT_SAMPLES)) {
        due = false;
        cut();
      }
      if (line.length === 0 || !(await commitFirst())) break;
    }
    running = false;
    if (reason !== null) arm(retry.next());
    else if (!filling.empty) arm(options.commitSeconds * 1000);
    // What waits for more of a flood is folded when no more comes.
    if (unfolded >= foldSamples && isFlood()) arm(FLOOD_PASSED_MS);
  }

  async function commitFirst(): Promise<boolean> {
    const chunk = line[0]!;
    const packed = chunk.packed();
    try {
      const answer = await remote().call("commit", { chunk: packed, maxPages: options.maxPages?.() }, [
        packed.series.buffer,
        ...buffersOf(packed.samples),
      ]);
      sizeBytes = answer.sizeBytes;
      options.committed?.(answer.queued);
    } catch (error) {
      // Whether a late sample is known already is looked up in its day's table.
      if (isCorruption(error) && (await mending.mend())) return true;
      refused(error);
      return false;
    }
    line.shift();
    if (chunk.weight >= COMMIT_SAMPLES) flooded = performance.now();
    waiting -= chunk.count;
    commits++;
    if (beforeFold !== undefined) beforeFold--;
    if (reason !== null) log.info({ waiting }, "Samples reach the disk again");
    reason = null;
    retry.reset();
    for (const waiter of chunk.waiters) waiter.resolve();
    return true;
  }

  function refused(error: unknown): void {
    const first = reason === null;
    reason = sqliteReason(error);
    refusal = error;
    if (first) log.error({ err: error, waiting }, "Cannot write samples: they stay in memory and are tried again");
    const failure = new AppError("unavailable", `Cannot write ${waiting} samples: ${reason}`, { cause: error });
    for (const chunk of [...line, filling]) {
      for (const waiter of chunk.waiters.splice(0)) waiter.reject(failure);
    }
    for (const waiter of foldWaiters.splice(0)) waiter.reject(failure);
    // What a fold under way carries over is on the disk already.
    if (folding === undefined) for (const waiter of sealedWaiters.splice(0)) waiter.reject(failure);
  }

  function beginFold(): void {
    beforeFold = undefined;
    folding = foldLog().then(() => {
      folding = undefined;
      void run();
    });
  }

  async function foldLog(): Promise<void> {
    try {
      // Before anything else is committed, and once: what comes while damage is mended is none of this fold.
      const lastBatch = await remote().call("sealLog", null);
      const answer = await orMended(() => callFold(lastBatch));
      sizeBytes = answer.sizeBytes;
      options.folded(answer.days);
      folds++;
      foldPause.reset();
      foldFailure = null;
      for (const waiter of sealedWaiters.splice(0)) waiter.resolve();
    } catch (error) {
      // The log can still grow when a fold does not fit: go on with commits and try it again with all there is then.
      log.warn({ err: error }, "Cannot fold the log into the day tables: tried again later");
      unfolded += foldSamples * FLOOD_FOLD_TIMES;
      foldFailure = new AppError("unavailable", `Cannot fold the log: ${sqliteReason(error)}`, { cause: error });
      foldPausedUntil = performance.now() + foldPause.next();
      for (const waiter of sealedWaiters.splice(0)) waiter.reject(foldFailure);
    }
  }

  async function callFold(lastBatch: number): Promise<{ readonly days: readonly Day[]; readonly sizeBytes: number }> {
    const parts = await options.sealedParts();
    const buffers = parts.flatMap(({ series, samples }) => [series.buffer, ...buffersOf(samples)]);
    return remote().call("fold", { parts, lastBatch, maxPages: options.maxPages?.() }, buffers);
  }

  /** Calls; once more when a damaged table was met that could be mended. */
  async function orMended<Result>(call: () => Promise<Result>): Promise<Result> {
    try {
      return await call();
    } catch (error) {
      if (!isCorruption(error) || !(await mending.mend())) throw error;
      return call();
    }
  }

  const mending = createMending({
    async call(days) {
      const answer = await remote().call("mend", { days, at: now(), maxPages: options.maxPages?.() });
      sizeBytes = answer.sizeBytes;
      return answer;
    },
    log,
    rollupsMended: () => options.rollupsMended?.(),
  });

  const ask: Remote<WriterCommands>["call"] = (name, argument) => orMended(() => remote().call(name, argument));

  /** Rollups of days that more samples come to would have to be built again, and commits would wait for them. */
  async function calm(): Promise<void> {
    const latest = performance.now() + ROLLUP_WAIT_MS;
    await folding;
    while (!closing && isFlood() && performance.now() < latest) await sleep(ROLLUP_LOOK_MS, undefined, { ref: false });
  }

  const fills = createFilling({
    async step() {
      // Folds and commits go first.
      await folding;
      if (reason !== null) throw new AppError("unavailable", reason);
      return ask("fill", { maxPages: options.maxPages?.() });
    },
    fold,
    queued: (end) => options.committed?.(end),
    log,
  });

  function fold(): Promise<void> {
    const folded = new Promise<void>((resolve, reject) => foldWaiters.push({ resolve, reject }));
    foldForced = true;
    due = true;
    void run();
    return folded;
  }

  const flush = (): Promise<void> => {
    const last = filling.empty ? line.at(-1) : filling;
    if (last === undefined) return Promise.resolve();
    const durable = new Promise<void>((resolve, reject) => last.waiters.push({ resolve, reject }));
    due = true;
    void run();
    return durable;
  };

  return {
    async load() {
      const state = await remote().call("load", null);
      sizeBytes = state.sizeBytes;
      const { numbers, texts } = state.logSamples;
      unfolded = texts.reduce((sum, text) => sum + weightOf(text) - 1, numbers.length);
      unfoldedSince = now();
      foldForced = state.foldUnfinished;
      mending.loaded(state);
      if (state.outgoing.filling.length > 0) fills.start(state.outgoing.filling);
      return state;
    },

    record(change) {
      filling.record(change);
      arm(options.commitSeconds * 1000);
    },

    push(series, ts, value) {
      filling.push(series, ts, value);
      waiting++;
      if (unfolded === 0) unfoldedSince = now();
      unfolded += weightOf(value);
      if (filling.weight < COMMIT_SAMPLES) {
        if (timer === undefined) arm(options.commitSeconds * 1000);
        return;
      }
      if (filling.weight >= CHUNK_SAMPLES_MAX) cut();
      // While the disk refuses, the timer alone tries again.
      if (!running && reason === null) void run();
    },

    flush,

    fold,

    async rollUp(request) {
      await calm();
      return ask("rollUp", { ...request, maxPages: options.maxPages?.() });
    },
    async storeRollups(request) {
      await calm();
      return ask("storeRollups", { ...request, maxPages: options.maxPages?.() });
    },

    mend: mending.mend,
    mendDays: mending.mendDays,
    damage: mending.damage,

    forward: {
      call: ask,
      refill(target) {
        const asked = remote().call("refillTarget", target);
        fills.start([target]);
        return asked;
      },
      filling: () => fills.targets,
    },

    retention: {
      dropRollups: (drops, from) => remote().call("dropRollups", { drops, from, maxPages: options.maxPages?.() }),
      forgetRolledDays: (before) => remote().call("forgetRolledDays", before),
      freePages: () => remote().call("freePages", null),
      returnPages: (keep) => remote().call("returnPages", keep),
    },

    archive: {
      async watch(day) {
        await fills.settled();
        await remote().call("watch", day);
      },
      async change(change) {
        const answer = await ask("archive", { change, maxPages: options.maxPages?.() });
        sizeBytes = answer.sizeBytes;
        return answer;
      },
      forget: (paths) => remote().call("forget", paths),
    },

    status: () => ({
      writable: reason === null,
      reason: reason ?? foldFailure?.message ?? null,
      failure: reason === null ? foldFailure : refusal,
      ...{ waiting, commits, folds, sizeBytes },
    }),

    stopFilling: fills.close,

    async close() {
      clearTimeout(timer);
      await fills.close();
      const end = await flush().then(
        () => ({ durableUntil: options.durableUntil() }),
        (error) => {
          log.error({ err: error }, "Samples were lost at the end");
          return null;
        },
      );
      await folding;
      await mending.settled();
      closing = true;
      clearTimeout(timer);
      await remote()
        .call("close", end)
        // As on a full disk; the next start takes this run for one that was not stopped.
        .catch((error) => log.error(`Cannot close timeseries.db: ${sqliteReason(error)}`));
      await writer?.terminate();
    },

    async terminate() {
      closing = true;
      void fills.close();
      clearTimeout(timer);
      await writer?.terminate();
    },
  };
}

const ownThread: StartRemote<WriterCommands> = (onDeath) =>
  startWorker(new URL("./writer.worker.ts", import.meta.url), {}, onDeath);
