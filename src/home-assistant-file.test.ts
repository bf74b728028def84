import assert from "node:assert/strict";
import { chmodSync, mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { describeConfig, readConfig } from "./config.ts";
import { HOME_ASSISTANT_FILE, readHomeAssistantFile, writeHomeAssistantFile } from "./home-assistant-file.ts";

const ACCESS = { url: "https://home.example:8123", token: "s3cret", verifySsl: false };

function temporary(t: TestContext): string {
  const dir = mkdtempSync(join(tmpdir(), "ha-ingestor-file-"));
  t.after(() => rmSync(dir, { recursive: true, force: true }));
  return dir;
}

test("what was entered is read back, from a file that others cannot read", async (t) => {
  const dir = temporary(t);
  assert.equal(readHomeAssistantFile(dir), null);
  assert.equal(readHomeAssistantFile(join(dir, "none")), null);
  // What a crash left, readable for all.
  writeFileSync(join(dir, `${HOME_ASSISTANT_FILE}.part`), "{");
  chmodSync(join(dir, `${HOME_ASSISTANT_FILE}.part`), 0o644);
  await writeHomeAssistantFile(dir, ACCESS);
  assert.deepEqual(readHomeAssistantFile(dir), ACCESS);
  assert.deepEqual(readdirSync(dir), [HOME_ASSISTANT_FILE]);
  assert.equal(statSync(join(dir, HOME_ASSISTANT_FILE)).mode & 0o777, 0o600);
});

test("what cannot be written leaves nothing of the token behind", async (t) => {
  const dir = temporary(t);
  mkdirSync(join(dir, HOME_ASSISTANT_FILE));
  await assert.rejects(writeHomeAssistantFile(dir, ACCESS), { syscall: "rename" });
  assert.deepEqual(readdirSync(dir), [HOME_ASSISTANT_FILE]);
});

test("a file of other content is refused by name, without what is in it", (t) => {
  const dir = temporary(t);
  for (const content of ["", "null", "[]", '{"url":"http://s3cret"}', '{"url":1,"token":"s3cret","verify_ssl":true}']) {
    writeFileSync(join(dir, HOME_ASSISTANT_FILE), content);
    const expected = { code: "invalid", message: /^(?!.*s3cret)Cannot read ".*home-assistant\.json": .*delete it/s };
    assert.throws(() => readHomeAssistantFile(dir), expected);
    assert.throws(() => readConfig({}, { dataDir: dir }), { code: "invalid", message: /home-assistant\.json/ });
  }
});

test("readConfig() takes what was entered where the environment names no Home Assistant", async (t) => {
  const dir = temporary(t);
  await writeHomeAssistantFile(dir, ACCESS);
  const read = (environment: Record<string, string>) => readConfig(environment, { dataDir: dir });
  const config = read({});
  assert.deepEqual([config.haUrl, config.haToken, config.haVerifySsl], [ACCESS.url, "s3cret", false]);
  assert.deepEqual([config.haSetBy, config.haOrigin], ["dashboard", "home.example:8123"]);
  assert.doesNotMatch(describeConfig(config), /s3cret/);
  assert.equal(config.haVerifySslSet, null);
  const set = read({ HA_VERIFY_SSL: "true" });
  assert.deepEqual([set.haVerifySsl, set.haVerifySslSet], [true, true]);

  const environment = read({ HA_URL: "http://other:8123", HA_TOKEN: "x" });
  assert.deepEqual([environment.haUrl, environment.haToken, environment.haVerifySsl], ["http://other:8123", "x", true]);
  assert.equal(environment.haSetBy, "environment");
  assert.match(environment.notes.join("\n"), /home-assistant\.json has no effect: HA_URL says/);
  const supervised = read({ SUPERVISOR_TOKEN: "x" });
  assert.deepEqual([supervised.haSetBy, supervised.haToken, supervised.ingress], ["supervisor", "x", "172.30.32.2"]);
  assert.equal(config.ingress, null);
  assert.equal(readConfig({}, { dataDir: join(dir, "none") }).haSetBy, null);
});
