import { setTimeout as wait } from "node:timers/promises";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { AppError } from "../../domain/errors.ts";
import type { TargetState, TargetStatus } from "../../domain/forwarding.ts";
import type { Micros, Value } from "../../domain/sample.ts";
import type { SeriesNumber } from "../../domain/series.ts";
import { createBackoff } from "../../lib/backoff.ts";
import type { Logger } from "../../lib/log.ts";
import { sqliteReason } from "../../lib/sqlite-reason.ts";
import { unpackValues } from "../hot/columns.ts";
import type { ForwardCommands } from "../hot/committer.ts";
import type { NextBatch, StoredTarget } from "../hot/outgoing.ts";
import type { WriteOutcome } from "./answers.ts";
import type { InfluxClient } from "./client.ts";
import { type Delivery, deliver } from "./deliver.ts";
import type { ForwardedSeries } from "./forwarded-series.ts";
import { type LineEncoder, lineEncoder } from "./layout.ts";
import type { QueuedSamples } from "./overtaken.ts";
import type { TargetSettings } from "./target-settings.ts";

const RETRY_FIRST_MS = 1_000;
const RETRY_CAP_MS = 60_000;
/** How often a target that refuses our settings is asked whether it still does. */
const STOPPED_RETRY_MS = 60_000;
/** Dead letters that are sent again together. */
const REPLAY_AT_ONCE = 1_000;
/** Notes of when the queue had grown to where; every second one goes when there are more. */
const MARKS_MAX = 1_000;

/** Characters of a batch's lines; one more may be any size. */
const LINES_CHARACTERS_MAX = 8_000_000;
/** Samples after which others of the main thread have their turn: a few milliseconds. */
const ENCODED_AT_ONCE = 1_000;

const compress = promisify(gzip);
const decompress = promisify(gunzip);

export interface ForwarderOptions {
  readonly settings: TargetSettings;
  readonly role: "archive" | "mirror";
  readonly client: InfluxClient;
  readonly stored: StoredTarget;
  /** The number of the queue's newest sample when the store was opened. */
  readonly queued: number;
  readonly commands: ForwardCommands;
  /** What a line says of a series; undefined for one that is gone. */
  readonly series: (number: SeriesNumber) => ForwardedSeries | undefined;
  /** Whether samples at this time are to be sent; all are without it. */
  readonly wants?: (ts: Micros) => boolean;
  /** The places of samples that are not to be sent, since others came before them; all are without it. */
  readonly overtaken?: (samples: QueuedSamples) => Promise<ReadonlySet<number>>;
  readonly log: Logger;
  readonly now: () => Micros;
  readonly random?: () => number;
  /** Rejects when aborted. */
  readonly sleep?: (ms: number, signal: AbortSignal) => Promise<unknown>;
}

/** Brings samples from the queue to one server, in their order, each at least once and as the same bytes. */
export interface Forwarder {
  readonly settings: TargetSettings;
  status(): TargetStatus;
  /** The queue ends with this number now. */
  queued(end: number): void;
  /**
   * Resolves when everything up to this number was taken. Rejects (`unavailable`) as soon as the server does not take
   * what it gets, or on closing.
   */
  reached(seq: number): Promise<void>;
  /** Sends lines beside the queue, for whoever reads samples elsewhere; refused ones become dead letters. */
  deliver(lines: readonly string[]): Promise<void>;
  /**
   * Sends lines that were taken from the queue before; answers how many the server refuses. Those it either refused the
   * first time as well, or they are older than what it keeps by now, so they become no dead letters.
   */
  deliverAgain(lines: readonly string[]): Promise<number>;
  replay(): Promise<{ readonly taken: number; readonly refused: number }>;
  /** Ends what is under way; it is sent again after the next start. */
  close(): Promise<void>;
}

export function createForwarder(options: ForwarderOptions): Forwarder {
  const { settings, role, client, stored, commands, log, now } = options;
  const { name } = settings;
  const sleep = options.sleep ?? ((ms: number, signal: AbortSignal) => wait(ms, undefined, { signal, ref: false }));
  const backoff = createBackoff(RETRY_FIRST_MS, RETRY_CAP_MS, options.random);
  const closing = new AbortController();

  let state: TargetState = "starting";
  let reason: string | null = null;
  let prepared = false;
  /** Its bucket or database is not there. */
  let missing = false;
  /** What the hot tier has is to be queued for the next bucket or database, as soon as the disk takes that. */
  let lost = false;
  let end = options.queued;
  let acknowledged = stored.acknowledged;
  /** Ascending: when the queue ended where. */
  let marks: { readonly end: number; readonly at: Micros }[] = end > acknowledged ? [{ end, at: now() }] : [];
  let lastSuccessAt: Micros | null = null;
  let deadLetters = stored.deadLetters;
  let skipped = stored.skipped;
  const counts = { delivered: 0, batches: 0, requests: 0, failures: 0, refused: 0, deadLettersDropped: 0 };
  const waiters: { readonly seq: number; resolve(): void; reject(error: Error): void }[] = [];
  /** Who waits for something beside the queue. */
  const callers = new Set<(error: Error) => void>();
  /** Ends the pause until the queue is looked at again; null while there is none. */
  let wake: (() => void) | null = null;
  /** Batches, replays and others' lines go one after the other. */
  let turn: Promise<unknown> = Promise.resolve();

  const unavailable = (): AppError =>
    new AppError("unavailable", `Cannot forward to "${name}": ${closing.signal.aborted ? "it is closing" : reason}`);

  function fail(next: "retrying" | "stopped", why: string): void {
    if (state !== next || reason === null) {
      const what = next === "stopped" ? "refuses" : "does not take";
      log.warn({ target: name, waiting: end - acknowledged }, `"${name}" ${what} samples, which wait for it: ${why}`);
    }
    state = next;
    reason = why;
    rejectWaiting();
  }

  function rejectWaiting(): void {
    for (const waiter of waiters.splice(0)) waiter.reject(unavailable());
    for (const reject of [...callers]) reject(unavailable());
  }

  function succeeded(): void {
    if (reason !== null) log.info({ target: name, waiting: end - acknowledged }, `"${name}" takes samples again`);
    state = "running";
    reason = null;
    lastSuccessAt = now();
    backoff.reset();
  }

  /** One request, counted. */
  async function send(request: () => Promise<WriteOutcome>): Promise<WriteOutcome> {
    counts.requests++;
    const outcome = await request();
    if (outcome.kind !== "taken") counts.failures++;
    return outcome;
  }

  async function attempt(lines: readonly string[], body?: Uint8Array): Promise<Delivery> {
    if (!prepared) {
      const outcome = await send(() => client.prepare(missed));
      if (outcome.kind === "later" || outcome.kind === "stopped") return outcome;
      if (lost) await refill();
      missing = false;
      prepared = true;
    }
    const delivery = await deliver(lines, (part) =>
      send(async () => client.write(part === lines && body !== undefined ? body : await compressed(part))),
    );
    if (delivery.kind === "stopped" && delivery.missing) {
      prepared = false;
      await missed();
    }
    return delivery;
  }

  /**
   * Its bucket or database is not there. The disk is to know that the next one gets what the hot tier has before there is
   * any: a later start could not tell that it is another one.
   */
  async function missed(): Promise<void> {
    if (!missing) lost = true;
    missing = true;
    if (lost) await refill();
  }

  /** What the hot tier has comes again, as for a new target. */
  async function refill(): Promise<void> {
    const isBegun = await commands.refill(name);
    lost = false;
    if (isBegun) log.warn({ target: name }, `"${name}" has lost its samples: those of the last days go again`);
  }

  /** The pause before the next try; what the server asked for counts. */
  async function pause(interruption: Exclude<Delivery, { kind: "delivered" }>): Promise<void> {
    // Whatever changed at the server, a missing bucket may be made at the next try.
    prepared = false;
    const stopped = interruption.kind === "stopped";
    fail(stopped ? "stopped" : "retrying", interruption.reason);
    const afterMs = stopped ? STOPPED_RETRY_MS : Math.max(interruption.afterMs ?? 0, backoff.next());
    await sleep(afterMs, closing.signal);
  }

  /** As often as it takes; rejects only on closing. */
  async function deliverAll(lines: readonly string[], body?: Uint8Array) {
    for (;;) {
      closing.signal.throwIfAborted();
      const delivery = await attempt(lines, body);
      if (delivery.kind === "delivered") return delivery.refused;
      await pause(delivery);
    }
  }

  /** Rejects where the server takes nothing now. */
  async function deliverOnce(lines: readonly string[]) {
    const delivery = await attempt(lines);
    if (delivery.kind !== "delivered") throw new AppError("unavailable", `"${name}": ${delivery.reason}`);
    return delivery.refused;
  }

  /** Lines of samples until they are long enough together; `last`: up to where those go. */
  async function encode(
    batch: Extract<NextBatch, { kind: "samples" }>,
  ): Promise<{ lines: string[]; samples: number; last: number }> {
    const values: readonly Value[] = unpackValues(batch.packed);
    const overtaken = await options.overtaken?.({ series: batch.series, ts: batch.packed.ts, values });
    const encoders = new Map<SeriesNumber, LineEncoder | undefined>();
    const lines: string[] = [];
    let characters = 0;
    for (let i = 0; i < values.length; i++) {
      if (characters >= LINES_CHARACTERS_MAX) return { lines, samples: i, last: batch.seqs[i - 1]! };
      if (i % ENCODED_AT_ONCE === ENCODED_AT_ONCE - 1) await new Promise((resolve) => setImmediate(resolve));
      const number = batch.series[i]!;
      const ts = batch.packed.ts[i]!;
      if (options.wants?.(ts) === false || overtaken?.has(i)) continue;
      if (!encoders.has(number)) {
        const series = options.series(number);
        encoders.set(number, series && lineEncoder(settings.layout, series));
      }
      const line = encoders.get(number)?.(ts, values[i]!) ?? null;
      if (line === null) continue;
      lines.push(line);
      characters += line.length;
    }
    return { lines, samples: values.length, last: batch.last };
  }

  /** One batch of the queue; false when there was none. */
  async function forwardOne(): Promise<boolean> {
    const target = name;
    const batch = await commands.call("nextBatch", { target, limit: settings.batchSamplesMax });
    if (batch === null) {
      reach(end);
      return false;
    }
    let lines: readonly string[];
    let body: Uint8Array;
    let samples: number;
    let last = batch.last;
    if (batch.kind === "cut") {
      body = batch.lines;
      samples = batch.samples;
      lines = linesOf((await decompress(body)).toString("utf8"));
    } else {
      ({ lines, samples, last } = await encode(batch));
      body = await compressed(lines);
      if (lines.length > 0) await commands.call("cutBatch", { target, last, samples, lines: body });
    }
    const refused = lines.length === 0 ? [] : await deliverAll(lines, body);
    const letters = refused.map((letter) => ({ ...letter, at: now() }));
    const answer = await commands.call("acknowledge", { target, last, letters });
    if (lines.length > 0 || state === "retrying") succeeded();
    skipped = answer.skipped;
    counts.delivered += lines.length - refused.length;
    counts.batches++;
    bury(refused.length, answer.dropped);
    if (refused.length > 0) {
      log.warn({ target, lines: refused.length }, `"${target}" refused lines: ${refused[0]!.reason}`);
    }
    reach(last);
    return true;
  }

  function bury(refused: number, dropped: number): void {
    counts.refused += refused;
    counts.deadLettersDropped += dropped;
    deadLetters += refused - dropped;
  }

  function reach(seq: number): void {
    acknowledged = Math.max(acknowledged, seq);
    end = Math.max(end, acknowledged);
    marks = marks.filter((mark) => mark.end > acknowledged);
    for (let i = waiters.length - 1; i >= 0; i--) {
      if (waiters[i]!.seq <= acknowledged) waiters.splice(i, 1)[0]!.resolve();
    }
  }

  function inTurn<T>(work: () => Promise<T>): Promise<T> {
    const result = turn.then(work);
    turn = result.catch(() => {});
    return result;
  }

  /** Work beside the queue. Who asks for it need not wait while the server takes nothing. */
  function aside<T>(work: () => Promise<T>): Promise<T> {
    if (reason !== null || closing.signal.aborted) return Promise.reject(unavailable());
    const { promise, resolve, reject } = Promise.withResolvers<T>();
    callers.add(reject);
    inTurn(work).then(resolve, reject);
    return promise.finally(() => callers.delete(reject));
  }

  /** Until a batch is full, or the first of it has waited long enough, or someone waits for it. */
  async function gather(): Promise<void> {
    if (acknowledged >= end) await new Promise<void>((resolve) => (wake = resolve));
    const enough = (): boolean => end - acknowledged >= settings.batchSamplesMax || waiters.length > 0;
    if (enough() || closing.signal.aborted) return;
    const timer = new AbortController();
    await Promise.race([
      sleep(settings.batchSeconds * 1000, AbortSignal.any([closing.signal, timer.signal])).catch(() => {}),
      new Promise<void>((resolve) => {
        wake = () => {
          if (enough() || closing.signal.aborted) resolve();
        };
      }),
    ]);
    timer.abort();
  }

  async function run(): Promise<void> {
    while (!closing.signal.aborted) {
      try {
        wake = null;
        await gather();
        while (!closing.signal.aborted && (await inTurn(forwardOne)) && end - acknowledged >= settings.batchSamplesMax);
      } catch (error) {
        if (closing.signal.aborted) return;
        // The disk refuses a commit, or the writer's thread died: what is queued stays.
        await pause({ kind: "later", reason: sqliteReason(error), afterMs: null }).catch(() => {});
      }
    }
  }
  const running = run();

  return {
    settings,
    status: () => ({
      name,
      role,
      url: settings.url,
      layout: settings.layout,
      version: client.version(),
      state,
      reason,
      waiting: end - acknowledged,
      filling: commands.filling().includes(name),
      behindSince: marks[0]?.at ?? null,
      lastSuccessAt,
      skipped,
      deadLetters,
      queries: client.queries(),
      ...counts,
    }),

    queued(next) {
      if (next <= end) return;
      end = next;
      marks.push({ end, at: now() });
      if (marks.length > MARKS_MAX) marks = marks.filter((_, i) => i % 2 === 0 || i === marks.length - 1);
      wake?.();
    },

    reached(seq) {
      if (seq <= acknowledged) return Promise.resolve();
      if (reason !== null || closing.signal.aborted) return Promise.reject(unavailable());
      return new Promise((resolve, reject) => {
        waiters.push({ seq, resolve, reject });
        wake?.();
      });
    },

    deliver: (lines) =>
      aside(async () => {
        const letters = (await deliverOnce(lines)).map((letter) => ({ ...letter, at: now() }));
        if (letters.length === 0) return;
        const { dropped } = await commands.call("acknowledge", { target: name, last: acknowledged, letters });
        bury(letters.length, dropped);
      }),

    deliverAgain: (lines) => aside(async () => (await deliverOnce(lines)).length),

    replay: () =>
      aside(async () => {
        let taken = 0;
        let refused = 0;
        for (let after = 0; ; ) {
          const letters = await commands.call("oldestDeadLetters", { target: name, after, limit: REPLAY_AT_ONCE });
          if (letters.length === 0) return { taken, refused };
          after = letters[letters.length - 1]!.id;
          const delivery = await attempt(letters.map(({ line }) => line));
          if (delivery.kind !== "delivered") {
            throw new AppError("unavailable", `Cannot send dead letters to "${name}" again: ${delivery.reason}`);
          }
          const again = new Set(delivery.refused.map(({ line }) => line));
          const gone = letters.filter(({ line }) => !again.has(line)).map(({ id }) => id);
          await commands.call("removeDeadLetters", gone);
          deadLetters -= gone.length;
          taken += gone.length;
          refused += letters.length - gone.length;
        }
      }),

    async close() {
      closing.abort();
      wake?.();
      rejectWaiting();
      await running;
      await turn;
      if (!lost) return;
      await refill().catch((error) => {
        // The disk refuses still.
        const what = "and if it is there again at the next start, it does not get those of the last days";
        log.error({ target: name }, `"${name}" has lost its samples, ${what}: ${sqliteReason(error)}`);
      });
    },
  };
}

async function compressed(lines: readonly string[]): Promise<Uint8Array> {
  return compress(lines.length === 0 ? "" : `${lines.join("\n")}\n`, { level: 1 });
}

/** The lines of a body; a line feed within a text does not end one. */
function linesOf(body: string): string[] {
  const lines: string[] = [];
  let begin = 0;
  let quoted = false;
  for (let i = 0; i < body.length; i++) {
    const code = body.charCodeAt(i);
    if (code === BACKSLASH) i++;
    else if (code === QUOTE) quoted = !quoted;
    else if (code === LINE_FEED && !quoted) {
      lines.push(body.slice(begin, i));
      begin = i + 1;
    }
  }
  return lines;
}

const BACKSLASH = 92;
const QUOTE = 34;
const LINE_FEED = 10;
