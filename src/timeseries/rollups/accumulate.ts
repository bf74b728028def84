import type { Micros, Value } from "../../domain/sample.ts";
import type { BucketFigures } from "../../domain/statistics.ts";
import type { Cycles } from "./cycles.ts";

/** Texts of which a bucket says how long they were in force; the time of all others is added up. */
export const DURATION_STATES_MAX = 32;
/** Characters of such a text, as of Home Assistant's states; longer ones are among the others. */
export const DURATION_STATE_LENGTH_MAX = 255;
/** Texts that are told apart while a bucket is added up. */
const STATES_AT_WORK_MAX = 1_000;

/** How a series changes: a meter (`total_increasing`) only rises, and begins anew when it falls. */
export type SeriesKind = "meter" | "plain";

/** What is in force at a moment, the last number there was, and the cycle of a total that it belongs to; undefined: none. */
export interface Carried {
  readonly value: Value | undefined;
  readonly number: number | undefined;
  readonly cycle: Micros | undefined;
}

export const NOTHING: Carried = { value: undefined, number: undefined, cycle: undefined };

/** The samples of a stretch of time, added up: what a rollup row says. Times are microseconds. */
export interface Summary {
  readonly start: Micros;
  readonly end: Micros;
  readonly count: number;
  /** When its first sample came. All figures are of [firstTs, end), so that they hold whatever was in force before. */
  readonly firstTs: Micros;
  readonly weight: number;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly first: number | null;
  readonly last: number | null;
  readonly sum: number | null;
  /** From `first` to `last`, as if no other cycle ended at `cycles.before`. */
  readonly change: number | null;
  /** Null where no cycle is told. */
  readonly cycles: Cycles | null;
  /** In force at the end: null when it is not a number and not a text. */
  readonly endValue: Value;
  readonly durations: ReadonlyMap<string, number> | null;
  readonly otherDuration: number;
}

/** One hour of Home Assistant's own statistics: of the whole hour, and nothing is known around it. */
export interface ForeignHour {
  readonly start: Micros;
  readonly end: Micros;
  readonly mean: number | null;
  readonly min: number | null;
  readonly max: number | null;
  readonly last: number | null;
  readonly change: number | null;
}

/** Only finite numbers count as numbers, as in Home Assistant, and of a meter none below 0: it leaves such a sample out. */
export function isNumber(kind: SeriesKind, value: Value | undefined): value is number {
  return typeof value === "number" && Number.isFinite(value) && (kind === "plain" || value >= 0);
}

/**
 * What happened from one number of a series to the next. As in Home Assistant, a meter that falls below nine tenths
 * began anew at 0, and one that falls less has fallen. Rollups of before may have a meter's number below 0, which says
 * nothing.
 */
export function changeBetween(kind: SeriesKind, before: number, after: number): number {
  if (kind === "plain") return after - before;
  if (before < 0 || after < 0) return 0;
  return after < 0.9 * before ? after : after - before;
}

/** Figures that are being added up, of one bucket. Those of several series are added into one for a group. */
export class Tally {
  count = 0;
  weight = 0;
  /** Number times microseconds. */
  integral = 0;
  min = Number.POSITIVE_INFINITY;
  max = Number.NEGATIVE_INFINITY;
  first: number | null = null;
  last: number | null = null;
  sum: number | null = null;
  change: number | null = null;
  durations: Map<string, number> | null = null;
  otherDuration = 0;

  /** A number was in force for so long. */
  hold(number: number, micros: number): void {
    this.weight += micros;
    this.integral += number * micros;
    if (number < this.min) this.min = number;
    if (number > this.max) this.max = number;
    this.first ??= number;
    this.last = number;
    this.change ??= 0;
  }

  /** A text was in force for so long. */
  stay(text: string, micros: number): void {
    this.durations ??= new Map();
    const before = this.durations.get(text);
    const isOther = text.length > DURATION_STATE_LENGTH_MAX || this.durations.size >= STATES_AT_WORK_MAX;
    if (before === undefined && isOther) this.otherDuration += micros;
    else this.durations.set(text, (before ?? 0) + micros);
  }

  changed(by: number): void {
    this.change = (this.change ?? 0) + by;
  }

  /** Adds figures of the same time, of another series or of a later part of the bucket; `first` and `last` are not. */
  add(other: Omit<Summary, "start" | "end" | "firstTs" | "endValue" | "first" | "last" | "cycles">): void {
    this.count += other.count;
    if (other.mean !== null) {
      this.weight += other.weight;
      this.integral += other.mean * other.weight;
      if (other.min !== null && other.min < this.min) this.min = other.min;
      if (other.max !== null && other.max > this.max) this.max = other.max;
    }
    if (other.sum !== null) this.sum = (this.sum ?? 0) + other.sum;
    if (other.change !== null) this.changed(other.change);
    if (other.durations !== null) this.durations ??= new Map();
    for (const [text, micros] of other.durations ?? []) this.stay(text, micros);
    this.otherDuration += other.otherDuration;
  }

  /** Null when nothing was known. */
  figures(): BucketFigures | null {
    if (this.count === 0 && this.weight === 0 && this.durations === null && this.change === null) return null;
    const any = this.weight > 0;
    const { durations, rest } = longest(this.durations);
    return {
      count: this.count,
      weight: this.weight,
      mean: any ? this.integral / this.weight : null,
      min: any ? this.min : null,
      max: any ? this.max : null,
      first: this.first,
      last: this.last,
      sum: this.sum,
      change: this.change,
      durations,
      otherDuration: this.otherDuration + rest,
    };
  }
}

function longest(durations: Map<string, number> | null) {
  if (durations === null || durations.size <= DURATION_STATES_MAX) return { durations, rest: 0 };
  const sorted = [...durations].sort((a, b) => b[1] - a[1]);
  const rest = sorted.slice(DURATION_STATES_MAX).reduce((sum, [, micros]) => sum + micros, 0);
  return { durations: new Map(sorted.slice(0, DURATION_STATES_MAX)), rest };
}

/**
 * Walks along one series in the order of time, and adds up what it passes: `begin` a bucket, `sample`, `summary` and
 * `foreign` in their order, `end` it, and so on. What is in force is carried from bucket to bucket.
 */
export class Walk {
  readonly #kind: SeriesKind;
  #value: Value | undefined;
  #number: number | undefined;
  /** Of #number. */
  #cycle: Micros | undefined;
  #cycles: Cycles | null = null;
  #at: Micros = Number.NEGATIVE_INFINITY;
  #tally = new Tally();

  constructor(kind: SeriesKind, carried: Carried = NOTHING) {
    this.#kind = kind;
    this.#value = carried.value;
    this.#number = carried.number;
    this.#cycle = carried.cycle;
  }

  get carried(): Carried {
    return { value: this.#value, number: this.#number, cycle: this.#cycle };
  }

  /** What was told of cycles since the beginning of the walk. */
  get cycles(): Cycles | null {
    return this.#cycles;
  }

  begin(start: Micros): void {
    // A summary may have been passed that lies across the border.
    this.#at = Math.max(this.#at, start);
    this.#tally = new Tally();
  }

  /** What is in force until `ts` was so for that long. */
  #advance(ts: Micros): void {
    const micros = ts - this.#at;
    if (micros <= 0) return;
    this.#at = ts;
    if (isNumber(this.#kind, this.#value)) this.#tally.hold(this.#value, micros);
    else if (typeof this.#value === "string") this.#tally.stay(this.#value, micros);
  }

  /** `cycle`: what is told of it, if it is a number of a total. */
  sample(ts: Micros, value: Value, cycle?: Micros): void {
    this.#advance(ts);
    this.#tally.count++;
    this.#value = value;
    if (!isNumber(this.#kind, value)) return;
    this.#tally.sum = (this.#tally.sum ?? 0) + value;
    this.#reach(value, cycle);
    if (cycle !== undefined) {
      this.#cycles = { first: cycle, before: this.#number ?? null, ...this.#cycles, last: cycle };
      this.#cycle = cycle;
    }
    this.#number = value;
  }

  /** What happened from the last number to the next one, which belongs to this cycle if one is told. */
  #reach(number: number, cycle: Micros | undefined): void {
    if (this.#number === undefined) return;
    this.#tally.changed(changeBetween(this.#kind, this.#isNew(cycle) ? 0 : this.#number, number));
  }

  /** Of an unknown cycle before it nobody knows whether it was another one. */
  #isNew(cycle: Micros | undefined): boolean {
    return cycle !== undefined && this.#cycle !== undefined && cycle !== this.#cycle;
  }

  /** What is in force from here on, found out elsewhere. */
  carry(ts: Micros, { value, number, cycle }: Carried): void {
    this.#advance(ts);
    this.#value = value;
    this.#number = number;
    this.#cycle = cycle;
  }

  /** Nothing is known from here on until the next sample. */
  silence(ts: Micros): void {
    this.#advance(ts);
    this.#value = undefined;
  }

  /** Samples that were added up before, all of them for the bucket, with the time until the summary's end. */
  summary(summary: Summary): void {
    this.#advance(summary.firstTs);
    const tally = this.#tally;
    const { cycles } = summary;
    tally.add(summary);
    if (summary.first !== null) {
      this.#reach(summary.first, cycles?.before === null ? cycles.first : undefined);
      // It was added up as a fall from that number, not as a rise from 0.
      if (cycles !== null && cycles.before !== null && this.#isNew(cycles.first)) tally.changed(cycles.before);
      tally.first ??= summary.first;
      tally.last = summary.last;
      this.#number = summary.last ?? undefined;
      this.#cycle = cycles?.last ?? this.#cycle;
    }
    this.#value = summary.endValue;
    this.#at = summary.end;
  }

  /** An hour of Home Assistant's statistics in the bucket. */
  foreign(hour: ForeignHour): void {
    this.#advance(hour.start);
    const { mean, min, max, change } = hour;
    const weight = hour.end - hour.start;
    this.#tally.add({ count: 0, weight, mean, min, max, sum: null, change, durations: null, otherDuration: 0 });
    if (hour.last !== null) {
      this.#reachMeter(hour.last - (change ?? 0));
      this.#tally.last = hour.last;
      this.#number = hour.last;
      this.#cycle = undefined;
    }
    this.#value = undefined;
    this.#at = hour.end;
  }

  /**
   * What happened from the last of our numbers of a meter to where an hour of Home Assistant's statistics begins, which
   * does not count it. A meter that began anew within the hour seems to begin below 0.
   */
  #reachMeter(number: number): void {
    if (this.#kind !== "meter" || this.#number === undefined || this.#value === undefined || number < 0) return;
    this.#tally.changed(changeBetween(this.#kind, this.#number, number));
  }

  /** The bucket's figures, after everything in it has been passed. */
  end(end: Micros): Tally {
    this.#advance(end);
    return this.#tally;
  }
}
