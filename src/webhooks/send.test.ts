import assert from "node:assert/strict";
import { Resolver } from "node:dns/promises";
import { once } from "node:events";
import { createServer as createHttpsServer } from "node:https";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { type TestContext, test } from "node:test";
import { gzipSync } from "node:zlib";
import { CERTIFICATE, KEY } from "../testing/certificate.ts";
import { startDnsServer } from "../testing/dns-server.ts";
import { checkTarget, createAddressRules, type Resolve, type ResolvedAddress } from "./address-rules.ts";
import { createResolver } from "./resolver.ts";
import { createSender, EXCERPT_LENGTH_MAX, RESPONSE_BYTES_MAX, type SendOutcome } from "./send.ts";
import { startReceiver } from "./testing.ts";

/** A server that does with each connection what a test says, once a request has begun to arrive. */
async function rawServer(t: TestContext, behave: (socket: Socket, connection: number) => void) {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    sockets.add(socket);
    const connection = ++connections;
    // Those who are cut off need not be asked why.
    socket.on("error", () => {});
    socket.on("close", () => sockets.delete(socket));
    socket.once("data", () => behave(socket, connection));
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    server.close();
  });
  const { port } = server.address() as AddressInfo;
  return { port, url: `http://127.0.0.1:${port}/`, connections: () => connections };
}

interface Settings {
  readonly allow?: readonly string[];
  readonly resolve?: Resolve;
  readonly timeoutMs?: number;
  readonly unverifiedOrigin?: string;
}

function senderFor(t: TestContext, { allow = ["127.0.0.1"], resolve, timeoutMs = 5_000, ...more }: Settings = {}) {
  const sender = createSender({
    ...more,
    rules: createAddressRules(allow),
    resolve: resolve ?? (() => Promise.reject(new Error("nobody should ask"))),
    timeoutMs,
  });
  t.after(() => sender.close());
  return (url: string, signal = new AbortController().signal): Promise<SendOutcome> =>
    sender.send({ url, headers: { "content-type": "application/json" }, body: '{"a":1}', signal });
}

test("send() tells what was answered", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  receiver.answer = (_request, response) =>
    response.writeHead(503, { "retry-after": "120" }).end("too\u001b[31m much\n");
  const outcome = await senderFor(t)(receiver.url);
  assert.deepEqual(outcome, { status: 503, error: "answered 503", excerpt: "too [31m much", retryAfterMs: 120_000 });
  assert.equal(receiver.received[0]!.headers.host, `127.0.0.1:${receiver.port}`);
  receiver.answer = (_request, response) => response.writeHead(204).end();
  assert.deepEqual(await senderFor(t)(receiver.url), { status: 204, error: null, excerpt: null, retryAfterMs: null });
});

test("send() follows no redirect", async (t) => {
  const target = await startReceiver();
  const receiver = await startReceiver();
  t.after(() => Promise.all([receiver.close(), target.close()]));
  for (const status of [301, 302, 303, 307, 308]) {
    receiver.answer = (_request, response) => response.writeHead(status, { location: target.url }).end();
    const outcome = await senderFor(t)(receiver.url);
    assert.deepEqual([outcome.status, outcome.error], [status, `answered ${status}: redirects are not followed`]);
  }
  assert.equal(target.received.length, 0);
});

test("send() ends after its time: no answer, endless headers, an endless slow body", async (t) => {
  const trickle = (socket: Socket, text: string): void => {
    const timer = setInterval(() => socket.write(text), 5);
    socket.on("close", () => clearInterval(timer));
  };
  const behaviours: readonly [(socket: Socket) => void, RegExp][] = [
    [() => {}, /^no answer within 0.3 s$/],
    [(socket) => trickle(socket, "HTTP/1.1"), /no answer|Parse Error|Expected/],
    [
      (socket) => {
        socket.write("HTTP/1.1 200 OK\r\n");
        trickle(socket, "X-A: b\r\n");
      },
      /^no answer within 0.3 s$/,
    ],
    [
      (socket) => {
        socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
        trickle(socket, "1\r\nx\r\n");
      },
      /^the answer did not end within 0.3 s$/,
    ],
    [
      (socket) => {
        trickle(socket, "HTTP/1.1 103 Early Hints\r\n\r\n");
      },
      /^no answer within 0.3 s$/,
    ],
  ];
  for (const [behave, expected] of behaviours) {
    const server = await rawServer(t, behave);
    assert.match((await senderFor(t, { timeoutMs: 300 })(server.url)).error!, expected);
  }
});

test("send() takes a flood's status and cuts the rest off", async (t) => {
  let written = 0;
  const server = await rawServer(t, (socket) => {
    socket.write("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    const chunk = `10000\r\n${"f".repeat(0x10000)}\r\n`;
    const flood = (): void => {
      while (!socket.destroyed) {
        written += chunk.length;
        if (!socket.write(chunk)) return;
      }
    };
    socket.on("drain", flood);
    flood();
  });
  const outcome = await senderFor(t)(server.url);
  assert.deepEqual([outcome.status, outcome.error], [200, null]);
  assert.equal(outcome.excerpt?.length, EXCERPT_LENGTH_MAX);
  assert.ok(written < 100 * RESPONSE_BYTES_MAX + 10_000_000, `${written} bytes were taken`);
});

test("send() bounds headers, and unpacks nothing", async (t) => {
  const many = await rawServer(t, (socket) => {
    socket.end(`HTTP/1.1 200 OK\r\n${"X-Filler: aaaaaaaaaaaaaaaaaaaa\r\n".repeat(10_000)}\r\n`);
  });
  assert.match((await senderFor(t)(many.url)).error!, /Header overflow|ECONNRESET|EPIPE/);
  const bomb = gzipSync(Buffer.alloc(50_000_000));
  const packed = await rawServer(t, (socket) => {
    socket.write(`HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: ${bomb.length}\r\n\r\n`);
    socket.write(bomb);
  });
  const outcome = await senderFor(t)(packed.url);
  assert.deepEqual([outcome.status, outcome.error], [200, null]);
  assert.ok((outcome.excerpt ?? "").length <= EXCERPT_LENGTH_MAX);
});

test("send() fails on a reset, on nonsense, on a closed port and on an answer that breaks off", async (t) => {
  const send = senderFor(t);
  const reset = await rawServer(t, (socket) => socket.resetAndDestroy());
  assert.match((await send(reset.url)).error!, /ECONNRESET|socket hang up/);
  const nonsense = await rawServer(t, (socket) => socket.end("220 smtp.example ESMTP\r\n"));
  assert.match((await send(nonsense.url)).error!, /Parse Error|Expected/);
  const silent = await rawServer(t, (socket) => socket.end());
  assert.match((await send(silent.url)).error!, /hang up|ECONNRESET/);
  const cut = await rawServer(t, (socket) => socket.end("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"));
  const outcome = await send(cut.url);
  assert.equal(outcome.status, 200);
  assert.match(outcome.error!, /broke off/);
  const other = "HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: other\r\n\r\n";
  const switching = await rawServer(t, (socket) => socket.write(other));
  assert.equal((await send(switching.url)).error, "answered 101");
  const { port } = await new Promise<AddressInfo>((resolve) => {
    const server = createServer().listen(0, "127.0.0.1", () => {
      const address = server.address() as AddressInfo;
      server.close(() => resolve(address));
    });
  });
  assert.match((await send(`http://127.0.0.1:${port}/`)).error!, /ECONNREFUSED/);
});

test("send() tries once more where a kept connection had been closed", async (t) => {
  const answer = "HTTP/1.1 204 No Content\r\n\r\n";
  const server = await rawServer(t, (socket, connection) => {
    socket.write(answer);
    // The first connection is taken again and reset at its second request.
    if (connection === 1) socket.once("data", () => socket.resetAndDestroy());
  });
  const send = senderFor(t);
  assert.equal((await send(server.url)).status, 204);
  await new Promise((resume) => setImmediate(resume));
  assert.equal((await send(server.url)).status, 204);
  assert.equal(server.connections(), 2);
});

test("send() stops when it is told to", async (t) => {
  const server = await rawServer(t, () => {});
  const stop = new AbortController();
  const outcome = senderFor(t)(server.url, stop.signal);
  stop.abort();
  assert.equal((await outcome).error, "stopped before an answer came");
});

const at = (address: string): ResolvedAddress => ({ address, family: address.includes(":") ? 6 : 4 });

test("send() checks the address at every connect: a name that changes its answer is refused", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  const answers = [
    [at("93.184.216.34")],
    [at("127.0.0.1")],
    [at("93.184.216.34"), at("127.0.0.1")],
    [at("::ffff:127.0.0.1")],
  ];
  const rules = createAddressRules([]);
  const rebinding: Resolve = async () => answers[0]!;
  // At registration the name looks public.
  const url = `http://rebind.example:${receiver.port}/hook`;
  assert.equal(await checkTarget(rules, rebinding, url), null);
  for (const answer of answers.slice(1)) {
    const outcome = await senderFor(t, { allow: [], resolve: async () => answer })(url);
    assert.equal(outcome.status, null);
    assert.match(outcome.error!, /^refused: "rebind.example" \(127.0.0.1\) is an address of this machine/);
  }
  assert.equal(receiver.received.length, 0);
});

test("send() refuses a name whose DNS server changes its answer after the registration", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  await using dns = await startDnsServer();
  const resolver = new Resolver();
  resolver.setServers([dns.address]);
  const resolve = createResolver(async (host) => (await resolver.resolve4(host)).map(at));
  const url = `http://rebind.example:${receiver.port}/hook`;
  dns.addresses = ["93.184.216.34"];
  assert.equal(await checkTarget(createAddressRules([]), resolve, url), null);
  for (const addresses of [["127.0.0.1"], ["93.184.216.34", "127.0.0.1"]]) {
    dns.addresses = addresses;
    const outcome = await senderFor(t, { allow: [], resolve })(url);
    assert.match(outcome.error!, /^refused: "rebind.example" \(127.0.0.1\) is an address of this machine/);
  }
  assert.equal(receiver.received.length, 0);
  assert.deepEqual(dns.asked, ["rebind.example", "rebind.example", "rebind.example"]);
  // The same way leads to the receiver where the owner allowed the name.
  assert.equal((await senderFor(t, { allow: ["rebind.example"], resolve })(url)).status, 204);
});

test("send() takes any certificate of the one host and port that may have any, and of no other", async (t) => {
  const servers = [1, 2].map(() =>
    createHttpsServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.writeHead(204).end()).listen(
      0,
      "127.0.0.1",
    ),
  );
  await Promise.all(servers.map((server) => once(server, "listening")));
  t.after(() => {
    for (const server of servers) server.close().closeAllConnections();
  });
  const [own, other] = servers.map((server) => `127.0.0.1:${(server.address() as AddressInfo).port}`);
  const send = senderFor(t, { unverifiedOrigin: own! });
  assert.equal((await send(`https://${own}/`)).status, 204);
  assert.match((await send(`https://${other}/`)).error!, /SELF_SIGNED_CERT.*NODE_EXTRA_CA_CERTS/);
  // A connection that was opened without a check serves nobody who checks.
  assert.match((await senderFor(t)(`https://${own}/`)).error!, /SELF_SIGNED_CERT/);
});

test("send() connects to exactly the address that was checked, under the name that was given", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  let asked = 0;
  const resolve: Resolve = async () => {
    asked++;
    // A second look would lead elsewhere, where nobody listens.
    return [at(asked === 1 ? "127.0.0.1" : "127.0.0.2")];
  };
  const send = senderFor(t, { allow: ["hook.example"], resolve });
  assert.equal((await send(`http://hook.example:${receiver.port}/`)).status, 204);
  assert.equal(asked, 1);
  assert.equal(receiver.received[0]!.headers.host, `hook.example:${receiver.port}`);
});

test("send() checks addresses in the URL itself, which no lookup sees", async (t) => {
  const receiver = await startReceiver();
  t.after(() => receiver.close());
  for (const host of ["127.0.0.1", "2130706433", "0x7f.1", "[::ffff:127.0.0.1]", "[::127.0.0.1]"]) {
    const outcome = await senderFor(t, { allow: [] })(`http://${host}:${receiver.port}/`);
    assert.match(outcome.error!, /^refused: /, host);
  }
  assert.equal(receiver.received.length, 0);
});

test("createResolver() asks once for all, and names that do not answer hold up no others", async () => {
  const waiting = new Map<string, () => void>();
  const asked: string[] = [];
  let time = 0;
  const resolve = createResolver(
    (host) => {
      asked.push(host);
      return new Promise((answer) => waiting.set(host, () => answer([at("93.184.216.34")])));
    },
    () => time,
  );
  const slow = ["slow1", "slow2"].map((host) => resolve(host));
  void resolve("slow1");
  assert.deepEqual(asked, ["slow1", "slow2"]);
  time = 10_000;
  for (const host of ["slow1", "slow2"]) waiting.get(host)!();
  await Promise.all(slow);
  // Both are known to be slow now, and share one place.
  void resolve("slow1");
  void resolve("slow2");
  const quick = resolve("quick");
  assert.deepEqual(asked.slice(2), ["slow1", "quick"]);
  waiting.get("quick")!();
  assert.equal((await quick)[0]!.address, "93.184.216.34");
});
