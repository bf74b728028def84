import { parentPort, Worker, type WorkerOptions } from "node:worker_threads";

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

type Transferable = ArrayBuffer;

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
  const worker = new Worker(file, options);
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
        waiting.set(id, { resolve: resolve as (result: unknown) => void, reject });
        worker.postMessage({ id, name, argument } satisfies Request, transfer as Transferable[]);
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

/** Inside the worker thread: answers the calls of `startWorker` by these commands. */
export function serveCommands(commands: Commands): void {
  const port = parentPort;
  if (!port) throw new Error("serveCommands() belongs into a worker thread");
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
  port.on("message", ({ id, name, argument }: Request) => {
    try {
      const result = commands[name]?.(argument);
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
