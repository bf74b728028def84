import { messageOf } from "../../domain/errors.ts";
import type { Logger } from "../../lib/log.ts";
import type { MendedRollups } from "../rollups/salvage-rollups.ts";
import type { Day } from "./day.ts";
import { nameOfDay } from "./disk.ts";
import type { MendedDay } from "./salvage.ts";
import type { MendAnswer, StoredState } from "./writer-commands.ts";

/** After a look for damaged tables that mended none, which reads all of them. */
const MEND_AGAIN_MS = 60_000;

export interface MendingOptions {
  /** The writer's command. */
  readonly call: (days: readonly Day[] | null) => Promise<MendAnswer>;
  readonly log: Logger;
  /** Some rollups are lost: days whose samples are kept have to be built again. */
  readonly rollupsMended: () => void;
}

/** Has damaged tables mended, and knows of which there were. */
export interface Mending {
  /** Tables that were mended before this start. */
  loaded(state: Pick<StoredState, "mendedDays" | "mendedRollups">): void;
  /**
   * Looks for the damaged tables of days, rollups and contexts and mends them; true when one was. Never rejects, and does
   * not look again soon after a time that was in vain.
   */
  mend(): Promise<boolean>;
  /** The same for these days alone, before they are read whole. */
  mendDays(days: readonly Day[]): Promise<boolean>;
  /** Resolves once no look for damage is under way. */
  settled(): Promise<unknown>;
  damage(): Damage;
}

/** Days and rollups whose tables were mended, and why others could not be. */
export interface Damage {
  readonly mended: readonly MendedDay[];
  readonly failed: ReadonlyMap<Day, string>;
  readonly mendedRollups: readonly MendedRollups[];
  readonly rollupsFault: string | null;
}

export function createMending({ call, log, rollupsMended }: MendingOptions): Mending {
  let mended: readonly MendedDay[] = [];
  let failed: ReadonlyMap<Day, string> = new Map();
  let mendedRollups: readonly MendedRollups[] = [];
  let rollupsFault: string | null = null;
  let mending: Promise<boolean> | undefined;
  let pausedUntil = 0;

  async function mendDays(days: readonly Day[] | null): Promise<boolean> {
    try {
      const answer = await call(days);
      noteDays(answer, days);
      if (answer.rollups !== null) noteRollups(answer.rollups);
      if (answer.contextsAside !== null) {
        log.error(`Contexts in timeseries.db are damaged and lost; what they were stays as "${answer.contextsAside}"`);
      }
      if (answer.brokenOff !== null) noteEnd(answer.brokenOff);
      const rollups = answer.rollups?.mended.length ?? 0;
      return answer.mended.length + rollups > 0 || answer.contextsAside !== null;
    } catch (error) {
      noteEnd(messageOf(error));
      return false;
    }
  }

  const noteEnd = (reason: string): void => log.warn(`Cannot look for all damage in timeseries.db: ${reason}`);

  function noteDays(answer: MendAnswer, asked: readonly Day[] | null): void {
    for (const { day, reason } of answer.failed) {
      if (!failed.has(day)) log.error(`${damageOf(day)} and cannot be mended now: ${reason}; tried again later`);
    }
    const isLookedAt = (day: Day): boolean =>
      answer.brokenOff === null ? asked === null || asked.includes(day) : answer.mended.some((one) => one.day === day);
    const others = [...failed].filter(([day]) => !isLookedAt(day));
    failed = new Map([...others, ...answer.failed.map(({ day, reason }) => [day, reason] as const)]);
    mended = [...mended, ...answer.mended];
    for (const { day, saved, aside } of answer.mended) {
      log.error(`${damageOf(day)}: ${saved} samples were saved, the others are lost; what it was stays as "${aside}"`);
    }
  }

  function noteRollups({ mended: found, fault }: NonNullable<MendAnswer["rollups"]>): void {
    for (const { table, saved, aside } of found) {
      log.error(
        `Rollups in timeseries.db ("${table}") are damaged: ${saved} rows were saved, the others are computed anew where ` +
          `samples are kept; what it was stays as "${aside}"`,
      );
    }
    if (fault !== null && rollupsFault === null) {
      log.error(`Rollups in timeseries.db are damaged and cannot be mended now: ${fault}; tried again later`);
    }
    rollupsFault = fault;
    mendedRollups = [...mendedRollups, ...found];
    if (found.length > 0) rollupsMended();
  }

  return {
    loaded(state) {
      mended = state.mendedDays;
      mendedRollups = state.mendedRollups;
    },
    mend() {
      if (mending === undefined && performance.now() < pausedUntil) return Promise.resolve(false);
      mending ??= mendDays(null).then((isMended) => {
        mending = undefined;
        if (!isMended) pausedUntil = performance.now() + MEND_AGAIN_MS;
        return isMended;
      });
      return mending;
    },
    mendDays,
    settled: () => mending ?? Promise.resolve(),
    damage: () => ({ mended, failed, mendedRollups, rollupsFault }),
  };
}

function damageOf(day: Day): string {
  return `A part of timeseries.db with samples of ${nameOfDay(day)} is damaged`;
}
