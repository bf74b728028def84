import type { Cycles } from "./cycles.ts";
import { CYCLES, DURATIONS, type Durations, type RollupRow, STATE } from "./row.ts";

/**
 * What is text in the hours of a day, and the cycles of a total: each text once, then of each hour that has any which
 * ones.
 */
type DayTexts = [texts: string[], ...hours: HourTexts[]];
/** Texts go by their place in the list; NEITHER: neither a number nor a text. */
type HourTexts = [hour: number, state: number | null, durations: number[] | null, other: number, cycles?: HourCycles];
type HourCycles = [first: number, before: number | null, last: number];
const NEITHER = -1;

/** As JSON; null: there is none of it. `hourOf` answers the hour of a row on its day. */
export function packTexts(rows: readonly RollupRow[], hourOf: (row: RollupRow) => number): string | null {
  const places = new Map<string, number>();
  const placeOf = (text: string): number => {
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  };
  const hours: HourTexts[] = [];
  for (const row of rows) {
    const [state, durations, cycles] = [row[STATE], row[DURATIONS], row[CYCLES]];
    if (state === null && durations === null && cycles === null) continue;
    const texts: HourTexts = [
      hourOf(row),
      typeof state === "string" ? placeOf(state) : state === null ? null : NEITHER,
      durations && Object.entries(durations.states).flatMap(([text, micros]) => [placeOf(text), micros]),
      durations?.other ?? 0,
    ];
    if (cycles !== null) texts.push([cycles.first, cycles.before, cycles.last]);
    hours.push(texts);
  }
  return hours.length === 0 ? null : JSON.stringify([[...places.keys()], ...hours] satisfies DayTexts);
}

/** The state at the end of a row, where it has one that is not its last number. */
export function stateOf(texts: string | null, hour: number): RollupRow[typeof STATE] {
  if (texts === null) return null;
  for (const [at, state] of hourTexts(texts)) if (at === hour) return state;
  return null;
}

/** What was packed, of each hour that has any. */
export function* hourTexts(
  texts: string,
): Generator<[hour: number, state: RollupRow[typeof STATE], durations: Durations | null, cycles: Cycles | null]> {
  const [names, ...hours] = JSON.parse(texts) as DayTexts;
  for (const [hour, state, stays, other, cycles] of hours) {
    yield [
      hour,
      state === null ? null : state === NEITHER ? 0 : names[state]!,
      stays && durationsOf(names, stays, other),
      cycles === undefined ? null : { first: cycles[0], before: cycles[1], last: cycles[2] },
    ];
  }
}

function durationsOf(names: readonly string[], stays: readonly number[], other: number): Durations {
  const states: [string, number][] = [];
  for (let i = 0; i < stays.length; i += 2) states.push([names[stays[i]!]!, stays[i + 1]!]);
  const durations = { states: Object.fromEntries(states) };
  return other === 0 ? durations : { ...durations, other };
}
