import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { DeadLetter, DeadLetterQuestion } from "../../domain/forwarding.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { PackedChunk } from "./chunk.ts";
import { type PackedSamples, SamplePacker, unpackValues } from "./columns.ts";
import { type Day, dayOf, tableOfDay } from "./day.ts";
import { readDays } from "./days.ts";
import { type FillStep, Fills } from "./fills.ts";
import { readLog } from "./log.ts";

/** Where samples go besides the day tables. */
export interface TargetDefinition {
  readonly name: string;
  /** Samples that may wait for it, the oldest are passed over beyond; null: all wait. */
  readonly waitingMax: number | null;
}

/** What the file says of a target when the store opens. */
export interface StoredTarget {
  readonly name: string;
  /** Everything up to this number of the queue was taken. */
  readonly acknowledged: number;
  readonly skipped: number;
  readonly deadLetters: number;
}

export interface StoredOutgoing {
  readonly targets: readonly StoredTarget[];
  /** The number of the queue's newest sample. */
  readonly end: number;
  /** Names of the targets for which what the hot tier has is still being queued. */
  readonly filling: readonly string[];
}

/** What is next for a target: a batch that was cut before, or samples to cut one from. */
export type NextBatch =
  | { readonly kind: "cut"; readonly last: number; readonly samples: number; readonly lines: Uint8Array }
  | {
      readonly kind: "samples";
      /** Up to where they go; what was passed over or is meant for another target is behind it as well. */
      readonly last: number;
      /** The number of each. */
      readonly seqs: Float64Array;
      readonly series: Int32Array;
      readonly packed: PackedSamples;
    }
  | null;

export interface CutBatch {
  readonly target: string;
  readonly last: number;
  readonly samples: number;
  /** What will be sent, compressed: the same bytes again after a crash. */
  readonly lines: Uint8Array;
}

export interface NewDeadLetter {
  readonly at: Micros;
  readonly reason: string;
  readonly line: string;
}

export interface Acknowledgement {
  readonly target: string;
  readonly last: number;
  readonly letters: readonly NewDeadLetter[];
}

export interface Acknowledged {
  readonly dropped: number;
  readonly skipped: number;
}

/** Of each target so many are kept, the newest. */
export const DEAD_LETTERS_MAX = 100_000;
/** And so many bytes of their lines; usual ones are shorter than what this leaves for each. */
export const DEAD_LETTERS_BYTES_MAX = 64_000_000;
/** Characters of the texts of one batch, and of the dead letters that are read at once; one more may be any size. */
const CHARACTERS_AT_ONCE = 8_000_000;
/** Rows that a transaction removes from the queue at most, so that a commit need not wait for long. */
const REMOVED_AT_ONCE = 50_000;

/**
 * The queue of samples for other servers, and how far each has taken it. Samples come to it in the transaction that
 * brings them to the log, so none is in one and not in the other. Every method belongs inside a transaction.
 *
 * A sample that the hot tier has already at its time is not queued: it would replace the first one there. What the
 * archive has is known where it is sent.
 */
export class Outgoing {
  readonly #db: DatabaseSync;
  readonly #targets = new Map<string, { readonly number: number; readonly waitingMax: number | null }>();
  readonly #insert: StatementSync;
  readonly #fills: Fills;
  /** The number of the newest sample that was ever queued. */
  #end: number;
  /** The newest time of each series that is on the disk. */
  #newest = new Map<SeriesNumber, Micros>();
  #isNewestKnown = false;
  /** Bytes of the dead letters of a target, by its number; absent where they have to be added up. */
  readonly #letterBytes = new Map<number, number>();

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#fills = new Fills(db);
    this.#insert = db.prepare("INSERT INTO outgoing (seq, target, series, ts, value) VALUES (?, ?, ?, ?, ?)");
    this.#end = this.#readEnd();
  }

  /** Makes the targets those of the configuration: a new one is to get all that the hot tier has, by `fill`. */
  configure(definitions: readonly TargetDefinition[]): StoredOutgoing {
    const names = new Set(definitions.map(({ name }) => name));
    for (const { number, name } of rows<{ number: number; name: string }>(this.#db, "SELECT * FROM forward_targets")) {
      if (names.has(name)) continue;
      for (const table of ["dead_letters", "outgoing"]) {
        this.#db.prepare(`DELETE FROM ${table} WHERE target = ?`).run(number);
      }
      this.#db.prepare("DELETE FROM forward_targets WHERE number = ?").run(number);
      this.#fills.remove(number);
    }
    for (const definition of definitions) this.#add(definition);
    // Even to delete nothing writes a page, which a start on a full disk can do without.
    const waits = this.#db.prepare("SELECT 1 FROM outgoing LIMIT 1").get() !== undefined;
    if (definitions.length === 0 && waits) this.#db.exec("DELETE FROM outgoing");
    const stored = rows<StoredTarget>(
      this.#db,
      `SELECT name, acknowledged, skipped,
         (SELECT count(*) FROM dead_letters WHERE target = number) AS deadLetters
       FROM forward_targets`,
    );
    return { targets: stored, end: this.#end, filling: this.#fills.underWay() };
  }

  #add({ name, waitingMax }: TargetDefinition): void {
    let found = this.#db.prepare("SELECT number FROM forward_targets WHERE name = ?").get(name);
    if (found === undefined) {
      this.#db.prepare("INSERT INTO forward_targets (name, acknowledged) VALUES (?, ?)").run(name, this.#end);
      found = this.#db.prepare("SELECT number FROM forward_targets WHERE name = ?").get(name);
      this.#fills.begin(Number(found?.number), this.#end);
    }
    this.#targets.set(name, { number: Number(found?.number), waitingMax });
  }

  /**
   * The target has lost what it had: it is to get what the hot tier has and does not wait for it anyway, by `fill`. False
   * where it has taken nothing since that was begun the last time.
   */
  refill(target: string): boolean {
    const { number } = this.#target(target);
    if (this.#fills.isUntouched(number)) return false;
    this.#fills.begin(number, this.#end);
    return true;
  }

  /** Queues some of what the hot tier has for a target that is to get it, or fewer when it is asked to give way. */
  fill(givesWay: () => boolean): FillStep {
    const step = this.#fills.step(this.#end, givesWay);
    this.#end = step.end;
    return step;
  }

  /** A queue that is empty ends where the last target has taken everything. */
  #readEnd(): number {
    const ends = "SELECT max(seq) AS seq FROM outgoing UNION ALL SELECT max(acknowledged) FROM forward_targets";
    return Number(this.#db.prepare(`SELECT max(seq) AS seq FROM (${ends})`).get()?.seq ?? 0);
  }

  /** Queues what is about to be written to the log; to be called before it is. Answers how the queue ends then. */
  append({ series, samples }: PackedChunk): number {
    if (this.#targets.size === 0) return 0;
    if (!this.#isNewestKnown) this.#learnNewest();
    const values = unpackValues(samples);
    let days: Set<Day> | undefined;
    for (let i = 0; i < series.length; i++) {
      const number = series[i]!;
      const ts = samples.ts[i]!;
      const newest = this.#newest.get(number);
      if (newest === undefined || ts > newest) {
        this.#newest.set(number, ts);
      } else {
        days ??= new Set(readDays(this.#db));
        if (this.#isStored(days, number, ts)) continue;
      }
      this.#insert.run(++this.#end, null, number, ts, values[i]!);
    }
    this.#limit();
    return this.#end;
  }

  /** After a transaction that failed nothing is known of what is on the disk. */
  forget(): void {
    this.#isNewestKnown = false;
    this.#newest = new Map();
    this.#letterBytes.clear();
    this.#fills.forget();
    this.#end = this.#readEnd();
  }

  next(target: string, limit: number): NextBatch {
    const { number } = this.#target(target);
    const state = this.#db.prepare("SELECT * FROM forward_targets WHERE number = ?").get(number);
    if (state?.batch_lines != null) {
      return {
        kind: "cut",
        last: Number(state.batch_last),
        samples: Number(state.batch_samples),
        lines: state.batch_lines as Uint8Array,
      };
    }
    const { found, isAll } = someRows<{ seq: number; series: number; ts: number; value: Value }>(
      this.#db,
      `SELECT seq, series, ts, value FROM outgoing WHERE seq > ? AND (target IS NULL OR target = ?)
       ORDER BY seq LIMIT ?`,
      [Number(state?.acknowledged), number, limit],
      ({ value }) => (typeof value === "string" ? value.length : 0),
    );
    const packed = new SamplePacker(Math.max(1, found.length));
    for (const { ts, value } of found) packed.push(ts, value);
    const last = isAll && found.length < limit ? this.#end : found[found.length - 1]!.seq;
    if (found.length === 0 && last === state?.acknowledged) return null;
    return {
      kind: "samples",
      last,
      seqs: Float64Array.from(found, ({ seq }) => seq),
      series: Int32Array.from(found, ({ series }) => series),
      packed: packed.packed(),
    };
  }

  cut({ target, last, samples, lines }: CutBatch): void {
    this.#db
      .prepare("UPDATE forward_targets SET batch_last = ?, batch_samples = ?, batch_lines = ? WHERE number = ?")
      .run(last, samples, lines, this.#target(target).number);
  }

  /**
   * The target has taken everything up to `last`, but for these lines. Answers how many dead letters were dropped, and
   * how many samples were ever passed over.
   */
  acknowledge({ target, last, letters }: Acknowledgement): Acknowledged {
    const { number } = this.#target(target);
    this.#removeOwn(number, last);
    this.#db
      .prepare(
        `UPDATE forward_targets SET acknowledged = max(acknowledged, ?), batch_last = NULL, batch_samples = NULL,
           batch_lines = NULL WHERE number = ?`,
      )
      .run(last, number);
    const dropped = this.#bury(number, letters);
    this.#removeTaken();
    const row = this.#db.prepare("SELECT skipped FROM forward_targets WHERE number = ?").get(number);
    return { dropped, skipped: Number(row?.skipped) };
  }

  deadLetters({ target, before, limit }: DeadLetterQuestion): { letters: DeadLetter[]; total: number } {
    const number = target === undefined ? null : (this.#targets.get(target)?.number ?? -1);
    const where = "(?1 IS NULL OR target = ?1)";
    const letters = rows<DeadLetter>(
      this.#db,
      `SELECT id, (SELECT name FROM forward_targets WHERE number = target) AS target, at, reason, line
       FROM dead_letters WHERE ${where} AND id < ?2 ORDER BY id DESC LIMIT ?3`,
      [number, before ?? Number.MAX_SAFE_INTEGER, limit],
    );
    const total = this.#db.prepare(`SELECT count(*) AS total FROM dead_letters WHERE ${where}`).get(number)?.total;
    return { letters, total: Number(total) };
  }

  /** A target's oldest dead letters after an id. */
  oldestDeadLetters(target: string, after: number, limit: number): DeadLetter[] {
    return someRows<DeadLetter>(
      this.#db,
      "SELECT id, ? AS target, at, reason, line FROM dead_letters WHERE target = ? AND id > ? ORDER BY id LIMIT ?",
      [target, this.#target(target).number, after, limit],
      ({ line }) => line.length,
    ).found;
  }

  removeDeadLetters(ids: readonly number[]): void {
    const remove = this.#db.prepare("DELETE FROM dead_letters WHERE id = ?");
    for (const id of ids) remove.run(id);
    this.#letterBytes.clear();
  }

  #target(name: string): { readonly number: number; readonly waitingMax: number | null } {
    const target = this.#targets.get(name);
    if (target === undefined) throw new RangeError(`There is no target "${name}"`);
    return target;
  }

  #bury(target: number, letters: readonly NewDeadLetter[]): number {
    if (letters.length === 0) return 0;
    const bytesBefore = this.#letterBytes.get(target) ?? this.#sumOfLetters(target);
    const insert = this.#db.prepare("INSERT INTO dead_letters (target, at, reason, line) VALUES (?, ?, ?, ?)");
    for (const { at, reason, line } of letters) insert.run(target, at, reason, line);
    const tooMany = `SELECT id FROM dead_letters WHERE target = ? ORDER BY id DESC LIMIT -1 OFFSET ${DEAD_LETTERS_MAX}`;
    const dropped = Number(this.#db.prepare(`DELETE FROM dead_letters WHERE id IN (${tooMany})`).run(target).changes);
    const bytes = letters.reduce((sum, { line }) => sum + Buffer.byteLength(line), bytesBefore);
    this.#letterBytes.set(target, bytes);
    if (bytes <= DEAD_LETTERS_BYTES_MAX) return dropped;
    const tooLong = `SELECT id FROM (SELECT id, sum(octet_length(line)) OVER (ORDER BY id DESC) AS bytes
      FROM dead_letters WHERE target = ?) WHERE bytes > ${DEAD_LETTERS_BYTES_MAX}`;
    const more = Number(this.#db.prepare(`DELETE FROM dead_letters WHERE id IN (${tooLong})`).run(target).changes);
    this.#letterBytes.set(target, this.#sumOfLetters(target));
    return dropped + more;
  }

  #sumOfLetters(target: number): number {
    const sum = "SELECT coalesce(sum(octet_length(line)), 0) AS bytes FROM dead_letters WHERE target = ?";
    return Number(this.#db.prepare(sum).get(target)?.bytes);
  }

  /** Passes over the oldest samples of a target that has fallen too far behind. */
  #limit(): void {
    for (const { number, waitingMax } of this.#targets.values()) {
      if (waitingMax === null) continue;
      this.#db
        .prepare(
          `UPDATE forward_targets SET skipped = skipped + ?1 - acknowledged, acknowledged = ?1
           WHERE number = ?2 AND acknowledged < ?1`,
        )
        .run(this.#end - waitingMax, number);
    }
  }

  /** What is for this target alone need not wait for the others, so that a fill takes little room. */
  #removeOwn(target: number, last: number): void {
    this.#db
      .prepare(
        `DELETE FROM outgoing WHERE target = ?1 AND seq <= ?2
           AND seq > (SELECT max(acknowledged, ?3) FROM forward_targets WHERE number = ?1)`,
      )
      .run(target, last, this.#fills.heldOf(target));
  }

  /** The queue begins where the slowest target is. */
  #removeTaken(): void {
    const taken = this.#db.prepare("SELECT min(acknowledged) AS seq FROM forward_targets").get()?.seq;
    this.#db
      .prepare(
        `DELETE FROM outgoing WHERE seq IN (SELECT seq FROM outgoing WHERE seq <= ? ORDER BY seq LIMIT ${REMOVED_AT_ONCE})`,
      )
      .run(this.#fills.removable(Number(taken)));
  }

  #learnNewest(): void {
    this.#newest = new Map();
    const known = rows<{ series: number; ts: number }>(
      this.#db,
      "SELECT number AS series, last_ts AS ts FROM series WHERE last_ts IS NOT NULL",
    );
    for (const { series, ts } of known) this.#newest.set(series, ts);
    const log = readLog(this.#db);
    for (const [place, series] of log.series.entries()) {
      const newest = this.#newest.get(series) ?? Number.NEGATIVE_INFINITY;
      this.#newest.set(series, Math.max(newest, log.ts[place]!));
    }
    this.#isNewestKnown = true;
  }

  #isStored(days: ReadonlySet<Day>, series: SeriesNumber, ts: Micros): boolean {
    const day = dayOf(ts);
    if (!days.has(day)) return false;
    const row = this.#db.prepare(`SELECT 1 FROM ${tableOfDay(day)} WHERE series = ? AND ts = ?`).get(series, ts);
    return row !== undefined;
  }
}

function rows<T>(db: DatabaseSync, sql: string, values: readonly (string | number | null)[] = []): T[] {
  return db.prepare(sql).all(...values) as unknown as T[];
}

/** Rows until they have too many characters. */
function someRows<T>(
  db: DatabaseSync,
  sql: string,
  values: readonly (string | number)[],
  charactersOf: (row: T) => number,
): { readonly found: T[]; readonly isAll: boolean } {
  const found: T[] = [];
  let characters = 0;
  for (const row of db.prepare(sql).iterate(...values) as Iterable<T>) {
    found.push(row);
    characters += charactersOf(row);
    if (characters >= CHARACTERS_AT_ONCE) return { found, isAll: false };
  }
  return { found, isAll: true };
}
