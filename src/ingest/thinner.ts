import type { Micros, SampleColumns, Value } from "../domain/sample.ts";

/** How closely a series is recorded. */
export interface Thinning {
  /** 0: no bound. */
  readonly minIntervalMicros: number;
  /** A number nearer than this to the last one stored is not stored; 0: every number is. */
  readonly deadband: number;
}

export interface ThinnedSample {
  readonly ts: Micros;
  readonly value: Value;
}

/**
 * Decides which samples of one series are stored, each with its own time. After a stored sample begins an interval; of
 * what comes within it only the last is stored, when the interval ends, and the next interval begins there. So there is
 * at most one sample in an interval, the first of a burst comes at once, and what is in force at the end of each
 * interval is what is stored. A number within the deadband of the last one stored is taken for the same. The end of a
 * series (null) is stored at once, after what was held back.
 */
export class Thinner {
  readonly rule: Thinning;
  #intervalStart: Micros;
  #stored: Value | undefined;
  #lastSeen: Micros;
  #held: ThinnedSample | undefined;

  constructor(rule: Thinning, last: ThinnedSample | undefined) {
    this.rule = rule;
    this.#intervalStart = last?.ts ?? Number.NEGATIVE_INFINITY;
    this.#stored = last?.value;
    this.#lastSeen = last?.ts ?? Number.NEGATIVE_INFINITY;
  }

  /** What is held back; undefined: nothing. */
  get held(): ThinnedSample | undefined {
    return this.#held;
  }

  /** What is to be stored now. Samples come in the order of their times; what comes late is stored as it is. */
  take(ts: Micros, value: Value): ThinnedSample[] {
    if (ts === this.#lastSeen) return [];
    if (ts < this.#lastSeen) return [{ ts, value }];
    const due = this.due(ts);
    this.#lastSeen = ts;
    if (value === null) return [...due, ...this.flush(), this.#store({ ts, value }, ts)];
    if (this.#isSame(value)) {
      this.#held = undefined;
      return due;
    }
    if (ts < this.#intervalStart + this.rule.minIntervalMicros) {
      this.#held = { ts, value };
      return due;
    }
    return [...due, this.#store({ ts, value }, ts)];
  }

  /** What was held back and whose interval is over by then. */
  due(now: Micros): ThinnedSample[] {
    const end = this.#intervalStart + this.rule.minIntervalMicros;
    return this.#held === undefined || now < end ? [] : [this.#store(this.#held, end)];
  }

  /** What is held back, before its time. */
  flush(): ThinnedSample[] {
    return this.#held === undefined ? [] : [this.#store(this.#held, this.#held.ts)];
  }

  #store(sample: ThinnedSample, intervalStart: Micros): ThinnedSample {
    this.#held = undefined;
    this.#stored = sample.value;
    this.#intervalStart = intervalStart;
    return sample;
  }

  #isSame(value: Value): boolean {
    if (typeof value !== "number" || typeof this.#stored !== "number") return false;
    return Math.abs(value - this.#stored) < this.rule.deadband;
  }
}

/**
 * Of new samples of one series those that would be stored beside the ones that are; both ascend. What is stored stays,
 * and begins an interval.
 */
export function thinHistory(rule: Thinning, stored: SampleColumns, added: readonly ThinnedSample[]): ThinnedSample[] {
  const kept: ThinnedSample[] = [];
  const isNew = new Set(added.map(({ ts }) => ts));
  const all = [...stored.ts.map((ts, i) => ({ ts, value: stored.values[i]! })), ...added].sort((a, b) => a.ts - b.ts);
  let thinner = new Thinner(rule, undefined);
  for (const sample of all) {
    if (isNew.has(sample.ts)) kept.push(...thinner.take(sample.ts, sample.value));
    else {
      kept.push(...(sample.value === null ? thinner.flush() : thinner.due(sample.ts)));
      thinner = new Thinner(rule, sample);
    }
  }
  return [...kept, ...thinner.flush()];
}
