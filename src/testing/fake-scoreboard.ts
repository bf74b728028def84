import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Game, Side, Team } from "../domain/game.ts";

/** A look that the fake provider shows: a game, or an event in the provider's own form. */
export type Shown = Game | { readonly raw: unknown };

/** How the next answers fail. */
export interface Fault {
  /** A status, a text in place of JSON, a connection that is cut, or one that never ends. */
  readonly status?: number;
  readonly body?: string;
  readonly cut?: boolean;
  readonly hang?: boolean;
  readonly retryAfter?: string;
}

export interface Asked {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly headers: IncomingMessage["headers"];
}

/**
 * A scoreboard server in ESPN's form (`/{sport}/{league}/scoreboard`, `/teams`, `/teams/{id}/schedule`) and in the
 * NHL's (`/score/{date}`), whose contents a test sets. Unknown leagues have no games. ETags are honoured.
 */
export interface FakeScoreboard extends AsyncDisposable {
  /** In place of ESPN's address, up to `/sports`. */
  readonly baseUrl: string;
  readonly nhlBaseUrl: string;
  readonly asked: Asked[];
  /** What a league's path shows, e.g. "football/nfl"; on one day ("20261129") or, without, on every day. */
  show(path: string, games: readonly Shown[], day?: string): void;
  showTeams(path: string, teams: readonly Team[]): void;
  showSchedule(path: string, teamId: string, games: readonly Shown[]): void;
  showNhl(day: string, answer: unknown): void;
  /** Until it is set to null. */
  fault: Fault | null;
  /** Resolves at the first request after the call that fits. */
  nextRequest(fits?: (asked: Asked) => boolean): Promise<Asked>;
}

export async function startFakeScoreboard(): Promise<FakeScoreboard> {
  const boards = new Map<string, readonly Shown[]>();
  const teams = new Map<string, readonly Team[]>();
  const schedules = new Map<string, readonly Shown[]>();
  const nhl = new Map<string, unknown>();
  const asked: Asked[] = [];
  const waiting = new Set<{ fits: (one: Asked) => boolean; resolve: (one: Asked) => void }>();

  function answerTo(path: string, query: URLSearchParams): unknown {
    const parts = path.split("/").slice(1);
    if (parts[0] === "nhl") return nhl.get(parts[2]!) ?? { games: [] };
    const league = `${parts[1]}/${parts[2]}`;
    if (parts[3] === "scoreboard") {
      const games = boards.get(`${league} ${query.get("dates")}`) ?? boards.get(league) ?? [];
      return { leagues: [{ slug: parts[2] }], events: games.map(eventOf) };
    }
    if (parts[3] === "teams" && parts.length === 4) {
      const list = teams.get(league);
      return list && { sports: [{ leagues: [{ teams: list.map((team) => ({ team: espnTeam(team) })) }] }] };
    }
    const schedule = schedules.get(`${league} ${parts[4]}`);
    return schedule && { events: schedule.map(eventOf) };
  }

  const server = createServer((request, response) => {
    const url = new URL(request.url!, "http://fake");
    const one: Asked = { path: url.pathname, query: url.searchParams, headers: request.headers };
    asked.push(one);
    for (const waiter of waiting) {
      if (!waiter.fits(one)) continue;
      waiting.delete(waiter);
      waiter.resolve(one);
    }
    if (fake.fault) return fail(fake.fault, response);
    const answer = answerTo(url.pathname, url.searchParams);
    if (answer === undefined) return void response.writeHead(404).end("{}");
    send(JSON.stringify(answer), request, response);
  });
  server.listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;

  const fake: FakeScoreboard = {
    baseUrl: `http://127.0.0.1:${port}/sports`,
    nhlBaseUrl: `http://127.0.0.1:${port}/nhl`,
    asked,
    fault: null,
    show: (path, games, day) => void boards.set(day === undefined ? path : `${path} ${day}`, games),
    showTeams: (path, list) => void teams.set(path, list),
    showSchedule: (path, teamId, games) => void schedules.set(`${path} ${teamId}`, games),
    showNhl: (day, answer) => void nhl.set(day, answer),
    nextRequest: (fits = () => true) => new Promise((resolve) => waiting.add({ fits, resolve })),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
  return fake;
}

function fail({ status, body, cut, hang, retryAfter }: Fault, response: ServerResponse): void {
  if (cut) {
    response.writeHead(200, { "content-length": "1000" });
    response.write('{"events":[');
    response.destroy();
  } else if (hang) {
    response.writeHead(200);
    response.write('{"events":[');
  } else {
    response.writeHead(status ?? 200, retryAfter === undefined ? {} : { "retry-after": retryAfter }).end(body ?? "");
  }
}

function send(body: string, request: IncomingMessage, response: ServerResponse): void {
  let hash = 0;
  for (let i = 0; i < body.length; i++) hash = (hash * 31 + body.charCodeAt(i)) | 0;
  const etag = `"${hash}"`;
  if (request.headers["if-none-match"] === etag) return void response.writeHead(304).end();
  response.writeHead(200, { "content-type": "application/json", etag }).end(body);
}

/** A game in ESPN's form. */
export function eventOf(shown: Shown): unknown {
  if ("raw" in shown) return shown.raw;
  const status = {
    period: shown.period,
    displayClock: shown.clock,
    type: {
      name: shown.statusName === null ? undefined : `STATUS_${shown.statusName}`,
      state: shown.phase,
      completed: shown.completed,
      shortDetail: shown.detail,
    },
  };
  const date = shown.start === null ? undefined : new Date(shown.start / 1000).toISOString().replace(/:00\.000Z$/, "Z");
  const situation = shown.lastPlay && {
    lastPlay: {
      text: shown.lastPlay.text,
      team: { id: shown.lastPlay.teamId },
      probability: { homeWinPercentage: shown.homeWinProbability },
    },
  };
  return {
    id: shown.id,
    date,
    season: { year: shown.season, type: shown.seasonType },
    week: { number: shown.week },
    status,
    competitions: [
      {
        date,
        timeValid: shown.timeValid,
        status,
        competitors: [competitorOf(shown.home, "home"), competitorOf(shown.away, "away")],
        ...(situation ? { situation } : {}),
      },
    ],
  };
}

function competitorOf({ team, score, shootoutScore, winner, record }: Side, homeAway: string) {
  return {
    homeAway,
    team: espnTeam(team),
    score: score === null ? "" : String(score),
    ...(shootoutScore === null ? {} : { shootoutScore }),
    ...(winner === null ? {} : { winner }),
    ...(record ? { records: [{ type: "total", summary: `${record.wins}-${record.losses}` }] } : {}),
  };
}

function espnTeam({ id, abbreviation, name, shortName, location, logo, color, alternateColor }: Team) {
  return { id, abbreviation, displayName: name, shortDisplayName: shortName, location, logo, color, alternateColor };
}
