import { DURATIONS, type Durations, type RollupRow, STATE } from "./row.ts";

/** What is text in the hours of a day: each text once, then of each hour that has any which ones. */
type DayTexts = [texts: string[], ...hours: HourTexts[]];
/** Texts go by their place in the list; NEITHER: neither a number nor a text. */
type HourTexts = [hour: number, state: number | null, durations: number[] | null, other: number];
const NEITHER = -1;

/** As JSON; null: nothing is text. `hourOf` answers the hour of a row on its day. */
export function packTexts(rows: readonly RollupRow[], hourOf: (row: RollupRow) => number): string | null {
  const places = new Map<string, number>();
  const placeOf = (text: string): number => {
    const place = places.get(text) ?? places.size;
    places.set(text, place);
    return place;
  };
  const hours: HourTexts[] = [];
  for (const row of rows) {
    const [state, durations] = [row[STATE], row[DURATIONS]];
    if (state === null && durations === null) continue;
    hours.push([
      hourOf(row),
      typeof state === "string" ? placeOf(state) : state === null ? null : NEITHER,
      durations && Object.entries(durations.states).flatMap(([text, micros]) => [placeOf(text), micros]),
      durations?.other ?? 0,
    ]);
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
export function* hourTexts(texts: string): Generator<[number, RollupRow[typeof STATE], Durations | null]> {
  const [names, ...hours] = JSON.parse(texts) as DayTexts;
  for (const [hour, state, stays, other] of hours) {
    yield [
      hour,
      state === null ? null : state === NEITHER ? 0 : names[state]!,
      stays && durationsOf(names, stays, other),
    ];
  }
}

function durationsOf(names: readonly string[], stays: readonly number[], other: number): Durations {
  const states: [string, number][] = [];
  for (let i = 0; i < stays.length; i += 2) states.push([names[stays[i]!]!, stays[i + 1]!]);
  const durations = { states: Object.fromEntries(states) };
  return other === 0 ? durations : { ...durations, other };
}
