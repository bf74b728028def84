import { setImmediate as turn } from "node:timers/promises";
import type { Micros } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import type {
  BucketFigures,
  GroupsRequest,
  LoneAnswer,
  LoneFigure,
  Member,
  StatisticsAnswer,
  Stay,
} from "../../domain/statistics.ts";
import { lowerBound } from "../../lib/lower-bound.ts";
import { Tally } from "./accumulate.ts";
import type { Answers } from "./answers.ts";
import type { Question } from "./course.ts";
import type { Loose } from "./plan.ts";

/** Buckets of members that came or went, in one question. */
const BUCKETS_AT_ONCE = 10_000;
/** Members looked at before others get their turn: there may be 100,000. */
const MEMBERS_AT_ONCE = 5_000;

/** What answers questions for groups: those of whole series added up, and parts of those that came or went. */
export interface GroupAnswers {
  groups(request: GroupsRequest): Promise<StatisticsAnswer>;
  groupFigure(request: GroupsRequest, figure: LoneFigure): Promise<LoneAnswer>;
}

export function createGroupAnswers(answers: Answers): GroupAnswers {
  return {
    async groups(request) {
      const { settled, moved } = await divide(request);
      const whole = await answers.statistics(settled);
      const told = createTold(whole);
      const tallies = whole.series.map(() => new Map<number, Tally>());
      for (const one of turnsOf(request, moved)) {
        const answer = await answers.statistics(one.question);
        told.heed(answer);
        for (const { group, bucket, series, part } of partsOf(request, one)) {
          if (told.isUnknown(answer, series, part, group, bucket)) continue;
          const figures = answer.series[series]![part]!;
          if (figures === null) continue;
          const tally = tallies[group]!.get(bucket) ?? startedWith(whole.series[group]![bucket]!);
          tally.add(figures);
          tallies[group]!.set(bucket, tally);
        }
      }
      const series = whole.series.map((buckets, group) =>
        buckets.map((figures, bucket) => {
          if (told.unknown[group]!.has(bucket)) return null;
          return tallies[group]!.get(bucket)?.figures() ?? figures;
        }),
      );
      return { series, unknown: told.unknown, warnings: [...told.warnings] };
    },

    async groupFigure(request, figure) {
      const { settled, moved } = await divide(request);
      const whole = await answers.figure(settled, figure);
      const told = createTold(whole);
      for (const one of turnsOf(request, moved)) {
        const answer = await answers.figure(one.question, figure);
        told.heed(answer);
        for (const { group, bucket, series, part } of partsOf(request, one)) {
          if (told.isUnknown(answer, series, part, group, bucket)) continue;
          const value = answer.series[series]![part]!;
          if (figure === "count") whole.series[group]![bucket]! += value;
          else addMean(whole, group, bucket, value, answer.weights[series]![part]!);
        }
      }
      for (const [group, buckets] of told.unknown.entries()) {
        for (const bucket of buckets) whole.series[group]![bucket] = Number.NaN;
      }
      return { ...whole, unknown: told.unknown, warnings: [...told.warnings] };
    },
  };
}

function addMean({ series, weights }: LoneAnswer, group: number, bucket: number, mean: number, weight: number): void {
  if (weight === 0) return;
  const before = weights[group]![bucket]!;
  const integral = (before === 0 ? 0 : series[group]![bucket]! * before) + mean * weight;
  weights[group]![bucket] = before + weight;
  series[group]![bucket] = integral / (before + weight);
}

function startedWith(figures: BucketFigures | null): Tally {
  const tally = new Tally();
  if (figures !== null) tally.add(figures);
  return tally;
}

/** Members that came or went at the same moments. */
interface Moved {
  readonly cuts: readonly Micros[];
  readonly members: Member[];
}

/** Some of them, asked for one by one. */
interface Turn {
  readonly question: Question;
  readonly members: readonly Member[];
}

/** Members that were in their groups all the time, and the others. */
async function divide({ borders, until, byDays, groups, members }: GroupsRequest): Promise<{
  readonly settled: Question;
  readonly moved: readonly Moved[];
}> {
  const series: SeriesNumber[] = [];
  const of: number[][] = [];
  const moved = new Map<string, Moved>();
  const [first, last] = [borders[0]!, borders[borders.length - 1]!];
  for (const [i, member] of members.entries()) {
    if (i > 0 && i % MEMBERS_AT_ONCE === 0) await turn();
    if (!member.stays.some(({ start, end }) => start < last && end > first)) continue;
    const cuts = cutsOf(member.stays, borders);
    if (cuts === null) {
      series.push(member.series);
      of.push(member.stays.map(({ group }) => group));
      continue;
    }
    const purpose = cuts.join();
    const alike = moved.get(purpose);
    if (alike === undefined) moved.set(purpose, { cuts, members: [member] });
    else alike.members.push(member);
  }
  const settled = { series, borders, until, byDays, groups: { count: groups, of }, loose: NONE };
  return { settled, moved: [...moved.values()] };
}

const NONE: Loose = new Set();

/** When a member came or went within the borders, ascending; null: it never did. */
function cutsOf(stays: readonly Stay[], borders: readonly Micros[]): Micros[] | null {
  const [start, end] = [borders[0]!, borders[borders.length - 1]!];
  if (stays.every((stay) => stay.start <= start && stay.end >= end)) return null;
  const moments = new Set(stays.flatMap((stay) => [stay.start, stay.end]));
  return [...moments].filter((moment) => moment > start && moment < end).sort((a, b) => a - b);
}

/** Made as they are needed: each has borders of its own. */
function* turnsOf({ borders, until, byDays }: GroupsRequest, moved: readonly Moved[]): Generator<Turn> {
  const firm = new Set(borders);
  for (const { cuts, members } of moved) {
    const loose = new Set(cuts.filter((cut) => !firm.has(cut)));
    const all = [...borders, ...loose].sort((a, b) => a - b);
    const atOnce = Math.max(1, Math.floor(BUCKETS_AT_ONCE / (all.length - 1)));
    for (let from = 0; from < members.length; from += atOnce) {
      const some = members.slice(from, from + atOnce);
      const series = some.map(({ series }) => series);
      yield { question: { series, borders: all, until, byDays, groups: null, loose }, members: some };
    }
  }
}

type Answer = Pick<StatisticsAnswer, "unknown" | "warnings">;

/** What is said of an answer that is put together, and of its groups' buckets of which nothing can be said. */
function createTold(whole: Answer) {
  const warnings = new Set(whole.warnings);
  const unknown = whole.unknown.map((buckets) => new Set(buckets));
  return {
    warnings,
    unknown,
    heed(answer: Answer): void {
      for (const warning of answer.warnings) warnings.add(warning);
    },
    /** Whether a part of a member's bucket is unknown: then its group's bucket is. */
    isUnknown(answer: Answer, series: number, part: number, group: number, bucket: number): boolean {
      if (!answer.unknown[series]!.has(part)) return false;
      unknown[group]!.add(bucket);
      return true;
    },
  };
}

/** A part of a bucket that a member was in a group; `part` counts the buckets of the question. */
interface Part {
  readonly group: number;
  readonly bucket: number;
  readonly series: number;
  readonly part: number;
}

function* partsOf({ borders }: GroupsRequest, { question, members }: Turn): Generator<Part> {
  const parts = question.borders;
  for (const [series, { stays }] of members.entries()) {
    for (const { group, start, end } of stays) {
      const last = Math.min(parts.length - 1, lowerBound(parts, end));
      for (let part = lowerBound(parts, start); part < last; part++) {
        yield { group, bucket: lowerBound(borders, parts[part]! + 1) - 1, series, part };
      }
    }
  }
}
