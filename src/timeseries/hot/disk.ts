import { setTimeout as sleep } from "node:timers/promises";
import { AppError } from "../../domain/errors.ts";
import { isCorruption } from "../../lib/damaged-database.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import type { OnDemand } from "../../lib/worker-rpc.ts";
import { DAY_MICROS, type Day } from "./day.ts";
import type { Questions, ReaderCommands } from "./reader.ts";

/** A question waits so long at most for a damaged table to be mended; what it asks for stands there, most likely. */
const MEND_WAIT_MS = 3_000;

/** Questions to the day tables, of which some may be damaged. */
export interface Disk {
  /** Rejects (`unavailable`) when the disk cannot be read; of a damaged table it answers what can be read. */
  ask<K extends keyof Questions>(name: K, argument: Parameters<Questions[K]>[0]): Promise<ReturnType<Questions[K]>>;
  /** A point in the order of the answers, for `missing`. */
  readonly answers: number;
  /** What may be missing from answers since then, for somebody who asked for times before `end`; in sentences. */
  missing(since: number, end: number): string[];
}

export function createDisk(reader: OnDemand<ReaderCommands>, mend: () => Promise<unknown>): Disk {
  let answers = 0;
  /** The last answer that lacked samples of the day. */
  const lacking = new Map<Day, number>();

  async function readDespiteDamage<K extends keyof Questions>(name: K, argument: unknown) {
    await Promise.race([mend(), sleep(MEND_WAIT_MS, undefined, { ref: false })]);
    const { result, damaged } = await reader.call("despiteDamage", { name, argument });
    answers++;
    for (const day of damaged) lacking.set(day, answers);
    return result as ReturnType<Questions[K]>;
  }

  return {
    async ask(name, argument) {
      try {
        try {
          return (await reader.call(name, argument)) as Awaited<ReturnType<Questions[typeof name]>>;
        } catch (error) {
          if (!isCorruption(error)) throw error;
          return await readDespiteDamage(name, argument);
        }
      } catch (cause) {
        throw new AppError("unavailable", `Cannot read samples: ${sqliteReason(cause)}`, { cause });
      }
    },
    get answers() {
      return answers;
    },
    missing: (since, end) =>
      [...lacking]
        .filter(([day, answer]) => answer > since && day * DAY_MICROS < end)
        .sort(([a], [b]) => a - b)
        .map(([day]) => `Samples of ${nameOfDay(day)} are missing: a part of timeseries.db is damaged`),
  };
}

/** "2026-11-24 (UTC)". */
export function nameOfDay(day: Day): string {
  return `${new Date(day * 86_400_000).toISOString().slice(0, 10)} (UTC)`;
}
