import { type Game, type LeagueId, type ScoreSource, SourceFailure, type Team, teamKey } from "../../domain/game.ts";
import type { Logger } from "../../lib/log.ts";
import { userAgentOf } from "../requests.ts";
import { createEspn } from "./espn.ts";
import { LEAGUES, parseLeague } from "./leagues.ts";
import { createNhl } from "./nhl.ts";
import { createPoller } from "./poller.ts";
import { createScoreRequests } from "./requests.ts";

export interface ScoreSourceOptions {
  /** In place of ESPN's address, up to `/sports`; then nobody else is asked either. */
  readonly baseUrl: string | null;
  /** Null: our name and version. */
  readonly userAgent: string | null;
  readonly version: string;
  /** Seconds between polls; null: as urgent as the games are. */
  readonly pollSeconds: number | null;
  readonly log: Logger;
  /** In place of the NHL's own address; without it that is asked where ESPN is. */
  readonly nhlBaseUrl?: string;
}

const TEAMS_FOR_MS = 24 * 3_600_000;
const SCHEDULE_FOR_MS = 3_600_000;
const REMEMBERED_MAX = 200;
/** So long a failure is the answer, so that callers cannot make us knock at a closed door. */
const FAILED_FOR_MS = 60_000;

/** ESPN for every league, the NHL's own scores as a second source. Nothing is asked before somebody wants to know. */
export function createScoreSource(options: ScoreSourceOptions): ScoreSource {
  const { baseUrl, pollSeconds, log, nhlBaseUrl } = options;
  const userAgent = options.userAgent ?? userAgentOf(options.version);
  const requests = createScoreRequests({ userAgent });
  const provider = createEspn(requests, baseUrl ?? undefined);
  const second =
    baseUrl === null || nhlBaseUrl !== undefined ? createNhl(createScoreRequests({ userAgent }), nhlBaseUrl) : null;
  const teams = createMemory<readonly Team[]>(TEAMS_FOR_MS);
  const schedules = createMemory<readonly Game[]>(SCHEDULE_FOR_MS);
  const stop = new AbortController();

  return {
    leagues: LEAGUES.map(({ id, name }) => ({ id, name })),
    parseLeague,
    teams: (league: LeagueId) => teams(league, () => provider.teams(league, stop.signal)),
    schedule: (team, season) =>
      schedules(`${teamKey(team)} ${season}`, () => provider.schedule(team, season, stop.signal)),
    listen(listener) {
      const poller = createPoller({ provider, second, listener, pollSeconds, log });
      return {
        ...poller,
        get counters() {
          return { ...poller.counters, ...requests.counters };
        },
        async close() {
          stop.abort();
          await poller.close();
        },
      };
    },
  };
}

type Memory<T> = (key: string, read: () => Promise<T>) => Promise<T>;

/** Asks once for what is wanted often; an answer that is too old still serves while no new one can be had. */
function createMemory<T>(keptForMs: number): Memory<T> {
  const remembered = new Map<string, { readonly at: number; readonly value: T }>();
  const asking = new Map<string, Promise<T>>();
  const failed = new Map<string, { readonly at: number; readonly error: SourceFailure }>();

  async function ask(key: string, read: () => Promise<T>): Promise<T> {
    const known = remembered.get(key);
    try {
      const value = await read();
      remembered.delete(key);
      failed.delete(key);
      if (remembered.size >= REMEMBERED_MAX) remembered.delete(remembered.keys().next().value!);
      remembered.set(key, { at: performance.now(), value });
      return value;
    } catch (error) {
      if (!(error instanceof SourceFailure)) throw error;
      if (failed.size >= REMEMBERED_MAX) failed.delete(failed.keys().next().value!);
      failed.set(key, { at: performance.now(), error });
      if (known) return known.value;
      throw error;
    } finally {
      asking.delete(key);
    }
  }

  return (key, read) => {
    const known = remembered.get(key);
    if (known && performance.now() - known.at < keptForMs) return Promise.resolve(known.value);
    const failure = failed.get(key);
    if (failure && performance.now() - failure.at < FAILED_FOR_MS) {
      return known ? Promise.resolve(known.value) : Promise.reject(failure.error);
    }
    const answer = asking.get(key) ?? ask(key, read);
    asking.set(key, answer);
    return answer;
  };
}
