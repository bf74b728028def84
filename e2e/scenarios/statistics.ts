import { settle } from "../history.ts";
import type { HaClient } from "../home-assistant/client.ts";
import type { Program } from "../program.ts";
import type { Comparison } from "../report.ts";
import type { Scenario } from "../scenario.ts";
import { isoOfMicros, nowMicros } from "../time.ts";
import { waitUntil } from "../wait.ts";

const RATE = 40;
const SECONDS = 20;
const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
/** Home Assistant compiles ten seconds after each five minutes, and is a busy test home. */
const COMPILED_MS = FIVE_MINUTES_MS + 60_000;
const ENTITIES_PER_QUESTION = 50;
/** Both add up doubles, in another order. */
const ROUNDING = 1e-6;
/** How far back it is compared, on a home that has run for longer. */
const LOOK_BACK_MS = 24 * HOUR_MS;

type Period = "5minute" | "hour";

/** One bucket of either side; what it does not have is absent or null. */
interface Bucket {
  readonly start: number;
  readonly end: number;
  readonly mean?: number | null;
  readonly min?: number | null;
  readonly max?: number | null;
  readonly change?: number | null;
  readonly durations?: Readonly<Record<string, number>>;
}

interface StatisticId {
  readonly statistic_id: string;
  readonly source: string;
  /** 2: a direction, whose mean is circular. */
  readonly mean_type?: number;
}

/** The same figures as Home Assistant's own statistics, for sensors that were always available. */
export const statistics: Scenario = {
  name: "statistics",
  needs: [],
  async run(context) {
    const { home, program, report } = context;
    const since = nowMicros() / 1000;
    const { components } = await home.ask<{ readonly components: readonly string[] }>("get_config");
    if (components.includes("load_generator")) {
      await home.call("load_generator", "run", { rate: RATE, seconds: SECONDS });
    }
    const entityIds = await comparable(home);
    const busy = Math.floor(since / FIVE_MINUTES_MS) * FIVE_MINUTES_MS;
    await settle(context);
    await waitUntil(
      "Home Assistant to compile the statistics of these five minutes",
      async () => {
        const buckets = await homeBuckets(home, entityIds, "5minute", busy);
        return [...buckets.values()].some((one) => one.some(({ start }) => start >= busy));
      },
      { timeoutMs: COMPILED_MS, pollEveryMs: 2_000 },
    );
    for (const period of ["5minute", "hour"] as const) {
      const comparison = await compare(home, program, entityIds, period, since - LOOK_BACK_MS);
      if (period === "hour" && comparison.compared === 0) {
        report.skip("the hours of sensors", "no sensor was available for a whole hour yet");
      } else {
        report.compare(`${period === "hour" ? "hours" : "5 minutes"} of ${entityIds.length} sensors`, comparison);
      }
    }
  },
};

/** Sensors with statistics of their own; those of kitchen_sink whose statistics are made up or made wrong are not. */
async function comparable(home: HaClient): Promise<string[]> {
  const ids = await home.ask<StatisticId[]>("recorder/list_statistic_ids");
  return ids
    .filter(({ source, mean_type }) => source === "recorder" && mean_type !== 2)
    .map(({ statistic_id }) => statistic_id)
    .filter((id) => !id.includes("statistics_issue"))
    .sort();
}

async function homeBuckets(
  home: HaClient,
  entityIds: readonly string[],
  period: Period,
  fromMs: number,
): Promise<Map<string, readonly Bucket[]>> {
  const answer = await home.ask<Record<string, readonly Bucket[]>>("recorder/statistics_during_period", {
    start_time: isoOfMicros(Math.floor(fromMs) * 1000),
    statistic_ids: entityIds,
    period,
    types: ["mean", "min", "max", "change"],
  });
  return new Map(Object.entries(answer));
}

async function programBuckets(
  program: Program,
  entityIds: readonly string[],
  period: Period,
  span: { readonly start: number; readonly end: number },
): Promise<Map<string, readonly Bucket[]>> {
  const buckets = new Map<string, readonly Bucket[]>();
  for (let from = 0; from < entityIds.length; from += ENTITIES_PER_QUESTION) {
    let cursor: string | null = null;
    do {
      const query = new URLSearchParams({
        entity_id: entityIds.slice(from, from + ENTITIES_PER_QUESTION).join(","),
        period,
        start: String(span.start),
        end: String(span.end),
        ...(cursor === null ? {} : { cursor }),
      });
      const page: Page = await program.read(`/api/v1/statistics?${query}`);
      for (const series of page.series) buckets.set(series.entity_id, series.buckets);
      cursor = page.next_cursor;
    } while (cursor !== null);
  }
  return buckets;
}

interface Page {
  readonly series: readonly { readonly entity_id: string; readonly buckets: readonly Bucket[] }[];
  readonly next_cursor: string | null;
}

async function compare(
  home: HaClient,
  program: Program,
  entityIds: readonly string[],
  period: Period,
  fromMs: number,
): Promise<Comparison> {
  const theirs = await homeBuckets(home, entityIds, period, fromMs);
  const starts = [...theirs.values()].flatMap((buckets) => buckets.map(({ start }) => start));
  if (starts.length === 0) return { compared: 0, faults: [] };
  const length = period === "hour" ? HOUR_MS : FIVE_MINUTES_MS;
  // From one earlier: whether a sensor was there for the whole bucket shows in the bucket before it.
  const span = { start: Math.min(...starts) - length, end: Math.max(...starts) + length };
  const ours = await programBuckets(program, entityIds, period, span);
  const faults: string[] = [];
  let compared = 0;
  for (const [entityId, buckets] of theirs) {
    const known = new Map((ours.get(entityId) ?? []).map((bucket) => [bucket.start, bucket]));
    for (const bucket of buckets) {
      const found = known.get(bucket.start);
      // The first five minutes of a sensor begin with its first value on both sides, its first hour does not.
      const began = period === "5minute" || isWhole(known.get(bucket.start - length));
      if (!isWhole(found) || !began) continue;
      compared++;
      faults.push(...differences(entityId, bucket, found));
    }
  }
  return { compared, faults };
}

/** Home Assistant carries a number on through times without one; only where there were none the two can agree. */
function isWhole(bucket: Bucket | undefined): bucket is Bucket {
  return bucket !== undefined && bucket.durations === undefined && bucket.mean !== undefined;
}

function differences(entityId: string, theirs: Bucket, ours: Bucket): string[] {
  return (["mean", "min", "max", "change"] as const).flatMap((figure) => {
    const [wanted, found] = [theirs[figure], ours[figure]];
    if (wanted === null || wanted === undefined) return [];
    if (typeof found === "number" && Math.abs(found - wanted) <= ROUNDING * Math.max(1, Math.abs(wanted))) return [];
    return [`${entityId} ${isoOfMicros(theirs.start * 1000)} ${figure}: ${found}, Home Assistant has ${wanted}`];
  });
}
