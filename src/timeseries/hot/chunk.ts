import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { type PackedSamples, SamplePacker } from "./columns.ts";
import type { ContextChange } from "./contexts.ts";
import type { LedgerChange } from "./ledger.ts";
import { weightOf } from "./weight.ts";

/** What a transaction does to the tables of series, in this order, before it adds its samples. */
export type CatalogChange =
  | {
      readonly kind: "series";
      readonly series: SeriesNumber;
      readonly measurement: string;
      readonly subject: string;
      readonly field: string;
    }
  | {
      readonly kind: "traits";
      readonly series: SeriesNumber;
      readonly unit: string | null;
      readonly deviceClass: string | null;
      readonly stateClass: string | null;
      /** The last unit, where there is none any more. */
      readonly lostUnit: string | null;
    }
  | { readonly kind: "formerUnit"; readonly series: SeriesNumber; readonly unit: string; readonly until: Micros }
  | { readonly kind: "subject"; readonly series: SeriesNumber; readonly subject: string }
  | { readonly kind: "alias"; readonly series: SeriesNumber; readonly entityId: string; readonly from: Micros }
  | { readonly kind: "aliasEnd"; readonly series: SeriesNumber; readonly to: Micros };

/** Whatever a transaction does besides adding samples. */
export type Change = CatalogChange | LedgerChange | ContextChange;

/** What the writer commits in one transaction. */
export interface PackedChunk {
  readonly changes: readonly Change[];
  readonly series: Int32Array<ArrayBuffer>;
  readonly samples: PackedSamples;
  /** With this, everything that Home Assistant told up to then is on disk; null: nothing is said. */
  readonly durableUntil: Micros | null;
}

interface Waiter {
  resolve(): void;
  reject(error: Error): void;
}

/** Samples and changes on their way to the log, in the order in which they came. */
export class Chunk {
  readonly #samples: SamplePacker;
  #series: Int32Array<ArrayBuffer>;
  readonly changes: Change[] = [];
  /** Where in `changes` the last word on a gap, or on a part of its progress, stands. */
  readonly #lastWords = new Map<string, number>();
  durableUntil: Micros | null = null;
  #weight = 0;
  /** Who wants to know when this is durable. */
  readonly waiters: Waiter[] = [];

  constructor(capacity: number) {
    this.#samples = new SamplePacker(capacity);
    this.#series = new Int32Array(capacity);
  }

  get count(): number {
    return this.#samples.count;
  }

  /** Samples with long texts counted as more; see `weightOf`. */
  get weight(): number {
    return this.#weight;
  }

  get empty(): boolean {
    return this.count === 0 && this.changes.length === 0;
  }

  /** A backfill tells of its progress hundreds of times in a second; only the last of it is written. */
  record(change: Change): void {
    const subject = subjectOf(change);
    const at = subject === null ? undefined : this.#lastWords.get(subject);
    if (at !== undefined) {
      this.changes[at] = change;
      return;
    }
    if (subject !== null) this.#lastWords.set(subject, this.changes.length);
    this.changes.push(change);
  }

  push(series: SeriesNumber, ts: Micros, value: Value): void {
    const at = this.#samples.count;
    if (at === this.#series.length) {
      const series = new Int32Array(at * 2);
      series.set(this.#series);
      this.#series = series;
    }
    this.#series[at] = series;
    this.#samples.push(ts, value);
    this.#weight += weightOf(value);
  }

  /** A copy for the writer; this one stays until the writer has said that it is durable. */
  packed(): PackedChunk {
    return {
      changes: this.changes,
      series: this.#series.slice(0, this.count),
      samples: this.#samples.packed(),
      durableUntil: this.durableUntil,
    };
  }
}

/** What a later change of the same replaces; null for one that adds to those before it. */
function subjectOf(change: Change): string | null {
  if (change.kind === "gap") return `${change.gap.id}`;
  if (change.kind === "progress") return `${change.id} ${change.part}`;
  return null;
}
