import { createHash, randomUUID } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import type { NewEvent } from "../domain/webhook.ts";
import { isObject } from "../lib/is-object.ts";
import { isoFromMicros } from "../lib/time.ts";
import { dottedType, type EventFacts } from "./filters.ts";

/** Events that one commit may bring. */
export const EVENTS_PER_COMMIT_MAX = 1_000;
/** A body stays below what receivers are known to take; `data` is cut where it is larger. */
export const BODY_BYTES_MAX = 20_000;
const ENVELOPE = new Set(["id", "type", "event", "event_type", "timestamp", "sequence", "data"]);

/** An event in the database. */
export interface StoredEvent {
  readonly sequence: number;
  readonly facts: EventFacts;
  readonly orderKey: string;
}

/** The table of events; whatever writes belongs into a transaction. */
export interface Events {
  /** Undefined for an event that is known by its key. */
  insert(event: NewEvent): StoredEvent | undefined;
  /** In order of sequence, those that happened in [start, end). */
  between(start: number, end: number): IterableIterator<StoredEvent>;
}

export function openEvents(database: DatabaseSync): Events {
  const insert = database.prepare(
    "INSERT INTO events (sequence, id, type, order_key, at, facts, body) VALUES (?, ?, ?, ?, ?, ?, ?)",
  );
  const known = database.prepare("SELECT 1 FROM events WHERE id = ?");
  const last = database.prepare("SELECT coalesce((SELECT seq FROM sqlite_sequence WHERE name = 'events'), 0) AS last");
  const between = database.prepare(
    "SELECT sequence, facts, order_key FROM events WHERE at >= ? AND at < ? ORDER BY sequence",
  );

  return {
    insert(event) {
      const id = idOf(event);
      if (known.get(id) !== undefined) return undefined;
      // Asked of the database each time, since a transaction that was taken back takes its numbers back as well.
      const sequence = (last.get()!.last as number) + 1;
      const facts = factsOf(event);
      const body = bodyOf(event, id, sequence);
      insert.run(sequence, id, event.type, event.orderKey, event.at, JSON.stringify(facts), body);
      return { sequence, facts, orderKey: event.orderKey };
    },
    *between(start, end) {
      for (const row of between.iterate(start, end)) {
        yield {
          sequence: row.sequence as number,
          facts: JSON.parse(row.facts as string) as EventFacts,
          orderKey: row.order_key as string,
        };
      }
    },
  };
}

/** Without dots, since the signature is made over "id.timestamp.body". */
function idOf({ key, type }: NewEvent): string {
  if (key === undefined) return `evt_${randomUUID().replaceAll("-", "")}`;
  return `evt_${createHash("sha256")
    .update(JSON.stringify([type, key]))
    .digest("hex")
    .slice(0, 32)}`;
}

function factsOf({ type, league, teams, entityId, areas, from, to }: NewEvent): EventFacts {
  return {
    type,
    ...(league === undefined ? {} : { league }),
    ...(teams === undefined ? {} : { teams }),
    ...(entityId === undefined ? {} : { entityId }),
    ...(areas === undefined ? {} : { areas }),
    ...(from === undefined ? {} : { from }),
    ...(to === undefined ? {} : { to }),
  };
}

/**
 * The bytes that every attempt sends: the envelope of Standard Webhooks (`type`, `timestamp`, `data`), the flat fields
 * that receivers of the original read, and `id` and `sequence`, which no later event of this database is below.
 */
function bodyOf(event: NewEvent, id: string, sequence: number): string {
  const fields = Object.entries(event.fields ?? {}).filter(([name]) => !ENVELOPE.has(name));
  const body = {
    event: event.type,
    event_type: event.type,
    ...Object.fromEntries(fields),
    timestamp: isoFromMicros(event.at),
    id,
    type: dottedType(event.type),
    sequence,
  };
  const whole = JSON.stringify({ ...body, data: event.data });
  if (Buffer.byteLength(whole) <= BODY_BYTES_MAX) return whole;
  return JSON.stringify({ ...body, data: cut(event.data, DATA_BYTES_MAX), truncated: true });
}

/** Room for `data` once the envelope and the flat fields have theirs. */
const DATA_BYTES_MAX = BODY_BYTES_MAX - 4_000;

/**
 * The values that fit, the smallest first, so that one large value does not take the others along; of objects that do
 * not fit (a state, its attributes) what fits of theirs. All have the same room, and what one leaves is the others'.
 */
function cut(data: Readonly<Record<string, unknown>>, room: number): Record<string, unknown> {
  const bytesOf = (name: string, value: unknown): number => Buffer.byteLength(JSON.stringify({ [name]: value }));
  const sizes = Object.entries(data).map(([name, value]) => ({ name, value, size: bytesOf(name, value) }));
  const kept = new Map<string, unknown>();
  let left = room;
  for (const [i, { name, value, size }] of sizes.toSorted((a, b) => a.size - b.size).entries()) {
    const share = left / (sizes.length - i);
    const part = size <= share ? value : isObject(value) ? cut(value, share - bytesOf(name, {})) : undefined;
    if (part === undefined || bytesOf(name, part) > share) continue;
    kept.set(name, part);
    left -= bytesOf(name, part);
  }
  // In their own order.
  return Object.fromEntries(Object.keys(data).flatMap((name) => (kept.has(name) ? [[name, kept.get(name)]] : [])));
}
