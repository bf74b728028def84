import type { Micros, SampleColumns, Span, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { inTurns } from "../../lib/steps.ts";
import type { Day } from "./day.ts";
import type { FoldedPart } from "./fold.ts";
import { Generation, merge } from "./memory.ts";

/** The samples that are not in the day tables yet: those that come, and those that are on their way there. */
export class MemoryLevel {
  #current = new Generation();
  /** On their way to the day tables, the oldest first. */
  #sealed: Generation[] = [];
  #arrivedTo: Micros = Number.POSITIVE_INFINITY;

  /** The day tables have nothing younger: what is, is here. */
  get arrivedTo(): Micros {
    return this.#arrivedTo;
  }

  /** Told once, of the day tables that were there before. */
  begin(arrivedTo: Micros): void {
    this.#arrivedTo = arrivedTo;
  }

  /** Samples. */
  get size(): number {
    let size = this.#current.size;
    // As in isSealed, nothing is made for each sample: an iterator would be.
    for (let i = 0; i < this.#sealed.length; i++) size += this.#sealed[i]!.size;
    return size;
  }

  /** The same with long texts counted as more; see `weightOf`. */
  get weight(): number {
    let weight = this.#current.weight;
    for (let i = 0; i < this.#sealed.length; i++) weight += this.#sealed[i]!.weight;
    return weight;
  }

  /** False when the series already has a sample at that time that is not sealed; the first one stays. */
  insert(series: SeriesNumber, ts: Micros, value: Value): boolean {
    return this.#current.insert(series, ts, value);
  }

  /** Whether a sample is on its way. */
  isSealed(series: SeriesNumber, ts: Micros): boolean {
    for (const generation of this.#sealed) if (generation.has(series, ts)) return true;
    return false;
  }

  hasDay(day: Day): boolean {
    return this.#generations().some((generation) => generation.days.has(day));
  }

  /** The days of its samples, some of them maybe more than once. */
  days(): Day[] {
    return this.#generations().flatMap((generation) => [...generation.days]);
  }

  /** A copy of the oldest `limit` samples in the span. */
  slice(series: SeriesNumber, span: Span, limit: number): SampleColumns {
    return this.#mergeAll((generation) => generation.slice(series, span, limit));
  }

  /** The newest sample before a time whose value is one of these, as a column of one or none. */
  before(series: SeriesNumber, ts: Micros, isOne?: (value: Value) => boolean): SampleColumns {
    const found = this.#mergeAll((generation) => generation.before(series, ts, isOne));
    return { ts: found.ts.slice(-1), values: found.values.slice(-1) };
  }

  /** What is here now is on its way from now on. */
  seal(): void {
    this.#sealed.push(this.#current);
    this.#current = new Generation();
  }

  /** What is on its way, the oldest part first, in copies. */
  async sealedParts(): Promise<readonly FoldedPart[]> {
    const parts = await Promise.all(this.#sealed.map((generation) => inTurns(generation.packed())));
    for (const { ranges } of parts) for (const ts of ranges.last.ts) this.#arrivedTo = Math.max(this.#arrivedTo, ts);
    return parts;
  }

  /** What was on its way has arrived; answers its days. */
  arrived(): Day[] {
    const days = this.#sealed.flatMap((generation) => [...generation.days]);
    this.#sealed = [];
    return days;
  }

  #generations(): readonly Generation[] {
    return [...this.#sealed, this.#current];
  }

  #mergeAll(read: (generation: Generation) => SampleColumns): SampleColumns {
    return this.#generations().map(read).reduce(merge);
  }
}
