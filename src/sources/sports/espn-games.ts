import type { Game, LeagueId, Play, SeasonRecord, Side, Team } from "../../domain/game.ts";
import type { Micros } from "../../domain/sample.ts";
import { microsFromIso } from "../../lib/time.ts";
import { flagOf, type Json, listOf, numberOf, objectOf, textOf } from "../json.ts";
import { isSoccer, periodsOf } from "./leagues.ts";

/** Games and teams out of ESPN's answers. Fields as recorded from scoreboards, schedules and team lists. */

export const SOURCE = "espn";
const BROADCASTS_MAX = 10;

export interface ParsedGames {
  readonly games: Game[];
  /** Events that are no game of two teams (races, tournaments), or that have no id. */
  readonly skipped: number;
}

/** The games of a scoreboard or a schedule; undefined when it is neither, since both always have `events`. */
export function parseGames(league: LeagueId, answer: unknown): ParsedGames | undefined {
  const { events } = objectOf(answer);
  if (!Array.isArray(events)) return undefined;
  const games: Game[] = [];
  for (const event of events) {
    const game = parseGame(league, event);
    if (game) games.push(game);
  }
  return { games, skipped: events.length - games.length };
}

/** One element of `events`; undefined where it is no game of two teams. */
export function parseGame(league: LeagueId, event: unknown): Game | undefined {
  const body = objectOf(event);
  const competition = objectOf(listOf(body.competitions)[0]);
  const id = textOf(body.id) ?? textOf(competition.id);
  const sides = listOf(competition.competitors).map((competitor) => sideOf(league, objectOf(competitor)));
  const home = sides.find((side) => side?.homeAway === "home");
  const away = sides.find((side) => side?.homeAway === "away");
  if (id === null || !home || !away) return undefined;

  // Schedules have a status only below the competition.
  const status = objectOf(body.status ?? competition.status);
  const type = objectOf(status.type);
  const season = objectOf(body.season);
  return {
    league,
    id,
    source: SOURCE,
    start: momentOf(competition.date ?? body.date),
    timeValid: competition.timeValid !== false,
    phase: type.state === "pre" || type.state === "in" || type.state === "post" ? type.state : null,
    completed: type.completed === true,
    statusName: textOf(type.name)?.replace(/^STATUS_/, "") ?? null,
    detail: textOf(type.shortDetail) ?? textOf(type.detail) ?? textOf(type.description),
    period: numberOf(status.period),
    periods: periodsOf(league),
    clock: textOf(status.displayClock),
    home: home.side,
    away: away.side,
    season: numberOf(season.year),
    seasonType: numberOf(season.type) ?? numberOf(objectOf(body.seasonType).type),
    week: numberOf(objectOf(body.week).number),
    venue: textOf(objectOf(competition.venue).fullName),
    broadcasts: broadcastsOf(competition),
    note: textOf(objectOf(listOf(competition.notes)[0]).headline),
    lastPlay: lastPlayOf(competition),
    homeWinProbability: probabilityOf(objectOf(objectOf(competition.situation).lastPlay).probability),
  };
}

function sideOf(league: LeagueId, competitor: Json): { homeAway: string | null; side: Side } | undefined {
  const team = parseTeam(league, competitor.team);
  if (!team) return undefined;
  const side: Side = {
    team,
    score: scoreOf(competitor.score),
    shootoutScore: numberOf(competitor.shootoutScore) ?? numberOf(objectOf(competitor.score).shootoutScore),
    winner: flagOf(competitor.winner),
    record: recordOf(league, competitor),
  };
  return { homeAway: textOf(competitor.homeAway), side };
}

/** Beyond it a score is a fault of its sender, in every sport. */
const SCORE_MAX = 9_999;

/** Text on scoreboards, an object in schedules; whole and not below zero in every sport. */
function scoreOf(score: unknown): number | null {
  const number = numberOf(score) ?? numberOf(objectOf(score).value);
  return number !== null && Number.isInteger(number) && number >= 0 && number <= SCORE_MAX ? number : null;
}

function recordOf(league: LeagueId, competitor: Json): SeasonRecord | null {
  const records = listOf(competitor.records ?? competitor.record).map(objectOf);
  const total = records.find((record) => record.type === "total") ?? records[0];
  const text = textOf(total?.summary) ?? textOf(total?.displayValue) ?? "";
  const match = /^(\d{1,3})-(\d{1,3})(?:-(\d{1,3}))?$/.exec(text);
  if (!match) return null;
  const [wins, second, third] = [Number(match[1]), Number(match[2]), Number(match[3] ?? 0)];
  const drawsFirst = isSoccer(league) && match[3] !== undefined;
  return drawsFirst ? { wins, losses: third, ties: second } : { wins, losses: second, ties: third };
}

/** A team wherever ESPN shows one; undefined without an id. */
export function parseTeam(league: LeagueId, value: unknown): Team | undefined {
  const team = objectOf(value);
  const id = textOf(team.id);
  if (id === null) return undefined;
  const name = textOf(team.displayName) ?? textOf(team.name) ?? textOf(team.shortDisplayName);
  const abbreviation = textOf(team.abbreviation) ?? name ?? id;
  return {
    league,
    id,
    abbreviation,
    name: name ?? abbreviation,
    shortName: textOf(team.shortDisplayName) ?? textOf(team.name),
    location: textOf(team.location),
    logo: textOf(team.logo) ?? textOf(objectOf(listOf(team.logos)[0]).href),
    color: textOf(team.color),
    alternateColor: textOf(team.alternateColor),
  };
}

/** The teams of a listing; undefined when it is none. */
export function parseTeams(league: LeagueId, answer: unknown): Team[] | undefined {
  const first = objectOf(listOf(objectOf(answer).sports)[0]);
  const { teams } = objectOf(listOf(first.leagues)[0]);
  if (!Array.isArray(teams)) return undefined;
  return teams.flatMap((entry) => parseTeam(league, objectOf(entry).team) ?? []);
}

/** ESPN leaves out the seconds: "2026-07-03T18:00Z". */
function momentOf(value: unknown): Micros | null {
  const micros = typeof value === "string" ? microsFromIso(value) : Number.NaN;
  return Number.isFinite(micros) ? micros : null;
}

function broadcastsOf(competition: Json): string[] {
  const names = listOf(competition.broadcasts).flatMap((one) => {
    const broadcast = objectOf(one);
    return [...listOf(broadcast.names), objectOf(broadcast.media).shortName];
  });
  return [...new Set(names.flatMap((name) => textOf(name, 100) ?? []))].slice(0, BROADCASTS_MAX);
}

/** The last play where ESPN tells plays; in soccer the last goal, since there only such details are told. */
function lastPlayOf(competition: Json): Play | null {
  const play = objectOf(objectOf(competition.situation).lastPlay);
  const text = textOf(play.text) ?? textOf(objectOf(play.type).text);
  if (text !== null) return { text, teamId: textOf(objectOf(play.team).id) };
  const goal = listOf(competition.details)
    .map(objectOf)
    .findLast((detail) => detail.scoringPlay === true);
  if (!goal) return null;
  const who = textOf(objectOf(listOf(goal.athletesInvolved)[0]).displayName);
  const what = textOf(objectOf(goal.type).text);
  const when = textOf(objectOf(goal.clock).displayValue);
  const parts = [when, what, who].filter((part) => part !== null);
  return parts.length === 0 ? null : { text: parts.join(" "), teamId: textOf(objectOf(goal.team).id) };
}

function probabilityOf(value: unknown): number | null {
  const probability = numberOf(objectOf(value).homeWinPercentage);
  return probability !== null && probability >= 0 && probability <= 1 ? probability : null;
}
