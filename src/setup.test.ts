import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pipeline } from "node:stream";
import { type TestContext, test } from "node:test";
import { createServer } from "node:tls";
import { AppError } from "./domain/errors.ts";
import { HOME_ASSISTANT_FILE, readHomeAssistantFile } from "./home-assistant-file.ts";
import { silentLog } from "./lib/log.ts";
import { createSetup, type Restart, type SetupOptions } from "./setup.ts";
import { CERTIFICATE, KEY } from "./testing/certificate.ts";
import { createSimulatedHome } from "./testing/simulated-home/simulated-home.ts";

async function begin(
  t: TestContext,
  more: Partial<Omit<SetupOptions, "config">> & Partial<SetupOptions["config"]> = {},
) {
  const home = await createSimulatedHome({ port: 0, entities: 5, token: "right" });
  t.after(() => home.close());
  const dataDir = mkdtempSync(join(tmpdir(), "ha-ingestor-setup-"));
  t.after(() => rmSync(dataDir, { recursive: true, force: true }));
  const restarts: Restart[] = [];
  const { haUrl = null, haVerifySsl = true, haVerifySslSet = null, haSetBy = null, ...options } = more;
  const setup = createSetup({
    config: { dataDir, haUrl, haVerifySsl, haVerifySslSet, haSetBy },
    demo: null,
    isOfDemo: false,
    isConnected: () => false,
    isDiskFull: () => false,
    signal: new AbortController().signal,
    restart: (as) => restarts.push(as),
    log: silentLog(),
    ...options,
  });
  return { setup, dataDir, restarts, access: { url: home.url, token: "right", verifySsl: true } };
}

test("connect() keeps what lets us in, and starts again with it, once", async (t) => {
  const { setup, dataDir, restarts, access } = await begin(t);
  assert.deepEqual(setup.status(), { setBy: null, url: null, verifySsl: true, closed: null, demo: null });
  assert.equal((await setup.connect(access)).version, "2026.11.0");
  assert.deepEqual(readHomeAssistantFile(dataDir), access);
  assert.deepEqual(restarts, ["service"]);
  await assert.rejects(setup.connect(access), { code: "conflict", message: /starting again/ });
  assert.throws(() => setup.startDemo(), { code: "conflict", message: /starting again/ });
  assert.deepEqual(restarts, ["service"]);
});

test("connect() keeps nothing of what does not let us in", async (t) => {
  const { setup, dataDir, restarts, access } = await begin(t);
  for (const token of ["wrong", "Bearer right", ""]) {
    await assert.rejects(setup.connect({ ...access, token }), { code: "invalid", message: /HA_TOKEN/ });
  }
  await assert.rejects(setup.connect({ ...access, url: "http://127.0.0.1:1" }), { code: "unavailable" });
  assert.equal(existsSync(join(dataDir, HOME_ASSISTANT_FILE)), false);
  assert.deepEqual(restarts, []);
  await setup.connect(access);
});

test("connect() tries with what HA_VERIFY_SSL says, which counts when the program has started again", async (t) => {
  const set = await begin(t, { haVerifySslSet: true });
  const { port } = new URL(set.access.url);
  const server = createServer({ cert: CERTIFICATE, key: KEY }, (socket) => {
    const toHome = connect(Number(port), "127.0.0.1");
    pipeline(socket, toHome, socket, () => undefined);
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  t.after(() => server.close());
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  await assert.rejects(set.setup.connect({ ...set.access, url, verifySsl: false }), /set HA_VERIFY_SSL=false/);
  assert.deepEqual(set.restarts, []);
  const unset = await begin(t, { haVerifySslSet: false });
  await unset.setup.connect({ ...set.access, url, verifySsl: true });
  assert.deepEqual(readHomeAssistantFile(unset.dataDir), { url, token: "right", verifySsl: false });
});

test("connect() tries one at a time, and no demo starts meanwhile", async (t) => {
  const { setup, restarts, access } = await begin(t);
  const first = setup.connect(access);
  await assert.rejects(setup.connect(access), { code: "conflict", message: /one is being tried/ });
  assert.throws(() => setup.startDemo(), { code: "conflict", message: /is being tried/ });
  await first;
  assert.deepEqual(restarts, ["service"]);
});

test("connect() says what keeps it from writing, or from starting again", async (t) => {
  const unwritable = await begin(t);
  rmSync(unwritable.dataDir, { recursive: true });
  writeFileSync(unwritable.dataDir, "");
  await assert.rejects(unwritable.setup.connect(unwritable.access), {
    code: "unavailable",
    message: /^Cannot keep what was entered: /,
  });
  assert.deepEqual(unwritable.restarts, []);

  const restart = () => {
    throw new AppError("invalid", "The configuration has faults");
  };
  const faulty = await begin(t, { restart });
  await assert.rejects(faulty.setup.connect(faulty.access), { code: "invalid", message: /has faults/ });
  assert.equal(faulty.setup.status().closed, null);
});

test("nothing starts again on a full disk, where what runs could not begin either", async (t) => {
  const isDiskFull = () => true;
  const service = await begin(t, { isDiskFull });
  const cannot = {
    code: "unavailable",
    message: /^Cannot (take another|start|end) .*: there is no room to start again$/,
  };
  await assert.rejects(service.setup.connect(service.access), cannot);
  assert.equal(existsSync(join(service.dataDir, HOME_ASSISTANT_FILE)), false);
  assert.throws(() => service.setup.startDemo(), cannot);
  assert.equal(service.setup.status().closed, null);
  const demo = await begin(t, { demo: "dashboard", isDiskFull });
  assert.throws(() => demo.setup.endDemo(), cannot);
  assert.deepEqual([...service.restarts, ...demo.restarts], []);
});

test("no home can be entered where one is set elsewhere or connected, nor in a demo", async (t) => {
  const cases: [Parameters<typeof begin>[1], RegExp][] = [
    [{ haSetBy: "environment" }, /HA_URL and HA_TOKEN say/],
    [{ haSetBy: "supervisor" }, /The Supervisor says/],
    [{ haSetBy: "dashboard", isConnected: () => true }, /is connected/],
    [{ demo: "command" }, /npm start/],
    [{ demo: "dashboard" }, /end it first/],
    [{ isOfDemo: true }, /DATA_DIR is the demo's/],
  ];
  for (const [options, why] of cases) {
    const { setup, restarts, access } = await begin(t, options);
    assert.match(setup.status().closed ?? "", why);
    await assert.rejects(setup.connect(access), { code: "conflict", message: why });
    assert.throws(() => setup.startDemo(), { code: "conflict" });
    assert.deepEqual(restarts, []);
  }
  const { setup, restarts, access } = await begin(t, { haSetBy: "dashboard" });
  assert.throws(() => setup.startDemo(), { code: "conflict", message: /there is a Home Assistant/ });
  await setup.connect(access);
  assert.deepEqual(restarts, ["service"]);
});

test("a demo ends where it was started", async (t) => {
  const service = await begin(t);
  assert.throws(() => service.setup.endDemo(), { code: "conflict", message: /was not started/ });
  service.setup.startDemo();
  assert.deepEqual(service.restarts, ["demo"]);
  const demo = await begin(t, { demo: "dashboard" });
  demo.setup.endDemo();
  assert.throws(() => demo.setup.endDemo(), { code: "conflict", message: /starting again/ });
  assert.deepEqual(demo.restarts, ["service"]);
  const command = await begin(t, { demo: "command" });
  assert.throws(() => command.setup.endDemo(), { code: "conflict", message: /was not started/ });
});
