import { createServer } from "node:http";
import type { AddressInfo } from "node:net";

const SCOREBOARD = "/football/nfl/scoreboard";
const TEAMS = "/football/nfl/teams";

export interface NflTeam {
  readonly id: string;
  readonly abbreviation: string;
  readonly location: string;
  readonly name: string;
}

/** A game at one moment. A score belongs to a game that is played or over. */
export interface NflGame {
  readonly id: string;
  readonly home: NflTeam;
  readonly away: NflTeam;
  readonly phase: "pre" | "in" | "post";
  readonly score: { readonly home: number; readonly away: number };
}

/** A server that answers as ESPN does for one league, with what a scenario puts on it. */
export interface Scoreboard extends AsyncDisposable {
  /** For SPORTS_BASE_URL. */
  readonly url: string;
  show(games: readonly NflGame[]): void;
}

/** The field names are those of recorded answers of ESPN's site API. All games begin now. */
export async function startScoreboard(teams: readonly NflTeam[]): Promise<Scoreboard> {
  const date = `${new Date().toISOString().slice(0, 16)}Z`;
  let events: unknown[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? "/", "http://scoreboard");
    const answer = pathname === SCOREBOARD ? { events } : pathname === TEAMS ? teamList(teams) : undefined;
    response.writeHead(answer ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(answer ?? {}));
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("error", reject).listen(0, "127.0.0.1", resolve);
  await promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    show(games) {
      events = games.map((game) => event(game, date));
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((closed) => server.close(closed));
    },
  };
}

function teamList(teams: readonly NflTeam[]) {
  return { sports: [{ leagues: [{ teams: teams.map((one) => ({ team: team(one) })) }] }] };
}

function team({ id, abbreviation, location, name }: NflTeam) {
  return { id, abbreviation, location, name, displayName: `${location} ${name}`, shortDisplayName: name };
}

const STATUS_NAMES = { pre: "STATUS_SCHEDULED", in: "STATUS_IN_PROGRESS", post: "STATUS_FINAL" };

function event({ id, home, away, phase, score }: NflGame, date: string) {
  const status = {
    period: phase === "pre" ? 0 : 1,
    displayClock: phase === "in" ? "9:30" : "0:00",
    type: { name: STATUS_NAMES[phase], state: phase, completed: phase === "post" },
  };
  const side = (homeAway: "home" | "away", one: NflTeam) => ({
    homeAway,
    team: team(one),
    score: String(score[homeAway]),
  });
  const competition = { date, timeValid: true, status, competitors: [side("home", home), side("away", away)] };
  return { id, date, season: { year: 2026, type: 2 }, status, competitions: [competition] };
}
