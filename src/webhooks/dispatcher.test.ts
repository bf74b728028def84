import assert from "node:assert/strict";
import { test } from "node:test";
import type { WaitingDelivery } from "./deliveries.ts";
import {
  createDispatcher,
  type DispatcherOptions,
  IN_FLIGHT_FAILING_MAX,
  IN_FLIGHT_MAX,
  IN_FLIGHT_PER_ORIGIN_MAX,
  IN_FLIGHT_PER_WEBHOOK_MAX,
} from "./dispatcher.ts";
import { createTestClock } from "./testing.ts";

type Outcome = Awaited<ReturnType<DispatcherOptions["send"]>>;

const ARRIVED: Outcome = {
  ...{ status: 204, error: null, excerpt: null, retryAfterMs: null, durationMs: 1 },
  url: "http://receiver/hook",
};
let lastId = 0;
const delivery = (webhookId: string, lane = "game"): WaitingDelivery => ({
  id: ++lastId,
  webhookId,
  lane,
  attempts: 0,
  failedAt: null,
  nextAt: null,
});
const several = (count: number, webhookId: (index: number) => string): WaitingDelivery[] =>
  Array.from({ length: count }, (_, index) => delivery(webhookId(index), `game ${index}`));

/** A dispatcher whose requests hang until they are answered here. */
function setup(more: Partial<DispatcherOptions> = {}) {
  const clock = createTestClock();
  const sent: WaitingDelivery[] = [];
  const answers = new Map<number, (outcome: Outcome) => void>();
  const dispatcher = createDispatcher({
    receiver: (webhookId) => ({ origin: webhookId, failing: webhookId.startsWith("failing") }),
    send: (one) => {
      sent.push(one);
      return new Promise((answer) => answers.set(one.id, answer));
    },
    record: async () => ({ state: "ended" }),
    now: clock.now,
    random: () => 0.5,
    after: clock.after,
    ...more,
  });
  const answer = async (one: WaitingDelivery, outcome = ARRIVED): Promise<void> => {
    answers.get(one.id)!(outcome);
    for (let turn = 0; turn < 10; turn++) await new Promise((resume) => setImmediate(resume));
  };
  return { dispatcher, clock, sent, answer };
}

test("a pause outlasts what waits for its webhook, concerns no other, and ends once", async () => {
  const verdict = { state: "ended", pauseMs: 1_000 } as const;
  const { dispatcher, clock, sent, answer } = setup({ record: async () => verdict });
  dispatcher.add([delivery("a", "1")]);
  await answer(sent[0]!);
  assert.equal(dispatcher.waiting, 0);
  dispatcher.add([delivery("a", "2"), delivery("b", "1")]);
  assert.deepEqual(
    sent.map(({ webhookId }) => webhookId),
    ["a", "b"],
  );
  assert.equal(dispatcher.isPaused("a"), true);
  dispatcher.add([delivery("a", "3"), delivery("a", "test 1")]);
  assert.equal(sent.at(-1)!.lane, "test 1");
  await answer(sent.at(-1)!, ARRIVED);
  clock.advance(1_000);
  // One at a time.
  assert.equal(sent.at(-1)!.lane, "2");
  assert.equal(dispatcher.isPaused("a"), false);
  dispatcher.forget("a");
  dispatcher.add([delivery("a", "4")]);
  assert.equal(sent.at(-1)!.lane, "4");
});

test("webhooks that fail never hold so many requests that others wait", () => {
  const { dispatcher, sent } = setup();
  dispatcher.add(several(1_000, (index) => `failing ${index}`));
  assert.equal(dispatcher.inFlight, IN_FLIGHT_FAILING_MAX);
  dispatcher.add([delivery("good")]);
  assert.equal(sent.at(-1)!.webhookId, "good");
});

test("requests are bounded for one webhook, one that fails, one origin, and in all", () => {
  const one = setup();
  one.dispatcher.add(several(100, () => "one"));
  assert.equal(one.dispatcher.inFlight, IN_FLIGHT_PER_WEBHOOK_MAX);
  const failing = setup();
  failing.dispatcher.add(several(100, () => "failing"));
  assert.equal(failing.dispatcher.inFlight, 1);
  const origin = setup({ receiver: () => ({ origin: "one host", failing: false }) });
  origin.dispatcher.add(several(100, String));
  assert.equal(origin.dispatcher.inFlight, IN_FLIGHT_PER_ORIGIN_MAX);
  const all = setup();
  all.dispatcher.add(several(2_000, String));
  assert.equal(all.dispatcher.inFlight, IN_FLIGHT_MAX);
  assert.equal(all.dispatcher.waiting, 2_000);
});

test("webhooks take turns, whoever has more waiting", async () => {
  const { dispatcher, sent, answer } = setup({ receiver: () => ({ origin: "one host", failing: false }) });
  dispatcher.add(several(200, (index) => `many ${index % 10}`));
  dispatcher.add([delivery("few")]);
  assert.ok(!sent.some(({ webhookId }) => webhookId === "few"), "every place is taken");
  // Ten others stand before it, each for one turn.
  for (const one of sent.slice(0, 11)) await answer(one);
  assert.ok(sent.some(({ webhookId }) => webhookId === "few"));
});

test("the next of a lane leaves only once the disk knows of the one before", async () => {
  let refuse = true;
  const { dispatcher, clock, sent, answer } = setup({
    record: async () => {
      if (refuse) throw new Error("disk is full");
      return { state: "ended" };
    },
  });
  dispatcher.add([delivery("a"), delivery("a")]);
  await answer(sent[0]!);
  assert.equal(sent.length, 1);
  refuse = false;
  clock.advance(1_000);
  for (let turn = 0; turn < 10; turn++) await new Promise((resume) => setImmediate(resume));
  assert.equal(sent.length, 2);
});

test("what an earlier run left is spread, in the order of each lane, and overdue at once", () => {
  const { dispatcher, clock, sent } = setup();
  const old = { attempts: 3, failedAt: clock.now() * 1000 - 9_000_000, nextAt: clock.now() * 1000 - 5_000_000 };
  dispatcher.add([{ ...delivery("a"), ...old }, delivery("a"), delivery("b")], true);
  assert.deepEqual(
    sent.map(({ webhookId }) => webhookId),
    ["b"],
  );
  assert.deepEqual(clock.waits(), [1_000]);
  clock.advance(1_000);
  assert.deepEqual(
    sent.map(({ webhookId, attempts }) => [webhookId, attempts]),
    [
      ["b", 0],
      ["a", 3],
    ],
  );
});

test("stop() breaks off what does not end, and sends nothing more", async () => {
  let recorded = 0;
  const { dispatcher, sent } = setup({
    send: (_, signal) =>
      new Promise((answer) => {
        const stopped = { ...ARRIVED, status: null, error: "stopped" };
        signal.addEventListener("abort", () => answer(stopped));
      }),
    record: async () => {
      recorded++;
      return { state: "ended" };
    },
  });
  dispatcher.add([delivery("a"), delivery("a")]);
  await dispatcher.stop(1);
  dispatcher.add([delivery("b")]);
  assert.deepEqual([recorded, sent.length], [0, 0]);
});
