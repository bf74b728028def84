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
  /** Takes long, or needs what is not on every machine: no part of a run that names no groups. */
  readonly onlyWhenNamed?: boolean;
  measure(options: GroupOptions): Promise<readonly Figure[]>;
}

export interface GroupOptions {
  /** How many, for groups whose data can be larger than they are by default. */
  readonly samples: number | undefined;
  /** Tells more than figures with bars say: a text in Markdown, shown below the table. */
  readonly tell: (section: string) => void;
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
