import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import type { AttemptRow, DeliveryPage, DeliveryQuery, DeliveryRow } from "../domain/webhook.ts";
import { isoFromMicros } from "../lib/time.ts";

/** Deliveries of one webhook, and of all, that may wait; what comes on top is a dead letter at once. */
export const WAITING_PER_WEBHOOK_MAX = 10_000;
export const WAITING_MAX = 100_000;
/** So many of each webhook have room though all others wait: receivers that are dead cost no other its deliveries. */
export const WAITING_ALWAYS = 50;
/** Events, and those of their deliveries that have ended, are kept for so long and at most so many. */
export const LOG_DAYS = 30;
export const LOG_EVENTS_MAX = 100_000;
export const LOG_DELIVERIES_MAX = 100_000;
/** Rows that one step of pruning takes, so that deliveries need not wait for it. */
const PRUNE_ROWS = 1_000;
const DAY_MICROS = 86_400 * 1_000_000;

/** What a delivery is for. */
export type Cause = DeliveryRow["cause"];

export interface NewDelivery {
  readonly webhookId: string;
  readonly sequence: number;
  readonly cause: Cause;
  /** Deliveries of one lane of a webhook go one after another. */
  readonly lane: string;
  readonly at: Micros;
}

/** A delivery that has to be made. */
export interface WaitingDelivery {
  readonly id: number;
  readonly webhookId: string;
  readonly lane: string;
  /** Attempts that have failed. */
  readonly attempts: number;
  /** When the last attempt failed and when the next is due, by the wall clock of whoever wrote it; null: none failed. */
  readonly failedAt: Micros | null;
  readonly nextAt: Micros | null;
}

/** What is sent. */
export interface Message {
  readonly eventId: string;
  readonly eventName: string;
  readonly happenedAt: string;
  readonly body: string;
}

/** How an attempt ended and what follows. */
export interface AttemptResult {
  readonly deliveryId: number;
  readonly number: number;
  readonly at: Micros;
  readonly durationMs: number;
  readonly status: number | null;
  readonly error: string | null;
  readonly excerpt: string | null;
  readonly state: DeliveryRow["state"];
  readonly nextAt: Micros | null;
}

/** The tables of deliveries and attempts; whatever writes belongs into a transaction. */
export interface Deliveries {
  insert(delivery: NewDelivery): WaitingDelivery;
  /** One that is not tried at all. */
  insertFailed(delivery: NewDelivery, error: string): void;
  record(result: AttemptResult): void;
  /** Everything that waits, in order of delivery. */
  waiting(): IterableIterator<WaitingDelivery>;
  /** What waits for another attempt of a webhook is due at once. */
  hurry(webhookId: string): void;
  message(deliveryId: number): Message | undefined;
  /** What a replay of it needs; throws `not_found`. */
  source(deliveryId: number): { readonly webhookId: string; readonly sequence: number; readonly orderKey: string };
  /** Whether this event has arrived, or is on its way. */
  isDone(webhookId: string, sequence: number): boolean;
  isWaiting(webhookId: string, sequence: number): boolean;
  page(query: DeliveryQuery): DeliveryPage;
  row(deliveryId: number): DeliveryRow & { readonly body: string };
  removeOf(webhookId: string): void;
  /**
   * Removes a step's worth of what is too old or too much; true while there is more. An event goes with all its
   * deliveries, and not while one of them waits: what arrived is known as long as the event can be replayed.
   */
  prune(now: Micros): boolean;
}

const ROWS = `SELECT d.*, e.id AS event_id, e.type, e.sequence FROM deliveries d JOIN events e ON e.sequence = d.event`;

/** No other of its event to its webhook came after it. */
const IS_LAST = "NOT EXISTS (SELECT 1 FROM deliveries WHERE event = d.event AND webhook = d.webhook AND id > d.id)";

export function openDeliveries(database: DatabaseSync): Deliveries {
  const insert = database.prepare(
    `INSERT INTO deliveries (webhook, event, cause, lane, state, created_at, finished_at, error)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const insertAttempt = database.prepare("INSERT OR REPLACE INTO attempts VALUES (?, ?, ?, ?, ?, ?, ?)");
  const update = database.prepare(
    `UPDATE deliveries SET state = ?, attempts = ?, next_at = ?, finished_at = ?, error = ? WHERE id = ?`,
  );
  const waiting = database.prepare(
    `SELECT id, webhook, lane, attempts, next_at,
       (SELECT at FROM attempts WHERE delivery = d.id AND number = d.attempts) AS failed_at
     FROM deliveries d WHERE state = 'waiting' ORDER BY id`,
  );
  const hurry = database.prepare("UPDATE deliveries SET next_at = NULL WHERE webhook = ? AND state = 'waiting'");
  const message = database.prepare(
    "SELECT e.id, e.type, e.at, e.body FROM deliveries d JOIN events e ON e.sequence = d.event WHERE d.id = ?",
  );
  const source = database.prepare(
    "SELECT d.webhook, d.event, e.order_key FROM deliveries d JOIN events e ON e.sequence = d.event WHERE d.id = ?",
  );
  const hasState = database.prepare("SELECT 1 FROM deliveries WHERE event = ? AND webhook = ? AND state = ? LIMIT 1");
  const attemptsOf = database.prepare("SELECT * FROM attempts WHERE delivery = ? ORDER BY number");
  const row = database.prepare(`${ROWS.replace("d.*", "d.*, e.body")} WHERE d.id = ?`);
  const removeDeliveries = database.prepare("DELETE FROM deliveries WHERE webhook = ?");
  const removeEndedOf = database.prepare("DELETE FROM deliveries WHERE event = ?");
  const removeEvent = database.prepare("DELETE FROM events WHERE sequence = ?");
  const oldEvents = database.prepare(
    `SELECT sequence FROM events e WHERE at < ?1 AND NOT EXISTS
       (SELECT 1 FROM deliveries WHERE event = e.sequence AND (state = 'waiting' OR finished_at >= ?1))
     LIMIT ${PRUNE_ROWS}`,
  );
  const firstEvents = database.prepare(
    `SELECT sequence FROM events e WHERE NOT EXISTS
       (SELECT 1 FROM deliveries WHERE event = e.sequence AND state = 'waiting')
     ORDER BY sequence LIMIT ${PRUNE_ROWS}`,
  );
  // The rows that wait have an index of their own: counting the others would read the whole table.
  const excess = database.prepare(
    `SELECT coalesce((SELECT max(sequence) FROM events), 0) - ${LOG_EVENTS_MAX} AS sequence,
       (SELECT count(*) FROM deliveries) - (SELECT count(*) FROM deliveries WHERE state = 'waiting')
         - ${LOG_DELIVERIES_MAX} AS ended`,
  );

  function add({ webhookId, sequence, cause, lane, at }: NewDelivery, error: string | null): WaitingDelivery {
    const state = error === null ? "waiting" : "failed";
    const ended = error === null ? null : at;
    const { lastInsertRowid } = insert.run(webhookId, sequence, cause, lane, state, at, ended, error);
    return { id: Number(lastInsertRowid), webhookId, lane, attempts: 0, failedAt: null, nextAt: null };
  }

  function rowOf(columns: Record<string, unknown>): DeliveryRow {
    return {
      id: columns.id as number,
      webhook_id: columns.webhook as string,
      event_id: columns.event_id as string,
      event: columns.type as DeliveryRow["event"],
      sequence: columns.sequence as number,
      cause: columns.cause as Cause,
      state: columns.state as DeliveryRow["state"],
      error: columns.error as string | null,
      next_attempt_at: isoOrNull(columns.next_at),
      created_at: isoFromMicros(columns.created_at as number),
      finished_at: isoOrNull(columns.finished_at),
      attempts: attemptsOf.all(columns.id as number).map(attemptOf),
    };
  }

  return {
    insert: (delivery) => add(delivery, null),
    insertFailed: (delivery, error) => void add(delivery, error),

    record({ deliveryId, number, at, durationMs, status, error, excerpt, state, nextAt }) {
      const ended = state === "waiting" ? null : at;
      const { changes } = update.run(state, number, nextAt, ended, error, deliveryId);
      // The webhook was deleted while its answer was on the way.
      if (changes === 0) return;
      insertAttempt.run(deliveryId, number, at, durationMs, status, error, excerpt);
    },

    *waiting() {
      for (const one of waiting.iterate()) {
        yield {
          id: one.id as number,
          webhookId: one.webhook as string,
          lane: one.lane as string,
          attempts: one.attempts as number,
          failedAt: one.failed_at as number | null,
          nextAt: one.next_at as number | null,
        };
      }
    },

    hurry: (webhookId) => void hurry.run(webhookId),

    message(deliveryId) {
      const found = message.get(deliveryId);
      if (!found) return undefined;
      return {
        eventId: found.id as string,
        eventName: found.type as string,
        happenedAt: isoFromMicros(found.at as number),
        body: found.body as string,
      };
    },

    source(deliveryId) {
      const found = source.get(deliveryId);
      if (!found) throw notFound(deliveryId);
      return {
        webhookId: found.webhook as string,
        sequence: found.event as number,
        orderKey: found.order_key as string,
      };
    },

    isDone: (webhookId, sequence) => hasState.get(sequence, webhookId, "delivered") !== undefined,
    isWaiting: (webhookId, sequence) => hasState.get(sequence, webhookId, "waiting") !== undefined,

    page({ webhookId, state, givenUp = false, limit, before }) {
      const conditions = [
        ...(webhookId === null ? [] : ["d.webhook = :webhook"]),
        ...(state === undefined ? [] : [`d.state = '${state}'`]),
        ...(givenUp ? [IS_LAST] : []),
      ];
      const where = (more: string[]): string =>
        [...conditions, ...more].length === 0 ? "" : `WHERE ${[...conditions, ...more].join(" AND ")}`;
      const known = webhookId === null ? {} : { webhook: webhookId };
      const beforeId = before === undefined ? [] : ["d.id < :before"];
      const rows = database
        .prepare(`${ROWS} ${where(beforeId)} ORDER BY d.id DESC LIMIT :limit`)
        .all({ ...known, ...(before === undefined ? {} : { before }), limit: limit + 1 });
      const count = database.prepare(`SELECT count(*) AS count FROM deliveries d ${where([])}`).get(known);
      const shown = rows.slice(0, limit).map(rowOf);
      return { rows: shown, total: count!.count as number, before: rows.length > limit ? shown.at(-1)!.id : null };
    },

    row(deliveryId) {
      const found = row.get(deliveryId);
      if (!found) throw notFound(deliveryId);
      return { ...rowOf(found), body: found.body as string };
    },

    removeOf: (webhookId) => void removeDeliveries.run(webhookId),

    prune(now) {
      let rows = 0;
      const remove = (sequence: number): number => {
        const ended = Number(removeEndedOf.run(sequence).changes);
        rows += ended + Number(removeEvent.run(sequence).changes);
        return ended;
      };
      for (const { sequence } of oldEvents.all(now - LOG_DAYS * DAY_MICROS)) remove(sequence as number);
      const last = excess.get() as { sequence: number; ended: number };
      let { ended } = last;
      for (const { sequence } of firstEvents.all()) {
        if (rows >= PRUNE_ROWS || ((sequence as number) > last.sequence && ended <= 0)) break;
        ended -= remove(sequence as number);
      }
      return rows >= PRUNE_ROWS;
    },
  };
}

function attemptOf(row: Record<string, unknown>): AttemptRow {
  return {
    number: row.number as number,
    at: isoFromMicros(row.at as number),
    duration_ms: row.duration_ms as number,
    status: row.status as number | null,
    error: row.error as string | null,
    response_excerpt: row.excerpt as string | null,
  };
}

function isoOrNull(value: unknown): string | null {
  return typeof value === "number" ? isoFromMicros(value) : null;
}

function notFound(deliveryId: number): AppError {
  return new AppError("not_found", `Cannot find delivery "${deliveryId}"`);
}
