import assert from "node:assert/strict";
import { test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import type { AccessOptions } from "./access.ts";
import { createApi } from "./server.ts";

const LOOPBACK: AccessOptions = { host: "127.0.0.1", token: null, auth: "on", allowedHosts: [], corsOrigins: [] };
const TOKEN = "a-long-and-secret-token";
const OUTSIDE: AccessOptions = { ...LOOPBACK, host: "0.0.0.0", token: TOKEN };
const OPEN: AccessOptions = { ...LOOPBACK, host: "0.0.0.0", auth: "off" };
const CORS: AccessOptions = { ...LOOPBACK, corsOrigins: ["https://dash.example"] };

interface Case {
  readonly name: string;
  readonly access: AccessOptions;
  readonly method?: "GET" | "POST" | "DELETE" | "OPTIONS";
  readonly url?: string;
  readonly headers: Record<string, string>;
  readonly status: number;
  readonly has?: readonly string[];
  readonly lacks?: readonly string[];
}

const CASES: readonly Case[] = [
  { name: "loopback takes localhost", access: LOOPBACK, headers: { host: "localhost:8006" }, status: 200 },
  { name: "loopback takes 127.0.0.1", access: LOOPBACK, headers: { host: "127.0.0.1:8006" }, status: 200 },
  { name: "loopback takes [::1]", access: LOOPBACK, headers: { host: "[::1]:8006" }, status: 200 },
  { name: "loopback takes LOCALHOST", access: LOOPBACK, headers: { host: "LOCALHOST" }, status: 200 },
  {
    name: "loopback refuses a rebound name",
    access: LOOPBACK,
    headers: { host: "evil.example:8006" },
    status: 403,
    has: ["forbidden", "evil.example", "ALLOWED_HOSTS"],
  },
  {
    name: "loopback refuses a name that begins like a good one",
    access: LOOPBACK,
    headers: { host: "localhost.evil.example" },
    status: 403,
  },
  {
    name: "loopback refuses a name made of an address",
    access: LOOPBACK,
    headers: { host: "127.0.0.1.evil.example" },
    status: 403,
  },
  { name: "loopback refuses another address", access: LOOPBACK, headers: { host: "192.168.1.5" }, status: 403 },
  {
    name: "loopback refuses credentials in the name",
    access: LOOPBACK,
    headers: { host: "localhost@evil.example" },
    status: 403,
  },
  {
    name: "loopback guards /health too",
    access: LOOPBACK,
    url: "/health",
    headers: { host: "evil.example" },
    status: 403,
    lacks: ["healthy"],
  },
  {
    name: "a configured name is taken",
    access: { ...LOOPBACK, allowedHosts: ["Pi.local"] },
    headers: { host: "pi.local:8006" },
    status: 200,
  },
  {
    name: "its own page may call",
    access: LOOPBACK,
    headers: { host: "localhost:8006", origin: "http://localhost:8006" },
    status: 200,
  },
  {
    name: "its own page may write",
    access: LOOPBACK,
    method: "DELETE",
    url: "/api/devices/x",
    headers: { host: "localhost:8006", origin: "http://localhost:8006" },
    status: 404,
  },
  {
    name: "a foreign page may not read",
    access: LOOPBACK,
    headers: { host: "localhost:8006", origin: "https://evil.example" },
    status: 403,
    has: ["CORS_ORIGINS"],
  },
  {
    name: "a foreign page may not write",
    access: LOOPBACK,
    method: "DELETE",
    url: "/api/devices/x",
    headers: { host: "localhost:8006", origin: "https://evil.example" },
    status: 403,
  },
  {
    name: "a page of ours behind a proxy that leaves the port out may call, as its browser says",
    access: LOOPBACK,
    headers: { host: "localhost", origin: "https://localhost:8443", "sec-fetch-site": "same-origin" },
    status: 200,
  },
  {
    name: "a page of another port may not, as its browser says",
    access: LOOPBACK,
    headers: { host: "localhost:8006", origin: "http://localhost:3000", "sec-fetch-site": "same-site" },
    status: 403,
  },
  {
    name: "another port is another origin",
    access: LOOPBACK,
    headers: { host: "localhost:8006", origin: "http://localhost:3000" },
    status: 403,
  },
  {
    name: "a page without origin may not call",
    access: LOOPBACK,
    headers: { host: "localhost:8006", origin: "null" },
    status: 403,
  },
  {
    name: "a foreign page may not ask whether it may",
    access: LOOPBACK,
    method: "OPTIONS",
    headers: { host: "localhost:8006", origin: "https://evil.example", "access-control-request-method": "DELETE" },
    status: 403,
  },
  {
    name: "a configured page may call",
    access: CORS,
    headers: { host: "localhost:8006", origin: "https://dash.example" },
    status: 200,
  },
  {
    name: "a configured page may ask",
    access: CORS,
    method: "OPTIONS",
    headers: { host: "localhost:8006", origin: "https://dash.example", "access-control-request-method": "DELETE" },
    status: 204,
  },
  {
    name: "outside needs a token",
    access: OUTSIDE,
    headers: { host: "pi.local" },
    status: 401,
    has: ["unauthorized", "Authorization: Bearer"],
    lacks: [TOKEN],
  },
  {
    name: "outside takes a bearer token",
    access: OUTSIDE,
    headers: { host: "pi.local", authorization: `Bearer ${TOKEN}` },
    status: 200,
  },
  {
    name: "outside takes the scheme in any case",
    access: OUTSIDE,
    headers: { host: "pi.local", authorization: `bearer ${TOKEN}` },
    status: 200,
  },
  { name: "outside takes X-API-Key", access: OUTSIDE, headers: { host: "pi.local", "x-api-key": TOKEN }, status: 200 },
  {
    name: "outside refuses another token",
    access: OUTSIDE,
    headers: { host: "pi.local", authorization: "Bearer wrong" },
    status: 401,
    lacks: [TOKEN, "wrong"],
  },
  {
    name: "outside refuses a part of the token",
    access: OUTSIDE,
    headers: { host: "pi.local", authorization: `Bearer ${TOKEN.slice(0, -1)}` },
    status: 401,
  },
  {
    name: "outside refuses basic login",
    access: OUTSIDE,
    headers: { host: "pi.local", authorization: `Basic ${TOKEN}` },
    status: 401,
  },
  {
    name: "outside refuses a token in the address",
    access: OUTSIDE,
    url: `/api/devices?token=${TOKEN}`,
    headers: { host: "pi.local" },
    status: 401,
  },
  {
    name: "outside tells unknown paths to nobody",
    access: OUTSIDE,
    url: "/nope",
    headers: { host: "pi.local" },
    status: 401,
  },
  {
    name: "outside tells methods to nobody",
    access: OUTSIDE,
    method: "OPTIONS",
    headers: { host: "pi.local" },
    status: 401,
  },
  {
    name: "outside /health tells status alone",
    access: OUTSIDE,
    url: "/health",
    headers: { host: "pi.local" },
    status: 200,
    has: ['{"status":"healthy"}'],
  },
  {
    name: "outside /health tells all to who is known",
    access: OUTSIDE,
    url: "/health",
    headers: { host: "pi.local", "x-api-key": TOKEN },
    status: 200,
    has: ["dependencies", '"authentication":{"enabled":true}'],
    lacks: [TOKEN],
  },
  {
    name: "outside /ready tells status alone",
    access: OUTSIDE,
    url: "/ready",
    headers: { host: "pi.local" },
    status: 200,
    has: ['{"status":"ready"}'],
  },
  {
    name: "outside / tells nothing of the home",
    access: OUTSIDE,
    url: "/",
    headers: { host: "pi.local" },
    status: 200,
    has: ["HA Ingestor"],
    lacks: ["connected", "2026.11.0"],
  },
  {
    name: "outside /docs opens without a token",
    access: OUTSIDE,
    url: "/docs/",
    headers: { host: "pi.local" },
    status: 200,
  },
  {
    name: "outside /metrics needs a token",
    access: OUTSIDE,
    url: "/metrics",
    headers: { host: "pi.local" },
    status: 401,
  },
  {
    name: "an allowed page may read that an address is malformed",
    access: CORS,
    url: "/api/entities/%ff",
    headers: { host: "localhost", origin: "https://dash.example" },
    status: 400,
    has: ["well-formed URL"],
  },
  {
    name: "an allowed page may read that an address is too long",
    access: CORS,
    url: `/api/devices/${"x".repeat(1_001)}`,
    headers: { host: "localhost", origin: "https://dash.example" },
    status: 414,
    has: ["too_large"],
  },
  {
    name: "a malformed address is answered to no other page",
    access: LOOPBACK,
    url: "/api/entities/%ff",
    headers: { host: "localhost", origin: "https://evil.example" },
    status: 403,
    has: ["CORS_ORIGINS"],
  },
  {
    name: "a malformed address is answered under no other name",
    access: LOOPBACK,
    url: "/api/entities/%ff",
    headers: { host: "evil.example" },
    status: 403,
    has: ["ALLOWED_HOSTS"],
  },
  { name: "switched off, addresses are taken", access: OPEN, headers: { host: "192.168.1.5:8006" }, status: 200 },
  { name: "switched off, names still are not", access: OPEN, headers: { host: "evil.example" }, status: 403 },
];

for (const { name, access, method = "GET", url = "/api/devices", headers, status, has = [], lacks = [] } of CASES) {
  test(`installAccess(): ${name}`, async (t) => {
    const api = await createApi(apiOptions({ access }));
    t.after(() => api.close());
    const response = await api.inject({ method, url, headers });
    assert.equal(response.statusCode, status, response.body);
    for (const part of has) assert.ok(response.body.includes(part), `${part} is not in ${response.body}`);
    for (const part of lacks) assert.ok(!response.body.includes(part), `${part} is in ${response.body}`);
    const { "www-authenticate": challenge, "access-control-allow-origin": allowed } = response.headers;
    assert.equal(challenge, status === 401 ? 'Bearer realm="ha-ingestor"' : undefined);
    assert.equal(allowed, access === CORS ? "https://dash.example" : undefined);
    assert.equal(response.headers["access-control-allow-credentials"], undefined);
    assert.equal(response.headers["x-frame-options"], "SAMEORIGIN");
  });
}

test("installAccess() refuses options that would leave the home open", async () => {
  const start = (access: AccessOptions) => createApi(apiOptions({ access }));
  await assert.rejects(start({ ...OUTSIDE, token: null }), /API_TOKEN/);
  await assert.rejects(start({ ...OUTSIDE, token: "" }), /API_TOKEN/);
  await assert.rejects(start({ ...LOOPBACK, corsOrigins: ["*"] }), /CORS_ORIGINS/);
});

test("a name is judged by itself, whatever name was taken or refused before it", async (t) => {
  const api = await createApi({ ...apiOptions(), access: LOOPBACK });
  t.after(() => api.close());
  const names = [
    "localhost:1",
    "evil.example",
    "localhost:1",
    "evil.example",
    "evil.example",
    "127.0.0.1",
    "localhost:1",
  ];
  const statuses: number[] = [];
  for (const host of names) statuses.push((await api.inject({ url: "/api/areas", headers: { host } })).statusCode);
  assert.deepEqual(statuses, [200, 403, 200, 403, 403, 200, 200]);
});

test("who comes by Home Assistant's ingress needs no token, and may use any name; nobody else", async (t) => {
  const headers = { "x-ingress-path": "/api/hassio_ingress/abc", host: "home.example:8123" };
  const ask = async (access: AccessOptions, remoteAddress: string, more: Record<string, string> = headers) => {
    const api = await createApi(apiOptions({ access }));
    t.after(() => api.close());
    return (await api.inject({ url: "/api/devices", headers: more, remoteAddress })).statusCode;
  };
  const ingress = "172.30.32.2";
  for (const access of [OUTSIDE, LOOPBACK]) {
    const refused = access === OUTSIDE ? 401 : 403;
    assert.equal(await ask({ ...access, ingress }, ingress), 200);
    assert.equal(await ask({ ...access, ingress }, `::ffff:${ingress}`), 200);
    assert.equal(await ask({ ...access, ingress }, ingress, { host: headers.host }), refused);
    assert.equal(await ask({ ...access, ingress }, "172.30.32.1"), refused);
    assert.equal(await ask({ ...access, ingress: null }, ingress), refused);
    assert.equal(await ask(access, ingress), refused);
  }
  // A page of elsewhere is not made one of ours by it.
  assert.equal(await ask({ ...OUTSIDE, ingress }, ingress, { ...headers, origin: "http://evil.example" }), 403);
});
