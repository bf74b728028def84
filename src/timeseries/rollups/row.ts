import type { Micros, Value } from "../../domain/sample.ts";
import type { ForeignHour, Summary } from "./accumulate.ts";
import type { Cycles } from "./cycles.ts";

/**
 * An hour, or a part of a day; see ../hot/FORMAT.md. `weight` null: a number was in force from the first sample to the
 * end. `state` null: the number `last` is in force at the end; 0: neither a number nor a text. `first_offset` null: an
 * hour of Home Assistant's statistics.
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
  durations: Durations | null,
  cycles: Cycles | null,
];

/** Texts and their microseconds. A state is never an object's own key by accident. */
export interface Durations {
  readonly states: Readonly<Record<string, number>>;
  readonly other?: number;
}

/** The columns of a RollupRow, in its order. */
export const ROLLUP_COLUMNS =
  "start, count, first_offset, mean, weight, min, max, first, last, sum, increase, state, durations, cycles";

/** Where a RollupRow has what. */
export const [COUNT, FIRST_OFFSET, LAST, STATE, DURATIONS, CYCLES] = [1, 2, 8, 11, 12, 13] as const;

/** As SQLite takes and gives it: durations and cycles are JSON. */
export type SqlRow = [...figures: Figures<RollupRow>, durations: string | null, cycles: string | null];
type Figures<Row> = Row extends [...infer Figures, Durations | null, Cycles | null] ? Figures : never;

export function toSql(row: RollupRow): SqlRow {
  const [durations, cycles] = [row[DURATIONS], row[CYCLES]];
  if (durations === null && cycles === null) return row as SqlRow;
  return row.toSpliced(
    DURATIONS,
    2,
    durations && JSON.stringify(durations),
    cycles && JSON.stringify(cycles),
  ) as SqlRow;
}

export function fromSql(row: SqlRow): RollupRow {
  const [durations, cycles] = [row[DURATIONS], row[CYCLES]];
  if (durations === null && cycles === null) return row as RollupRow;
  return row.toSpliced(DURATIONS, 2, durations && JSON.parse(durations), cycles && JSON.parse(cycles)) as RollupRow;
}

export function toRow(summary: Summary): RollupRow {
  const { start, end, count, firstTs, mean, weight, min, max, first, last, sum, change, endValue, cycles } = summary;
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
    cycles,
  ];
}

/** What a row says of [its start, end). */
export function fromRow(row: RollupRow, end: Micros): Summary | ForeignHour {
  const [start, count, firstOffset, mean, weight, min, max, first, last, sum, change, , durations, cycles] = row;
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
    cycles,
    endValue: endValueOf(row),
    ...readDurations(durations),
  };
}

function endValueOf(row: RollupRow): Value {
  const state = row[STATE];
  return typeof state === "string" ? state : state === null ? row[LAST] : null;
}

function storeDurations({ durations, otherDuration }: Summary): Durations | null {
  if (durations === null) return null;
  const stored: Durations = { states: Object.fromEntries(durations) };
  return otherDuration === 0 ? stored : { ...stored, other: otherDuration };
}

const NO_DURATIONS = { durations: null, otherDuration: 0 };

function readDurations(stored: Durations | null): Pick<Summary, "durations" | "otherDuration"> {
  if (stored === null) return NO_DURATIONS;
  const { states, other = 0 } = stored;
  return { durations: new Map(Object.entries(states)), otherDuration: other };
}
