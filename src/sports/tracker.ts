import { createHash } from "node:crypto";
import type {
  Doubt,
  FinalConfirmation,
  Game,
  GameCondition,
  GameEvent,
  GameEventType,
  Score,
  TrackedGame,
} from "../domain/game.ts";
import { conditionOf, hasBegun, scoreSeen } from "../domain/game-condition.ts";
import { scoreOf, winnerOf } from "../domain/game-json.ts";
import type { Micros } from "../domain/sample.ts";
import { isEarlier } from "./game-clock.ts";

const SECOND = 1_000_000;
const HOUR = 3600 * SECOND;
/** News of a game older than this is no news: of what happened meanwhile only the outcome is told. */
export const STALE_AFTER = 6 * HOUR;
/** A step backward is believed after so many looks in a row and so much time. */
export const CONFIRMING_LOOKS = 3;
export const CONFIRMING_TIME = 60 * SECOND;
/** Finals are corrected within a day; what changes later is housekeeping of the provider. */
export const CORRECTED_WITHIN = 24 * HOUR;
/** Officials set a clock back by less, as a rule; caches are behind by more. */
const SET_BACK_SECONDS = 15;
/** A start that moved by less is the same date, said more precisely. */
const MOVED_BY = HOUR;

/** When a look at a game was asked for and taken, by our clock, and what another source says of a final. */
export interface Look {
  readonly requestedAt: Micros;
  readonly receivedAt: Micros;
  readonly confirmation?: FinalConfirmation | undefined;
}

export interface Tracking {
  /** Undefined while no look at the game was clear enough to begin with. */
  readonly tracked: TrackedGame | undefined;
  readonly events: readonly GameEvent[];
}

type Settled = TrackedGame["condition"];

/**
 * What a new look at a game means, given what is remembered of it. Pure: the same arguments give the same events with
 * the same ids. The first look is a baseline and tells nothing; later ones tell each change once, in the order in which
 * it must have happened. A look that is late, unclear, odd or steps backward changes nothing (see docs/sports.md).
 */
export function track(stored: TrackedGame | undefined, seen: Game, look: Look): Tracking {
  const condition = conditionOf(seen);
  if (!stored) {
    const isClear = condition !== "unclear" && !isOdd(null, seen, condition);
    return { tracked: isClear ? baseline(seen, condition, look) : undefined, events: [] };
  }
  if (isLate(stored, look)) return { tracked: stored, events: [] };

  const times = { requestedAt: look.requestedAt, seenAt: look.receivedAt };
  const game = withKnownSides(stored.game, seen);
  if (condition === "unclear") return { tracked: { ...stored, ...times }, events: [] };
  // A source that tells nothing must not look as if its game were being watched, so the times stay.
  if (!maySpeak(stored, game, condition, look)) return { tracked: stored, events: [] };
  if (isOdd(stored, game, condition)) return { tracked: { ...stored, ...times }, events: [] };
  const meaning = meaningOf(stored, game, condition);
  if (meaning === null) return { tracked: { ...stored, ...times, doubt: null }, events: [] };
  if (!meaning.sure || isOldAnswer(stored, game)) {
    const doubt = doubtAgain(stored.doubt, meaning.condition, look.receivedAt);
    const confirmed = doubt.looks >= CONFIRMING_LOOKS && look.receivedAt - doubt.since >= CONFIRMING_TIME;
    if (!confirmed) return { tracked: { ...stored, ...times, doubt }, events: [] };
  }
  return advance(stored, game, meaning.condition, look);
}

function baseline(game: Game, condition: Settled, look: Look): TrackedGame {
  const started = hasBegun(game, condition);
  return {
    game,
    condition,
    sequence: 0,
    started,
    period: started ? (game.period ?? 0) : 0,
    halftimeAfter: condition === "halftime" ? (game.period ?? 0) : null,
    score: (started ? scoreSeen(game) : null) ?? NIL,
    requestedAt: look.requestedAt,
    seenAt: look.receivedAt,
    startedAt: null,
    endedAt: null,
    doubt: null,
  };
}

const NIL: Score = { home: 0, away: 0 };

/**
 * A reply that was asked for before one already taken. Where the remembered request lies in the future, the clock was
 * set back since, and nothing can be said of the order.
 */
function isLate(stored: TrackedGame, look: Look): boolean {
  return look.requestedAt < stored.requestedAt && stored.requestedAt <= look.receivedAt;
}

/**
 * Whether this source's word counts. Scores of two sources are never mixed within a game: once it has begun another
 * source can only end it or correct its end, or take it over when its own has told nothing for hours.
 */
function maySpeak(stored: TrackedGame, game: Game, condition: Settled, look: Look): boolean {
  if (game.source === stored.game.source || !stored.started) return true;
  if (isOdd(stored, game, condition)) return false;
  return condition === "final" || look.receivedAt - stored.seenAt > STALE_AFTER;
}

/**
 * A score of one side alone or below zero. Of a game whose start is not known yet none at all is odd, too: it would have
 * to begin with an invented one. Before the start, and of a game that is called off, no score is read.
 */
function isOdd(stored: TrackedGame | null, game: Game, condition: Settled): boolean {
  const started = stored?.started ?? false;
  const isRead = hasBegun(game, condition) || (started && condition === "delayed" && game.phase === "in");
  if (!isRead || scoreSeen(game)) return false;
  const hasNone = game.home.score === null && game.away.score === null;
  return !(started && hasNone);
}

/** What a condition means after the stored one, and whether one look is enough to believe it. */
interface Meaning {
  readonly condition: Settled;
  readonly sure: boolean;
}

/** Null: nothing that could be believed. */
function meaningOf(stored: TrackedGame, game: Game, condition: Settled): Meaning | null {
  if (stored.condition === "final") {
    // A result does not go away. Some providers show the next meeting in its place for a while.
    return condition === "scheduled" ? null : { condition, sure: condition === "final" };
  }
  if (condition !== "scheduled" || !stored.started) return { condition, sure: true };
  // It is to be resumed another day, under the same id and with its score.
  if (stored.condition === "suspended") return { condition: "suspended", sure: true };
  if (hasMoved(stored.game, game)) return { condition: "scheduled", sure: true };
  return { condition: "delayed", sure: stored.condition === "delayed" };
}

function hasMoved(before: Game, now: Game): boolean {
  return before.start !== null && now.start !== null && Math.abs(now.start - before.start) >= MOVED_BY;
}

/**
 * Another score at an earlier moment of the game: some cache on the way is behind. A correction comes with the clock
 * where it was or further on, and points that come as officials set the clock back come with seconds of it; where it is
 * more, further looks confirm it.
 */
function isOldAnswer({ started, score, game }: TrackedGame, now: Game): boolean {
  const seen = scoreSeen(now);
  if (!started || seen === null || now.phase !== "in") return false;
  if (seen.home < score.home || seen.away < score.away) return isEarlier(now, game);
  return (seen.home > score.home || seen.away > score.away) && isEarlier(now, game, SET_BACK_SECONDS);
}

function doubtAgain(doubt: Doubt | null, condition: GameCondition, at: Micros): Doubt {
  if (doubt?.condition !== condition || doubt.since > at) return { condition, looks: 1, since: at };
  return { ...doubt, looks: doubt.looks + 1 };
}

/** Home and away as remembered, also where a provider swaps them. */
function withKnownSides(known: Game, seen: Game): Game {
  const swapped = seen.home.team.id === known.away.team.id && seen.away.team.id === known.home.team.id;
  if (!swapped || seen.home.team.id === seen.away.team.id) return seen;
  const { homeWinProbability } = seen;
  return {
    ...seen,
    home: seen.away,
    away: seen.home,
    homeWinProbability: homeWinProbability === null ? null : 1 - homeWinProbability,
  };
}

function advance(stored: TrackedGame, game: Game, condition: Settled, look: Look): Tracking {
  const afresh = stored.started && (condition === "scheduled" || condition === "postponed" || condition === "canceled");
  const started = !afresh && (stored.started || hasBegun(game, condition));
  const counts = started && condition !== "canceled";
  const next: TrackedGame = {
    game,
    condition,
    sequence: stored.sequence,
    started,
    period: counts ? Math.max(stored.period, game.period ?? 0) : 0,
    halftimeAfter: condition === "halftime" ? (game.period ?? 0) : afresh ? null : stored.halftimeAfter,
    // Between interruption and resumption providers show 0 to 0 again, as before any game.
    score: !counts ? NIL : game.phase === "pre" ? stored.score : (scoreSeen(game) ?? stored.score),
    requestedAt: look.requestedAt,
    seenAt: look.receivedAt,
    startedAt: started ? (stored.started ? stored.startedAt : look.receivedAt) : null,
    endedAt: condition === "final" ? (stored.condition === "final" ? stored.endedAt : look.receivedAt) : null,
    doubt: null,
  };
  const events: GameEvent[] = [];
  for (const { type, details } of changes(stored, next, look)) {
    const sequence = stored.sequence + events.length + 1;
    events.push({
      id: eventId(game, type, next.score, sequence),
      type,
      sequence,
      at: look.receivedAt,
      game,
      score: scoreOf(next),
      previousScore: stored.score,
      details,
    });
  }
  return { tracked: { ...next, sequence: stored.sequence + events.length }, events };
}

/** Does not depend on clock or period, which may read otherwise when a change is detected a second time. */
function eventId(game: Game, type: GameEventType, score: Score, sequence: number): string {
  const identity = [game.league, game.id, type, score.home, score.away, sequence];
  return createHash("sha256").update(JSON.stringify(identity)).digest("hex").slice(0, 32);
}

interface Change {
  readonly type: GameEventType;
  readonly details: Readonly<Record<string, unknown>>;
}

/** What changed between two accepted looks, in the order in which it must have happened. */
function changes(before: TrackedGame, now: TrackedGame, look: Look): Change[] {
  return [
    ...dateChanges(before, now),
    ...(isStale(before, now, look) || isTakenOver(before, now) ? [] : courseChanges(before, now)),
    ...outcomeChanges(before, now, look),
  ];
}

function isStale(before: TrackedGame, now: TrackedGame, look: Look): boolean {
  const start = now.game.start ?? before.seenAt;
  return look.receivedAt - Math.max(before.seenAt, start) > STALE_AFTER;
}

/** Another source's score says nothing of what happened since the last one of its own. */
function isTakenOver(before: TrackedGame, now: TrackedGame): boolean {
  return before.started && before.game.source !== now.game.source;
}

/** Teams, date and whether it is to be played at all. */
function dateChanges(before: TrackedGame, now: TrackedGame): Change[] {
  const found: Change[] = [];
  const called = now.condition === "postponed" || now.condition === "canceled";
  if (called && before.condition !== now.condition) found.push({ type: `game_${now.condition}`, details: {} });
  const open = called || now.condition === "scheduled" || now.condition === "suspended";
  if (!open || now.condition === "canceled") return found;

  const details = { previous_start: before.game.start, start: now.game.start };
  const revived = now.condition === "scheduled" && before.condition !== "scheduled" && before.condition !== "delayed";
  if (revived || isAnotherDate(before.game, now.game)) found.push({ type: "game_rescheduled", details });
  else if (now.condition === "scheduled" && isDefinite(before.game, now.game)) {
    found.push({ type: "game_scheduled", details });
  }
  return found;
}

/** Open times are placeholders: only another day tells something then. */
function isAnotherDate(before: Game, now: Game): boolean {
  if (before.start === null || now.start === null || before.start === now.start) return false;
  return (before.timeValid && now.timeValid) || Math.abs(now.start - before.start) >= 24 * HOUR;
}

/** An open time of day was set, or placeholders became teams. */
function isDefinite(before: Game, now: Game): boolean {
  const timeSet = !before.timeValid && now.timeValid && now.start !== null;
  const teamsSet = before.home.team.id !== now.home.team.id || before.away.team.id !== now.away.team.id;
  return timeSet || teamsSet;
}

/** What happens while it is played, and a delay of its start. */
function courseChanges(before: TrackedGame, now: TrackedGame): Change[] {
  const found: Change[] = [];
  const isDelayed = now.condition === "delayed" && before.condition !== "delayed";
  if (!now.started) return isDelayed ? [{ type: "game_delayed", details: {} }] : [];
  const begins = !before.started;
  if (begins) found.push({ type: "game_started", details: {} });
  const interrupted =
    before.condition === "delayed" || before.condition === "suspended" || before.condition === "final";
  const goesOn = now.condition === "live" || now.condition === "halftime";
  if (!begins && goesOn && interrupted) found.push({ type: "game_resumed", details: {} });
  const newPeriod = now.period > (begins ? 1 : before.period);
  if (newPeriod && now.condition !== "final") {
    found.push({ type: "period_changed", details: { previous_period: begins ? null : before.period } });
  }
  if (before.condition !== "final" || now.condition !== "final") found.push(...scoreChanges(before, now));
  if (now.condition === "halftime" && before.condition !== "halftime" && before.halftimeAfter !== now.halftimeAfter) {
    found.push({ type: "halftime", details: {} });
  }
  if (isDelayed) found.push({ type: "game_delayed", details: {} });
  if (now.condition === "suspended" && before.condition !== "suspended") {
    found.push({ type: "game_suspended", details: {} });
  }
  return found;
}

function scoreChanges(before: TrackedGame, now: TrackedGame): Change[] {
  const home = now.score.home - before.score.home;
  const away = now.score.away - before.score.away;
  if (home === 0 && away === 0) return [];
  const details = { home_diff: home, away_diff: away };
  if (home < 0 || away < 0) return [{ type: "score_corrected", details }];
  const scored = home > 0 && away > 0 ? "both" : home > 0 ? "home" : "away";
  return [{ type: "score_changed", details: { ...details, scored } }];
}

/** The end and what is put right afterwards; told however late it is learned. */
function outcomeChanges(before: TrackedGame, now: TrackedGame, look: Look): Change[] {
  if (now.condition !== "final") return [];
  const { confirmation } = look;
  const confirmed = confirmation
    ? { confirmed: confirmation.agrees, confirmed_by: confirmation.source, confirming_score: confirmation.score }
    : {};
  if (before.condition !== "final")
    return [{ type: "game_ended", details: { winner: winnerOf(now.game, now.score), ...confirmed } }];
  const ended = before.endedAt ?? now.game.start ?? before.seenAt;
  const [was, is] = [winnerOf(before.game, before.score), winnerOf(now.game, now.score)];
  const same = before.score.home === now.score.home && before.score.away === now.score.away && isSame(was, is);
  if (same || look.receivedAt - ended > CORRECTED_WITHIN) return [];
  const differences = { home_diff: now.score.home - before.score.home, away_diff: now.score.away - before.score.away };
  return [{ type: "final_corrected", details: { ...differences, winner: is, ...confirmed } }];
}

/** A provider may name the winner some looks after the end, which corrects nothing. */
function isSame(was: string | null, is: string | null): boolean {
  return was === is || was === null || is === null;
}
