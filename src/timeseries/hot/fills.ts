import type { DatabaseSync } from "node:sqlite";
import { tableOfDay } from "./day.ts";
import { readDays } from "./days.ts";
import { readFoldedBatch } from "./log-rows.ts";

/** A target that still has to get what the hot tier had, and how far that is. */
interface Fill {
  readonly target: number;
  /** What the target had taken of the queue when it began, and how the queue ended then. */
  readonly queueFrom: number;
  readonly queueTo: number;
  /** The log's newest batch then. */
  readonly logBatch: number;
  /** Everything up to this place of the day tables was looked at; null: nothing was. */
  readonly day: number | null;
  readonly series: number | null;
  readonly ts: number | null;
}

type Place = Pick<Fill, "day" | "series" | "ts">;

/** What a target gets by the queue, as far as it was looked at. */
interface Waits {
  readonly target: number;
  scanned: number;
  count: number;
}

export interface FillStep {
  /** The number of the queue's newest sample. */
  readonly end: number;
  /** Names of the targets for which more is to be queued. */
  readonly filling: readonly string[];
  /** Nothing more can be before the log is folded. */
  readonly needsFold: boolean;
}

/** Samples that a step looks at, if no commit comes meanwhile: some twenty milliseconds. */
const STEP_SAMPLES = 5_000;
/** Those of one statement, after which a step can give way. */
const SAMPLES_AT_ONCE = 500;
/** Samples of the queue that one step scans at most: more than come with a commit. */
const SCANNED_AT_ONCE = 20_000;
/**
 * Samples that are kept although all targets have them, as long as a fill has to know them: some 30 MB. Of what goes
 * beyond, as while the disk has no room for a fill, some may be sent twice.
 */
const HELD_MAX = 1_000_000;
/** Samples known to wait for a target anyway, in some 50 MB of memory; of further ones some are sent twice. */
const WAITS_MAX = 2_000_000;

/**
 * Brings what the hot tier has to the queue of a target that is new or has lost its samples, in steps between which
 * commits have their turn: the day tables in their order, but for samples that the target gets by the queue anyway. Those
 * are the ones that waited for it when the fill began, and all that are committed since. The log of then is folded before
 * the first of it, so that everything is looked at once, whatever a fold moves meanwhile.
 *
 * How far it is stands in `fills`, in the transactions of the steps. Every method belongs inside a transaction.
 */
export class Fills {
  readonly #db: DatabaseSync;
  readonly #waitsMax: number;
  /** The table `waits` has what this target gets by the queue, up to there. */
  #waits: Waits | undefined;

  constructor(db: DatabaseSync, waitsMax = WAITS_MAX) {
    this.#db = db;
    this.#waitsMax = waitsMax;
  }

  /** From the target's place in the queue, which ends with this number; one that is under way begins anew. */
  begin(target: number, end: number): void {
    this.#waits = undefined;
    this.#db
      .prepare(
        `INSERT OR REPLACE INTO fills (target, queue_from, queue_to, log_batch)
         SELECT number, acknowledged, ?, (SELECT coalesce(max(batch), 0) FROM log_batches WHERE count > 0)
         FROM forward_targets WHERE number = ?`,
      )
      .run(end, target);
  }

  /** Whether the target has taken nothing since its last fill began: then it can have lost nothing of it. */
  isUntouched(target: number): boolean {
    const same =
      "SELECT 1 FROM fills JOIN forward_targets ON target = number WHERE target = ? AND queue_from = acknowledged";
    return this.#db.prepare(same).get(target) !== undefined;
  }

  remove(target: number): void {
    this.#db.prepare("DELETE FROM fills WHERE target = ?").run(target);
  }

  /** Names of the targets for which more is to be queued. */
  underWay(): string[] {
    const names =
      "SELECT name FROM fills JOIN forward_targets ON target = number WHERE queue_to IS NOT NULL ORDER BY number";
    return this.#db
      .prepare(names)
      .all()
      .map(({ name }) => String(name));
  }

  /** Queues the next samples of the first target that lacks some, behind `end`; fewer when it is asked to give way. */
  step(end: number, givesWay: () => boolean): FillStep {
    const fill = this.#first();
    const needsFold = fill !== undefined && readFoldedBatch(this.#db) < fill.logBatch;
    const newEnd = fill === undefined || needsFold ? end : this.#goOn(fill, end, givesWay);
    return { end: newEnd, filling: this.underWay(), needsFold };
  }

  /** Samples up to this number of the queue are not needed any more, where all targets have taken it up to `taken`. */
  removable(taken: number): number {
    const held = this.#db.prepare(
      "SELECT min(queue_from) AS start, sum(queued) AS queued FROM fills WHERE queue_to IS NOT NULL",
    );
    const { start, queued } = held.get() as { start: number | null; queued: number | null };
    return start === null ? taken : Math.min(taken, Math.max(start, taken - Number(queued) - HELD_MAX));
  }

  /** Up to this number of the queue a fill has to know samples that are for this target alone. */
  heldOf(target: number): number {
    return Number(this.#db.prepare("SELECT queue_to FROM fills WHERE target = ?").get(target)?.queue_to ?? 0);
  }

  /** After a transaction that failed. */
  forget(): void {
    this.#waits = undefined;
  }

  #first(): Fill | undefined {
    const row = this.#db
      .prepare(
        `SELECT target, queue_from AS queueFrom, queue_to AS queueTo, log_batch AS logBatch, day, series, ts
         FROM fills WHERE queue_to IS NOT NULL ORDER BY target LIMIT 1`,
      )
      .get();
    return row as unknown as Fill | undefined;
  }

  /** Answers how the queue ends then. */
  #goOn(fill: Fill, before: number, givesWay: () => boolean): number {
    const waits = this.#waitsOf(fill);
    let place: Place = fill;
    let end = before;
    let looked = 0;
    // Whatever a commit has brought is scanned before it is asked to give way, so that it gets on in a flood as well.
    while (this.#scan(fill, waits, end)) {
      const next = this.#next(place);
      if (next === undefined) {
        this.#finish(fill);
        return end;
      }
      end += this.#queue(fill, next, end);
      waits.scanned = end;
      place = next.to;
      looked += SAMPLES_AT_ONCE;
      if (looked >= STEP_SAMPLES || givesWay()) break;
    }
    this.#db
      .prepare("UPDATE fills SET day = ?, series = ?, ts = ?, queued = queued + ? WHERE target = ?")
      .run(place.day, place.series, place.ts, end - before, fill.target);
    return end;
  }

  #finish({ target }: Fill): void {
    this.#db.exec("DROP TABLE temp.waits");
    this.#waits = undefined;
    this.#db
      .prepare("UPDATE fills SET queue_to = NULL, day = NULL, series = NULL, ts = NULL WHERE target = ?")
      .run(target);
  }

  #waitsOf({ target, queueFrom }: Fill): Waits {
    if (this.#waits?.target !== target) {
      this.#db.exec("DROP TABLE IF EXISTS temp.waits");
      this.#db.exec(
        "CREATE TEMP TABLE waits (series INTEGER, ts INTEGER, PRIMARY KEY (series, ts)) WITHOUT ROWID, STRICT",
      );
      this.#waits = { target, scanned: queueFrom, count: 0 };
    }
    return this.#waits;
  }

  /** Adds what came to the queue, some at a time; answers whether that is all. */
  #scan({ target, queueTo }: Fill, waits: Waits, end: number): boolean {
    const to = Math.min(end, waits.scanned + SCANNED_AT_ONCE);
    if (to > waits.scanned) {
      // What this fill itself queued is behind its place in the tables.
      const { changes } = this.#db
        .prepare(
          `INSERT OR IGNORE INTO waits SELECT series, ts FROM outgoing
           WHERE seq > ? AND seq <= ? AND (target IS NULL OR (target = ? AND seq <= ?)) LIMIT ?`,
        )
        .run(waits.scanned, to, target, queueTo, this.#waitsMax - waits.count);
      waits.count += Number(changes);
    }
    waits.scanned = to;
    return to === end;
  }

  /** The next samples in the order of day, series and time: after a place of a day, up to another one of it. */
  #next({ day, series, ts }: Place): { readonly from: Place; readonly to: Place } | undefined {
    for (const next of readDays(this.#db)) {
      if (day !== null && next < day) continue;
      const from = next === day ? { day, series, ts } : { day: next, series: -1, ts: 0 };
      const last = this.#db
        .prepare(
          `SELECT series, ts FROM (SELECT series, ts FROM ${tableOfDay(next)} WHERE (series, ts) > (?, ?)
             ORDER BY series, ts LIMIT ${SAMPLES_AT_ONCE}) ORDER BY series DESC, ts DESC LIMIT 1`,
        )
        .get(from.series, from.ts) as { series: number; ts: number } | undefined;
      if (last !== undefined) return { from, to: { day: next, ...last } };
    }
    return undefined;
  }

  /** Answers how many samples were queued. */
  #queue({ target }: Fill, { from, to }: { readonly from: Place; readonly to: Place }, end: number): number {
    const queued = this.#db
      .prepare(
        `INSERT INTO outgoing (seq, target, series, ts, value)
         SELECT ? + row_number() OVER (ORDER BY series, ts), ?, series, ts, value FROM ${tableOfDay(from.day!)} AS stored
         WHERE (series, ts) > (?, ?) AND (series, ts) <= (?, ?)
           AND NOT EXISTS (SELECT 1 FROM waits WHERE waits.series = stored.series AND waits.ts = stored.ts)`,
      )
      .run(end, target, from.series, from.ts, to.series, to.ts);
    return Number(queued.changes);
  }
}
