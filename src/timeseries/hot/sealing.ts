import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../../domain/sample.ts";
import { type ArchiveFile, forgetObsolete, markObsolete, putFile } from "../archive/parquet/manifest.ts";
import { noteDropped } from "../retention/dropped.ts";
import { dropContexts } from "./contexts.ts";
import { type Day, tableOfDay } from "./day.ts";
import { GiveBack } from "./give-back.ts";
import { freeName } from "./salvage.ts";

/** What becomes of the list of archived files and of a day's table, in one transaction. */
export interface ArchiveChange {
  /** The day whose table is dropped; null: none. */
  readonly day: Day | null;
  readonly file: ArchiveFile | null;
  /** Paths of the files that are no longer read. */
  readonly obsolete: readonly string[];
  /** Samples before this time are not wanted any more; absent or null: nothing is said. */
  readonly droppedBefore?: Micros | null;
}

export type TableEnd = "drop" | "empty";

/** The archive's part of the writing thread. */
export class Sealing {
  /** Days that are being archived and got no sample since; empty in a thread that follows one that died. */
  readonly #watched = new Set<Day>();
  /** Days that the fold under way wrote to. */
  readonly #folding = new Set<Day>();
  readonly #giveBack: GiveBack;

  /** As `GiveBack` has them. */
  constructor(database: () => DatabaseSync | undefined, nextTurn: () => Promise<void>) {
    this.#giveBack = new GiveBack(database, nextTurn);
  }

  /**
   * The day's samples are about to be read: from now on it counts when more come to its table. A day that is being folded
   * is not watched: were its table dropped and the fold begun again, it would have samples twice.
   */
  watch(day: Day): void {
    if (!this.#folding.has(day)) this.#watched.add(day);
  }

  /** Whoever watches a day has to begin anew: before it goes, something else is to be done with its samples. */
  unwatch(): void {
    this.#watched.clear();
  }

  /** A fold wrote to these days. */
  touched(days: readonly Day[]): void {
    for (const day of days) {
      this.#watched.delete(day);
      this.#folding.add(day);
    }
  }

  /** The fold has ended. */
  folded(): void {
    this.#folding.clear();
  }

  /**
   * False, and nothing is done, when the day's table has samples that are not known to be archived. `end`: how the table
   * goes; "empty" where SQLite cannot drop it, as it moves another table's page into its place, and that is damaged: then
   * a page stays, by another name.
   */
  apply(db: DatabaseSync, change: ArchiveChange, end: TableEnd = "drop"): boolean {
    const { day, file, obsolete, droppedBefore } = change;
    if (day !== null && !this.#watched.has(day)) return false;
    if (file !== null) putFile(db, file);
    markObsolete(db, obsolete);
    if (droppedBefore != null) {
      noteDropped(db, droppedBefore);
      dropContexts(db, droppedBefore);
    }
    if (day === null) return true;
    this.#giveBack.before(db);
    if (end === "drop") db.exec(`DROP TABLE IF EXISTS ${tableOfDay(day)}`);
    else emptyTable(db, tableOfDay(day));
    return true;
  }

  /** After the transaction of `apply`. */
  applied(db: DatabaseSync, { day }: ArchiveChange): void {
    if (day === null) return;
    this.#watched.delete(day);
    this.#giveBack.after(db);
  }

  forget(db: DatabaseSync, paths: readonly string[]): void {
    forgetObsolete(db, paths);
  }
}

function emptyTable(db: DatabaseSync, table: string): void {
  if (db.prepare("SELECT 1 FROM sqlite_schema WHERE name = ?").get(table) === undefined) return;
  db.exec(`DELETE FROM ${table}`);
  db.exec(`ALTER TABLE ${table} RENAME TO ${freeName(db, table.replace("samples", "emptied"))}`);
}
