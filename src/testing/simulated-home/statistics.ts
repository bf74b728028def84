import type { Micros } from "../../domain/sample.ts";
import type { LiveEntity } from "./entity.ts";
import type { RecordedState } from "./recorder.ts";

/** An hour or five minutes of statistics; times are whole milliseconds. */
export interface StatisticsEntry {
  readonly start: number;
  readonly end: number;
  readonly min: number | null;
  readonly mean: number | null;
  readonly max: number | null;
  readonly last_reset: number | null;
  readonly sum: number | null;
  readonly state: number | null;
  readonly change: number | null;
}

const FIVE_MINUTES_MS = 300_000;
const HOUR_MS = 3_600_000;
export const PERIOD_MS: Readonly<Record<string, number>> = { "5minute": FIVE_MINUTES_MS, hour: HOUR_MS };

const UNIT_CLASSES: Readonly<Record<string, string>> = {
  "°C": "temperature",
  hPa: "pressure",
  W: "power",
  kW: "power",
  kWh: "energy",
  "m³": "volume",
  V: "voltage",
  A: "electric_current",
  "%": "unitless",
  min: "duration",
};

/** The row of recorder/list_statistic_ids; null when Home Assistant keeps no statistics of such an entity. */
export function statisticsMetadata(entity: LiveEntity, hasMeanType: boolean): Record<string, unknown> | null {
  const stateClass = entity.kind.capabilities?.state_class;
  if (entity.kind.domain !== "sensor" || stateClass === undefined) return null;
  const unit = entity.reading.attributes.unit_of_measurement ?? null;
  return metadataOf(entity.entityId, stateClass, unit, hasMeanType);
}

/** The same of an entity that is gone: it stays where there was time to compile any statistics. */
export function goneStatisticsMetadata(
  entityId: string,
  rows: readonly RecordedState[],
  until: Micros,
  hasMeanType: boolean,
): Record<string, unknown> | null {
  const last = rows.findLast(({ state }) => state !== null);
  const { state_class: stateClass, unit_of_measurement: unit = null } = JSON.parse(last?.attributesJson ?? "{}");
  if (stateClass === undefined || compileStatistics(rows, false, FIVE_MINUTES_MS, until).length === 0) return null;
  return metadataOf(entityId, stateClass, unit, hasMeanType);
}

function metadataOf(
  entityId: string,
  stateClass: unknown,
  unit: unknown,
  hasMeanType: boolean,
): Record<string, unknown> {
  const isMeter = stateClass === "total_increasing";
  return {
    statistic_id: entityId,
    display_unit_of_measurement: unit,
    has_mean: !isMeter,
    ...(hasMeanType ? { mean_type: isMeter ? 0 : 1 } : {}),
    has_sum: isMeter,
    name: null,
    source: "recorder",
    statistics_unit_of_measurement: unit,
    unit_class: typeof unit === "string" ? (UNIT_CLASSES[unit] ?? null) : null,
  };
}

interface Numbered {
  readonly at: number;
  readonly value: number;
}

/** Only finite numbers count; in between the last one holds. */
function numbers(rows: readonly RecordedState[]): Numbered[] {
  return rows
    .map((row) => ({
      at: row.lastUpdated / 1000,
      value: row.state === null || row.state === "" ? Number.NaN : Number(row.state),
    }))
    .filter(({ value }) => Number.isFinite(value));
}

function meanEntry(start: number, length: number, means: readonly StatisticsEntry[]): StatisticsEntry {
  return {
    start,
    end: start + length,
    min: Math.min(...means.map((entry) => entry.min!)),
    mean: means.reduce((sum, entry) => sum + entry.mean!, 0) / means.length,
    max: Math.max(...means.map((entry) => entry.max!)),
    last_reset: null,
    sum: null,
    state: null,
    change: null,
  };
}

/** Five minutes: weighted by time from the value carried in, or from the first one on. */
function fiveMinuteMean(
  start: number,
  carried: number | undefined,
  inside: readonly Numbered[],
): StatisticsEntry | null {
  const values = carried === undefined ? inside : [{ at: start, value: carried }, ...inside];
  const [first] = values;
  if (!first) return null;
  const end = start + FIVE_MINUTES_MS;
  let weighted = 0;
  for (const [index, { at, value }] of values.entries()) weighted += value * ((values[index + 1]?.at ?? end) - at);
  const mean = weighted / (end - first.at);
  const entry = { start, end, mean, min: mean, max: mean, last_reset: null, sum: null, state: null, change: null };
  return { ...entry, min: Math.min(...values.map((v) => v.value)), max: Math.max(...values.map((v) => v.value)) };
}

function meterEntry(start: number, length: number, state: number, sum: number, before: number): StatisticsEntry {
  const change = sum - before;
  return { start, end: start + length, min: null, mean: null, max: null, last_reset: null, sum, state, change };
}

/**
 * Statistics of one entity's rows (oldest first) for the whole buckets that end by `until`, as Home Assistant compiles
 * them: hours are plain averages of their 5-minute means; a meter that falls below nine tenths began again at 0.
 */
export function compileStatistics(
  rows: readonly RecordedState[],
  isMeter: boolean,
  periodMs: number,
  until: Micros,
): StatisticsEntry[] {
  const values = numbers(rows);
  const [first] = values;
  if (!first) return [];
  const buckets = new Map<number, StatisticsEntry[]>();
  let index = 0;
  let carried: number | undefined;
  let sum = 0;
  for (
    let start = Math.floor(first.at / FIVE_MINUTES_MS) * FIVE_MINUTES_MS;
    start + FIVE_MINUTES_MS <= until / 1000;
    start += FIVE_MINUTES_MS
  ) {
    const from = index;
    while (index < values.length && values[index]!.at < start + FIVE_MINUTES_MS) index++;
    const inside = values.slice(from, index);
    const sumBefore = sum;
    let meterState = carried;
    for (const { value } of isMeter ? inside : []) {
      if (meterState !== undefined) sum += value < 0.9 * meterState ? value : value - meterState;
      meterState = value;
    }
    const entry = isMeter
      ? meterState === undefined
        ? null
        : meterEntry(start, FIVE_MINUTES_MS, meterState, sum, sumBefore)
      : fiveMinuteMean(start, carried, inside);
    carried = inside.at(-1)?.value ?? carried;
    if (!entry) continue;
    const bucket = Math.floor(start / periodMs) * periodMs;
    buckets.set(bucket, [...(buckets.get(bucket) ?? []), entry]);
  }
  const whole = [...buckets].filter(([start]) => start + periodMs <= until / 1000);
  return whole.map(([start, entries]) => {
    if (!isMeter) return meanEntry(start, periodMs, entries);
    const last = entries.at(-1)!;
    return meterEntry(start, periodMs, last.state!, last.sum!, entries[0]!.sum! - entries[0]!.change!);
  });
}
