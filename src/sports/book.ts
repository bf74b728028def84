import {
  type Game,
  type GameEvent,
  gameKey,
  type LeagueId,
  type Scoreboard,
  type TrackedGame,
} from "../domain/game.ts";
import type { StoredGame } from "../domain/webhook.ts";
import { track } from "./tracker.ts";

/** Followed games that are remembered; beyond, those that began first are forgotten. A team has some 30 to 170 a year. */
export const GAMES_MAX = 20_000;

/** What a look at one game brings, not yet remembered. */
export interface Draft {
  readonly tracked: TrackedGame;
  /** Its stored form is another than before. */
  readonly changed: boolean;
  readonly events: readonly GameEvent[];
}

/** The games that are followed, in memory. */
export interface Book {
  /** Looks at a scoreboard; nothing is remembered before `keep`, so that what could not be stored is news again. */
  draft(scoreboard: Scoreboard, follows: (game: Game) => boolean): readonly Draft[];
  /** Games to forget when these are kept. */
  excess(drafts: readonly Draft[]): readonly string[];
  keep(drafts: readonly Draft[], forgotten: readonly string[]): void;
  all(): Iterable<TrackedGame>;
  get(key: string): TrackedGame | undefined;
  ofLeague(league: LeagueId): readonly TrackedGame[];
  /** Stored games that could not be read. */
  readonly damaged: number;
}

export function createBook(stored: readonly StoredGame[], gamesMax: number = GAMES_MAX): Book {
  const games = new Map<string, TrackedGame>();
  let damaged = 0;
  for (const { id, json } of stored) {
    const tracked = parseTracked(json);
    if (tracked) games.set(id, tracked);
    else damaged++;
  }

  return {
    get damaged() {
      return damaged;
    },
    draft({ games: seen, requestedAt, receivedAt, confirmations }, follows) {
      const drafts: Draft[] = [];
      for (const game of seen) {
        if (!follows(game)) continue;
        const before = games.get(gameKey(game));
        const look = { requestedAt, receivedAt, confirmation: confirmations.get(game.id) };
        const { tracked, events } = track(before, game, look);
        if (!tracked || tracked === before) continue;
        drafts.push({ tracked, changed: !before || isChanged(before, tracked), events });
      }
      return drafts;
    },
    excess(drafts) {
      const keys = new Set(drafts.map(({ tracked }) => gameKey(tracked.game)));
      const count = new Set([...games.keys(), ...keys]).size - gamesMax;
      if (count <= 0) return [];
      const others = [...games].filter(([key]) => !keys.has(key)).sort(([, a], [, b]) => startOf(a) - startOf(b));
      return others.slice(0, count).map(([key]) => key);
    },
    keep(drafts, forgotten) {
      for (const { tracked } of drafts) games.set(gameKey(tracked.game), tracked);
      for (const key of forgotten) games.delete(key);
    },
    all: () => games.values(),
    get: (key) => games.get(key),
    ofLeague: (league) => [...games.values()].filter(({ game }) => game.league === league),
  };
}

function startOf({ game, seenAt }: TrackedGame): number {
  return game.start ?? seenAt;
}

/** Times of looks alone are not worth a write to the disk. */
function isChanged(before: TrackedGame, now: TrackedGame): boolean {
  const times = { requestedAt: 0, seenAt: 0 };
  return JSON.stringify({ ...before, ...times }) !== JSON.stringify({ ...now, ...times });
}

/** What we wrote ourselves; undefined for what is none, e.g. a game of a later version. */
function parseTracked(json: string): TrackedGame | undefined {
  try {
    const tracked = JSON.parse(json) as Partial<TrackedGame> | null;
    const isWhole =
      typeof tracked?.game?.id === "string" &&
      typeof tracked.game.home?.team?.id === "string" &&
      typeof tracked.game.away?.team?.id === "string" &&
      typeof tracked.condition === "string" &&
      typeof tracked.sequence === "number" &&
      typeof tracked.score?.home === "number" &&
      typeof tracked.seenAt === "number";
    return isWhole ? (tracked as TrackedGame) : undefined;
  } catch {
    return undefined;
  }
}
