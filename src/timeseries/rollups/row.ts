import type { Micros, Value } from "../../domain/sample.ts";
import { type Carried, type ForeignHour, NOTHING, type Summary } from "./accumulate.ts";

/**
 * An hour, or a row of `rollup_day` as SQLite takes and gives it; see ../hot/FORMAT.md. `weight` null: a number was in
 * force from the first sample to the end. `state` null: the number `last` is in force at the end; 0: neither a number
 * nor a text. `first_offset` null: an hour of Home Assistant's statistics.
 */
export type RollupRow = [
  start: Micros,
  count: number,
  firstOffset: number | null,
  mean: number | null,
  weight: number | null,
  min: number | null,
  max: number | null,
  first: number | null,
  last: number | null,
  sum: number | null,
  increase: number | null,
  state: string | number | null,
  durations: string | null,
];

/** The columns of a RollupRow, in its order. */
export const ROLLUP_COLUMNS =
  "start, count, first_offset, mean, weight, min, max, first, last, sum, increase, state, durations";

/** Where a RollupRow has its last number. */
export const LAST = 8;

/** What is in `durations` beside texts and their microseconds. A state is never an object's own key by accident. */
interface StoredDurations {
  readonly states: Readonly<Record<string, number>>;
  readonly other?: number;
}

export function toRow(summary: Summary): RollupRow {
  const { start, end, count, firstTs, mean, weight, min, max, first, last, sum, change, endValue } = summary;
  return [
    start,
    count,
    firstTs - start,
    mean,
    mean !== null && weight === end - firstTs ? null : weight,
    min,
    max,
    first,
    last,
    sum,
    change,
    typeof endValue === "string" ? endValue : endValue === null ? 0 : null,
    storeDurations(summary),
  ];
}

/** What a row says of [its start, end). */
export function fromRow(row: RollupRow, end: Micros): Summary | ForeignHour {
  const [start, count, firstOffset, mean, weight, min, max, first, last, sum, change, , durations] = row;
  if (firstOffset === null) return { start, end, mean, min, max, last, change };
  const firstTs = start + firstOffset;
  return {
    start,
    end,
    count,
    firstTs,
    mean,
    weight: weight ?? end - firstTs,
    min,
    max,
    first,
    last,
    sum,
    change,
    endValue: endValueOf(row),
    ...readDurations(durations),
  };
}

/** What is in force after a row's end, as far as the row says. */
export function carriedBy(row: RollupRow): Carried {
  const [, , firstOffset, , , , , , last] = row;
  const number = last ?? undefined;
  return firstOffset === null ? { ...NOTHING, number } : { value: endValueOf(row), number };
}

function endValueOf(row: RollupRow): Value {
  const state = row[11];
  return typeof state === "string" ? state : state === null ? row[LAST] : null;
}

function storeDurations({ durations, otherDuration }: Summary): string | null {
  if (durations === null) return null;
  const stored: StoredDurations = { states: Object.fromEntries(durations) };
  return JSON.stringify(otherDuration === 0 ? stored : { ...stored, other: otherDuration });
}

const NO_DURATIONS = { durations: null, otherDuration: 0 };

function readDurations(text: string | null): Pick<Summary, "durations" | "otherDuration"> {
  if (text === null) return NO_DURATIONS;
  const { states, other = 0 } = JSON.parse(text) as StoredDurations;
  return { durations: new Map(Object.entries(states)), otherDuration: other };
}
