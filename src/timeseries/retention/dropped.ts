import type { DatabaseSync } from "node:sqlite";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type { Day } from "../hot/day.ts";
import { hourCounter, hourDropper } from "../rollups/hours.ts";

const DROPPED_BEFORE = "dropped_before";

/** Before which time everything was dropped, whatever the series; null: nothing was. */
export function readDroppedBefore(db: DatabaseSync): Micros | null {
  const value = db.prepare("SELECT value FROM meta WHERE key = ?").get(DROPPED_BEFORE)?.value;
  return typeof value === "number" ? value : null;
}

/** Belongs inside the transaction that drops. A later time is never taken back. */
export function noteDropped(db: DatabaseSync, before: Micros): void {
  db.prepare("INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)").run(
    DROPPED_BEFORE,
    before,
  );
}

/** A series' rollups go up to a time, a midnight UTC. */
export type RollupDrop = readonly [series: SeriesNumber, before: Micros];

/**
 * Deletes rollups series by series until about `rowsMax` rows are gone; inside the caller's transaction. Answers how
 * many went, and at which place of `drops` to go on.
 */
export function dropRollups(db: DatabaseSync, drops: readonly RollupDrop[], from: number, rowsMax: number) {
  const dropHours = hourDropper(db);
  const parts = db.prepare("DELETE FROM rollup_day WHERE series = ? AND start < ?");
  let rows = 0;
  let next = from;
  for (; next < drops.length && rows < rowsMax; next++) {
    const [series, before] = drops[next]!;
    rows += dropHours(series, before) + Number(parts.run(series, before).changes);
  }
  return { rows, next };
}

/** Forgets days of which no rollup is left. */
export function forgetRolledDays(db: DatabaseSync, before: Day): void {
  db.prepare("DELETE FROM rollup_days WHERE day < ?").run(before);
}

/** How many rows `dropRollups` would delete. */
export function countRollups(db: DatabaseSync, drops: readonly RollupDrop[]): number {
  const countHours = hourCounter(db);
  const parts = db.prepare("SELECT count(*) AS rows FROM rollup_day WHERE series = ? AND start < ?");
  return drops.reduce(
    (sum, [series, before]) => sum + countHours(series, before) + Number(parts.get(series, before)?.rows),
    0,
  );
}
