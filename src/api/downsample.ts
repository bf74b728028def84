import { AppError } from "../domain/errors.ts";
import { readParts } from "../domain/read-parts.ts";
import type { Micros, ReadColumns, SampleColumns, Span, Value } from "../domain/sample.ts";
import type { ReadRequest, SampleReader } from "../domain/store.ts";
import { charactersOf, HISTORY_CHARACTERS_MAX } from "./history-page.ts";
import { fromInForceAt } from "./in-force-at-start.ts";

/** Samples that are kept of a slot, at most: first, last, lowest, highest and the first that is no number. */
const PER_SLOT = 5;
/** Samples that are read for one answer. */
const DOWNSAMPLED_MAX = 2_000_000;
/** Fewer points than one slot needs cannot be asked for. */
export const POINTS_MIN = PER_SLOT;

export interface Thinning extends Omit<ReadRequest, "limit"> {
  readonly points: number;
}

/** What is left for an answer: samples that may be read, and characters of the texts that it is made of. */
export interface Budget {
  samples: number;
  characters: number;
}

export function createBudget(): Budget {
  return { samples: DOWNSAMPLED_MAX, characters: HISTORY_CHARACTERS_MAX };
}

/** Reads a series and thins it out to `points`, within a budget that it uses up; throws `invalid` where that is too small. */
export async function readDownsampled(
  samples: SampleReader,
  { points, ...request }: Thinning,
  budget: Budget,
): Promise<ReadColumns> {
  const newest = samples.last(request.series)?.ts ?? request.start;
  const end = Math.max(request.start, Math.min(request.end - 1, newest)) + 1;
  const thinning = new Downsampler({ start: request.start, end }, points);
  const warnings = new Set<string>();
  for await (const part of readParts(samples, request)) {
    const { ts, values } = fromInForceAt(request.start, part);
    for (let i = 0; i < ts.length; i++) thinning.add(ts[i]!, values[i]!);
    for (const warning of part.warnings ?? []) warnings.add(warning);
    if (charactersOf(part) > 0 && thinning.characters > budget.characters) throw tooLong();
    if (part.isLast) break;
    budget.samples -= ts.length;
    if (budget.samples < 0) throw tooMany();
  }
  const columns = thinning.finish();
  budget.characters -= thinning.characters;
  return warnings.size === 0 ? columns : { ...columns, warnings: [...warnings] };
}

function tooMany(): AppError {
  const remedy = "ask for fewer entities or a shorter span, or for /api/v1/statistics";
  return new AppError("invalid", `More than ${DOWNSAMPLED_MAX} samples would have to be thinned out: ${remedy}`);
}

function tooLong(): AppError {
  const remedy = "ask for fewer points, a shorter span or fewer entities";
  return new AppError("invalid", `The texts would have more than ${HISTORY_CHARACTERS_MAX} characters: ${remedy}`);
}

interface Slot {
  first: Sample;
  last: Sample;
  lowest: Sample | undefined;
  highest: Sample | undefined;
  other: Sample | undefined;
}

interface Sample {
  readonly ts: Micros;
  readonly value: Value;
}

/**
 * Thins samples out so that a line through what is left looks like one through all: the span, from its first sample on, is
 * cut into slots of equal length, and of each the first and last sample, the lowest and highest number and the first that
 * is no number are kept. So no spike is lost, and every sample that is left is a real one. Series of `points` samples or
 * fewer stay whole.
 */
export class Downsampler {
  readonly #span: Span;
  /** Of the first slot: where the samples begin, since a chart of a span that reaches further back is of these alone. */
  #start: Micros;
  readonly #points: number;
  readonly #slots: (Slot | undefined)[];
  /** The sample before the span, which stays. */
  #before: Sample | undefined;
  /** All samples while they are few; undefined from then on. */
  #few: Sample[] | undefined = [];

  constructor(span: Span, points: number) {
    this.#span = span;
    this.#start = span.start;
    this.#points = points;
    this.#slots = new Array(Math.max(1, Math.floor(points / PER_SLOT)));
  }

  /** In the order of time. */
  add(ts: Micros, value: Value): void {
    const sample = { ts, value };
    if (ts < this.#span.start) this.#before = sample;
    else if (this.#few === undefined) this.#put(sample);
    else {
      this.#few.push(sample);
      if (this.#few.length <= this.#points) return;
      this.#start = this.#few[0]!.ts;
      for (const one of this.#few) this.#put(one);
      this.#few = undefined;
    }
  }

  #put(sample: Sample): void {
    const share = (sample.ts - this.#start) / Math.max(1, this.#span.end - this.#start);
    // One that came after the end was decided on.
    const index = Math.min(this.#slots.length - 1, Math.floor(share * this.#slots.length));
    let slot = this.#slots[index];
    if (slot === undefined) {
      slot = { first: sample, last: sample, lowest: undefined, highest: undefined, other: undefined };
      this.#slots[index] = slot;
    }
    slot.last = sample;
    const { value } = sample;
    if (typeof value !== "number") slot.other ??= sample;
    else {
      if (slot.lowest === undefined || value < (slot.lowest.value as number)) slot.lowest = sample;
      if (slot.highest === undefined || value > (slot.highest.value as number)) slot.highest = sample;
    }
  }

  /** Of the texts that are left. */
  get characters(): number {
    return charactersOf(this.finish());
  }

  /** What is left, in the order of time. */
  finish(): SampleColumns {
    const kept = this.#few ?? this.#slots.flatMap((slot) => (slot === undefined ? [] : samplesOf(slot)));
    const all = this.#before === undefined ? kept : [this.#before, ...kept];
    return { ts: all.map(({ ts }) => ts), values: all.map(({ value }) => value) };
  }
}

function samplesOf({ first, last, lowest, highest, other }: Slot): Sample[] {
  const samples = [first, last, lowest, highest, other].filter((sample) => sample !== undefined);
  return [...new Set(samples)].sort((a, b) => a.ts - b.ts);
}
