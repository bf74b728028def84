import { setTimeout as sleepFor } from "node:timers/promises";
import { messageOf } from "../../domain/errors.ts";
import {
  FAILURES_TO_TELL,
  type FinalConfirmation,
  type Game,
  type GameDay,
  type LeagueId,
  type LeagueState,
  type LeagueStatus,
  type ScoreFeed,
  type ScoreListener,
  type ScoreProvider,
  SourceFailure,
  type SourceFault,
  type TrackedGame,
} from "../../domain/game.ts";
import { conditionOf, isUnderWay } from "../../domain/game-condition.ts";
import type { Micros } from "../../domain/sample.ts";
import { createBackoff } from "../../lib/backoff.ts";
import type { Logger } from "../../lib/log.ts";
import { nowMicros } from "../../lib/time.ts";
import { createCircuit } from "./circuit.ts";
import { daysAround, gameDay } from "./game-day.ts";
import type { SecondSource } from "./nhl.ts";
import { nextWaitMs, urgencyOf } from "./plan.ts";

/** A round over all days at least so often, whatever is being played. */
const ROUND_EVERY_MS = 30 * 60_000;
const BACKOFF_FIRST_MS = 15_000;
const BACKOFF_CAP_MS = 30 * 60_000;
/** An end waits so long for the word of a second source, and no longer. */
const CONFIRM_WITHIN_MS = 5_000;
/** A game is looked for at a second source from shortly before its start to so long after it. */
const PLAYED_WITHIN = 12 * 3_600_000_000;
/** The end of a game that we missed, or that is yet to be resumed, is looked for on its own day so long after its start. */
const MISSED_WITHIN = 30 * 86_400_000_000;
/** So many of those days are asked for in one round, the newest. */
const MISSED_DAYS_MAX = 7;
/** A game that was being played is worth a look at its pace so long after no answer had it. */
const ABSENT_WITHIN = 3_600_000_000;

/** Not of one day alone, whatever the source answers for others. */
const OF_THE_SOURCE: ReadonlySet<SourceFault> = new Set(["blocked", "limited"]);

export interface PollerOptions {
  readonly provider: ScoreProvider;
  readonly second: SecondSource | null;
  readonly listener: ScoreListener;
  /** Seconds between polls; null: as urgent as the games are. */
  readonly pollSeconds: number | null;
  readonly log: Logger;
  readonly now?: () => Micros;
  readonly random?: () => number;
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<void>;
  /** Milliseconds of a clock that does not step, for waits. */
  readonly monotonic?: () => number;
}

/** What a running league is made of. */
interface Running {
  readonly league: LeagueId;
  readonly stop: AbortController;
  done: Promise<void>;
  /** By day, as last answered. */
  readonly days: Map<GameDay, readonly Game[]>;
  readonly backoff: ReturnType<typeof createBackoff>;
  roundAt: number;
  /** The first source is not asked before. */
  firstAt: number;
  state: LeagueState;
  reason: string | null;
  source: string | null;
  failures: number;
  /** Why a day of the last round has no answer though others have one; null: all have. */
  dayFault: SourceFailure | null;
  told: boolean;
  lastSuccessAt: Micros | null;
  nextPollAt: Micros | null;
}

/**
 * Asks for the leagues that somebody follows, each by one request a day of games, shared by all its teams, and hands
 * what comes to the listener. Nothing is asked while nobody is followed.
 */
export function createPoller(options: PollerOptions): ScoreFeed {
  const { provider, second, listener, pollSeconds, log } = options;
  const now = options.now ?? nowMicros;
  const random = options.random ?? Math.random;
  const monotonic = options.monotonic ?? (() => performance.now());
  const sleep = options.sleep ?? ((ms, signal) => sleepFor(ms, undefined, { signal }));
  const running = new Map<LeagueId, Running>();
  const ending = new Set<Promise<void>>();
  /** Of the first wait after a failure: as fast as is polled, where somebody chose how fast. */
  const paceMs = pollSeconds === null ? BACKOFF_FIRST_MS : Math.min(BACKOFF_FIRST_MS, pollSeconds * 1000);
  const circuit = createCircuit(random, paceMs * 4);
  const counters = { polls: 0, failures: 0, skipped_events: 0, truncated: 0, second_source: 0, not_taken: 0 };
  const warned = new Set<string>();
  let closed = false;

  /** Logged the first time only: a league that is larger than its limit is so every time. */
  function warnOnce(key: string, text: string): void {
    if (warned.has(key)) return;
    warned.add(key);
    log.warn(text);
  }

  async function run(one: Running): Promise<void> {
    const { signal } = one.stop;
    while (!signal.aborted) {
      let waitMs: number;
      try {
        waitMs = await poll(one);
      } catch (error) {
        if (signal.aborted) return;
        // What was seen is not taken, so it is news again at the next look.
        counters.not_taken++;
        log.error({ err: error }, `Cannot keep the scores of ${one.league}: ${messageOf(error)}`);
        waitMs = paceMs;
      }
      one.nextPollAt = now() + waitMs * 1000;
      try {
        await sleep(waitMs, signal);
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    }
  }

  /** One look at a league; answers how long to wait for the next one. */
  async function poll(one: Running): Promise<number> {
    counters.polls++;
    if (monotonic() >= one.firstAt) await askFirst(one);
    const outage = one.failures >= FAILURES_TO_TELL;
    const spoken = await askSecond(one, outage);

    const followed = [...currentOf(one), ...spoken].filter((game) => listener.follows(game));
    const remembered = underWay(one.league);
    const urgent = pollSeconds === null ? nextWaitMs(followed, remembered, now(), random) : pollSeconds * 1000;
    if (one.failures === 0) return urgent;
    const untilFirst = Math.max(one.firstAt - monotonic(), 0);
    return spoken.length > 0 ? Math.min(urgent, untilFirst) : untilFirst;
  }

  async function askFirst(one: Running): Promise<void> {
    const { league } = one;
    const held = circuit.waitMs(monotonic());
    if (held > 0) {
      one.firstAt = monotonic() + held;
      return;
    }
    try {
      const isRound = isRoundDue(one);
      const { games, fault } = await readDays(one, daysToAsk(one, isRound));
      if (isRound) one.roundAt = monotonic();
      noteDayFault(one, isRound ? fault : (fault ?? one.dayFault));
      one.backoff.reset();
      one.failures = 0;
      one.firstAt = 0;
      one.lastSuccessAt = now();
      one.source = provider.name;
      settle(one, one.dayFault?.fault ?? (games === 0 ? "empty" : "ok"), one.dayFault?.message ?? null);
      if (one.told) await tell(one, false);
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      counters.failures++;
      one.failures++;
      circuit.failed(error.fault, monotonic(), error.retryAfterMs);
      one.firstAt = monotonic() + Math.max(one.backoff.next(), error.retryAfterMs ?? 0);
      settle(one, error.fault, error.message);
      log.warn(`Cannot read the scores of ${league} (${error.fault}): ${error.message}`);
      if (one.failures >= FAILURES_TO_TELL && !one.told) await tell(one, true);
    }
  }

  function noteDayFault(one: Running, fault: SourceFailure | null): void {
    if (fault !== null && fault.message !== one.dayFault?.message) {
      log.warn(`Cannot read some scores of ${one.league} (${fault.fault}): ${fault.message}`);
    }
    one.dayFault = fault;
  }

  async function tell(one: Running, told: boolean): Promise<void> {
    await listener.sourceChanged(one.league, statusOf(one));
    one.told = told;
  }

  function isRoundDue(one: Running): boolean {
    return monotonic() - one.roundAt >= ROUND_EVERY_MS || !daysAround(now()).every((day) => one.days.has(day));
  }

  /** In a round all three days and those of missed games, otherwise the days on which something is being played. */
  function daysToAsk(one: Running, isRound: boolean): readonly GameDay[] {
    const around = daysAround(now());
    const watched = [...around, ...missedDays(one.league, around)];
    for (const day of one.days.keys()) if (!watched.includes(day)) one.days.delete(day);
    if (isRound) return watched;
    const busy = busyAmong(one, watched);
    if (pollSeconds !== null) return [...new Set([...around, ...busy])];
    return busy.length > 0 ? busy : around;
  }

  /** The days on which something is being played, or about to be. */
  function busyAmong(one: Running, days: readonly GameDay[]): readonly GameDay[] {
    const isUrgent = (game: Game): boolean => listener.follows(game) && urgencyOf(game, now()) !== "idle";
    const played = new Set(
      underWay(one.league).flatMap(({ game }) => (game.start === null ? [] : gameDay(game.start))),
    );
    return days.filter((day) => played.has(day) || one.days.get(day)?.some(isUrgent));
  }

  /** An answer that leaves a game out, or shows it wrongly for a moment, must not end the looks at it. */
  function underWay(league: LeagueId): readonly TrackedGame[] {
    const at = now();
    return listener
      .known(league)
      .filter(
        ({ game, condition, seenAt }) =>
          isUnderWay(condition) && at - seenAt <= ABSENT_WITHIN && listener.follows(game),
      );
  }

  /** Days, besides the three, of followed games whose end is not known: whoever was away for days learns it there. */
  function missedDays(league: LeagueId, around: readonly GameDay[]): readonly GameDay[] {
    const at = now();
    const days = new Set<GameDay>();
    for (const { game, condition } of listener.known(league)) {
      const isOpen = condition === "scheduled" || condition === "suspended" || isUnderWay(condition);
      if (!isOpen || game.start === null || game.start > at || at - game.start > MISSED_WITHIN) continue;
      const day = gameDay(game.start);
      if (!around.includes(day) && listener.follows(game)) days.add(day);
    }
    return [...days].sort().slice(-MISSED_DAYS_MAX);
  }

  /**
   * Takes what the days hold, each game once; the number of games. Days that have no answer though an earlier one had
   * are left alone until the next round, so that they cost the games of the others nothing. Where the first has none, a
   * later one on which something is played is asked all the same. What came before a failure of the source as a whole is
   * taken, too.
   */
  async function readDays(
    one: Running,
    days: readonly GameDay[],
  ): Promise<{ readonly games: number; readonly fault: SourceFailure | null }> {
    const { league, stop } = one;
    const requestedAt = now();
    const found = new Map<string, Game>();
    let failure: unknown;
    let fault: SourceFailure | null = null;
    let answered = false;
    for (const [i, day] of days.entries()) {
      try {
        const answer = await provider.scoreboard(league, day, stop.signal);
        circuit.succeeded();
        answered = true;
        one.days.set(day, answer.games);
        // Today is asked first. A provider that ignores the day gives its games three times.
        for (const game of answer.games) if (!found.has(game.id)) found.set(game.id, game);
        if (!answer.unchanged) counters.skipped_events += answer.skipped;
        if (answer.skipped > 0) warnOnce(`skipped ${league}`, `Some events of ${league} are no games of two teams`);
        if (answer.truncated) {
          counters.truncated++;
          warnOnce(`truncated ${league}`, `${league} has more games on a day than one answer holds`);
        }
      } catch (error) {
        const isOfDay = error instanceof SourceFailure && !OF_THE_SOURCE.has(error.fault);
        if (!isOfDay || !(answered || busyAmong(one, days.slice(i + 1)).length > 0)) {
          failure = error;
          break;
        }
        counters.failures++;
        fault = new SourceFailure(error.fault, `On ${day}: ${error.message}`, { cause: error });
        // As one without games, lest each further look be a round.
        if (answered && !one.days.has(day)) one.days.set(day, []);
      }
    }
    const games = [...found.values()];
    if (games.length > 0) {
      const confirmations = await confirm(one, games);
      await listener.take({ league, games, requestedAt, receivedAt: now(), confirmations });
    }
    if (failure !== undefined) throw failure;
    return { games: [...one.days.values()].reduce((sum, { length }) => sum + length, 0), fault };
  }

  /** What the second source says of games that have just ended. */
  async function confirm(one: Running, games: readonly Game[]): Promise<Map<string, FinalConfirmation>> {
    const confirmations = new Map<string, FinalConfirmation>();
    if (!second?.covers(one.league)) return confirmations;
    const open = new Map(listener.known(one.league).map((known) => [known.game.id, known.condition !== "final"]));
    const ended = games.filter((game) => open.get(game.id) === true && conditionOf(game) === "final");
    const said = await lookElsewhere(one, second, ended, AbortSignal.timeout(CONFIRM_WITHIN_MS));
    for (const other of said) {
      const { home, away } = other;
      if (conditionOf(other) !== "final" || home.score === null || away.score === null) continue;
      const game = ended.find(({ id }) => id === other.id)!;
      const agrees = game.home.score === home.score && game.away.score === away.score;
      confirmations.set(other.id, { source: second.name, agrees, score: { home: home.score, away: away.score } });
      if (!agrees)
        log.warn(`${second.name} and ${game.source} give different finals for ${one.league} game ${game.id}`);
    }
    return confirmations;
  }

  /** Games for which the second source speaks: its own until they end, and in an outage those that are to be played. */
  async function askSecond(one: Running, outage: boolean): Promise<readonly Game[]> {
    if (!second?.covers(one.league)) return [];
    const at = now();
    const wanted = listener.known(one.league).filter((known) => {
      if (known.condition === "final" || !isAround(known, at)) return false;
      return outage || (known.started && known.game.source === second.name);
    });
    const requestedAt = now();
    const games = await lookElsewhere(
      one,
      second,
      wanted.map(({ game }) => game),
      one.stop.signal,
    );
    if (games.length === 0) return games;
    counters.second_source++;
    one.source = outage ? second.name : one.source;
    await listener.take({ league: one.league, games, requestedAt, receivedAt: now(), confirmations: new Map() });
    return games;
  }

  function isAround({ game }: TrackedGame, at: Micros): boolean {
    return game.start !== null && Math.abs(at - game.start) <= PLAYED_WITHIN;
  }

  /** Never rejects for what the second source does wrong: it is asked for help, not relied on. */
  async function lookElsewhere(
    one: Running,
    source: SecondSource,
    games: readonly Game[],
    signal: AbortSignal,
  ): Promise<readonly Game[]> {
    const byDay = Map.groupBy(games, (game) => gameDay(game.start ?? now()));
    const found: Game[] = [];
    for (const [day, those] of byDay) {
      try {
        found.push(...(await source.look(those, day, AbortSignal.any([signal, one.stop.signal]))));
      } catch (error) {
        one.stop.signal.throwIfAborted();
        warnOnce(`second ${one.league}`, `${source.name} does not answer for ${one.league}: ${messageOf(error)}`);
      }
    }
    return found;
  }

  function settle(one: Running, state: LeagueState, reason: string | null): void {
    one.state = state;
    one.reason = reason;
  }

  function start(league: LeagueId): void {
    const one: Running = {
      league,
      stop: new AbortController(),
      done: Promise.resolve(),
      days: new Map(),
      backoff: createBackoff(paceMs, BACKOFF_CAP_MS, random),
      roundAt: Number.NEGATIVE_INFINITY,
      firstAt: 0,
      state: "waiting",
      reason: null,
      source: null,
      failures: 0,
      dayFault: null,
      told: listener.isFailing(league),
      lastSuccessAt: null,
      nextPollAt: null,
    };
    running.set(league, one);
    one.done = run(one);
  }

  return {
    counters,
    refresh() {
      if (closed) return;
      const wanted = new Set(listener.leagues());
      for (const [league, one] of running) {
        if (wanted.has(league)) continue;
        one.stop.abort();
        running.delete(league);
        ending.add(one.done);
        void one.done.then(() => ending.delete(one.done));
      }
      for (const league of wanted) if (!running.has(league)) start(league);
    },
    *current() {
      for (const one of running.values()) yield* currentOf(one);
    },
    status: () => [...running.values()].map(statusOf),
    async close() {
      closed = true;
      for (const one of running.values()) one.stop.abort();
      await Promise.all([...ending, ...[...running.values()].map(({ done }) => done)]);
    },
  };
}

function* currentOf(one: Running): Generator<Game> {
  for (const games of one.days.values()) yield* games;
}

function statusOf(one: Running): LeagueStatus {
  return {
    league: one.league,
    state: one.state,
    reason: one.reason,
    source: one.source,
    games: new Set([...currentOf(one)].map(({ id }) => id)).size,
    failuresInARow: one.failures,
    lastSuccessAt: one.lastSuccessAt,
    nextPollAt: one.nextPollAt,
  };
}
