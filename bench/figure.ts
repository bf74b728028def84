/** One line of the table of figures. */
export interface Figure {
  readonly what: string;
  readonly value: number;
  readonly unit: string;
  /** What DESIGN asks for; without it the figure is told, not judged. */
  readonly bar?: Bar;
}

export type Bar = { readonly atMost: number } | { readonly atLeast: number };

/** Figures that are measured together. */
export interface Group {
  readonly name: string;
  measure(): Promise<readonly Figure[]>;
}

export function isMet({ value, bar }: Figure): boolean | undefined {
  if (bar === undefined) return undefined;
  return "atMost" in bar ? value <= bar.atMost : value >= bar.atLeast;
}

/** The smallest of `values` that at least a share `q` of them does not exceed; NaN without values. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = Float64Array.from(values).sort();
  return sorted[Math.min(sorted.length - 1, Math.max(0, Math.ceil(sorted.length * q) - 1))] ?? Number.NaN;
}
