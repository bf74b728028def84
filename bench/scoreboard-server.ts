import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { nowMicros } from "../src/lib/time.ts";
import { gameDay } from "../src/sources/sports/game-day.ts";
import { eventOf } from "../src/testing/fake-scoreboard.ts";
import { liveGame, teamOf } from "../src/testing/games.ts";

/**
 * A scoreboard in a process of its own: a slate of 60 games of today in ESPN's form, 1 MB of it, where each answer has
 * another score of each game. Tells its port, and after each message how many slates it has given.
 */

const GAMES = 60;
const BYTES = 1_000_000;
/** Answers that are made before, so that making them is no part of what is measured. */
const ANSWERS = 20;

/** What else ESPN says of a game: small objects, of which nobody here reads anything. */
function filler(bytes: number): unknown[] {
  const leader = {
    displayName: "Passing Yards",
    value: 254,
    athlete: { id: "3139477", position: { abbreviation: "QB" } },
  };
  const each = JSON.stringify(leader).length + 1;
  return Array.from({ length: Math.max(0, Math.round(bytes / each)) }, () => leader);
}

function slate(score: number): Buffer {
  const start = nowMicros();
  const events = Array.from({ length: GAMES }, (_, at) => {
    const id = String(401_000_000 + at);
    const home = { team: teamOf(String(2 * at + 1), `H${at}`, `Home ${at}`), score };
    const away = { team: teamOf(String(2 * at + 2), `A${at}`, `Away ${at}`), score: 0 };
    return eventOf(liveGame(score, 0, { id, start, home, away })) as object;
  });
  const bytes = JSON.stringify({ events }).length;
  const leaders = filler((BYTES - bytes) / GAMES - '"leaders":[],'.length);
  return Buffer.from(JSON.stringify({ events: events.map((event) => ({ ...event, leaders })) }));
}

const answers = Array.from({ length: ANSWERS }, (_, at) => slate(at));
let given = 0;
const server = createServer((request, response) => {
  const url = new URL(request.url!, "http://scoreboard");
  const isToday = url.searchParams.get("dates") === gameDay(nowMicros()).replaceAll("-", "");
  const body = url.pathname.endsWith("/scoreboard") && isToday ? answers[given++ % ANSWERS]! : '{"events":[]}';
  response.writeHead(200, { "content-type": "application/json" }).end(body);
});
server.listen(0, "127.0.0.1", () => {
  process.send!({ port: (server.address() as AddressInfo).port, bytes: answers[0]!.length });
});
process.on("message", () => process.send!({ given }));
process.on("disconnect", () => process.exit());
