import type { Aggregate } from "../../domain/archive.ts";
import type { Micros, SampleColumns } from "../../domain/sample.ts";

interface Figures {
  samples: number;
  numbers: number;
  sum: number;
  min: number | null;
  max: number | null;
  first: number | null;
  last: number | null;
}

/** Condenses samples, which must come ascending by time, into the periods [edges[i], edges[i + 1]). */
export class Condenser {
  readonly #edges: readonly Micros[];
  readonly #periods: Figures[];
  #at = 0;

  constructor(edges: readonly Micros[]) {
    this.#edges = edges;
    this.#periods = Array.from({ length: Math.max(0, edges.length - 1) }, () => ({
      samples: 0,
      numbers: 0,
      sum: 0,
      min: null,
      max: null,
      first: null,
      last: null,
    }));
  }

  add({ ts, values }: SampleColumns): void {
    for (let i = 0; i < ts.length; i++) {
      if (ts[i]! < this.#edges[0]!) continue;
      while (this.#at < this.#periods.length && ts[i]! >= this.#edges[this.#at + 1]!) this.#at++;
      const period = this.#periods[this.#at];
      if (period === undefined) return;
      period.samples++;
      const value = values[i];
      if (typeof value !== "number") continue;
      period.numbers++;
      period.sum += value;
      period.min = period.min === null ? value : Math.min(period.min, value);
      period.max = period.max === null ? value : Math.max(period.max, value);
      period.first ??= value;
      period.last = value;
    }
  }

  periods(): Aggregate[] {
    return this.#periods;
  }
}
