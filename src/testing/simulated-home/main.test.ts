import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { test } from "node:test";
import { startDemoHome } from "../demo-home.ts";
import { connectClient, type Message } from "../protocol-client.ts";

test("main.ts answers each command on its input by one line, and ends with its input", async () => {
  const folder = mkdtempSync(join(tmpdir(), "simulated-home-"));
  const flags = ["--entities", "500", "--token", "secret", "--seed", "3", "--version", "2024.3.3"];
  const child = spawn(process.execPath, [join(import.meta.dirname, "main.ts"), ...flags], {
    stdio: ["pipe", "pipe", "inherit"],
  });
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<Message> => JSON.parse((await lines.next()).value as string) as Message;
  const command = (fields: Message): Promise<Message> => {
    child.stdin.write(`${JSON.stringify(fields)}\n`);
    return read();
  };

  const { url, token, pid } = await read();
  assert.deepEqual([token, pid], ["secret", child.pid]);
  const client = await connectClient(String(url), "secret");
  assert.equal(client.messages[0]?.ha_version, "2024.3.3");
  assert.deepEqual(await command({ do: "burst", count: 1000 }), { ok: true, changes: 1000 });
  const file = join(folder, "truth.jsonl");
  const { rows } = await command({ do: "truth", file });
  assert.equal(readFileSync(file, "utf8").trim().split("\n").length, rows);
  assert.deepEqual(await command({ do: "rename", entityId: "sensor.nothing", newEntityId: "sensor.b" }), {
    ok: false,
    error: "Entity not found",
  });
  assert.deepEqual(await command({ do: "burst" }), { ok: false, error: '"count" must be a number' });
  child.stdin.end();
  const [code] = await once(child, "exit");
  assert.equal(code, 0);
  rmSync(folder, { recursive: true });
});

test("startDemoHome() moves by itself and says that it is simulated", async () => {
  const demo = await startDemoHome();
  const client = await connectClient(demo.url, demo.token);
  assert.equal((await client.result<Message>("get_config")).location_name, "Demo home (simulated)");
  await client.result("subscribe_events", { event_type: "state_changed" });
  await client.waitFor((message) => message.type === "event");
  await demo.close();
  await client.closed;
});
