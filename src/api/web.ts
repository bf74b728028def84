import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import type { FastifyReply } from "fastify";
import type { Api } from "./api.ts";
import { exactly, text } from "./schemas.ts";

const UPLOT = import.meta.resolve("uplot");

/** The dashboard's files as they stand in `web/`, and the libraries that it is drawn with. No other file is served. */
const FILES = new Map(
  [
    "icon.svg",
    "style.css",
    "action.js",
    "chart.js",
    "main.js",
    "api.js",
    "format.js",
    "html.js",
    "panels/changes.js",
    "panels/gaps.js",
    "panels/history.js",
    "panels/home.js",
    "panels/setup.js",
    "panels/sports.js",
    "panels/storage.js",
    "panels/teams.js",
    "panels/webhooks.js",
  ].map((name) => [name, webFile(name)] as const),
)
  .set("preact.js", new URL(import.meta.resolve("preact")))
  .set("htm.js", new URL("htm.module.js", import.meta.resolve("htm")))
  .set("uplot.js", new URL("uPlot.esm.js", UPLOT))
  .set("uplot.css", new URL("uPlot.min.css", UPLOT));

const TYPES: Readonly<Record<string, string>> = {
  js: "text/javascript; charset=utf-8",
  css: "text/css; charset=utf-8",
  svg: "image/svg+xml",
};
const PAGE_POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; " +
  "form-action 'none'; frame-ancestors 'self'";

interface ServedFile {
  readonly content: Buffer;
  /** The quoted hash: a browser that has this content gets 304. */
  readonly etag: string;
}

/**
 * The dashboard: `/` and its files below `/web/`. They hold nothing of the home, so they need no token; what the page
 * shows it asks for with the token that its user enters. Files are read when they are first asked for, then kept.
 */
export function webRoutes(api: Api, { demo }: { readonly demo: boolean }): void {
  const page = once(async () => served(markDemo(await readFile(webFile("index.html"), "utf8"), demo)));
  const files = new Map([...FILES].map(([name, url]) => [name, once(async () => served(await readFile(url)))]));
  const options = { config: { public: true }, schema: { hide: true } };

  api.get("/", options, async (request, reply) => {
    reply.header("content-security-policy", PAGE_POLICY);
    return answer(await page(), "text/html; charset=utf-8", request.headers["if-none-match"], reply);
  });

  const params = exactly({ "*": text("Below web/") });
  api.get("/web/*", { ...options, schema: { ...options.schema, params } }, async (request, reply) => {
    const name = request.params["*"];
    const file = files.get(name);
    const type = TYPES[name.slice(name.lastIndexOf(".") + 1)];
    if (file === undefined || type === undefined) return reply.callNotFound();
    return answer(await file(), type, request.headers["if-none-match"], reply);
  });
}

/** `no-cache`: kept by the browser, asked about each time, so that an update is seen at once. */
function answer({ content, etag }: ServedFile, type: string, known: string | undefined, reply: FastifyReply) {
  reply.header("cache-control", "no-cache").header("etag", etag);
  if (isKnown(known, etag)) return reply.code(304).send();
  return reply.type(type).send(content);
}

/** Whether `If-None-Match` names this content: "*", or a list with its etag, weak or not (RFC 9110, 13.1.2). */
function isKnown(condition: string | undefined, etag: string): boolean {
  if (condition === undefined) return false;
  // Our etags have no comma, and the pieces of another's that has one are not quoted on both sides.
  const named = condition.split(",").map((one) => one.trim());
  return condition.trim() === "*" || named.some((one) => one === etag || one === `W/${etag}`);
}

function served(text: string | Buffer): ServedFile {
  const content = Buffer.from(text);
  return { content, etag: `"${createHash("sha256").update(content).digest("base64url")}"` };
}

function markDemo(page: string, demo: boolean): string {
  return demo ? page.replace("<body>", "<body data-demo>").replace("</title>", " (DEMO)</title>") : page;
}

export function webFile(name: string): URL {
  return new URL(`../../web/${name}`, import.meta.url);
}

/** One reading, also for those who ask meanwhile; a failed one is tried again. */
function once<Value>(read: () => Promise<Value>): () => Promise<Value> {
  let reading: Promise<Value> | undefined;
  return () => {
    reading ??= read().catch((error: unknown) => {
      reading = undefined;
      throw error;
    });
    return reading;
  };
}
