import type { DatabaseSync } from "node:sqlite";
import { freePages, returnPages } from "./pages.ts";

/** Free pages that are left alone, whatever the days take: some have to be free for each commit. */
const FREE_PAGES_MIN = 2048;

/**
 * Returns to the file system what days left that went to the archive. What the last of them took stays free: the day
 * that has begun will need it, so nothing is moved in an ordinary week, and what a backfill of years took is given back.
 */
export class GiveBack {
  readonly #database: () => DatabaseSync | undefined;
  readonly #nextTurn: () => Promise<void>;
  #freeBefore = 0;
  #keep = FREE_PAGES_MIN;
  #running = false;

  /** `database` answers undefined once the file is closed. `nextTurn`: before each step. */
  constructor(database: () => DatabaseSync | undefined, nextTurn: () => Promise<void>) {
    this.#database = database;
    this.#nextTurn = nextTurn;
  }

  /** A day's table is about to be dropped. */
  before(db: DatabaseSync): void {
    this.#freeBefore = freePages(db);
  }

  /** It is dropped: begins to return pages, step by step, so that commits get their turn in between. */
  after(db: DatabaseSync): void {
    this.#keep = Math.max(FREE_PAGES_MIN, freePages(db) - this.#freeBefore);
    if (!this.#running) void this.#run();
  }

  async #run(): Promise<void> {
    this.#running = true;
    try {
      for (let left = 1; left > 0; ) {
        await this.#nextTurn();
        const db = this.#database();
        left = db === undefined ? 0 : returnPages(db, this.#keep);
      }
    } catch {
      // The disk is full or the file locked: commits tell of that, and the next day that is archived tries again.
    } finally {
      this.#running = false;
    }
  }
}
