import assert from "node:assert/strict";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { SourceFailure } from "../../domain/game.ts";
import { eventOf } from "../../testing/fake-scoreboard.ts";
import { liveGame } from "../../testing/games.ts";
import { ANSWER_BYTES_MAX } from "../requests.ts";
import { PARSED_HERE_BYTES_MAX } from "./answers.ts";
import { createScoreRequests } from "./requests.ts";

async function serve(t: TestContext, listener: RequestListener): Promise<string> {
  const server = createServer(listener).listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  t.after(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
}

const never = new AbortController().signal;
const question = (url: string) => ({ url, kind: "games", league: "nfl" }) as const;
const isFault = (fault: string) => (error: unknown) => error instanceof SourceFailure && error.fault === fault;

function board(games: number): string {
  return JSON.stringify({
    events: Array.from({ length: games }, (_, i) => eventOf(liveGame(i % 50, 0, { id: `${i}` }))),
  });
}

test("createScoreRequests() parses a large answer in a thread, and gives the same", async (t) => {
  const large = board(2500);
  assert.ok(large.length > PARSED_HERE_BYTES_MAX);
  const url = await serve(t, (_request, response) => response.end(large));
  const { value } = await createScoreRequests({ userAgent: "test" }).get(question(url), never);
  assert.equal(value.games.length, 2500);
  assert.equal(value.games[2499]!.home.score, 49);
  const broken = await serve(t, (_request, response) => response.end(large.slice(0, -1)));
  await assert.rejects(
    () => createScoreRequests({ userAgent: "test" }).get(question(broken), never),
    isFault("malformed"),
  );
});

test("createScoreRequests() takes gzip, and counts what it unfolds to", async (t) => {
  const url = await serve(t, (request, response) => {
    assert.match(String(request.headers["accept-encoding"]), /gzip/);
    response.writeHead(200, { "content-encoding": "gzip" });
    response.end(gzipSync(request.url === "/bomb" ? Buffer.alloc(ANSWER_BYTES_MAX + 1, " ") : board(3)));
  });
  const requests = createScoreRequests({ userAgent: "test" });
  assert.equal((await requests.get(question(url), never)).value.games.length, 3);
  await assert.rejects(() => requests.get(question(`${url}bomb`), never), isFault("too_large"));
});

test("createScoreRequests() asks on condition, and has what has not changed from memory", async (t) => {
  const conditions: unknown[] = [];
  const url = await serve(t, ({ headers }, response) => {
    conditions.push([headers["if-none-match"], headers["if-modified-since"]]);
    const validators = { etag: '"a"', "last-modified": "Tue, 24 Nov 2026 11:00:00 GMT" };
    response.writeHead(conditions.length === 1 ? 200 : 304, validators).end(conditions.length === 1 ? board(1) : "");
  });
  const requests = createScoreRequests({ userAgent: "test" });
  const first = await requests.get(question(url), never);
  const second = await requests.get(question(url), never);
  assert.deepEqual([first.unchanged, second.unchanged], [false, true]);
  assert.equal(second.value, first.value);
  assert.deepEqual(conditions, [
    [undefined, undefined],
    ['"a"', "Tue, 24 Nov 2026 11:00:00 GMT"],
  ]);
});

test("createScoreRequests() gives up on an answer that does not end", async (t) => {
  const url = await serve(t, (_request, response) => void response.write('{"events":['));
  const requests = createScoreRequests({ userAgent: "test", timeoutMs: 50 });
  await assert.rejects(() => requests.get(question(url), never), isFault("down"));
});

test("createScoreRequests() ends with the signal, which is no failure of the source", async (t) => {
  const stop = new AbortController();
  const url = await serve(t, () => stop.abort());
  const requests = createScoreRequests({ userAgent: "test" });
  await assert.rejects(() => requests.get(question(url), stop.signal), { name: "AbortError" });
  assert.equal(requests.counters.failed, 0);
});

test("createScoreRequests() follows to a dated address, and says how long it is to stay away", async (t) => {
  const url = await serve(t, (request, response) => {
    if (request.url === "/now") response.writeHead(307, { location: "/2026-11-24" }).end();
    else if (request.url === "/busy") response.writeHead(429, { "retry-after": "120" }).end();
    else if (request.url === "/later") {
      response.writeHead(503, { "retry-after": new Date(Date.now() + 90_000).toUTCString() }).end();
    } else response.end(board(2));
  });
  const requests = createScoreRequests({ userAgent: "test" });
  assert.equal((await requests.get(question(`${url}now`), never)).value.games.length, 2);
  const retryAfter = async (path: string) => {
    const failure: unknown = await requests.get(question(url + path), never).catch((error: unknown) => error);
    assert.ok(failure instanceof SourceFailure);
    return failure.retryAfterMs!;
  };
  assert.equal(await retryAfter("busy"), 120_000);
  const later = await retryAfter("later");
  assert.ok(later > 0 && later <= 90_000, `${later}`);
});

test("createScoreRequests() says that nobody is there", async () => {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  const requests = createScoreRequests({ userAgent: "test" });
  const asked = () => requests.get(question(`http://127.0.0.1:${port}/`), never);
  await assert.rejects(asked, /cannot be reached: .*ECONNREFUSED/);
});

test("createScoreRequests() says how each address of a name failed", async () => {
  const each = ["192.0.2.1:443", "2001:db8::1:443"].map((address) => new Error(`connect ECONNREFUSED ${address}`));
  const fetch = async () => Promise.reject(new TypeError("fetch failed", { cause: new AggregateError(each) }));
  const requests = createScoreRequests({ userAgent: "test", fetch });
  await assert.rejects(requests.get(question("http://two.example/"), never), {
    message: "The source cannot be reached: connect ECONNREFUSED 192.0.2.1:443; connect ECONNREFUSED 2001:db8::1:443",
  });
});
