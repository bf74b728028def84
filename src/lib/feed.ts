import { MessageChannel, type MessagePort, receiveMessageOnPort } from "node:worker_threads";

/**
 * Items on their way to a thread that takes them while it is at something that it cannot leave, a transaction for example:
 * it waits for the next one without a turn of its event loop, in which it would begin something else.
 */

/** What the thread that takes them needs; `port` has to be transferred. */
export interface FeedEnd {
  readonly port: MessagePort;
  /** How many were sent, how many of them were taken, and whether no more are wanted (1). */
  readonly counters: Int32Array<SharedArrayBuffer>;
}

export interface Feed<Item> {
  readonly receiver: FeedEnd;
  /** Resolves when there is room for another one: fewer than `ahead` wait. False: no more are wanted. */
  send(item: Item): Promise<boolean>;
  /** There are no more. */
  end(): void;
  /** There are more, but they cannot be had: the thread that takes them gets an error. */
  fail(): void;
  /** No more are wanted. Call it when the other thread has answered: it may never have begun to take any. */
  close(): void;
}

type Message<Item> = { readonly item: Item } | "end" | "failed";

const SENT = 0;
const TAKEN = 1;
const CLOSED = 2;

/** `ahead`: items that may wait to be taken. */
export function createFeed<Item>(ahead: number): Feed<Item> {
  const { port1, port2 } = new MessageChannel();
  const counters = new Int32Array(new SharedArrayBuffer(3 * Int32Array.BYTES_PER_ELEMENT));
  const post = (message: Message<Item>): void => {
    port1.postMessage(message);
    count(counters, SENT);
  };
  return {
    receiver: { port: port2, counters },
    async send(item) {
      post({ item });
      for (;;) {
        const taken = Atomics.load(counters, TAKEN);
        if (Atomics.load(counters, CLOSED) === 1) return false;
        if (Atomics.load(counters, SENT) - taken < ahead) return true;
        await Atomics.waitAsync(counters, TAKEN, taken).value;
      }
    },
    end: () => post("end"),
    fail: () => post("failed"),
    close() {
      refuseMore(counters);
      port1.close();
    },
  };
}

/** What is sent, in its order: each item holds up the thread until it is there. Throws where the sender failed. */
export function* received<Item>({ port, counters }: FeedEnd): Generator<Item, void, undefined> {
  try {
    for (;;) {
      const sent = Atomics.load(counters, SENT);
      const message = receiveMessageOnPort(port)?.message as Message<Item> | undefined;
      if (message === undefined) {
        Atomics.wait(counters, SENT, sent);
        continue;
      }
      if (message === "end") return;
      if (message === "failed") throw new Error("The sender has failed");
      count(counters, TAKEN);
      yield message.item;
    }
  } finally {
    refuseMore(counters);
    port.close();
  }
}

/** No more are wanted; wakes who waits for room. */
function refuseMore(counters: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(counters, CLOSED, 1);
  count(counters, TAKEN);
}

function count(counters: Int32Array<SharedArrayBuffer>, counter: number): void {
  Atomics.add(counters, counter, 1);
  Atomics.notify(counters, counter);
}
