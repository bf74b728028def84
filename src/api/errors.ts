import type { Socket } from "node:net";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { AppError, type ErrorCode, messageOf } from "../domain/errors.ts";
import { WorkerFailure } from "../lib/worker-rpc.ts";

/** Not by import: that reads all that node:http exports, and so loads the HTTP client behind fetch, 3 MB. */
const { STATUS_CODES } = process.getBuiltinModule("node:http");

/** The only table from what went wrong to HTTP statuses. */
const STATUS: Readonly<Record<ErrorCode, number>> = {
  invalid: 400,
  unauthorized: 401,
  forbidden: 403,
  not_found: 404,
  conflict: 409,
  too_large: 413,
  unavailable: 503,
};

/** What HTTP itself refuses, before a contract is called; the codes stand in `docs/errors.md` beside the others. */
const CODE_OF_STATUS: Readonly<Record<number, string>> = {
  403: "forbidden",
  404: "not_found",
  405: "method_not_allowed",
  408: "timeout",
  413: "too_large",
  414: "too_large",
  415: "unsupported_media_type",
  431: "too_large",
  503: "unavailable",
};

/** The one shape of every error on both ports. */
export interface ErrorBody {
  readonly code: string;
  readonly message: string;
}

export interface Answer {
  readonly status: number;
  readonly body: ErrorBody;
}

function isErrorCode(code: unknown): code is ErrorCode {
  return typeof code === "string" && Object.hasOwn(STATUS, code);
}

/** Undefined for what the caller cannot act on: that is logged whole and told as "Internal error". */
function answerTo(error: unknown, bodyBytesMax?: number): Answer | undefined {
  // A contract that works in a worker thread throws there; its code comes along.
  if ((error instanceof AppError || error instanceof WorkerFailure) && isErrorCode(error.code)) {
    return { status: STATUS[error.code], body: { code: error.code, message: error.message } };
  }
  const { statusCode: status, code } = error as { statusCode?: unknown; code?: unknown };
  // Fastify's own refusals (malformed JSON, over-long bodies, bad URLs) carry the status; their texts are for callers.
  if (!(error instanceof Error) || typeof status !== "number" || status < 400 || status > 503) return undefined;
  if (status >= 500 && status !== 503) return undefined;
  return {
    status,
    body: { code: CODE_OF_STATUS[status] ?? "invalid", message: wording(status, code, error.message, bodyBytesMax) },
  };
}

function wording(status: number, code: unknown, message: string, bodyBytesMax: number | undefined): string {
  if (code === "FST_ERR_CTP_EMPTY_JSON_BODY") return "Cannot read the body: it is empty, JSON is expected";
  if (code === "FST_ERR_CTP_INVALID_JSON_BODY") return "Cannot read the body: it is not JSON";
  if (code === "FST_ERR_CTP_BODY_TOO_LARGE") {
    return `Cannot read the body: it is larger than ${bodyBytesMax} bytes; send less at a time`;
  }
  if (code === "FST_ERR_CTP_INVALID_MEDIA_TYPE") return "Cannot read the body: send it as application/json";
  if (code === "FST_ERR_CTP_INVALID_CONTENT_LENGTH") return "Cannot read the body: its length is not Content-Length";
  if (code === "FST_ERR_BAD_URL") return "Cannot read the address: it is not a well-formed URL";
  // The files of /docs are the only ones that somebody else's code serves, and it says no more than "Forbidden".
  if (status === 403) return "Cannot answer this address: it leads out of what is served there";
  if (code === "FST_ERR_MAX_PARAM_LENGTH") return "Cannot read the address: a part of its path is too long";
  return message;
}

/** What a failed request is answered, in whatever form; logs what is no caller's business. */
export function answerFor(error: unknown, request: FastifyRequest, reply: FastifyReply): Answer {
  const answer = answerTo(error, request.routeOptions.bodyLimit);
  // Fastify would close the connection on which it refused a body, and a sender who reads after the whole of it would
  // find a reset there instead of the answer. The rest of the body is read and let go: rest-of-body.ts.
  reply.removeHeader("connection");
  if (!answer)
    request.log.error({ err: error, method: request.method, route: request.routeOptions.url }, "Internal error");
  if (answer === undefined) return { status: 500, body: { code: "internal", message: "Internal error" } };
  if (answer.status !== 503) return answer;
  reply.header("retry-after", "5");
  const remedy = request.server.remedy(error);
  if (remedy === null) return answer;
  return { ...answer, body: { ...answer.body, message: `${answer.body.message}. ${remedy}` } };
}

/** Answers a failed request in the one form; `unavailable` asks to come back, `unauthorized` says how to log in. */
export function sendError(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  const { status, body } = answerFor(error, request, reply);
  if (status === 401) reply.header("www-authenticate", 'Bearer realm="ha-ingestor"');
  return reply.code(status).type("application/json; charset=utf-8").send(JSON.stringify(body));
}

declare module "fastify" {
  interface FastifyInstance {
    /** What mends a failure for which a request is answered with 503, as a sentence; null where there is nothing to say. */
    remedy(failure: unknown): string | null;
  }
}

/** A path without its parameters' names, and the methods that it takes. */
interface KnownRoute {
  readonly pattern: RegExp;
  readonly methods: Set<string>;
}

/**
 * Sets the error form for everything the server answers: thrown errors, unknown paths (404) and methods that a known
 * path does not take (405 with `Allow`; OPTIONS is answered 204 with it). Call it before any route is added, and after
 * what decides who is answered at all. `remedy`: see FastifyInstance.
 */
export function installErrors(app: FastifyInstance, remedy: FastifyInstance["remedy"]): void {
  app.decorate("remedy", remedy);
  const routes = new Map<string, KnownRoute>();
  app.addHook("onRoute", ({ url, method }) => {
    const known = routes.get(url) ?? { pattern: patternOf(url), methods: new Set<string>() };
    for (const one of [method].flat()) known.methods.add(one);
    routes.set(url, known);
  });
  app.setErrorHandler(sendError);
  const refuseUnknown = (request: FastifyRequest, reply: FastifyReply): FastifyReply => {
    const path = request.url.split("?", 1)[0]!;
    // As the router does, for which it changes nothing.
    const withoutSlash = path.replace(/(?<=.)\/$/s, "");
    const methods = new Set<string>();
    for (const known of routes.values()) {
      if (known.pattern.test(withoutSlash)) for (const method of known.methods) methods.add(method);
    }
    if (methods.size === 0 || methods.has(request.method))
      throw new AppError("not_found", `Cannot find anything at "${path}"`);
    const allow = [...methods, "OPTIONS"].join(", ");
    reply.header("allow", allow);
    if (request.method === "OPTIONS") return reply.code(204).send();
    throw Object.assign(new Error(`Cannot ${request.method} "${path}": it takes ${allow}`), { statusCode: 405 });
  };
  app.setNotFoundHandler(refuseUnknown);
  // Before a body is looked at: whoever misspells a path is not helped by what its type or size should be.
  app.addHook("onRequest", async (request, reply) => {
    if (request.is404) return refuseUnknown(request, reply);
  });
}

function patternOf(url: string): RegExp {
  const source = url
    .replace(/[.+?^${}()|[\]\\]/g, "\\$&")
    .replace(/:[A-Za-z_]+/g, "[^/]+")
    .replace(/\*/g, ".*");
  return new RegExp(`^${source}$`);
}

/** Whoever still sends finds the answer in that time; closed at once, the connection could take it along. */
const BROKEN_GRACE_MS = 1_000;

/** Answers what is no HTTP request at all (over-long headers, a request that never ends) and closes the connection. */
export function refuseBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === "ECONNRESET" || socket.destroyed || !socket.writable) {
    socket.destroy();
    return;
  }
  const status = error.code === "HPE_HEADER_OVERFLOW" ? 431 : error.code === "ERR_HTTP_REQUEST_TIMEOUT" ? 408 : 400;
  const text: Readonly<Record<number, string>> = {
    431: "Cannot read the request: its address and headers are too long",
    408: "Cannot read the request: it did not arrive in time",
  };
  const body = JSON.stringify({
    code: CODE_OF_STATUS[status] ?? "invalid",
    message: text[status] ?? `Cannot read the request: ${messageOf(error)}`,
  } satisfies ErrorBody);
  const head = `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nContent-Type: application/json; charset=utf-8\r\n`;
  socket.end(`${head}Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`);
  // An end closes our half alone: a caller who keeps the other one would hold the connection until it counts as idle.
  setTimeout(() => socket.destroy(), BROKEN_GRACE_MS).unref();
}
