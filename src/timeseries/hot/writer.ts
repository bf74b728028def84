import { join } from "node:path";
import type { DatabaseSync, StatementSync } from "node:sqlite";
import { setImmediate as immediate } from "node:timers/promises";
import type { Micros } from "../../domain/sample.ts";
import { isCorruption, moveAside } from "../../lib/damaged-database.ts";
import { freeBytesOf } from "../../lib/full-disk.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import type { Steps } from "../../lib/steps.ts";
import { transaction } from "../../lib/transaction.ts";
import { isCalled } from "../../lib/worker-rpc.ts";
import { type Connection, untilUnlocked, withoutBlocking } from "../../lib/write-lock.ts";
import { readManifest } from "../archive/parquet/manifest.ts";
import { dropRollups, forgetRolledDays, readDroppedBefore } from "../retention/dropped.ts";
import { buildDay, markBuilt, readRolledDays, storeSummaries, tableSamples } from "../rollups/build.ts";
import { hasDamagedHours } from "../rollups/old-hours.ts";
import { type MendedRollups, ROLLUP_TABLES, readMendedRollups, salvageRollups } from "../rollups/salvage-rollups.ts";
import { FORMER_UNITS_MAX } from "./catalog.ts";
import type { CatalogChange, Change } from "./chunk.ts";
import { type ContextWriter, createContextWriter, mendContexts } from "./contexts.ts";
import { DATABASE_FILE, openForReading, openForWriting, sizeOnDisk } from "./database.ts";
import { type Day, tableOfDay } from "./day.ts";
import { readDays } from "./days.ts";
import { Fold, isFoldUnfinished } from "./fold.ts";
import {
  forgetDaysBefore,
  noteArchivedDay,
  readArchivedDays,
  readDayRows,
  readDaySeries,
  readTableFacts,
} from "./given-up.ts";
import { createLedgerWriter, type LedgerWriter, readGaps, readLastRun } from "./ledger.ts";
import { Log, packLog, readLog } from "./log.ts";
import { Outgoing, type StoredOutgoing } from "./outgoing.ts";
import { freePages, pageBytes, returnPages } from "./pages.ts";
import { isSound, type MendedDay, readMendedDays, salvage } from "./salvage.ts";
import { Sealing, type TableEnd } from "./sealing.ts";
import type { Limits, MendAnswer, StoredState, WriterCommands, WriterOptions } from "./writer-commands.ts";

/** Samples of one step of a fold, if no commit comes meanwhile: some three milliseconds. */
const FOLD_STEP_SAMPLES = 5_000;
/**
 * A fold is done before so many samples have come to the log meanwhile, or commits wait: however long a flood lasts, no
 * fold is much longer than the one before.
 */
const FOLD_WITHIN_SAMPLES = 400_000;
/** How far a fold may be behind that before commits wait for it; and samples of one step that makes up for it. */
const FOLD_BEHIND_MAX = 20_000;
const FOLD_LONG_STEP_SAMPLES = 10_000;
/** Samples of one step of a rollup: a tenth of a second, for which a commit may have to wait. */
const ROLLUP_SAMPLES = 50_000;
/** Room that a fill of the queue for other servers leaves on the disk: everything else that is written needs it more. */
const FILL_LEAVES_BYTES = 16_000_000;
/** Rows of rollups that one step deletes. */
const ROLLUP_ROWS_DROPPED = 2_000;

/** What `configure` told. */
let options: WriterOptions;
let file: string;

/** The day whose rollups are half done, as long as no fold has changed it. */
let rollingUp: Day | undefined;
/** How many samples the fold under way has to carry over for each that is committed, and how many it should have more. */
let foldPace = 0;
let foldBehind = 0;

const sealing = new Sealing(() => opened?.db, nextTurn);
let opened: Database | undefined;
/** The connection of `opened`, and before that: to open the file takes no lock, to prepare what is done with it does. */
let openFile: DatabaseSync | undefined;
/** As the open connection has it. */
let synchronous: WriterOptions["settings"]["synchronous"];

interface Database {
  readonly db: DatabaseSync;
  readonly log: Log;
  readonly change: { readonly [K in CatalogChange["kind"] | "former" | "olderUnits"]: StatementSync };
  readonly ledger: LedgerWriter;
  readonly contexts: ContextWriter;
  readonly outgoing: Outgoing;
  readonly stored: StoredOutgoing;
}

function connect(): DatabaseSync {
  if (openFile) return openFile;
  openFile = openForWriting(file, options.settings);
  synchronous = options.settings.synchronous;
  return openFile;
}

function disconnect(): void {
  openFile?.close();
  openFile = undefined;
  opened = undefined;
}

function open(): Database {
  const db = connect();
  try {
    return prepare(db);
  } catch (error) {
    disconnect();
    throw error;
  }
}

function prepare(db: DatabaseSync): Database {
  const outgoing = new Outgoing(db);
  const stored = transaction(db, () => outgoing.configure(options.targets ?? []));
  return {
    db,
    outgoing,
    stored,
    log: new Log(db),
    change: {
      // It may be there: a commit whose answer got lost is done again.
      series: db.prepare(
        "INSERT INTO series (number, measurement, subject, field) VALUES (?, ?, ?, ?) ON CONFLICT (number) DO NOTHING",
      ),
      traits: db.prepare(
        "UPDATE series SET unit = ?, device_class = ?, state_class = ?, lost_unit = ? WHERE number = ?",
      ),
      formerUnit: db.prepare("INSERT OR REPLACE INTO series_unit (series, valid_to, unit) VALUES (?, ?, ?)"),
      olderUnits: db.prepare(
        `DELETE FROM series_unit WHERE series = ?1 AND valid_to <=
           (SELECT valid_to FROM series_unit WHERE series = ?1 ORDER BY valid_to DESC LIMIT 1 OFFSET ${FORMER_UNITS_MAX})`,
      ),
      subject: db.prepare("UPDATE series SET subject = ? WHERE number = ?"),
      former: db.prepare("INSERT OR IGNORE INTO former_subjects SELECT number, subject FROM series WHERE number = ?"),
      alias: db.prepare("INSERT OR REPLACE INTO series_alias (series, entity_id, valid_from) VALUES (?, ?, ?)"),
      aliasEnd: db.prepare("UPDATE series_alias SET valid_to = ? WHERE series = ? AND valid_to IS NULL"),
    },
    ledger: createLedgerWriter(db),
    contexts: createContextWriter(db),
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
  durability = options.settings.synchronous,
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
  return inTransaction(current, limits, work, options.settings.synchronous === "OFF" ? "OFF" : "NORMAL");
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

function applyChange({ change: statements, ledger, contexts }: Database, change: Change): void {
  if (change.kind === "context") {
    contexts.write(change.context);
    return;
  }
  const { kind } = change;
  if (kind === "gap" || kind === "forgottenGap" || kind === "progress" || kind === "rollup") {
    ledger.apply(change);
    return;
  }
  const { series } = change;
  switch (change.kind) {
    case "series":
      statements.series.run(series, change.measurement, change.subject, change.field);
      break;
    case "traits":
      statements.traits.run(change.unit, change.deviceClass, change.stateClass, change.lostUnit, series);
      break;
    case "formerUnit":
      statements.formerUnit.run(series, change.until, change.unit);
      statements.olderUnits.run(series);
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

/** Of what is read from the file: not what became of it. */
type ReadState = Omit<StoredState, "movedTo">;

function readState({ db, stored }: Database): ReadState {
  const content = readLog(db);
  const { series: logSeries, samples: logSamples } = packLog(content);
  return {
    series: rows(
      db,
      `SELECT number, measurement, subject, field, unit, device_class, state_class, first_ts, last_ts, last_value, lost_unit
       FROM series ORDER BY number`,
    ),
    aliases: rows(db, "SELECT series, entity_id, valid_from, valid_to FROM series_alias ORDER BY valid_from"),
    formerUnits: rows(db, "SELECT series, valid_to, unit FROM series_unit ORDER BY series, valid_to"),
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
    mendedRollups: readMendedRollups(db),
  };
}

/** What the last run left, before this one, if it listens, counts as one that has not been stopped. */
function begin(): ReadState {
  const current = database();
  const state = readState(current);
  if (options.listens && state.lastRun.stoppedCleanly) inTransaction(current, {}, () => current.ledger.stopped(false));
  return state;
}

function load(): StoredState {
  try {
    return { ...begin(), movedTo: null };
  } catch (error) {
    // Tables of days are not read for that: those are mended when they are.
    if (!isCorruption(error)) throw error;
    disconnect();
    const movedTo = moveAside(file);
    return { ...begin(), movedTo };
  }
}

function connection(): Connection | undefined {
  try {
    return { database: connect(), waitMs: Math.round(options.settings.busyTimeoutSeconds * 1000) };
  } catch {
    // The command that is about to be done meets it as well, and tells of it or mends it.
    return undefined;
  }
}

/** What calls came goes on, and then what goes in steps, unless another program writes. A file that was closed stays so. */
async function nextTurn(): Promise<void> {
  await immediate();
  await untilUnlocked(openFile && connection());
}

/** Bytes that may still be written. */
function roomFor(db: DatabaseSync, { maxPages = Number.POSITIVE_INFINITY }: Limits): number {
  const free = freeBytesOf(options.directory) ?? Number.POSITIVE_INFINITY;
  return Math.min(free, maxPages * pageBytes(db) - sizeOnDisk(file));
}

let carrying: Promise<unknown> = Promise.resolve();

/** What writes to tables of days in many transactions, one after the other. */
function oneAfterTheOther<T>(work: () => Promise<T>): Promise<T> {
  const done = carrying.then(work);
  carrying = done.catch(() => {});
  return done;
}

async function fold({
  parts,
  lastBatch,
  ...limits
}: Parameters<WriterCommands["fold"]>[0]): ReturnType<WriterCommands["fold"]> {
  const current = database();
  const { db, log } = current;
  const fold = new Fold(db, log, parts, lastBatch);
  foldPace = fold.left / FOLD_WITHIN_SAMPLES;
  foldBehind = 0;
  try {
    while (fold.left > 0) {
      const { left } = fold;
      const isBehind = foldBehind > FOLD_BEHIND_MAX;
      // The log has all of it, so only the end has to be durable; the disk is spared the waiting.
      const days = inLooseTransaction(current, limits, () =>
        isBehind ? fold.step(FOLD_LONG_STEP_SAMPLES) : fold.step(FOLD_STEP_SAMPLES, isCalled),
      );
      sealing.touched(days);
      if (rollingUp !== undefined && days.includes(rollingUp)) rollingUp = undefined;
      foldBehind -= left - fold.left;
      if (foldBehind <= FOLD_BEHIND_MAX) await nextTurn();
    }
    inTransaction(current, limits, () => fold.finish());
  } finally {
    sealing.folded();
    foldPace = 0;
  }
  // The log's pages are free again and the days' pages are final for a while: a good moment to write both once.
  db.exec("PRAGMA wal_checkpoint(PASSIVE)");
  return { days: readDays(db), sizeBytes: sizeOnDisk(file) };
}

async function mend({ days, at, ...limits }: Parameters<WriterCommands["mend"]>[0]): Promise<MendAnswer> {
  const current = database();
  using reading = openForReading(file, options.settings);
  const mended: MendedDay[] = [];
  const failed: MendAnswer["failed"][number][] = [];
  let rollups: MendAnswer["rollups"] = null;
  let contextsAside: string | null = null;
  let brokenOff: string | null = null;
  try {
    for (const day of days ?? readDays(current.db)) {
      await nextTurn();
      // It may have gone to the archive meanwhile.
      if (!readDays(current.db).includes(day) || isSound(reading, tableOfDay(day))) continue;
      // As in a fold: what is being copied must not be dropped.
      sealing.touched([day]);
      try {
        mended.push(await inTransactions(current, limits, salvage(current.db, reading, day, at)));
        if (rollingUp === day) rollingUp = undefined;
      } catch (error) {
        failed.push({ day, reason: sqliteReason(error) });
      } finally {
        sealing.folded();
      }
    }
    if (days === null) {
      rollups = await mendRollups(current, reading, { at, ...limits });
      contextsAside = await mendOnlyContexts(current, reading, limits);
    }
  } catch (error) {
    // What was mended is, and has to be told of.
    brokenOff = sqliteReason(error);
  }
  return { mended, failed, rollups, contextsAside, brokenOff, sizeBytes: sizeOnDisk(file) };
}

/** Commits wait for each table: that is rare, and a day's rollups that are built meanwhile would be lost. */
async function mendRollups(current: Database, reading: DatabaseSync, { at, ...limits }: { at: Micros } & Limits) {
  const mended: MendedRollups[] = [];
  let fault: string | null = null;
  for (const table of ROLLUP_TABLES) {
    if (isSound(reading, table)) continue;
    try {
      await nextTurn();
      mended.push(inTransaction(current, limits, () => salvageRollups(current.db, reading, table, at)));
      rollingUp = undefined;
    } catch (error) {
      fault = sqliteReason(error);
    }
  }
  return { mended, fault };
}

async function mendOnlyContexts(current: Database, reading: DatabaseSync, limits: Limits): Promise<string | null> {
  await nextTurn();
  return inTransaction(current, limits, () => mendContexts(current.db, reading));
}

/**
 * Takes each step in a turn and a transaction of its own. A loss of power may take back the last ones, and then they are
 * done again.
 */
async function inTransactions<T>(current: Database, limits: Limits, steps: Steps<T>): Promise<T> {
  for (;;) {
    await nextTurn();
    const { done, value } = inLooseTransaction(current, limits, () => steps.next());
    if (done) return value;
  }
}

const commands: WriterCommands = {
  configure(given) {
    options = given;
    file = join(given.directory, DATABASE_FILE);
  },
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
  sealLog: () => database().log.seal(),
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
  refillTarget(target) {
    const current = database();
    const isBegun = inTransaction(current, {}, () => current.outgoing.refill(target));
    if (isBegun) sealing.unwatch();
    return isBegun;
  },
  fill(limits) {
    const current = database();
    if (roomFor(current.db, limits) < FILL_LEAVES_BYTES) {
      throw new Error(`The disk has less than ${FILL_LEAVES_BYTES / 1e6} MB of room`);
    }
    // Before something is sent the batch that it goes with is durable, and all before it.
    return inLooseTransaction(current, limits, () => current.outgoing.fill(isCalled));
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
  daySeries: (day) => readDaySeries(database().db, day),
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
        if (options.listens) current.ledger.stopped(true);
      });
    }
    disconnect();
  },
};

/** Those that write nothing once the file is prepared. */
const READING: readonly string[] = [
  "sealLog",
  "watch",
  "freePages",
  "nextBatch",
  "deadLetters",
  "oldestDeadLetters",
  "daySeries",
  "dayRows",
] satisfies (keyof WriterCommands)[];

function lockedBy(command: string): Connection | undefined {
  // To close a file takes no lock. The end of a run does, but nobody waits for anything else any more.
  if (command === "configure" || command === "close") return undefined;
  return opened !== undefined && READING.includes(command) ? undefined : connection();
}

/** Of the thread that owns all writes to timeseries.db. */
export const writerCommands = withoutBlocking(commands, lockedBy);
