import { Counter, Gauge, type Registry } from "prom-client";
import { type DeadLetter, type Forwarding, TARGET_STATES, type TargetStatus } from "../domain/forwarding.ts";
import { isoFromMicros, nowMicros } from "../lib/time.ts";
import type { Api } from "./api.ts";
import { decodeCursor, encodeCursor, pageOf } from "./cursors.ts";
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
  nullableTime,
  queryText,
  text,
  time,
} from "./schemas.ts";
import { Type } from "./type.ts";

const tags = ["service"];

const Target = named("Mirror", {
  name: text("As configured; archive for the InfluxDB of the influxdb engine"),
  role: text("archive: samples leave the hot tier once it has them; mirror: a copy"),
  url: text("Without credentials"),
  layout: text("native or home-assistant"),
  version: nullableText("As the server tells it"),
  state: text(
    `${TARGET_STATES.join(", ")}: stopped means that it refuses credentials, bucket or settings; it is asked again once a minute`,
  ),
  reason: nullableText("Why it is not running"),
  waiting: count("Queued samples that it has not acknowledged, at most"),
  filling: Type.Boolean({
    description: "It is new or has lost its samples, and those of the last days are still being queued: more will wait",
  }),
  behind_since: nullableTime("Since when something has been waiting"),
  last_success_at: nullableTime("When it last took samples"),
  delivered: count("Samples that it took, since the start"),
  batches: count("Batches that it took, since the start"),
  requests: count("Requests, since the start"),
  failures: count("Requests that failed, since the start"),
  refused: count("Samples that it refused, since the start"),
  skipped: count("Samples that were passed over because too many waited"),
  dead_letters: count("Refused points that are kept"),
  dead_letters_dropped: count("Refused points that are kept no longer, since the start"),
});

const Letter = named("DeadLetter", {
  id: Type.Integer({ minimum: 1, description: "Grows with each" }),
  target: text("Who refused it"),
  at: time("When"),
  reason: text("In the server's words"),
  line: text("The point in line protocol"),
});

const Replay = exactly({
  taken: count("Points that the target took now; they are gone from the list"),
  refused: count("Points that it refused again"),
});

/** Servers that get samples, what they refused, and the way to send that again. */
export function mirrorRoutes(api: Api, forwarding: Forwarding): void {
  api.get(
    "/api/v1/mirrors",
    {
      schema: {
        tags,
        summary: "Servers that get samples, and how far each has taken them",
        querystring: listQuery({}),
        response: answers({ 200: listAnswer("mirrors", Target) }),
      },
    },
    async ({ query: { limit = LIST_LIMIT_DEFAULT, cursor } }) => {
      const page = pageOf(["mirrors"], forwarding.status(), ({ name }) => name, { limit, cursor });
      return listBody("mirrors", { ...page, rows: page.rows.map(targetBody) }, limit);
    },
  );

  api.get(
    "/api/v1/dead-letters",
    {
      schema: {
        tags,
        summary: "Points that a server refused, newest first",
        querystring: listQuery({ target: queryText("Of this server only") }),
        response: answers({ 200: listAnswer("dead_letters", Letter) }),
      },
    },
    async ({ query }) => {
      const { limit = LIST_LIMIT_DEFAULT, cursor, target } = query;
      const asked = ["dead-letters", target ?? null] as const;
      const { letters, total } = await forwarding.deadLetters({
        limit: limit + 1,
        ...(cursor === undefined ? {} : { before: Number(decodeCursor(asked, cursor)) }),
        ...(target === undefined ? {} : { target }),
      });
      const page = letters.slice(0, limit);
      const nextCursor = letters.length > limit ? encodeCursor(asked, page.at(-1)!.id) : null;
      return listBody("dead_letters", { rows: page.map(letterBody), total, nextCursor }, limit);
    },
  );

  api.post(
    "/api/v1/dead-letters/replay",
    {
      schema: {
        tags,
        summary: "Send the points that a server refused again",
        description: "After what it refused them for was mended. 503 while the server takes nothing.",
        querystring: exactly({
          target: Type.String({ minLength: 1, maxLength: 100, description: "The server's name" }),
        }),
        response: answers({ 200: Replay }, 404, 503),
      },
    },
    async ({ query }) => forwarding.replay(query.target),
  );
}

function targetBody(target: TargetStatus) {
  return {
    name: target.name,
    role: target.role,
    url: target.url,
    layout: target.layout,
    version: target.version,
    state: target.state,
    reason: target.reason,
    waiting: target.waiting,
    filling: target.filling,
    behind_since: isoOrNull(target.behindSince),
    last_success_at: isoOrNull(target.lastSuccessAt),
    delivered: target.delivered,
    batches: target.batches,
    requests: target.requests,
    failures: target.failures,
    refused: target.refused,
    skipped: target.skipped,
    dead_letters: target.deadLetters,
    dead_letters_dropped: target.deadLettersDropped,
  };
}

function letterBody({ id, target, at, reason, line }: DeadLetter) {
  return { id, target, at: isoFromMicros(at), reason, line };
}

function isoOrNull(micros: number | null): string | null {
  return micros === null ? null : isoFromMicros(micros);
}

/** What `/metrics` says of each target. */
export function forwardMetrics(registry: Registry, prefix: string, targets: () => readonly TargetStatus[]): void {
  const registers = [registry];
  const gauges: readonly [string, string, (target: TargetStatus) => number][] = [
    ["forward_up", "1 while the target takes samples", ({ state }) => (state === "running" ? 1 : 0)],
    ["forward_waiting_samples", "Samples that the target has not acknowledged", ({ waiting }) => waiting],
    ["forward_lag_seconds", "Since when something has been waiting", lagSeconds],
    ["forward_dead_letters", "Refused points that are kept", ({ deadLetters }) => deadLetters],
  ];
  for (const [name, help, read] of gauges) {
    new Gauge({
      name: prefix + name,
      help,
      labelNames: ["target"],
      registers,
      collect() {
        for (const target of targets()) this.set({ target: target.name }, read(target));
      },
    });
  }
  const counters: readonly [string, string, (target: TargetStatus) => number][] = [
    ["forward_samples_total", "Samples that the target took", ({ delivered }) => delivered],
    ["forward_requests_total", "Requests to the target", ({ requests }) => requests],
    ["forward_failures_total", "Requests that failed", ({ failures }) => failures],
    ["forward_refused_total", "Samples that the target refused", ({ refused }) => refused],
    ["forward_skipped_total", "Samples that were passed over because too many waited", ({ skipped }) => skipped],
  ];
  for (const [name, help, read] of counters) {
    new Counter({
      name: prefix + name,
      help,
      labelNames: ["target"],
      registers,
      collect() {
        this.reset();
        for (const target of targets()) this.inc({ target: target.name }, read(target));
      },
    });
  }
}

function lagSeconds({ behindSince }: TargetStatus): number {
  return behindSince === null ? 0 : Math.max(0, (nowMicros() - behindSince) / 1e6);
}
