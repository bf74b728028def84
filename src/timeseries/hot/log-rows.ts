import type { DatabaseSync, StatementSync } from "node:sqlite";
import type { Micros } from "../../domain/sample.ts";
import { pageBytes } from "./pages.ts";

/**
 * Rows with a slot below this are used again after a fold, one of them to a page; above it stand those that are larger
 * than a page, or more than are kept, and a fold deletes them. Revision 009 counts on it.
 */
const FIRST_DELETED_SLOT = 1_000_000;
/** Enough for six hours with a commit every five seconds; 9 MB. */
const REUSED_ROWS_MAX = 4_500;
/** Rows that are made together: a commit that takes one of them writes its page and no other. */
const SPARE_ROWS = 16;
/** Of a page, besides `samples`. */
const PAGE_OVERHEAD_BYTES = 80;
/** A row of `meta`: the samples of batches up to and including this one are in the day tables. */
const FOLDED_BATCH = "folded_batch";
/** A row of `meta`: `durable_until` as of the last fold. */
const DURABLE_UNTIL = "durable_until";

/** What a row holds: `count` samples as the items of a JSON array, their times as microseconds after `start`. */
export interface RowContent {
  readonly count: number;
  readonly start: Micros;
  readonly items: string;
  /** Up to when everything that was heard is on the disk; null: this row does not say. */
  readonly durableUntil: Micros | null;
}

interface OpenRow {
  readonly slot: number;
  readonly batch: number;
  readonly content: RowContent;
  /** Bytes that its page has left. */
  readonly room: number;
}

interface Slots {
  /** The next one last, in the order of the file. */
  readonly free: number[];
  used: { readonly slot: number; readonly batch: number }[];
  nextDeleted: number;
  nextBatch: number;
}

/**
 * Where the log's samples stand in `log_batches`. A new row takes a new page, and with it SQLite writes the first page of
 * the file, the table's upper page, a page of pointers and, once there are free pages, a list of those: four or five
 * pages for 50 samples. So rows are kept after a fold and filled again: one page.
 *
 * All of it belongs inside transactions. After one that failed: `forget`.
 */
export class LogRows {
  readonly #db: DatabaseSync;
  readonly #insert: StatementSync;
  readonly #fill: StatementSync;
  /** Bytes of `samples` that a page has room for. */
  readonly #capacity: number;
  #slots: Slots | undefined;
  #open: OpenRow | undefined;

  constructor(db: DatabaseSync) {
    this.#db = db;
    this.#insert = db.prepare(
      "INSERT INTO log_batches (batch, count, start, durable_until, samples, slot) VALUES (?, ?, ?, ?, ?, ?)",
    );
    this.#fill = db.prepare(
      "UPDATE log_batches SET batch = ?, count = ?, start = ?, durable_until = ?, samples = ? WHERE slot = ?",
    );
    this.#capacity = pageBytes(db) - PAGE_OVERHEAD_BYTES;
  }

  /** The row that can take more, until `seal`. */
  get open(): { readonly start: Micros; readonly room: number } | undefined {
    const open = this.#open;
    return open && { start: open.content.start, room: open.room };
  }

  /** Adds to the open row, whose `start` the items have to have; false: there is no room for them. */
  extend({ count, items, durableUntil }: Omit<RowContent, "start">): boolean {
    const open = this.#open;
    const room = open === undefined ? -1 : open.room - Buffer.byteLength(items) - 1;
    if (open === undefined || room < 0) return false;
    const { content } = open;
    const longer = {
      count: content.count + count,
      start: content.start,
      items: [content.items, items].filter((text) => text !== "").join(),
      durableUntil: durableUntil ?? content.durableUntil,
    };
    this.#run(this.#fill, open.batch, longer, open.slot);
    this.#open = { ...open, content: longer, room };
    return true;
  }

  /** The row is the open one now, unless it has no room for anything more. */
  add(content: RowContent): void {
    this.#slots ??= readSlots(this.#db);
    const slots = this.#slots;
    const batch = slots.nextBatch++;
    const room = this.#capacity - Buffer.byteLength(content.items) - 2;
    this.#open = undefined;
    if (room >= 0 && slots.free.length === 0) this.#makeSpareRows(slots);
    const slot = room < 0 ? undefined : slots.free.pop();
    if (slot === undefined) {
      this.#run(this.#insert, batch, content, slots.nextDeleted++);
    } else {
      slots.used.push({ slot, batch });
      this.#run(this.#fill, batch, content, slot);
      this.#open = { slot, batch, content, room };
    }
  }

  /** What comes next goes to another row; answers the newest batch. */
  seal(): number {
    this.#slots ??= readSlots(this.#db);
    this.#open = undefined;
    return this.#slots.nextBatch - 1;
  }

  /** Samples of batches up to and including this one are in the day tables: their rows are free. */
  release(lastBatch: number): void {
    this.#slots ??= readSlots(this.#db);
    const slots = this.#slots;
    this.#open = undefined;
    const meta = this.#db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
    meta.run(DURABLE_UNTIL, readDurableUntil(this.#db));
    meta.run(FOLDED_BATCH, lastBatch);
    this.#db.prepare("DELETE FROM log_batches WHERE slot >= ? AND batch <= ?").run(FIRST_DELETED_SLOT, lastBatch);
    const released = slots.used.filter(({ batch }) => batch <= lastBatch).map(({ slot }) => slot);
    slots.used = slots.used.filter(({ batch }) => batch > lastBatch);
    slots.free.push(...released);
    slots.free.sort((a, b) => b - a);
  }

  /** What it knows of the file may be wrong. */
  forget(): void {
    this.#slots = undefined;
    this.#open = undefined;
  }

  #run(statement: StatementSync, batch: number, { count, start, items, durableUntil }: RowContent, slot: number): void {
    statement.run(batch, count, start, durableUntil, `[${items}]`, slot);
  }

  /** As large as a page has room for, so that no two share one. */
  #makeSpareRows({ free, used }: Slots): void {
    const last = used.reduce((max, { slot }) => Math.max(max, slot), 0);
    const samples = " ".repeat(this.#capacity);
    const to = Math.min(REUSED_ROWS_MAX, last + SPARE_ROWS);
    for (let slot = last + 1; slot <= to; slot++) this.#insert.run(0, 0, 0, null, samples, slot);
    for (let slot = to; slot > last; slot--) free.push(slot);
  }
}

function readSlots(db: DatabaseSync): Slots {
  const folded = readFoldedBatch(db);
  const rows = db
    .prepare("SELECT slot, batch FROM log_batches ORDER BY slot DESC")
    .all()
    .map(({ slot, batch }) => ({ slot: Number(slot), batch: Number(batch) }));
  const reused = rows.filter(({ slot }) => slot < FIRST_DELETED_SLOT);
  return {
    free: reused.filter(({ batch }) => batch <= folded).map(({ slot }) => slot),
    used: reused.filter(({ batch }) => batch > folded),
    nextDeleted: Math.max(FIRST_DELETED_SLOT - 1, rows[0]?.slot ?? 0) + 1,
    nextBatch: rows.reduce((max, { batch }) => Math.max(max, batch), folded) + 1,
  };
}

/** Samples of later batches are in the log. */
export function readFoldedBatch(db: DatabaseSync): number {
  return Number(db.prepare("SELECT value FROM meta WHERE key = ?").get(FOLDED_BATCH)?.value ?? 0);
}

/** Rows that wait to be filled, each on a page of its own. */
export function countFreeRows(db: DatabaseSync): number {
  const count = db.prepare("SELECT count(*) AS rows FROM log_batches WHERE batch <= ?").get(readFoldedBatch(db));
  return Number(count?.rows);
}

/** Up to when everything that was heard is on the disk; null where no commit said so. */
export function readDurableUntil(db: DatabaseSync): Micros | null {
  const newest = db
    .prepare(
      "SELECT durable_until FROM log_batches WHERE batch > ? AND durable_until IS NOT NULL ORDER BY batch DESC LIMIT 1",
    )
    .get(readFoldedBatch(db));
  const value = newest?.durable_until ?? db.prepare("SELECT value FROM meta WHERE key = ?").get(DURABLE_UNTIL)?.value;
  return typeof value === "number" ? value : null;
}
