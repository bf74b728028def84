import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import ipaddr from "ipaddr.js";
import { AppError } from "../domain/errors.ts";

export interface AccessOptions {
  /** The address that the server listens on. */
  readonly host: string;
  /** What callers must bring as `Authorization: Bearer …` or `X-API-Key`; null asks for nothing. */
  readonly token: string | null;
  /** Off must be said: without a token nothing but a loopback address is served otherwise. */
  readonly auth: "on" | "off";
  /** Names or addresses, without port, that callers may use in `Host` beside those that are safe by themselves. */
  readonly allowedHosts: readonly string[];
  /** Origins of foreign pages that may call, e.g. "https://dash.example"; "*" is refused. */
  readonly corsOrigins: readonly string[];
  /** The address of Home Assistant's ingress, where its users are logged in already: who comes from there needs no token. */
  readonly ingress?: string | null;
}

declare module "fastify" {
  interface FastifyContextConfig {
    /** Answers without a token; the handler asks `isKnown` before it tells more than that it lives. */
    public?: boolean;
    /** Clients of this version of InfluxDB call: they bring the token in their own ways too. */
    influxdb?: 1 | 2;
  }
  interface FastifyRequest {
    /** The caller brought the token, or none is asked for. */
    isKnown: boolean;
  }
}

const CORS_MAX_AGE_SECONDS = 600;
/**
 * What a browser says of a page that calls where it comes from, and no page can say itself. Proxies pass it on, and many
 * of them no whole `Host`: that of Home Assistant's own documentation leaves its port out.
 */
const OF_OURS = "same-origin";
/** Pages of ours load nothing from elsewhere; HA's ingress shows them in a frame of its own origin. */
const PAGE_POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src 'self'; frame-ancestors 'self'";
const SECURITY_HEADERS = {
  "x-content-type-options": "nosniff",
  "referrer-policy": "no-referrer",
  "x-frame-options": "SAMEORIGIN",
  "content-security-policy": PAGE_POLICY,
  "cross-origin-resource-policy": "same-origin",
  "cache-control": "no-store",
  vary: "Origin",
};

/** Gives an answer the headers that all have; throws an AppError for a caller who is not to be answered. */
export type Admit = (request: FastifyRequest, reply: FastifyReply) => void;

/**
 * What holds for every request, also one whose address leads to no route: the name by which we were called is ours (a
 * page that rebinds its own name to our address is told apart by it), and the page that calls is of an allowed origin.
 */
export function createAdmit(options: AccessOptions): Admit {
  const loopback = isLoopback(options.host);
  const hosts = new Set(options.allowedHosts.map((host) => host.toLowerCase()));
  const origins = new Set(options.corsOrigins.map((origin) => origin.toLowerCase().replace(/\/$/, "")));

  /** The last header that passed: most requests of a connection bring the same, and parsing takes as long as the rest. */
  let passed: string | undefined;
  const checkHost = ({ headers: { host = "" } }: FastifyRequest): void => {
    if (host === passed) return;
    const name = hostName(host);
    // A name can be made to point at us by whoever owns it; an address cannot. On loopback nobody calls from afar.
    const safe = name === "localhost" || name.endsWith(".localhost") || (loopback ? isLoopback(name) : isAddress(name));
    if (safe || hosts.has(name)) {
      passed = host;
      return;
    }
    const remedy = "add this name to ALLOWED_HOSTS, or call by localhost or 127.0.0.1";
    throw new AppError("forbidden", `Cannot answer under the name "${name.slice(0, 100)}": ${remedy}`);
  };

  const isAllowedOrigin = (origin: string): boolean => origins.has(origin.toLowerCase());
  const checkOrigin = (request: FastifyRequest, reply: FastifyReply): void => {
    const { origin, host, "sec-fetch-site": site } = request.headers;
    if (origin === undefined) return;
    if (isAllowedOrigin(origin)) {
      reply.header("access-control-allow-origin", origin).header("cross-origin-resource-policy", "cross-origin");
      reply.header("access-control-expose-headers", "retry-after, www-authenticate");
    } else if (site !== OF_OURS && (host === undefined || URL.parse(origin)?.host !== host.toLowerCase())) {
      const remedy = "add it to CORS_ORIGINS if it may call";
      throw new AppError("forbidden", `Cannot answer a page of the origin "${origin.slice(0, 100)}": ${remedy}`);
    }
  };

  return (request, reply) => {
    reply.headers(SECURITY_HEADERS);
    // HTTP/1.1 asks for it, also of who brings the token.
    if (request.headers.host === undefined && request.raw.httpVersion === "1.1") {
      throw new AppError("invalid", 'Cannot read the request: its header "Host" is missing');
    }
    if (options.token === null && !isByIngress(request, options)) checkHost(request);
    checkOrigin(request, reply);
  };
}

/**
 * Guards every route of `app`, unknown paths included: who is admitted must bring the token. Call it before any route is
 * added. Throws a TypeError for options that would leave the home open.
 */
export function installAccess(app: FastifyInstance, options: AccessOptions, admit: Admit): void {
  const { token, corsOrigins } = options;
  if (!token && !isLoopback(options.host) && options.auth !== "off") {
    throw new TypeError(`Cannot serve "${options.host}" without a token: set API_TOKEN, or API_AUTH=off`);
  }
  if (corsOrigins.includes("*")) throw new TypeError('Cannot allow every origin: CORS_ORIGINS holds "*"');
  const expected = token === null ? null : digest(token);

  app.decorateRequest("isKnown", false);
  app.addHook("onRequest", async (request, reply) => {
    admit(request, reply);
    if (isPreflight(request)) {
      reply.header("access-control-allow-methods", "GET, HEAD, POST, PUT, PATCH, DELETE");
      reply.header("access-control-allow-headers", "authorization, content-type, x-api-key, last-event-id");
      reply.header("access-control-max-age", String(CORS_MAX_AGE_SECONDS));
      return reply.code(204).send();
    }
    const given = givenTokens(request);
    request.isKnown =
      expected === null ||
      isByIngress(request, options) ||
      given.some((token) => timingSafeEqual(digest(token), expected));
    if (request.isKnown || request.routeOptions.config.public) return;
    throw new AppError(
      "unauthorized",
      given.length === 0
        ? "A token is needed: send it as Authorization: Bearer <token>"
        : "The token is not the one of this service",
    );
  });
}

/**
 * Whether Home Assistant passes a user's request on. The header says so, and the address that nobody else did.
 *
 * Source: https://developers.home-assistant.io/docs/apps/presentation#ingress
 */
function isByIngress({ headers, socket }: FastifyRequest, { ingress = null }: AccessOptions): boolean {
  if (ingress === null || headers["x-ingress-path"] === undefined) return false;
  return socket.remoteAddress?.replace(/^::ffff:/, "") === ingress;
}

/** A browser asking, without a token, whether it may ask. */
function isPreflight(request: FastifyRequest): boolean {
  const { origin, "access-control-request-method": method } = request.headers;
  return request.method === "OPTIONS" && origin !== undefined && method !== undefined;
}

/** What may be the token; more than one where the form leaves open which part of it is. */
function givenTokens(request: FastifyRequest): string[] {
  const { influxdb } = request.routeOptions.config;
  const [, scheme = "", given = ""] =
    /^(Bearer|Token|Basic) +(\S+) *$/i.exec(request.headers.authorization ?? "") ?? [];
  if (/^bearer$/i.test(scheme)) return [given];
  if (influxdb !== undefined && given !== "") {
    // "Token user:password" and Basic, where a token is the password and any name will do.
    const text = /^basic$/i.test(scheme) ? Buffer.from(given, "base64").toString("utf8") : given;
    const password = text.slice(text.indexOf(":") + 1);
    return password === text ? [text] : [text, password];
  }
  const key = request.headers["x-api-key"];
  if (typeof key === "string") return [key];
  const { p } = request.query as Readonly<Record<string, unknown>>;
  return influxdb === 1 && typeof p === "string" ? [p] : [];
}

/** Equal lengths for a comparison whose time tells nothing. */
function digest(token: string): Buffer {
  return createHash("sha256").update(token).digest();
}

/** "Localhost:8006" → "localhost", "[::1]:8006" → "::1". */
function hostName(host: string): string {
  const name = URL.parse(`http://${host}`)?.hostname ?? "";
  return name.replace(/^\[|\]$/g, "").replace(/\.$/, "");
}

function isAddress(name: string): boolean {
  return ipaddr.isValid(name);
}

function isLoopback(name: string): boolean {
  if (name === "localhost") return true;
  return ipaddr.isValid(name) && ipaddr.process(name).range() === "loopback";
}
