import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { type TestContext, test } from "node:test";
import { type Config, readConfig } from "../config.ts";
import { askService } from "./service.ts";

const REQUEST = { task: "seal", path: "/internal/seal", holder: "It is in use" };

/** As a service that listens there would be told; null where nothing can be listened on. */
async function configOf(t: TestContext, host: string, port: number, answer: string): Promise<Config | null> {
  const server = createServer((request, response) => {
    assert.deepEqual([request.method, request.url], ["POST", REQUEST.path]);
    if (answer === "") return void request.socket.destroy();
    response.writeHead(answer === "refused" ? 503 : 200).end(answer === "refused" ? '{"message":"No room"}' : answer);
  });
  t.after(() => server.close());
  const listening = once(server.listen(port, host), "listening").catch(() => null);
  if ((await listening) === null) return null;
  const environment = { HOST: host, DATA_API_PORT: String((server.address() as AddressInfo).port) };
  return readConfig(environment, { dataDir: tmpdir() });
}

for (const [what, host, port] of [
  ["this machine", "127.0.0.1", 0],
  ["an address of IPv6 that is not loopback's own", "::ffff:127.0.0.1", 0],
  ["a port at which no browser asks", "127.0.0.1", 10_080],
] as const) {
  test(`askService() asks ${what}`, async (t) => {
    const config = await configOf(t, host, port, '{"samples":3}');
    if (config === null) return t.skip(`${host}:${port} is not to be had here`);
    assert.deepEqual(await askService(config, REQUEST), { samples: 3 });
  });
}

test("askService() says why there is no answer", async (t) => {
  const refused = await configOf(t, "127.0.0.1", 0, "refused");
  await assert.rejects(askService(refused!, REQUEST), {
    code: "unavailable",
    message: /^Cannot seal: It is .*: No room$/,
  });
  const other = await configOf(t, "127.0.0.1", 0, "<html>");
  await assert.rejects(askService(other!, REQUEST), /status 200$/);
  const ended = await configOf(t, "127.0.0.1", 0, "");
  await assert.rejects(askService(ended!, REQUEST), /failed: it ended before it answered$/);
  const nobody = readConfig({ DATA_API_PORT: "1" }, { dataDir: tmpdir() });
  await assert.rejects(
    askService(nobody, REQUEST),
    /ECONNREFUSED.*; HOST and DATA_API_PORT must be those of the service$/,
  );
});
