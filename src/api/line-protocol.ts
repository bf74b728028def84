import type { IncomingMessage } from "node:http";
import type { FastifyReply, FastifyRequest } from "fastify";
import { AppError } from "../domain/errors.ts";
import {
  type BodyEncoding,
  type LineReport,
  type LineWriter,
  PRECISIONS,
  type Precision,
} from "../domain/line-protocol.ts";
import type { Api } from "./api.ts";
import { answerFor } from "./errors.ts";
import { BodyReader } from "./lines-body.ts";
import { json, text } from "./schemas.ts";
import { resultsOf } from "./statements.ts";
import { Type } from "./type.ts";

/** As InfluxDB 1.x has it; unpacked, a body may be larger. */
export const LINES_BODY_BYTES_MAX = 25_000_000;
/** Of all bodies that are being received: four of the largest. */
const LINES_UNDER_WAY_BYTES_MAX = 4 * LINES_BODY_BYTES_MAX;
/**
 * What clients are told they talk to. They decide by its first number what they may ask: 1.8 has both ways to write and
 * no Flux, as is the case here.
 */
const INFLUXDB_VERSION = "1.8.10";
const INFLUXDB_BUILD = "ha-ingestor";
/** Of a header that repeats an error. */
const HEADER_CHARACTERS_MAX = 1_000;

const tags = ["line protocol"];
const ignored = "Taken and without effect";
const query = {
  precision: Type.Optional(
    Type.String({ description: "What times count", enum: [...PRECISIONS], default: "ns", examples: ["ns"] }),
  ),
};
/** Beside the headers, the way of 1.x to log in. */
const login = {
  u: Type.Optional(text("Any user name")),
  p: Type.Optional(text("The token, where no header carries it")),
};
const message = text("What was wrong; of lines in InfluxDB's own words");
const ErrorV1 = Type.Object({ error: message });
const ErrorV2 = Type.Object({ code: text("As everywhere in this API"), message });
const Results = Type.Object({ results: Type.Array(Type.Object({}, { additionalProperties: true })) });
const REFUSALS: Readonly<Record<string, string>> = {
  400: "Lines that are no points (the good lines of the body are stored), or an unknown precision",
  401: "A token is needed",
  403: "Called under a name, or by a page, that is not allowed",
  413: "The body is too large, or unpacks to more than 64 MiB",
  503: "Too many are under way, or the disk refuses; the same body may be sent again",
  "5xx": "It failed; the log says why",
};
const DONE = { type: "null", description: "All points are stored and would survive a crash" };
const Lines = Type.String({
  description: "Lines, plain or gzip",
  examples: ["cpu,host=pi usage=12.5 1795518045947119000"],
});

/** The answers of a path, with errors in the form of its version of InfluxDB. */
function answersOf(good: object, form: object): Record<string, object> {
  const refused = Object.entries(REFUSALS).map(([status, description]) => [status, json(description, form)]);
  return { ...good, ...Object.fromEntries(refused) };
}

/** The ways in for clients of InfluxDB: `/write` as in 1.x, `/api/v2/write` as in 2.x, and what their set-up asks. */
export async function lineProtocolRoutes(api: Api, lines: LineWriter): Promise<void> {
  await api.register(async (scope) => {
    scope.removeAllContentTypeParsers();
    // Whatever a client calls them, and though it be no type at all.
    scope.addHook("onRequest", async ({ headers }) => {
      if (headers["content-type"] !== undefined) headers["content-type"] = "text/plain";
    });
    const bodies = new BodyReader(LINES_BODY_BYTES_MAX, LINES_UNDER_WAY_BYTES_MAX);
    scope.addContentTypeParser("*", async ({ headers }: FastifyRequest, payload: IncomingMessage) => {
      try {
        return await bodies.read(headers, payload);
      } catch (error) {
        if (error instanceof AppError) lines.turnedAway();
        throw error;
      }
    });
    // Lines are for their reader to judge, and clients send parameters of many versions; schemas document.
    scope.setValidatorCompiler(() => () => true);
    scope.setErrorHandler(sendInfluxError);

    scope.post<{ Body: Buffer | undefined; Querystring: Readonly<Record<string, unknown>> }>(
      "/write",
      {
        bodyLimit: LINES_BODY_BYTES_MAX,
        config: { influxdb: 1, bodyOptional: true },
        schema: {
          tags,
          summary: "Write points, as InfluxDB 1.x takes them",
          description: DESCRIPTION,
          querystring: Type.Object({
            ...query,
            db: Type.Optional(text(ignored)),
            rp: Type.Optional(text(ignored)),
            ...login,
          }),
          consumes: ["text/plain", "application/octet-stream"],
          body: Lines,
          response: answersOf({ 204: DONE }, ErrorV1),
        },
      },
      (request, reply) => write(request, reply, lines, bodies),
    );
    scope.post<{ Body: Buffer | undefined; Querystring: Readonly<Record<string, unknown>> }>(
      "/api/v2/write",
      {
        bodyLimit: LINES_BODY_BYTES_MAX,
        config: { influxdb: 2, bodyOptional: true },
        schema: {
          tags,
          summary: "Write points, as InfluxDB 2.x takes them",
          description: DESCRIPTION,
          querystring: Type.Object({
            ...query,
            org: Type.Optional(text(ignored)),
            bucket: Type.Optional(text(ignored)),
          }),
          consumes: ["text/plain", "application/octet-stream"],
          body: Lines,
          response: answersOf({ 204: DONE }, ErrorV2),
        },
      },
      (request, reply) => write(request, reply, lines, bodies),
    );
    pingRoute(scope as unknown as Api);
    queryRoutes(scope as unknown as Api);
  });
}

const DESCRIPTION =
  "InfluxDB line protocol, gzip or plain. Points of Home Assistant's own influxdb integration land on the series of " +
  "their entity; others are read by measurement and subject, see docs/line-protocol.md.";

async function write(
  request: FastifyRequest<{ Body: Buffer | undefined; Querystring: Readonly<Record<string, unknown>> }>,
  reply: FastifyReply,
  lines: LineWriter,
  bodies: BodyReader,
): Promise<FastifyReply> {
  reply.header("x-influxdb-version", INFLUXDB_VERSION).header("x-influxdb-build", INFLUXDB_BUILD);
  const precision = precisionOf(request.query.precision);
  const { body } = request;
  if (body === undefined || body.length === 0) return reply.code(204).send();
  const report = await lines.write(body, precision, encodingOf(request.headers["content-encoding"]));
  bodies.release(body);
  if (report.faultyLines > 0) throw new AppError("invalid", faultsText(report));
  return reply.code(204).send();
}

function precisionOf(given: unknown): Precision {
  if (given === undefined || given === "") return "ns";
  const known = PRECISIONS.find((precision) => precision === given);
  if (known !== undefined) return known;
  throw new AppError("invalid", `invalid precision; valid precision units are ${PRECISIONS.join(", ")}`);
}

function encodingOf(header: string | undefined): BodyEncoding {
  const encoding = header?.trim().toLowerCase() || "identity";
  if (encoding === "gzip" || encoding === "identity") return encoding;
  throw new AppError("invalid", `cannot read the body: Content-Encoding "${encoding.slice(0, 50)}" is not gzip`);
}

/** Clients tell by its beginning that the good lines are in. */
function faultsText({ points, faults, faultyLines }: LineReport): string {
  const told = faults.join("\n");
  const more = faultyLines > faults.length ? `\nand ${faultyLines - faults.length} more` : "";
  return points > 0 ? `partial write: ${told}${more} dropped=${faultyLines}` : `${told}${more}`;
}

/** Every error in the form of the path's own version of InfluxDB. */
function sendInfluxError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = answerFor(error, request, reply);
  const isFirst = request.routeOptions.config.influxdb === 1;
  if (status === 401)
    reply.header("www-authenticate", isFirst ? 'Basic realm="InfluxDB"' : 'Bearer realm="ha-ingestor"');
  if (isFirst) reply.header("x-influxdb-error", headerText(body.message));
  else reply.header("x-platform-error-code", body.code);
  return reply
    .code(status)
    .type("application/json; charset=utf-8")
    .send(JSON.stringify(isFirst ? { error: body.message } : body));
}

function headerText(message: string): string {
  return message.slice(0, HEADER_CHARACTERS_MAX).replace(/[^\x20-\x7e]+/g, " ");
}

function pingRoute(api: Api): void {
  const options = {
    config: { public: true, influxdb: 1 },
    schema: {
      tags,
      summary: "Whether it is there, as InfluxDB says it",
      querystring: Type.Object({}),
      response: answersOf({ 204: { type: "null", description: "With X-Influxdb-Version" } }, ErrorV1),
    },
  } as const;
  // The HEAD that comes with a GET tells a Content-Length, which a 204 must not have.
  api.head("/ping", options, answerPing);
  api.get("/ping", options, answerPing);
}

async function answerPing(_request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
  return reply
    .header("x-influxdb-version", INFLUXDB_VERSION)
    .header("x-influxdb-build", INFLUXDB_BUILD)
    .code(204)
    .send();
}

const statement = Type.String({ minLength: 1, description: "The statement, or several with semicolons between them" });
const question = {
  q: Type.Optional(statement),
  db: Type.Optional(text("One more name that SHOW DATABASES answers")),
};

/** What the set-up of clients asks; questions about samples have answers under /api/v1. */
function queryRoutes(api: Api): void {
  const schema = {
    tags,
    summary: "What clients of InfluxDB 1.x ask at their set-up",
    description:
      "CREATE DATABASE, retention policies and SHOW DATABASES, with a result for each; anything else among them is 400.",
    querystring: Type.Object({ ...question, ...login }),
    response: answersOf({ 200: json("InfluxDB's results", Results) }, ErrorV1),
  };
  // Two routes, since a GET has no body to describe, which could have the statement.
  const asked = { querystring: Type.Object({ ...question, q: statement, ...login }) };
  api.get<Query>("/query", { config: { influxdb: 1 }, schema: { ...schema, ...asked } }, answerQuery);
  const form = { consumes: ["application/x-www-form-urlencoded"], body: Type.Object(question) };
  const config = { influxdb: 1, bodyOptional: true } as const;
  api.post<Query>("/query", { config, schema: { ...schema, ...form } }, answerQuery);
}

interface Query {
  readonly Body: Buffer | undefined;
  readonly Querystring: Readonly<Record<string, unknown>>;
}

async function answerQuery(request: FastifyRequest<Query>, reply: FastifyReply): Promise<object> {
  reply.header("x-influxdb-version", INFLUXDB_VERSION).header("x-influxdb-build", INFLUXDB_BUILD);
  const form = new URLSearchParams(request.body?.toString("utf8") ?? "");
  const read = (name: string): string => {
    const given = request.query[name];
    return (typeof given === "string" ? given : (form.get(name) ?? "")).trim();
  };
  return resultsOf(read("q"), read("db"));
}
