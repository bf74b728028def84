import { setImmediate as nextTurn } from "node:timers/promises";
import { AppError, messageOf } from "../domain/errors.ts";
import type { HomeConfig, RegistryKind, RegistryRow } from "../domain/home.ts";
import type { BulkReport, HomeWriter, RowFault } from "../domain/home-store.ts";
import { createFeed, type FeedEnd } from "../lib/feed.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { type Remote, type StartRemote, startWorker } from "../lib/worker-rpc.ts";
import { bulkRows } from "./bulk-rows.ts";
import type { SavableStates } from "./current-states.ts";
import type { DatabaseSettings } from "./database.ts";
import { asAppError } from "./failures.ts";
import { type RowSlice, registrySlices } from "./row-slices.ts";
import { keyOf } from "./rows.ts";
import type { OpenReport, WriterCommands } from "./writer-commands.ts";

/** Writes that may wait for the thread; what comes on top is refused as `unavailable`. */
export const WRITES_WAITING_MAX = 1_000;
/** Rows are read for so long before the main thread does something else. */
const TURN_MS = 2;
/** Rows of which it takes the keys before it does: about 1 ms. */
const KEYS = 5_000;
/** Some 2,000 rows, 2 MB, may be read before they are written. */
const SLICES_AHEAD = 20;
/** States saved in one transaction. */
const SAVE_STATES = 5_000;

export interface WriterCounters {
  readonly writes: number;
  /** Writes that the database did not take (disk full, locked); nothing of them was kept. */
  readonly failed: number;
  /** Writes turned away because too many waited. */
  readonly refused: number;
  /** Registry rows without an id, or that SQLite would not take. */
  readonly skippedRows: number;
}

export interface Writer {
  readonly writes: HomeWriter & { saveConfig(config: HomeConfig): Promise<void> };
  readonly report: OpenReport;
  readonly counters: WriterCounters;
  /** What the last write failed with; null once one has succeeded again. */
  readonly fault: unknown;
  /** Waits for the writes under way, then closes the database; later writes are `unavailable`. */
  close(): Promise<void>;
}

/**
 * Opens the database in the thread that `start` brings. Rejects with an AppError that names path and remedy. When the
 * thread dies, the writes under way are `unavailable` and another one is started; where that fails, by the next write.
 */
export async function openWriter(
  file: string,
  settings: DatabaseSettings,
  states: SavableStates,
  log: Logger,
  start = ownThread,
): Promise<Writer> {
  const counters = { writes: 0, failed: 0, refused: 0, skippedRows: 0 };
  let fault: unknown = null;
  let opening: Promise<Remote<WriterCommands>> | undefined;
  let report: OpenReport | undefined;
  let closed: Promise<void> | undefined;

  async function open(): Promise<Remote<WriterCommands>> {
    let isOpen = false;
    const remote = start((error) => {
      opening = undefined;
      fault = new Error(`the writing thread has ended: ${error.message}`, { cause: error });
      log.error({ err: error }, "The thread that writes the database of the home ended; another one takes over");
      if (isOpen && closed === undefined) openAgain();
    });
    try {
      const opened = await remote.call("open", { file, settings, mayReplace: report === undefined });
      isOpen = true;
      report ??= opened;
      return remote;
    } catch (error) {
      opening = undefined;
      await remote.terminate();
      throw asAppError(`Cannot open the database "${file}"`, error);
    }
  }
  const thread = (): Promise<Remote<WriterCommands>> => {
    opening ??= open();
    return opening;
  };
  /** The next write may be an hour away, and for so long the database would count as unhealthy. */
  function openAgain(): void {
    thread().then(
      () => (fault = null),
      (error: unknown) => (fault = error),
    );
  }
  const call: Remote<WriterCommands>["call"] = (name, argument, transfer) =>
    thread().then((remote) => remote.call(name, argument, transfer));
  await thread();

  // Encoding rows takes turns with other work, so that calls have to be kept in order here.
  let last: Promise<unknown> = Promise.resolve();
  let waiting = 0;

  function inOrder<Result>(purpose: string, work: () => Promise<Result>): Promise<Result> {
    if (closed) return Promise.reject(new AppError("unavailable", `Cannot ${purpose}: the database is closed`));
    if (waiting >= WRITES_WAITING_MAX) {
      counters.refused++;
      return Promise.reject(new AppError("unavailable", `Cannot ${purpose}: ${waiting} writes are waiting already`));
    }
    waiting++;
    const result = last.then(work).then(
      (value) => {
        waiting--;
        counters.writes++;
        fault = null;
        return value;
      },
      (error: unknown) => {
        waiting--;
        const failure = asAppError(`Cannot ${purpose}`, error);
        if (failure instanceof AppError && failure.code === "unavailable") {
          counters.failed++;
          fault = failure;
        }
        throw failure;
      },
    );
    last = result.catch(() => undefined);
    return result;
  }

  function skipped(kind: RegistryKind, count: number, example: string): void {
    counters.skippedRows += count;
    log.warn(`${count} rows of the ${kind} registry cannot be stored and were skipped: ${example}`);
  }

  async function upsertRows(kind: "device" | "entity", body: readonly Uint8Array[]): Promise<BulkReport> {
    const faults: RowFault[] = [];
    try {
      const { upserted, failed } = await feed(bulkRows(kind, body, faults), (slices) =>
        call("bulkUpsert", { kind, slices, at: nowMicros() }, [slices.port]),
      );
      return { upserted, failed: [...faults, ...failed].sort((a, b) => a.index - b.index) };
    } finally {
      for (const part of body) giveBack(part);
    }
  }

  const writes: Writer["writes"] = {
    applyRegistry: (kind, rows, at) =>
      inOrder(`store the ${kind} registry`, async () => {
        const keys = await keysOf(kind, rows);
        const without = rows.length - keys.length;
        if (without > 0) skipped(kind, without, "they have no id");
        const { refused, ...diff } = await feed(registrySlices(kind, rows), (slices) =>
          call("applyRegistry", { kind, keys, slices, at }, [slices.port]),
        );
        if (refused.length > 0) skipped(kind, refused.length, `the database refuses "${refused[0]}"`);
        return diff;
      }),
    applyUnregistered: (entities, complete, at) =>
      inOrder("store entities", () => call("applyUnregistered", { entities, complete, at })),
    removeUnregistered: (entityIds, at) =>
      inOrder("remove entities", () => call("removeUnregistered", { entityIds, at })),
    saveStates: () =>
      inOrder("save the current states", async () => {
        // What changes during a commit waits for the next time: in a home that changes during each there would be no end.
        for (let left = states.unsaved; left > 0; left -= SAVE_STATES) {
          const taken = states.take(Math.min(left, SAVE_STATES));
          if (taken === undefined) break;
          try {
            await call("saveStates", taken);
          } catch (error) {
            states.giveBack(taken);
            throw error;
          }
        }
      }),
    bulkUpsert: (kind, body) => inOrder(`store ${kind} rows`, () => upsertRows(kind, body)),
    putManualDevice: (device) =>
      inOrder(`store device "${device.device_id}"`, () => call("putManualDevice", { device, at: nowMicros() })),
    deleteManualDevice: (deviceId) =>
      inOrder(`remove device "${deviceId}"`, () => call("deleteManualDevice", { deviceId, at: nowMicros() })),
    saveConfig: (config) => inOrder("store the home's configuration", () => call("saveConfig", config)),
  };
  return {
    writes,
    report: report!,
    counters,
    get fault() {
      return fault;
    },
    close() {
      closed ??= last.then(async () => {
        const remote = await opening?.catch(() => undefined);
        await remote?.call("close", null).catch((error: unknown) => log.warn(`Closing failed: ${messageOf(error)}`));
        await remote?.terminate();
      });
      return closed;
    },
  };
}

/**
 * To wait for the garbage collection with some megabytes makes it come sooner, and look through everything else as well:
 * every third list took half as long again. What shares its memory with others (a slice of Node's pool) is left alone.
 */
function giveBack({ buffer, byteLength }: Uint8Array): void {
  if (buffer instanceof ArrayBuffer && buffer.byteLength === byteLength) buffer.transfer(0);
}

/**
 * Sends what a command is fed with: rows are made here while those before them are written there, a seventh to a third
 * less time than one after the other. Rejects where they cannot be had, or with the command.
 */
async function feed<Result>(slices: Iterable<RowSlice>, command: (feed: FeedEnd) => Promise<Result>): Promise<Result> {
  const { receiver, send, end, fail, close } = createFeed<RowSlice>(SLICES_AHEAD);
  const result = command(receiver);
  result.then(close, close);
  try {
    let turn = performance.now();
    for (const slice of slices) {
      if (!(await send(slice))) break;
      if (performance.now() - turn < TURN_MS) continue;
      await nextTurn();
      turn = performance.now();
    }
    end();
  } catch (error) {
    fail();
    await result.catch(() => undefined);
    throw error;
  }
  return result;
}

/** Of the rows that have one. */
async function keysOf(kind: RegistryKind, rows: readonly RegistryRow[]): Promise<string[]> {
  const keys: string[] = [];
  for (let index = 0; index < rows.length; index++) {
    if (index > 0 && index % KEYS === 0) await nextTurn();
    const key = keyOf(kind, rows[index]);
    if (key !== null) keys.push(key);
  }
  return keys;
}

const ownThread: StartRemote<WriterCommands> = (onDeath) =>
  startWorker(new URL("./writer.worker.ts", import.meta.url), {}, onDeath);
