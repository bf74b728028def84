import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { request as httpRequest, type IncomingMessage } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { silentLog } from "../lib/log.ts";
import { createLineWriter, type LineWriterOptions, UNPACKED_BYTES_MAX, WRITES_MAX } from "../lineprotocol/writer.ts";
import { apiOptions } from "../testing/api-doubles.ts";
import { ENTITY_POINTS_DOUBLE } from "../testing/entity-point-double.ts";
import { openStore } from "../timeseries/store.ts";
import { LINES_BODY_BYTES_MAX } from "./line-protocol.ts";
import { createApi } from "./server.ts";

const TOKEN = "a-token";
const LINE = "cpu,host=pi,cpu=cpu0 usage=12.5 1795518045947119000";
const PATHS = ["/write?db=telegraf", "/api/v2/write?org=home&bucket=telegraf"] as const;

/** The data API on a real store, with or without a token. */
async function open(t: TestContext, more: { token?: string; writer?: Partial<LineWriterOptions> } = {}) {
  const directory = mkdtempSync(join(tmpdir(), "line-protocol-"));
  const settings = { busyTimeoutSeconds: 5, cacheSize: -2000, synchronous: "OFF" } as const;
  const store = await openStore({ directory, commitSeconds: 3600, settings, log: silentLog() });
  const lines = createLineWriter({ store, entities: ENTITY_POINTS_DOUBLE, ...more.writer });
  const options = apiOptions({ lines });
  const access = { ...options.access, token: more.token ?? null };
  const status = { ...options.status, lines: lines.status };
  const api = await createApi({ ...options, samples: store, access, status });
  t.after(async () => {
    await api.close();
    await store.close();
    rmSync(directory, { recursive: true });
  });
  const write = (url: string, payload: string | Buffer = LINE, headers: Record<string, string> = {}) =>
    api.inject({ method: "POST", url, payload, headers });
  return { api, store, lines, write };
}

for (const path of PATHS) {
  test(`POST ${path} answers 204 once points are on the disk, and they can be read`, async (t) => {
    const { api, store, write } = await open(t);
    const response = await write(path);
    assert.equal(response.statusCode, 204);
    assert.equal(response.body, "");
    assert.equal(store.status().waiting, 0);
    const history = "/api/v1/history?measurement=cpu&subject=cpu%3Dcpu0%2Chost%3Dpi&fields=usage";
    const read = await api.inject(`${history}&start=1795518045000&end=1795518046000`);
    assert.deepEqual(read.json().series[0].samples, [[1795518045947.119, 12.5]]);
  });

  test(`POST ${path} takes what clients send at their set-up: nothing, or a line feed`, async (t) => {
    const { write, lines } = await open(t);
    for (const body of ["", "\n"]) assert.equal((await write(path, body)).statusCode, 204);
    assert.equal(lines.status().points, 0);
  });

  test(`POST ${path} takes every content type`, async (t) => {
    const { write } = await open(t);
    for (const type of [
      "text/plain; charset=utf-8",
      "application/octet-stream",
      "application/json",
      "application/x-www-form-urlencoded",
      "garbage",
      "text",
      "",
    ]) {
      assert.equal((await write(path, LINE, { "content-type": type })).statusCode, 204, type);
    }
    assert.equal((await write(path, LINE, { "content-encoding": "" })).statusCode, 204);
  });

  test(`POST ${path} takes gzip, and refuses what does not unpack`, async (t) => {
    const { write, lines } = await open(t);
    assert.equal((await write(path, gzipSync(LINE), { "content-encoding": "gzip" })).statusCode, 204);
    assert.equal(lines.status().points, 1);
    for (const body of [Buffer.from(LINE), gzipSync(LINE).subarray(0, 20)]) {
      assert.equal((await write(path, body, { "content-encoding": "gzip" })).statusCode, 400);
    }
    assert.equal((await write(path, LINE, { "content-encoding": "br" })).statusCode, 400);
    const bomb = gzipSync(Buffer.alloc(UNPACKED_BYTES_MAX + 1, "\n"));
    assert.ok(bomb.length < 100_000);
    assert.equal((await write(path, bomb, { "content-encoding": "gzip" })).statusCode, 413);
    assert.equal(lines.status().points, 1);
  });

  test(`POST ${path} refuses a body beyond the bound`, async (t) => {
    const { write } = await open(t);
    assert.equal((await write(path, Buffer.alloc(LINES_BODY_BYTES_MAX + 1, "\n"))).statusCode, 413);
  });

  test(`POST ${path} keeps the good lines of a batch`, async (t) => {
    const { write, store } = await open(t);
    assert.equal((await write(path, `m v=1 1000\nbad line here now\nm v=2 2000`)).statusCode, 400);
    const series = store.find({ measurement: "m", subject: "-", field: "v" })!;
    const [read] = await store.read([{ series, start: 0, end: 10, limit: 10 }]);
    assert.deepEqual(read!.values, [1, 2]);
  });

  test(`POST ${path} asks to come again while the store cannot take more`, async (t) => {
    const { write, lines } = await open(t, { writer: { memorySamplesMax: 2 } });
    assert.equal((await write(path, "m v=1 1000\nm v=2 2000")).statusCode, 204);
    const response = await write(path, "m v=3 3000");
    assert.equal(response.statusCode, 503);
    assert.equal(response.headers["retry-after"], "5");
    assert.equal(lines.status().busy, 1);
  });

  test(`POST ${path} bounds the series that it makes`, async (t) => {
    const { write, store } = await open(t, { writer: { seriesMax: 2 } });
    const response = await write(path, "m a=1 1000\nm b=2 1000\nm c=3 1000\nm a=2 2000");
    assert.equal(response.statusCode, 400);
    assert.match(response.body, /max-series-per-database limit exceeded: \(2\)/);
    assert.equal(store.status().appended, 3);
  });
}

/** As Telegraf writes it of a container with labels, and the longest that an address has room for beside a cursor. */
const LONG: readonly (readonly [name: string, tags: number, measurement: string, field: string])[] = [
  ["tags of 559 characters", 14, "docker", "cpu"],
  ["tags of 30,000 characters", 750, "docker", "cpu"],
  ["a measurement of 30,000 characters", 1, "m".repeat(30_000), "cpu"],
  ["a field of 30,000 characters", 1, "docker", "f".repeat(30_000)],
];
for (const [name, tags, measurement, field] of LONG) {
  test(`history and statistics read what /write took: ${name}`, async (t) => {
    const { api, write } = await open(t);
    const labels = Array.from({ length: tags }, (_, i) => `${String(i + 100).padEnd(30, "l")}=${"v".repeat(8)}`);
    const subject = labels.join();
    const line = (time: number): string => `${measurement},${subject} a=1,${field}=${time} ${time}000`;
    assert.equal((await write("/write?precision=u", [3, 4, 5].map((time) => line(time)).join("\n"))).statusCode, 204);
    const query = new URLSearchParams({ measurement, subject, fields: field, start: "0", end: "6000" }).toString();
    const samples: unknown[] = [];
    for (let cursor: string | null = ""; cursor !== null; ) {
      const url: string = `/api/v1/history?${query}&limit=1${cursor === "" ? "" : `&cursor=${cursor}`}`;
      assert.ok(url.length < 60_000);
      const answer = await api.inject(url);
      assert.equal(answer.statusCode, 200, answer.body.slice(0, 300));
      samples.push(...answer.json().series.flatMap((series: { samples: unknown[] }) => series.samples));
      cursor = answer.json().next_cursor;
    }
    assert.deepEqual(samples, [
      [3, 3],
      [4, 4],
      [5, 5],
    ]);
    const statistics = await api.inject(`/api/v1/statistics?${query}&period=month`);
    assert.equal(statistics.statusCode, 200, statistics.body.slice(0, 300));
    assert.equal(statistics.json().series[0].buckets[0].count, 3);
  });
}

test("statistics page through a subject with long names", async (t) => {
  const { api, write } = await open(t);
  const fields = ["a", "b", "c"].map((letter) => letter.repeat(20_000));
  await write("/write", `m ${fields.map((field) => `${field}=1`).join()} 1000`);
  const query = "measurement=m&subject=-&start=0&end=18000000000&period=hour";
  const found: string[] = [];
  for (let cursor: string | null = ""; cursor !== null; ) {
    const url: string = `/api/v1/statistics?${query}${cursor === "" ? "" : `&cursor=${cursor}`}`;
    const answer = await api.inject(url);
    assert.equal(answer.statusCode, 200, answer.body.slice(0, 300));
    found.push(...answer.json().series.map(({ field }: { field: string }) => field));
    cursor = answer.json().next_cursor;
  }
  assert.deepEqual(found, fields);
});

test("POST /write answers faults as InfluxDB 1.x, POST /api/v2/write as 2.x", async (t) => {
  const { write } = await open(t);
  const some = "partial write: unable to parse 'bad line here now': invalid field format dropped=1";
  const all = "unable to parse 'bad line here now': invalid field format\nunable to parse 'bad2': missing fields";
  const [body, good] = ["bad line here now\nbad2", "bad line here now\nm v=1 1"];
  const first = await write("/write", body);
  assert.deepEqual(first.json(), { error: all });
  assert.equal(first.headers["x-influxdb-error"], all.replace("\n", " "));
  assert.deepEqual((await write("/write", good)).json(), { error: some });
  const second = await write("/api/v2/write", body);
  assert.deepEqual(second.json(), { code: "invalid", message: all });
  assert.equal(second.headers["x-platform-error-code"], "invalid");
  assert.deepEqual((await write("/api/v2/write", good)).json(), { code: "invalid", message: some });
});

test("POST /write bounds what it repeats of faulty lines", async (t) => {
  const { write } = await open(t);
  const response = await write("/write", `${"x".repeat(5000)}\n`.repeat(1000));
  assert.equal(response.statusCode, 400);
  assert.ok(response.body.length < 120_000, `${response.body.length}`);
  assert.match(response.json().error, /\nand 900 more$/);
  assert.ok(String(response.headers["x-influxdb-error"]).length <= 1000);
});

const TIMES: readonly (readonly [string, string, number])[] = [
  ["ns", "1795518045947119000", 1795518045947119],
  ["n", "1795518045947119000", 1795518045947119],
  ["us", "1795518045947119", 1795518045947119],
  ["u", "1795518045947119", 1795518045947119],
  ["ms", "1795518045947", 1795518045947000],
  ["s", "1795518045", 1795518045000000],
  ["m", "29925300", 1795518000000000],
  ["h", "498755", 1795518000000000],
];
test("both paths take every precision of every version, and refuse others", async (t) => {
  const { write, store } = await open(t);
  for (const [i, path] of PATHS.entries()) {
    for (const [precision, digits, micros] of TIMES) {
      const measurement = `m${i}_${precision}`;
      assert.equal((await write(`${path}&precision=${precision}`, `${measurement} v=1 ${digits}`)).statusCode, 204);
      const series = store.find({ measurement, subject: "-", field: "v" })!;
      assert.equal(store.last(series)!.ts, micros, measurement);
    }
    for (const precision of ["rfc3339", "NS", "years", "toString"]) {
      const response = await write(`${path}&precision=${precision}`);
      assert.equal(response.statusCode, 400);
      assert.match(response.body, /invalid precision/);
    }
    assert.equal((await write(`${path}&precision=`)).statusCode, 204);
  }
});

const basic = (text: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(text).toString("base64")}`,
});
const ACCESS: readonly { name: string; url: string; headers?: Record<string, string>; status: number }[] = [
  { name: "1.x: nothing", url: "/write", status: 401 },
  { name: "1.x: Token", url: "/write", headers: { authorization: `Token ${TOKEN}` }, status: 204 },
  { name: "1.x: Token user:password", url: "/write", headers: { authorization: `Token ha:${TOKEN}` }, status: 204 },
  { name: "1.x: Bearer", url: "/write", headers: { authorization: `Bearer ${TOKEN}` }, status: 204 },
  { name: "1.x: Basic", url: "/write", headers: basic(`any:${TOKEN}`), status: 204 },
  { name: "1.x: Basic, wrong", url: "/write", headers: basic("any:wrong"), status: 401 },
  { name: "1.x: u and p", url: `/write?u=any&p=${TOKEN}`, status: 204 },
  { name: "1.x: u and p, wrong", url: "/write?u=any&p=wrong", status: 401 },
  { name: "1.x: the token as u", url: `/write?u=${TOKEN}&p=x`, status: 401 },
  { name: "1.x: p twice", url: `/write?p=${TOKEN}&p=${TOKEN}`, status: 401 },
  { name: "1.x: X-API-Key", url: "/write", headers: { "x-api-key": TOKEN }, status: 204 },
  { name: "2.x: nothing", url: "/api/v2/write", status: 401 },
  { name: "2.x: Token", url: "/api/v2/write", headers: { authorization: `Token ${TOKEN}` }, status: 204 },
  { name: "2.x: token, another case", url: "/api/v2/write", headers: { authorization: `token ${TOKEN}` }, status: 204 },
  { name: "2.x: Bearer", url: "/api/v2/write", headers: { authorization: `Bearer ${TOKEN}` }, status: 204 },
  { name: "2.x: Token, wrong", url: "/api/v2/write", headers: { authorization: "Token wrong" }, status: 401 },
  { name: "2.x: Token, empty", url: "/api/v2/write", headers: { authorization: "Token " }, status: 401 },
  { name: "2.x: no u and p", url: `/api/v2/write?u=any&p=${TOKEN}`, status: 401 },
];
for (const { name, url, headers, status } of ACCESS) {
  test(`access, ${name}: ${status}`, async (t) => {
    const { write, store } = await open(t, { token: TOKEN });
    const response = await write(url, LINE, headers);
    assert.equal(response.statusCode, status);
    assert.equal(store.status().appended, status === 204 ? 1 : 0);
    if (status !== 401) return;
    assert.equal(Object.keys(response.json())[0], url.startsWith("/write") ? "error" : "code");
    assert.ok(response.headers["www-authenticate"]);
    assert.ok(!response.body.includes(TOKEN));
  });
}

test("InfluxDB's ways to bring a token open no other route", async (t) => {
  const { api } = await open(t, { token: TOKEN });
  const token = { authorization: `Token ${TOKEN}` };
  for (const headers of [token, basic(`any:${TOKEN}`)]) {
    assert.equal((await api.inject({ url: "/api/devices", headers })).statusCode, 401);
  }
  assert.equal((await api.inject(`/api/devices?u=any&p=${TOKEN}`)).statusCode, 401);
});

test("GET and HEAD /ping say what they are without a token", async (t) => {
  const { api } = await open(t, { token: TOKEN });
  for (const method of ["GET", "HEAD"] as const) {
    const response = await api.inject({ method, url: "/ping" });
    assert.equal(response.statusCode, 204);
    assert.match(String(response.headers["x-influxdb-version"]), /^1\.8\./);
    assert.ok(response.headers["x-influxdb-build"]);
    assert.equal(response.headers["content-length"], undefined);
    assert.equal(response.headers["content-type"], undefined);
    assert.equal(response.body, "");
  }
});

const form = { "content-type": "application/x-www-form-urlencoded" };
const nothing = { results: [{ statement_id: 0 }] };
const QUESTIONS: readonly { q: string; status: number; body?: object; has?: RegExp }[] = [
  { q: 'CREATE DATABASE "home assistant"', status: 200, body: nothing },
  { q: "create database ha WITH DURATION 30d;", status: 200, body: nothing },
  { q: 'CREATE RETENTION POLICY "a" ON "ha" DURATION 30d REPLICATION 1', status: 200, body: nothing },
  { q: "SHOW SERIES LIMIT 1", status: 200, body: nothing },
  {
    q: "SHOW DATABASES",
    status: 200,
    body: {
      results: [
        { statement_id: 0, series: [{ name: "databases", columns: ["name"], values: [["home_assistant"], ["ha"]] }] },
      ],
    },
  },
  {
    q: 'CREATE DATABASE "a;b" ; ; SHOW DATABASES; CREATE RETENTION POLICY "it\'s" ON a DURATION 1d REPLICATION 1;',
    status: 200,
    body: {
      results: [
        { statement_id: 0 },
        { statement_id: 1, series: [{ name: "databases", columns: ["name"], values: [["home_assistant"], ["ha"]] }] },
        { statement_id: 2 },
      ],
    },
  },
  { q: 'CREATE DATABASE "a"; DROP DATABASE "b"', status: 400, has: /^error parsing query: not supported.*: DROP DATA/ },
  { q: "CREATE DATABASE a; SELECT * FROM m", status: 400, has: /^error parsing query: not supported.*: SELECT/ },
  { q: "SELECT * FROM m; CREATE DATABASE a", status: 400, has: /^error parsing query: not supported/ },
  {
    q: 'CREATE DATABASE "a\\"; DROP DATABASE b; SHOW SERIES LIMIT 1',
    status: 400,
    has: /^error parsing query: .*quote/,
  },
  { q: `${"CREATE DATABASE a;".repeat(100)}`, status: 200 },
  { q: `${"CREATE DATABASE a;".repeat(101)}`, status: 400, has: /^error parsing query: more than 100 statements/ },
  { q: " ; ", status: 400, has: /missing required parameter "q"/ },
  { q: "SELECT * FROM m", status: 400, has: /^error parsing query: not supported here/ },
  { q: "DROP DATABASE ha", status: 400, has: /^error parsing query/ },
  { q: "", status: 400, has: /missing required parameter "q"/ },
];
for (const { q, status, body, has } of QUESTIONS) {
  test(`/query answers "${q.slice(0, 120)}" (${q.length} characters) with ${status}`, async (t) => {
    const { api } = await open(t);
    const parameters = new URLSearchParams({ db: "ha", q }).toString();
    const answers = [
      await api.inject(`/query?${parameters}`),
      await api.inject({ method: "POST", url: `/query?${parameters}` }),
      await api.inject({
        method: "POST",
        url: "/query?db=ha",
        payload: new URLSearchParams({ q }).toString(),
        headers: form,
      }),
    ];
    for (const answer of answers) {
      assert.equal(answer.statusCode, status);
      if (body) assert.deepEqual(answer.json(), body);
      if (has) assert.match(answer.json().error, has);
    }
  });
}

test("/metrics counts points and faulty lines", async (t) => {
  const { api, write } = await open(t);
  await write("/write", "m v=1 1000\nbad");
  const { body } = await api.inject("/metrics");
  for (const [name, value] of [
    ["requests", 1],
    ["points", 1],
    ["faulty_lines", 1],
    ["busy", 0],
  ] as const) {
    assert.match(body, new RegExp(`^ha_ingestor_line_protocol_${name}_total ${value}$`, "m"));
  }
});

test("/query wants the token", async (t) => {
  const { api } = await open(t, { token: TOKEN });
  assert.equal((await api.inject("/query?q=SHOW%20DATABASES")).statusCode, 401);
  assert.equal((await api.inject(`/query?q=SHOW%20DATABASES&u=a&p=${TOKEN}`)).statusCode, 200);
});

/** Over a socket, as Telegraf sends it. */
async function post(port: number, path: string, body: Buffer, headers: Record<string, string>) {
  const sent = httpRequest({ host: "127.0.0.1", port, path, method: "POST", headers });
  sent.write(body.subarray(0, 10));
  sent.end(body.subarray(10));
  const [response] = (await once(sent, "response")) as [IncomingMessage];
  return { status: response.statusCode, body: await text(response) };
}

test("POST /write takes gzip in chunks, many requests at once and no more than the bound", async (t) => {
  const { api, store, lines } = await open(t);
  await api.listen({ host: "127.0.0.1", port: 0 });
  const { port } = api.server.address() as AddressInfo;
  const headers = { "content-encoding": "gzip", "transfer-encoding": "chunked", "content-type": "text/plain" };
  const bodies = Array.from({ length: WRITES_MAX * 3 }, (_, i) =>
    gzipSync(Array.from({ length: 2000 }, (_, line) => `m,body=${i} v=${line} ${line}000`).join("\n")),
  );
  const statuses = await Promise.all(
    bodies.map(async (body) => {
      for (let refused = 0; ; refused++) {
        const { status } = await post(port, "/write?db=x", body, headers);
        if (status !== 503) return { status, refused };
      }
    }),
  );
  assert.ok(statuses.every(({ status }) => status === 204));
  assert.equal(store.status().appended, bodies.length * 2000);
  assert.equal(
    lines.status().busy,
    statuses.reduce((sum, { refused }) => sum + refused, 0),
  );
});
