import { AppError, messageOf } from "../domain/errors.ts";
import type { HomeConfig, RegistryKind, RegistryRow } from "../domain/home.ts";
import type { BulkReport, HomeWriter, RowFault } from "../domain/home-store.ts";
import { createFeed, type Feed } from "../lib/feed.ts";
import type { Logger } from "../lib/log.ts";
import { nowMicros } from "../lib/time.ts";
import { type Remote, type StartRemote, startWorker } from "../lib/worker-rpc.ts";
import { type BulkSlice, bulkRows } from "./bulk-rows.ts";
import type { EncodedRows } from "./commands.ts";
import type { SavableStates } from "./current-states.ts";
import type { DatabaseSettings } from "./database.ts";
import { asAppError } from "./failures.ts";
import { isRow, keyOf } from "./rows.ts";
import type { OpenReport, WriterCommands } from "./writer-commands.ts";

/** Writes that may wait for the thread; what comes on top is refused as `unavailable`. */
export const WRITES_WAITING_MAX = 1_000;
/** Rows turned into JSON before the main thread does something else: about 1 ms. */
const ENCODE_ROWS = 500;
/** A bulk upsert's rows are read for so long before the main thread does something else. */
const TURN_MS = 2;
/** Some 5,000 of its rows, 5 MB, may be read before they are written. */
const SLICES_AHEAD = 50;
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

  /** Rows are read here while those before them are written there: a third less time than one after the other. */
  async function upsertRows(kind: "device" | "entity", body: readonly Uint8Array[]): Promise<BulkReport> {
    const feed = createFeed<BulkSlice>(SLICES_AHEAD);
    const { port } = feed.receiver;
    const report = call("bulkUpsert", { kind, slices: feed.receiver, at: nowMicros() }, [port]);
    report.then(feed.close, feed.close);
    const faults: RowFault[] = [];
    try {
      await sendRows(kind, body, faults, feed);
    } catch (error) {
      feed.fail();
      await report.catch(() => undefined);
      throw error;
    } finally {
      for (const part of body) giveBack(part);
    }
    const { upserted, failed } = await report;
    return { upserted, failed: [...faults, ...failed].sort((a, b) => a.index - b.index) };
  }

  const writes: Writer["writes"] = {
    applyRegistry: (kind, rows, at) =>
      inOrder(`store the ${kind} registry`, async () => {
        const encoded = await encodeRows(kind, rows);
        const without = rows.length - encoded.keys.length;
        if (without > 0) skipped(kind, without, "they have no id");
        const { refused, ...diff } = await call("applyRegistry", { kind, rows: encoded, at });
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

/** Throws `invalid` where the body is no list of rows. */
async function sendRows(
  kind: "device" | "entity",
  body: readonly Uint8Array[],
  faults: RowFault[],
  feed: Feed<BulkSlice>,
): Promise<void> {
  let turn = performance.now();
  for (const slice of bulkRows(kind, body, faults)) {
    if (!(await feed.send(slice))) return;
    if (performance.now() - turn < TURN_MS) continue;
    await new Promise((resume) => setImmediate(resume));
    turn = performance.now();
  }
  feed.end();
}

const ownThread: StartRemote<WriterCommands> = (onDeath) =>
  startWorker(new URL("./writer.worker.ts", import.meta.url), {}, onDeath);

/** Rows as texts, since copying thousands of objects to another thread would block this one for long. */
async function encodeRows(kind: RegistryKind, rows: readonly RegistryRow[]): Promise<EncodedRows> {
  const encoded: EncodedRows = { keys: [], texts: [] };
  for (let index = 0; index < rows.length; index++) {
    if (index > 0 && index % ENCODE_ROWS === 0) await new Promise((resume) => setImmediate(resume));
    const row: unknown = rows[index];
    const key = isRow(row) ? keyOf(kind, row) : null;
    if (key === null) continue;
    encoded.keys.push(key);
    encoded.texts.push(JSON.stringify(row));
  }
  return encoded;
}
