import type { Micros, Span } from "../domain/sample.ts";

/** In order, with those that touch as one. */
export function joined(spans: readonly Span[]): Span[] {
  const apart: Span[] = [];
  for (const span of spans.toSorted((a, b) => a.start - b.start)) {
    const last = apart.at(-1);
    if (last !== undefined && span.start <= last.end) {
      apart[apart.length - 1] = { start: last.start, end: Math.max(last.end, span.end) };
    } else apart.push(span);
  }
  return apart;
}

/** When both were at once. Each list is ascending, its spans apart from each other; one pass, since there may be 100,000. */
export function common(a: readonly Span[], b: readonly Span[]): Span[] {
  const both: Span[] = [];
  for (let i = 0, j = 0; i < a.length && j < b.length; ) {
    const [one, other] = [a[i]!, b[j]!];
    const [start, end] = [Math.max(one.start, other.start), Math.min(one.end, other.end)];
    if (start < end) both.push({ start, end });
    if (one.end < other.end) i++;
    else j++;
  }
  return both;
}

export function lengthOf(spans: readonly Span[]): Micros {
  return spans.reduce((sum, { start, end }) => sum + (end - start), 0);
}
