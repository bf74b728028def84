import type { Archive, Sealing } from "../domain/archive.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import type { Forwarding } from "../domain/forwarding.ts";
import type { GapLedger, GapStore, LastRun } from "../domain/gaps.ts";
import type { Retention, RetentionPolicy } from "../domain/retention.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { StatisticsReader, StatisticsRequest } from "../domain/statistics.ts";
import type { SampleReader, SampleSink, StoreStatus } from "../domain/store.ts";
import type { Logger } from "../lib/log.ts";
import { makeDirectory } from "../lib/make-directory.ts";
import { NEWER_REVISION } from "../lib/migrate.ts";
import { nowMicros } from "../lib/time.ts";
import { type StartRemote, startOnDemand } from "../lib/worker-rpc.ts";
import { createAdopted } from "./archive/adopted.ts";
import { openInfluxArchive } from "./archive/influxdb/archive.ts";
import { daysOf } from "./archive/parquet/archive.ts";
import { type ArchiveSettings, createArchiveTier } from "./archive/tier.ts";
import { type Contexts, createContexts } from "./contexts.ts";
import {
  createForwarders,
  type Forwarders,
  type ForwardSettings,
  NO_FORWARDING,
  targetDefinitions,
} from "./forward/forwarding.ts";
import { createGapLedger } from "./gaps.ts";
import { createCatalog, type SeriesEntry } from "./hot/catalog.ts";
import { unpackValues } from "./hot/columns.ts";
import { createCommitter } from "./hot/committer.ts";
import type { SqliteSettings } from "./hot/database.ts";
import { type Day, dayOf } from "./hot/day.ts";
import { createDisk } from "./hot/disk.ts";
import { MemoryLevel } from "./hot/memory-level.ts";
import type { ReaderCommands } from "./hot/reader.ts";
import type { StoredState, WriterCommands, WriterOptions } from "./hot/writer-commands.ts";
import { createLosses, logDamage } from "./losses.ts";
import { createReading } from "./reading.ts";
import { createDroppedTime } from "./retention/dropped-time.ts";
import { createRetention } from "./retention/retention.ts";
import { LAST_RESET_FIELD, TOTAL } from "./rollups/cycles.ts";
import { createRollups } from "./rollups/rollups.ts";

/** Samples of the memory level; beyond this, while the disk refuses, the newest are turned away. */
export const MEMORY_SAMPLES_MAX = 2_000_000;
/** The state_class of what only grows, but for resets. */
const METER = "total_increasing";
/** The thread that reads from the disk is ended after so long without a question. */
const READER_IDLE_MS = 60_000;

export interface StoreOptions {
  /** Where `timeseries.db` is; made when it is missing. */
  readonly directory: string;
  readonly commitSeconds: number;
  readonly settings: SqliteSettings;
  readonly log: Logger;
  /** Wall clock in microseconds: decides when an hour of log is folded, and when a rekeyed name moved. */
  readonly now?: () => Micros;
  /**
   * The memory level is full and the sample of this time was turned away; told once until samples are accepted
   * again. Whoever can ask the source again should remember the time.
   */
  readonly onOverflow?: (fromTs: Micros) => void;
  /**
   * Up to when everything that Home Assistant told was appended; null: that is not known. It is noted with each commit,
   * as `lastRun` of the next start. Without it nobody listens, and `lastRun` stays that of whoever did.
   */
  readonly durableUntil?: () => Micros | null;
  /** The home's, an IANA name: days of statistics are cut in it. UTC without it. */
  readonly timeZone?: () => string;
  /** Without it everything stays in the hot tier. */
  readonly archive?: ArchiveSettings;
  /** What of the archive and the rollups goes, and when. Without it, or without an archive, nothing does. */
  readonly retention?: RetentionSettings;
  /** Servers that get every sample; one of them may be the archive. */
  readonly forward?: ForwardSettings;
  readonly memorySamplesMax?: number;
  /** Samples in the log that make a fold due. */
  readonly foldSamples?: number;
  /** The thread that writes, where it is shared; one of its own without it. */
  readonly startWriter?: StartRemote<WriterCommands>;
  /** How large the file may become, in pages; asked before each transaction. Stands for a disk that is full. */
  readonly maxPages?: () => number;
}

export interface RetentionSettings {
  readonly policy: RetentionPolicy;
  /** After the start, and then how often it is looked whether something is due. */
  readonly firstMs?: number;
  readonly checkMs?: number;
}

export interface Store extends SampleSink, SampleReader, StatisticsReader, GapStore, Sealing, Retention {
  readonly gaps: GapLedger;
  readonly lastRun: LastRun;
  readonly forwarding: Forwarding;
  /** With which context changes came. */
  readonly contexts: Contexts;
  status(): StoreStatus;
  /**
   * Folds the log into the day tables now and resolves when that is durable; rejects (`unavailable`) when it cannot.
   * Nothing needs it for reading.
   */
  fold(): Promise<void>;
  /** Null where nothing is archived. */
  readonly archive: Archive | null;
  /**
   * Computes the rollups of days that are over and whose samples are folded, as it happens in the background anyway;
   * resolves when there is none left, or the disk refuses. Answers how many days have rollups.
   */
  rollUp(): Promise<number>;
  /**
   * Does something while everything that came so far is on the disk and no file of the archive changes; `archived` are
   * the paths of these, below `archive/`. Rejects with `unavailable` when the disk refuses.
   */
  whileStill<T>(work: (archived: readonly string[]) => Promise<T>): Promise<T>;
  /** Writes what waits, as far as the disk takes it, and ends the threads. The log stays: the next start reads it. */
  close(): Promise<void>;
  [Symbol.asyncDispose](): Promise<void>;
}

/**
 * The time-series store of one data directory. A file that is no database is moved aside and a new one begins;
 * rejects for any other reason it cannot be opened.
 */
export async function openStore(options: StoreOptions): Promise<Store> {
  const { directory, settings, log, now = nowMicros, memorySamplesMax = MEMORY_SAMPLES_MAX } = options;
  makeDirectory(directory);
  const workerData: WriterOptions = {
    directory,
    settings,
    targets: targetDefinitions(options.forward),
    listens: options.durableUntil !== undefined,
  };

  const memory = new MemoryLevel();
  let appended = 0;
  let dropped = 0;
  let overflowing = false;
  let closing = false;

  const committer = createCommitter({
    writer: workerData,
    ...(options.startWriter === undefined ? {} : { startWriter: options.startWriter }),
    commitSeconds: options.commitSeconds,
    ...(options.foldSamples === undefined ? {} : { foldSamples: options.foldSamples }),
    ...(options.maxPages === undefined ? {} : { maxPages: options.maxPages }),
    log,
    now,
    durableUntil: options.durableUntil ?? (() => null),
    seal: () => memory.seal(),
    sealedParts: () => memory.sealedParts(),
    committed: (queued) => forwarders?.queued(queued),
    folded(existing) {
      days = existing;
      rollups.folded(memory.arrived());
    },
    rollupsMended: () => rollups.changed([...days, ...(parquet?.files().flatMap(daysOf) ?? [])]),
  });

  // A thread that is left behind would keep a program that could not start from ending.
  await using opening = new AsyncDisposableStack();
  opening.defer(() => committer.terminate());
  let stored: StoredState;
  try {
    stored = await committer.load();
  } catch (cause) {
    const message = `Cannot open the time-series store in "${directory}": ${messageOf(cause)}`;
    const isNewer = (cause as { code?: unknown }).code === NEWER_REVISION;
    throw isNewer ? new AppError("unavailable", message, { cause }) : new Error(message, { cause });
  }
  logDamage(stored, log);
  // Whatever lives on takes its part: of a home with many series the whole is hundreds of megabytes.
  const { outgoing, archivedDays } = stored;
  const losses = createLosses(directory, committer.damage, now);
  let days: readonly Day[] = stored.days;
  const droppedTime = createDroppedTime(stored.droppedBefore, now);
  const catalog = createCatalog(stored, (change) => committer.record(change));
  const formerSubjects = new Map<SeriesNumber, string[]>();
  for (const [series, subject] of stored.formerSubjects) noteFormerSubject(series, subject);
  const gaps = createGapLedger({
    stored: stored.gaps,
    record: committer.record,
    now,
    silent: (from) => rollups.silenced(dayOf(from)),
  });
  restoreLog(stored);
  // By the clock too, since of a file that was mended less may be known than it holds. A new one holds nothing.
  const newest = catalog.size === 0 ? Number.NEGATIVE_INFINITY : Math.max(now(), catalog.newest());
  memory.begin(newest);
  const rolledDays = new Set(stored.rolledDays.map(([day]) => day));
  const rollups = createRollups({
    stored: stored.rolledDays,
    timeZone: options.timeZone ?? (() => "UTC"),
    now,
    log,
    tables: () => days,
    isArchived: (day) => tier?.isArchived(day) ?? false,
    kind: (series) => (catalog.entry(series)?.stateClass === METER ? "meter" : "plain"),
    resetsOf: (series) => {
      const key = catalog.entry(series)?.stateClass === TOTAL ? catalog.key(series) : undefined;
      return key?.field === STATE_FIELD ? catalog.find({ ...key, field: LAST_RESET_FIELD }) : undefined;
    },
    memory: {
      hasDay: (day) => memory.hasDay(day),
      days: () => memory.days(),
      within: (series, span) => memory.slice(series, span, Number.POSITIVE_INFINITY),
      before: (series, ts, isOne) => memory.before(series, ts, isOne),
    },
    silences: gaps.silences,
    isState: (series) => {
      const entry = catalog.entry(series);
      return entry?.subject.measurement === STATE_MEASUREMENT && entry.field === STATE_FIELD;
    },
    allSeries: () => catalog.seriesOf(null, null),
    read: (requests) => reading.read(requests),
    build: committer.rollUp,
    store: committer.storeRollups,
    reader: {
      aggregate: (request) => disk.ask("aggregate", request),
      means: (request) => disk.ask("means", request),
      counts: (request) => disk.ask("counts", request),
      dayCounts: (request) => disk.ask("dayCounts", request),
      daysWithHours: (request) => disk.ask("daysWithHours", request),
      seriesOfDay: (day) => disk.ask("seriesOfDay", day),
    },
  });

  // What was dropped since is not there to be added up again.
  const adopted = createAdopted((found) => rollups.changed(found.filter((day) => tier?.isArchived(day) ?? false)));
  const forwarders = options.forward && startForwarders(options.forward);
  const tier =
    options.archive &&
    createArchiveTier({
      ...(forwarders === undefined || forwarders.archive === null ? {} : { open: openOutside(forwarders) }),
      directory,
      settings,
      archiving: options.archive,
      manifest: stored.archive,
      committer,
      days: () => days,
      daysChanged: archived,
      async beforeSeal(end) {
        if (memory.days().some((day) => day < end)) await committer.fold();
        await committer.mendDays(days.filter((day) => day < end));
        await rollups.catchUp();
      },
      series: catalog.key,
      find: catalog.find,
      learn(keys) {
        for (const key of keys) {
          const series = catalog.series(key, null, now());
          if (catalog.entry(series)?.stateClass === null) adopted.learned(series);
        }
        return committer.flush();
      },
      adopted: adopted.add,
      log,
      now,
    });
  const parquet = tier?.parquet ?? undefined;
  const retention =
    options.retention &&
    parquet &&
    createRetention({
      ...options.retention,
      workerData,
      archive: parquet,
      committer,
      rollups,
      allSeries: () => catalog.seriesOf(null, null),
      describe: catalog.row,
      inMemory: (day) => memory.hasDay(day),
      hotDays: () => [...days, ...memory.days()],
      droppedTime,
      log,
      now,
    });
  const reader = startOnDemand<ReaderCommands>(
    new URL("./hot/reader.ts", import.meta.url),
    { workerData },
    READER_IDLE_MS,
    (error) => log.error({ err: error }, "The thread that reads samples ended; another one takes over"),
  );
  const disk = createDisk(reader, committer.mend);
  const contexts = createContexts({
    record: committer.record,
    isWritable: () => committer.status().writable,
    disk,
    since: newest + 1,
  });
  const reading = createReading({ memory, catalog, days: () => days, disk, tier });
  // Of files that came back to the archive and were not added up before the end of that run.
  rollups.changed(
    parquet
      ?.files()
      .flatMap(daysOf)
      .filter((day) => !rolledDays.has(day)) ?? [],
  );

  function archived(existing: readonly Day[]): void {
    rollups.sealed(days.filter((day) => !existing.includes(day)));
    days = existing;
  }

  function noteFormerSubject(series: SeriesNumber, subject: string): void {
    formerSubjects.set(series, [...new Set([...(formerSubjects.get(series) ?? []), subject])]);
  }

  /** Late bound: the tier asks the forwarders, which leave to it what is late, or ask it what came first. */
  function startForwarders(forward: ForwardSettings): Forwarders {
    return createForwarders({
      settings: forward,
      stored: outgoing,
      commands: committer.forward,
      series: catalog.row,
      find: catalog.find,
      isArchived: (day) => tier?.isArchived(day) ?? false,
      read: (requests) => reading.read(requests),
      log,
      now,
    });
  }

  function openOutside(outside: Forwarders) {
    return (changing: (change: Promise<unknown>) => void) =>
      openInfluxArchive({
        ...outside.archive!,
        commands: committer.forward,
        archived: archivedDays,
        days: () => days,
        daysChanged: archived,
        changing,
        watch: committer.archive.watch,
        queued: () => outside.end,
        series: outside.series,
        formerSubjects: (series) => formerSubjects.get(series) ?? [],
        log,
        measurements: () => [
          ...new Set(catalog.seriesOf(null, null).flatMap((n) => catalog.key(n)?.measurement ?? [])),
        ],
      });
  }

  function restoreLog({ logSeries, logSamples }: StoredState): void {
    const values = unpackValues(logSamples);
    for (let i = 0; i < logSeries.length; i++) {
      const series = logSeries[i]!;
      const ts = logSamples.ts[i]!;
      const isNew = memory.insert(series, ts, values[i]!);
      // Samples of a series whose row is lost go on to the day tables as well.
      const entry = catalog.entry(series);
      if (isNew && entry !== undefined) extend(entry, ts, values[i]!);
    }
  }

  function extend(entry: SeriesEntry, ts: Micros, value: Value): void {
    // Also where there is no time yet.
    if (!(ts >= entry.firstTs)) entry.firstTs = ts;
    if (!(ts <= entry.lastTs)) {
      entry.lastTs = ts;
      entry.lastValue = value;
    }
  }

  function turnAway(ts: Micros): void {
    dropped++;
    if (overflowing) return;
    overflowing = true;
    log.error({ samples: memorySamplesMax }, "The memory for samples is full: new ones are turned away");
    options.onOverflow?.(ts);
  }

  function withoutRetention(what: string, otherwise: string): AppError {
    const isOutside = forwarders !== undefined && forwarders.archive !== null;
    const why = isOutside ? "the archive is in InfluxDB, whose own retention alone decides" : otherwise;
    return new AppError("unavailable", `Cannot ${what}: ${why}`);
  }

  /** With what its own questions to the disk could not read. */
  function withMissing<T extends { readonly warnings: readonly string[] }>(
    { borders }: Pick<StatisticsRequest, "borders">,
    ask: () => Promise<T>,
  ): Promise<T> {
    return reading.withMissing(borders[borders.length - 1]!, ask);
  }

  async function close(): Promise<void> {
    if (closing) return;
    closing = true;
    rollups.close();
    const retained = retention?.close();
    await forwarders?.close();
    const unfilled = committer.stopFilling();
    await tier?.close();
    await unfilled;
    await retained;
    // The reader goes first: the last connection to close carries the write-ahead log over to the file.
    await reader.end();
    await committer.close();
  }

  opening.move();
  return {
    series: (key, name, at) => catalog.series(key, name, at),
    find: (key) => catalog.find(key),
    describe(series, traits, at) {
      catalog.describe(series, traits, at);
      adopted.described(series, traits.stateClass === METER || traits.stateClass === TOTAL);
    },
    rename: (measurement, subject, name, at) => catalog.rename(measurement, subject, name, at),
    release: (measurement, subject, at) => catalog.release(measurement, subject, at),
    rekey(measurement, subject, newSubject) {
      for (const { number } of catalog.seriesOfSubject(measurement, subject)) noteFormerSubject(number, subject);
      catalog.rekey(measurement, subject, newSubject, now());
    },
    seriesOfEntity: (entityId) => catalog.seriesOfEntity(entityId),
    seriesOfSubject: (measurement, subject) => catalog.seriesOfSubject(measurement, subject),
    knownNames: (measurement) => catalog.knownNames(measurement),
    names: (measurement) => catalog.names(measurement),
    gaps,
    lastRun: stored.lastRun,
    addRollups(hours) {
      for (const rollup of hours) {
        committer.record({ kind: "rollup", rollup });
        rollups.addedStatistics(dayOf(rollup.start));
      }
    },

    append(series, ts, value) {
      const entry = catalog.entry(series);
      if (entry === undefined) throw new RangeError(`Cannot append to series ${series}: it does not exist`);
      if (!Number.isSafeInteger(ts)) throw new RangeError(`Cannot append at ${ts}: not a whole microsecond`);
      // Rollups of that time are of all its samples; this one alone would take their place.
      if (ts < droppedTime.before && droppedTime.refuses(ts)) return;
      const clean = cleanValue(value);
      if (ts <= entry.lastTs && (ts === entry.lastTs || memory.isSealed(series, ts))) return;
      if (memory.weight >= memorySamplesMax) return turnAway(ts);
      overflowing = false;
      if (!memory.insert(series, ts, clean)) return;
      extend(entry, ts, clean);
      appended++;
      committer.push(series, ts, clean);
    },

    last(series) {
      const entry = catalog.entry(series);
      if (entry === undefined || Number.isNaN(entry.lastTs)) return undefined;
      return { ts: entry.lastTs, value: entry.lastValue };
    },

    flush: () => committer.flush(),
    fold: () => committer.fold(),
    forwarding: forwarders ?? NO_FORWARDING,
    contexts,
    archive: tier?.archive ?? null,
    async seal() {
      if (tier === undefined) throw new AppError("unavailable", "Cannot archive: this store has no archive");
      return tier.seal();
    },
    async retain(asked) {
      if (retention === undefined) throw withoutRetention("drop samples", "this store keeps all of them");
      return retention.retain(asked);
    },
    async storage() {
      if (retention === undefined) throw withoutRetention("tell what is kept", "this store has no archive");
      return retention.storage();
    },
    describeSeries: (series) => catalog.row(series),
    statistics: (request) => withMissing(request, () => rollups.statistics(request)),
    figure: (request, figure) => withMissing(request, () => rollups.figure(request, figure)),
    groups: (request) => withMissing(request, () => rollups.groups(request)),
    groupFigure: (request, figure) => withMissing(request, () => rollups.groupFigure(request, figure)),
    seriesOf: (measurement, field) => catalog.seriesOf(measurement, field),
    withFormerUnits: (series) => catalog.withFormerUnits(series),
    async rollUp() {
      await rollups.catchUp();
      return rollups.builtDays;
    },

    read: (requests) => reading.read(requests),

    status() {
      const { writable, reason, failure, waiting, commits, folds, sizeBytes } = committer.status();
      return {
        writable,
        reason,
        failure,
        series: catalog.size,
        waiting,
        inMemory: memory.size,
        memoryWeight: memory.weight,
        appended,
        dropped,
        contextsDropped: contexts.dropped,
        commits,
        folds,
        sizeBytes,
        archive: tier?.archive.health() ?? null,
        retention: retention === undefined ? null : retention.status(),
        loss: losses(),
      };
    },

    whileStill(work) {
      const still = async () => {
        await committer.flush();
        const { writable, reason } = committer.status();
        if (!writable) throw new AppError("unavailable", `The disk refuses writes: ${reason}`);
        return await work(parquet?.present() ?? []);
      };
      return parquet === undefined ? still() : parquet.whileStill(still);
    },

    close,
    [Symbol.asyncDispose]: close,
  };
}

/** The value as the disk gives it back: −0 is 0, and half of a surrogate pair, which UTF-8 cannot say, is U+FFFD. */
function cleanValue(value: Value): Value {
  if (typeof value === "number") {
    if (Number.isNaN(value)) throw new RangeError("Cannot append NaN: no number");
    // Adding 0 would do, and make a new object of each number.
    return value === 0 ? 0 : value;
  }
  if (typeof value === "string" && !value.isWellFormed()) return value.toWellFormed();
  return value;
}
