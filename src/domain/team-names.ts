import { AppError } from "./errors.ts";
import { type LeagueId, type Team, type TeamStore, teamKey } from "./game.ts";

/** Abbreviations by which other providers, newspapers and past seasons know the team that has one of the others. */
const SAME: readonly (readonly string[])[] = [
  ["wsh", "was", "wdc"],
  ["ana", "anh"],
  ["utah", "uta", "uth"],
  ["tb", "tbl", "tbr", "tam"],
  ["nj", "njd"],
  ["la", "lak", "lar"],
  ["sj", "sjs"],
  ["vgk", "veg", "vgs"],
  ["mtl", "mon"],
  ["cbj", "clb"],
  ["nsh", "nas"],
  ["wpg", "win"],
  ["cgy", "cal"],
  ["gs", "gsw"],
  ["ny", "nyk"],
  ["no", "nop", "nor"],
  ["sa", "sas"],
  ["phx", "pho"],
  ["bkn", "brk"],
  ["cha", "cho"],
  ["jax", "jac"],
  ["ari", "arz", "az"],
  ["chw", "cws", "cha"],
  ["sf", "sfg", "sfo"],
  ["sd", "sdp"],
  ["kc", "kcr", "kan"],
  ["gb", "gnb"],
  ["ne", "nwe"],
  ["lv", "lvr", "oak"],
  ["ath", "oak"],
];

/** A team as somebody wrote it, in its league. */
export interface TeamName {
  readonly league: LeagueId;
  readonly text: string;
}

/** The league that a text begins with ("nfl:sf", "nfl-sf", "hockey/ahl:abbotsford"), and the rest. */
export function splitTeamName(text: string, parseLeague: (text: string) => LeagueId | undefined): TeamName | undefined {
  for (const mark of [":", "-", " "]) {
    const at = text.indexOf(mark);
    const league = at < 1 ? undefined : parseLeague(text.slice(0, at));
    const rest = text.slice(at + 1).trim();
    if (league !== undefined && rest !== "") return { league, text: rest };
  }
  return undefined;
}

/** Which leagues there are. */
export type Leagues = Pick<TeamStore, "leagues" | "parseLeague">;

/** The league that a user names; `invalid` for one that there is not, with those that are known. */
export function readLeague(text: string, { leagues, parseLeague }: Leagues): LeagueId {
  const id = parseLeague(text);
  if (id !== undefined) return id;
  const known = leagues.map((one) => one.id).join(", ");
  throw new AppError("invalid", `There is no league "${text}": known are ${known}, and ESPN's own paths`);
}

/**
 * A team as a user names it, with its league in the name or beside it; undefined where it is in neither. What stands
 * before a colon is a league, so a mistake there is `invalid` and need not be looked for among the teams of all of them;
 * so is a league in the name that is not the one beside it.
 */
export function readTeamName(text: string, league: LeagueId | undefined, leagues: Leagues): TeamName | undefined {
  const at = text.indexOf(":");
  if (at < 1) {
    const split = splitTeamName(text, leagues.parseLeague);
    return league === undefined || split?.league === league ? split : { league, text };
  }
  const named = { league: readLeague(text.slice(0, at), leagues), text: text.slice(at + 1).trim() };
  if (named.text === "") throw new AppError("invalid", `The team "${text}" lacks its name, as in "nfl:sf"`);
  if (league === undefined || named.league === league) return named;
  throw new AppError("invalid", `The team "${text}" is not of league "${league}"`);
}

/** Names of one team are compared in this form: "nfl-SF", "nfl:sf" and "NFL SF" are the same. */
export function foldName(text: string): string {
  return text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[\s:_-]+/g, " ")
    .trim();
}

type Rule = (team: Team, wanted: string) => boolean;

/** Names that a league gives only once. */
const EXACT: readonly Rule[] = [
  (team, wanted) => foldName(team.id) === wanted,
  (team, wanted) => foldName(team.abbreviation) === wanted,
  (team, wanted) => foldName(team.name) === wanted,
];
const LOOSE: readonly Rule[] = [
  (team, wanted) => [team.shortName, team.location].some((name) => name !== null && foldName(name) === wanted),
  (team, wanted) => isSameAbbreviation(team.abbreviation, wanted),
];

/**
 * The team that a text means among all teams of a league: id, abbreviation, a name, then the abbreviations of others;
 * the first rule that fits exactly one team decides, so that a name which two teams share finds none.
 */
export function findTeam(teams: readonly Team[], text: string): Team | undefined {
  return firstOf([...EXACT, ...LOOSE], teams, text);
}

/** As `findTeam` where the league's other teams are not known: only by names that no other team can have. */
export function findTeamOfSome(teams: readonly Team[], text: string): Team | undefined {
  return firstOf(EXACT, teams, text);
}

function firstOf(rules: readonly Rule[], teams: readonly Team[], text: string): Team | undefined {
  const wanted = foldName(text);
  for (const rule of rules) {
    const found = teams.filter((team) => rule(team, wanted));
    if (found.length === 1) return found[0];
  }
  return undefined;
}

/** Whether two providers' abbreviations can mean one team of a league. */
export function isSameAbbreviation(one: string, other: string): boolean {
  const [a, b] = [foldName(one), foldName(other)];
  return a === b || SAME.some((group) => group.includes(a) && group.includes(b));
}

/** The names that are a team's own, with its league and without: "nfl:25", "nfl:sf", "sf", "San Francisco 49ers", … */
export function namesOf(team: Team): string[] {
  const abbreviation = foldName(team.abbreviation);
  const others = SAME.filter((group) => group.includes(abbreviation)).flat();
  const abbreviations = [...new Set([abbreviation, ...others])];
  const names = [
    teamKey(team),
    ...abbreviations.map((one) => `${team.league}:${one}`),
    ...abbreviations,
    ...[team.name, team.shortName].flatMap((name) => (name === null ? [] : [name, `${team.league}:${name}`])),
    team.id,
  ];
  return [...new Set(names)];
}
