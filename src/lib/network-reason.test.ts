import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer as createHttpServer } from "node:http";
import { createServer as createHttpsServer } from "node:https";
import type { AddressInfo } from "node:net";
import { type TestContext, test } from "node:test";
import { CERTIFICATE, KEY } from "../testing/certificate.ts";
import { networkReason } from "./network-reason.ts";

/** The failure of a request to what this server is asked for as. */
async function failureOf(t: TestContext, server: ReturnType<typeof createHttpServer>, scheme: string) {
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close().closeAllConnections());
  const url = `${scheme}://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  return fetch(url).then(
    () => assert.fail("it answered"),
    (error: Error) => error,
  );
}

test("networkReason() says how a certificate of one's own is made known", async (t) => {
  const server = createHttpsServer({ key: KEY, cert: CERTIFICATE }, (_request, response) => response.end());
  const error = await failureOf(t, server, "https");
  assert.equal(
    networkReason(error),
    "its certificate is not trusted (DEPTH_ZERO_SELF_SIGNED_CERT); " +
      "NODE_EXTRA_CA_CERTS may name the file of an authority of your own",
  );
});

test("networkReason() blames no certificate where the other side speaks no TLS", async (t) => {
  const error = await failureOf(t, createHttpServer(), "https");
  assert.doesNotMatch(networkReason(error), /certificate|fetch failed/);
});

test("networkReason() tells what fetch hides in a cause, and what failed without one", () => {
  const refused = Object.assign(new Error("connect ECONNREFUSED 192.0.2.1:80"), { code: "ECONNREFUSED" });
  assert.equal(networkReason(new TypeError("fetch failed", { cause: refused })), refused.message);
  assert.equal(networkReason(new TypeError("fetch failed", { cause: new AggregateError([refused]) })), refused.message);
  assert.equal(networkReason(refused), refused.message);
  assert.equal(networkReason(Object.assign(new Error(""), { code: "EPIPE" })), "EPIPE");
  assert.equal(networkReason("a text"), "a text");
});
