import type { Micros } from "../domain/sample.ts";
import type { LoneFigure } from "../domain/statistics.ts";

/** Buckets whose beginnings are kept as text, at most. */
const KEPT_MAX = 2_000;

interface Beginnings {
  readonly figure: LoneFigure;
  readonly borders: readonly Micros[];
  /** Of each bucket its JSON up to the figure, after the end of the one before. */
  readonly texts: readonly string[];
}

/**
 * Writes buckets with one figure each as JSON. Most of the work is the times, and the charts of a page ask for the same
 * ones, one series after the other: those of the last list of borders are kept, for as long as it is the same list.
 */
export function loneBucketWriter() {
  let kept: Beginnings | undefined;

  function beginningsOf(figure: LoneFigure, borders: readonly Micros[]): readonly string[] {
    if (kept !== undefined && kept.figure === figure && kept.borders === borders) return kept.texts;
    const texts: string[] = [];
    let start = String(borders[0]! / 1000);
    for (let i = 1; i < borders.length; i++) {
      const end = String(borders[i]! / 1000);
      texts.push(`},{"start":${start},"end":${end},"${figure}":`);
      start = end;
    }
    kept = texts.length > KEPT_MAX ? undefined : { figure, borders, texts };
    return texts;
  }

  /** A JSON list of the buckets that have begun by `until` and have a figure; where counts are asked for, 0 is one. */
  return (figure: LoneFigure, figures: Float64Array, borders: readonly Micros[], until: Micros): string => {
    const beginnings = beginningsOf(figure, borders);
    let text = "";
    for (let i = 0; i < figures.length && borders[i]! < until; i++) {
      const value = figures[i]!;
      // NaN says that there is none; numbers near the largest have sums beyond it, and JSON has no infinity.
      if (!Number.isFinite(value)) continue;
      // One after the other: a piece made of two would be another string to copy.
      text += beginnings[i]!;
      text += value;
    }
    return text === "" ? "[]" : `[${text.slice("},".length)}}]`;
  };
}
