import { AppError } from "../domain/errors.ts";
import type { FollowedTeam, LeagueId, Team } from "../domain/game.ts";
import { foldName, namesOf, readLeague, readTeamName } from "../domain/team-names.ts";
import type { Api } from "./api.ts";
import { pageOf } from "./cursors.ts";
import { leagueOf, leagueQuery, type SportsSources } from "./game-lists.ts";
import {
  answers,
  count,
  exactly,
  LIST_LIMIT_DEFAULT,
  listAnswer,
  listBody,
  listQuery,
  named,
  nullableText,
  queryText,
  text,
  VALUE_LENGTH_MAX,
} from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["sports"];
const TEAMS_MAX = 200;

const TeamRow = named("Team", {
  league: text("League"),
  id: text("The provider's, unique within the league"),
  abbreviation: text("As shown; not unique"),
  name: text("Full name"),
  short_name: nullableText("Without the place"),
  location: nullableText("Place"),
  logo: nullableText("Address of a picture"),
  is_followed: Type.Boolean(),
});
const FollowedRow = named("FollowedTeam", {
  league: text("League"),
  id: nullableText("The provider's; null until it is found, and for a whole league"),
  team: text("As it was written"),
  abbreviation: nullableText("As shown"),
  name: nullableText("Full name"),
  configured: Type.Boolean({ description: "Named in SPORTS_TEAMS, so it stays" }),
});

const name = (description: string) => Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX, description });
const names = (description: string) =>
  Type.Optional(
    Type.Array(Type.String({ minLength: 1, maxLength: VALUE_LENGTH_MAX }), { maxItems: TEAMS_MAX, description }),
  );

/** Which teams there are, and which are followed. */
export function teamRoutes(api: Api, sports: SportsSources): void {
  api.get(
    "/api/v1/teams",
    {
      schema: {
        tags,
        summary: "Teams of a league",
        description:
          "Without a league those of the leagues in which somebody is followed; with q and without a league, of all.",
        querystring: listQuery({ ...leagueQuery, q: queryText("Text within a name, or an abbreviation or id") }),
        response: answers(
          { 200: exactly({ league: nullableText("As asked"), ...listAnswer("teams", TeamRow).properties }) },
          503,
        ),
      },
    },
    async ({ query }) => {
      const league = leagueOf(sports, query);
      const teams = await teamsOf(league, query.q !== undefined);
      const q = query.q === undefined ? null : foldName(query.q);
      const found = teams.filter((team) => q === null || isNamed(team, q));
      const { limit = LIST_LIMIT_DEFAULT, cursor } = query;
      const page = pageOf(["teams", league, q], found, (team) => `${team.league}:${team.id}`, { limit, cursor });
      return { league: league ?? null, ...listBody("teams", { ...page, rows: page.rows.map(teamRow) }, limit) };
    },
  );

  api.get(
    "/api/v1/teams/followed",
    {
      schema: {
        tags,
        summary: "Teams that are followed",
        querystring: listQuery({}),
        response: answers({ 200: listAnswer("teams", FollowedRow) }),
      },
    },
    async ({ query: { limit = LIST_LIMIT_DEFAULT, cursor } }) => {
      const page = pageOf(["followed"], sports.followed(), ({ league, text }) => `${league}:${text}`, {
        limit,
        cursor,
      });
      return listBody("teams", { ...page, rows: page.rows.map(followedRow) }, limit);
    },
  );

  api.post(
    "/api/v1/teams/followed",
    {
      schema: {
        tags,
        summary: "Follow a team",
        body: exactly({
          team: name('"nfl:sf", or with league "sf", an id or a full name; "*" is every team'),
          league: Type.Optional(name("League")),
        }),
        response: answers({ 201: FollowedRow }, 404, 503),
      },
    },
    async ({ body }, reply) => {
      const { league, text: team } = await nameOf(body.team, body.league);
      reply.code(201);
      return followedRow(await sports.follow(league, team));
    },
  );

  api.delete(
    "/api/v1/teams/followed/:team",
    {
      schema: {
        tags,
        summary: "Follow a team no longer",
        params: exactly({ team: text("As nfl:sf") }),
        querystring: exactly(leagueQuery),
        response: answers({ 204: Type.Null({ description: "It is followed no longer" }) }, 404, 409),
      },
    },
    async ({ params, query }, reply) => {
      const given = readTeamName(params.team, leagueOf(sports, query), sports);
      if (!given) throw new AppError("invalid", `The team "${params.team}" lacks its league, as in "nfl:sf"`);
      if (!(await sports.unfollow(given.league, given.text))) {
        throw new AppError("not_found", `Nobody follows "${params.team}"`);
      }
      return reply.code(204).send();
    },
  );

  const UserTeams = {
    user_id: text("The only one: default"),
    nfl_teams: Type.Array(Type.String()),
    nhl_teams: Type.Array(Type.String()),
    teams: Type.Array(FollowedRow),
  };
  api.get(
    "/api/v1/user/teams",
    {
      schema: {
        tags,
        summary: "Teams that are followed, in the original's form",
        querystring: exactly({ user_id: queryText("Anything; there is one user") }),
        response: answers({ 200: exactly(UserTeams) }),
      },
    },
    async ({ query }) => userTeams(query.user_id),
  );

  api.post(
    "/api/v1/user/teams",
    {
      schema: {
        tags,
        summary: "Set the teams that are followed, league by league",
        description: "A list takes the place of what was followed in its league; leagues without a list stay.",
        body: exactly({
          user_id: Type.Optional(name("Anything; there is one user")),
          nfl_teams: names("Teams of the NFL"),
          nhl_teams: names("Teams of the NHL"),
          teams: names('Teams of any league, as "mlb:bos"'),
        }),
        response: answers(
          {
            200: exactly({
              ...UserTeams,
              success: Type.Boolean(),
              teams_saved: count("Teams that are followed now"),
            }),
          },
          404,
          503,
        ),
      },
    },
    async ({ body }) => {
      const wanted = new Map<LeagueId, string[]>();
      if (body.nfl_teams) wanted.set("nfl", [...body.nfl_teams]);
      if (body.nhl_teams) wanted.set("nhl", [...body.nhl_teams]);
      for (const written of body.teams ?? []) {
        const given = readTeamName(written, undefined, sports);
        if (!given) throw new AppError("invalid", `The field "teams" holds "${written}", which lacks its league`);
        wanted.set(given.league, [...(wanted.get(given.league) ?? []), given.text]);
      }
      for (const [league, teams] of wanted) await replace(league, teams);
      return { ...userTeams(body.user_id), success: true, teams_saved: sports.followed().length };
    },
  );

  /** New ones first, so that a name that fits no team leaves everything else as it was. */
  async function replace(league: LeagueId, teams: readonly string[]): Promise<void> {
    const kept = new Set<string>();
    for (const team of teams) kept.add(keyOf(await sports.follow(league, readTeamName(team, league, sports)!.text)));
    for (const old of sports.followed()) {
      if (old.league === league && !old.configured && !kept.has(keyOf(old))) {
        await sports.unfollow(league, old.id ?? old.text);
      }
    }
  }

  function userTeams(userId = "default") {
    const followed = sports.followed();
    const of = (league: string): string[] =>
      followed
        .filter((team) => team.league === league)
        .map(({ abbreviation, text: as }) => (abbreviation ?? as).toLowerCase());
    return { user_id: userId, nfl_teams: of("nfl"), nhl_teams: of("nhl"), teams: followed.map(followedRow) };
  }

  async function nameOf(team: string, league: string | undefined): Promise<{ league: LeagueId; text: string }> {
    const given = readTeamName(team, league === undefined ? undefined : readLeague(league, sports), sports);
    if (given) return given;
    const found = await sports.team(team);
    return { league: found.league, text: found.id };
  }

  async function teamsOf(league: LeagueId | undefined, everywhere: boolean): Promise<readonly Team[]> {
    if (league !== undefined) return sports.teams(league);
    const leagues = everywhere
      ? sports.leagues.map(({ id }) => id)
      : [...new Set(sports.followed().map((team) => team.league))];
    const lists = await Promise.allSettled(leagues.map((one) => sports.teams(one)));
    const good = lists.flatMap((list) => (list.status === "fulfilled" ? [list.value] : []));
    const bad = lists.find((list) => list.status === "rejected");
    if (good.length === 0 && bad) throw bad.reason;
    return good.flat();
  }

  function teamRow(team: Team) {
    return {
      league: team.league,
      id: team.id,
      abbreviation: team.abbreviation,
      name: team.name,
      short_name: team.shortName,
      location: team.location,
      logo: team.logo,
      is_followed: sports
        .followed()
        .some(({ league, id, text: as }) => league === team.league && (id === team.id || as === "*")),
    };
  }
}

function isNamed(team: Team, q: string): boolean {
  return team.id === q || namesOf(team).some((one) => foldName(one) === q) || foldName(team.name).includes(q);
}

function keyOf({ league, id, text: as }: FollowedTeam): string {
  return `${league}:${id ?? foldName(as)}`;
}

function followedRow({ league, id, text: team, abbreviation, name: full, configured }: FollowedTeam) {
  return { league, id, team, abbreviation, name: full, configured };
}
