import assert from "node:assert/strict";
import type { TestContext } from "node:test";
import type { Gap } from "../domain/gaps.ts";
import type { Value } from "../domain/sample.ts";
import type { SeriesNumber } from "../domain/series.ts";
import { type Recorded, startRecorded } from "./recorded-api.ts";

/** Tools of the tests of events. */

export const SECOND = 1_000_000;
export const HOUR = 3600 * SECOND;
export const DAY = 24 * HOUR;
/** 2026-11-24T00:00:00Z. */
export const T0 = Date.UTC(2026, 10, 24) * 1000;

export type Store = Recorded["store"];

export interface Event {
  readonly id: string;
  readonly timestamp: string;
  readonly entity_id: string;
  readonly name: string | null;
  readonly old_state: { state: string; last_changed: string; duration_seconds: number | null } | null;
  readonly new_state: { state: string; last_changed: string } | null;
  readonly context: { id: string; parent_id: string | null; user_id: string | null } | null;
  readonly cause: { type: string; entity_id: string | null; user_id: string | null; timestamp: string | null } | null;
}

export interface Answer extends Record<string, unknown> {
  readonly events: Event[];
  readonly count: number;
  readonly next_cursor: string | null;
}

export async function started(t: TestContext, gaps: readonly Gap[] = [], directory?: string) {
  const recorded = await startRecorded(t, directory === undefined ? { gaps } : { gaps, directory });
  const { api } = recorded;
  const ask = async (path: string) => {
    const response = await api.inject(`/api/v1/events${path}`);
    return { status: response.statusCode, body: response.json() as Answer };
  };
  const get = async (path: string): Promise<Answer> => {
    const { status, body } = await ask(path);
    assert.equal(status, 200, JSON.stringify(body));
    return body;
  };
  const post = async (payload: object): Promise<Answer> =>
    (await api.inject({ method: "POST", url: "/api/v1/events/search", payload })).json();
  return { ...recorded, ask, get, post };
}

export function entity(store: Store, entityId: string): SeriesNumber {
  return store.series({ measurement: "state", subject: `id_of_${entityId}`, field: "state" }, entityId, T0);
}

/** [entity, microseconds after T0, value]. */
export type Made = readonly [string, number, Value];

export function put(store: Store, changes: readonly Made[]): void {
  for (const [entityId, after, value] of changes) store.append(entity(store, entityId), T0 + after, value);
}

export const span = (from: number, to: number) => `start=${(T0 + from) / 1000}&end=${(T0 + to) / 1000}`;

export async function allPages(get: (path: string) => Promise<Answer>, path: string): Promise<Event[]> {
  const events: Event[] = [];
  for (let cursor = ""; ; ) {
    const page = await get(`${path}${cursor}`);
    assert.equal(page.count, page.events.length);
    events.push(...page.events);
    if (page.next_cursor === null) return events;
    cursor = `&cursor=${page.next_cursor}`;
  }
}
