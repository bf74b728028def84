import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as nextTurn } from "node:timers/promises";
import { workerData } from "node:worker_threads";
import { messageOf } from "../../domain/errors.ts";
import type { DeadLetter, DeadLetterQuestion } from "../../domain/forwarding.ts";
import type { LastRun } from "../../domain/gaps.ts";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { isCorruption, moveAside } from "../../lib/damaged-database.ts";
import { allAtOnce, inTurns, type Steps } from "../../lib/steps.ts";
import { nowMicros } from "../../lib/time.ts";
import { transaction } from "../../lib/transaction.ts";
import { serveCommands } from "../../lib/worker-rpc.ts";
import { type Manifest, readManifest } from "../archive/parquet/manifest.ts";
import { dropRollups, forgetRolledDays, type RollupDrop, readDroppedBefore } from "../retention/dropped.ts";
import {
  type BuiltPart,
  buildDay,
  markBuilt,
  type RolledDay,
  readRolledDays,
  type SeriesSummaries,
  storeSummaries,
  tableSamples,
} from "../rollups/build.ts";
import { hasDamagedHours } from "../rollups/old-hours.ts";
import type { CatalogChange, Change, PackedChunk } from "./chunk.ts";
import type { PackedSamples } from "./columns.ts";
import {
  DATABASE_FILE,
  freePages,
  openForReading,
  openForWriting,
  returnPages,
  type SqliteSettings,
  sizeOnDisk,
} from "./database.ts";
import { type Day, dayOfTable, tableOfDay } from "./day.ts";
import { Fold, type FoldedRanges, isFoldUnfinished } from "./fold.ts";
import {
  type ArchivedDay,
  type DayRows,
  type DayRowsRequest,
  forgetDaysBefore,
  noteArchivedDay,
  readArchivedDays,
  readDayRows,
  readTableFacts,
} from "./given-up.ts";
import { createLedgerWriter, type LedgerWriter, readGaps, readLastRun, type StoredGap } from "./ledger.ts";
import { Log, pickSamples, sortLog } from "./log.ts";
import {
  type Acknowledged,
  type Acknowledgement,
  type CutBatch,
  type NextBatch,
  Outgoing,
  type StoredOutgoing,
  type TargetDefinition,
} from "./outgoing.ts";
import { isSound, type MendedDay, readMendedDays, salvage } from "./salvage.ts";
import { type ArchiveChange, Sealing, type TableEnd } from "./sealing.ts";

/** What the thread is started with. */
export interface WriterOptions {
  readonly directory: string;
  readonly settings: SqliteSettings;
  /** Where samples go besides; the writer alone asks. */
  readonly targets?: readonly TargetDefinition[];
}

/** A row of `series`: number, measurement, subject, field, unit, device class, state class, first, last, last value. */
export type SeriesRow = readonly [
  number: number,
  measurement: string,
  subject: string,
  field: string,
  unit: string | null,
  deviceClass: string | null,
  stateClass: string | null,
  firstTs: number | null,
  lastTs: number | null,
  lastValue: number | string | null,
];

/** A row of `series_alias`: series, entity_id, from, to. */
export type AliasRow = readonly [series: number, entityId: string, from: number, to: number | null];

/** A row of `former_subjects`: what a series was about before it got a registry entry. */
export type FormerSubjectRow = readonly [series: number, subject: string];

/** What the file holds when the store opens; the log comes with each series' samples in the order of time and arrival. */
export interface StoredState {
  readonly series: readonly SeriesRow[];
  readonly aliases: readonly AliasRow[];
  readonly days: readonly Day[];
  readonly logSeries: Int32Array;
  readonly logSamples: PackedSamples;
  /** Samples of the log that cannot be read any more. */
  readonly logDamaged: number;
  /** Hours that a version before wrote could not be read. */
  readonly hoursDamaged: boolean;
  /** Day tables hold a part of the log: it has to be folded soon. */
  readonly foldUnfinished: boolean;
  readonly sizeBytes: number;
  readonly gaps: readonly StoredGap[];
  readonly lastRun: LastRun;
  readonly archive: Manifest;
  readonly rolledDays: readonly [Day, RolledDay][];
  /** See `readDroppedBefore`. */
  readonly droppedBefore: Micros | null;
  readonly outgoing: StoredOutgoing;
  readonly archivedDays: readonly ArchivedDay[];
  readonly formerSubjects: readonly FormerSubjectRow[];
  /** Days whose tables were damaged and were mended, ever. */
  readonly mendedDays: readonly MendedDay[];
  /** Those of them that kept the file from being opened, just now. */
  readonly mendedNow: readonly MendedDay[];
  /** Where a file that is no database was moved. */
  readonly movedTo: string | null;
}

export interface MendAnswer {
  readonly mended: readonly MendedDay[];
  /** Damaged tables that stay as they are. */
  readonly failed: readonly { readonly day: Day; readonly reason: string }[];
  readonly sizeBytes: number;
}

/** With a command: the file may not grow past so many pages. */
export interface Limits {
  readonly maxPages?: number | undefined;
}

export interface RollUpRequest {
  readonly day: Day;
  /** Midnights of the home within the day. */
  readonly cuts: readonly Micros[];
  /** Of the day: when nothing was in force any more. */
  readonly silences: readonly Micros[];
  /** 0, then what the call before answered. */
  readonly after: SeriesNumber;
}

export interface StoreRollupsRequest {
  readonly day: Day;
  readonly summaries: readonly SeriesSummaries[];
  /** The first step of a day. */
  readonly begin: boolean;
  /** With the last step: where its parts are cut. */
  readonly builtCuts: readonly Micros[] | null;
}

/**
 * The commands of the thread that owns every write to the file. Each is one transaction, all of it or nothing, but for
 * `fold`.
 */
export type WriterCommands = {
  /** Opens (or makes) the file and reads what the main thread keeps in memory. */
  load(argument: null): StoredState;
  /** Appends to the log. Opens the file where `load` was not called: in a thread that follows one that died. */
  commit(argument: { readonly chunk: PackedChunk } & Limits): { readonly sizeBytes: number; readonly queued: number };
  /**
   * Carries the log, as it is now, over to the day tables, in many short transactions between which other commands have
   * their turn. Answers which days have a table. Where it fails, the log is as it was and day tables may hold a part of it.
   */
  fold(argument: { readonly ranges: readonly FoldedRanges[] } & Limits): Promise<{
    readonly days: readonly Day[];
    readonly sizeBytes: number;
  }>;
  /**
   * Looks at tables of days, all or these, and puts what can still be read of those that are damaged into new ones, in
   * short transactions as those of `fold`, and never while one is under way.
   */
  mend(argument: { readonly days: readonly Day[] | null; readonly at: Micros } & Limits): Promise<MendAnswer>;
  /**
   * Computes rollups of a day from its table, for the series after `after`; see `buildDay`. Answers `after: 0` when a
   * fold changed the day since the call before: it has to be begun again.
   */
  rollUp(argument: RollUpRequest & Limits): BuiltPart;
  /** Stores rollups of a day that were computed elsewhere; false as `after: 0` of `rollUp`. */
  storeRollups(argument: StoreRollupsRequest & Limits): boolean;
  /** The day is about to be archived; see `Sealing`. */
  watch(day: Day): void;
  /** Lists an archived file and drops the table of its day; not `sealed`: samples came to the table since `watch`. */
  archive(argument: { readonly change: ArchiveChange } & Limits): {
    readonly sealed: boolean;
    readonly days: readonly Day[];
    readonly sizeBytes: number;
  };
  /** Deletes rollups, from that place of the list on, as many as are quickly done; see `dropRollups`. */
  dropRollups(argument: { readonly drops: readonly RollupDrop[]; readonly from: number } & Limits): {
    readonly rows: number;
    readonly next: number;
  };
  /** Nothing is left of the rollups of days before this one. */
  forgetRolledDays(before: Day): void;
  freePages(argument: null): number;
  /** A step of returning free pages to the file system, until so many are left. Answers how many are still too many. */
  returnPages(keep: number): number;
  /** Obsolete files are gone from the disk. */
  forget(paths: readonly string[]): void;
  /** What is next for a target; null: it has everything. */
  nextBatch(argument: { readonly target: string; readonly limit: number }): NextBatch;
  cutBatch(argument: CutBatch & Limits): void;
  acknowledge(argument: Acknowledgement & Limits): Acknowledged;
  deadLetters(question: DeadLetterQuestion): { readonly letters: readonly DeadLetter[]; readonly total: number };
  oldestDeadLetters(argument: {
    readonly target: string;
    readonly after: number;
    readonly limit: number;
  }): readonly DeadLetter[];
  removeDeadLetters(ids: readonly number[]): void;
  /**
   * The target has everything of the day's table: notes that and drops the table. Not `sealed`: samples came to it since
   * `watch`.
   */
  giveUpDay(argument: { readonly day: Day; readonly added: number | null } & Limits): {
    readonly sealed: boolean;
    readonly archived: ArchivedDay | null;
    readonly days: readonly Day[];
    readonly sizeBytes: number;
  };
  dayRows(request: DayRowsRequest): DayRows;
  forgetDaysBefore(day: Day): void;
  /** Notes the end of the run, unless null, and closes the file. */
  close(argument: { readonly durableUntil: Micros | null } | null): void;
};

const { directory, settings, targets = [] } = workerData as WriterOptions;
const file = join(directory, DATABASE_FILE);

/** Samples of one step of a fold: a millisecond or two, for which a commit may have to wait. */
const FOLD_STEP_SAMPLES = 2_000;
/**
 * A fold is done before so many samples have come to the log meanwhile, or commits wait: however long a flood lasts, no
 * fold is much longer than the one before.
 */
const FOLD_WITHIN_SAMPLES = 200_000;
/** So many samples may come while the log is read and sorted, or commits wait for that. */
const FOLD_BEGIN_WITHIN_SAMPLES = 50_000;
/** How far a fold may be behind that before commits wait for it; and samples of one step that makes up for it. */
const FOLD_BEHIND_MAX = 20_000;
const FOLD_LONG_STEP_SAMPLES = 10_000;
/** Samples of one step of a rollup: a tenth of a second, for which a commit may have to wait. */
const ROLLUP_SAMPLES = 50_000;
/** Rows of rollups that one step deletes. */
const ROLLUP_ROWS_DROPPED = 2_000;

/** The day whose rollups are half done, as long as no fold has changed it. */
let rollingUp: Day | undefined;
/** How many samples the fold under way has to carry over for each that is committed, and how many it should have more. */
let foldPace = 0;
let foldBehind = 0;

const sealing = new Sealing(() => opened?.db);
let opened: Database | undefined;
/** As the open connection has it. */
let synchronous = settings.synchronous;

interface Database {
  readonly db: DatabaseSync;
  readonly log: Log;
  readonly change: { readonly [K in CatalogChange["kind"] | "former"]: StatementSync };
  readonly ledger: LedgerWriter;
  readonly outgoing: Outgoing;
  readonly stored: StoredOutgoing;
}

function open(): Database {
  const db = openForWriting(file, settings);
  synchronous = settings.synchronous;
  try {
    return prepare(db);
  } catch (error) {
    db.close();
    throw error;
  }
}

function prepare(db: DatabaseSync): Database {
  const outgoing = new Outgoing(db);
  const stored = transaction(db, () => outgoing.configure(targets));
  return {
    db,
    outgoing,
    stored,
    log: new Log(db),
    change: {
      series: db.prepare("INSERT INTO series (number, measurement, subject, field) VALUES (?, ?, ?, ?)"),
      traits: db.prepare("UPDATE series SET unit = ?, device_class = ?, state_class = ? WHERE number = ?"),
      subject: db.prepare("UPDATE series SET subject = ? WHERE number = ?"),
      former: db.prepare("INSERT OR IGNORE INTO former_subjects SELECT number, subject FROM series WHERE number = ?"),
      alias: db.prepare("INSERT OR REPLACE INTO series_alias (series, entity_id, valid_from) VALUES (?, ?, ?)"),
      aliasEnd: db.prepare("UPDATE series_alias SET valid_to = ? WHERE series = ? AND valid_to IS NULL"),
    },
    ledger: createLedgerWriter(db),
  };
}

function database(): Database {
  opened ??= open();
  return opened;
}

function inTransaction<T>(
  { db, log, outgoing }: Database,
  limits: Limits,
  work: () => T,
  durability = settings.synchronous,
): T {
  if (durability !== synchronous) db.exec(`PRAGMA synchronous = ${durability}`);
  synchronous = durability;
  if (limits.maxPages !== undefined) db.exec(`PRAGMA max_page_count = ${limits.maxPages}`);
  try {
    return transaction(db, work);
  } catch (error) {
    outgoing.forget();
    log.forget();
    throw error;
  }
}

/** What a loss of power may take back, though never a part of it and never more than what came last. */
function inLooseTransaction<T>(current: Database, limits: Limits, work: () => T): T {
  return inTransaction(current, limits, work, settings.synchronous === "OFF" ? "OFF" : "NORMAL");
}

/** A transaction in which a day's table goes. */
function inSealing<T>(current: Database, limits: Limits, work: (end: TableEnd) => T): T {
  try {
    return inTransaction(current, limits, () => work("drop"));
  } catch (error) {
    if (!isCorruption(error)) throw error;
    return inTransaction(current, limits, () => work("empty"));
  }
}

function applyChange({ change: statements, ledger }: Database, change: Change): void {
  if (change.kind === "gap" || change.kind === "progress" || change.kind === "rollup") {
    ledger.apply(change);
    return;
  }
  const { series } = change;
  switch (change.kind) {
    case "series":
      statements.series.run(series, change.measurement, change.subject, change.field);
      break;
    case "traits":
      statements.traits.run(change.unit, change.deviceClass, change.stateClass, series);
      break;
    case "subject":
      statements.former.run(series);
      statements.subject.run(change.subject, series);
      break;
    case "alias":
      statements.alias.run(series, change.entityId, change.from);
      break;
    case "aliasEnd":
      statements.aliasEnd.run(change.to, series);
      break;
  }
}

function rows<T>(db: DatabaseSync, sql: string): T[] {
  const statement = db.prepare(sql);
  statement.setReturnArrays(true);
  return statement.all() as unknown as T[];
}

function readDays(db: DatabaseSync): Day[] {
  const tables = rows<[string]>(db, "SELECT name FROM sqlite_schema WHERE type = 'table'");
  return tables.flatMap(([name]) => dayOfTable(name) ?? []).sort((a, b) => a - b);
}

/** Of what is read from the file: not what became of it. */
type ReadState = Omit<StoredState, "movedTo" | "mendedNow">;

function readState({ db, log, stored }: Database): ReadState {
  const content = log.read();
  const { series: logSeries, samples: logSamples } = pickSamples(content, sortLog(content));
  return {
    series: rows(
      db,
      `SELECT number, measurement, subject, field, unit, device_class, state_class, first_ts, last_ts, last_value
       FROM series ORDER BY number`,
    ),
    aliases: rows(db, "SELECT series, entity_id, valid_from, valid_to FROM series_alias ORDER BY valid_from"),
    days: readDays(db),
    logSeries,
    logSamples,
    logDamaged: content.damaged,
    hoursDamaged: hasDamagedHours(db),
    foldUnfinished: isFoldUnfinished(db),
    sizeBytes: sizeOnDisk(file),
    gaps: readGaps(db),
    lastRun: readLastRun(db),
    archive: readManifest(db),
    rolledDays: readRolledDays(db),
    droppedBefore: readDroppedBefore(db),
    outgoing: stored,
    archivedDays: readArchivedDays(db),
    formerSubjects: rows(db, "SELECT series, subject FROM former_subjects"),
    mendedDays: readMendedDays(db),
  };
}

/** What the last run left, before this one counts as one that has not been stopped. */
function begin(): ReadState {
  const current = database();
  const state = readState(current);
  if (state.lastRun.stoppedCleanly) inTransaction(current, {}, () => current.ledger.stopped(false));
  return state;
}

/** As `begin`; undefined, and closed, for a damaged file. */
function beginIfSound(): ReadState | undefined {
  try {
    return begin();
  } catch (error) {
    if (!isCorruption(error)) throw error;
    opened?.db.close();
    opened = undefined;
    return undefined;
  }
}

function load(): StoredState {
  const state = beginIfSound();
  if (state !== undefined) return { ...state, mendedNow: [], movedTo: null };
  // A new target begins with what the tables of days have, so that a damaged one is met here as well.
  const mendedNow = mendAtOnce();
  const mended = mendedNow.length === 0 ? undefined : beginIfSound();
  if (mended !== undefined) return { ...mended, mendedNow, movedTo: null };
  const movedTo = moveAside(file);
  return { ...begin(), mendedNow: [], movedTo };
}

/** Mends the tables of days before the file is in use; none where it cannot be opened at all. */
function mendAtOnce(): MendedDay[] {
  try {
    using db = openForWriting(file, settings);
    using reading = openForReading(file, settings);
    return readDays(db)
      .filter((day) => !isSound(reading, tableOfDay(day)))
      .map((day) => transaction(db, () => allAtOnce(salvage(db, reading, day, nowMicros()))));
  } catch (error) {
    if (isCorruption(error)) return [];
    throw error;
  }
}

let carrying: Promise<unknown> = Promise.resolve();

/** What writes to tables of days in many transactions, one after the other. */
function oneAfterTheOther<T>(work: () => Promise<T>): Promise<T> {
  const done = carrying.then(work);
  carrying = done.catch(() => {});
  return done;
}

async function fold({ ranges, ...limits }: Parameters<WriterCommands["fold"]>[0]): ReturnType<WriterCommands["fold"]> {
  const current = database();
  const { db, log } = current;
  foldPace = 1;
  foldBehind = 0;
  const fold = await inTurns(Fold.begin(db, log), () => foldBehind < FOLD_BEGIN_WITHIN_SAMPLES);
  const tooMany = Math.max(0, foldBehind - FOLD_BEGIN_WITHIN_SAMPLES);
  foldPace = fold.left / FOLD_WITHIN_SAMPLES;
  foldBehind = foldPace * tooMany;
  try {
    while (fold.left > 0) {
      const isBehind = foldBehind > FOLD_BEHIND_MAX;
      const step = isBehind ? FOLD_LONG_STEP_SAMPLES : FOLD_STEP_SAMPLES;
      // The log has all of it, so only the end has to be durable; the disk is spared the waiting.
      const days = inLooseTransaction(current, limits, () => fold.step(step));
      sealing.touched(days);
      if (rollingUp !== undefined && days.includes(rollingUp)) rollingUp = undefined;
      foldBehind -= step;
      if (foldBehind <= FOLD_BEHIND_MAX) await nextTurn();
    }
    inTransaction(current, limits, () => fold.finish(ranges));
  } finally {
    sealing.folded();
  }
  // The log's pages are free again and the days' pages are final for a while: a good moment to write both once.
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  return { days: readDays(db), sizeBytes: sizeOnDisk(file) };
}

async function mend({ days, at, ...limits }: Parameters<WriterCommands["mend"]>[0]): Promise<MendAnswer> {
  const current = database();
  using reading = openForReading(file, settings);
  const mended: MendedDay[] = [];
  const failed: MendAnswer["failed"][number][] = [];
  for (const day of days ?? readDays(current.db)) {
    await nextTurn();
    // It may have gone to the archive meanwhile.
    if (!readDays(current.db).includes(day) || isSound(reading, tableOfDay(day))) continue;
    // As in a fold: what is being copied must not be dropped.
    sealing.touched([day]);
    try {
      const steps = inTransactions(current, limits, salvage(current.db, reading, day, at));
      mended.push(await inTurns(steps, () => true));
      if (rollingUp === day) rollingUp = undefined;
    } catch (error) {
      failed.push({ day, reason: messageOf(error) });
    } finally {
      sealing.folded();
    }
  }
  return { mended, failed, sizeBytes: sizeOnDisk(file) };
}

/** The same steps, each in a transaction. A loss of power may take back the last ones, and then they are done again. */
function* inTransactions<T>(current: Database, limits: Limits, steps: Steps<T>): Steps<T> {
  for (;;) {
    const { done, value } = inLooseTransaction(current, limits, () => steps.next());
    if (done) return value as T;
    yield;
  }
}

const commands: WriterCommands = {
  load,
  commit({ chunk, ...limits }) {
    const current = database();
    const queued = inTransaction(current, limits, () => {
      for (const change of chunk.changes) applyChange(current, change);
      const end = current.outgoing.append(chunk);
      current.log.append(chunk);
      return end;
    });
    foldBehind += foldPace * chunk.series.length;
    return { sizeBytes: sizeOnDisk(file), queued };
  },
  fold: (argument) => oneAfterTheOther(() => fold(argument)),
  mend: (argument) => oneAfterTheOther(() => mend(argument)),
  rollUp({ day, cuts, silences, after, ...limits }) {
    if (after !== 0 && rollingUp !== day) return { samples: 0, after: 0 };
    const current = database();
    const samples = tableSamples(current.db, tableOfDay(day));
    const options = { after, samplesMax: ROLLUP_SAMPLES, silences };
    const part = inTransaction(current, limits, () => buildDay(current.db, day, cuts, samples, options));
    rollingUp = part.after === null ? undefined : day;
    return part;
  },
  storeRollups({ day, summaries, begin, builtCuts, ...limits }) {
    if (!begin && rollingUp !== day) return false;
    const current = database();
    inTransaction(current, limits, () => {
      storeSummaries(current.db, day, summaries);
      if (builtCuts !== null) markBuilt(current.db, day, builtCuts);
    });
    rollingUp = builtCuts === null ? day : undefined;
    return true;
  },
  watch: (day) => sealing.watch(day),
  archive({ change, ...limits }) {
    const { db } = database();
    const sealed = inSealing(database(), limits, (end) => sealing.apply(db, change, end));
    if (sealed) sealing.applied(db, change);
    return { sealed, days: readDays(db), sizeBytes: sizeOnDisk(file) };
  },
  dropRollups({ drops, from, ...limits }) {
    const current = database();
    return inTransaction(current, limits, () => dropRollups(current.db, drops, from, ROLLUP_ROWS_DROPPED));
  },
  forgetRolledDays(before) {
    const current = database();
    inTransaction(current, {}, () => forgetRolledDays(current.db, before));
  },
  freePages: () => freePages(database().db),
  returnPages(keep) {
    try {
      return returnPages(database().db, keep);
    } catch (error) {
      // To make the file shorter its last page is moved; one that is damaged cannot be, so the file stays as long.
      if (isCorruption(error)) return 0;
      throw error;
    }
  },
  forget(paths) {
    const current = database();
    inTransaction(current, {}, () => sealing.forget(current.db, paths));
  },
  nextBatch: ({ target, limit }) => database().outgoing.next(target, limit),
  cutBatch({ target, last, samples, lines, ...limits }) {
    const current = database();
    inTransaction(current, limits, () => current.outgoing.cut({ target, last, samples, lines }));
  },
  acknowledge({ target, last, letters, ...limits }) {
    const current = database();
    return inTransaction(current, limits, () => current.outgoing.acknowledge({ target, last, letters }));
  },
  deadLetters: (question) => database().outgoing.deadLetters(question),
  oldestDeadLetters: ({ target, after, limit }) => database().outgoing.oldestDeadLetters(target, after, limit),
  removeDeadLetters(ids) {
    const current = database();
    inTransaction(current, {}, () => current.outgoing.removeDeadLetters(ids));
  },
  giveUpDay({ day, added, ...limits }) {
    const current = database();
    const { db } = current;
    const change = { day, file: null, obsolete: [] };
    const archived = inSealing(current, limits, (end) => {
      const given = readTableFacts(db, day);
      return sealing.apply(db, change, end) ? noteArchivedDay(db, given, added) : undefined;
    });
    if (archived !== undefined) sealing.applied(db, change);
    return {
      archived: archived ?? null,
      sealed: archived !== undefined,
      days: readDays(db),
      sizeBytes: sizeOnDisk(file),
    };
  },
  dayRows: (request) => readDayRows(database().db, request),
  forgetDaysBefore(day) {
    const current = database();
    inTransaction(current, {}, () => forgetDaysBefore(current.db, day));
  },
  close(end) {
    const current = opened;
    if (end !== null && current !== undefined) {
      inTransaction(current, {}, () => {
        if (end.durableUntil !== null) current.log.durableUntil(end.durableUntil);
        current.ledger.stopped(true);
      });
    }
    opened?.db.close();
    opened = undefined;
  },
};

serveCommands(commands);
