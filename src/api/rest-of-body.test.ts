import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { boundRestOfBody } from "./rest-of-body.ts";

const MILLISECONDS = 300;
const HEAD = "POST /refused HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
const CHUNK = "4\r\nmore\r\n";
const END = "0\r\n\r\n";

async function connected(t: { after(end: () => unknown): void }) {
  const app = Fastify();
  boundRestOfBody(app, MILLISECONDS);
  app.addHook("onRequest", async (_request, reply) => reply.code(403).send("refused"));
  app.post("/refused", async () => "taken");
  await app.listen({ host: "127.0.0.1", port: 0 });
  const socket = connect((app.server.address() as AddressInfo).port, "127.0.0.1");
  t.after(() => socket.destroy());
  t.after(() => app.close());
  // It may be cut off while something is on its way.
  socket.on("error", () => undefined);
  socket.write(HEAD);
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 403 /);
  return socket;
}

test("boundRestOfBody() cuts off who goes on sending after the answer", async (t) => {
  const socket = await connected(t);
  const sending = setInterval(() => socket.write(CHUNK), MILLISECONDS / 10);
  t.after(() => clearInterval(sending));
  // Not by once(), for which the reset that may come of it is a failure.
  await new Promise((resolve) => socket.once("close", resolve));
});

test("boundRestOfBody() leaves a connection alone on which the rest came in time", async (t) => {
  const socket = await connected(t);
  socket.write(CHUNK + END);
  await sleep(MILLISECONDS * 2);
  socket.write(HEAD + END);
  const [answer] = await once(socket, "data");
  assert.match(String(answer), /^HTTP\/1\.1 403 /);
});
