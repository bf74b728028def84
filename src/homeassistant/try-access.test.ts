import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { type AddressInfo, createServer as createSilentServer } from "node:net";
import { type TestContext, test } from "node:test";
import { createSimulatedHome } from "../testing/simulated-home/simulated-home.ts";
import { NO_ANSWER, startScriptedHome } from "./scripted-home.ts";
import { tryAccess } from "./try-access.ts";

async function simulated(t: TestContext) {
  const home = await createSimulatedHome({ port: 0, entities: 5, token: "right", locationName: "Mühle" });
  t.after(() => home.close());
  return home;
}

test("tryAccess() tells what lets it in, and leaves", async (t) => {
  const home = await simulated(t);
  const found = await tryAccess({ url: home.url, token: "right", verifySsl: true });
  assert.deepEqual(found, { version: "2026.11.0", name: "Mühle", isAdmin: true });
});

test("tryAccess() rejects with `invalid` for a refused token and for what is no address", async (t) => {
  const home = await simulated(t);
  const attempt = (url: string, token: string) => tryAccess({ url, token, verifySsl: true });
  await assert.rejects(attempt(home.url, "s3cret"), {
    code: "invalid",
    message: /^(?!.*s3cret)Home Assistant refuses/,
  });
  await assert.rejects(attempt("ftp://home", "right"), { code: "invalid", message: /none of http, https/ });
});

test("tryAccess() rejects with `unavailable` where no Home Assistant answers, and does not try again", async (t) => {
  let requests = 0;
  const other = createServer((_request, response) => {
    requests++;
    response.writeHead(404).end();
  });
  await new Promise<void>((resolve) => other.listen(0, "127.0.0.1", resolve));
  t.after(() => other.close());
  const url = `http://127.0.0.1:${(other.address() as AddressInfo).port}`;
  await assert.rejects(tryAccess({ url, token: "right", verifySsl: true }), { code: "unavailable", message: /404/ });
  assert.equal(requests, 1);
});

test("tryAccess() ends at once when its signal aborts", async (t) => {
  const silent = createSilentServer().listen(0, "127.0.0.1");
  await once(silent, "listening");
  t.after(() => silent.close());
  const ending = new AbortController();
  silent.on("connection", () => ending.abort());
  const url = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const begun = performance.now();
  const attempt = tryAccess({ url, token: "right", verifySsl: true }, { signal: ending.signal });
  await assert.rejects(attempt, { code: "unavailable", message: "The program is stopping" });
  assert.ok(performance.now() - begun < 5_000);
});

test("tryAccess() ends where Home Assistant says nothing", async (t) => {
  const silent = await startScriptedHome({ greet: () => undefined });
  t.after(() => silent.close());
  const access = { url: silent.url, token: "good", verifySsl: true };
  await assert.rejects(tryAccess(access, { handshakeMs: 50 }), { code: "unavailable", message: /does not speak/ });
  const slow = await startScriptedHome({ answers: { get_config: NO_ANSWER } });
  t.after(() => slow.close());
  await assert.rejects(tryAccess({ ...access, url: slow.url }, { commandMs: 50 }), { code: "unavailable" });
});
