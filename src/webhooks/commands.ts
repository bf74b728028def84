import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import type {
  DeliveryPage,
  DeliveryQuery,
  DeliveryRow,
  NewEvent,
  OutboxCommit,
  Registered,
  StoredGame,
  StoredTeam,
  WebhookInput,
  WebhookRow,
  WebhookStatus,
} from "../domain/webhook.ts";
import { sqliteReason } from "../lib/sqlite-reason.ts";
import { isoFromMicros } from "../lib/time.ts";
import { type AddressRules, checkTarget, type Resolve } from "./address-rules.ts";
import { createAttempts } from "./attempts.ts";
import { openDeliveries, WAITING_PER_WEBHOOK_MAX } from "./deliveries.ts";
import { createDispatcher, URGENT_LANE } from "./dispatcher.ts";
import { EVENTS_PER_COMMIT_MAX, openEvents } from "./events.ts";
import { foldFacts, type WebhookFilter } from "./filters.ts";
import type { Journal } from "./journal.ts";
import { type Added, createOutbox, newAdded } from "./outbox.ts";
import {
  checkDescription,
  filterOf,
  newWebhookId,
  openRegistrations,
  type Registration,
  ROTATION_OVERLAP_MICROS,
  WEBHOOKS_MAX,
} from "./registrations.ts";
import { generateSecret, keyOfSecret, type Vault } from "./secrets.ts";
import type { Sender } from "./send.ts";
import { openSportsRows } from "./sports-rows.ts";

/** Deliveries that one replay may bring. */
const REPLAY_MAX = WAITING_PER_WEBHOOK_MAX;
/** What is too old or too much is looked for so often, and whenever so many events and deliveries have come. */
const PRUNE_EVERY_MS = 3_600_000;
const PRUNE_EVERY_ROWS = 10_000;
const CLOSE_GRACE_MS = 2_000;

export interface CommandsOptions {
  readonly database: DatabaseSync;
  readonly journal: Journal;
  readonly vault: Vault;
  readonly rules: AddressRules;
  readonly resolve: Resolve;
  readonly sender: Sender;
  readonly retrySeconds: readonly number[];
  readonly userAgent: string;
  /** What is on hold from the beginning; see `hold`. */
  readonly held?: Hold | null;
  readonly warn: (message: string) => void;
  readonly now?: () => number;
  readonly random?: () => number;
  readonly after?: (ms: number, run: () => void) => () => void;
}

/** A host and port that gets nothing for the moment, and why. */
export interface Hold {
  readonly origin: string;
  readonly reason: string;
}

/**
 * What the state of a home has to be compared with, for whoever sees each change. A disabled webhook counts, since a
 * replay brings what happens meanwhile.
 */
export type StateFilters = readonly WebhookFilter[];

interface ReplaySpan {
  readonly id: string;
  readonly start: Micros;
  readonly end: Micros;
  readonly onlyFailed: boolean;
}

export type WebhookCommands = ReturnType<typeof createWebhookCommands>;

/** Everything that the thread of the webhooks does, over an open database; also what it sends. */
export function createWebhookCommands(options: CommandsOptions) {
  const { database, journal, vault, rules, resolve, sender, retrySeconds } = options;
  const { now = Date.now, random = Math.random } = options;
  const micros = (): Micros => now() * 1000;
  const registrations = openRegistrations(database, vault);
  const events = openEvents(database);
  const deliveries = openDeliveries(database);
  const sports = openSportsRows(database);
  const outbox = createOutbox({ registrations, events, deliveries, dispatcher: () => dispatcher, micros });
  const counters = { delivered: 0, failedAttempts: 0, deadLetters: 0, events: 0 };
  let fault: string | null = null;
  let held = options.held ?? null;
  let rowsSincePrune = 0;
  let closing = false;

  const attempts = createAttempts({
    ...{ registrations, deliveries, outbox, sender, retrySeconds, now, random, dispatch },
    userAgent: options.userAgent,
    write: (work) => write(work, true),
    isGentle: (id) => dispatcher.isGentle(id),
    ended(arrived, isLast) {
      if (arrived) counters.delivered++;
      else counters.failedAttempts++;
      if (!arrived && isLast) counters.deadLetters++;
    },
    warn: options.warn,
  });

  const dispatcher = createDispatcher({
    receiver(webhookId) {
      const found = registrations.all.get(webhookId);
      if (!found?.enabled || found.secret === undefined || found.origin === held?.origin) return undefined;
      return { origin: found.origin, failing: found.failingSince !== null };
    },
    ...attempts,
    now,
    random,
    ...(options.after ? { after: options.after } : {}),
  });

  /** Each write is durable when it resolves; the first refusal of the disk is told of, and its end. */
  async function write<Result>(work: () => Result, soon = false): Promise<Result> {
    const failures = journal.failures;
    try {
      const result = await journal.write(work, { soon });
      fault = null;
      return result;
    } catch (error) {
      if (journal.failures > failures) {
        const reason = sqliteReason(error);
        if (fault === null) options.warn(`The database of the webhooks takes nothing at present: ${reason}`);
        fault = reason;
      }
      throw error;
    }
  }

  /**
   * A change of one webhook. It is in memory as soon as it is written, so that an event in the same transaction meets
   * the webhook as it then is.
   */
  async function changed(id: string, work: () => void): Promise<void> {
    try {
      await write(() => {
        work();
        registrations.refresh(id);
      });
    } catch (error) {
      registrations.refresh(id);
      throw error;
    }
    dispatcher.wake(id);
  }

  function dispatch(added: Added): void {
    counters.events += added.events;
    counters.deadLetters += added.turnedAway;
    dispatcher.add(added.deliveries);
    rowsSincePrune += added.events + added.deliveries.length + added.turnedAway;
    if (rowsSincePrune >= PRUNE_EVERY_ROWS) prune();
  }

  /** Within a transaction: what `dispatcher.hurry` does after it. */
  function hurry(id: string): void {
    deliveries.hurry(id);
    registrations.forgetPause(id);
  }

  // What owners ask for

  function rowOf(registration: Registration): WebhookRow {
    const { filter } = registration;
    const iso = (at: Micros | null): string | null => (at === null ? null : isoFromMicros(at));
    const unreadable = registration.secret === undefined;
    return {
      id: registration.id,
      url: registration.url,
      description: registration.description,
      events: filter.events,
      team: filter.team,
      league: filter.league,
      entity: filter.entities,
      area: filter.areas,
      from: filter.from,
      to: filter.to,
      secret: "***",
      enabled: registration.enabled && !unreadable,
      disabled_reason: unreadable
        ? "its secret was sealed with another key: give it a new one (rotate)"
        : registration.disabledReason,
      on_hold: holdOf(registration),
      waiting: dispatcher.waitingOf(registration.id),
      total_calls: registration.successes,
      failed_calls: registration.failures,
      last_success: iso(registration.lastSuccess),
      last_failure: iso(registration.lastFailure),
      last_error: registration.lastError,
      failing_since: iso(registration.failingSince),
      created_at: isoFromMicros(registration.createdAt),
      updated_at: isoFromMicros(registration.updatedAt),
    };
  }

  function holdOf({ id, origin }: Registration): string | null {
    if (origin === held?.origin) return held.reason;
    return dispatcher.isPaused(id) ? "its receiver asked to be left alone for a while (Retry-After)" : null;
  }

  function assertRoom(): void {
    if (registrations.all.size < WEBHOOKS_MAX) return;
    throw new AppError("conflict", `Cannot register another webhook: there are ${WEBHOOKS_MAX} already`);
  }

  for (const { id, pause } of registrations.all.values()) if (pause !== null) dispatcher.restorePause(id, pause);
  dispatcher.add(deliveries.waiting(), true);
  function prune(): void {
    rowsSincePrune = 0;
    write(() => deliveries.prune(micros()), true).then(
      (more) => {
        if (more && !closing) setImmediate(prune);
      },
      () => {
        // Told of by `write`; the next hour tries again.
      },
    );
  }
  // A thread that sleeps whenever nothing is told has no hours.
  prune();
  const pruning = setInterval(prune, PRUNE_EVERY_MS);

  return {
    async commit({ events: list, ...facts }: OutboxCommit): Promise<void> {
      if (list.length > EVENTS_PER_COMMIT_MAX) {
        throw new RangeError(`A commit takes ${EVENTS_PER_COMMIT_MAX} events, not ${list.length}`);
      }
      const added = newAdded();
      await write(() => {
        sports.save(facts);
        outbox.insert(list, added);
      });
      dispatch(added);
    },
    storedGames: (_: null): StoredGame[] => sports.games(),
    failingSources: (_: null): string[] => sports.failingSources(),
    followedTeams: (_: null): StoredTeam[] => sports.teams(),
    async saveFollowedTeams(teams: readonly StoredTeam[]): Promise<void> {
      await write(() => sports.saveTeams(teams));
    },

    async register(input: WebhookInput): Promise<Registered> {
      assertRoom();
      const filter = filterOf(input);
      const description = checkDescription(input.description);
      const secret = input.secret ?? generateSecret();
      keyOfSecret(secret);
      const warning = await checkTarget(rules, resolve, input.url);
      const id = newWebhookId();
      const url = rules.checkUrl(input.url).href;
      await changed(id, () => {
        // Others may have come while the name was looked up.
        assertRoom();
        registrations.insert({ id, url, description, filter, secret, at: micros() });
      });
      return {
        webhook: rowOf(registrations.get(id)),
        generatedSecret: input.secret === undefined || input.secret === null ? secret : null,
        warning,
      };
    },
    list: (_: null): WebhookRow[] => [...registrations.all.values()].map(rowOf),
    get: (id: string): WebhookRow => rowOf(registrations.get(id)),
    async update({ id, change }: { id: string; change: Partial<WebhookInput> }): Promise<Registered> {
      registrations.get(id);
      const warning = change.url === undefined ? null : await checkTarget(rules, resolve, change.url);
      let moved = false;
      await changed(id, () => {
        const before = registrations.get(id);
        const filter = filterOf(change, before.filter);
        const description =
          change.description === undefined ? before.description : checkDescription(change.description);
        const url = change.url === undefined ? before.url : rules.checkUrl(change.url).href;
        moved = url !== before.url;
        if (moved) hurry(id);
        registrations.update(id, { url, filter, description }, registrations.changeTime(id, micros()));
      });
      if (moved) dispatcher.hurry(id);
      return { webhook: rowOf(registrations.get(id)), generatedSecret: null, warning };
    },
    async delete(id: string): Promise<void> {
      registrations.get(id);
      await changed(id, () => {
        deliveries.removeOf(id);
        registrations.remove(id);
      });
      dispatcher.forget(id);
    },
    async setEnabled({ id, enabled }: { id: string; enabled: boolean }): Promise<WebhookRow> {
      await changed(id, () => {
        registrations.setEnabled(id, enabled, enabled ? null : "by its owner", registrations.changeTime(id, micros()));
        if (enabled) hurry(id);
      });
      if (enabled) dispatcher.hurry(id);
      return rowOf(registrations.get(id));
    },
    async rotate({ id, secret }: { id: string; secret: string | null }) {
      const next = secret ?? generateSecret();
      keyOfSecret(next);
      let at = 0;
      await changed(id, () => {
        at = registrations.changeTime(id, micros());
        registrations.rotate(id, next, at);
      });
      return { secret: secret === null ? next : null, previousUntil: isoFromMicros(at + ROTATION_OVERLAP_MICROS) };
    },

    async sendTest(id: string): Promise<DeliveryRow> {
      assertEnabled(registrations.get(id));
      const at = micros();
      const added = newAdded();
      await write(() => {
        const event: NewEvent = {
          type: "webhook_test",
          orderKey: `test ${id}`,
          at,
          data: { webhook_id: id, message: "A test event, sent on request" },
        };
        const { sequence } = events.insert(event)!;
        added.events++;
        // Whoever tests again has changed something, and need not wait for a test that failed before.
        outbox.queue({ webhookId: id, sequence, cause: "test", lane: `${URGENT_LANE}${sequence}`, at }, added);
      });
      dispatch(added);
      return firstOf(added);
    },
    deliveries(query: DeliveryQuery): DeliveryPage {
      if (query.webhookId !== null) registrations.get(query.webhookId);
      return deliveries.page(query);
    },
    delivery: (id: number) => deliveries.row(id),
    async replay(deliveryId: number): Promise<DeliveryRow> {
      const { webhookId, sequence, orderKey } = deliveries.source(deliveryId);
      assertEnabled(registrations.get(webhookId));
      const added = newAdded();
      await write(() =>
        outbox.queue({ webhookId, sequence, cause: "replay", lane: replayLane(orderKey), at: micros() }, added),
      );
      dispatch(added);
      return firstOf(added);
    },
    async replaySpan({ id, start, end, onlyFailed }: ReplaySpan) {
      assertEnabled(registrations.get(id));
      const added = newAdded();
      await write(() => {
        // Within the write, since what another replay has just queued need not be sent twice.
        for (const { sequence, orderKey } of chosenFor({ id, start, end, onlyFailed })) {
          outbox.queue({ webhookId: id, sequence, cause: "replay", lane: replayLane(orderKey), at: micros() }, added);
        }
      });
      dispatch(added);
      return added.deliveries.length;
    },

    /** What waits for that host and port stays in its order and counts no attempts; null: it goes on. */
    hold(next: Hold | null): void {
      const origin = held?.origin;
      held = next;
      for (const registration of registrations.all.values()) {
        if (registration.origin === origin) dispatcher.wake(registration.id);
      }
    },

    stateFilters: (_: null): StateFilters =>
      [...registrations.all.values()]
        .filter(({ compiled }) => compiled.types.has("state_changed"))
        .map(({ filter }) => filter),
    status: (_: null): Omit<WebhookStatus, "dropped" | "loss"> => ({
      webhooks: registrations.all.size,
      enabled: registrations.all
        .values()
        .filter(({ enabled }) => enabled)
        .toArray().length,
      onHold: registrations.all
        .values()
        .filter((registration) => registration.enabled && holdOf(registration) !== null)
        .toArray().length,
      waiting: dispatcher.waiting,
      inFlight: dispatcher.inFlight,
      ...counters,
      fault,
    }),
    async close(_: null): Promise<void> {
      closing = true;
      clearInterval(pruning);
      await dispatcher.stop(CLOSE_GRACE_MS);
      journal.flush();
      sender.close();
      database.close();
    },
  };

  function chosenFor({ id, start, end, onlyFailed }: ReplaySpan): { sequence: number; orderKey: string }[] {
    const { compiled } = registrations.get(id);
    const chosen: { sequence: number; orderKey: string }[] = [];
    for (const { sequence, facts, orderKey } of events.between(start, end)) {
      if (!compiled.matches(foldFacts(facts)) || deliveries.isWaiting(id, sequence)) continue;
      if (onlyFailed && deliveries.isDone(id, sequence)) continue;
      chosen.push({ sequence, orderKey });
      if (chosen.length > REPLAY_MAX) {
        throw new AppError("too_large", `Cannot replay more than ${REPLAY_MAX} events at once: give a shorter span`);
      }
    }
    return chosen;
  }

  function firstOf(added: Added): DeliveryRow {
    const [first] = added.deliveries;
    if (!first) throw new AppError("conflict", "Cannot send: too many deliveries are waiting already");
    return deliveries.row(first.id);
  }
}

/** What is sent again neither waits for what happens now nor holds it up. */
function replayLane(orderKey: string): string {
  return `replay ${orderKey}`;
}

function assertEnabled({ id, enabled, secret }: Pick<Registration, "id" | "enabled" | "secret">): void {
  if (enabled && secret !== undefined) return;
  throw new AppError("conflict", `Cannot send to webhook "${id}": it is disabled`);
}
