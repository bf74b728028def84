import assert from "node:assert/strict";
import { test } from "node:test";
import { type Game, type Scoreboard, SourceFailure, type SourceFault, type TrackedGame } from "../../domain/game.ts";
import { conditionOf } from "../../domain/game-condition.ts";
import { silentLog } from "../../lib/log.ts";
import { track } from "../../sports/tracker.ts";
import { eventText, finalGame, gameOf, HOUR, KICKOFF, liveGame, MINUTE } from "../../testing/games.ts";
import { gameDay } from "./game-day.ts";
import type { SecondSource } from "./nhl.ts";
import { createPoller } from "./poller.ts";

interface Simulation {
  /** What the provider shows at a time; a fault in place of games fails. */
  readonly shows: (at: number, day: string) => readonly Game[] | SourceFault;
  readonly second?: (games: readonly Game[], at: number) => readonly Game[];
  readonly from: number;
  readonly until: number;
  readonly pollSeconds?: number;
}

interface Run {
  /** Minutes after the kick-off at which the provider was asked, and for which day. */
  readonly asked: { readonly minute: number; readonly day: string }[];
  readonly taken: Scoreboard[];
  readonly told: string[];
  readonly events: string[];
  readonly states: Set<string>;
}

/** A poller over hours, in no time: sleeping moves the clock. */
async function simulate({ shows, second, from, until, pollSeconds }: Simulation): Promise<Run> {
  let at = from;
  let over!: () => void;
  const ended = new Promise<void>((resolve) => {
    over = resolve;
  });
  const run: Run = { asked: [], taken: [], told: [], events: [], states: new Set() };
  const known = new Map<string, TrackedGame>();
  const other: SecondSource = {
    name: "other",
    covers: () => true,
    look: async (games) => second?.(games, at) ?? [],
  };
  const poller = createPoller({
    provider: {
      name: "espn",
      covers: () => true,
      async scoreboard(_league, day) {
        run.asked.push({ minute: (at - KICKOFF) / MINUTE, day });
        const shown = shows(at, day);
        if (typeof shown === "string") throw new SourceFailure(shown, `It is ${shown}`);
        return { games: shown, skipped: 0, truncated: false, unchanged: false };
      },
      teams: async () => [],
      schedule: async () => [],
    },
    second: second ? other : null,
    listener: {
      leagues: () => ["nfl"],
      follows: () => true,
      known: () => [...known.values()],
      async take(scoreboard) {
        run.taken.push(scoreboard);
        for (const game of scoreboard.games) {
          const { requestedAt, receivedAt, confirmations } = scoreboard;
          const look = { requestedAt, receivedAt, confirmation: confirmations.get(game.id) };
          const { tracked, events } = track(known.get(game.id), game, look);
          if (tracked) known.set(game.id, tracked);
          for (const { type, score } of events) run.events.push(eventText(type, score));
        }
      },
      isFailing: () => false,
      async sourceChanged(_league, { state, source }) {
        run.told.push(`${state} ${source}`);
      },
    },
    pollSeconds: pollSeconds ?? null,
    log: silentLog(),
    now: () => at,
    monotonic: () => at / 1000,
    random: () => 0.5,
    sleep: (ms, signal) => {
      for (const { state } of poller.status()) run.states.add(state);
      at += ms * 1000;
      if (at < until) return Promise.resolve();
      over();
      return new Promise((_, reject) => signal.addEventListener("abort", reject));
    },
  });
  poller.refresh();
  await ended;
  await poller.close();
  return run;
}

/** A game as it goes: 0:0 until minute 30, then 0:7, half-time from 90 to 105, over at 190. */
function course(at: number, day: string): readonly Game[] {
  if (day !== gameDay(KICKOFF)) return [];
  const minute = (at - KICKOFF) / MINUTE;
  if (minute < 1) return [gameOf()];
  if (minute >= 190) return [finalGame(0, 7)];
  const statusName = minute >= 90 && minute < 105 ? "HALFTIME" : "IN_PROGRESS";
  return [liveGame(0, minute < 30 ? 0 : 7, { statusName, period: minute < 105 ? 2 : 3 })];
}

const count = (run: Run, from: number, to: number): number =>
  run.asked.filter(({ minute }) => minute >= from && minute < to).length;

test("createPoller() looks as often as the games are urgent, and then at their day alone", async () => {
  const run = await simulate({ shows: course, from: KICKOFF - 12 * HOUR, until: KICKOFF + 6 * HOUR });
  assert.deepEqual(run.events, [
    "game_started 0:0",
    "period_changed 0:0",
    "score_changed 0:7",
    "halftime 0:7",
    "period_changed 0:7",
    "game_ended 0:7",
  ]);
  // Ten hours of rounds over three days, every 45 minutes.
  assert.ok(count(run, -720, -120) <= 14 * 3, `${count(run, -720, -120)} before`);
  // Two hours of 5 minutes, one day, with a round of three days each half an hour.
  assert.ok(count(run, -119, 0) >= 20 && count(run, -119, 0) <= 40, `${count(run, -119, 0)} shortly before`);
  // 22.5 s, and rounds.
  assert.ok(count(run, 1, 90) >= 230 && count(run, 1, 90) <= 250, `${count(run, 1, 90)} live`);
  assert.ok(count(run, 91, 104) >= 12 && count(run, 91, 104) <= 17, `${count(run, 91, 104)} at half-time`);
  assert.ok(count(run, 192, 360) <= 5 * 3, `${count(run, 192, 360)} afterwards`);
  const live = run.asked.filter(({ minute }) => minute > 10 && minute < 39);
  const otherDays = live.filter(({ day }) => day !== gameDay(KICKOFF));
  assert.ok(live.length > 60 && otherDays.length <= 2, `${otherDays.length} of ${live.length} for other days`);
});

test("createPoller() learns of a start within half a minute of what the provider shows", async () => {
  const run = await simulate({ shows: course, from: KICKOFF - 3 * HOUR, until: KICKOFF + 10 * MINUTE });
  const first = run.taken.find(({ games }) => games.some((game) => conditionOf(game) === "live"))!;
  const late = (first.receivedAt - KICKOFF) / MINUTE - 1;
  assert.ok(late >= 0 && late <= 0.5, `${late} minutes`);
});

test("createPoller() asks for new days after midnight in the East, and forgets old ones", async () => {
  const run = await simulate({ shows: () => [], from: KICKOFF, until: KICKOFF + 20 * HOUR });
  assert.deepEqual([...new Set(run.asked.map(({ day }) => day))].sort(), [
    "2026-11-28",
    "2026-11-29",
    "2026-11-30",
    "2026-12-01",
  ]);
  assert.deepEqual(run.states, new Set(["empty"]));
});

test("createPoller() holds to a pace that somebody chose", async () => {
  const run = await simulate({ shows: course, from: KICKOFF, until: KICKOFF + HOUR, pollSeconds: 60 });
  assert.equal(run.asked.length, 60 * 3);
});

test("createPoller() goes further and further away from a source that fails, tells of it once, and of its end", async () => {
  const back = KICKOFF + 14 * HOUR;
  const run = await simulate({
    shows: (at) => (at < back ? "blocked" : []),
    from: KICKOFF,
    until: KICKOFF + 16 * HOUR,
  });
  assert.deepEqual(run.told, ["blocked null", "empty espn"]);
  assert.ok(count(run, 0, 60) <= 10, `${count(run, 0, 60)} in the first hour`);
  assert.ok(count(run, 60, 14 * 60) <= 13 * 3, `${count(run, 60, 840)} in the hours after`);
  assert.ok(count(run, 14 * 60, 14 * 60 + 31) >= 1, "it is found again within half an hour");
});

for (const fault of ["bad_request", "down", "malformed"] as const) {
  test(`createPoller() goes on with a day's games where others are ${fault}, and says so`, async () => {
    const today = gameDay(KICKOFF);
    const run = await simulate({
      shows: (at, day) => (day === today ? course(at, day) : fault),
      from: KICKOFF - MINUTE,
      until: KICKOFF + 4 * HOUR,
    });
    assert.equal(run.events.length, 6);
    assert.equal(run.events.at(-1), "game_ended 0:7");
    assert.deepEqual([...run.states], [fault]);
    assert.deepEqual(run.told, []);
    assert.ok(count(run, 1, 90) >= 220, `${count(run, 1, 90)} live`);
    const others = run.asked.filter(({ day }) => day !== today);
    assert.ok(others.length <= 2 * 10, `${others.length} for the other days`);
  });
}

for (const fault of ["bad_request", "down", "malformed"] as const) {
  test(`createPoller() goes on with a game that is played past midnight where the new day is ${fault}`, async () => {
    const evening = gameDay(KICKOFF);
    const late = (game: Game): Game => ({ ...game, start: KICKOFF + 7 * HOUR });
    const run = await simulate({
      shows: (at, day) => (day > evening ? fault : course(at - 7 * HOUR, day).map(late)),
      from: KICKOFF + 6 * HOUR,
      until: KICKOFF + 12 * HOUR,
    });
    assert.equal(run.events.at(-1), "game_ended 0:7");
    assert.deepEqual([...run.states], [fault]);
    const played = (from: number, to: number): number => count(run, from + 7 * 60, to + 7 * 60);
    assert.ok(played(105, 190) >= 180, `${played(105, 190)} after midnight`);
    assert.ok(count(run, 11 * 60, 12 * 60) <= 40, `${count(run, 11 * 60, 12 * 60)} once nothing is played`);
  });
}

test("createPoller() asks a source that is down once at a time while a game is played", async () => {
  const run = await simulate({
    shows: (at, day) => (at > KICKOFF + 20 * MINUTE ? "down" : course(at, day)),
    from: KICKOFF - MINUTE,
    until: KICKOFF + HOUR,
  });
  assert.ok(count(run, 21, 60) <= 12, `${count(run, 21, 60)} while it was down`);
});

test("createPoller() takes what came before a source begins to refuse", async () => {
  const today = gameDay(KICKOFF);
  const run = await simulate({
    shows: (at, day) => (day === today ? course(at, day) : "limited"),
    from: KICKOFF - MINUTE,
    until: KICKOFF + 2 * HOUR,
  });
  assert.ok(run.events.includes("game_started 0:0"));
  assert.ok(run.told.includes("limited espn") || run.told.includes("limited null"), run.told.join());
});

/** Shown under its own day alone, as ESPN does: 0:7 while we look, then out of sight for days, 0:14 at the end. */
function longOutage(at: number, day: string): readonly Game[] | SourceFault {
  const minute = (at - KICKOFF) / MINUTE;
  if (minute >= 40 && minute < 4 * 24 * 60) return "down";
  if (day !== gameDay(KICKOFF)) return [];
  return minute >= 190 ? [finalGame(0, 14)] : course(at, day);
}

for (const pollSeconds of [null, 600]) {
  test(`createPoller() learns the end of a game that it missed for days${pollSeconds ? ", at a chosen pace" : ""}`, async () => {
    const run = await simulate({
      shows: longOutage,
      from: KICKOFF - MINUTE,
      until: KICKOFF + 5 * 24 * HOUR,
      ...(pollSeconds && { pollSeconds }),
    });
    assert.equal(run.events.at(-1), "game_ended 0:14");
    assert.deepEqual(
      run.events.filter((event) => event.startsWith("score")),
      ["score_changed 0:7"],
    );
    const after = run.asked.filter(({ minute }) => minute > (4 * 24 + 1) * 60);
    assert.ok(
      after.every(({ day }) => day > gameDay(KICKOFF)),
      "it is asked for after its end is known",
    );
  });
}

const elsewhere = (at: number): Game => ({ ...course(at, gameDay(KICKOFF))[0]!, source: "other" });

test("createPoller() asks the second source in an outage, which then keeps the game to its end", async () => {
  const run = await simulate({
    shows: (at, day) => (at > KICKOFF - 40 * MINUTE && at < KICKOFF + 100 * MINUTE ? "down" : course(at, day)),
    second: (_games, at) => [elsewhere(at)],
    from: KICKOFF - HOUR,
    until: KICKOFF + 4 * HOUR,
  });
  assert.deepEqual(run.events, [
    "game_started 0:0",
    "period_changed 0:0",
    "score_changed 0:7",
    "halftime 0:7",
    "period_changed 0:7",
    "game_ended 0:7",
  ]);
  const sources = new Set(run.taken.flatMap(({ games }) => games.map(({ source }) => source)));
  assert.deepEqual(sources, new Set(["espn", "other"]));
});

test("createPoller() has a game ended by the second source when its own has gone, and no score mixed in", async () => {
  const run = await simulate({
    shows: (at, day) => (at > KICKOFF + 10 * MINUTE ? "down" : course(at, day)),
    second: (_games, at) => [elsewhere(at)],
    from: KICKOFF - HOUR,
    until: KICKOFF + 4 * HOUR,
  });
  assert.deepEqual(run.events, ["game_started 0:0", "period_changed 0:0", "game_ended 0:7"]);
});

test("createPoller() has finals confirmed, or contradicted, or left alone", async () => {
  const confirmation = async (second: (games: readonly Game[], at: number) => readonly Game[]) => {
    const run = await simulate({ shows: course, second, from: KICKOFF + 2 * HOUR, until: KICKOFF + 4 * HOUR });
    assert.deepEqual(run.events.at(-1), "game_ended 0:7");
    return run.taken.flatMap(({ confirmations }) => [...confirmations.values()]);
  };
  const said = (agrees: boolean, away: number) => [{ source: "other", agrees, score: { home: 0, away } }];
  assert.deepEqual(await confirmation((_games, at) => [elsewhere(at)]), said(true, 7));
  assert.deepEqual(await confirmation(() => [{ ...finalGame(0, 8), source: "other" }]), said(false, 8));
  assert.deepEqual(await confirmation(() => [{ ...liveGame(0, 7), source: "other" }]), []);
  assert.deepEqual(await confirmation(() => []), []);
  assert.deepEqual(
    await confirmation(() => {
      throw new SourceFailure("down", "It is down");
    }),
    [],
  );
});

/** What the provider shows in place of a game that is being played, for a minute from `minute` on. */
const HICCUPS: readonly (readonly [name: string, minute: number, shown: readonly Game[]])[] = [
  ["leaves a game out", 40, []],
  ["contradicts itself", 40, [liveGame(0, 7, { statusName: "SCHEDULED" })]],
  ["shows it as it was before its start", 186, [gameOf()]],
];
for (const [name, from, shown] of HICCUPS) {
  test(`createPoller() keeps the pace of a game that is played where an answer ${name}`, async () => {
    const run = await simulate({
      shows: (at, day) => {
        const minute = (at - KICKOFF) / MINUTE;
        return minute >= from && minute < from + 1 ? shown : course(at, day);
      },
      from: KICKOFF - HOUR,
      until: KICKOFF + 4 * HOUR,
    });
    assert.ok(count(run, from + 1, from + 4) >= 6, `${count(run, from + 1, from + 4)} in the three minutes after it`);
    assert.ok(run.asked.some(({ minute, day }) => minute > from && minute <= from + 1 && day === gameDay(KICKOFF)));
  });
}
