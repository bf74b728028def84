import type { HaClient } from "./home-assistant/client.ts";
import type { Program } from "./program.ts";
import type { Comparison } from "./report.ts";
import type { Context } from "./scenario.ts";
import { isoOfMicros, microsOfFloat, microsOfIso } from "./time.ts";
import { isValueOf } from "./values.ts";
import { waitUntil } from "./wait.ts";

/** Home Assistant builds its answers in memory, and the program takes up to 200 entities. */
const ENTITIES_PER_QUESTION = 50;
const RECORDED_TIMEOUT_MS = 60_000;
/** The state of our own that `settle` writes. */
export const MARKER = "sensor.ha_ingestor_e2e_marker";

/** One entity's states by the microsecond of `last_changed`; null: it was removed then. */
export type Timeline<Value> = ReadonlyMap<number, Value>;

/** Half-open, in microseconds. */
export interface Span {
  readonly start: number;
  readonly end: number;
}

/**
 * Writes a state of our own and waits until both sides have it in their history. Both keep the order of events, so
 * all that happened before is there as well. Returns the marker's time.
 */
export async function settle({ home, program }: Context): Promise<number> {
  const text = `settled ${crypto.randomUUID()}`;
  const state = await home.rest<{ last_changed: string }>("POST", `/api/states/${MARKER}`, { state: text });
  const at = microsOfIso(state.last_changed);
  const span = { start: at, end: at + 1000 };
  const wait = { timeoutMs: RECORDED_TIMEOUT_MS };
  const has = (history: ReadonlyMap<string, Timeline<unknown>>) => history.get(MARKER)?.get(at) === text;
  await waitUntil(
    "HA's recorder to have a state just written",
    async () => has(await homeHistory(home, [MARKER], span)),
    wait,
  );
  await waitUntil(
    "the program to have a state just written",
    async () => has(await programHistory(program, [MARKER], span)),
    wait,
  );
  return at;
}

/**
 * Compares the program's history with that of HA's own recorder: every state change of the entities in the span must
 * be there, at the same microsecond, with the same value, and none besides.
 */
export async function compareHistory(context: Context, entityIds: readonly string[], span: Span): Promise<Comparison> {
  const [theirs, ours] = await Promise.all([
    homeHistory(context.home, entityIds, span),
    programHistory(context.program, entityIds, span),
  ]);
  const faults: string[] = [];
  let compared = 0;
  for (const entityId of entityIds) {
    const wanted = theirs.get(entityId) ?? new Map<number, string | null>();
    compared += wanted.size;
    faults.push(...differences(entityId, wanted, ours.get(entityId) ?? new Map()));
  }
  return { compared, faults };
}

function differences(
  entityId: string,
  wanted: Timeline<string | null>,
  found: Timeline<number | string | null>,
): string[] {
  const faults: string[] = [];
  for (const [at, state] of wanted) {
    const shown = `${entityId} ${isoOfMicros(at)} ${JSON.stringify(state)}`;
    if (!found.has(at)) faults.push(`missing: ${shown}`);
    else if (!isValueOf(state, found.get(at)))
      faults.push(`different: ${shown}, kept ${JSON.stringify(found.get(at))}`);
  }
  for (const [at, value] of found) {
    if (!wanted.has(at)) faults.push(`extra: ${entityId} ${isoOfMicros(at)} ${JSON.stringify(value)}`);
  }
  return faults;
}

interface HomeRow {
  readonly s: string | null;
  readonly lu: number;
  /** Only where it differs from `lu`. */
  readonly lc?: number;
}

/** What HA's recorder has, reduced to one row for each `last_changed`: the others changed attributes alone. */
export async function homeHistory(
  home: HaClient,
  entityIds: readonly string[],
  span: Span,
): Promise<Map<string, Map<number, string | null>>> {
  const timelines = new Map<string, Map<number, string | null>>();
  for (const entities of chunksOf(entityIds)) {
    const answer = await home.ask<Record<string, readonly HomeRow[]>>("history/history_during_period", {
      // HA leaves out what happened exactly at the start.
      start_time: isoOfMicros(span.start - 1000),
      end_time: isoOfMicros(span.end),
      entity_ids: entities,
      include_start_time_state: false,
      significant_changes_only: false,
      minimal_response: false,
      no_attributes: true,
    });
    for (const [entityId, rows] of Object.entries(answer)) {
      const timeline = new Map<number, string | null>();
      for (const { s, lu, lc } of rows) {
        const at = microsOfFloat(lc ?? lu);
        if (at >= span.start && at < span.end) timeline.set(at, s);
      }
      timelines.set(entityId, timeline);
    }
  }
  return timelines;
}

interface HistoryPage {
  readonly series: readonly {
    readonly entity_id: string;
    readonly field: string;
    readonly samples: readonly (readonly [number, number | string | null])[];
  }[];
  readonly next_cursor: string | null;
}

/** What the program has of one field. An entity that it does not know at all has no timeline. */
export async function programHistory(
  program: Program,
  entityIds: readonly string[],
  span: Span,
  field = "state",
): Promise<Map<string, Map<number, number | string | null>>> {
  const timelines = new Map<string, Map<number, number | string | null>>();
  for (const entities of chunksOf(await knownTo(program, entityIds))) {
    const query = new URLSearchParams({
      entity_id: entities.join(","),
      start: isoOfMicros(span.start),
      end: isoOfMicros(span.end),
      fields: field,
    });
    let cursor: string | null = null;
    do {
      if (cursor !== null) query.set("cursor", cursor);
      const page: HistoryPage = await program.read(`/api/v1/history?${query}`);
      for (const { entity_id, samples } of page.series) {
        const timeline = timelines.get(entity_id) ?? new Map();
        for (const [millis, value] of samples) timeline.set(microsOfFloat(millis, 3), value);
        timelines.set(entity_id, timeline);
      }
      cursor = page.next_cursor;
    } while (cursor !== null);
  }
  return timelines;
}

function chunksOf(entityIds: readonly string[]): string[][] {
  const count = Math.ceil(entityIds.length / ENTITIES_PER_QUESTION);
  return Array.from({ length: count }, (_, index) =>
    entityIds.slice(index * ENTITIES_PER_QUESTION, (index + 1) * ENTITIES_PER_QUESTION),
  );
}

/** A question that names one unknown entity is refused whole, so those are left out first. */
async function knownTo(program: Program, entityIds: readonly string[]): Promise<string[]> {
  const known: string[] = [];
  for (const entityId of entityIds) {
    const { status } = await program.get(`/api/v1/history?entity_id=${entityId}&limit=1`);
    if (status !== 404) known.push(entityId);
  }
  return known;
}

/** Every entity that either side knows, or has known. */
export async function allEntityIds({ home, program }: Context): Promise<string[]> {
  const [states, ours] = await Promise.all([
    home.ask<{ readonly entity_id: string }[]>("get_states"),
    program.readAll<{ readonly entity_id: string }>("/api/entities?include_removed=true", "entities"),
  ]);
  return [...new Set([...states, ...ours].map(({ entity_id }) => entity_id))].sort();
}
