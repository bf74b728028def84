import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type Series, STATE_FIELD } from "../domain/series.ts";
import type { SampleReader } from "../domain/store.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { StateBody } from "./state-json.ts";

/** Series that are asked for at once; others get their turn in between. */
const READ_AT_ONCE = 250;

interface Known {
  readonly series: Series;
  readonly ts: Micros;
  readonly value: Exclude<Value, null>;
}

export interface StatesAt {
  readonly rows: readonly StateBody[];
  readonly total: number;
  /** What could not be read: states may be older ones than those in force, or missing. */
  readonly warnings: ReadonlySet<string>;
}

/**
 * The first `size` states in force at a moment, by name after `after`, and how many there are at all. An entity that had
 * no state then is left out, and so is one of which nothing was heard since Home Assistant was last down.
 */
export async function readStatesAt(
  samples: SampleReader,
  entityIds: readonly string[],
  gaps: readonly Gap[],
  at: Micros,
  after: string,
  size: number,
): Promise<StatesAt> {
  const warnings = new Set<string>();
  const series = new Map(entityIds.map((entityId) => [entityId, samples.seriesOfEntity(entityId)]));
  const ofState = [...series].flatMap(([entityId, all]) => {
    const found = all.find(({ field }) => field === STATE_FIELD);
    return found === undefined ? [] : [[entityId, found] as const];
  });
  const values = await readInForce(
    samples,
    at,
    ofState.map(([, one]) => one),
    warnings,
  );
  const since = lastDowntime(gaps, at);
  const states = ofState.flatMap(([entityId], i) => {
    const state = values[i];
    return state === undefined || state.ts < since ? [] : [{ entityId, state }];
  });
  const page = states
    .filter(({ entityId }) => entityId > after)
    .sort((a, b) => (a.entityId < b.entityId ? -1 : 1))
    .slice(0, size);

  const others = page.flatMap(({ entityId }) => series.get(entityId)!.filter(({ field }) => field !== STATE_FIELD));
  const attributes = new Map<string, Known[]>();
  for (const known of await readInForce(samples, at, others, warnings)) {
    if (known === undefined) continue;
    const { subject } = known.series;
    attributes.set(subject, [...(attributes.get(subject) ?? []), known]);
  }
  const rows = page.map(({ entityId, state }) => body(entityId, state, attributes.get(state.series.subject) ?? []));
  return { rows, total: states.length, warnings };
}

/** From when on Home Assistant told nothing for the last time up to a moment. */
function lastDowntime(gaps: readonly Gap[], at: Micros): Micros {
  let last = Number.NEGATIVE_INFINITY;
  for (const { downtime } of gaps) {
    if (downtime !== null && silenceOf(downtime) <= at) last = Math.max(last, silenceOf(downtime));
  }
  return last;
}

async function readInForce(
  samples: SampleReader,
  at: Micros,
  series: readonly Series[],
  told: Set<string>,
): Promise<(Known | undefined)[]> {
  const known: (Known | undefined)[] = new Array(series.length);
  // Series are stored in the order of their numbers: those that are next to each other are read together.
  const order = series.map((_, i) => i).sort((a, b) => series[a]!.number - series[b]!.number);
  // What began at the very moment is in force, so the question ends just after it.
  const span = { start: at + 1, end: at + 1, includeStart: true, limit: 0 };
  for (let from = 0; from < order.length; from += READ_AT_ONCE) {
    const part = order.slice(from, from + READ_AT_ONCE);
    const answers = await samples.read(part.map((i) => ({ ...span, series: series[i]!.number })));
    for (const [at, { ts, values, warnings = [] }] of answers.entries()) {
      for (const warning of warnings) told.add(warning);
      const value = values[0];
      if (value != null) known[part[at]!] = { series: series[part[at]!]!, ts: ts[0]!, value };
    }
  }
  return known;
}

function body(entityId: string, state: Known, attributes: readonly Known[]): StateBody {
  const { unit, deviceClass, stateClass } = state.series;
  const updated = isoFromMicros(attributes.reduce((newest, { ts }) => Math.max(newest, ts), state.ts));
  return {
    entity_id: entityId,
    state: String(state.value),
    attributes: {
      ...Object.fromEntries(attributes.map(({ series, value }) => [series.field, value])),
      ...(unit === null ? {} : { unit_of_measurement: unit }),
      ...(deviceClass === null ? {} : { device_class: deviceClass }),
      ...(stateClass === null ? {} : { state_class: stateClass }),
    },
    last_changed: isoFromMicros(state.ts),
    last_updated: updated,
    last_reported: updated,
    context: null,
  };
}
