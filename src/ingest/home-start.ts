import type { HistoryRow } from "../domain/connection.ts";
import type { State } from "../domain/home.ts";
import type { Micros, SampleColumns, Value } from "../domain/sample.ts";
import { valueOfState } from "./normalize.ts";

/** A start of Home Assistant that a gap may hold: before it nobody recorded what happened. */
export interface HomeStart {
  /** The oldest `last_changed` of all states after the gap: it began no later than then. */
  readonly at: Micros;
  /** We met Home Assistant while it started. Otherwise its history has to show it, see `isWrittenAnew`. */
  readonly seen: boolean;
}

/**
 * Home Assistant writes every state when it starts. So where one state is older than the gap it did not start in it
 * (null), and where none is it may have: in a small home everything can change within an hour.
 */
export function homeStartSince(start: Micros, states: Iterable<State>, seen: boolean): HomeStart | null {
  let at = Number.POSITIVE_INFINITY;
  for (const { lastChanged } of states) at = Math.min(at, lastChanged);
  return Number.isFinite(at) && at > start ? { at, seen } : null;
}

/**
 * Whether an entity's first row at or after `at` is the state before it, changed anew: what a start of Home Assistant
 * does to a state, once, and hardly anything else. One that is changed anew again after that is a sensor that tells its
 * value over and over (`force_update`). `known`: what is stored, for the state before the first of the rows.
 */
export function isWrittenAnew(at: Micros, rows: readonly HistoryRow[], known: SampleColumns | undefined): boolean {
  const index = rows.findIndex(({ lastUpdated }) => lastUpdated >= at);
  const row = rows[index];
  if (row === undefined) return false;
  const stored = known?.ts.findLastIndex((ts) => ts < row.lastUpdated) ?? -1;
  const before = index > 0 ? valueIn(rows[index - 1]!) : stored >= 0 ? known!.values[stored]! : null;
  const later = rows.slice(index + 1);
  return isRepeated(row, before) && !later.some((next, i) => isRepeated(next, valueIn(rows[index + i]!)));
}

function isRepeated(row: HistoryRow, before: Value): boolean {
  return row.lastChanged === row.lastUpdated && before !== null && valueIn(row) === before;
}

/** Null: the entity was removed. */
function valueIn({ state }: HistoryRow): Value {
  return state === null ? null : (valueOfState(state) ?? null);
}
