import { gameKey } from "../domain/game.ts";
import { isoOrNull } from "../domain/game-json.ts";
import type { Micros, SampleColumns, Value } from "../domain/sample.ts";
import type { SampleReader } from "../domain/store.ts";
import type { Listed } from "./game-lists.ts";

/** Looks at one game, at most: a day of one every 10 s. */
const LOOKS_MAX = 10_000;
const DAY = 86_400_000_000;
const FIELDS = ["home_score", "away_score", "period", "clock", "status"] as const;
type Field = (typeof FIELDS)[number];
/** What makes a row of its own; a clock that goes on does not. */
const TELLING: readonly Field[] = ["home_score", "away_score", "period", "status"];

interface Change {
  readonly ts: Micros;
  readonly field: Field;
  readonly value: Value;
}

/** How a game went: a row wherever score, period or condition changed, at the time at which that was seen. */
export async function readTimeline(
  samples: Pick<SampleReader, "read" | "seriesOfSubject">,
  { game, tracked }: Listed,
  now: Micros,
) {
  const byField = new Map(samples.seriesOfSubject("game", gameKey(game)).map((series) => [series.field, series]));
  const present = FIELDS.flatMap((field) => {
    const series = byField.get(field);
    return series ? [{ field, series: series.number }] : [];
  });
  const { startedAt, endedAt } = tracked ?? { startedAt: null, endedAt: null };
  // A game is looked at from the day before its start on, and finals are corrected within a day.
  const start = Math.min(game.start ?? now, startedAt ?? now) - 3 * DAY;
  const span = { start, end: (endedAt ?? now) + 2 * DAY, limit: LOOKS_MAX };
  const columns = present.length === 0 ? [] : await samples.read(present.map(({ series }) => ({ series, ...span })));
  const changes = columns.flatMap((column, i) => changesOf(present[i]!.field, column)).sort((a, b) => a.ts - b.ts);
  const final = tracked?.condition === "final" ? tracked.score : null;
  return {
    game_id: game.id,
    league: game.league,
    home_team: game.home.team.abbreviation,
    away_team: game.away.team.abbreviation,
    timeline: rowsOf(changes),
    final_score: final && { home: final.home, away: final.away },
    duration_minutes:
      startedAt === null || endedAt === null ? null : Math.round((endedAt - startedAt) / 6_000_000) / 10,
  };
}

function changesOf(field: Field, { ts, values }: SampleColumns): Change[] {
  return ts.map((moment, i) => ({ ts: moment, field, value: values[i]! }));
}

function rowsOf(changes: readonly Change[]) {
  const rows: ReturnType<typeof rowOf>[] = [];
  const state: Partial<Record<Field, Value>> = {};
  for (let at = 0; at < changes.length; ) {
    const { ts } = changes[at]!;
    let tells = false;
    for (; changes[at]?.ts === ts; at++) {
      const { field, value } = changes[at]!;
      state[field] = value;
      tells ||= TELLING.includes(field);
    }
    if (tells) rows.push(rowOf(ts, state));
  }
  return rows;
}

function rowOf(ts: Micros, state: Readonly<Partial<Record<Field, Value>>>) {
  const { home_score = null, away_score = null, period = null, clock = null, status = null } = state;
  return {
    time: isoOrNull(ts)!,
    home_score,
    away_score,
    period,
    quarter: period,
    // A clock without digits is text, and one like "12" a number to the store.
    time_remaining: clock === null ? null : String(clock),
    status,
  };
}
