import assert from "node:assert/strict";
import { test } from "node:test";
import { setFlagsFromString } from "node:v8";
import { Worker } from "node:worker_threads";
import { shareThread, startOnDemand, startWorker } from "./worker-rpc.ts";

type Echo = {
  thread(argument: null): number;
  fail(argument: string): never;
  die(argument: null): void;
  work(milliseconds: number): boolean;
  litter(argument: null): Promise<string>;
  close(): void;
};

const RPC = JSON.stringify(new URL("./worker-rpc.ts", import.meta.url).href);
const SOURCE = `
  import { threadId } from "node:worker_threads";
  import { isCalled, serveCommands } from ${RPC};
  serveCommands({
    thread: () => threadId,
    fail: (message) => { throw new RangeError(message); },
    die: () => process.exit(3),
    work(milliseconds) {
      for (const start = performance.now(); performance.now() < start + milliseconds; ) if (isCalled()) return true;
      return false;
    },
    litter: () => new Promise((resolve) => {
      globalThis.registry = new FinalizationRegistry(resolve);
      registry.register({}, "collected");
    }),
    close: () => undefined,
  });
`;
const FILE = new URL(`data:text/javascript,${encodeURIComponent(SOURCE)}`);
const FOR_EVER_MS = 1_000_000;

test("startOnDemand() asks the same thread while calls come, and none after the end", async (t) => {
  const worker = startOnDemand<Echo>(FILE, {}, FOR_EVER_MS, (error) => assert.fail(error));
  t.after(() => worker.end());
  const [first, second] = await Promise.all([worker.call("thread", null), worker.call("thread", null)]);
  assert.equal(second, first);
  assert.equal(await worker.call("thread", null), first);
  await worker.end();
  await assert.rejects(worker.call("thread", null), /has ended/);
});

test("isCalled() tells a thread at work that somebody waits for it", async (t) => {
  const worker = startOnDemand<Echo>(FILE, {}, FOR_EVER_MS, (error) => assert.fail(error));
  t.after(() => worker.end());
  assert.equal(await worker.call("work", 20), false);
  const working = worker.call("work", FOR_EVER_MS);
  await worker.call("thread", null);
  assert.equal(await working, true);
  assert.equal(await worker.call("work", 20), false, "the call that it waited for was answered");
});

test("isCalled() does not take the call that the thread works at for another one, however late its caller goes on", async (t) => {
  const worker = startWorker<Echo>(FILE, {}, (error) => assert.fail(error));
  t.after(() => worker.terminate());
  await worker.call("thread", null);
  const post = Worker.prototype.postMessage;
  t.mock.method(Worker.prototype, "postMessage", function (this: Worker, ...sent: Parameters<typeof post>) {
    post.apply(this, sent);
    // As a thread does from which the system takes its processor just then.
    for (const start = performance.now(); performance.now() < start + 50; );
  });
  assert.equal(await worker.call("work", 20), false);
});

test("startOnDemand() ends a thread that nobody calls", async (t) => {
  const worker = startOnDemand<Echo>(FILE, {}, 1, (error) => assert.fail(error));
  t.after(() => worker.end());
  const first = await worker.call("thread", null);
  let next = first;
  while (next === first) {
    await new Promise((resolve) => setTimeout(resolve, 5));
    next = await worker.call("thread", null);
  }
});

test("startOnDemand() passes failures on and tells of deaths", async (t) => {
  const deaths: Error[] = [];
  const worker = startOnDemand<Echo>(FILE, {}, FOR_EVER_MS, (error) => deaths.push(error));
  t.after(() => worker.end());
  await assert.rejects(worker.call("fail", "odd"), { name: "RangeError", message: "odd" });
  await assert.rejects(worker.call("nothing" as "fail", ""), /no command "nothing"/);
  assert.equal(deaths.length, 0);
  await assert.rejects(worker.call("die", null), /ended with code 3/);
  assert.equal(deaths.length, 1);
  assert.equal(typeof (await worker.call("thread", null)), "number");
});

test("startOnDemand() lets calls under way be answered before it ends", async (t) => {
  const worker = startOnDemand<Echo>(FILE, {}, FOR_EVER_MS, (error) => assert.fail(error));
  t.after(() => worker.end());
  const answer = worker.call("thread", null);
  await worker.end();
  assert.equal(typeof (await answer), "number");
});

test("serveCommands() collects the thread's garbage when nobody calls", { timeout: 60_000 }, async (t) => {
  // As start.mjs starts Node: threads that begin from now on have it.
  setFlagsFromString("--expose-gc");
  const worker = startOnDemand<Echo>(FILE, {}, FOR_EVER_MS, (error) => assert.fail(error));
  t.after(() => worker.end());
  assert.equal(await worker.call("litter", null), "collected");
});

const SHARED = `
  import { threadId } from "node:worker_threads";
  import { serveParts } from ${RPC};
  serveParts({
    one: { thread: () => threadId, die: () => process.exit(3) },
    other: { thread: () => -threadId },
  });
`;
const SHARED_FILE = new URL(`data:text/javascript,${encodeURIComponent(SHARED)}`);
type Shared = { thread(argument: null): number; die(argument: null): void };

test("shareThread() gives each part its own commands in one thread, which the last one ends", async () => {
  const share = shareThread(SHARED_FILE);
  const one = share<Shared>("one")(assert.ifError);
  const other = share<Shared>("other")((error) => assert.fail(error));
  const thread = await one.call("thread", null);
  assert.equal(await other.call("thread", null), -thread);
  await assert.rejects(other.call("die", null), /no command "other\/die"/);
  await one.terminate();
  await assert.rejects(one.call("thread", null), /has ended/, "though the thread has not");
  assert.equal(await other.call("thread", null), -thread, "the thread is still needed");
  await other.terminate();
  await assert.rejects(other.call("thread", null), /ended/);
  const again = share<Shared>("one")(assert.ifError);
  assert.notEqual(await again.call("thread", null), thread);
  await again.terminate();
});

test("shareThread() tells all parts of the thread's death, and whoever comes then starts another", async () => {
  const share = shareThread(SHARED_FILE);
  const deaths: string[] = [];
  const one = share<Shared>("one")(() => deaths.push("one"));
  const other = share<Shared>("other")(() => deaths.push("other"));
  const thread = await one.call("thread", null);
  const asked = assert.rejects(one.call("die", null), /ended with code 3/);
  await assert.rejects(other.call("thread", null), /ended with code 3/);
  await asked;
  assert.deepEqual(deaths, ["one", "other"]);
  const next = share<Shared>("one")(assert.ifError);
  const started = await next.call("thread", null);
  assert.notEqual(started, thread);
  // Those that are left over end nothing of what others use.
  await one.terminate();
  await other.terminate();
  assert.equal(await next.call("thread", null), started);
  await next.terminate();
});

test("a call whose argument cannot be copied is refused, and nothing waits for it", async (t) => {
  const worker = startWorker<Echo>(FILE, {}, (error) => assert.fail(error));
  t.after(() => worker.terminate());
  await assert.rejects(worker.call("fail", (() => "") as unknown as string), { name: "DataCloneError" });
  assert.equal(worker.pending, 0);
  assert.equal(await worker.call("work", 20), false, "nor does a thread at work think so");
});
