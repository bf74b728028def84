import type { DeadLetter, DeadLetterQuestion } from "../../domain/forwarding.ts";
import type { LastRun } from "../../domain/gaps.ts";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Manifest } from "../archive/parquet/manifest.ts";
import type { RollupDrop } from "../retention/dropped.ts";
import type { BuiltPart, RolledDay, SeriesSummaries } from "../rollups/build.ts";
import type { MendedRollups } from "../rollups/salvage-rollups.ts";
import type { PackedChunk } from "./chunk.ts";
import type { PackedSamples } from "./columns.ts";
import type { SqliteSettings } from "./database.ts";
import type { Day } from "./day.ts";
import type { FillStep } from "./fills.ts";
import type { FoldedPart } from "./fold.ts";
import type { ArchivedDay, DayRows, DayRowsRequest, DaySeries } from "./given-up.ts";
import type { StoredGap } from "./ledger.ts";
import type {
  Acknowledged,
  Acknowledgement,
  CutBatch,
  NextBatch,
  StoredOutgoing,
  TargetDefinition,
} from "./outgoing.ts";
import type { MendedDay } from "./salvage.ts";
import type { ArchiveChange } from "./sealing.ts";

/** What the writer has to know first. */
export interface WriterOptions {
  readonly directory: string;
  readonly settings: SqliteSettings;
  /** Where samples go besides; the writer alone asks. */
  readonly targets?: readonly TargetDefinition[];
  /** A run that hears Home Assistant: it notes that it began, and that it was stopped. A command in between does not. */
  readonly listens?: boolean;
}

/**
 * A row of `series`: number, measurement, subject, field, unit, device class, state class, first, last, last value, lost
 * unit.
 */
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
  lostUnit: string | null,
];

/** A row of `series_unit`: a unit in which a series was, and until when. */
export type FormerUnitRow = readonly [series: number, until: number, unit: string];

/** A row of `series_alias`: series, entity_id, from, to. */
export type AliasRow = readonly [series: number, entityId: string, from: number, to: number | null];

/** A row of `former_subjects`: what a series was about before it got a registry entry. */
export type FormerSubjectRow = readonly [series: number, subject: string];

/** What the file holds when the store opens; the log comes in the order of arrival. */
export interface StoredState {
  readonly series: readonly SeriesRow[];
  readonly aliases: readonly AliasRow[];
  readonly formerUnits: readonly FormerUnitRow[];
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
  /** Tables of rollups that were damaged and were mended, ever. */
  readonly mendedRollups: readonly MendedRollups[];
  /** Where a file that is no database was moved. */
  readonly movedTo: string | null;
}

export interface MendAnswer {
  readonly mended: readonly MendedDay[];
  /** Damaged tables that stay as they are. */
  readonly failed: readonly { readonly day: Day; readonly reason: string }[];
  /** Null: they were not looked at. `fault`: why damaged ones stay as they are, if there are any. */
  readonly rollups: { readonly mended: readonly MendedRollups[]; readonly fault: string | null } | null;
  /** The name that a damaged table of contexts has since; null: it is sound, or was not looked at. */
  readonly contextsAside: string | null;
  /** Why it ended before all was looked at; null: it did not. */
  readonly brokenOff: string | null;
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
  /** The first call to a thread. Opens nothing. */
  configure(argument: WriterOptions): void;
  /** Opens (or makes) the file and reads what the main thread keeps in memory. */
  load(argument: null): StoredState;
  /** Appends to the log. Opens the file where `load` was not called: in a thread that follows one that died. */
  commit(argument: { readonly chunk: PackedChunk } & Limits): { readonly sizeBytes: number; readonly queued: number };
  /** What is committed from now on belongs to later batches than the one that this answers. */
  sealLog(argument: null): number;
  /**
   * Carries the log, up to and including a batch, over to the day tables, in many short transactions between which other
   * commands have their turn. `parts` have all samples of those batches. Answers which days have a table. Where it fails, the log is as it was and day tables may hold a part of it.
   */
  fold(argument: { readonly parts: readonly FoldedPart[]; readonly lastBatch: number } & Limits): Promise<{
    readonly days: readonly Day[];
    readonly sizeBytes: number;
  }>;
  /**
   * Looks at tables of days, all or these, and puts what can still be read of those that are damaged into new ones, in
   * short transactions as those of `fold`, and never while one is under way. With all days, at those of rollups too, each
   * of which is mended in one transaction.
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
  /** See `Outgoing.refill`. Days that are about to be archived are not dropped before they are watched again. */
  refillTarget(target: string): boolean;
  /** Queues some of what the hot tier has for targets that are new or were refilled, in one short transaction. */
  fill(limits: Limits): FillStep;
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
  /** There is a table of the day. */
  daySeries(day: Day): DaySeries;
  dayRows(request: DayRowsRequest): DayRows;
  forgetDaysBefore(day: Day): void;
  /** Notes the end of the run, unless null, and closes the file. */
  close(argument: { readonly durableUntil: Micros | null } | null): void;
};
