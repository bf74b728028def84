import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { fastify } from "fastify";
import { exchange } from "../testing/raw-http.ts";
import { BEGUN_MAX, boundUnanswered, WAITING_MAX } from "./unanswered.ts";

test("boundUnanswered() has some requests of a connection worked on at a time, and the others in their order", async (t) => {
  const app = fastify();
  t.after(() => app.close());
  boundUnanswered(app);
  app.setErrorHandler((error: Error, _request, reply) => reply.code(503).send(error.message));
  let [working, most] = [0, 0];
  app.get<{ Params: { readonly i: string } }>("/:i", async ({ params: { i } }) => {
    most = Math.max(most, ++working);
    await immediate();
    working--;
    return `<${i}>`;
  });
  const port = Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port);
  const all = BEGUN_MAX + WAITING_MAX;
  const request = (i: number, more = "") => `GET /${i} HTTP/1.1\r\nHost: localhost\r\n${more}\r\n`;
  const requests = Array.from({ length: all + 100 }, (_, i) => request(i)).join("");
  const answer = await exchange(port, requests + request(all + 100, "Connection: close\r\n"));
  assert.equal(most, BEGUN_MAX);
  const answered = [...answer.matchAll(/<(\d+)>/g)].map(([, i]) => Number(i));
  assert.deepEqual(
    answered.slice(0, all),
    Array.from({ length: all }, (_, i) => i),
  );
  const refused = answer.match(/1016 requests of this connection wait for their answers/g) ?? [];
  assert.ok(refused.length > 0);
  assert.equal(answered.length + refused.length, all + 101);
});
