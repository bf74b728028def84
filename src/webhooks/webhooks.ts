import { existsSync } from "node:fs";
import { join } from "node:path";
import { AppError, type ErrorCode, messageOf } from "../domain/errors.ts";
import type { StateChange } from "../domain/home.ts";
import type { ChangeFeed } from "../domain/ingest.ts";
import type { Micros } from "../domain/sample.ts";
import type { NewEvent, Outbox, SystemEventType, WebhookInput, Webhooks } from "../domain/webhook.ts";
import { lastMovedAside, remedyOf } from "../lib/damaged-database.ts";
import type { Logger } from "../lib/log.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";
import { nowMicros } from "../lib/time.ts";
import { type Remote, startWorker, WorkerFailure } from "../lib/worker-rpc.ts";
import { createAddressRules } from "./address-rules.ts";
import type { Hold } from "./commands.ts";
import { DATABASE_FILE, type SqliteSettings } from "./database.ts";
import { EVENTS_PER_COMMIT_MAX } from "./events.ts";
import { type CompiledFilter, compileFilter, foldFacts } from "./filters.ts";
import { type AreasOf, stateEvent } from "./state-events.ts";
import type { WorkerCommands, WorkerSettings } from "./webhooks.worker.ts";

/** Calls that may wait for the thread; what comes on top is refused as `unavailable`. */
export const CALLS_WAITING_MAX = 1_000;
/** State changes that may wait for the disk; what comes on top is dropped and counted. */
export const STATE_EVENTS_WAITING_MAX = 10_000;
const COMMIT_AGAIN_MS = 1_000;
const STATUS_EVERY_MS = 2_000;
/** A home without webhooks needs no thread for them: it is ended after so long without a question, and 15 MB with it. */
const IDLE_MS = 4_000;

export interface WebhookOptions {
  /** Where webhooks.db and webhooks.key are. */
  readonly directory: string;
  readonly settings: SqliteSettings;
  /** WEBHOOK_ALLOW, and beside it what is always allowed: the host and port of Home Assistant. */
  readonly allow: readonly string[];
  readonly retrySeconds: readonly number[];
  readonly timeoutSeconds: number;
  /** Home Assistant as a receiver, where one is configured. */
  readonly home?: HomeReceiver | null;
  readonly version: string;
  readonly log: Logger;
  readonly idleMs?: number;
}

/** Home Assistant answers 200 to webhooks while it starts, and hears none of them. */
export interface HomeReceiver {
  /** Host and port. */
  readonly origin: string;
  /** False takes any TLS certificate of it, and of it alone. */
  readonly verifySsl: boolean;
}

export interface OpenWebhooks extends Outbox, Webhooks {
  /**
   * Tells what concerns the program itself; events of one subject keep their order, and those of one type and key are
   * told once. Never rejects: failures are logged. Where no webhook is registered nobody is told, and nothing is kept.
   */
  tell(
    type: SystemEventType,
    subject: string,
    data: Readonly<Record<string, unknown>>,
    more?: { readonly at?: Micros; readonly key?: string },
  ): Promise<void>;
  /** Lets the thread sleep now where nobody needs it: what follows may need the memory. */
  rest(): Promise<void>;
  /** Tells webhooks of the state changes that they ask for, and keeps those that disabled ones ask for. */
  watch(feed: Pick<ChangeFeed, "subscribe">, areasOf: AreasOf): void;
  /**
   * Why Home Assistant gets nothing for the moment; null: it does. What waits for it keeps its order and counts no
   * attempts. From the start until it is told otherwise it gets nothing.
   */
  holdHome(reason: string | null): void;
  /** Ends what is under way; what has not arrived goes on after the next start. */
  close(): Promise<void>;
}

/** Opens the webhooks in a thread of their own, which sleeps while there are none. Rejects with an AppError that names path and remedy. */
export async function openWebhooks(options: WebhookOptions): Promise<OpenWebhooks> {
  const { log, home = null } = options;
  // Also a check, here where a fault stops the start with a clear line.
  createAddressRules(options.allow);
  let dead: string | null = null;
  const workerData: WorkerSettings = {
    directory: options.directory,
    settings: options.settings,
    allow: options.allow,
    retrySeconds: options.retrySeconds,
    timeoutSeconds: options.timeoutSeconds,
    userAgent: `HA-Ingestor/${options.version}`,
    unverifiedOrigin: home?.verifySsl === false ? home.origin : null,
  };
  let homeHeld: string | null = "it is not known yet whether Home Assistant has started";
  const hold = (): Hold | null =>
    home === null || homeHeld === null ? null : { origin: home.origin, reason: homeHeld };
  const { idleMs = IDLE_MS } = options;
  let thread: { readonly remote: Remote<WorkerCommands>; readonly opened: Promise<void> } | undefined;
  let askedAt = performance.now();
  let closed = false;
  /** A damaged database that was moved aside, as long as its owner leaves it there. */
  let aside: string | null = null;
  const noteLoss = (): void => {
    const found = lastMovedAside(join(options.directory, DATABASE_FILE));
    if (found !== null && found !== aside) log.error(lossOf(found));
    aside = found;
  };
  const wake = (): NonNullable<typeof thread> => {
    if (thread !== undefined) return thread;
    const file = new URL("./webhooks.worker.ts", import.meta.url);
    const remote: Remote<WorkerCommands> = startWorker(file, { workerData }, (error) => {
      dead = `the thread of the webhooks has ended: ${error.message}`;
      log.error({ err: error }, "The thread of the webhooks has ended");
    });
    const opened = remote.call("open", hold()).then(noteLoss);
    // Whoever asks hears of it.
    opened.catch(() => undefined);
    thread = { remote, opened };
    return thread;
  };
  const sleep = async (): Promise<void> => {
    const left = thread;
    thread = undefined;
    await left?.remote.call("close", null).catch((error: unknown) => log.warn(`Closing failed: ${messageOf(error)}`));
    await left?.remote.terminate();
  };
  const ask = async <K extends keyof WorkerCommands & string>(
    purpose: string,
    name: K,
    argument: Parameters<WorkerCommands[K]>[0],
  ): Promise<Awaited<ReturnType<WorkerCommands[K]>>> => {
    if (closed) throw new AppError("unavailable", `Cannot ${purpose}: the webhooks are closed`);
    const { remote, opened } = wake();
    if (remote.pending >= CALLS_WAITING_MAX) {
      throw new AppError("unavailable", `Cannot ${purpose}: ${remote.pending} calls are waiting already`);
    }
    askedAt = performance.now();
    try {
      await opened;
      return await remote.call(name, argument);
    } catch (error) {
      throw asAppError(`Cannot ${purpose}`, error);
    }
  };
  try {
    await wake().opened;
  } catch (error) {
    await thread?.remote.terminate();
    throw asAppError("Cannot open the webhooks", error);
  }

  let status = await ask("read the webhooks' figures", "status", null);
  let filters: readonly CompiledFilter[] = [];
  const refreshFilters = async (): Promise<void> => {
    // Asking would start the thread anew, and nobody would end it.
    if (closed) return;
    filters = (await wake().remote.call("stateFilters", null)).map(compileFilter);
  };
  await refreshFilters();
  /** Looks at what the thread did by itself; questions of others are what keeps it awake. */
  const lookAfter = async (unaskedMs: number): Promise<void> => {
    if (thread === undefined) return;
    const { remote } = thread;
    status = await remote.call("status", null);
    for (const warning of await remote.call("warnings", null)) log.warn(warning);
    if (status.webhooks === 0 && remote.pending === 0 && performance.now() - askedAt >= unaskedMs) await sleep();
  };
  const refresh = (unaskedMs: number): Promise<void> =>
    lookAfter(unaskedMs).catch(() => {
      // The thread has ended, which is told of where it is noticed.
    });
  const refreshing = setInterval(() => void refresh(idleMs), Math.min(STATUS_EVERY_MS, idleMs)).unref();

  const changed = async <Result>(work: Promise<Result>): Promise<Result> => {
    const result = await work;
    await refreshFilters();
    return result;
  };

  const commit: Outbox["commit"] = (what) => ask("store events", "commit", what);
  const states = createStateQueue(commit, log);
  let unwatch = (): void => {};

  return {
    commit,
    storedGames: () => ask("read the games", "storedGames", null),
    failingSources: () => ask("read which sources fail", "failingSources", null),
    followedTeams: () => ask("read the followed teams", "followedTeams", null),
    saveFollowedTeams: (teams) => ask("store the followed teams", "saveFollowedTeams", teams),
    register: (input: WebhookInput) => changed(ask("register the webhook", "register", input)),
    list: () => ask("list the webhooks", "list", null),
    get: (id) => ask("read the webhook", "get", id),
    update: (id, change) => changed(ask("change the webhook", "update", { id, change })),
    delete: (id) => changed(ask("remove the webhook", "delete", id)),
    setEnabled: (id, enabled) => changed(ask("change the webhook", "setEnabled", { id, enabled })),
    rotate: (id, secret) => ask("change the secret", "rotate", { id, secret }),
    sendTest: (id) => ask("send a test event", "sendTest", id),
    deliveries: (query) => ask("list deliveries", "deliveries", query),
    delivery: (id) => ask("read the delivery", "delivery", id),
    replay: (id) => ask("replay the delivery", "replay", id),
    replaySpan: (id, span) => ask("replay events", "replaySpan", { id, ...span }),
    status: () => ({
      ...status,
      dropped: states.dropped,
      fault: dead ?? status.fault,
      loss: aside !== null && existsSync(aside) ? lossOf(aside) : null,
    }),
    async tell(type, subject, data, { at = nowMicros(), ...key } = {}) {
      if (thread === undefined) return;
      await commit({ events: [{ type, orderKey: subject, at, data, ...key }] }).catch((error: unknown) => {
        log.error(`Webhooks hear nothing of ${type} of "${subject}": ${messageOf(error)}`);
      });
    },
    rest: () => refresh(0),
    watch(feed, areasOf) {
      unwatch = feed.subscribe((change) => {
        if (!filters.some((filter) => filter.matchesEntity(change.entityId))) return;
        const event = eventFor(change, filters, areasOf);
        if (event) states.add(event);
      });
    },
    holdHome(reason) {
      homeHeld = reason;
      // A thread that sleeps is told when it opens; one that has ended was told of where it was noticed.
      thread?.remote.call("hold", hold()).catch(() => undefined);
    },
    async close() {
      unwatch();
      clearInterval(refreshing);
      await states.close();
      closed = true;
      await sleep();
    },
  };
}

function lossOf(aside: string): string {
  return (
    `The database of the webhooks was damaged and is now "${aside}": the webhooks in it, their deliveries and the ` +
    `teams followed over HTTP are gone from here. ${remedyOf(aside, DATABASE_FILE)}; or register them again. Moving ` +
    "that file elsewhere ends this notice"
  );
}

/** The thread matches again, and decides; what no webhook asks for need not go there. */
function eventFor(change: StateChange, filters: readonly CompiledFilter[], areasOf: AreasOf): NewEvent | undefined {
  const event = stateEvent(change, areasOf);
  if (event === undefined) return undefined;
  const facts = foldFacts(event);
  return filters.some((filter) => filter.matches(facts)) ? event : undefined;
}

interface StateQueue {
  readonly dropped: number;
  add(event: NewEvent): void;
  close(): Promise<void>;
}

/** Brings state changes to the outbox in their order, many in one commit when they come fast. */
function createStateQueue(commit: Outbox["commit"], log: Logger): StateQueue {
  let waiting: NewEvent[] = [];
  let dropped = 0;
  let working: Promise<void> | undefined;
  let closed = false;

  async function work(): Promise<void> {
    while (waiting.length > 0) {
      const group = waiting.slice(0, EVENTS_PER_COMMIT_MAX);
      try {
        await commit({ events: group });
        waiting = waiting.slice(group.length);
      } catch (error) {
        log.warn(`State changes wait for their webhooks: ${messageOf(error)}`);
        if (closed) return;
        await new Promise((resume) => setTimeout(resume, COMMIT_AGAIN_MS).unref());
      }
    }
  }

  return {
    get dropped() {
      return dropped;
    },
    add(event) {
      if (closed || waiting.length >= STATE_EVENTS_WAITING_MAX) {
        dropped++;
        return;
      }
      waiting.push(event);
      working ??= work().finally(() => {
        working = undefined;
      });
    },
    async close() {
      closed = true;
      await working;
    },
  };
}

const CODES: ReadonlySet<string> = new Set<ErrorCode>(["invalid", "not_found", "conflict", "too_large", "unavailable"]);

/** What a caller can act on: the thread's own AppErrors as they are, SQLite's refusals and a dead thread `unavailable`. */
function asAppError(purpose: string, error: unknown): unknown {
  if (error instanceof WorkerFailure) {
    if (error.code !== undefined && CODES.has(error.code)) {
      return new AppError(error.code as ErrorCode, error.message, { cause: error });
    }
    if (error.errcode === undefined) return error;
  }
  return new AppError("unavailable", `${purpose}: ${sqliteReason(error)}`, { cause: error });
}
