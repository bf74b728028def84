import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { eventOf } from "../../src/testing/fake-scoreboard.ts";
import { liveGame } from "../../src/testing/games.ts";

/** How each followed league's source is, and the words that the dashboard has for it. */
export const SOURCES = [
  { league: "nfl", state: "ok", words: "ok" },
  { league: "nwsl", state: "empty", words: "ok, no games" },
  { league: "nba", state: "blocked", words: "blocked: refuses us" },
  { league: "wnba", state: "bad_request", words: "bad request: not understood" },
  { league: "mlb", state: "malformed", words: "malformed answer" },
  { league: "epl", state: "limited", words: "asks us to wait" },
  { league: "mls", state: "down", words: "down: cannot be reached" },
] as const;

export const TEAMS = "nfl:sf,nwsl:por,nba:lal,wnba:las,mlb:lad,epl:ars,mls:lafc";
export const SCORE = { home: 14, away: 10 } as const;

/** A provider in whose answers every league shows another trouble at the same moment. Its base URL, and how to end it. */
export async function startScoreboards(): Promise<AsyncDisposable & { readonly baseUrl: string }> {
  const server = createServer((request, response) => {
    const path = request.url ?? "";
    const json = (body: unknown) => response.setHeader("content-type", "application/json").end(JSON.stringify(body));
    if (path.includes("/football/nfl/scoreboard")) {
      json({ leagues: [{ slug: "nfl" }], events: [eventOf(liveGame(SCORE.home, SCORE.away))] });
    } else if (path.includes("/soccer/usa.nwsl/")) json({ leagues: [{ slug: "usa.nwsl" }], events: [] });
    else if (path.includes("/basketball/nba/")) response.writeHead(403).end("Access Denied");
    else if (path.includes("/basketball/wnba/")) response.writeHead(400).end("{}");
    else if (path.includes("/baseball/mlb/")) response.setHeader("content-type", "text/html").end("<html>Sorry</html>");
    else if (path.includes("/soccer/eng.1/")) response.writeHead(429, { "retry-after": "600" }).end();
    else if (path.includes("/soccer/usa.1/")) request.socket.destroy();
    else json({ events: [] });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  return {
    baseUrl: `http://127.0.0.1:${port}/sports`,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
