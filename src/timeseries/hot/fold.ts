import type { DatabaseSync, StatementSync } from "node:sqlite";
import { unbuildDays } from "../rollups/build.ts";
import { type PackedSamples, unpackValues } from "./columns.ts";
import { type Day, dayOf, tableOfDay } from "./day.ts";
import { makeDayTable, shortest } from "./day-table.ts";
import type { Log } from "./log.ts";

/** Of each series in a part of the log: its oldest time there, and its newest sample there. In no order. */
export interface FoldedRanges {
  readonly series: Int32Array<ArrayBuffer>;
  readonly firstTs: Float64Array<ArrayBuffer>;
  readonly last: PackedSamples;
}

/** Rows of one statement: half the time per sample that one by one takes, and little less with more. */
const ROWS_AT_ONCE = 100;
/** A row of `meta`: day tables may hold a part of what the log holds. */
const FOLDING = "folding";

/**
 * A part of the log, as the main thread has it in memory: in the order of day, series and time, each time of a series
 * once.
 */
export interface FoldedPart {
  readonly series: Int32Array<ArrayBuffer>;
  readonly samples: PackedSamples;
  readonly ranges: FoldedRanges;
}

/**
 * Carries the log, up to and including a batch, over to the day tables: some samples with each step, and nothing is lost
 * when the last step is never taken: the log holds all of them until `finish`, and to do it again changes nothing.
 *
 * Of samples with the same series and time the one in the day table stays, else that of the first part.
 */
export class Fold {
  readonly #db: DatabaseSync;
  readonly #log: Log;
  readonly #parts: readonly FoldedPart[];
  readonly #lastBatch: number;
  /** Where it stands: the part, and in it the next sample and the next text. */
  #part = 0;
  #next = 0;
  #nextText = 0;
  #left: number;
  #isBegun = false;
  /** The day whose table is filled. */
  #table: { readonly day: Day; readonly one: StatementSync; many: StatementSync | undefined } | undefined;
  readonly #row = new Array<number | bigint | string | null>(3);
  readonly #rows = new Array<number | bigint | string | null>(3 * ROWS_AT_ONCE);

  /** `parts` have all samples of the log's batches up to and including `lastBatch`, the oldest part first. */
  constructor(db: DatabaseSync, log: Log, parts: readonly FoldedPart[], lastBatch: number) {
    this.#db = db;
    this.#log = log;
    this.#parts = parts;
    this.#lastBatch = lastBatch;
    this.#left = parts.reduce((sum, { series }) => sum + series.length, 0);
  }

  /** Samples that no step has carried over. */
  get left(): number {
    return this.#left;
  }

  /**
   * Carries over the next samples, `limit` at most, or fewer when it is asked to give way, and answers of which days they
   * are. Belongs inside a transaction, which need not be durable: that of `finish` makes it so. After one that failed the
   * fold has to be begun again.
   */
  step(limit: number, givesWay: () => boolean = () => false): readonly Day[] {
    if (!this.#isBegun) this.#db.prepare("INSERT OR REPLACE INTO meta VALUES (?, 1)").run(FOLDING);
    this.#isBegun = true;
    const days: Day[] = [];
    const end = Math.max(0, this.#left - limit);
    do {
      const { series } = this.#parts[this.#part]!;
      if (this.#next === series.length) {
        this.#part++;
        this.#next = 0;
        this.#nextText = 0;
        continue;
      }
      const day = this.#dayAt(this.#next);
      if (!days.includes(day)) {
        // Whatever was computed from the day's samples has to be computed again.
        unbuildDays(this.#db, [day]);
        days.push(day);
      }
      this.#insert(
        day,
        this.#endOfDay(day, Math.min(series.length, this.#next + ROWS_AT_ONCE, this.#next + this.#left - end)),
      );
    } while (this.#left > end && !givesWay());
    return days;
  }

  /** After the last step: empties the log of what was carried over. Belongs inside a durable transaction. */
  finish(): void {
    for (const { ranges } of this.#parts) updateSeries(this.#db, ranges);
    this.#log.remove(this.#lastBatch);
    this.#db.prepare("DELETE FROM meta WHERE key = ?").run(FOLDING);
  }

  #dayAt(place: number): Day {
    return dayOf(this.#parts[this.#part]!.samples.ts[place]!);
  }

  /** Where the samples of the day that is next end, `end` at most. */
  #endOfDay(day: Day, end: number): number {
    let low = this.#next + 1;
    let high = end;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.#dayAt(middle) > day) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  /** The samples from the next one to `to`, `ROWS_AT_ONCE` at most. */
  #insert(day: Day, to: number): void {
    const table = this.#tableOf(day);
    const count = to - this.#next;
    if (count === ROWS_AT_ONCE) {
      table.many ??= this.#prepare(day, ROWS_AT_ONCE);
      for (let i = 0; i < ROWS_AT_ONCE; i++) this.#fill(this.#rows, 3 * i);
      table.many.run(...this.#rows);
    } else {
      for (let i = 0; i < count; i++) {
        this.#fill(this.#row, 0);
        table.one.run(...this.#row);
      }
    }
    this.#left -= count;
  }

  #fill(row: (number | bigint | string | null)[], at: number): void {
    const { series, samples } = this.#parts[this.#part]!;
    const place = this.#next++;
    const number = samples.numbers[place]!;
    row[at] = series[place]!;
    row[at + 1] = samples.ts[place]!;
    row[at + 2] = shortest(Number.isNaN(number) ? samples.texts[this.#nextText++]! : number);
  }

  #tableOf(day: Day) {
    if (this.#table?.day !== day) {
      makeDayTable(this.#db, tableOfDay(day));
      this.#table = { day, one: this.#prepare(day, 1), many: undefined };
    }
    return this.#table;
  }

  #prepare(day: Day, rows: number): StatementSync {
    return this.#db.prepare(`INSERT OR IGNORE INTO ${tableOfDay(day)} VALUES ${Array(rows).fill("(?, ?, ?)").join()}`);
  }
}

/** Whether a fold was begun and never finished. */
export function isFoldUnfinished(db: DatabaseSync): boolean {
  return db.prepare("SELECT 1 FROM meta WHERE key = ?").get(FOLDING) !== undefined;
}

function updateSeries(db: DatabaseSync, { series, firstTs, last }: FoldedRanges): void {
  const update = db.prepare(
    `UPDATE series SET
       first_ts = min(coalesce(first_ts, ?2), ?2),
       last_value = CASE WHEN last_ts IS NULL OR last_ts < ?3 THEN ?4 ELSE last_value END,
       last_ts = max(coalesce(last_ts, ?3), ?3)
     WHERE number = ?1`,
  );
  const values = unpackValues(last);
  for (let i = 0; i < series.length; i++) update.run(series[i]!, firstTs[i]!, last.ts[i]!, values[i]!);
}
