import type { Micros, ReadColumns, Span, Value } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import type { ChangeReader } from "../domain/store.ts";
import { READ_AT_ONCE } from "./states-at.ts";

/** A sample of an entity's state: the entity changed to it, or with null was removed. */
export interface Change {
  readonly series: SeriesNumber;
  readonly ts: Micros;
  readonly value: Value;
}

/** A place in the order of changes: the newest first, and of one time the highest series. */
export type ChangePosition = Pick<Change, "series" | "ts">;

export interface ChangesQuestion {
  readonly series: readonly SeriesNumber[];
  readonly span: Span;
  /** Where the page before this one ended; undefined: at the end of the span. */
  readonly after: ChangePosition | undefined;
  readonly limit: number;
  /** Which changes are wanted; absent: all. */
  readonly accepts?: (change: Change) => boolean;
}

export interface ChangesPage {
  readonly changes: readonly Change[];
  /** Where the next page begins; undefined: nothing is left. */
  readonly next: ChangePosition | undefined;
  readonly warnings: ReadonlySet<string>;
}

/** The first window looks back so far. */
const FIRST_WINDOW: Micros = 60_000_000;
/** A window is at most so many times as long as the one before. */
const GROWTH_MAX = 8;
/** Samples of a window: one that has more is made shorter. */
const WINDOW_SAMPLES_MAX = 20_000;
/** Samples that are looked at for one page, and series that are asked; what is left is for the next one. */
export const SCANNED_MAX = 200_000;
/** A series may have so many times its part of a window. */
const UNEVEN = 4;

/**
 * The newest changes of many series together. Samples are stored series by series, so windows of time are read from the
 * end backwards, as long as they seem to need to be to hold what is missing.
 */
export async function readNewestChanges(samples: ChangeReader, question: ChangesQuestion): Promise<ChangesPage> {
  const { series, span, after, limit, accepts } = question;
  const warnings = new Set<string>();
  const found: Change[] = [];
  let end = after === undefined ? span.end : Math.min(span.end, after.ts + 1);
  let width = FIRST_WINDOW;
  /** Where a window began that had too many, until enough of them were seen. */
  let crowded = Number.NEGATIVE_INFINITY;
  let seen = 0;
  let scanned = 0;
  while (end > span.start) {
    // To look as far once more would take as long, and be in vain.
    const half = Math.max(1, Math.floor((end - crowded) / 2));
    const start = Math.max(span.start, end - Math.min(width, half));
    const alive = series.filter((one) => (samples.last(one)?.ts ?? Number.NEGATIVE_INFINITY) >= start);
    // To ask a series takes as long as to look at what it has, and many are asked in vain where little is wanted.
    if (accepts !== undefined) scanned += alive.length;
    const window = await readWindow(samples, alive, { start, end }, warnings);
    if (window === undefined) {
      crowded = start;
      seen = 0;
      width = Math.max(1, Math.floor((end - start) / GROWTH_MAX));
      continue;
    }
    seen += window.length;
    if (seen > WINDOW_SAMPLES_MAX / 2 || start <= crowded) crowded = Number.NEGATIVE_INFINITY;
    const before = found.length;
    for (const change of window.sort(newestFirst)) {
      if (after !== undefined && newestFirst(change, after) <= 0) continue;
      scanned++;
      if (accepts === undefined || accepts(change)) found.push(change);
      if (found.length > limit) return { changes: found.slice(0, limit), next: found[limit - 1], warnings };
    }
    // Everything of that time on was looked at; numbers of series begin at 1.
    if (scanned >= SCANNED_MAX && start > span.start) {
      return { changes: found, next: { ts: start, series: 0 }, warnings };
    }
    width = nextWidth(end - start, found.length - before, limit + 1 - found.length, window.length);
    end = start;
  }
  return { changes: found, next: undefined, warnings };
}

function newestFirst(a: ChangePosition, b: ChangePosition): number {
  return b.ts - a.ts || b.series - a.series;
}

/** How long a window has to be to hold `missing` changes, and not too many samples, where one of `width` held `found`. */
function nextWidth(width: Micros, found: number, missing: number, samples: number): Micros {
  const wanted = found === 0 ? GROWTH_MAX : missing / found;
  const factor = Math.min(wanted, WINDOW_SAMPLES_MAX / 2 / samples);
  return Math.ceil(width * Math.min(GROWTH_MAX, Math.max(1 / GROWTH_MAX, factor)));
}

/** All samples of a span, in no order; undefined: they are too many. */
async function readWindow(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  warnings: Set<string>,
): Promise<Change[] | undefined> {
  const changes: Change[] = [];
  const isShortest = span.end - span.start === 1;
  for (let from = 0; from < series.length; from += READ_AT_ONCE) {
    const part = series.slice(from, from + READ_AT_ONCE);
    const missing = WINDOW_SAMPLES_MAX - changes.length + 1;
    const answers = await readAtMost(samples, part, span, isShortest ? part.length : missing);
    if (answers === undefined) return undefined;
    for (const [i, { ts, values, warnings: told = [] }] of answers.entries()) {
      for (const warning of told) warnings.add(warning);
      for (let at = 0; at < ts.length; at++) changes.push({ series: part[i]!, ts: ts[at]!, value: values[at]! });
    }
    if (changes.length > WINDOW_SAMPLES_MAX && !isShortest) return undefined;
  }
  return changes;
}

/**
 * The samples of these series, undefined when they are more than `max` together. To ask each for `max` would bring
 * millions into memory where a busy day follows on a quiet night: a few of each show whether they are too many, and who
 * has more than these is asked again by itself.
 */
async function readAtMost(
  samples: ChangeReader,
  series: readonly SeriesNumber[],
  span: Span,
  max: number,
): Promise<readonly ReadColumns[] | undefined> {
  const few = Math.min(max, Math.ceil((UNEVEN * max) / series.length));
  const answers = await samples.read(series.map((one) => ({ ...span, series: one, limit: few })));
  let count = answers.reduce((sum, { ts }) => sum + ts.length, 0);
  if (few === max) return answers;
  const whole = [...answers];
  for (const [i, { ts }] of answers.entries()) {
    if (count > max) return undefined;
    if (ts.length < few) continue;
    const [answer] = await samples.read([{ ...span, series: series[i]!, limit: max }]);
    whole[i] = answer!;
    count += answer!.ts.length - few;
  }
  return count > max ? undefined : whole;
}
