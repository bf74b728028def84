import { allAtOnce, type Steps } from "../../lib/steps.ts";
import { dayOf } from "./day.ts";
import type { LogContent } from "./log.ts";

/** Samples that a step is about: a millisecond or two. */
const STEP_SAMPLES = 20_000;

/** The same samples in the order of day, series, time and arrival. */
export function sortLog(content: LogContent): LogContent {
  return allAtOnce(sortInSteps(content));
}

export function* sortInSteps(content: LogContent): Steps<LogContent> {
  const order = yield* orderInSteps(content);
  const sorted = {
    ...content,
    series: new Int32Array(order.length),
    ts: new Float64Array(order.length),
    numbers: new Float64Array(order.length),
    texts: new Array<string | null | undefined>(order.length),
  };
  for (const [from, to] of stretches(order.length)) {
    copyInOrder(content, order, from, to, sorted);
    yield;
  }
  return sorted;
}

function* orderInSteps({ series, ts }: LogContent): Steps<Uint32Array> {
  const days = new Int32Array(ts.length);
  const arrived = new Uint32Array(ts.length);
  for (const [from, to] of stretches(ts.length)) {
    for (let place = from; place < to; place++) {
      days[place] = dayOf(ts[place]!);
      arrived[place] = place;
    }
    yield;
  }
  const order = yield* countingSort(yield* countingSort(arrived, series), days);
  // Of one series most samples have arrived in the order of their times.
  let stepEnd = STEP_SAMPLES;
  for (let from = 0, to = 0; from < order.length; from = to) {
    const first = order[from]!;
    let ascends = true;
    for (to = from + 1; to < order.length; to++) {
      const place = order[to]!;
      if (series[place] !== series[first] || days[place] !== days[first]) break;
      ascends &&= ts[order[to - 1]!]! <= ts[place]!;
    }
    if (!ascends) order.subarray(from, to).sort((a, b) => ts[a]! - ts[b]! || a - b);
    if (to < stepEnd) continue;
    yield;
    stepEnd = to + STEP_SAMPLES;
  }
  return order;
}

/** Where each step begins and ends. */
function* stretches(count: number): Generator<readonly [from: number, to: number]> {
  for (let from = 0; from < count; from += STEP_SAMPLES) yield [from, Math.min(count, from + STEP_SAMPLES)];
}

/**
 * Sorts places by their keys, whole numbers that lie close together; equal ones stay in their order. Loops with an index,
 * in functions that are called often: V8 has those compiled before the first fold is over, others take five times as long.
 */
function* countingSort(places: Uint32Array, keys: Int32Array): Steps<Uint32Array> {
  const { min, max } = rangeOf(keys);
  const next = new Uint32Array(keys.length === 0 ? 0 : max - min + 2);
  for (const [from, to] of stretches(keys.length)) {
    countKeys(keys, from, to, min, next);
    yield;
  }
  for (let key = 1; key < next.length; key++) next[key]! += next[key - 1]!;
  const sorted = new Uint32Array(places.length);
  for (const [from, to] of stretches(places.length)) {
    putInOrder(places, keys, from, to, min, next, sorted);
    yield;
  }
  return sorted;
}

function rangeOf(keys: Int32Array): { readonly min: number; readonly max: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < keys.length; i++) {
    const key = keys[i]!;
    if (key < min) min = key;
    if (key > max) max = key;
  }
  return { min, max };
}

/** One beyond its key, so that the sums of those before it are where each key begins. */
function countKeys(keys: Int32Array, from: number, to: number, min: number, counts: Uint32Array): void {
  for (let i = from; i < to; i++) counts[keys[i]! - min + 1]!++;
}

function putInOrder(
  places: Uint32Array,
  keys: Int32Array,
  from: number,
  to: number,
  min: number,
  next: Uint32Array,
  sorted: Uint32Array,
): void {
  for (let i = from; i < to; i++) {
    const place = places[i]!;
    sorted[next[keys[place]! - min]!++] = place;
  }
}

function copyInOrder(
  { series, ts, numbers, texts }: LogContent,
  order: Uint32Array,
  from: number,
  to: number,
  sorted: { series: Int32Array; ts: Float64Array; numbers: Float64Array; texts: (string | null | undefined)[] },
): void {
  for (let at = from; at < to; at++) {
    const place = order[at]!;
    sorted.series[at] = series[place]!;
    sorted.ts[at] = ts[place]!;
    sorted.numbers[at] = numbers[place]!;
    if (Number.isNaN(sorted.numbers[at])) sorted.texts[at] = texts[place];
  }
}
