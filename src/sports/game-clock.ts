import type { Game } from "../domain/game.ts";

/** Soccer counts up, with added time behind it: "67'", "45'+2'". */
const UP = /^(\d+)'(?:\+(\d+)'?)?$/;
/** Others count down: "12:34", in the last minute "34.2". */
const DOWN = /^(?:(\d+):)?(\d+(?:\.\d+)?)$/;

/**
 * Whether a look shows an earlier moment of a game than another one, as far as period and clock tell; within a period
 * by more than so many seconds. Innings have no clock, so that within one of them nothing is earlier.
 */
export function isEarlier(one: Game, other: Game, byMoreThanSeconds = 0): boolean {
  if (one.period === null || other.period === null) return false;
  if (one.period !== other.period) return one.period < other.period;
  const [first, second] = [played(one.clock), played(other.clock)];
  if (first === null || second === null || first.counts !== second.counts) return false;
  return second.seconds - first.seconds > byMoreThanSeconds;
}

/** How far a period is; comparable only between clocks that count alike. Null where the clock cannot be read. */
function played(clock: string | null): { readonly counts: "up" | "down"; readonly seconds: number } | null {
  const up = UP.exec(clock ?? "");
  if (up) return { counts: "up", seconds: (Number(up[1]) + Number(up[2] ?? 0)) * 60 };
  const down = DOWN.exec(clock ?? "");
  return down && { counts: "down", seconds: -(Number(down[1] ?? 0) * 60 + Number(down[2])) };
}
