import assert from "node:assert/strict";
import { once } from "node:events";
import { type AddressInfo, connect } from "node:net";
import { type TestContext, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import Fastify from "fastify";
import { keepPendingAnswers } from "./pending-answers.ts";

const IDLE_MS = 200;
/** More than the system takes for whoever does not read. */
const LONG = "x".repeat(32 * 1024 * 1024);

async function listening(t: TestContext, connectionTimeout: number) {
  const app = Fastify({ connectionTimeout, forceCloseConnections: true });
  keepPendingAnswers(app);
  app.get("/slow", async ({ raw: { socket } }) => {
    // As Node does where nothing has moved for so long.
    socket.emit("timeout");
    return "done";
  });
  app.get("/long", async () => LONG);
  await app.listen({ host: "127.0.0.1", port: 0 });
  t.after(() => app.close());
  return { server: app.server, port: (app.server.address() as AddressInfo).port };
}

test("keepPendingAnswers() keeps a connection whose answer takes longer than one may be idle", async (t) => {
  const { port } = await listening(t, 0);
  const answer = await fetch(`http://127.0.0.1:${port}/slow`);
  assert.equal(await answer.text(), "done");
});

test("keepPendingAnswers() cuts off who does not read an answer, or says nothing", async (t) => {
  const { port, server } = await listening(t, IDLE_MS);
  const held = () => new Promise<number>((resolve) => server.getConnections((_, count) => resolve(count)));
  for (const request of ["GET /long HTTP/1.1\r\nHost: localhost\r\n\r\n", ""]) {
    const accepted = once(server, "connection");
    const socket = connect(port, "127.0.0.1").pause();
    t.after(() => socket.destroy());
    socket.on("error", () => undefined);
    socket.write(request);
    await accepted;
    while ((await held()) > 0) await sleep(IDLE_MS / 10);
    const closed = new Promise((resolve) => socket.once("close", resolve));
    let received = 0;
    socket.on("data", (part) => (received += part.length)).resume();
    await closed;
    assert.ok(received < LONG.length);
  }
});
