import type { HistoryRow } from "../domain/connection.ts";
import type { Micros, SampleColumns, Value } from "../domain/sample.ts";
import { STATE_FIELD } from "../domain/series.ts";
import { type AttributeMode, isRecordedAttribute, valueOfAttribute, valueOfState } from "./normalize.ts";

/** One entity's part of a window of history. */
export interface EntityWindow {
  /** Home Assistant's rows within the window, oldest first. */
  readonly rows: readonly HistoryRow[];
  /** Home Assistant's state in force at the window's start, where it is to be trusted rather than what is stored. */
  readonly before: HistoryRow | undefined;
  /** By field: what is stored within the window, after the last sample before it. */
  readonly stored: ReadonlyMap<string, SampleColumns>;
  readonly mode: AttributeMode;
}

/** A sample that is not stored yet. */
export interface NewSample {
  readonly field: string;
  readonly ts: Micros;
  readonly value: Value;
}

const UNAVAILABLE = "unavailable";
const NOTHING: SampleColumns = { ts: [], values: [] };

/**
 * The samples that the store would hold of these rows had it heard them live, and does not hold: the state at each
 * last_changed, each attribute where it differs from the value before it, and the ends of both.
 *
 * Home Assistant's recorder leaves attributes out (`brightness` of a light, say). So an attribute that a row lacks has
 * ended only where other rows of the entity carry it; of the rest history says nothing, except that an entity that is
 * unavailable or removed has none of them.
 */
export function samplesOf(window: EntityWindow): NewSample[] {
  const samples = stateSamples(window);
  const recorded = recordedAttributes(window);
  const fields = new Set([...recorded, ...window.stored.keys()]);
  fields.delete(STATE_FIELD);
  for (const field of fields) addAttribute(samples, field, recorded.has(field), window);
  return samples;
}

function stateSamples({ rows, before, stored }: EntityWindow): NewSample[] {
  const samples: NewSample[] = [];
  const known = new Set(stored.get(STATE_FIELD)?.ts);
  const [oldest = Number.POSITIVE_INFINITY] = known;
  // A removal before which there was nothing is that of another one, who had the name.
  let removed = before === undefined && rows[0] !== undefined && oldest >= rows[0].lastUpdated;
  for (const row of rows) {
    const value = row.state === null ? null : valueOfState(row.state);
    const ts = row.state === null ? row.lastUpdated : row.lastChanged;
    const isNew = value !== undefined && !known.has(ts) && !(value === null && removed);
    removed = value === null;
    if (!isNew) continue;
    known.add(ts);
    samples.push({ field: STATE_FIELD, ts, value });
  }
  return samples;
}

/** The attributes that Home Assistant's recorder keeps of this entity, as far as these rows show. */
function recordedAttributes({ rows, before, mode }: EntityWindow): Set<string> {
  const names = new Set<string>();
  for (const row of before ? [before, ...rows] : rows) {
    for (const name in row.attributes) if (isRecordedAttribute(name, mode)) names.add(name);
  }
  return names;
}

function addAttribute(samples: NewSample[], field: string, recorded: boolean, window: EntityWindow): void {
  const { ts, values } = window.stored.get(field) ?? NOTHING;
  const first = window.rows[0]?.lastUpdated;
  if (first === undefined) return;
  let at = 0;
  let value: Value = null;
  const heldBefore = window.before && valueIn(window.before, field, recorded);
  if (heldBefore !== undefined) {
    value = heldBefore;
    while (at < ts.length && ts[at]! < window.before!.lastUpdated) at++;
  }
  for (const row of window.rows) {
    const told = valueIn(row, field, recorded);
    if (told === undefined) continue;
    while (at < ts.length && ts[at]! <= row.lastUpdated) value = values[at++]!;
    if (told === value || (at > 0 && ts[at - 1] === row.lastUpdated)) continue;
    value = told;
    samples.push({ field, ts: row.lastUpdated, value });
  }
}

/** Undefined: the row says nothing of this attribute. */
function valueIn(row: HistoryRow, field: string, recorded: boolean): Value | undefined {
  if (row.state === null || (row.state === UNAVAILABLE && !Object.hasOwn(row.attributes, field))) return null;
  // A row without any attribute had too many of them for the recorder.
  if (!recorded || Object.keys(row.attributes).length === 0) return undefined;
  return valueOfAttribute(row.attributes[field]);
}
