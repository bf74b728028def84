import type { Micros, Span } from "../../domain/sample.ts";
import { HOUR_MICROS } from "../../lib/calendar.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { DAY_MICROS, type Day, dayOf } from "../hot/day.ts";
import type { RolledDay } from "./build.ts";

/**
 * From what a stretch of time is answered: samples of memory and day tables, of memory, day tables and archive,
 * `rollup_hours` or `rollup_day`. Of one that is too coarse the samples are gone, or cannot be read, and its rollups, if it
 * has any, lie across borders.
 */
export interface Stretch extends Span {
  readonly from: "samples" | "archive" | "hours" | "parts" | "too coarse";
  /** Whether hours of Home Assistant's own statistics stand beside the samples that it is answered from. */
  readonly hasStatistics: boolean;
}

/** With all of its first UTC day: only the first of a question may begin within one. */
export function fromMidnight(stretch: Stretch): Stretch {
  return { ...stretch, start: dayOf(stretch.start) * DAY_MICROS };
}

export interface Tiers {
  readonly rolled: ReadonlyMap<Day, RolledDay>;
  /** Whether samples of that day are kept, wherever. */
  hasSamples(day: Day): boolean;
  isArchived(day: Day): boolean;
  /** False where its file is damaged: its samples are as good as gone. */
  isReadable(day: Day): boolean;
  /** Whether samples that its rollups know were dropped, while those of other series are kept. */
  isDropped(day: Day): boolean;
  /** Whether samples of that day are in memory: they are not part of its rollups yet. */
  inMemory(day: Day): boolean;
  /** Whether Home Assistant went down on that day; its rollups, once they are built, know. */
  hasSilence(day: Day): boolean;
  /** False where no series that is asked for has hours on that day, though others may. */
  hasHours(day: Day): boolean;
}

export interface Plan {
  readonly stretches: readonly Stretch[];
  /** Days that are too coarse for the buckets asked for: those whose samples are gone, and those whose cannot be read. */
  readonly tooCoarse: readonly Day[];
  readonly unread: readonly Day[];
}

/** Of borders those across which an hour may lie whose samples are not kept: it counts where it begins. */
export type Loose = ReadonlySet<Micros>;

/**
 * From which tier each part of the buckets comes: for each UTC day the coarsest that has all its samples and whose rows
 * do not lie across a border. Stretches ascend; a day of which nothing is kept is in none.
 */
export function plan(
  borders: readonly Micros[],
  until: Micros,
  tiers: Tiers,
  { loose = NONE, byDays = false }: { readonly loose?: Loose; readonly byDays?: boolean | undefined } = {},
): Plan {
  const stretches: Stretch[] = [];
  const tooCoarse: Day[] = [];
  const unread: Day[] = [];
  const start = borders[0]!;
  const end = Math.min(borders[borders.length - 1]!, until);
  for (let day = dayOf(start); day * DAY_MICROS < end; day++) {
    const span = { start: Math.max(start, day * DAY_MICROS), end: Math.min(end, (day + 1) * DAY_MICROS) };
    const inside = bordersWithin(borders, end, day);
    const firm = loose.size === 0 ? inside : inside.filter((border) => !loose.has(border));
    const tier = tierOf(day, inside, { firm, byDays }, tiers);
    if (tier === "nothing") continue;
    if (tier === "too coarse") (tiers.isReadable(day) ? tooCoarse : unread).push(day);
    const from = tier === "samples" && tiers.isArchived(day) ? "archive" : tier;
    const hasStatistics = tier === "samples" && tiers.rolled.get(day)?.statistics === true;
    const last = stretches[stretches.length - 1];
    if (last?.from === from && last.hasStatistics === hasStatistics && last.end === span.start) {
      stretches[stretches.length - 1] = { ...last, end: span.end };
    } else {
      stretches.push({ from, hasStatistics, ...span });
    }
  }
  return { stretches, tooCoarse, unread };
}

const NONE: Loose = new Set();

/** The borders strictly inside a day, the end of the question among them. */
function bordersWithin(borders: readonly Micros[], end: Micros, day: Day): readonly Micros[] {
  const from = day * DAY_MICROS;
  const to = from + DAY_MICROS;
  const inside = borders.slice(lowerBound(borders, from + 1), lowerBound(borders, Math.min(end, to)));
  return end > from && end < to ? [...inside, end] : inside;
}

type Tier = "samples" | "hours" | "parts" | "nothing" | "too coarse";

/** `inside`: the borders inside of the day; `firm`: those of them that are not loose; `byDays`: that these are midnights. */
function tierOf(
  day: Day,
  inside: readonly Micros[],
  { firm, byDays }: { readonly firm: readonly Micros[]; readonly byDays: boolean },
  tiers: Tiers,
): Tier {
  const rolled = tiers.rolled.get(day);
  const acrossMidnights = byDays && rolled !== undefined ? "hours" : undefined;
  const acrossLoose = (firm.length === inside.length ? undefined : finestTier(rolled, firm)) ?? acrossMidnights;
  // Of a day that is not there whole its rollups are the best there is, also where late samples are to come to them.
  if (!tiers.isReadable(day) || tiers.isDropped(day)) return rolledTier(rolled, inside) ?? acrossLoose ?? "too coarse";
  const hasSamples = tiers.hasSamples(day);
  const complete = (rolled?.cuts != null || !hasSamples) && !tiers.inMemory(day);
  if (!complete) return "samples";
  if (rolled?.cuts == null && rolled?.statistics !== true && tiers.hasSilence(day)) return "samples";
  if (rolled === undefined) return "nothing";
  // Where there is neither, nothing came, and what was in force goes on: as from samples, of which there are none.
  return (
    rolledTier(rolled, inside) ??
    (hasSamples ? "samples" : acrossLoose) ??
    (tiers.hasHours(day) ? "too coarse" : "samples")
  );
}

/** Whose rows do not lie across one of these borders; undefined: neither's. */
function rolledTier(rolled: RolledDay | undefined, inside: readonly Micros[]): "hours" | "parts" | undefined {
  if (rolled === undefined) return undefined;
  const { cuts, statistics } = rolled;
  if (cuts !== null && !statistics && inside.every((border) => cuts.includes(border))) return "parts";
  return inside.every((border) => border % HOUR_MICROS === 0) ? "hours" : undefined;
}

/** The same, hours where either would do. */
function finestTier(rolled: RolledDay | undefined, inside: readonly Micros[]): "hours" | "parts" | undefined {
  const isByHours = rolled !== undefined && inside.every((border) => border % HOUR_MICROS === 0);
  return isByHours ? "hours" : rolledTier(rolled, inside);
}
