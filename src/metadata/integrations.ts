import type { IntegrationAnalytics, IntegrationRow, Page, PageRequest } from "../domain/home-store.ts";
import { type Condition, containing, inLowerCase, type ListQuery, type Queries, readPage } from "./page.ts";
import { type Columns, isoOf, textOf } from "./reading.ts";

const DEVICE_COUNT = `(SELECT count(*) FROM devices d
  WHERE d.config_entry_id = i.entry_id AND d.removed_at IS NULL AND d.placeholder = 0)`;
const ENTITY_COUNT = "(SELECT count(*) FROM entities e WHERE e.config_entry_id = i.entry_id AND e.removed_at IS NULL)";

const LIST: ListQuery = {
  columns: `i.entry_id, i.domain, i.title, i.state, i.source, i.disabled_by, i.reason, i.removed_at, i.updated_at,
    ${DEVICE_COUNT} AS device_count, ${ENTITY_COUNT} AS entity_count`,
  from: "integrations i",
  counted: "integrations i",
  id: "i.entry_id",
  sorts: {
    title: inLowerCase("i.title"),
    domain: "coalesce(i.domain, '')",
    entry_id: "i.entry_id",
    state: "coalesce(i.state, '')",
    device_count: DEVICE_COUNT,
    entity_count: ENTITY_COUNT,
    timestamp: "i.updated_at",
  },
  defaultSort: "title",
};

const ENTITIES_BY_DOMAIN = `SELECT substr(entity_id, 1, instr(entity_id, '.') - 1) AS domain, count(*) AS n
  FROM entities WHERE platform = ? AND removed_at IS NULL GROUP BY 1 ORDER BY n DESC, domain`;

export function readIntegrations(queries: Queries, request: PageRequest): Page<IntegrationRow> {
  const conditions: Condition[] = request.includeRemoved ? [] : [{ sql: "i.removed_at IS NULL", values: [] }];
  if (request.q) conditions.push(containing(["i.title", "i.domain", "i.entry_id"], request.q));
  return readPage(queries, LIST, request, conditions, integrationRow);
}

export function readIntegrationAnalytics(queries: Queries, platform: string): IntegrationAnalytics | undefined {
  const count = (sql: string): number => queries.all(`SELECT count(*) AS n FROM ${sql}`, [platform])[0]!.n as number;
  const deviceCount = count("devices WHERE integration = ? AND removed_at IS NULL AND placeholder = 0");
  const breakdown = queries
    .all(ENTITIES_BY_DOMAIN, [platform])
    .map((row) => ({ domain: row.domain as string, count: row.n as number }));
  const known =
    deviceCount > 0 || breakdown.length > 0 || count("integrations WHERE domain = ? AND removed_at IS NULL") > 0;
  if (!known) return undefined;
  const entityCount = breakdown.reduce((sum, { count }) => sum + count, 0);
  return { platform, device_count: deviceCount, entity_count: entityCount, entity_breakdown: breakdown };
}

function integrationRow(row: Columns): IntegrationRow {
  return {
    entry_id: row.entry_id as string,
    domain: textOf(row.domain),
    title: textOf(row.title),
    state: textOf(row.state),
    source: textOf(row.source),
    disabled_by: textOf(row.disabled_by),
    reason: textOf(row.reason),
    device_count: row.device_count as number,
    entity_count: row.entity_count as number,
    removed_at: isoOf(row.removed_at),
    timestamp: isoOf(row.updated_at)!,
  };
}
