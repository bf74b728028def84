import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as immediate } from "node:timers/promises";
import { createFeed, type FeedEnd, received } from "./feed.ts";
import { startWorker } from "./worker-rpc.ts";

type Taker = { takeAll(feed: FeedEnd): number[]; takeOne(feed: FeedEnd): number };

const moduleOf = (path: string): string => JSON.stringify(new URL(path, import.meta.url).href);
const SOURCE = `
  import { received } from ${moduleOf("./feed.ts")};
  import { serveCommands } from ${moduleOf("./worker-rpc.ts")};
  serveCommands({
    takeAll: (feed) => [...received(feed)],
    takeOne(feed) { for (const item of received(feed)) return item; },
  });
`;

function startTaker(t: { after(end: () => Promise<void>): void }) {
  const file = new URL(`data:text/javascript,${encodeURIComponent(SOURCE)}`);
  const remote = startWorker<Taker>(file, {}, (error) => assert.fail(error));
  t.after(() => remote.terminate());
  const call = (name: "takeAll" | "takeOne", ahead: number) => {
    const feed = createFeed<number>(ahead);
    const result = remote.call(name, feed.receiver, [feed.receiver.port]);
    result.then(feed.close, feed.close);
    return { feed, result };
  };
  return { call, terminate: () => remote.terminate() };
}

test("a thread takes what is sent in its order, in one call, however slowly it comes", async (t) => {
  const { feed, result } = startTaker(t).call("takeAll", 3);
  const items = Array.from({ length: 100 }, (_, index) => index);
  for (const item of items) {
    assert.equal(await feed.send(item), true);
    if (item % 7 === 0) await immediate();
  }
  feed.end();
  assert.deepEqual(await result, items);
});

test("send() waits while as many as may wait to be taken do so", async () => {
  const feed = createFeed<string>(2);
  const items = received<string>(feed.receiver);
  assert.equal(await feed.send("a"), true);
  let isSent = false;
  const second = feed.send("b").then((wanted) => {
    isSent = true;
    return wanted;
  });
  await immediate();
  assert.equal(isSent, false);
  assert.equal(items.next().value, "a");
  assert.equal(await second, true);
  feed.end();
  assert.deepEqual([...items], ["b"]);
  feed.close();
});

test("a thread that takes gets an error where the sender failed, after what was sent", () => {
  const feed = createFeed<string>(9);
  void feed.send("a");
  feed.fail();
  const items = received<string>(feed.receiver);
  assert.equal(items.next().value, "a");
  assert.throws(() => items.next(), /The sender has failed/);
  feed.close();
});

test("send() tells when no more are wanted: by the thread that takes, or after its end", async (t) => {
  const taker = startTaker(t);
  const one = taker.call("takeOne", 1);
  while (await one.feed.send(7));
  assert.equal(await one.result, 7);

  const waiting = taker.call("takeAll", 100);
  assert.equal(await waiting.feed.send(1), true);
  const ended = assert.rejects(waiting.result, /ended/);
  await taker.terminate();
  await ended;
  assert.equal(await waiting.feed.send(2), false);
});

test("close() wakes a sender whose items nobody took", async () => {
  const feed = createFeed<number>(1);
  const sent = feed.send(1);
  await immediate();
  feed.close();
  assert.equal(await sent, false);
});
