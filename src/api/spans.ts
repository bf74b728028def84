import type { Micros, Span } from "../domain/sample.ts";

/** Adds one that comes after all others; where it begins as the last one ends, that is made longer. */
export function extend(spans: Span[], { start, end }: Span): void {
  const last = spans.at(-1);
  if (last?.end === start) spans[spans.length - 1] = { start: last.start, end };
  else spans.push({ start, end });
}

/** In order, with those that touch as one: so are all lists of spans from here on. */
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

/** When one of them was, or both. One pass, as `without`: there may be 100,000. */
export function either(a: readonly Span[], b: readonly Span[]): Span[] {
  const spans: Span[] = [];
  for (let i = 0, j = 0; i < a.length || j < b.length; ) {
    const isOfA = j === b.length || (i < a.length && a[i]!.start <= b[j]!.start);
    const { start, end } = isOfA ? a[i++]! : b[j++]!;
    const last = spans.at(-1);
    if (last !== undefined && start <= last.end) {
      if (end > last.end) spans[spans.length - 1] = { start: last.start, end };
    } else spans.push({ start, end });
  }
  return spans;
}

/** When the first one was without the second one. */
export function without(a: readonly Span[], b: readonly Span[]): Span[] {
  const left: Span[] = [];
  let next = 0;
  for (const { start, end } of a) {
    let from = start;
    while (next < b.length && b[next]!.end <= start) next++;
    for (let i = next; i < b.length && b[i]!.start < end; i++) {
      if (b[i]!.start > from) left.push({ start: from, end: b[i]!.start });
      from = Math.max(from, b[i]!.end);
    }
    if (from < end) left.push({ start: from, end });
  }
  return left;
}

export function lengthOf(spans: readonly Span[]): Micros {
  return spans.reduce((sum, { start, end }) => sum + (end - start), 0);
}
