import assert from "node:assert/strict";
import { rmSync, statSync } from "node:fs";
import type { ServerResponse } from "node:http";
import { type TestContext, test } from "node:test";
import type { AppError } from "../domain/errors.ts";
import type { ResolvedAddress } from "./address-rules.ts";
import { WAITING_ALWAYS, WAITING_MAX } from "./deliveries.ts";
import {
  type CommandSettings,
  createTestClock,
  openCommands,
  type Receiver,
  removeDirectory,
  SECRET,
  scoreEvent,
  startReceiver,
  temporaryDirectory,
  until,
} from "./testing.ts";

interface Setup {
  readonly directory: string;
  readonly receiver: Receiver;
}

async function setup(t: TestContext): Promise<Setup> {
  const directory = temporaryDirectory();
  const receiver = await startReceiver();
  t.after(async () => {
    await receiver.close();
    removeDirectory(directory);
  });
  return { directory, receiver };
}

const open = ({ directory }: Setup, more: Partial<CommandSettings> = {}) => openCommands({ directory, ...more });
const GAMES = ["score_changed"];

test("an event reaches the webhook that asks for it, as Standard Webhooks and the original have it", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({
    url: place.receiver.url,
    events: GAMES,
    secret: SECRET,
    team: "SF",
  });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await place.receiver.has(1);
  const { headers, json } = place.receiver.received[0]!;
  assert.equal(headers["content-type"], "application/json");
  assert.equal(headers["user-agent"], "HA-Ingestor/test");
  assert.equal(headers["webhook-id"], json.id);
  assert.equal(headers["x-webhook-event"], "score_changed");
  assert.equal(headers["x-webhook-id"], webhook.id);
  assert.equal(headers["x-webhook-timestamp"], json.timestamp);
  assert.deepEqual(
    { ...json, id: "…" },
    {
      event: "score_changed",
      event_type: "score_changed",
      game_id: "1",
      league: "NFL",
      home_team: "sf",
      away_team: "dal",
      score: { home: 7, away: 0 },
      timestamp: "2026-11-24T12:00:00.000007Z",
      id: "…",
      type: "score.changed",
      sequence: 1,
      data: { home: 7 },
    },
  );
  await until(() => webhooks.commands.get(webhook.id).total_calls === 1);
  const { rows } = webhooks.commands.deliveries({ webhookId: webhook.id, limit: 10 });
  assert.deepEqual(
    rows.map(({ state, attempts }) => [state, attempts.map(({ status }) => status)]),
    [["delivered", [204]]],
  );
});

test("a failed delivery is tried again after a restart: same id and body, new timestamp and signature", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end("out of order");
  {
    await using webhooks = open(place, { clock });
    const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
    await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
    await until(() => webhooks.commands.get(webhook.id).failed_calls === 1);
    assert.deepEqual(clock.waits(), [5_000]);
  }
  place.receiver.answer = (_request, response) => response.writeHead(200).end();
  const later = createTestClock(clock.now() + 4_000);
  await using webhooks = open(place, { clock: later });
  assert.deepEqual(later.waits(), [1_000], "the rest of the wait");
  later.advance(1_000);
  await place.receiver.has(2);
  const [first, second] = place.receiver.received;
  assert.equal(second!.body, first!.body);
  assert.equal(second!.headers["webhook-id"], first!.headers["webhook-id"]);
  assert.equal(Number(second!.headers["webhook-timestamp"]) - Number(first!.headers["webhook-timestamp"]), 5);
  assert.notEqual(second!.headers["webhook-signature"], first!.headers["webhook-signature"]);
  assert.equal(second!.headers["x-webhook-signature"], first!.headers["x-webhook-signature"]);
  await until(() => webhooks.commands.status(null).waiting === 0);
  const [row] = webhooks.commands.deliveries({ webhookId: null, limit: 10 }).rows;
  assert.deepEqual(
    [row!.state, row!.attempts.map(({ number, status }) => [number, status])],
    [
      "delivered",
      [
        [1, 500],
        [2, 200],
      ],
    ],
  );
  assert.equal(row!.attempts[0]!.response_excerpt, "out of order");
});

test("a delivery that the disk cannot read for the moment is a failed attempt like any other", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock, retrySeconds: [5, 5, 5] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await until(() => clock.waits().length === 1);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  webhooks.database.exec("ALTER TABLE events RENAME TO out_of_reach");
  clock.advance(5_000);
  await until(() => webhooks.commands.get(webhook.id).failed_calls === 2 && clock.waits().length === 1);
  webhooks.database.exec("ALTER TABLE out_of_reach RENAME TO events");
  assert.match(webhooks.commands.delivery(1).error!, /^cannot be read: /);
  clock.advance(5_000);
  await until(() => webhooks.commands.delivery(1).state === "delivered");
});

test("a clock that was set back while the program was stopped makes no wait longer than it was", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  {
    await using webhooks = open(place, { clock });
    await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
    await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
    await until(() => clock.waits().length === 1);
  }
  const back = createTestClock(clock.now() - 10 * 365 * 86_400_000);
  await using _ = open(place, { clock: back });
  assert.deepEqual(back.waits(), [5_000]);
});

test("a step of the clock does not move a wait that is under way", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock });
  await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await until(() => clock.waits().length === 1);
  clock.step(-3_600_000);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  clock.advance(5_000);
  await place.receiver.has(2);
});

test("events of one game wait for each other, those of another game do not", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  let refused = 0;
  place.receiver.answer = ({ json }, response) => {
    const fails = json.game_id === "1" && refused < 3;
    if (fails) refused++;
    response.writeHead(fails ? 503 : 204).end();
  };
  await using webhooks = open(place, { clock, retrySeconds: [5, 5, 5, 5] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 3), scoreEvent("1", 6), scoreEvent("2", 7)] });
  for (let failures = 1; failures <= 3; failures++) {
    await until(() => webhooks.commands.get(webhook.id).failed_calls === failures && clock.waits().length === 1);
    clock.advance(5_000);
  }
  await until(() => webhooks.commands.status(null).waiting === 0);
  const seen = (game: string) =>
    place.receiver.received.filter(({ json }) => json.game_id === game).map(({ json }) => json.sequence);
  assert.deepEqual(seen("1"), [1, 1, 1, 1, 2]);
  assert.deepEqual(seen("2"), [3]);
});

test("what is on hold waits in its order, counts no attempts, says why, and outlives a restart", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  const held = { origin: `127.0.0.1:${place.receiver.port}`, reason: "it is starting" };
  {
    await using webhooks = open(place, { held });
    const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
    await webhooks.commands.register({ url: other.url, events: GAMES, secret: SECRET });
    await webhooks.commands.commit({ events: [scoreEvent("1", 7), scoreEvent("1", 14), scoreEvent("2", 3)] });
    await other.has(3);
    assert.equal(webhooks.commands.get(webhook.id).on_hold, "it is starting");
    assert.equal(webhooks.commands.list(null).filter(({ on_hold }) => on_hold !== null).length, 1);
    assert.equal(webhooks.commands.status(null).onHold, 1);
    const { rows } = webhooks.commands.deliveries({ webhookId: webhook.id, limit: 10 });
    assert.deepEqual(
      rows.map(({ state, attempts }) => [state, attempts.length]),
      Array.from({ length: 3 }, () => ["waiting", 0]),
    );
  }
  await using webhooks = open(place, { held });
  // Another reason is still a reason.
  webhooks.commands.hold({ ...held, reason: "it is starting still" });
  await webhooks.commands.commit({ events: [scoreEvent("1", 21)] });
  await other.has(4);
  assert.equal(place.receiver.received.length, 0);
  webhooks.commands.hold(null);
  await place.receiver.has(4);
  const scores = place.receiver.received.filter(({ json }) => json.game_id === "1").map(({ json }) => json.score);
  assert.deepEqual(
    scores,
    [7, 14, 21].map((home) => ({ home, away: 0 })),
  );
  assert.equal(webhooks.commands.status(null).onHold, 0);
  await until(() => webhooks.commands.status(null).waiting === 0);
  const { rows } = webhooks.commands.deliveries({ webhookId: null, limit: 10 });
  assert.deepEqual(new Set(rows.map(({ attempts }) => attempts.length)), new Set([1]));
});

test("a retry that falls due while its receiver is on hold leaves when the hold ends", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(502).end();
  await using webhooks = open(place, { clock });
  await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await until(() => clock.waits().length === 1);
  webhooks.commands.hold({ origin: `127.0.0.1:${place.receiver.port}`, reason: "it is starting" });
  clock.advance(3_600_000);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  assert.equal(place.receiver.received.length, 1);
  webhooks.commands.hold(null);
  await place.receiver.has(2);
});

test("an event that is told twice with one key is stored and sent once", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)], games: [{ id: "nfl:1", json: "a" }] });
  await webhooks.commands.commit({
    events: [scoreEvent("1", 7), scoreEvent("1", 8)],
    games: [{ id: "nfl:1", json: "b" }],
  });
  await until(() => webhooks.commands.status(null).waiting === 0);
  assert.deepEqual(
    place.receiver.received.map(({ json }) => json.sequence),
    [1, 2],
  );
  assert.deepEqual(webhooks.commands.storedGames(null), [{ id: "nfl:1", json: "b" }]);
});

test("410 gives up the delivery, disables the webhook and tells the others", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  place.receiver.answer = (_request, response) => response.writeHead(410).end();
  await using webhooks = open(place);
  const asked = { url: `${place.receiver.url}?key=secret`, events: GAMES, secret: SECRET };
  const { webhook } = await webhooks.commands.register({ ...asked, description: "the hall's lamp" });
  await webhooks.commands.register({ url: other.url, events: ["webhook_*"], secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await other.has(1);
  assert.equal(other.received[0]!.json.type, "webhook.disabled");
  assert.deepEqual(other.received[0]!.json.data, {
    webhook_id: webhook.id,
    url: `http://127.0.0.1:${place.receiver.port}`,
    description: "the hall's lamp",
    reason: "its receiver answered 410: gone for good",
  });
  const row = webhooks.commands.get(webhook.id);
  assert.deepEqual([row.enabled, row.disabled_reason], [false, "its receiver answered 410: gone for good"]);
  assert.equal(webhooks.commands.deliveries({ webhookId: webhook.id, state: "failed", limit: 1 }).total, 1);
  assert.match(webhooks.warnings[0]!, /was disabled/);
});

test("lasting failure disables a webhook, a failure now and then does not", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock, retrySeconds: [] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const fail = async (home: number): Promise<void> => {
    const before = webhooks.commands.get(webhook.id).failed_calls;
    await webhooks.commands.commit({ events: [scoreEvent("1", home)] });
    await until(() => webhooks.commands.get(webhook.id).failed_calls > before);
  };
  assert.equal(webhooks.commands.get(webhook.id).last_error, null);
  await fail(1);
  assert.match(webhooks.commands.get(webhook.id).last_error ?? "", /500/);
  clock.step(4 * 86_400_000);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  await webhooks.commands.commit({ events: [scoreEvent("1", 2)] });
  await until(() => webhooks.commands.get(webhook.id).total_calls === 1);
  assert.equal(webhooks.commands.get(webhook.id).failing_since, null);
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await fail(3);
  clock.step(4 * 86_400_000);
  await fail(4);
  assert.equal(webhooks.commands.get(webhook.id).enabled, true);
  clock.step(86_400_000);
  await fail(5);
  const { enabled, disabled_reason } = webhooks.commands.get(webhook.id);
  assert.equal(enabled, false);
  assert.match(disabled_reason!, /nothing has arrived since 2026-11-28/);
});

test("a disabled webhook gets nothing; a replay of the time brings what it missed, in order", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: false });
  await webhooks.commands.commit({ events: [scoreEvent("1", 1), scoreEvent("1", 2), scoreEvent("1", 3)] });
  assert.equal(webhooks.commands.get(webhook.id).waiting, 0);
  const start = scoreEvent("1", 2).at;
  const span = { id: webhook.id, start, end: start + 10, onlyFailed: false };
  await assert.rejects(webhooks.commands.replaySpan(span), (error: AppError) => error.code === "conflict");
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: true });
  assert.equal(await webhooks.commands.replaySpan(span), 2);
  await until(() => webhooks.commands.status(null).waiting === 0);
  assert.deepEqual(
    place.receiver.received.map(({ json }) => json.sequence),
    [2, 3],
  );
  assert.equal(await webhooks.commands.replaySpan({ ...span, onlyFailed: true }), 0);
});

test("a replay that is asked for twice in one moment sends each event once", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: false });
  await webhooks.commands.commit({ events: [scoreEvent("1", 1), scoreEvent("1", 2)] });
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: true });
  const span = { id: webhook.id, start: 0, end: Number.MAX_SAFE_INTEGER, onlyFailed: true };
  const replay = () => webhooks.commands.replaySpan(span);
  assert.deepEqual(await Promise.all([replay(), replay()]), [2, 0]);
  await until(() => webhooks.commands.status(null).waiting === 0);
  assert.deepEqual(
    place.receiver.received.map(({ json }) => json.sequence),
    [1, 2],
  );
});

test("what waits for another attempt is tried at once where its webhook is enabled, or gets another address", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock, retrySeconds: [3_600, 3_600, 3_600] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 1), scoreEvent("1", 2), scoreEvent("2", 3)] });
  await until(() => clock.waits().length === 2);
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: false });
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: true });
  await until(() => webhooks.commands.get(webhook.id).failed_calls === 4 && clock.waits().length === 2);
  await webhooks.commands.update({ id: webhook.id, change: { url: other.url } });
  await until(() => webhooks.commands.status(null).waiting === 0);
  assert.deepEqual(clock.waits(), []);
  assert.deepEqual(other.received.map(({ json }) => json.sequence).toSorted(), [1, 2, 3]);
});

for (const [status, headers] of [
  [500, {}],
  [503, { "retry-after": "3600" }],
  [410, {}],
] as const) {
  test(`a late ${status} of an address that a webhook has left says nothing of its new one`, async (t) => {
    const place = await setup(t);
    const other = await startReceiver();
    t.after(() => other.close());
    const clock = createTestClock();
    let held: ServerResponse | undefined;
    place.receiver.answer = (_request, response) => {
      held = response;
    };
    await using webhooks = open(place, { clock, retrySeconds: [3_600] });
    const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
    await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
    await until(() => held !== undefined);
    await webhooks.commands.update({ id: webhook.id, change: { url: other.url } });
    held!.writeHead(status, headers).end();
    await until(() => webhooks.commands.get(webhook.id).failed_calls === 1);
    clock.advance(1);
    await until(() => other.received.length === 1 || clock.waits().length > 0 || webhooks.warnings.length > 0);
    const { enabled, on_hold } = webhooks.commands.get(webhook.id);
    assert.deepEqual([other.received.length, enabled, on_hold], [1, true, null]);
  });
}

test("failures at an address that a webhook has left do not count against its new one", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  other.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock, retrySeconds: [] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const failed = () => webhooks.commands.get(webhook.id).failed_calls;
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  await until(() => failed() === 1);
  clock.step(6 * 86_400_000);
  await webhooks.commands.update({ id: webhook.id, change: { url: other.url } });
  await webhooks.commands.commit({ events: [scoreEvent("1", 2)] });
  await until(() => failed() === 2);
  const { enabled, failing_since } = webhooks.commands.get(webhook.id);
  assert.deepEqual([enabled, failing_since], [true, "2026-11-30T12:00:00.000000Z"]);
});

test("the disk knows what is tried at once, should the program end before it was", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock, retrySeconds: [3_600, 3_600, 3_600] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const { id } = webhook;
  const nextAttempts = () =>
    webhooks.commands
      .deliveries({ webhookId: id, limit: 10 })
      .rows.map(({ next_attempt_at }) => next_attempt_at !== null);
  await webhooks.commands.commit({ events: [scoreEvent("1", 1), scoreEvent("2", 2)] });
  await until(() => clock.waits().length === 2);
  assert.deepEqual(nextAttempts(), [true, true]);
  place.receiver.answer = () => undefined;
  await webhooks.commands.setEnabled({ id, enabled: true });
  assert.deepEqual(nextAttempts(), [false, false]);
});

test("a webhook that is disabled by several answers at once is told of once", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  const held: ServerResponse[] = [];
  place.receiver.answer = (_request, response) => void held.push(response);
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.register({ url: other.url, events: ["webhook_disabled"], secret: SECRET });
  await webhooks.commands.commit({ events: ["1", "2", "3", "4"].map((game) => scoreEvent(game, 1)) });
  await until(() => held.length === 4);
  for (const response of held) response.writeHead(410).end();
  await until(() => webhooks.commands.get(webhook.id).failed_calls === 4);
  await until(() => webhooks.commands.status(null).waiting === 0);
  assert.deepEqual(
    other.received.map(({ json }) => json.event),
    ["webhook_disabled"],
  );
  assert.equal(webhooks.warnings.length, 1);
});

test("a test does not wait for another that failed", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(500).end();
  await using webhooks = open(place, { clock });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.sendTest(webhook.id);
  await until(() => clock.waits().length === 1);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  const { id } = await webhooks.commands.sendTest(webhook.id);
  await until(() => webhooks.commands.delivery(id).state === "delivered");
});

for (const [status, header, isWhole] of [
  [429, "120", true],
  [503, "120", true],
  [500, "120", false],
  [429, "0", false],
] as const) {
  const others = isWhole ? "nothing but tests" : "other games";
  test(`a receiver that answers ${status} with Retry-After ${header} gets ${others} meanwhile`, async (t) => {
    const place = await setup(t);
    const clock = createTestClock();
    place.receiver.answer = (_request, response) => response.writeHead(status, { "retry-after": header }).end();
    await using webhooks = open(place, { clock, retrySeconds: [3_600] });
    const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
    const get = () => webhooks.commands.get(webhook.id);
    await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
    await until(() => get().failed_calls === 1 && clock.waits().length === (isWhole ? 2 : 1));
    assert.equal(get().on_hold !== null, isWhole);
    assert.equal(webhooks.commands.status(null).onHold, isWhole ? 1 : 0);
    place.receiver.answer = (_request, response) => response.writeHead(204).end();
    await webhooks.commands.commit({ events: [scoreEvent("2", 2), scoreEvent("3", 3)] });
    const { id } = await webhooks.commands.sendTest(webhook.id);
    await until(() => webhooks.commands.delivery(id).state === "delivered");
    assert.equal(get().waiting, isWhole ? 3 : 1);
    clock.advance(120_000);
    await until(() => get().waiting === 1);
    assert.equal(get().on_hold, null);
  });
}

/**
 * A closed outbox where three events wait for a receiver that has answered 429 to another one, which was given up, with
 * two minutes to wait; then a test arrived.
 */
async function leftAlone(t: TestContext) {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(429, { "retry-after": "120" }).end();
  await using webhooks = open(place, { clock, retrySeconds: [] });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const { id } = webhook;
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  await until(() => webhooks.commands.get(id).on_hold !== null);
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  await webhooks.commands.sendTest(id);
  await until(() => webhooks.commands.get(id).total_calls === 1);
  await webhooks.commands.commit({ events: ["2", "3", "4"].map((game) => scoreEvent(game, 1)) });
  return { ...place, id, stoppedAt: clock.now() };
}

for (const [what, laterMs, restMs] of [
  ["for the rest of its time", 20_000, 100_000],
  ["no longer than it asked for, where the clock was set back", -10 * 365 * 86_400_000, 120_000],
] as const) {
  test(`a receiver that asked to be left alone is so after a restart, ${what}`, async (t) => {
    const { id, stoppedAt, ...place } = await leftAlone(t);
    const clock = createTestClock(stoppedAt + laterMs);
    await using webhooks = open(place, { clock });
    await webhooks.commands.commit({ events: [scoreEvent("5", 1)] });
    assert.deepEqual(clock.waits(), [restMs]);
    clock.advance(restMs - 1);
    assert.equal(webhooks.commands.status(null).inFlight, 0);
    assert.notEqual(webhooks.commands.get(id).on_hold, null);
    clock.advance(1);
    assert.equal(webhooks.commands.get(id).on_hold, null);
    await until(() => webhooks.commands.get(id).total_calls === 5);
  });
}

test("a receiver that asked to be left alone gets one request at a time afterwards, also over a restart", async (t) => {
  const { id, stoppedAt, ...place } = await leftAlone(t);
  const clock = createTestClock(stoppedAt + 3_600_000);
  await using webhooks = open(place, { clock });
  clock.advance(0);
  assert.equal(webhooks.commands.status(null).inFlight, 1);
  await until(() => webhooks.commands.get(id).waiting === 0);
  // From then on it is asked as any other, also after a start.
  await webhooks.commands.commit({ events: [scoreEvent("5", 1)] });
  await until(() => webhooks.commands.get(id).total_calls === 5);
  const { pauses } = webhooks.database.prepare("SELECT count(paused_until) AS pauses FROM webhooks").get()!;
  assert.equal(pauses, 0);
});

test("a webhook that was enabled, or moved, while its receiver asked to be left alone goes on after a restart", async (t) => {
  for (const change of ["enabled", "moved"] as const) {
    const { id, stoppedAt, ...place } = await leftAlone(t);
    const url = `${place.receiver.url}/2`;
    {
      await using webhooks = open(place, {
        clock: createTestClock(stoppedAt),
        held: { origin: `127.0.0.1:${place.receiver.port}`, reason: "it is starting" },
      });
      if (change === "enabled") await webhooks.commands.setEnabled({ id, enabled: true });
      else await webhooks.commands.update({ id, change: { url } });
    }
    await using webhooks = open(place, { clock: createTestClock(stoppedAt) });
    await until(() => webhooks.commands.get(id).waiting === 0);
  }
});

test("what waits because its receiver asked for it is tried at once where its webhook is enabled", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  place.receiver.answer = (_request, response) => response.writeHead(503, { "retry-after": "86400" }).end();
  await using webhooks = open(place, { clock });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  await until(() => webhooks.commands.get(webhook.id).on_hold !== null);
  await webhooks.commands.commit({ events: [scoreEvent("2", 2)] });
  place.receiver.answer = (_request, response) => response.writeHead(204).end();
  await webhooks.commands.setEnabled({ id: webhook.id, enabled: true });
  await until(() => webhooks.commands.get(webhook.id).waiting === 0);
  assert.deepEqual(clock.waits(), []);
});

test("replay() sends the same id and body once more", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await until(() => webhooks.commands.status(null).delivered === 1);
  const [delivered] = webhooks.commands.deliveries({ webhookId: null, limit: 1 }).rows;
  const again = await webhooks.commands.replay(delivered!.id);
  assert.deepEqual([again.cause, again.event_id], ["replay", delivered!.event_id]);
  await place.receiver.has(2);
  assert.equal(place.receiver.received[1]!.body, place.receiver.received[0]!.body);
  await assert.rejects(webhooks.commands.replay(9_999), (error: AppError) => error.code === "not_found");
});

test("delete() cancels what waits, and an answer on the way brings no further attempt", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  let answer: (() => void) | undefined;
  place.receiver.answer = (_request, response) => {
    answer = () => response.writeHead(500).end();
  };
  await using webhooks = open(place, { clock });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: [scoreEvent("1", 1), scoreEvent("1", 2)] });
  await until(() => answer !== undefined);
  await webhooks.commands.delete(webhook.id);
  answer!();
  await until(() => webhooks.commands.status(null).inFlight === 0);
  assert.equal(webhooks.commands.status(null).waiting, 0);
  assert.deepEqual(clock.waits(), []);
  assert.throws(
    () => webhooks.commands.get(webhook.id),
    (error: AppError) => error.code === "not_found",
  );
  assert.equal(webhooks.database.prepare("SELECT count(*) AS n FROM deliveries").get()!.n, 0);
});

test("a webhook may be deleted in the same moment in which an event for it is committed", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const deleted = webhooks.commands.delete(webhook.id);
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  await deleted;
  assert.equal(webhooks.commands.status(null).events, 1);
});

test("a receiver that never answers does not delay another", async (t) => {
  const place = await setup(t);
  const other = await startReceiver();
  t.after(() => other.close());
  place.receiver.answer = () => {};
  await using webhooks = open(place, { timeoutMs: 60_000 });
  const games = Array.from({ length: 20 }, (_, game) => scoreEvent(String(game), 7));
  await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  await webhooks.commands.register({ url: other.url, events: GAMES, secret: SECRET });
  await webhooks.commands.commit({ events: games });
  await other.has(20);
  // What is left is the share of the silent one.
  await until(() => webhooks.commands.status(null).inFlight === 4);
});

test("rotate() lets the former secret sign along for a day", async (t) => {
  const place = await setup(t);
  const clock = createTestClock();
  await using webhooks = open(place, { clock });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const { secret } = await webhooks.commands.rotate({ id: webhook.id, secret: null });
  assert.match(secret!, /^whsec_/);
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  await place.receiver.has(1);
  clock.step(86_400_001);
  await webhooks.commands.commit({ events: [scoreEvent("1", 2)] });
  await place.receiver.has(2);
  const signatures = place.receiver.received.map(
    ({ headers }) => String(headers["webhook-signature"]).split(" ").length,
  );
  assert.deepEqual(signatures, [2, 1]);
});

test("secrets are on the disk in no readable form, and another key file disables the webhook until it is rotated", async (t) => {
  const place = await setup(t);
  let id: string;
  {
    await using webhooks = open(place);
    ({ id } = (await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET })).webhook);
    const { secret } = webhooks.database.prepare("SELECT secret FROM webhooks").get() as { secret: Uint8Array };
    assert.equal(Buffer.from(secret).includes(SECRET), false);
  }
  const keyFile = `${place.directory}/webhooks.key`;
  assert.equal(statSync(keyFile).mode & 0o777, 0o600);
  rmSync(keyFile);
  await using webhooks = open(place);
  assert.match(webhooks.commands.get(id).disabled_reason!, /another key/);
  await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
  assert.equal(webhooks.commands.get(id).waiting, 1);
  await webhooks.commands.rotate({ id, secret: SECRET });
  await place.receiver.has(1);
});

test("changes that come at once all count, in memory as on the disk", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place, { clock: createTestClock() });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const { id } = webhook;
  await Promise.all([
    webhooks.commands.update({ id, change: { description: "one" } }),
    webhooks.commands.update({ id, change: { events: ["gap_*"] } }),
    webhooks.commands.rotate({ id, secret: null }),
    webhooks.commands.setEnabled({ id, enabled: false }),
  ]);
  const { description, events, enabled } = webhooks.commands.get(id);
  assert.deepEqual({ description, events, enabled }, { description: "one", events: ["gap_*"], enabled: false });
});

test("a change that waits for a name takes nothing back that was changed meanwhile", async (t) => {
  const place = await setup(t);
  let found = (_: readonly ResolvedAddress[]): void => {};
  const resolve = (): Promise<readonly ResolvedAddress[]> => new Promise((answer) => (found = answer));
  await using webhooks = open(place, { resolve });
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const { id } = webhook;
  const moving = webhooks.commands.update({ id, change: { url: "https://hooks.example/" } });
  await webhooks.commands.update({ id, change: { events: ["gap_*"] } });
  found([{ address: "93.184.215.14", family: 4 }]);
  await moving;
  const { url, events } = webhooks.commands.get(id);
  assert.deepEqual([url, events], ["https://hooks.example/", ["gap_*"]]);
});

test("100 parallel registrations are all listed", async (t) => {
  const place = await setup(t);
  await using webhooks = open(place);
  const all = await Promise.all(
    Array.from({ length: 100 }, () => webhooks.commands.register({ url: place.receiver.url, events: ["game_*"] })),
  );
  assert.deepEqual(
    webhooks.commands
      .list(null)
      .map(({ id }) => id)
      .sort(),
    all.map(({ webhook }) => webhook.id).sort(),
  );
});

test("what is more than may wait becomes a dead letter at once, and is counted", async (t) => {
  const place = await setup(t);
  place.receiver.answer = () => {};
  await using webhooks = open(place);
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  for (let page = 0; page < 10; page++) {
    await webhooks.commands.commit({
      events: Array.from({ length: 1_000 }, (_, i) => scoreEvent("1", page * 1_000 + i)),
    });
  }
  await webhooks.commands.commit({ events: [scoreEvent("1", 10_000)] });
  assert.equal(webhooks.commands.get(webhook.id).waiting, 10_000);
  assert.equal(webhooks.commands.status(null).deadLetters, 1);
  const [dead] = webhooks.commands.deliveries({ webhookId: webhook.id, state: "failed", limit: 1 }).rows;
  assert.match(dead!.error!, /not tried: 10000 deliveries are waiting/);
});

test("what is too old is removed when the database is opened, since its thread may not live for an hour", async (t) => {
  const place = await setup(t);
  {
    await using webhooks = open(place);
    await webhooks.commands.commit({ events: [scoreEvent("1", 1, { at: 0 }), scoreEvent("1", 2)] });
  }
  await using webhooks = open(place, { clock: createTestClock() });
  const left = () => webhooks.database.prepare("SELECT sequence FROM events").all();
  await until(() => left().length < 2);
  assert.equal(left()[0]!.sequence, 2);
});

test("deliveries of dead receivers, however many, leave room for those of others", async (t) => {
  const place = await setup(t);
  {
    await using webhooks = open(place);
    const asked = { url: "http://127.0.0.1:9/", events: ["gap_*"], secret: SECRET };
    for (let i = 0; i < 10; i++) {
      const { webhook } = await webhooks.commands.register(asked);
      await webhooks.commands.setEnabled({ id: webhook.id, enabled: false });
    }
    await webhooks.commands.commit({ events: [scoreEvent("1", 1)] });
    webhooks.database.exec(`
      WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000)
      INSERT INTO deliveries (webhook, event, cause, lane, state, created_at)
        SELECT id, 1, 'event', i, 'waiting', 0 FROM webhooks, n
    `);
  }
  await using webhooks = open(place);
  assert.equal(webhooks.commands.status(null).waiting, WAITING_MAX);
  place.receiver.answer = () => {};
  const { webhook } = await webhooks.commands.register({ url: place.receiver.url, events: GAMES, secret: SECRET });
  const events = Array.from({ length: WAITING_ALWAYS + 1 }, (_, i) => scoreEvent("2", i));
  await webhooks.commands.commit({ events });
  await place.receiver.has(1);
  assert.equal(webhooks.commands.get(webhook.id).waiting, WAITING_ALWAYS);
  const [letter] = webhooks.commands.deliveries({ webhookId: webhook.id, state: "failed", limit: 2 }).rows;
  assert.equal(
    letter!.error,
    `not tried: ${WAITING_MAX + WAITING_ALWAYS} of all webhooks' deliveries are waiting already`,
  );
});

test("a webhook of before whose conditions can never be true is loaded, and can be changed in all else", async (t) => {
  const place = await setup(t);
  const { url } = place.receiver;
  let id: string;
  {
    await using webhooks = open(place);
    await assert.rejects(webhooks.commands.register({ url, events: GAMES, from: "on", secret: SECRET }), {
      code: "invalid",
      message: /"from"/,
    });
    ({ id } = (await webhooks.commands.register({ url, events: GAMES, secret: SECRET })).webhook);
    webhooks.database.exec("UPDATE webhooks SET filter = json_set(filter, '$.from', 'on')");
  }
  await using webhooks = open(place);
  assert.equal(webhooks.commands.get(id).from, "on");
  const { webhook } = await webhooks.commands.update({ id, change: { description: "mine" } });
  assert.deepEqual([webhook.from, webhook.description], ["on", "mine"]);
  await assert.rejects(webhooks.commands.update({ id, change: { to: "off" } }), { code: "invalid" });
  await webhooks.commands.commit({ events: [scoreEvent("1", 7)] });
  await place.receiver.has(1);
  assert.equal((await webhooks.commands.update({ id, change: { from: null } })).webhook.from, null);
});
