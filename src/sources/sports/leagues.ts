import type { LeagueId } from "../../domain/game.ts";

export interface League {
  readonly id: LeagueId;
  readonly name: string;
  /** ESPN's own path, `sport/league`. */
  readonly path: string;
  /** The conference that holds all teams, where ESPN would otherwise give the ranked ones alone. */
  readonly groups?: string;
}

/** Leagues with a short id. Another one is an entry here; without one, ESPN's path is the id. */
export const LEAGUES: readonly League[] = [
  { id: "nfl", name: "NFL", path: "football/nfl" },
  { id: "ncaaf", name: "NCAA football", path: "football/college-football", groups: "80" },
  { id: "nba", name: "NBA", path: "basketball/nba" },
  { id: "wnba", name: "WNBA", path: "basketball/wnba" },
  { id: "ncaam", name: "NCAA men's basketball", path: "basketball/mens-college-basketball", groups: "50" },
  { id: "mlb", name: "MLB", path: "baseball/mlb" },
  { id: "nhl", name: "NHL", path: "hockey/nhl" },
  { id: "mls", name: "MLS", path: "soccer/usa.1" },
  { id: "nwsl", name: "NWSL", path: "soccer/usa.nwsl" },
  { id: "epl", name: "Premier League", path: "soccer/eng.1" },
  { id: "laliga", name: "La Liga", path: "soccer/esp.1" },
  { id: "bundesliga", name: "Bundesliga", path: "soccer/ger.1" },
  { id: "seriea", name: "Serie A", path: "soccer/ita.1" },
  { id: "ligue1", name: "Ligue 1", path: "soccer/fra.1" },
  { id: "ucl", name: "Champions League", path: "soccer/uefa.champions" },
  { id: "worldcup", name: "World Cup", path: "soccer/fifa.world" },
];

const BY_ID = new Map(LEAGUES.map((league) => [league.id, league]));
const BY_PATH = new Map(LEAGUES.map((league) => [league.path, league]));
/** It becomes part of an address: two plain names, none of them a way up. */
const PATH = /^[a-z][a-z0-9-]{0,40}\/[a-z0-9][a-z0-9-]{0,40}(?:\.[a-z0-9-]{1,40}){0,3}$/;

/** A league's id from what a user writes: our id or ESPN's path, in any case. Undefined for anything else. */
export function parseLeague(text: string): LeagueId | undefined {
  const wanted = text.trim().toLowerCase();
  if (BY_ID.has(wanted)) return wanted;
  return BY_PATH.get(wanted)?.id ?? (PATH.test(wanted) ? wanted : undefined);
}

const PERIODS: ReadonlyMap<string, number> = new Map([
  ["football", 4],
  ["basketball", 4],
  ["baseball", 9],
  ["hockey", 3],
  ["soccer", 2],
]);

/** Periods of a game without overtime; null for sports that are not listed. */
export function periodsOf(id: LeagueId): number | null {
  const { path } = leagueOf(id);
  // College men play two halves.
  return path === "basketball/mens-college-basketball" ? 2 : (PERIODS.get(sportOf(path)) ?? null);
}

/** Soccer writes a record as wins, draws, losses; the others as wins, losses, ties. */
export function isSoccer(id: LeagueId): boolean {
  return sportOf(leagueOf(id).path) === "soccer";
}

function sportOf(path: string): string {
  return path.split("/")[0]!;
}

/** What to ask ESPN for; a league without an entry is its own path. */
export function leagueOf(id: LeagueId): League {
  return BY_ID.get(id) ?? { id, name: id, path: id };
}
