import { type MessagePort, parentPort, Worker, type WorkerOptions } from "node:worker_threads";
import { collectWhenIdle } from "./collect-garbage.ts";

/**
 * Calls into a worker thread as if it were local: each call is one message there and one back, answered in the order
 * in which they were sent (the worker handles one at a time unless its handler returns a promise).
 */

/** What a worker offers: names to functions of one argument. */
// biome-ignore lint/suspicious/noExplicitAny: each worker narrows the argument and result of its own commands.
export type Commands = Record<string, (argument: any) => unknown>;

interface Request {
  readonly id: number;
  readonly name: string;
  readonly argument: unknown;
}

/** The first message to a thread: where both count the calls that it has not taken yet, sent or just being sent. */
interface Greeting {
  readonly untaken: Int32Array<SharedArrayBuffer>;
}

interface Failure {
  readonly message: string;
  readonly name: string;
  /** AppError's code, or SQLite's. */
  readonly code?: string;
  readonly errcode?: number;
}

type Answer = { readonly id: number; readonly result: unknown } | { readonly id: number; readonly failure: Failure };

/** An error that was thrown inside a worker; `code` is the original's (an ErrorCode, "ERR_SQLITE_ERROR", …). */
export class WorkerFailure extends Error {
  readonly code: string | undefined;
  /** SQLite's extended result code, where SQLite failed. */
  readonly errcode: number | undefined;

  constructor(failure: Failure) {
    super(failure.message);
    this.name = failure.name;
    this.code = failure.code;
    this.errcode = failure.errcode;
  }
}

export interface Remote<C extends Commands> {
  /** Rejects with a WorkerFailure when the command threw, and when the worker has ended. */
  call<K extends keyof C & string>(
    name: K,
    argument: Parameters<C[K]>[0],
    transfer?: readonly Transferable[],
  ): Promise<Awaited<ReturnType<C[K]>>>;
  /** Calls that are not answered yet. */
  readonly pending: number;
  /** Ends the thread at once; what was not answered rejects. */
  terminate(): Promise<void>;
}

type Transferable = ArrayBuffer | MessagePort;

interface Waiting {
  resolve(result: unknown): void;
  reject(error: Error): void;
}

/** Starts `file` as a worker thread that answers by `serveCommands`. `onDeath` tells of an end nobody asked for. */
export function startWorker<C extends Commands>(
  file: URL,
  options: WorkerOptions,
  onDeath: (error: Error) => void,
): Remote<C> {
  const untaken = sharedNumber();
  const worker = new Worker(file, options);
  worker.postMessage({ untaken } satisfies Greeting);
  const waiting = new Map<number, Waiting>();
  let lastId = 0;
  let ended: Error | undefined;
  let terminating = false;

  const end = (error: Error): void => {
    if (ended) return;
    ended = error;
    for (const call of waiting.values()) call.reject(error);
    waiting.clear();
    if (!terminating) onDeath(error);
  };
  worker.on("message", (answer: Answer) => {
    const call = waiting.get(answer.id);
    waiting.delete(answer.id);
    if ("failure" in answer) call?.reject(new WorkerFailure(answer.failure));
    else call?.resolve(answer.result);
  });
  worker.on("error", (error: unknown) => end(error instanceof Error ? error : new Error(String(error))));
  worker.on("exit", (code) => end(new Error(`The worker ${file.pathname.split("/").at(-1)} ended with code ${code}`)));

  return {
    call(name, argument, transfer = []) {
      if (ended) return Promise.reject(ended);
      const id = ++lastId;
      return new Promise((resolve, reject) => {
        // Before it is sent: the thread may take it before this one goes on.
        Atomics.add(untaken, 0, 1);
        try {
          worker.postMessage({ id, name, argument } satisfies Request, transfer as Transferable[]);
        } catch (error) {
          // The argument cannot be copied: there is no call.
          Atomics.sub(untaken, 0, 1);
          throw error;
        }
        waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
      });
    },
    get pending() {
      return waiting.size;
    },
    async terminate() {
      terminating = true;
      await worker.terminate();
    },
  };
}

/** Starts a thread, or takes part in one that others share. `onDeath` tells of an end nobody asked for. */
export type StartRemote<C extends Commands> = (onDeath: (error: Error) => void) => Remote<C>;

/**
 * A thread that several take part in, each with commands of its own (`serveParts`): a thread of one's own takes some
 * 8 MB. It is started by the first, and ends when all have terminated theirs: until then it still answers what one that
 * has terminated had called. When it dies, all are told; whoever takes part after that starts another one.
 */
export function shareThread(file: URL): <C extends Commands>(part: string) => StartRemote<C> {
  let running: { readonly remote: Remote<Commands>; readonly parts: Set<(error: Error) => void> } | undefined;

  function start(): NonNullable<typeof running> {
    const parts = new Set<(error: Error) => void>();
    const remote = startWorker<Commands>(file, {}, (error) => {
      running = undefined;
      for (const onDeath of parts) onDeath(error);
    });
    return { remote, parts };
  }

  return <C extends Commands>(part: string): StartRemote<C> =>
    (onDeath) => {
      running ??= start();
      const { remote, parts } = running;
      parts.add(onDeath);
      let isOver = false;
      return {
        call(name, argument, transfer) {
          // The thread may live on for others, and would open again what was closed.
          if (isOver) return Promise.reject(new Error(`The part "${part}" of the thread has ended`));
          return remote.call(`${part}/${name}`, argument, transfer) as Promise<never>;
        },
        get pending() {
          return remote.pending;
        },
        async terminate() {
          isOver = true;
          parts.delete(onDeath);
          if (parts.size > 0) return;
          if (running?.remote === remote) running = undefined;
          await remote.terminate();
        },
      };
    };
}

export interface OnDemand<C extends Commands> {
  /** As `Remote.call`; starts the thread where none runs. */
  call: Remote<C>["call"];
  /** Lets the thread that runs, if any, answer its calls and its command "close", and ends it. Later calls reject. */
  end(): Promise<void>;
}

/**
 * A worker that is started by a call and ended when none came for `idleMs`: an idle thread keeps some 10 MB, and
 * starting one takes some 50 ms. `onDeath` tells of an end nobody asked for; the next call starts another one.
 */
export function startOnDemand<C extends Commands & { close(argument: null): unknown }>(
  file: URL,
  options: WorkerOptions,
  idleMs: number,
  onDeath: (error: Error) => void,
): OnDemand<C> {
  let running: Remote<C> | undefined;
  let idle: NodeJS.Timeout | undefined;
  let isOver = false;
  /** The end of those that were left; they are awaited together. */
  let ending: Promise<unknown> = Promise.resolve();

  const pause = async (): Promise<void> => {
    clearTimeout(idle);
    const left = running;
    running = undefined;
    if (left) {
      // A thread that died meanwhile needs no closing, and whoever called it knows.
      const closed = left.call("close", null as never).then(
        () => left.terminate(),
        () => left.terminate(),
      );
      ending = Promise.all([ending, closed]);
    }
    await ending;
  };

  return {
    async end() {
      isOver = true;
      await pause();
    },
    call(name, argument, transfer) {
      // Another thread would be ended by nobody, and keep the process alive.
      if (isOver) return Promise.reject(new Error(`The worker ${file.pathname.split("/").at(-1)} has ended`));
      running ??= startWorker<C>(file, options, (error) => {
        running = undefined;
        onDeath(error);
      });
      const asked = running;
      clearTimeout(idle);
      return asked.call(name, argument, transfer).finally(() => {
        if (running !== asked || asked.pending > 0) return;
        clearTimeout(idle);
        idle = setTimeout(() => void pause(), idleMs);
        idle.unref();
      });
    },
  };
}

const sharedNumber = () => new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));

/** Of the thread that this is. */
let untaken = sharedNumber();

/** Inside the worker thread: whether a call has come since the one that it took last, so that long work can give way. */
export function isCalled(): boolean {
  return Atomics.load(untaken, 0) > 0;
}

/** Inside the worker thread: answers the calls of `startWorker` by these commands, and gives memory back between them. */
export function serveCommands(commands: Commands): void {
  serve((name) => commands[name]);
}

/** As `serveCommands`, for the parts of `shareThread` by their names. */
export function serveParts(parts: Readonly<Record<string, Commands>>): void {
  serve((name) => {
    const [part, command] = name.split("/") as [string, string];
    return parts[part]?.[command];
  });
}

function serve(find: (name: string) => Commands[string] | undefined): void {
  const port = parentPort;
  if (!port) throw new Error("Commands are served in a worker thread");
  const fail = (id: number, error: unknown): void => {
    const { message, name, code, errcode } = error as Partial<Failure>;
    port.postMessage({
      id,
      failure: {
        message: message ?? String(error),
        name: name ?? "Error",
        ...(code === undefined ? {} : { code }),
        ...(errcode === undefined ? {} : { errcode }),
      },
    } satisfies Answer);
  };
  const worked = collectWhenIdle();
  port.on("message", (message: Request | Greeting) => {
    if ("untaken" in message) {
      ({ untaken } = message);
      return;
    }
    Atomics.sub(untaken, 0, 1);
    const { id, name, argument } = message;
    worked();
    try {
      const command = find(name);
      if (!command) throw new TypeError(`This thread has no command "${name}"`);
      const result = command(argument);
      if (result instanceof Promise) {
        result.then(
          (value: unknown) => port.postMessage({ id, result: value } satisfies Answer),
          (error: unknown) => fail(id, error),
        );
      } else {
        port.postMessage({ id, result } satisfies Answer);
      }
    } catch (error) {
      fail(id, error);
    }
  });
}
