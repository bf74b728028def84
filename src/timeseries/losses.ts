import { join } from "node:path";
import type { Micros } from "../domain/sample.ts";
import { lastMovedAside, remedyOf } from "../lib/damaged-database.ts";
import type { Logger } from "../lib/log.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Committer } from "./hot/committer.ts";
import { DATABASE_FILE } from "./hot/database.ts";
import { DAY_MICROS, type Day } from "./hot/day.ts";
import { nameOfDay } from "./hot/disk.ts";
import type { MendedDay } from "./hot/salvage.ts";
import type { StoredState } from "./hot/writer-commands.ts";
import type { MendedRollups } from "./rollups/salvage-rollups.ts";

/** A damaged day that was mended is told for 30 days: so long somebody may miss samples of it, and look at the disk. */
const LOSS_TOLD_MICROS = 30 * DAY_MICROS;

/** Says in the log what was found damaged when the store was opened. */
export function logDamage({ logDamaged, hoursDamaged, movedTo }: StoredState, log: Logger): void {
  if (logDamaged > 0) {
    log.error(
      { samples: logDamaged },
      "Samples in the log of timeseries.db are damaged and cannot be read: they are lost",
    );
  }
  if (hoursDamaged) {
    log.warn(
      "Hours of rollups in timeseries.db were damaged when they were to be packed: they are computed anew where samples " +
        'are kept, and stay as they are in its table "rollup_hour_damaged"',
    );
  }
  if (movedTo !== null) {
    log.error({ movedTo }, "timeseries.db is damaged: it was moved aside and a new one begins");
  }
}

/** What damage took, in sentences, and for how long it is told; null: nothing. Looks for a file moved aside now. */
export function createLosses(directory: string, damage: Committer["damage"], now: () => Micros): () => string | null {
  const moved = movedNote(directory);
  return () => {
    const { mended, failed, mendedRollups, rollupsFault } = damage();
    const isTold = ({ at }: { readonly at: Micros }): boolean => now() - at < LOSS_TOLD_MICROS;
    const losses = [
      ...(moved === null ? [] : [moved]),
      ...[...failed].map(([day, reason]) => unmendedNote(day, reason)),
      ...(rollupsFault === null ? [] : [unmendedRollupsNote(rollupsFault)]),
      ...mended.filter(isTold).map(mendedNote),
      ...mendedRollups.filter(isTold).map(mendedRollupsNote),
    ];
    return losses.length === 0 ? null : losses.join(". ");
  };
}

function movedNote(directory: string): string | null {
  const aside = lastMovedAside(join(directory, DATABASE_FILE));
  if (aside === null) return null;
  return (
    `timeseries.db was damaged and is now "${aside}": what was in it alone is gone from here, that is, the samples of the ` +
    "last days, but for what Home Assistant's history gives again, and the rollups of days whose samples had been dropped; " +
    "the archive is listed anew, and rollups of its days are computed again. " +
    `${remedyOf(aside, DATABASE_FILE)}. Moving that file elsewhere, and a start, end this notice`
  );
}

function mendedNote({ day, saved, aside, at }: MendedDay): string {
  return (
    `A part of timeseries.db with samples of ${nameOfDay(day)} was damaged: ${saved} of them were saved, the others are ` +
    `lost unless a backup has them. ${stays(aside, at)}`
  );
}

function mendedRollupsNote({ saved, aside, at }: MendedRollups): string {
  return (
    `A part of timeseries.db with figures of hours or days was damaged: ${saved} rows were saved, the others are computed ` +
    `again where samples are kept. ${stays(aside, at)}`
  );
}

function stays(aside: string, at: Micros): string {
  return (
    `The damaged table stays in the file as "${aside}". A disk or memory card that loses what was written may fail ` +
    `altogether: see to a backup. This notice ends ${isoFromMicros(at + LOSS_TOLD_MICROS).slice(0, 10)}`
  );
}

function unmendedNote(day: Day, reason: string): string {
  return (
    `A part of timeseries.db with samples of ${nameOfDay(day)} is damaged and could not be mended yet (${reason}): ` +
    "answers lack samples of that day"
  );
}

function unmendedRollupsNote(reason: string): string {
  return (
    `A part of timeseries.db with figures of hours or days is damaged and could not be mended (${reason}): some are ` +
    "missing. Stop the service and restore a backup (npm run cli -- restore FILE)"
  );
}
