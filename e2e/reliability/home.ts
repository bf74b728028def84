import { spawn } from "node:child_process";
import { once } from "node:events";
import { closeSync, createReadStream, openSync, rmSync } from "node:fs";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { Failure } from "../failure.ts";

const MAIN = join(import.meta.dirname, "../../src/testing/simulated-home/main.ts");

/** One row of what the home's recorder has; `state` null: the entity was removed then. */
export interface TruthRow {
  /** Its name at that time. */
  readonly entityId: string;
  /** Survives renames; null where the entity only has a state. */
  readonly registryId: string | null;
  readonly state: string | null;
  /** Microseconds. */
  readonly lastChanged: number;
}

/** The simulated home as a process of its own, which keeps the ground truth whatever happens to the program. */
export interface Home extends AsyncDisposable {
  readonly url: string;
  readonly token: string;
  /**
   * Gives a command and resolves with its answer; one after the other, in order. Throws a Failure when the home
   * refuses it. The commands stand in the home's own main.ts.
   */
  order(command: string, fields?: Readonly<Record<string, unknown>>): Promise<Record<string, unknown>>;
  /** What the recorder wrote, in the order of writing. */
  truth(): AsyncGenerator<TruthRow>;
}

export interface HomeOptions {
  readonly entities: number;
  readonly seed: number;
  /** For its log and the truth that it writes. */
  readonly folder: string;
}

export async function startHome({ entities, seed, folder }: HomeOptions): Promise<Home> {
  const log = openSync(join(folder, "home.log"), "a");
  // It ends with its input, and so with this process.
  const child = spawn(process.execPath, [MAIN, "--entities", String(entities), "--seed", String(seed)], {
    stdio: ["pipe", "pipe", log],
  });
  closeSync(log);
  const { stdin, stdout } = child;
  if (!stdin || !stdout) throw new Failure("The simulated home was started without pipes");
  const ended = once(child, "exit");
  const lines = createInterface({ input: stdout })[Symbol.asyncIterator]();
  const read = async (): Promise<Record<string, unknown>> => {
    const { value, done } = await lines.next();
    if (done) throw new Failure(`The simulated home has ended, see ${join(folder, "home.log")}`);
    return JSON.parse(value as string) as Record<string, unknown>;
  };

  const { url, token } = await read();
  let last: Promise<unknown> = Promise.resolve();
  const order: Home["order"] = (command, fields = {}) => {
    const answer = last.then(async () => {
      stdin.write(`${JSON.stringify({ ...fields, do: command })}\n`);
      const given = await read();
      if (given.ok !== true) throw new Failure(`The simulated home refuses "${command}": ${given.error}`);
      return given;
    });
    last = answer.catch(() => undefined);
    return answer;
  };

  return {
    url: String(url),
    token: String(token),
    order,
    async *truth() {
      const file = join(folder, "truth.jsonl");
      await order("truth", { file });
      for await (const line of createInterface({ input: createReadStream(file) })) yield JSON.parse(line) as TruthRow;
      rmSync(file);
    },
    async [Symbol.asyncDispose]() {
      stdin.end();
      await ended;
    },
  };
}
