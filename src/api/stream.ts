import type { ServerResponse } from "node:http";
import { AppError } from "../domain/errors.ts";
import type { StateChange } from "../domain/home.ts";
import type { HomeReader } from "../domain/home-store.ts";
import type { ChangeFeed } from "../domain/ingest.ts";
import { isoFromMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { answers, exactly, listOf, plain, queryList, queryText } from "./schemas.ts";
import { stateBody } from "./state-json.ts";

const HEARTBEAT_MS = 15_000;
const CLIENTS_MAX = 100;
/** What may wait for a client however it reads: a burst comes at once, and Home Assistant sends 4,096 changes in one. */
const CLIENT_BUFFER_BYTES_MAX = 8 * 1024 * 1024;
/** A client for which more than this waits is behind, which it may be for so long. */
const CLIENT_BEHIND_BYTES = 1024 * 1024;
const CLIENT_BEHIND_MS_MAX = 5_000;
/** Changes that wait for the end of a turn of the event loop, to go out as one write. */
const TURN_CHANGES_MAX = 1_000;
/** How long an area filter goes by what it knows of areas. */
const AREA_REFRESH_MS = 10_000;
const LIST_LENGTH_MAX = 60_000;

/**
 * State changes for whoever listens: `feed ──▶ turn (one write) ──▶ filter per client ──▶ socket`. A client that stays
 * behind, or too far behind, is cut off: it may come again, while the others are not held up.
 */
export interface ChangeStream {
  /** Writes to `response` until either side ends it. `unavailable` when there are too many. */
  open(response: ServerResponse, wants: (change: StateChange) => boolean, hello: unknown, headers: Headers): void;
  status(): StreamStatus;
  /** Ends every client; later ones are refused. */
  close(): void;
}

type Headers = Readonly<Record<string, string | number | string[] | undefined>>;

export interface StreamStatus {
  readonly clients: number;
  /** Changes sent, each once per client. */
  readonly sent: number;
  /** Cut off because they did not keep up. */
  readonly dropped: number;
  /** Turned away because there were too many. */
  readonly refused: number;
}

interface Client {
  readonly response: ServerResponse;
  wants(change: StateChange): boolean;
  /** When it was first found behind, by `now`; undefined while it is not. */
  behindSince: number | undefined;
}

export function createChangeStream(feed: ChangeFeed, now = () => performance.now()): ChangeStream {
  const clients = new Set<Client>();
  let turn: StateChange[] = [];
  let unsubscribe: (() => void) | undefined;
  let lastId = 0;
  let closed = false;
  let sent = 0;
  let dropped = 0;
  let refused = 0;

  const remove = (client: Client): void => {
    clients.delete(client);
    if (clients.size > 0) return;
    unsubscribe?.();
    unsubscribe = undefined;
    turn = [];
  };

  /** Whether the client may get more, by what it left of the writes before: what comes now it had no time to read. */
  const keepsUp = (client: Client): boolean => {
    const waiting = client.response.writableLength;
    if (waiting <= CLIENT_BEHIND_BYTES) {
      client.behindSince = undefined;
      return true;
    }
    client.behindSince ??= now();
    return waiting <= CLIENT_BUFFER_BYTES_MAX && now() - client.behindSince <= CLIENT_BEHIND_MS_MAX;
  };

  const write = (client: Client, text: string | Buffer): void => {
    if (client.response.destroyed) return;
    if (keepsUp(client)) {
      client.response.write(text);
      return;
    }
    dropped++;
    remove(client);
    client.response.destroy();
  };

  const sendTurn = (): void => {
    const changes = turn;
    turn = [];
    // A change is written once, and only when somebody wants it.
    const firstId = lastId + 1;
    lastId += changes.length;
    const frames: string[] = [];
    // Who wants the same waits for the same bytes: a hundred slow listeners hold them once, not a hundred times.
    const bytes = new Map<string, Buffer>();
    for (const client of [...clients]) {
      let text = "";
      changes.forEach((change, i) => {
        if (!client.wants(change)) return;
        frames[i] ??= frame(firstId + i, change);
        text += frames[i];
        sent++;
      });
      if (text === "") continue;
      const shared = bytes.get(text) ?? Buffer.from(text);
      bytes.set(text, shared);
      write(client, shared);
    }
  };

  const receive = (change: StateChange): void => {
    if (turn.push(change) === 1) setImmediate(sendTurn);
    else if (turn.length >= TURN_CHANGES_MAX) sendTurn();
  };

  const heartbeat = setInterval(() => {
    for (const client of [...clients]) write(client, ": heartbeat\n\n");
  }, HEARTBEAT_MS);
  heartbeat.unref();

  return {
    open(response, wants, hello, headers) {
      if (closed || clients.size >= CLIENTS_MAX) {
        refused++;
        const state = closed ? "the service is stopping" : `${CLIENTS_MAX} clients are listening already`;
        throw new AppError("unavailable", `Cannot open another stream: ${state}`);
      }
      const client: Client = { response, wants, behindSince: undefined };
      response.writeHead(200, {
        ...headers,
        "content-type": "text/event-stream; charset=utf-8",
        "cache-control": "no-cache, no-transform",
        connection: "keep-alive",
        // Tells nginx to pass every event on at once.
        "x-accel-buffering": "no",
      });
      clients.add(client);
      response.once("close", () => remove(client));
      response.on("drain", () => {
        client.behindSince = undefined;
      });
      if (unsubscribe === undefined) {
        lastId = feed.told;
        unsubscribe = feed.subscribe(receive);
      }
      write(client, `retry: 3000\nevent: hello\ndata: ${JSON.stringify(hello)}\n\n`);
    },
    status: () => ({ clients: clients.size, sent, dropped, refused }),
    close() {
      closed = true;
      clearInterval(heartbeat);
      for (const client of [...clients]) {
        const { response } = client;
        remove(client);
        // An end waits behind what is not read, and the server would wait with it.
        if (response.writableLength > 0) response.destroy();
        else response.end();
      }
    },
  };
}

function frame(id: number, change: StateChange): string {
  const oldState = change.oldState?.read() ?? null;
  const data = JSON.stringify({
    entity_id: change.entityId,
    old_state: oldState && stateBody(oldState),
    new_state: change.newState && stateBody(change.newState),
    time_fired: isoFromMicros(change.timeFired),
  });
  return `id: ${id}\nevent: state_changed\ndata: ${data}\n\n`;
}

/** Live state changes as server-sent events. `hello` is what the first event of a stream tells. */
export function streamRoutes(
  api: Api,
  stream: ChangeStream,
  home: Pick<HomeReader, "entityIdsOfArea">,
  hello: () => unknown,
): void {
  api.get(
    "/api/v1/stream",
    {
      exposeHeadRoute: false,
      schema: {
        tags: ["states"],
        summary: "State changes as they happen (server-sent events)",
        description:
          "The first event is `hello` (version and counts), then `state_changed` with entity_id, old_state, " +
          "new_state and time_fired; a state is null where the entity is new or was removed. `id` counts all changes, so " +
          "a filter leaves numbers out; nothing is sent again: after a break ask /api/v1/history. A comment every 15 " +
          "seconds keeps proxies from closing it. A listener that reads too slowly is cut off.",
        querystring: exactly({
          entity_id: queryList("Entities; * stands for any text", LIST_LENGTH_MAX),
          domain: queryList("Domains, e.g. light", LIST_LENGTH_MAX),
          area_id: queryText("Effective area"),
        }),
        response: answers({ 200: plain("text/event-stream", "Events") }, 503),
      },
    },
    (request, reply) => {
      stream.open(reply.raw, wanted(request.query, home), hello(), reply.getHeaders());
      reply.hijack();
    },
  );
}

interface StreamFilter {
  readonly entity_id?: string;
  readonly domain?: string;
  readonly area_id?: string;
}

/** All that is given must fit. */
function wanted(filter: StreamFilter, home: Pick<HomeReader, "entityIdsOfArea">): (change: StateChange) => boolean {
  const checks: ((entityId: string) => boolean)[] = [];
  if (filter.domain !== undefined) {
    const domains = new Set(listOf(filter.domain));
    checks.push((entityId) => domains.has(entityId.slice(0, entityId.indexOf("."))));
  }
  if (filter.entity_id !== undefined) checks.push(nameCheck(listOf(filter.entity_id)));
  if (filter.area_id !== undefined) checks.push(areaCheck(filter.area_id, home));
  return ({ entityId }) => checks.every((check) => check(entityId));
}

function nameCheck(names: readonly string[]): (entityId: string) => boolean {
  const exact = new Set(names);
  const globs = names.filter((name) => name.includes("*")).map((name) => name.split(/\*+/));
  return (entityId) => exact.has(entityId) || globs.some((parts) => matchesParts(entityId, parts));
}

/**
 * Whether `text` is the parts of a glob in order, with any text between them. The leftmost place of each part is
 * always good enough, so there is no going back and no pattern is slow.
 */
function matchesParts(text: string, parts: readonly string[]): boolean {
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (!text.startsWith(first) || !text.endsWith(last) || text.length < first.length + last.length) return false;
  let at = first.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return at <= text.length - last.length;
}

function areaCheck(areaId: string, home: Pick<HomeReader, "entityIdsOfArea">): (entityId: string) => boolean {
  let known: ReadonlySet<string> = new Set();
  let readAt = Number.NEGATIVE_INFINITY;
  return (entityId) => {
    const now = performance.now();
    if (now - readAt >= AREA_REFRESH_MS) {
      known = new Set(home.entityIdsOfArea(areaId));
      readAt = now;
    }
    return known.has(entityId);
  };
}
