import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { apiOptions } from "../testing/api-doubles.ts";
import { exchange } from "../testing/raw-http.ts";
import type { AccessOptions } from "./access.ts";
import { createApi } from "./server.ts";

const TOKEN = "a-long-and-secret-token";
const WITH_TOKEN: AccessOptions = { host: "0.0.0.0", token: TOKEN, auth: "on", allowedHosts: [], corsOrigins: [] };

/** A server that listens, and a way to send it bytes that no HTTP client would. */
async function listening(t: TestContext, access: AccessOptions = apiOptions().access) {
  const api = await createApi(apiOptions({ access }));
  t.after(() => api.close());
  const url = await api.listen({ host: "127.0.0.1", port: 0 });
  return { api, exchange: (bytes: string) => exchange(Number(new URL(url).port), bytes) };
}

/** The head, and the body, which must be an error in the one form. */
function parsed(answer: string): { status: number; code: unknown; message: string } {
  const [head = "", body = ""] = answer.split("\r\n\r\n");
  assert.match(head, /^content-type: application\/json/im, answer);
  const { code, message, ...others } = JSON.parse(body) as { code: unknown; message: string };
  assert.deepEqual(others, {});
  return { status: Number(head.split(" ")[1]), code, message };
}

const HEAD = "POST /api/devices HTTP/1.1\r\nHost: localhost\r\n";
const SLOW: readonly { readonly what: string; readonly bytes: string }[] = [
  { what: "half a header", bytes: HEAD },
  { what: "half a body", bytes: `${HEAD}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n{"device_id":` },
];
/** Well below Node's own 30 seconds, well above a second on a busy machine. */
const SOON_MS = 10_000;

for (const { what, bytes } of SLOW) {
  test(`createApi() answers ${what} with 408 right after its time`, async (t) => {
    const { api, exchange } = await listening(t);
    api.server.headersTimeout = 50;
    api.server.requestTimeout = 50;
    const sentAt = performance.now();
    const { status, code } = parsed(await exchange(bytes));
    assert.deepEqual([status, code], [408, "timeout"]);
    assert.ok(performance.now() - sentAt < SOON_MS);
  });
}

interface Odd {
  readonly name: string;
  readonly lines: readonly string[];
  readonly access?: AccessOptions;
  readonly status: number;
  readonly code: string;
  readonly has: RegExp;
}

const ODD: readonly Odd[] = [
  {
    name: "refuses a path that leads out of the page of routes",
    lines: ["GET /docs/static/../../x HTTP/1.1", "Host: localhost"],
    status: 403,
    code: "forbidden",
    has: /^Cannot answer this address: /,
  },
  {
    name: "refuses HTTP/1.1 without Host",
    lines: ["GET /api/devices HTTP/1.1"],
    status: 400,
    code: "invalid",
    has: /header "Host" is missing/,
  },
  {
    name: "refuses HTTP/1.1 without Host also from who has the token",
    lines: ["GET /api/devices HTTP/1.1", `Authorization: Bearer ${TOKEN}`],
    access: WITH_TOKEN,
    status: 400,
    code: "invalid",
    has: /header "Host" is missing/,
  },
  {
    name: "refuses HTTP/1.0 without Host, as any name that is not ours",
    lines: ["GET /api/devices HTTP/1.0"],
    status: 403,
    code: "forbidden",
    has: /under the name ""/,
  },
  {
    name: "takes no page for its own that calls without Host",
    lines: ["GET /api/devices HTTP/1.0", "Origin: null", `Authorization: Bearer ${TOKEN}`],
    access: WITH_TOKEN,
    status: 403,
    code: "forbidden",
    has: /origin "null"/,
  },
  {
    name: "refuses an expectation that it cannot meet",
    lines: ["GET /api/devices HTTP/1.1", "Host: localhost", "Expect: foo"],
    status: 417,
    code: "invalid",
    has: /^Cannot meet the expectation "foo": .*100-continue/,
  },
  {
    name: "looks at Host before expectations",
    lines: ["GET /api/devices HTTP/1.1", "Host: evil.example", "Expect: foo"],
    status: 403,
    code: "forbidden",
    has: /evil\.example/,
  },
];

for (const { name, lines, access, status, code, has } of ODD) {
  test(`createApi() ${name}, in the one form`, async (t) => {
    const { exchange } = await listening(t, access);
    const answer = parsed(await exchange(`${[...lines, "Connection: close"].join("\r\n")}\r\n\r\n`));
    assert.deepEqual([answer.status, answer.code], [status, code]);
    assert.match(answer.message, has);
  });
}

test("createApi() goes on with who expects 100-continue", async (t) => {
  const { exchange } = await listening(t);
  const answer = await exchange(
    "POST /api/devices HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Type: application/json\r\n" +
      "Content-Length: 2\r\nConnection: close\r\n\r\n{}",
  );
  assert.match(answer, /^HTTP\/1\.1 100 Continue\r\n\r\nHTTP\/1\.1 400 /);
});

test("createApi() refuses what /write must not meet in InfluxDB's form", async (t) => {
  const { exchange } = await listening(t);
  const answer = await exchange("POST /write HTTP/1.1\r\nConnection: close\r\n\r\n");
  assert.match(answer, /^HTTP\/1\.1 400 /);
  assert.match(answer, /\r\n\r\n\{"error":"[^"]*\\"Host\\" is missing/);
});

test("createApi() answers a hundred requests that a connection sends at once, and refuses those beyond a thousand", async (t) => {
  const { exchange } = await listening(t);
  const request = (more = "") => `HEAD /api/devices HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
  const statusesOf = async (count: number): Promise<readonly unknown[]> => {
    const answer = await exchange(request().repeat(count - 1) + request("Connection: close\r\n"));
    return [...answer.matchAll(/HTTP\/1\.1 (\d+) /g)].map(([, status]) => status);
  };
  assert.deepEqual(await statusesOf(100), Array(100).fill("200"));
  const statuses = await statusesOf(1_200);
  assert.equal(statuses.length, 1_200);
  assert.deepEqual([statuses[0], statuses.at(-1), new Set(statuses).size], ["200", "503", 2]);
});

test("createApi() answers any number of requests that a connection sends one after the other", async (t) => {
  const { api } = await listening(t);
  const socket = connect((api.server.address() as AddressInfo).port, "127.0.0.1").setEncoding("utf8");
  t.after(() => socket.destroy());
  for (let i = 0; i < 40; i++) {
    socket.write("HEAD /api/devices HTTP/1.1\r\nHost: localhost\r\n\r\n");
    const [head] = await once(socket, "data");
    assert.match(head, /^HTTP\/1\.1 200 /);
  }
});
