import { mkdirSync } from "node:fs";
import { join } from "node:path";
import type { Archive, Sealing } from "../domain/archive.ts";
import { AppError, messageOf } from "../domain/errors.ts";
import type { Forwarding } from "../domain/forwarding.ts";
import type { GapLedger, GapStore, LastRun } from "../domain/gaps.ts";
import type { Retention, RetentionPolicy } from "../domain/retention.ts";
import type { Micros, ReadColumns, SampleColumns, Value } from "../domain/sample.ts";
import { type SeriesNumber, STATE_FIELD, STATE_MEASUREMENT } from "../domain/series.ts";
import type { StatisticsReader, StatisticsRequest } from "../domain/statistics.ts";
import type { ReadRequest, SampleReader, SampleSink, StoreStatus } from "../domain/store.ts";
import { lastMovedAside, remedyOf } from "../lib/damaged-database.ts";
import type { Logger } from "../lib/log.ts";
import { inTurns } from "../lib/steps.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import { startOnDemand } from "../lib/worker-rpc.ts";
import { createAdopted } from "./archive/adopted.ts";
import { openInfluxArchive } from "./archive/influxdb/archive.ts";
import { daysOf } from "./archive/parquet/archive.ts";
import { type ArchiveSettings, createArchiveTier } from "./archive/tier.ts";
import {
  createForwarders,
  type Forwarders,
  type ForwardSettings,
  NO_FORWARDING,
  targetDefinitions,
} from "./forward/forwarding.ts";
import { createGapLedger } from "./gaps.ts";
import { createCatalog, type SeriesEntry } from "./hot/catalog.ts";
import { unpackSamples, unpackValues } from "./hot/columns.ts";
import { createCommitter } from "./hot/committer.ts";
import { DATABASE_FILE, type SqliteSettings } from "./hot/database.ts";
import { DAY_MICROS, type Day, dayOf } from "./hot/day.ts";
import { daysBefore, daysWithin } from "./hot/days.ts";
import { createDisk, nameOfDay } from "./hot/disk.ts";
import { Generation, merge } from "./hot/memory.ts";
import type { DayRequest, ReaderCommands } from "./hot/reader.ts";
import type { MendedDay } from "./hot/salvage.ts";
import type { StoredState, WriterOptions } from "./hot/writer-commands.ts";
import { createDroppedTime } from "./retention/dropped-time.ts";
import { createRetention } from "./retention/retention.ts";
import { createRollups } from "./rollups/rollups.ts";

/** Samples of the memory level; beyond this, while the disk refuses, the newest are turned away. */
export const MEMORY_SAMPLES_MAX = 2_000_000;
/** A damaged day that was mended is told for 30 days: so long somebody may miss samples of it, and look at the disk. */
const LOSS_TOLD_MICROS = 30 * DAY_MICROS;
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
   * as `lastRun` of the next start.
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
  mkdirSync(directory, { recursive: true });
  const workerData: WriterOptions = { directory, settings, targets: targetDefinitions(options.forward) };

  let current = new Generation();
  /** On their way to the day tables, the oldest first. */
  let sealed: Generation[] = [];
  let appended = 0;
  let dropped = 0;
  let overflowing = false;
  let closing = false;

  const committer = createCommitter({
    workerData,
    commitSeconds: options.commitSeconds,
    ...(options.foldSamples === undefined ? {} : { foldSamples: options.foldSamples }),
    ...(options.maxPages === undefined ? {} : { maxPages: options.maxPages }),
    log,
    now,
    durableUntil: options.durableUntil ?? (() => null),
    seal() {
      sealed.push(current);
      current = new Generation();
    },
    sealedParts: () => Promise.all(sealed.map((generation) => inTurns(generation.packed()))),
    committed: (queued) => forwarders?.queued(queued),
    folded(existing) {
      const changed = sealed.flatMap((generation) => [...generation.days]);
      sealed = [];
      days = existing;
      rollups.changed(changed);
    },
  });

  let stored: StoredState;
  try {
    stored = await committer.load();
  } catch (cause) {
    await committer.terminate();
    throw new Error(`Cannot open the time-series store in "${directory}": ${messageOf(cause)}`, { cause });
  }
  if (stored.logDamaged > 0) {
    log.error(
      { samples: stored.logDamaged },
      "Samples in the log of timeseries.db are damaged and cannot be read: they are lost",
    );
  }
  if (stored.hoursDamaged) {
    log.warn(
      "Hours of rollups in timeseries.db were damaged when they were to be packed: they are computed anew where samples " +
        'are kept, and stay as they are in its table "rollup_hour_damaged"',
    );
  }
  if (stored.movedTo !== null) {
    log.error({ movedTo: stored.movedTo }, "timeseries.db is damaged: it was moved aside and a new one begins");
  }
  const movedLoss = lossOf(directory);
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
  const rolledDays = new Set(stored.rolledDays.map(([day]) => day));
  const rollups = createRollups({
    stored: stored.rolledDays,
    timeZone: options.timeZone ?? (() => "UTC"),
    now,
    log,
    tables: () => days,
    isArchived: (day) => tier?.isArchived(day) ?? false,
    kind: (series) => (catalog.entry(series)?.stateClass === METER ? "meter" : "plain"),
    memory: {
      hasDay: (day) => generations().some((generation) => generation.days.has(day)),
      within: (series, span) => mergeAll((generation) => generation.slice(series, span, Number.POSITIVE_INFINITY)),
      before: (series, ts, isOne) => lastOf(mergeAll((generation) => generation.before(series, ts, isOne))),
    },
    silences: gaps.silences,
    isState: (series) => {
      const entry = catalog.entry(series);
      return entry?.subject.measurement === STATE_MEASUREMENT && entry.field === STATE_FIELD;
    },
    allSeries: () => catalog.seriesOf(null, null),
    read,
    build: committer.rollUp,
    store: committer.storeRollups,
    reader: {
      aggregate: (request) => disk.ask("aggregate", request),
      means: (request) => disk.ask("means", request),
      counts: (request) => disk.ask("counts", request),
      dayCounts: (request) => disk.ask("dayCounts", request),
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
      daysChanged(existing) {
        days = existing;
      },
      async beforeSeal(end) {
        if (generations().some((generation) => [...generation.days].some((day) => day < end))) await committer.fold();
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
      inMemory: (day) => generations().some((generation) => generation.days.has(day)),
      hotDays: () => [...days, ...generations().flatMap((generation) => [...generation.days])],
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
  // Of files that came back to the archive and were not added up before the end of that run.
  rollups.changed(
    parquet
      ?.files()
      .flatMap(daysOf)
      .filter((day) => !rolledDays.has(day)) ?? [],
  );

  function noteFormerSubject(series: SeriesNumber, subject: string): void {
    formerSubjects.set(series, [...new Set([...(formerSubjects.get(series) ?? []), subject])]);
  }

  /** Late bound: the tier asks the forwarders, which leave to it what is late. */
  function startForwarders(forward: ForwardSettings): Forwarders {
    return createForwarders({
      settings: forward,
      stored: stored.outgoing,
      commands: committer.forward,
      series: catalog.row,
      isArchived: (day) => tier?.isArchived(day) ?? false,
      log,
      now,
    });
  }

  function openOutside(outside: Forwarders) {
    return (changing: (change: Promise<unknown>) => void) =>
      openInfluxArchive({
        ...outside.archive!,
        commands: committer.forward,
        archived: stored.archivedDays,
        days: () => days,
        daysChanged(existing) {
          days = existing;
        },
        changing,
        watch: committer.archive.watch,
        queued: () => outside.end,
        series: outside.series,
        formerSubjects: (series) => formerSubjects.get(series) ?? [],
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
      const isNew = current.insert(series, ts, values[i]!);
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

  /** What is in memory, the oldest first. */
  function generations(): readonly Generation[] {
    return [...sealed, current];
  }

  function mergeAll(read: (generation: Generation) => SampleColumns): SampleColumns {
    return generations().map(read).reduce(merge);
  }

  function inMemory(): number {
    let size = current.size;
    // As in isSealed, nothing is made for each sample: an iterator would be.
    for (let i = 0; i < sealed.length; i++) size += sealed[i]!.size;
    return size;
  }

  /** A loop of its own: what a closure in `append` needs would be made anew for each sample. */
  function isSealed(series: SeriesNumber, ts: Micros): boolean {
    for (const generation of sealed) if (generation.has(series, ts)) return true;
    return false;
  }

  function turnAway(ts: Micros): void {
    dropped++;
    if (overflowing) return;
    overflowing = true;
    log.error({ samples: memorySamplesMax }, "The memory for samples is full: new ones are turned away");
    options.onOverflow?.(ts);
  }

  /** What is in memory of a request, copied: the answer is whole whatever is folded before the disk was asked. */
  function fromMemory(request: ReadRequest): { readonly before: SampleColumns; readonly within: SampleColumns } {
    let before: SampleColumns = { ts: [], values: [] };
    let within: SampleColumns = { ts: [], values: [] };
    for (const generation of [...sealed, current]) {
      within = merge(within, generation.slice(request.series, request, request.limit));
      if (request.includeStart) before = merge(before, generation.before(request.series, request.start));
    }
    return { before, within };
  }

  function forDisk(request: ReadRequest): DayRequest {
    const { series, start, end, limit } = request;
    const { firstTs, lastTs } = catalog.entry(series) ?? NO_TIMES;
    if (Number.isNaN(firstTs)) return { series, start, end, limit, days: [], daysBefore: [] };
    return {
      series,
      start,
      end,
      limit,
      days: daysWithin(days, Math.max(start, firstTs), Math.min(end, lastTs + 1)),
      daysBefore: request.includeStart ? daysBefore(days, firstTs, Math.min(start, lastTs + 1)) : [],
    };
  }

  async function readDisk(requests: readonly DayRequest[]): Promise<SampleColumns[]> {
    const packed = await disk.ask("read", requests);
    return packed.map(unpackSamples);
  }

  /** What memory, log and day tables have for each request; more than it asked for where they overlap. */
  async function readHot(requests: readonly ReadRequest[]): Promise<SampleColumns[]> {
    const memory = requests.map(fromMemory);
    const disk = requests.map(forDisk);
    const asked = disk.filter((request) => request.days.length + request.daysBefore.length > 0);
    const found = asked.length === 0 ? [] : await readDisk(asked);
    let next = 0;
    return requests.map((_, i) => {
      const { before, within } = memory[i]!;
      const onDisk = disk[i] === asked[next] ? found[next++]! : EMPTY;
      return merge(onDisk, merge(before, within));
    });
  }

  async function read(requests: readonly ReadRequest[]): Promise<ReadColumns[]> {
    const since = disk.answers;
    const hot = await (tier === undefined ? readHot(requests) : tier.readHot(() => readHot(requests)));
    const columns: readonly ReadColumns[] = tier === undefined ? hot : await tier.complete(requests, hot);
    return requests.map((request, i) => {
      const answer = assemble(request, columns[i]!, newestBefore(request));
      const missing = disk.missing(since, Math.max(request.start, request.end));
      return missing.length === 0 ? answer : { ...answer, warnings: [...(answer.warnings ?? []), ...missing] };
    });
  }

  /** With what its own questions to the disk could not read. */
  async function withMissing<T extends { readonly warnings: readonly string[] }>(
    { borders }: StatisticsRequest,
    ask: () => Promise<T>,
  ): Promise<T> {
    const since = disk.answers;
    const answer = await ask();
    const missing = disk.missing(since, borders[borders.length - 1]!);
    return missing.length === 0 ? answer : { ...answer, warnings: [...new Set([...answer.warnings, ...missing])] };
  }

  /** What is in force since before the start, where nothing came later: known also when its sample was dropped or lost. */
  function newestBefore({ series, start, includeStart }: ReadRequest): SampleColumns {
    const { lastTs, lastValue } = catalog.entry(series) ?? NO_TIMES;
    return includeStart && lastTs < start ? { ts: [lastTs], values: [lastValue] } : EMPTY;
  }

  /** What damage took, and for how long it is told. */
  function loss(): string | null {
    const { mended, failed } = committer.damage();
    const losses = [
      ...(movedLoss === null ? [] : [movedLoss]),
      ...[...failed].map(([day, reason]) => unmendedNote(day, reason)),
      ...mended.filter(({ at }) => now() - at < LOSS_TOLD_MICROS).map(mendedNote),
    ];
    return losses.length === 0 ? null : losses.join(". ");
  }

  async function close(): Promise<void> {
    if (closing) return;
    closing = true;
    rollups.close();
    const retained = retention?.close();
    await forwarders?.close();
    await tier?.close();
    await retained;
    // The reader goes first: the last connection to close carries the write-ahead log over to the file.
    await reader.end();
    await committer.close();
  }

  return {
    series: (key, name, at) => catalog.series(key, name, at),
    find: (key) => catalog.find(key),
    describe(series, traits) {
      catalog.describe(series, traits);
      adopted.described(series, traits.stateClass === METER);
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
      if (ts <= entry.lastTs && (ts === entry.lastTs || isSealed(series, ts))) return;
      if (inMemory() >= memorySamplesMax) return turnAway(ts);
      overflowing = false;
      if (!current.insert(series, ts, clean)) return;
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
    archive: tier?.archive ?? null,
    async seal() {
      if (tier === undefined) throw new AppError("unavailable", "Cannot archive: this store has no archive");
      return tier.seal();
    },
    async retain(asked) {
      if (retention === undefined)
        throw new AppError("unavailable", "Cannot drop samples: this store keeps all of them");
      return retention.retain(asked);
    },
    async storage() {
      if (retention === undefined) throw new AppError("unavailable", "Cannot tell: this store has no archive");
      return retention.storage();
    },
    describeSeries: (series) => catalog.row(series),
    statistics: (request) => withMissing(request, () => rollups.statistics(request)),
    figure: (request, figure) => withMissing(request, () => rollups.figure(request, figure)),
    seriesOf: (measurement, field) => catalog.seriesOf(measurement, field),
    async rollUp() {
      await rollups.catchUp();
      return rollups.builtDays;
    },

    read,

    status() {
      const { writable, reason, waiting, commits, folds, sizeBytes } = committer.status();
      return {
        writable,
        reason,
        series: catalog.size,
        waiting,
        inMemory: inMemory(),
        appended,
        dropped,
        commits,
        folds,
        sizeBytes,
        archive: tier?.archive.health() ?? null,
        retention: retention === undefined ? null : retention.status(),
        loss: loss(),
      };
    },

    close,
    [Symbol.asyncDispose]: close,
  };
}

const EMPTY: SampleColumns = { ts: [], values: [] };
/** What the catalog would say of a series that is not there. */
const NO_TIMES = { firstTs: Number.NaN, lastTs: Number.NaN, lastValue: null };

/** The newest sample of a column, as a column of one or none. */
function lastOf({ ts, values }: SampleColumns): SampleColumns {
  return { ts: ts.slice(-1), values: values.slice(-1) };
}

/** Cuts what was read for a request to what it asked for: the newest before `start`, and `limit` from there on. */
function assemble(request: ReadRequest, found: ReadColumns, newestBefore: SampleColumns): ReadColumns {
  const missing = newestBefore.ts.length > 0 && !(found.ts[0]! < request.start);
  const columns = missing ? { ...found, ...merge(newestBefore, found) } : found;
  const { ts, values } = columns;
  let first = 0;
  while (first < ts.length && ts[first]! < request.start) first++;
  const from = request.includeStart && first > 0 ? first - 1 : first;
  const to = Math.min(ts.length, first + request.limit);
  if (from === 0 && to === ts.length) return columns;
  return { ...columns, ts: ts.slice(from, to), values: values.slice(from, to) };
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

function lossOf(directory: string): string | null {
  const aside = lastMovedAside(join(directory, DATABASE_FILE));
  if (aside === null) return null;
  return (
    `timeseries.db was damaged and is now "${aside}": what was in it alone is gone from here, that is, the samples of the ` +
    "last days, but for what Home Assistant's history gives again, and the rollups of days whose samples had been dropped; " +
    "the archive is listed anew, and rollups of its days are computed again. " +
    `${remedyOf(aside, DATABASE_FILE)}. Moving that file elsewhere, and a start, end this notice`
  );
}

function mendedNote({ day, saved, aside, at }: MendedDay): string {
  return (
    `A part of timeseries.db with samples of ${nameOfDay(day)} was damaged: ${saved} of them were saved, the others are ` +
    `lost unless a backup has them. The damaged table stays in the file as "${aside}". A disk or memory card that loses ` +
    `what was written may fail altogether: see to a backup. This notice ends ${isoFromMicros(at + LOSS_TOLD_MICROS).slice(0, 10)}`
  );
}

function unmendedNote(day: Day, reason: string): string {
  return (
    `A part of timeseries.db with samples of ${nameOfDay(day)} is damaged and could not be mended yet (${reason}): ` +
    "answers lack samples of that day"
  );
}
