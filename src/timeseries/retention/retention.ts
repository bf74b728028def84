import { setImmediate } from "node:timers/promises";
import { AppError, messageOf } from "../../domain/errors.ts";
import type {
  DroppedPart,
  Limits,
  Retention,
  RetentionPolicy,
  RetentionReport,
  RetentionStatus,
  StorageReport,
  ThinnedPart,
} from "../../domain/retention.ts";
import type { Micros } from "../../domain/sample.ts";
import type { Series, SeriesNumber } from "../../domain/series.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import type { Logger } from "../../lib/log.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import { startOnDemand } from "../../lib/worker-rpc.ts";
import { daysOf, type ParquetArchive } from "../archive/parquet/archive.ts";
import type { ArchiveFile } from "../archive/parquet/manifest.ts";
import type { Committer } from "../hot/committer.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import type { WriterOptions } from "../hot/writer-commands.ts";
import type { Rollups } from "../rollups/rollups.ts";
import type { RollupDrop } from "./dropped.ts";
import type { DroppedTime } from "./dropped-time.ts";
import {
  CONFIRMED_WITHIN_DAYS,
  CONFIRMING_DAYS,
  cutoff,
  type PartPlan,
  pastSeries,
  planBudget,
  planParts,
  rawCutoffs,
  reckonedDay,
  rollupCutoff,
} from "./plan.ts";
import { storageReport } from "./storage.ts";
import type { TablesCommands, TablesContent } from "./tables.worker.ts";
import { type UsedBytes, usageOf } from "./used-bytes.ts";

/** After the start, later than the first sealing, and then how often it is looked whether there is something to do. */
const FIRST_MS = 300_000;
const CHECK_MS = 3_600_000;
/** The thread that looks at tables goes when nobody asked for so long. */
const IDLE_MS = 10_000;
/** How long an answer of `storage` is given again. */
const STORAGE_KEPT_MS = 60_000;
/** Series that are asked for their limits in one turn of the event loop. */
const SERIES_AT_ONCE = 1_000;

export interface RetentionOptions {
  readonly workerData: WriterOptions;
  readonly policy: RetentionPolicy;
  readonly archive: ParquetArchive;
  readonly committer: Pick<Committer, "retention" | "status" | "mend">;
  readonly rollups: Pick<Rollups, "lacks" | "forget" | "catchUp">;
  readonly allSeries: () => readonly SeriesNumber[];
  readonly describe: (series: SeriesNumber) => Series | undefined;
  /** Whether samples of the day are in memory alone, or in the log. */
  readonly inMemory: (day: Day) => boolean;
  /** The days with samples that are not archived yet, in any order. */
  readonly hotDays: () => readonly Day[];
  /** Samples before this time are not taken any more. */
  readonly droppedTime: DroppedTime;
  readonly log: Logger;
  readonly now: () => Micros;
  readonly firstMs?: number;
  readonly checkMs?: number;
}

export interface RetentionWork extends Omit<Retention, "describeSeries"> {
  status(): RetentionStatus;
  close(): Promise<void>;
}

/** What has to go. */
interface Plan {
  readonly dropped: readonly ArchiveFile[];
  readonly thinned: readonly {
    readonly file: ArchiveFile;
    readonly part: ThinnedPart;
    readonly series: SeriesNumber[];
  }[];
  readonly rollups: readonly RollupDrop[];
  /** Days of which no rollup is left; minus infinity: none. */
  readonly forgotten: Day;
  /** Of days before this one no series' rollups are wanted. */
  readonly rollupsFrom: Day;
  readonly notes: readonly string[];
}

/** Keeps the archive and the rollups of a store within their limits and the data directory within its budget. */
export function createRetention(options: RetentionOptions): RetentionWork {
  const { archive, committer, rollups, policy, droppedTime, log, now } = options;
  const { directory } = options.workerData;
  const counts = { runs: 0, failures: 0, rowsDropped: 0, rollupRowsDropped: 0 };
  let used: number | null = null;
  let lastRunAt: Micros | null = null;
  let notes: readonly string[] = [];
  let running: Promise<RetentionReport> | undefined;
  let timer: NodeJS.Timeout | undefined;
  let closed = false;
  let kept: { readonly at: number; readonly report: Promise<StorageReport> } | undefined;

  const tables = startOnDemand<TablesCommands>(
    new URL("./tables.worker.ts", import.meta.url),
    { workerData: options.workerData },
    IDLE_MS,
    (error) => log.error({ err: error }, "The thread that looks at tables ended; another one takes over"),
  );

  /**
   * Whether all rollups of a file's days are computed that are wanted. Mirrors need no file: what they still have to get
   * is queued.
   */
  function mayGo(file: ArchiveFile, rollupsFrom: Day): boolean {
    return daysOf(file).every((day) => !(day < rollupsFrom ? options.inMemory(day) : rollups.lacks(day)));
  }

  async function planRules(believeClock: boolean): Promise<Plan> {
    const blocked = policy.blocked();
    if (blocked !== null) return { ...NOTHING, notes: [blocked] };
    const limits = await limitsOfAll();
    const files = archive.files();
    const today = dayOf(now());
    const confirmed = reckonedDay(today, daysWithSamples(files));
    const byClock = planParts(files, rawCutoffs(today, limits));
    const byConfirmed = planParts(files, rawCutoffs(confirmed, limits));
    const found = unconfirmed({ today, confirmed, byConfirmed, byClock, believeClock });
    const from = believeClock ? today : confirmed;
    const past = believeClock ? byClock : byConfirmed;
    const cutoffs = rawCutoffs(from, limits);
    let rollupsFrom = Number.POSITIVE_INFINITY;
    for (const { rollupDays } of limits.values()) rollupsFrom = Math.min(rollupsFrom, cutoff(from, rollupDays));
    if (limits.size === 0) rollupsFrom = Number.NEGATIVE_INFINITY;
    const lacking: ArchiveFile[] = [];
    const ready = (file: ArchiveFile): boolean => {
      if (mayGo(file, rollupsFrom)) return true;
      lacking.push(file);
      return false;
    };
    const dropped = past.dropped.filter(ready);
    const mixed = past.mixed.filter(ready);
    found.push(...withoutRollups(lacking));
    const contents = await archive.contents(mixed);
    const thinned = mixed.flatMap((file, i) => {
      const content = contents[i]!;
      if (typeof content === "string") {
        found.push(content);
        return [];
      }
      const { series, rows, bytes } = pastSeries(file, content, cutoffs);
      if (series.length === 0) return [];
      return [{ file, series, part: { ...spanOf(file), series: series.length, rows, bytes: Math.round(bytes) } }];
    });
    const left = files.filter((file) => !dropped.includes(file));
    const rollupDrops: RollupDrop[] = [];
    let forgotten = Number.POSITIVE_INFINITY;
    for (const [series, { rollupDays }] of limits) {
      const day = rollupCutoff(from, rollupDays, left);
      forgotten = Math.min(forgotten, day);
      if (Number.isFinite(day)) rollupDrops.push([series, day * DAY_MICROS]);
    }
    return {
      dropped,
      thinned,
      rollups: rollupDrops,
      rollupsFrom,
      forgotten: limits.size === 0 ? Number.NEGATIVE_INFINITY : forgotten,
      notes: found,
    };
  }

  /** Of a file the first and the last one: of a month nothing tells which others have samples. */
  function daysWithSamples(files: readonly ArchiveFile[]): Day[] {
    return [...options.hotDays(), ...files.flatMap(({ minTs, maxTs }) => [dayOf(minTs), dayOf(maxTs)])];
  }

  /** There may be 100,000 series, and rules with many patterns: others get their turn in between. */
  async function limitsOfAll(): Promise<Map<SeriesNumber, Limits>> {
    const limits = new Map<SeriesNumber, Limits>();
    for (const number of options.allSeries()) {
      const series = options.describe(number);
      if (series !== undefined) limits.set(number, policy.limits(series));
      if (limits.size % SERIES_AT_ONCE === 0) await setImmediate();
    }
    return limits;
  }

  async function preview(believeClock: boolean): Promise<RetentionReport> {
    const plan = await planRules(believeClock);
    const { bytes: bytesBefore, asideBytes } = await look();
    const byAge = plan.dropped.map((file) => droppedPart(file, "age"));
    const freed = sum([...byAge, ...plan.thinned.map(({ part }) => part)], "bytes");
    const candidates = archive.files().filter((file) => !plan.dropped.includes(file) && mayGo(file, plan.rollupsFrom));
    const excess = policy.budgetBytes === 0 ? 0 : bytesBefore - asideBytes - freed - policy.budgetBytes;
    const byBudget = planBudget(candidates, excess);
    const thinned = plan.thinned.filter(({ file }) => !byBudget.includes(file)).map(({ part }) => part);
    const dropped = [...byAge, ...byBudget.map((file) => droppedPart(file, "budget"))];
    const rollupRows = plan.rollups.length === 0 ? 0 : await tables.call("countRollups", plan.rollups);
    const bytesAfter = bytesBefore - sum([...dropped, ...thinned], "bytes");
    const found = [...plan.notes, ...overBudget({ bytes: bytesAfter, asideBytes }, plan)];
    return report({ dryRun: true, dropped, thinned, rollupRows, bytesBefore, bytesAfter, notes: found });
  }

  async function run(believeClock: boolean): Promise<RetentionReport> {
    const { writable, reason } = committer.status();
    if (!writable) throw cannot(`the disk refuses writes: ${reason}`);
    await archive.relist();
    await rollups.catchUp();
    const bytesBefore = (await look()).bytes;
    const plan = await planRules(believeClock);
    const found = [...plan.notes];
    const dropped = await drop(plan.dropped, "age", plan);
    const thinned: ThinnedPart[] = [];
    for (const { file, series, part } of plan.thinned) {
      if (closed) break;
      try {
        thinned.push({ ...part, bytes: file.bytes - (await archive.thin(file.path, series)) });
      } catch (error) {
        found.push(`"${file.path}" could not be written again without ${part.series} series: ${messageOf(error)}`);
      }
    }
    const rollupRows = await dropRollups(plan);
    const byBudget = await keepBudget(plan);
    const after = await look();
    found.push(...overBudget(after, plan));
    return report({
      dryRun: false,
      dropped: [...dropped, ...byBudget],
      thinned,
      rollupRows,
      bytesBefore,
      bytesAfter: after.bytes,
      notes: found,
    });
  }

  async function drop(
    asked: readonly ArchiveFile[],
    reason: DroppedPart["reason"],
    { rollupsFrom }: Plan,
  ): Promise<DroppedPart[]> {
    if (asked.length === 0) return [];
    const { before } = droppedTime;
    droppedTime.before = Math.max(before, endOf(asked));
    // From here on none of their samples can come any more; some may have come since the plan was made.
    const files = asked.filter((file) => mayGo(file, rollupsFrom));
    try {
      await archive.drop(
        files.map(({ path }) => path),
        endOf(files),
      );
    } finally {
      // What stayed takes late samples as before.
      const left = new Set(archive.files());
      droppedTime.before = Math.max(before, endOf(files.filter((file) => !left.has(file))));
    }
    return files.map((file) => droppedPart(file, reason));
  }

  async function dropRollups({ rollups: drops, forgotten }: Plan): Promise<number> {
    if (drops.length === 0) return 0;
    const free = await committer.retention.freePages();
    let rows = 0;
    for (let next = 0; next < drops.length && !closed; ) {
      const step = await committer.retention.dropRollups(drops, next);
      rows += step.rows;
      next = step.next;
    }
    if (Number.isFinite(forgotten)) {
      await committer.retention.forgetRolledDays(forgotten);
      rollups.forget(forgotten);
    }
    if (rows > 0) await returnPages(free);
    return rows;
  }

  /** In steps, so that commits get their turn in between. */
  async function returnPages(keep: number): Promise<void> {
    let left = await committer.retention.returnPages(keep);
    while (left > 0 && !closed) left = await committer.retention.returnPages(keep);
  }

  /** The oldest samples of the archive go, until the directory is small enough. */
  async function keepBudget(plan: Plan): Promise<DroppedPart[]> {
    if (!isOverBudget(await look())) return [];
    // What is free already costs nobody anything.
    await returnPages(0);
    const { bytes, asideBytes } = await look();
    const excess = bytes - asideBytes - policy.budgetBytes;
    const candidates = archive.files().filter((file) => mayGo(file, plan.rollupsFrom));
    const dropped = await drop(planBudget(candidates, excess), "budget", plan);
    if (dropped.length > 0) {
      log.warn(
        { samples: sum(dropped, "rows"), bytes: sum(dropped, "bytes") },
        `The data directory was over its budget of ${megabytes(policy.budgetBytes)}: the oldest samples were dropped`,
      );
    }
    return dropped;
  }

  /** Over the budget by something that dropping samples is meant for: a file that lies aside is its owner's to move. */
  function isOverBudget({ bytes, asideBytes }: UsedBytes): boolean {
    return policy.budgetBytes > 0 && bytes - asideBytes > policy.budgetBytes;
  }

  function overBudget(usage: UsedBytes, { rollupsFrom }: Plan): string[] {
    const { bytes, asideBytes } = usage;
    if (policy.budgetBytes === 0 || bytes <= policy.budgetBytes) return [];
    const found = `The data directory takes ${megabytes(bytes)}, over its budget of ${megabytes(policy.budgetBytes)}`;
    const aside = `${megabytes(asideBytes)} of that lie aside (*.corrupt-*, before-restore-*, backups, data-demo)`;
    if (!isOverBudget(usage)) return [`${found}: ${aside}. No samples are dropped for them: move them elsewhere`];
    const lacking = archive.files().filter((file) => !mayGo(file, rollupsFrom));
    return [
      `${found}, and no archived samples are left that may be dropped${asideBytes === 0 ? "" : `; ${aside}`}`,
      ...withoutRollups(lacking),
    ];
  }

  async function look(): Promise<UsedBytes> {
    const usage = await usageOf(directory);
    used = usage.bytes;
    return usage;
  }

  function report(done: Omit<RetentionReport, "at" | "rows" | "budgetBytes">): RetentionReport {
    const rows = sum([...done.dropped, ...done.thinned], "rows");
    return { ...done, at: now(), rows, budgetBytes: policy.budgetBytes };
  }

  /** Counts, and remembers what is worth saying. */
  async function counted(believeClock: boolean): Promise<RetentionReport> {
    counts.runs++;
    try {
      const done = await run(believeClock);
      counts.rowsDropped += done.rows;
      counts.rollupRowsDropped += done.rollupRows;
      const byBudget = done.dropped.filter(({ reason }) => reason === "budget");
      notes = [
        ...done.notes,
        ...(byBudget.length === 0
          ? []
          : [`${sum(byBudget, "rows")} of the oldest samples were dropped to keep the disk budget`]),
      ];
      if (done.rows + done.rollupRows > 0) {
        const { rows, rollupRows, bytesBefore, bytesAfter } = done;
        log.info({ rows, rollupRows, bytesBefore, bytesAfter }, "Samples past their retention were dropped");
      }
      lastRunAt = done.at;
      return done;
    } catch (error) {
      counts.failures++;
      notes = [sqliteReason(error)];
      throw error instanceof AppError ? error : cannot(sqliteReason(error), error);
    }
  }

  /** One after the other: one that was asked for does more than one that happened to be under way. */
  function retainNow(believeClock: boolean): Promise<RetentionReport> {
    const before = running?.catch(() => undefined);
    const mine = (before === undefined ? counted(believeClock) : before.then(() => counted(believeClock))).finally(
      () => {
        if (running === mine) running = undefined;
        kept = undefined;
      },
    );
    running = mine;
    return mine;
  }

  async function isDue(): Promise<boolean> {
    if (!committer.status().writable) return false;
    if (lastRunAt === null || dayOf(lastRunAt) !== dayOf(now())) return true;
    return policy.budgetBytes > 0 && isOverBudget(await look());
  }

  function schedule(milliseconds: number): void {
    if (closed) return;
    timer = setTimeout(async () => {
      try {
        if (await isDue()) await retainNow(false);
      } catch (error) {
        if (!closed) log.error(`${messageOf(error)}; tried again later`);
      }
      schedule(options.checkMs ?? CHECK_MS);
    }, milliseconds).unref();
  }
  schedule(options.firstMs ?? FIRST_MS);

  /** Once more when a damaged table was met that could be mended. */
  async function contentOfTables(): Promise<TablesContent> {
    try {
      return await tables.call("content", null);
    } catch (error) {
      if (!isCorruption(error) || !(await committer.mend())) throw error;
      return tables.call("content", null);
    }
  }

  async function lookAtAll(): Promise<StorageReport> {
    try {
      const parts = archive.files();
      const [content, contents, { bytes: directoryBytes }] = await Promise.all([
        contentOfTables(),
        archive.contents(parts),
        look(),
      ]);
      const { inMemory } = options;
      return storageReport({ at: now(), directoryBytes, tables: content, parts, contents, inMemory });
    } catch (cause) {
      throw new AppError("unavailable", `Cannot look at the data directory: ${messageOf(cause)}`, { cause });
    }
  }

  return {
    retain: ({ dryRun, believeClock = false }) => (dryRun ? preview(believeClock) : retainNow(believeClock)),
    storage() {
      const fresh = kept !== undefined && performance.now() - kept.at < STORAGE_KEPT_MS;
      if (kept !== undefined && fresh) return kept.report;
      const report = lookAtAll();
      kept = { at: performance.now(), report };
      report.catch(() => {
        kept = undefined;
      });
      return report;
    },
    status: () => ({
      ...counts,
      tooOld: droppedTime.refused,
      usedBytes: used,
      budgetBytes: policy.budgetBytes,
      lastRunAt,
      notes: [...notes, ...droppedTime.notes()],
    }),
    async close() {
      closed = true;
      clearTimeout(timer);
      await running?.catch(() => {});
      await tables.end();
    },
  };
}

const NOTHING: Plan = {
  dropped: [],
  thinned: [],
  rollups: [],
  forgotten: Number.NEGATIVE_INFINITY,
  rollupsFrom: Number.NEGATIVE_INFINITY,
  notes: [],
};

/** One sentence for all of them: after the loss of timeseries.db there are many. */
function withoutRollups(files: readonly ArchiveFile[]): string[] {
  if (files.length === 0) return [];
  const more = files.length === 1 ? "" : `, and so are ${files.length - 1} more files`;
  return [`"${files[0]!.path}" is kept${more}: not all of its days are in the rollups yet`];
}

/** Which files would go by the clock alone. */
function unconfirmed(plans: {
  readonly today: Day;
  readonly confirmed: Day;
  readonly byConfirmed: PartPlan<ArchiveFile>;
  readonly byClock: PartPlan<ArchiveFile>;
  readonly believeClock: boolean;
}): string[] {
  const { today, confirmed, byConfirmed, byClock } = plans;
  // The present day may have no sample yet.
  if (today - confirmed <= 1) return [];
  const files = [
    ...byClock.dropped.filter((file) => !byConfirmed.dropped.includes(file)),
    ...byClock.mixed.filter((file) => !byConfirmed.mixed.includes(file)),
  ];
  if (files.length === 0) return [];
  const why =
    `the clock, which says ${dateOf(today)}: samples are stored of fewer than ` +
    `${CONFIRMING_DAYS} of the ${CONFIRMED_WITHIN_DAYS} days until then`;
  if (plans.believeClock) return [`Retention was asked for and believes ${why}. ${files.length} files go by it alone`];
  const counts = Number.isFinite(confirmed) ? `counts from ${dateOf(confirmed)}` : "drops nothing";
  return [`Retention does not believe ${why}. It ${counts}, and ${files.length} files wait`];
}

function dateOf(day: Day): string {
  return new Date((day * DAY_MICROS) / 1000).toISOString().slice(0, 10);
}

/** The end of the last day of which these files have samples; minus infinity without any. */
function endOf(files: readonly ArchiveFile[]): Micros {
  return files.reduce((end, { maxTs }) => Math.max(end, (dayOf(maxTs) + 1) * DAY_MICROS), Number.NEGATIVE_INFINITY);
}

function spanOf({ path, firstDay, endDay }: ArchiveFile) {
  return { path, start: firstDay * DAY_MICROS, end: endDay * DAY_MICROS };
}

function droppedPart(file: ArchiveFile, reason: DroppedPart["reason"]): DroppedPart {
  return { ...spanOf(file), rows: file.rows, bytes: file.bytes, reason };
}

function sum(parts: readonly { readonly rows: number; readonly bytes: number }[], what: "rows" | "bytes"): number {
  return parts.reduce((total, part) => total + part[what], 0);
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1_048_576)} MB`;
}

function cannot(why: string, cause?: unknown): AppError {
  return new AppError("unavailable", `Cannot drop what is past its retention: ${why}`, { cause });
}
