import type { Game } from "../domain/game.ts";
import { finalGame, gameOf, HOUR, KICKOFF, liveGame, MINUTE, teamOf } from "./games.ts";

/**
 * Games look by look, named after the rules of docs/sports.md, and what each look tells. Looks are half a minute apart
 * from the kick-off on, after a first one an hour before; what needs time to be believed says "confirmed".
 */
export const SEQUENCES: Readonly<Record<string, readonly (readonly [Game, ...string[]])[]>> = {
  "1: the first look is a baseline, then changes are live": [
    [liveGame(7, 3, { period: 2 })],
    [liveGame(7, 3, { period: 2 })],
    [liveGame(7, 6, { period: 2 }), "score_changed 7:6"],
  ],
  "1: a game first seen after its end tells nothing": [[finalGame(7, 3)], [finalGame(7, 3)]],
  "2: pre, in, post": [
    [gameOf()],
    [liveGame(0, 0), "game_started 0:0"],
    [liveGame(0, 7), "score_changed 0:7"],
    [liveGame(0, 7, { period: 2 }), "period_changed 0:7"],
    [liveGame(0, 7, { period: 2, statusName: "HALFTIME" }), "halftime 0:7"],
    [liveGame(0, 7, { period: 3 }), "period_changed 0:7"],
    [finalGame(0, 7), "game_ended 0:7"],
    [finalGame(0, 7)],
  ],
  "2: a game missed whole": [
    [gameOf()],
    [finalGame(21, 17), "game_started 21:17", "score_changed 21:17", "game_ended 21:17"],
  ],
  "2: a game missed until half-time": [
    [gameOf()],
    [liveGame(1, 0, { statusName: "HALFTIME" }), "game_started 1:0", "score_changed 1:0", "halftime 1:0"],
    [liveGame(1, 0, { statusName: "HALFTIME" })],
    [liveGame(1, 0, { period: 2, statusName: "SECOND_HALF" }), "period_changed 1:0"],
    [liveGame(1, 0, { statusName: "HALFTIME" })],
  ],
  "2: a game first seen in its third period": [
    [gameOf()],
    [liveGame(0, 0, { period: 3 }), "game_started 0:0", "period_changed 0:0"],
  ],
  "3: several points, both sides at once": [
    [liveGame(0, 0)],
    [liveGame(14, 0), "score_changed 14:0"],
    [liveGame(17, 7), "score_changed 17:7"],
  ],
  "3: a score taken back, and given again": [
    [liveGame(7, 0)],
    [liveGame(0, 0), "score_corrected 0:0"],
    [liveGame(7, 0), "score_changed 7:0"],
  ],
  "3: an older answer of a cache is no correction, nor a score again": [
    [liveGame(0, 0, { clock: "10:03" })],
    [liveGame(7, 0, { clock: "10:00" }), "score_changed 7:0"],
    [liveGame(0, 0, { clock: "10:03" })],
    [liveGame(7, 0, { clock: "9:41" })],
    [liveGame(6, 0, { clock: "9:41" }), "score_corrected 6:0"],
    [liveGame(6, 3, { period: 2, clock: "15:00" }), "period_changed 6:3", "score_changed 6:3"],
    [liveGame(6, 0, { clock: "0:10" })],
    [liveGame(6, 3, { period: 2, clock: "14:30" })],
  ],
  "3: an older answer from before a correction gives no points back": [
    [liveGame(0, 0, { clock: "10:30" })],
    [liveGame(7, 0, { clock: "10:00" }), "score_changed 7:0"],
    [liveGame(6, 0, { clock: "9:30" }), "score_corrected 6:0"],
    [liveGame(7, 0, { clock: "10:00" })],
    [liveGame(6, 0, { clock: "9:20" })],
    [liveGame(9, 0, { clock: "9:24" }), "score_changed 9:0"],
  ],
  "3: a correction with the clock set back, confirmed": [
    [liveGame(0, 0, { clock: "10:03" })],
    [liveGame(7, 0, { clock: "10:00" }), "score_changed 7:0"],
    [liveGame(0, 0, { clock: "10:02" })],
    [liveGame(0, 0, { clock: "10:02" })],
    [liveGame(0, 0, { clock: "10:02" }), "score_corrected 0:0"],
    [liveGame(3, 0, { clock: "9:50" }), "score_changed 3:0"],
  ],
  "3: the points of one side go to the other": [[liveGame(7, 0)], [liveGame(0, 7), "score_corrected 0:7"]],
  "3: a final is corrected": [
    [liveGame(20, 21)],
    [finalGame(20, 21), "game_ended 20:21"],
    [finalGame(23, 21), "final_corrected 23:21"],
    [finalGame(23, 21)],
  ],
  "4: one look back before the start is no news": [
    [liveGame(1, 0)],
    [gameOf({ home: { score: null }, away: { score: null } })],
    [liveGame(1, 0)],
    [gameOf()],
    [gameOf()],
    [liveGame(1, 0)],
  ],
  "4: a start that was none, confirmed": [
    [gameOf()],
    [liveGame(0, 0), "game_started 0:0"],
    [gameOf()],
    [gameOf()],
    [gameOf(), "game_delayed 0:0"],
    [gameOf()],
    [liveGame(0, 0), "game_resumed 0:0"],
  ],
  "4: an end that was none, confirmed": [
    [liveGame(3, 0)],
    [finalGame(3, 0), "game_ended 3:0"],
    [liveGame(3, 0)],
    [finalGame(3, 0)],
    [liveGame(3, 0)],
    [liveGame(3, 0)],
    [liveGame(3, 0), "game_resumed 3:0"],
    [finalGame(3, 3), "score_changed 3:3", "game_ended 3:3"],
  ],
  "4: a result does not go away": [
    [finalGame(3, 0)],
    [gameOf()],
    [gameOf()],
    [gameOf()],
    [gameOf()],
    [finalGame(3, 0)],
  ],
  "5: a delay before the start": [
    [gameOf()],
    [gameOf({ statusName: "DELAYED" }), "game_delayed 0:0"],
    [liveGame(0, 0), "game_started 0:0"],
  ],
  "5: rain in the first inning before a pitch, then in the fifth": [
    [gameOf({ period: 1 })],
    [liveGame(0, 0, { statusName: "RAIN_DELAY" }), "game_delayed 0:0"],
    [liveGame(0, 0), "game_started 0:0"],
    [liveGame(0, 1, { period: 5 }), "period_changed 0:1", "score_changed 0:1"],
    [liveGame(0, 1, { period: 5, statusName: "RAIN_DELAY" }), "game_delayed 0:1"],
    [liveGame(0, 1, { period: 5, statusName: "RAIN_DELAY" })],
    [liveGame(0, 1, { period: 5 }), "game_resumed 0:1"],
  ],
  "5: suspended, and resumed on another day": [
    [liveGame(3, 2, { period: 7 })],
    [liveGame(3, 3, { period: 7, phase: "post", statusName: "SUSPENDED" }), "score_changed 3:3", "game_suspended 3:3"],
    [gameOf({ start: KICKOFF + 20 * HOUR }), "game_rescheduled 3:3"],
    [gameOf({ start: KICKOFF + 20 * HOUR })],
    [liveGame(3, 3, { period: 7, start: KICKOFF + 20 * HOUR }), "game_resumed 3:3"],
    [finalGame(4, 3, { period: 9, start: KICKOFF + 20 * HOUR }), "score_changed 4:3", "game_ended 4:3"],
  ],
  "6: postponed, moved, still named so, and played": [
    [gameOf()],
    [gameOf({ phase: "post", statusName: "POSTPONED" }), "game_postponed 0:0"],
    [gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 1440 * HOUR }), "game_rescheduled 0:0"],
    [gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 1440 * HOUR })],
    [gameOf({ start: KICKOFF + 1440 * HOUR }), "game_rescheduled 0:0"],
    [gameOf({ start: KICKOFF + 1440 * HOUR })],
    [liveGame(0, 0, { start: KICKOFF + 1440 * HOUR }), "game_started 0:0"],
  ],
  "6: postponed with its new date at once": [
    [gameOf()],
    [
      gameOf({ phase: "post", statusName: "POSTPONED", start: KICKOFF + 48 * HOUR }),
      "game_postponed 0:0",
      "game_rescheduled 0:0",
    ],
  ],
  "6: called off, whatever its name says of completion": [
    [gameOf()],
    [gameOf({ phase: "post", completed: true, statusName: "CANCELED" }), "game_canceled"],
    [gameOf({ phase: "post", completed: true, statusName: "CANCELED" })],
  ],
  "6: abandoned while it was played": [
    [liveGame(2, 0)],
    [liveGame(2, 0, { phase: "post", statusName: "ABANDONED" }), "game_canceled"],
  ],
  "6: washed out, and begun anew on another day": [
    [liveGame(2, 0)],
    [gameOf({ start: KICKOFF + 24 * HOUR }), "game_rescheduled 0:0"],
    [liveGame(0, 0, { start: KICKOFF + 24 * HOUR }), "game_started 0:0"],
  ],
  "7: ends of periods are no ends": [
    [liveGame(20, 20, { period: 4 })],
    [liveGame(20, 20, { period: 4, statusName: "END_PERIOD" })],
    [liveGame(20, 20, { period: 4, statusName: "END_OF_REGULATION" })],
    [liveGame(20, 20, { period: 5, statusName: "OVERTIME" }), "period_changed 20:20"],
    [liveGame(1, 1, { period: 5, statusName: "SHOOTOUT" }), "score_corrected 1:1"],
    [finalGame(1, 1, { period: 5, statusName: "FINAL_PEN" }), "game_ended 1:1"],
  ],
  "9: another way to write the same moment is no news; a new one is": [
    [gameOf()],
    [gameOf({ start: KICKOFF })],
    [gameOf({ start: KICKOFF + 15 * MINUTE }), "game_rescheduled 0:0"],
  ],
  "9: placeholders become teams, and an open time is set": [
    [gameOf({ home: { team: teamOf("900", "RD32", "Round of 32") }, timeValid: false })],
    [gameOf({ timeValid: false }), "game_scheduled 0:0"],
    [gameOf({ timeValid: false, start: KICKOFF + HOUR })],
    [gameOf({ start: KICKOFF + HOUR }), "game_scheduled 0:0"],
    [gameOf({ timeValid: false, start: KICKOFF + 48 * HOUR }), "game_rescheduled 0:0"],
  ],
  "10: looks that contradict themselves are no news": [
    [liveGame(7, 0)],
    [liveGame(9, 9, { statusName: "SCHEDULED" })],
    [liveGame(9, 9, { statusName: "FINAL" })],
    [liveGame(9, 9, { completed: true })],
    [finalGame(9, 9, { completed: false })],
    [finalGame(9, 9, { statusName: "SCHEDULED" })],
    [gameOf({ statusName: "FINAL" })],
    [liveGame(9, 9, { phase: null })],
    [liveGame(9, 9, { phase: "post", completed: false, statusName: "CUT" })],
    [liveGame(0, 0, { home: { score: null }, away: { score: null }, period: null, clock: null })],
    [liveGame(7, 0)],
  ],
  "10: a game first seen without a score begins with the first that is seen": [
    [withScores(null, null)],
    [withScores(null, 17)],
    [liveGame(14, 10, { period: 2 })],
    [liveGame(14, 17, { period: 2 }), "score_changed 14:17"],
  ],
  "10: a start is told with the first score that is seen": [
    [gameOf()],
    [withScores(null, null)],
    [withScores(0, null)],
    [withScores(null, null, { period: 2, statusName: "RAIN_DELAY" })],
    [liveGame(0, 3, { period: 2 }), "game_started 0:3", "period_changed 0:3", "score_changed 0:3"],
  ],
  "10: a score of one side alone, or below zero, is no news": [
    [liveGame(14, 10)],
    [withScores(null, 17, { period: 2 })],
    [withScores(21, null, { phase: "post", completed: true, statusName: "FINAL" })],
    [withScores(-3, 17)],
    [withScores(14, null, { statusName: "RAIN_DELAY" })],
    [liveGame(14, 10)],
    [finalGame(14, 17), "score_changed 14:17", "game_ended 14:17"],
    [withScores(17, null, { phase: "post", completed: true, statusName: "FINAL" })],
  ],
  "10: without a score of either side the known one stays, and the game goes on": [
    [liveGame(7, 0)],
    [withScores(null, null, { period: 2, statusName: "HALFTIME" }), "period_changed 7:0", "halftime 7:0"],
    [withScores(null, null, { phase: "post", completed: true, statusName: "FINAL" }), "game_ended 7:0"],
  ],
  "10: names never seen before follow phase and completion": [
    [gameOf({ statusName: "WARMING_UP" })],
    [liveGame(0, 0, { statusName: "THIRD_HALF" }), "game_started 0:0"],
    [finalGame(0, 0, { statusName: null }), "game_ended 0:0"],
  ],
  "10: a provider that swaps the sides": [
    [liveGame(7, 3)],
    [swapped(liveGame(7, 3))],
    [swapped(liveGame(14, 3)), "score_changed 14:3"],
  ],
};

function withScores(home: number | null, away: number | null, changes: Parameters<typeof liveGame>[2] = {}): Game {
  return liveGame(0, 0, { ...changes, home: { score: home }, away: { score: away } });
}

function swapped(game: Game): Game {
  return { ...game, home: game.away, away: game.home };
}
