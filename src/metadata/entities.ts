import type { CurrentStates, State } from "../domain/home.ts";
import type { EntityFilter, EntityRow, Page } from "../domain/home-store.ts";
import type { Micros } from "../domain/sample.ts";
import { type Condition, equals, type ListQuery, type Queries, readPage } from "./page.ts";
import { type Columns, isoOf, textOf, textsOf } from "./reading.ts";

const COLUMNS = `e.key, e.entity_id, e.registered, e.platform, e.unique_id, e.name, e.device_id, d.name AS device_name,
  e.effective_area_id, a.name AS area_name, e.area_id, e.config_entry_id, e.entity_category, e.disabled_by, e.hidden_by,
  e.labels, e.icon, e.created_at, e.modified_at, e.removed_at, e.updated_at`;
const FROM = `entities e LEFT JOIN devices d ON d.device_id = e.device_id
  LEFT JOIN areas a ON a.area_id = e.effective_area_id`;

const LIST: ListQuery = {
  columns: COLUMNS,
  from: FROM,
  counted: "entities e",
  id: "e.key",
  sorts: {
    entity_id: "e.entity_id",
    platform: "coalesce(e.platform, '')",
    device_name: "coalesce(d.sort_name, '')",
    area_name: "coalesce(a.name, '')",
    created_at: "coalesce(e.created_at, 0)",
    modified_at: "coalesce(e.modified_at, 0)",
    timestamp: "e.updated_at",
  },
  defaultSort: "entity_id",
};

export function readEntities(queries: Queries, states: CurrentStates, filter: EntityFilter): Page<EntityRow> {
  const found = createStateSearch(filter);
  if (found.isNeeded) for (const state of states.values()) found.look(state);
  return showEntities(readEntityColumns(queries, filter, found.ids()), states);
}

/** What a filter asks of the current states, which are in memory: JSON arrays of the entity_ids that fit. */
export interface StateIds {
  readonly ofClass: string;
  readonly named: string;
}

/** Device class and the name that HA shows are parts of the state, so they are looked up there. */
export function createStateSearch(filter: EntityFilter): {
  readonly isNeeded: boolean;
  look(state: State): void;
  ids(): StateIds;
} {
  const ofClass: string[] = [];
  const named: string[] = [];
  const { deviceClass } = filter;
  const q = filter.q?.toLowerCase();
  return {
    isNeeded: deviceClass !== undefined || Boolean(q),
    look(state) {
      if (deviceClass !== undefined && state.attributes.device_class === deviceClass) ofClass.push(state.entityId);
      if (q && friendlyName(state)?.toLowerCase().includes(q)) named.push(state.entityId);
    },
    ids: () => ({ ofClass: JSON.stringify(ofClass), named: JSON.stringify(named) }),
  };
}

/** The part of a list that is read from the database. */
export function readEntityColumns(queries: Queries, filter: EntityFilter, ids: StateIds): Page<Columns> {
  const conditions: Condition[] = [
    ...(filter.includeRemoved ? [] : [{ sql: "e.removed_at IS NULL", values: [] }]),
    ...ofDomains(filter.domains),
    ...equals("e.device_id", filter.deviceId),
    ...equals("e.effective_area_id", filter.areaId),
    ...equals("e.platform", filter.platform),
    ...ofCategory(filter.entityCategory),
  ];
  if (filter.label !== undefined) {
    const sql = "e.key IN (SELECT l.key FROM entity_labels l WHERE l.label_id = ?)";
    conditions.push({ sql, values: [filter.label] });
  }
  if (filter.deviceClass !== undefined) {
    const sql = "e.entity_id IN (SELECT value FROM json_each(?))";
    conditions.push({ sql, values: [ids.ofClass], fleeting: true });
  }
  if (filter.q) {
    const sql = `(instr(e.search_text, ?) > 0 OR e.key = ? OR e.entity_id IN (SELECT value FROM json_each(?)))`;
    conditions.push({ sql, values: [filter.q.toLowerCase(), filter.q, ids.named], fleeting: true });
  }
  return readPage(queries, LIST, filter, conditions, (row) => row);
}

export function showEntities(page: Page<Columns>, states: CurrentStates): Page<EntityRow> {
  return { ...page, rows: page.rows.map((row) => shownRow(row, stateOf(row, states))) };
}

/** A row of a remembered answer and the state with which it was last shown. */
const shown = new WeakMap<Columns, { readonly state: State | undefined; readonly row: EntityRow }>();

/** Of most entities nothing has changed since the list was last asked for: half of what it costs. */
function shownRow(columns: Columns, state: State | undefined): EntityRow {
  const before = shown.get(columns);
  if (before !== undefined && before.state === state) return before.row;
  const row = entityRow(columns, state);
  shown.set(columns, { state, row });
  return row;
}

/** The domain is the beginning of the entity_id, so the index of entity_ids finds it: from "light." to before "light/". */
function ofDomains(domains: readonly string[] | undefined): Condition[] {
  if (domains === undefined) return [];
  const ranges = domains.map(() => "e.entity_id >= ? AND e.entity_id < ?");
  const sql = ranges.length === 1 ? ranges[0]! : `(${ranges.map((range) => `(${range})`).join(" OR ")})`;
  return [{ sql, values: domains.flatMap((domain) => [`${domain}.`, `${domain}/`]) }];
}

/** "none" asks for the entities without a category. */
function ofCategory(category: string | undefined): Condition[] {
  if (category === "none") return [{ sql: "e.entity_category IS NULL", values: [] }];
  return equals("e.entity_category", category);
}

/** By entity_id or registry id: the present one, else the one removed last. */
export function readEntity(queries: Queries, states: CurrentStates, id: string): EntityRow | undefined {
  const select = `SELECT ${COLUMNS} FROM ${FROM}`;
  const row =
    queries.prepare(`${select} WHERE e.entity_id = ? AND e.removed_at IS NULL`).get(id) ??
    queries.prepare(`${select} WHERE e.key = ?`).get(id) ??
    queries
      .prepare(`${select} WHERE e.entity_id = ? AND e.removed_at IS NOT NULL ORDER BY e.removed_at DESC LIMIT 1`)
      .get(id);
  return row && entityRow(row as Columns, stateOf(row as Columns, states));
}

/** Answered by the index alone: names are wanted by thousands where rows would be too many. */
export function readEntityIdsOfArea(queries: Queries, areaId: string): readonly string[] {
  const sql = "SELECT entity_id FROM entities WHERE effective_area_id = ? AND removed_at IS NULL";
  return queries.all(sql, [areaId], false).map((row) => row.entity_id as string);
}

export function readOwnersSince(queries: Queries, at: Micros): ReadonlyMap<string, string> {
  const sql = `SELECT entity_id, key FROM entities WHERE removed_at IS NULL OR removed_at >= ?
    ORDER BY removed_at IS NULL, removed_at`;
  const rows = queries.all(sql, [at], false);
  return new Map(rows.map((row) => [row.entity_id as string, row.key as string]));
}

function friendlyName(state: State | undefined): string | null {
  return attributeText(state, "friendly_name");
}

function attributeText(state: State | undefined, name: string): string | null {
  const value = state?.attributes[name];
  return typeof value === "string" ? value : null;
}

/** A removed row's entity_id may be another's now: its state is not this one's. */
function stateOf(row: Columns, states: CurrentStates): State | undefined {
  return row.removed_at === null ? states.get(row.entity_id as string) : undefined;
}

function entityRow(row: Columns, state: State | undefined): EntityRow {
  const entityId = row.entity_id as string;
  const disabledBy = textOf(row.disabled_by);
  return {
    entity_id: entityId,
    id: row.registered === 1 && row.key !== entityId ? textOf(row.key) : null,
    registered: row.registered === 1,
    domain: entityId.slice(0, entityId.indexOf(".")),
    platform: textOf(row.platform),
    unique_id: textOf(row.unique_id),
    name: friendlyName(state) ?? textOf(row.name),
    device_id: textOf(row.device_id),
    device_name: textOf(row.device_name),
    area_id: textOf(row.effective_area_id),
    area_name: textOf(row.area_name),
    registry_area_id: textOf(row.area_id),
    config_entry_id: textOf(row.config_entry_id),
    entity_category: textOf(row.entity_category),
    disabled: disabledBy !== null,
    disabled_by: disabledBy,
    hidden_by: textOf(row.hidden_by),
    labels: textsOf(row.labels),
    icon: attributeText(state, "icon") ?? textOf(row.icon),
    device_class: attributeText(state, "device_class"),
    state_class: attributeText(state, "state_class"),
    unit: attributeText(state, "unit_of_measurement"),
    state: state?.state ?? null,
    last_changed: isoOf(state?.lastChanged),
    last_updated: isoOf(state?.lastUpdated),
    created_at: isoOf(row.created_at),
    modified_at: isoOf(row.modified_at),
    removed_at: isoOf(row.removed_at),
    timestamp: isoOf(row.updated_at)!,
  };
}
