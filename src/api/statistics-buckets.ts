import type { Micros } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import type {
  BucketFigures,
  GroupsRequest,
  LoneAnswer,
  LoneFigure,
  StatisticsAnswer,
  StatisticsReader,
  StatisticsRequest,
} from "../domain/statistics.ts";
import { atMost, formerTimesWithin, mixedBuckets, sentencesOf, unitChanges } from "./former-units.ts";
import type { loneBucketWriter } from "./lone-buckets.ts";

export const STATISTICS_TYPES = ["mean", "min", "max", "first", "last", "count", "sum", "change", "durations"] as const;
export type StatisticsType = (typeof STATISTICS_TYPES)[number];
/** Figures that mean the same in any unit. */
const UNITLESS: ReadonlySet<StatisticsType> = new Set(["count", "durations"]);
const MIXED = "Of buckets in which a unit changed only count and durations are told: other figures would mix two units";

export function haveUnits(types: ReadonlySet<StatisticsType>): boolean {
  return !types.isSubsetOf(UNITLESS);
}

export interface Buckets {
  /** As the answer has them, by series or group: lists in JSON. */
  readonly buckets: readonly string[];
  readonly warnings: readonly string[];
}

/** The figures to tell, and how to write those that stand alone. */
export interface Wanted {
  readonly types: ReadonlySet<StatisticsType>;
  readonly writeLone: ReturnType<typeof loneBucketWriter>;
}

/** The buckets of series, or of one group of them, that have begun, and of which something is known. */
export function readBuckets(samples: StatisticsReader, request: StatisticsRequest, wanted: Wanted): Promise<Buckets> {
  const { series, borders, group } = request;
  const changed = haveUnits(wanted.types) ? samples.withFormerUnits(series) : [];
  const mixed = group
    ? new Map([[0, mixedBuckets(changed.flatMap(unitChanges), borders)]])
    : new Map(changed.map((one) => [series.indexOf(one.number), mixedBuckets(unitChanges(one), borders)]));
  return read(
    request,
    wanted,
    { changed, mixed },
    () => samples.statistics(request),
    (only) => samples.figure(request, only),
  );
}

/** The same of groups. */
export function readGroupBuckets(samples: StatisticsReader, request: GroupsRequest, wanted: Wanted): Promise<Buckets> {
  const { members, borders } = request;
  const changed = haveUnits(wanted.types) ? samples.withFormerUnits(members.map(({ series }) => series)) : [];
  return read(
    request,
    wanted,
    { changed, mixed: mixedOfGroups(changed, request, borders) },
    () => samples.groups(request),
    (only) => samples.groupFigure(request, only),
  );
}

interface ChangedUnits {
  /** Series whose unit changed at some time. */
  readonly changed: readonly Series[];
  /** By the place of the series or group in the answer: buckets whose figures would be of two units. */
  readonly mixed: ReadonlyMap<number, ReadonlySet<number>>;
}

function mixedOfGroups(
  changed: readonly Series[],
  { members }: GroupsRequest,
  borders: readonly Micros[],
): ReadonlyMap<number, ReadonlySet<number>> {
  const mixed = new Map<number, Set<number>>();
  if (changed.length === 0) return mixed;
  const staysOf = new Map(members.map(({ series, stays }) => [series, stays]));
  for (const one of changed) {
    for (const change of unitChanges(one)) {
      const buckets = mixedBuckets([change], borders);
      for (const { group, start, end } of staysOf.get(one.number)!) {
        if (change.until < start || change.until >= end) continue;
        mixed.set(group, (mixed.get(group) ?? new Set()).union(buckets));
      }
    }
  }
  return mixed;
}

/** A figure alone is read faster. */
async function read(
  { borders, until }: Pick<StatisticsRequest, "borders" | "until">,
  { types, writeLone }: Wanted,
  { changed, mixed }: ChangedUnits,
  all: () => Promise<StatisticsAnswer>,
  alone: (only: LoneFigure) => Promise<LoneAnswer>,
): Promise<Buckets> {
  const end = Math.min(until, borders[borders.length - 1]!);
  const former = changed.flatMap((one) => sentencesOf(one, "figures", formerTimesWithin(one, borders[0]!, end)));
  const isMixed = [...mixed.values()].some((buckets) => buckets.size > 0);
  const sentences = [...atMost(former), ...(isMixed ? [MIXED] : [])];
  const [only] = types;
  if (types.size === 1 && (only === "mean" || only === "count")) {
    const { series, warnings } = await alone(only);
    for (const [i, buckets] of mixed) for (const bucket of buckets) series[i]![bucket] = Number.NaN;
    const buckets = series.map((figures) => writeLone(only, figures, borders, until));
    return { buckets, warnings: [...warnings, ...sentences] };
  }
  const { series, warnings } = await all();
  const bodies = series.map((figures, i) => bucketBodies(figures, { borders, until, mixed: mixed.get(i) }, types));
  return { buckets: bodies.map((list) => JSON.stringify(list)), warnings: [...warnings, ...sentences] };
}

interface BucketTimes {
  readonly borders: readonly Micros[];
  readonly until: Micros;
  readonly mixed: ReadonlySet<number> | undefined;
}

function bucketBodies(
  figures: readonly (BucketFigures | null)[],
  { borders, until, mixed }: BucketTimes,
  types: ReadonlySet<StatisticsType>,
): object[] {
  const unitless = types.intersection(UNITLESS);
  const bodies: object[] = [];
  for (const [i, bucket] of figures.entries()) {
    if (borders[i]! >= until || bucket === null) continue;
    const told = mixed?.has(i) ? unitless : types;
    bodies.push({ start: borders[i]! / 1000, end: borders[i + 1]! / 1000, ...figuresBody(bucket, told) });
  }
  return bodies;
}

function figuresBody(bucket: BucketFigures, types: ReadonlySet<StatisticsType>): Record<string, unknown> {
  const body: Record<string, unknown> = {};
  for (const type of types) {
    if (type === "durations") {
      if (bucket.durations === null) continue;
      body.durations = Object.fromEntries([...bucket.durations].map(([state, micros]) => [state, micros / 1e6]));
      if (bucket.otherDuration > 0) body.durations_other = bucket.otherDuration / 1e6;
    } else if (Number.isFinite(bucket[type])) {
      // Numbers near the largest have sums beyond it, and JSON has no infinity.
      body[type] = bucket[type];
    }
  }
  return body;
}
