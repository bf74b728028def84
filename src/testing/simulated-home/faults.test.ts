import assert from "node:assert/strict";
import { test } from "node:test";
import { connectClient, type ProtocolClient } from "../protocol-client.ts";
import { createSimulatedHome, type SimulatedHome } from "./simulated-home.ts";

async function subscribed(home: SimulatedHome): Promise<ProtocolClient> {
  const client = await connectClient(home.url, home.token, { coalesce: true });
  await client.result("subscribe_events", { event_type: "state_changed" });
  return client;
}

test("slow client rule: 4,200 changes in one turn end every subscriber, none of them delivered", async () => {
  await using home = await createSimulatedHome();
  const fast = await subscribed(home);
  const idle = await connectClient(home.url, home.token);
  await home.burst(4200);
  assert.equal(await fast.closed, 1000);
  assert.equal(fast.events("state_changed").length, 0);
  assert.equal(home.stats.slowClients, 1);
  // Who subscribed to nothing has nothing waiting.
  assert.equal((await idle.command("ping")).type, "pong");
});

test("slow client rule: 4,000 changes in one turn are one array", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  const events = await home.burst(4000);
  await client.waitFor(() => client.events("state_changed").length === events);
  assert.equal(client.frames.at(-1), events);
});

test("slow client rule: who does not read is ended once too much waits, and reads what the socket held", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  client.socket.pause();
  while (home.stats.slowClients === 0) await home.burst(500, 1);
  client.socket.resume();
  assert.equal(await client.closed, 1000);
  const received = client.events("state_changed").length;
  assert.ok(received > 0 && received < home.stats.changes);
});

test("slow client rule: more than the peak for too long ends it too", async () => {
  await using home = await createSimulatedHome({ pendingMax: 1_000_000, pendingPeakMs: 20 });
  const client = await subscribed(home);
  client.socket.pause();
  while (home.stats.slowClients === 0) await home.burst(500, 1);
  client.socket.resume();
  assert.equal(await client.closed, 1000);
});

test("cutSockets() is a reset, without a close frame", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.cutSockets();
  assert.equal(await client.closed, 1006);
});

test("cutAt() cuts at a step of the protocol, as often as told", async () => {
  await using home = await createSimulatedHome();
  for (const step of ["connect", "auth"]) {
    home.cutAt(step);
    await assert.rejects(connectClient(home.url, home.token));
  }
  home.cutAt("get_states", 2);
  for (let i = 0; i < 2; i++) {
    const client = await connectClient(home.url, home.token);
    assert.equal((await client.command("get_config")).success, true);
    await assert.rejects(client.command("get_states"));
  }
  const client = await connectClient(home.url, home.token);
  assert.equal((await client.command("get_states")).success, true);
});

test("freeze() leaves sockets open and silent, thaw() goes on where it stopped", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.freeze();
  await home.burst(10);
  const late = connectClient(home.url, home.token);
  const pong = client.command("ping");
  // A second home answers meanwhile, so there was time for this one to answer.
  await using other = await createSimulatedHome();
  await (await connectClient(other.url, other.token)).command("get_states");
  assert.equal(client.events("state_changed").length, 0);
  home.thaw();
  assert.equal((await pong).type, "pong");
  assert.equal(client.events("state_changed").length, 10);
  assert.equal((await (await late).command("ping")).type, "pong");
});

test("refuseConnections() shuts the port and leaves the connections that stand", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  await home.refuseConnections(true);
  await assert.rejects(connectClient(home.url, home.token));
  assert.equal((await client.command("ping")).type, "pong");
  await home.refuseConnections(false);
  await connectClient(home.url, home.token);
});

test("rejectToken() closes who is in and refuses who comes", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.rejectToken();
  assert.equal(await client.closed, 1000);
  const refused = await connectClient(home.url, home.token);
  assert.equal(refused.messages.at(-1)?.type, "auth_invalid");
  home.rejectToken(false);
  assert.equal((await connectClient(home.url, home.token)).messages.at(-1)?.type, "auth_ok");
});

test("sendBrokenJson() sends a text frame that is no JSON", async () => {
  await using home = await createSimulatedHome();
  const client = await subscribed(home);
  home.sendBrokenJson();
  const broken = await client.waitFor((message) => message.type === "no JSON");
  assert.equal(broken.text, "{nonsense");
});

test("slowRegistries() lets other answers overtake the registries", async () => {
  await using home = await createSimulatedHome();
  const client = await connectClient(home.url, home.token);
  home.slowRegistries(30);
  const registry = client.command("config/entity_registry/list");
  await client.command("get_config");
  assert.equal(
    client.messages.some((message) => message.id === 1),
    false,
  );
  assert.equal((await registry).success, true);
});

test("close() ends a restart halfway, and the port stays shut", async () => {
  const home = await createSimulatedHome();
  const restart = home.restart({ downMs: 60_000, startingMs: 60_000 });
  await home.close();
  await restart;
  await assert.rejects(connectClient(home.url, home.token));
});
