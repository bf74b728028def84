import type { DatabaseSync, StatementSync } from "node:sqlite";
import {
  type Gap,
  type GapReason,
  type GapState,
  type HourlyRollup,
  type LastRun,
  type ProgressPart,
  silenceOf,
} from "../../domain/gaps.ts";
import { dayOf } from "./day.ts";
import { readDurableUntil } from "./log-rows.ts";

/** What a transaction does to the ledger of gaps and to rollups, beside its samples. */
export type LedgerChange =
  | { readonly kind: "gap"; readonly gap: Gap }
  | { readonly kind: "forgottenGap"; readonly id: number }
  | { readonly kind: "progress"; readonly id: number; readonly part: ProgressPart; readonly text: string | null }
  | { readonly kind: "rollup"; readonly rollup: HourlyRollup };

/** A gap as it was stored, with the notes of its backfill. */
export interface StoredGap {
  readonly gap: Gap;
  readonly plan: string | null;
  readonly position: string | null;
}

const STOPPED = "stopped";

/** Writes ledger changes inside the caller's transaction. The same change again changes nothing. */
export interface LedgerWriter {
  apply(change: LedgerChange): void;
  /** Whether the run that is under way has ended by a stop. */
  stopped(stopped: boolean): void;
}

export function createLedgerWriter(db: DatabaseSync): LedgerWriter {
  const gap = db.prepare(
    `INSERT INTO gaps (id, reason, state, from_ts, to_ts, opened_at, closed_at, added, done, total, missing_entities, note,
       down_from, down_to)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT (id) DO UPDATE SET
       state = excluded.state, from_ts = excluded.from_ts, to_ts = excluded.to_ts, closed_at = excluded.closed_at,
       added = excluded.added, done = excluded.done, total = excluded.total,
       missing_entities = excluded.missing_entities, note = excluded.note,
       down_from = excluded.down_from, down_to = excluded.down_to`,
  );
  const forgottenGap = db.prepare("DELETE FROM gaps WHERE id = ?");
  const progress: Readonly<Record<ProgressPart, StatementSync>> = {
    plan: db.prepare("UPDATE gaps SET plan = ? WHERE id = ?"),
    position: db.prepare("UPDATE gaps SET position = ? WHERE id = ?"),
  };
  const rollup = db.prepare(
    "INSERT OR REPLACE INTO statistics_hour (series, start, mean, min, max, last, increase) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const statisticsDay = db.prepare(
    `INSERT INTO rollup_days (day, statistics) VALUES (?, 1)
     ON CONFLICT (day) DO UPDATE SET statistics = 1 WHERE statistics = 0`,
  );
  const unbuild = db.prepare(
    `UPDATE rollup_days SET cuts = NULL
     WHERE day = ? AND NOT EXISTS (SELECT 1 FROM gaps WHERE id = ? AND down_from = ?)`,
  );
  const meta = db.prepare("INSERT OR REPLACE INTO meta VALUES (?, ?)");
  return {
    apply(change) {
      switch (change.kind) {
        case "gap": {
          const { id, downtime } = change.gap;
          // What was in force ends there, and so says the day's rollups another time; a downtime known before did so then.
          if (downtime !== null) unbuild.run(dayOf(silenceOf(downtime)), id, downtime.start);
          gap.run(...gapColumns(change.gap));
          break;
        }
        case "forgottenGap":
          forgottenGap.run(change.id);
          break;
        case "progress":
          progress[change.part].run(change.text, change.id);
          break;
        case "rollup": {
          const { series, start, mean, min, max, last, increase } = change.rollup;
          rollup.run(series, start, mean, min, max, last, increase);
          statisticsDay.run(dayOf(start));
          break;
        }
      }
    },
    stopped: (stopped) => void meta.run(STOPPED, stopped ? 1 : 0),
  };
}

export function readLastRun(db: DatabaseSync): LastRun {
  const stopped = db.prepare("SELECT value FROM meta WHERE key = ?").get(STOPPED);
  return { durableUntil: readDurableUntil(db), stoppedCleanly: stopped?.value === 1 };
}

export function readGaps(db: DatabaseSync): StoredGap[] {
  return db
    .prepare("SELECT * FROM gaps ORDER BY id")
    .all()
    .map((row) => ({
      gap: {
        id: row.id as number,
        reason: row.reason as GapReason,
        state: row.state as GapState,
        start: row.from_ts as number,
        end: row.to_ts as number,
        openedAt: row.opened_at as number,
        closedAt: row.closed_at as number | null,
        added: row.added as number,
        done: row.done as number,
        total: row.total as number | null,
        missingEntities: JSON.parse(row.missing_entities as string) as string[],
        note: row.note as string | null,
        downtime: row.down_from === null ? null : { start: row.down_from as number, end: row.down_to as number },
      },
      plan: row.plan as string | null,
      position: row.position as string | null,
    }));
}

type Column = string | number | null;

function gapColumns(gap: Gap): Column[] {
  const { id, reason, state, start, end, openedAt, closedAt, added, done, total, missingEntities, note, downtime } =
    gap;
  const missing = JSON.stringify(missingEntities);
  const down = [downtime?.start ?? null, downtime?.end ?? null];
  return [id, reason, state, start, end, openedAt, closedAt, added, done, total, missing, note, ...down];
}
