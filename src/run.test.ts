import assert from "node:assert/strict";
import { once } from "node:events";
import { existsSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { run, temporary } from "./testing/program.ts";
import { createSimulatedHome } from "./testing/simulated-home/simulated-home.ts";

/** A program without a Home Assistant, and one that it does not know of yet. */
async function begin(t: TestContext, environment: Record<string, string> = {}) {
  const dir = temporary(t);
  const home = await createSimulatedHome({ port: 0, entities: 20, token: "right" });
  t.after(() => home.close());
  const program = run(t, dir, environment);
  await program.until('"api":"sports"');
  const port = /"api":"data".*?"port":(\d+)/.exec(program.told.said)?.[1];
  const headers: Record<string, string> = {};
  const ask = async (method: string, path: string, body?: object) => {
    const answer = await fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { ...headers, ...(body && { "content-type": "application/json" }) },
      ...(body && { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    return { status: answer.status, body: text && JSON.parse(text) };
  };
  /** Comes back once the program answers so; while it starts again it does not answer at all. */
  const awaitAnswer = async (path: string, fits: (body: Record<string, unknown>) => boolean) => {
    for (;;) {
      const { body } = await ask("GET", path).catch(() => ({ body: undefined }));
      if (body && fits(body)) return body;
      if (program.child.exitCode !== null) throw new Error(`The program ended:\n${program.told.said}`);
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  return { ...program, dir, home, headers, ask, awaitAnswer };
}

test("a Home Assistant that is entered is recorded at once, at the same port, and after a restart", async (t) => {
  const { home, ask, awaitAnswer, child, ended, told, dir } = await begin(t, { DATA_DIR: "data" });
  const access = { url: ` ${home.url} `, token: "right" };
  const { status, body } = await ask("POST", "/api/v1/setup/home-assistant", access);
  assert.deepEqual([status, body.version, body.is_admin], [200, "2026.11.0", true]);
  await awaitAnswer("/ready", ({ status: ready }) => ready === "ready");
  const setup = (await ask("GET", "/api/v1/setup")).body;
  assert.deepEqual([setup.set_by, setup.url, setup.is_open, setup.demo], ["dashboard", home.url, false, null]);
  assert.ok((await ask("GET", "/api/entities")).body.total >= 20);
  assert.equal((await ask("POST", "/api/v1/setup/home-assistant", access)).status, 409);
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], told.said);

  const again = run(t, dir, { DATA_DIR: "data" });
  await again.until("Connected to Home Assistant");
  assert.doesNotMatch(told.said + again.told.said, /right/);
});

test("the demo takes the service's place for a while, with data of its own, and ends as any run", async (t) => {
  // The token that was generated opens both.
  const { headers, ask, awaitAnswer, child, ended, told, dir } = await begin(t, { DATA_DIR: "data", HOST: "0.0.0.0" });
  headers.authorization = `Bearer ${readFileSync(join(dir, "data/api-token"), "utf8").trim()}`;
  assert.equal((await ask("POST", "/api/v1/setup/demo")).status, 202);
  await awaitAnswer("/health", (body) => body.demo === true);
  await awaitAnswer("/ready", ({ status }) => status === "ready");
  assert.ok(existsSync(join(dir, "data/data-demo/metadata.db")));
  assert.equal((await ask("DELETE", "/api/v1/setup/demo")).status, 202);
  const body = await awaitAnswer("/api/v1/setup", ({ demo }) => demo === null);
  assert.equal(body.is_open, true);
  assert.equal((await ask("GET", "/api/entities")).body.total, 0);
  assert.equal((await ask("POST", "/api/v1/setup/demo")).status, 202);
  await awaitAnswer("/api/v1/setup", ({ demo }) => demo === "dashboard");
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], told.said);
});

/** Whether this user can listen there, and nobody does. */
async function isFree(port: number): Promise<boolean> {
  const server = createServer().listen(port, "127.0.0.1");
  const isListening = await once(server, "listening").then(
    () => true,
    () => false,
  );
  server.close();
  return isListening;
}

test("a program at port 80, which addresses leave out, starts again there", async (t) => {
  if (!(await isFree(80))) return t.skip("port 80 is not to be had here");
  const { ask, awaitAnswer } = await begin(t, { DATA_DIR: "data", DATA_API_PORT: "80" });
  assert.equal((await ask("POST", "/api/v1/setup/demo")).status, 202);
  await awaitAnswer("/api/v1/setup", ({ demo }) => demo === "dashboard");
});

test("where the demo cannot begin, the program goes on as it was, says why, and begins it later", async (t) => {
  const { ask, awaitAnswer, child, ended, told, dir } = await begin(t, { DATA_DIR: "data" });
  const inTheWay = join(dir, "data/data-demo");
  writeFileSync(inTheWay, "");
  assert.equal((await ask("POST", "/api/v1/setup/demo")).status, 202);
  const { notes } = await awaitAnswer("/ready", (body) => String(body.notes) !== "");
  assert.match(String(notes), /^The program goes on as it was: Cannot write to the directory ".*data-demo"/);
  assert.equal((await ask("GET", "/api/v1/setup")).body.is_open, true);
  rmSync(inTheWay);
  assert.equal((await ask("POST", "/api/v1/setup/demo")).status, 202);
  await awaitAnswer("/api/v1/setup", ({ demo }) => demo === "dashboard");
  assert.deepEqual(
    (await ask("GET", "/ready")).body.notes.filter((note: string) => note.includes("goes on")),
    [],
  );
  child.kill("SIGTERM");
  assert.deepEqual(await ended, [0, null], told.said);
});

test("a configuration that became faulty meanwhile is told, and the program goes on as it is", async (t) => {
  const { ask, home, dir } = await begin(t, { DATA_DIR: "data" });
  writeFileSync(join(dir, "data/ha-ingestor.yaml"), "filters: {}\n");
  const { status, body } = await ask("POST", "/api/v1/setup/home-assistant", { url: home.url, token: "right" });
  assert.equal(status, 400);
  assert.match(body.message, /unknown section "filters"/);
  assert.equal((await ask("GET", "/api/v1/setup")).body.is_open, true);
});
