import type { SportsSources } from "../api/game-lists.ts";
import type { Game, ScoreListener, ScoreSource, Team } from "../domain/game.ts";
import { SourceFailure } from "../domain/game.ts";
import type { Micros, Value } from "../domain/sample.ts";
import type { Series } from "../domain/series.ts";
import type { TeamName } from "../domain/team-names.ts";
import { silentLog } from "../lib/log.ts";
import { LEAGUES, parseLeague } from "../sources/sports/leagues.ts";
import type { GameSamples } from "../sports/series.ts";
import { createSports, type Sports } from "../sports/sports.ts";
import { createOutboxDouble, type OutboxDouble } from "./outbox-double.ts";

/** The real tracker and lists over a source that says what a test gives it. */
export interface SportsDouble {
  readonly sports: Sports;
  readonly outbox: OutboxDouble;
  /** What the routes need. */
  readonly sources: SportsSources;
  /** A look at a league: every game with its score now. */
  see(league: string, games: readonly Game[], at: number): Promise<void>;
  /** From now on a league's source refuses us. */
  block(league: string): void;
}

export interface SportsDoubleOptions {
  readonly configured?: readonly TeamName[];
  /** By league; a league without an entry cannot be asked. */
  readonly teams?: Readonly<Record<string, readonly Team[]>>;
  /** By team id; null: the provider is out of order. */
  readonly schedules?: Readonly<Record<string, readonly Game[]>> | null;
}

export async function createSportsDouble(options: SportsDoubleOptions = {}): Promise<SportsDouble> {
  const { configured = [], teams = {}, schedules = {} } = options;
  const current = new Map<string, readonly Game[]>();
  const blocked = new Set<string>();
  let listener: ScoreListener | undefined;
  const down = () => new SourceFailure("down", "The source answers 502: it is out of order");
  const source: ScoreSource = {
    leagues: LEAGUES.map(({ id, name }) => ({ id, name })),
    parseLeague,
    async teams(league) {
      const list = teams[league];
      if (list === undefined) throw down();
      return list;
    },
    async schedule(team) {
      if (schedules === null) throw down();
      return schedules[team.id] ?? [];
    },
    listen(to) {
      listener = to;
      return {
        refresh: () => undefined,
        current: () => [...current.values()].flat(),
        status: () =>
          to.leagues().map((league) => ({
            league,
            state: blocked.has(league) ? "blocked" : current.has(league) ? "ok" : "waiting",
            reason: blocked.has(league) ? "The source answers 403: it refuses us" : null,
            source: "espn",
            games: current.get(league)?.length ?? 0,
            failuresInARow: blocked.has(league) ? 1 : 0,
            lastSuccessAt: null,
            nextPollAt: null,
          })),
        counters: { polls: 1 },
        close: async () => undefined,
      };
    },
  };
  const outbox = createOutboxDouble();
  const samples = createSamples();
  const sports = await createSports({ source, outbox, samples, configured, log: silentLog() });
  return {
    sports,
    outbox,
    sources: { ...sports, samples },
    async see(league, games, at) {
      current.set(league, games);
      await listener!.take({ league, games, requestedAt: at, receivedAt: at, confirmations: new Map() });
    },
    block: (league) => void blocked.add(league),
  };
}

/** The scores of games in memory, for writing and reading. */
function createSamples(): GameSamples & SportsSources["samples"] {
  const all: { readonly series: Series; readonly ts: Micros[]; readonly values: Value[] }[] = [];
  return {
    series(key) {
      const known = all.findIndex(({ series }) => series.subject === key.subject && series.field === key.field);
      if (known !== -1) return known;
      const traits = { name: null, unit: null, deviceClass: null, stateClass: null };
      return all.push({ series: { number: all.length, ...key, ...traits }, ts: [], values: [] }) - 1;
    },
    last(number) {
      const { ts, values } = all[number]!;
      return ts.length === 0 ? undefined : { ts: ts.at(-1)!, value: values.at(-1)! };
    },
    append(number, ts, value) {
      all[number]!.ts.push(ts);
      all[number]!.values.push(value);
    },
    seriesOfSubject: (_measurement, subject) =>
      all.map(({ series }) => series).filter((series) => series.subject === subject),
    read: async (requests) => requests.map(({ series }) => ({ ts: all[series]!.ts, values: all[series]!.values })),
  };
}
