import { quantile } from "../figure.ts";
import { createRandom, DAY_MICROS, type Dataset, ENTITIES } from "./dataset.ts";

/** What everyone is asked; A, B and C are those of the design. */
export const QUESTIONS = ["a", "b", "c", "cEntity", "last100"] as const;
export type Question = (typeof QUESTIONS)[number];

/** Medians in milliseconds. */
export type Times = Readonly<Record<Question, number>>;

/** Who and when: another one each time, the same for all. Microseconds. */
export interface Case {
  readonly entity: number;
  /** A UTC day. */
  readonly day: { readonly start: number; readonly end: number };
  /** 30 UTC days (all of them in the smallest data). */
  readonly month: { readonly start: number; readonly end: number };
  /** The end of all data. */
  readonly end: number;
}

export const MONTH_DAYS = 30;
/**
 * How often each is asked, after as many times that are not counted: a server that has run for a while is measured, its
 * caches filled and, of those with a virtual machine (QuestDB's and ours), its code compiled. Ours takes a third longer
 * after 300 questions than after 1,000.
 */
const RUNS: Readonly<Record<Question, number>> = { a: 1_000, b: 1_000, c: 1_000, cEntity: 100, last100: 1_000 };
/** A server that takes longer for all of them is asked as often as fits. */
const ALL_RUNS_MS = 10_000;
/** Asked to see how long one takes: the first may find nothing in its caches. */
const TRIALS = 3;
const TURNS = 6;
/** Numbers come at these places of ten, text at the last. */
const NUMERIC_OF_TEN = 9;

export function createCases({ start, days, end }: Dataset): () => Case {
  const random = createRandom(42);
  const monthDays = Math.min(MONTH_DAYS, days);
  return () => {
    const entity = Math.floor(random() * (ENTITIES / 10)) * 10 + Math.floor(random() * NUMERIC_OF_TEN);
    const day = start + Math.floor(random() * days) * DAY_MICROS;
    const month = start + Math.floor(random() * (days - monthDays + 1)) * DAY_MICROS;
    return {
      entity,
      day: { start: day, end: day + DAY_MICROS },
      month: { start: month, end: month + monthDays * DAY_MICROS },
      end,
    };
  };
}

/**
 * Puts a question; resolves with the milliseconds that it took and the number of rows (of samples, for C and C per
 * entity) in the answer, which must be what the data hold: an answer that is fast and wrong is no figure.
 */
export type Ask = (question: Question, about: Case) => Promise<{ readonly ms: number; readonly count: number }>;

/**
 * Puts each question over and over, to all of these in turn, so that what else the machine does strikes all of them: a
 * sixth of the questions at a time, since one that has just been idle is slower.
 */
export async function timeQuestions(dataset: Dataset, asks: readonly Ask[]): Promise<Times[]> {
  const times = asks.map((): Partial<Record<Question, number>> => ({}));
  for (const question of QUESTIONS) {
    const next = createCases(dataset);
    const taken = asks.map((): number[] => []);
    const turn = Math.ceil(Math.min(RUNS[question], ALL_RUNS_MS / (await slowestOf(asks, question, next))) / TURNS);
    for (let round = -TURNS; round < TURNS; round++) {
      const cases = Array.from({ length: turn }, next);
      for (const [i, ask] of asks.entries()) {
        for (const about of cases) {
          const { ms, count } = await ask(question, about);
          verify(question, about, count, dataset);
          if (round >= 0) taken[i]!.push(ms);
        }
      }
    }
    for (const [i, one] of times.entries()) one[question] = quantile(taken[i]!, 0.5);
  }
  return times as Times[];
}

/** Of the fastest answers of each the slowest, in milliseconds. */
async function slowestOf(asks: readonly Ask[], question: Question, next: () => Case): Promise<number> {
  let slowest = 0;
  for (const ask of asks) {
    let fastest = Number.POSITIVE_INFINITY;
    for (let trial = 0; trial < TRIALS; trial++) fastest = Math.min(fastest, (await ask(question, next())).ms);
    slowest = Math.max(slowest, fastest);
  }
  return slowest;
}

function verify(question: Question, { month }: Case, count: number, dataset: Dataset): void {
  const perDay = dataset.samples / dataset.days;
  const inMonth = ((month.end - month.start) / DAY_MICROS) * perDay;
  // Days differ by a round of all entities at each end; a sensor that is away says so by a text.
  const bounds: Readonly<Record<Question, readonly [number, number]>> = {
    a: [(perDay / ENTITIES) * 0.9, (perDay / ENTITIES) * 1.1],
    b: [((month.end - month.start) / DAY_MICROS) * 24 * 0.97, ((month.end - month.start) / DAY_MICROS) * 24 + 1],
    c: [inMonth - 2, inMonth + 2],
    cEntity: [inMonth - 2, inMonth + 2],
    last100: [75, 125],
  };
  const [least, most] = bounds[question];
  if (count >= least && count <= most) return;
  throw new Error(`The answer to "${question}" has ${count}, not ${Math.round(least)} to ${Math.round(most)}`);
}

/** Where a server cannot be asked for the last samples: the span that holds 100 of an entity. */
export const LAST_100_MICROS = Math.round((100 * ENTITIES * DAY_MICROS) / (500_000 / 3));
