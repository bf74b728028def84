import { type Gap, silenceOf } from "../domain/gaps.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { Micros, Value } from "../domain/sample.ts";
import { type Series, STATE_FIELD } from "../domain/series.ts";
import type { SampleReader } from "../domain/store.ts";
import { isoFromMicros } from "../lib/time.ts";
import { seriesOfLive } from "./parts.ts";
import type { StateBody } from "./state-json.ts";

/** Series that are asked for at once; others get their turn in between. */
export const READ_AT_ONCE = 250;

/** What was in force, and since when. */
export interface Known<S = Series> {
  readonly series: S;
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
  home: Pick<HomeReader, "entity">,
  entityIds: readonly string[],
  gaps: readonly Gap[],
  at: Micros,
  after: string,
  size: number,
): Promise<StatesAt> {
  const warnings = new Set<string>();
  const series = new Map(entityIds.map((entityId) => [entityId, seriesOfName(entityId, samples, home)]));
  const ofState = [...series].flatMap(([entityId, all]) => {
    const found = all.find(({ field }) => field === STATE_FIELD);
    return found === undefined ? [] : [[entityId, found] as const];
  });
  const values = await readInForce(
    samples,
    ofState.map(([, one]) => ({ series: one, at })),
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

  const others = page.flatMap(({ entityId }) => attributesAmong(series.get(entityId)!));
  const attributes = new Map<string, Known[]>();
  const asked = others.map((one) => ({ series: one, at }));
  for (const known of await readInForce(samples, asked, warnings)) {
    if (known === undefined) continue;
    const { subject } = known.series;
    attributes.set(subject, [...(attributes.get(subject) ?? []), known]);
  }
  const rows = page.map(({ entityId, state }) => body(entityId, state, attributes.get(state.series.subject) ?? []));
  return { rows, total: states.length, warnings };
}

/** Of who goes by the name; of who had it before where nobody does. */
function seriesOfName(entityId: string, samples: SampleReader, home: Pick<HomeReader, "entity">): readonly Series[] {
  const found = samples.seriesOfEntity(entityId);
  const row = found.length > 0 && found[0]!.name !== entityId ? home.entity(entityId) : undefined;
  return row?.removed_at === null ? seriesOfLive(row, samples) : found;
}

/** From when on Home Assistant told nothing for the last time up to a moment. */
function lastDowntime(gaps: readonly Gap[], at: Micros): Micros {
  let last = Number.NEGATIVE_INFINITY;
  for (const { downtime } of gaps) {
    if (downtime !== null && silenceOf(downtime) <= at) last = Math.max(last, silenceOf(downtime));
  }
  return last;
}

/** Of an entity's series those of its attributes. */
export function attributesAmong(series: readonly Series[]): Series[] {
  return series.filter(({ field }) => field !== STATE_FIELD);
}

/** What was in force in each series at its moment, what began then included; undefined: nothing was. */
export async function readInForce<S extends Pick<Series, "number">>(
  samples: SampleReader,
  asked: readonly { readonly series: S; readonly at: Micros }[],
  told: Set<string>,
): Promise<(Known<S> | undefined)[]> {
  const known: (Known<S> | undefined)[] = new Array(asked.length);
  // Series are stored in the order of their numbers: those that are next to each other are read together.
  const order = asked.map((_, i) => i).sort((a, b) => asked[a]!.series.number - asked[b]!.series.number);
  for (let from = 0; from < order.length; from += READ_AT_ONCE) {
    const part = order.slice(from, from + READ_AT_ONCE);
    const answers = await samples.read(
      part.map((i) => {
        const { series, at } = asked[i]!;
        // What began at the very moment is in force, so the question ends just after it.
        return { series: series.number, start: at + 1, end: at + 1, includeStart: true, limit: 0 };
      }),
    );
    for (const [place, { ts, values, warnings = [] }] of answers.entries()) {
      for (const warning of warnings) told.add(warning);
      const value = values[0];
      const { series } = asked[part[place]!]!;
      if (value != null) known[part[place]!] = { series, ts: ts[0]!, value };
    }
  }
  return known;
}

/** As Home Assistant names them; of what an attribute's history does not have the present ones. */
export function attributesOf(state: Series, attributes: readonly Known[]): Record<string, unknown> {
  const { unit, deviceClass, stateClass } = state;
  return {
    ...Object.fromEntries(attributes.map(({ series, value }) => [series.field, value])),
    ...(unit === null ? {} : { unit_of_measurement: unit }),
    ...(deviceClass === null ? {} : { device_class: deviceClass }),
    ...(stateClass === null ? {} : { state_class: stateClass }),
  };
}

function body(entityId: string, state: Known, attributes: readonly Known[]): StateBody {
  const updated = isoFromMicros(attributes.reduce((newest, { ts }) => Math.max(newest, ts), state.ts));
  return {
    entity_id: entityId,
    state: String(state.value),
    attributes: attributesOf(state.series, attributes),
    last_changed: isoFromMicros(state.ts),
    last_updated: updated,
    last_reported: updated,
    context: null,
  };
}
