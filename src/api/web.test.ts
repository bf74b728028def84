import assert from "node:assert/strict";
import { readdir, readFile } from "node:fs/promises";
import { test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { createApi } from "./server.ts";

const WEB = new URL("../../web/", import.meta.url);
const GUARDED = {
  host: "127.0.0.1",
  token: "a-token-of-this-test",
  auth: "on",
  allowedHosts: [],
  corsOrigins: [],
} as const;

async function started(t: { after(done: () => Promise<void>): void }, more: Parameters<typeof apiOptions>[0] = {}) {
  const api = await createApi(apiOptions(more));
  t.after(() => api.close());
  return api;
}

test("GET / is the dashboard, runs nothing but its own scripts, and needs no token", async (t) => {
  const api = await started(t, { access: GUARDED });
  const { statusCode, headers, body } = await api.inject("/");
  assert.equal(statusCode, 200);
  assert.equal(headers["content-type"], "text/html; charset=utf-8");
  assert.match(String(headers["content-security-policy"]), /^default-src 'none'; script-src 'self'; style-src 'self';/);
  assert.doesNotMatch(body, /data-demo|https?:/);
  assert.equal((await api.inject("/api/v1/states")).statusCode, 401);
});

test("every file that the page and its modules name is served, and below web/ nothing is forgotten", async (t) => {
  const api = await started(t, { access: GUARDED });
  const seen = new Set<string>();
  const visit = async (path: string): Promise<void> => {
    if (seen.has(path)) return;
    seen.add(path);
    const { statusCode, headers, body } = await api.inject(path);
    assert.equal(statusCode, 200, path);
    assert.match(String(headers["content-type"]), /^(text\/html|text\/css|text\/javascript|image\/svg\+xml)/, path);
    const named = path.endsWith(".js")
      ? [...body.matchAll(/^import .*?"(\.[^"]+)";?$/gm)]
      : [...body.matchAll(/(?:src|href)="(web\/[^"]+)"/g)];
    for (const [, name] of named) await visit(new URL(name!, `http://page${path}`).pathname);
  };
  await visit("/");
  const files = (await readdir(WEB, { recursive: true })).filter((name) => /(?<!\.d)\.(js|css|svg)$/.test(name));
  for (const name of files) assert.ok(seen.has(`/web/${name}`), `${name} is named nowhere`);
  assert.ok(seen.has("/web/preact.js") && seen.has("/web/htm.js"));
});

test("a file that the browser has is not sent again, and one that has changed is", async (t) => {
  const api = await started(t);
  const first = await api.inject("/web/style.css");
  assert.equal(first.body, await readFile(new URL("style.css", WEB), "utf8"));
  assert.equal(first.headers["cache-control"], "no-cache");
  const known = await api.inject({ url: "/web/style.css", headers: { "if-none-match": String(first.headers.etag) } });
  assert.deepEqual([known.statusCode, known.body], [304, ""]);
  const old = await api.inject({ url: "/web/style.css", headers: { "if-none-match": '"of-an-older-release"' } });
  assert.deepEqual([old.statusCode, old.body], [200, first.body]);
});

test("a browser may name what it has in every form of If-None-Match", async (t) => {
  const api = await started(t);
  const { etag } = (await api.inject("/")).headers;
  const ask = async (condition: string) => {
    const { statusCode, body } = await api.inject({ url: "/", headers: { "if-none-match": condition } });
    assert.equal(body === "", statusCode === 304);
    return statusCode;
  };
  for (const known of [`W/${etag}`, `"other", ${etag}`, `W/"other",W/${etag} , "more"`, "*", ` ${etag} `]) {
    assert.equal(await ask(known), 304, known);
  }
  for (const other of ["W/*", `w/${etag}`, `${etag?.slice(0, -2)}"`, 'W/"other"', "", ","]) {
    assert.equal(await ask(other), 200, other);
  }
});

test("nothing else is served", async (t) => {
  const api = await started(t);
  const paths = [
    "index.html",
    "tsconfig.json",
    "../package.json",
    "..%2fpackage.json",
    "%2e%2e/package.json",
    "panels",
    "",
  ];
  for (const path of paths) {
    const { statusCode } = await api.inject(`/web/${path}`);
    assert.equal(statusCode, 404, path);
  }
});

test("the page of a demo says so before any script runs", async (t) => {
  const { body } = await (await started(t, { demo: true })).inject("/");
  assert.match(body, /<title>HA Ingestor \(DEMO\)<\/title>/);
  assert.match(body, /<body data-demo>/);
});
