import { randomBytes } from "node:crypto";
import type { DatabaseSync } from "node:sqlite";
import { AppError } from "../domain/errors.ts";
import type { Micros } from "../domain/sample.ts";
import type { WebhookInput } from "../domain/webhook.ts";
import { originOf } from "./address-rules.ts";
import { type CompiledFilter, checkConditions, compileFilter, parseFilter, type WebhookFilter } from "./filters.ts";
import type { Vault } from "./secrets.ts";

/** Webhooks that can be registered at once. */
export const WEBHOOKS_MAX = 2_000;
const DESCRIPTION_LENGTH_MAX = 500;
/** After a rotation the former secret signs along for so long. */
export const ROTATION_OVERLAP_MICROS = 24 * 3600 * 1_000_000;

/** A webhook in memory. Changes are made to the database first and then here. */
export interface Registration {
  readonly id: string;
  readonly url: string;
  /** Host and port: what webhooks share when their receiver hangs. */
  readonly origin: string;
  readonly description: string | null;
  readonly filter: WebhookFilter;
  readonly compiled: CompiledFilter;
  /** Undefined when the key file is not the one that sealed it. */
  readonly secret: string | undefined;
  readonly oldSecret: string | undefined;
  readonly oldSecretUntil: Micros | null;
  readonly enabled: boolean;
  readonly disabledReason: string | null;
  readonly createdAt: Micros;
  readonly updatedAt: Micros;
  readonly failingSince: Micros | null;
  readonly successes: number;
  readonly failures: number;
  readonly lastSuccess: Micros | null;
  readonly lastFailure: Micros | null;
  /** What that one failed of. */
  readonly lastError: string | null;
  /** The last pause that its receiver asked for; it stays when it is over, for what it has kept waiting. */
  readonly pause: Pause | null;
}

/** A time in which a receiver wants no request, by the wall clock of whoever wrote it. */
export interface Pause {
  readonly from: Micros;
  readonly until: Micros;
}

/** All webhooks. Whatever writes belongs into a transaction and takes effect in memory by `refresh` after it. */
export interface Registrations {
  readonly all: ReadonlyMap<string, Registration>;
  /** Throws `not_found`. */
  get(id: string): Registration;
  insert(registration: NewRegistration): void;
  update(id: string, change: { url: string; filter: WebhookFilter; description: string | null }, at: Micros): void;
  setEnabled(id: string, enabled: boolean, reason: string | null, at: Micros): void;
  rotate(id: string, secret: string, at: Micros): void;
  /** Also marks the beginning or end of a time of failures. */
  /** `error`: what the attempt failed of; null for one that did not. */
  countCall(id: string, error: string | null, at: Micros): void;
  /**
   * The time of a change that is made now: a new one even within one tick of the clock, since it tells that something
   * changed. To be asked for within the change: another may just have been made.
   */
  changeTime(id: string, now: Micros): Micros;
  setPause(id: string, pause: Pause): void;
  /** `until`: one that ends later stays. */
  forgetPause(id: string, until?: Micros): void;
  remove(id: string): void;
  /** Takes over what the database holds of one webhook. */
  refresh(id: string): void;
}

export interface NewRegistration {
  readonly id: string;
  readonly url: string;
  readonly description: string | null;
  readonly filter: WebhookFilter;
  readonly secret: string;
  readonly at: Micros;
}

export function newWebhookId(): string {
  return `wh_${randomBytes(12).toString("hex")}`;
}

const CONDITIONS = ["events", "team", "league", "entity", "area", "from", "to"] as const;

/**
 * The filter that an input asks for, over what was asked before; `invalid` names the field. An input that leaves the
 * filter as it is may keep one that would be refused today.
 */
export function filterOf(input: Partial<WebhookInput>, before?: WebhookFilter): WebhookFilter {
  if (before !== undefined && CONDITIONS.every((field) => input[field] === undefined)) return before;
  const given = {
    events: input.events ?? before?.events,
    team: input.team === undefined ? before?.team : input.team,
    league: input.league === undefined ? before?.league : input.league,
    entities: input.entity ?? before?.entities,
    areas: input.area ?? before?.areas,
    from: input.from === undefined ? before?.from : input.from,
    to: input.to === undefined ? before?.to : input.to,
  };
  const filter = parseFilter(Object.fromEntries(Object.entries(given).filter(([, value]) => value !== undefined)));
  checkConditions(filter);
  return filter;
}

export function checkDescription(description: string | null | undefined): string | null {
  const text = description?.trim() ?? "";
  if (text.length > DESCRIPTION_LENGTH_MAX) {
    throw new AppError("invalid", `The field "description" must have at most ${DESCRIPTION_LENGTH_MAX} characters`);
  }
  return text === "" ? null : text;
}

export function openRegistrations(database: DatabaseSync, vault: Vault): Registrations {
  const all = new Map<string, Registration>();
  const insert = database.prepare(
    `INSERT INTO webhooks (id, url, description, filter, secret, enabled, created_at, updated_at)
     VALUES (?, ?, ?, ?, ?, 1, ?, ?)`,
  );
  // Failures at one address say nothing of another.
  const update = database.prepare(
    `UPDATE webhooks SET url = ?1, filter = ?, description = ?, updated_at = ?,
       failing_since = CASE url WHEN ?1 THEN failing_since END WHERE id = ?`,
  );
  const setEnabled = database.prepare(
    "UPDATE webhooks SET enabled = ?, disabled_reason = ?, failing_since = NULL, updated_at = ? WHERE id = ?",
  );
  const rotate = database.prepare(
    `UPDATE webhooks SET old_secret = secret, old_secret_until = ?, secret = ?, updated_at = ? WHERE id = ?`,
  );
  const succeed = database.prepare(
    "UPDATE webhooks SET successes = successes + 1, last_success = ?, failing_since = NULL WHERE id = ?",
  );
  const fail = database.prepare(
    `UPDATE webhooks SET failures = failures + 1, last_failure = ?1, last_error = ?2,
       failing_since = coalesce(failing_since, ?1) WHERE id = ?3`,
  );
  const setPause = database.prepare("UPDATE webhooks SET paused_at = ?, paused_until = ? WHERE id = ?");
  const forgetPause = database.prepare(
    "UPDATE webhooks SET paused_at = NULL, paused_until = NULL WHERE id = ? AND paused_until <= ?",
  );
  const remove = database.prepare("DELETE FROM webhooks WHERE id = ?");
  const select = database.prepare("SELECT * FROM webhooks WHERE id = ?");

  function read(row: Record<string, unknown>): Registration {
    const id = row.id as string;
    const filter = JSON.parse(row.filter as string) as WebhookFilter;
    const open = (sealed: unknown): string | undefined =>
      sealed === null ? undefined : vault.open(id, sealed as Uint8Array);
    return {
      id,
      url: row.url as string,
      origin: originOf(row.url as string),
      description: row.description as string | null,
      filter,
      compiled: compileFilter(filter),
      secret: open(row.secret),
      oldSecret: open(row.old_secret),
      oldSecretUntil: row.old_secret_until as number | null,
      enabled: row.enabled === 1,
      disabledReason: row.disabled_reason as string | null,
      createdAt: row.created_at as number,
      updatedAt: row.updated_at as number,
      failingSince: row.failing_since as number | null,
      successes: row.successes as number,
      failures: row.failures as number,
      lastSuccess: row.last_success as number | null,
      lastFailure: row.last_failure as number | null,
      lastError: row.last_error as string | null,
      pause: pauseOf(row),
    };
  }

  for (const row of database.prepare("SELECT * FROM webhooks ORDER BY created_at, id").all()) {
    const registration = read(row);
    all.set(registration.id, registration);
  }

  function get(id: string): Registration {
    const found = all.get(id);
    if (!found) throw new AppError("not_found", `Cannot find webhook "${id}"`);
    return found;
  }

  return {
    all,
    get,
    insert({ id, url, description, filter, secret, at }) {
      insert.run(id, url, description, JSON.stringify(filter), vault.seal(id, secret), at, at);
    },
    update(id, change, at) {
      update.run(change.url, JSON.stringify(change.filter), change.description, at, id);
    },
    setEnabled: (id, enabled, reason, at) => void setEnabled.run(enabled ? 1 : 0, reason, at, id),
    rotate: (id, secret, at) => void rotate.run(at + ROTATION_OVERLAP_MICROS, vault.seal(id, secret), at, id),
    countCall: (id, error, at) => void (error === null ? succeed.run(at, id) : fail.run(at, error, id)),
    changeTime: (id, now) => Math.max(now, get(id).updatedAt + 1),
    setPause: (id, { from, until }) => void setPause.run(from, until, id),
    forgetPause: (id, until = Number.MAX_SAFE_INTEGER) => void forgetPause.run(id, until),
    remove: (id) => void remove.run(id),
    refresh(id) {
      const row = select.get(id);
      if (!row) all.delete(id);
      // A call changes counts far more often than anything else, so what is costly to make is kept.
      else all.set(id, keepCompiled(all.get(id), row, read));
    },
  };
}

function keepCompiled(
  before: Registration | undefined,
  row: Record<string, unknown>,
  read: (row: Record<string, unknown>) => Registration,
): Registration {
  if (!before || before.updatedAt !== row.updated_at) return read(row);
  return {
    ...before,
    failingSince: row.failing_since as number | null,
    successes: row.successes as number,
    failures: row.failures as number,
    lastSuccess: row.last_success as number | null,
    lastFailure: row.last_failure as number | null,
    lastError: row.last_error as string | null,
    pause: pauseOf(row),
  };
}

function pauseOf(row: Record<string, unknown>): Pause | null {
  return row.paused_until === null ? null : { from: row.paused_at as number, until: row.paused_until as number };
}
